"""Cases, their history, labels that nobody can change, and the sessions of the desk."""

from alembic import op

revision = "0004"
down_revision = "0003"

STATEMENTS = (
    """
    CREATE TABLE cases (
        case_id uuid PRIMARY KEY,
        decision_id uuid NOT NULL,
        kind text NOT NULL CHECK (kind IN ('review', 'appeal')),
        product text NOT NULL,
        customer_id text NOT NULL,
        reason_codes text[] NOT NULL,
        opened_at timestamptz NOT NULL,
        due_at timestamptz NOT NULL,
        amount_minor bigint CHECK (amount_minor > 0),
        currency text,
        value_minor bigint CHECK (value_minor >= 0),
        debtor_account text,
        creditor_account text,
        creditor_name text,
        channel text,
        remittance text,
        review_until timestamptz,
        state text NOT NULL
            CHECK (state IN ('open', 'assigned', 'awaiting_second', 'decided', 'closed')),
        assigned_to text,
        assigned_until timestamptz,
        verdict text CHECK (verdict IN ('approve', 'decline')),
        verdict_code text,
        verdict_note text,
        verdict_by text,
        verdict_at timestamptz,
        second_by text,
        second_at timestamptz,
        outcome text CHECK (outcome IN ('approved', 'declined', 'expired', 'refused')),
        outcome_code text,
        closed_at timestamptz,
        asked_at timestamptz,
        UNIQUE (decision_id, kind),
        CONSTRAINT an_assigned_case_has_somebody
            CHECK ((state = 'assigned') = (assigned_to IS NOT NULL)),
        CONSTRAINT a_verdict_has_an_author_and_a_reason
            CHECK ((verdict IS NULL) = (verdict_by IS NULL)
               AND (verdict IS NULL) = (verdict_code IS NULL)),
        CONSTRAINT a_decided_case_has_a_verdict
            CHECK (state NOT IN ('awaiting_second', 'decided') OR verdict IS NOT NULL),
        CONSTRAINT the_second_person_is_another_one CHECK (second_by <> verdict_by),
        CONSTRAINT a_closed_case_has_an_outcome
            CHECK ((state = 'closed') = (outcome IS NOT NULL)
               AND (state = 'closed') = (closed_at IS NOT NULL))
    )
    """,
    # Closed cases are nearly all in the end, and are asked for by time or customer.
    "CREATE INDEX cases_waiting ON cases (due_at, case_id) WHERE state <> 'closed'",
    "CREATE INDEX cases_closed ON cases (closed_at, case_id) WHERE state = 'closed'",
    "CREATE INDEX cases_of_customer ON cases (customer_id, opened_at DESC)",
    """
    CREATE TABLE case_entries (
        position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        case_id uuid NOT NULL REFERENCES cases,
        kind text NOT NULL,
        by text,
        at timestamptz NOT NULL,
        text text NOT NULL,
        code text
    )
    """,
    "CREATE INDEX entries_of_case ON case_entries (case_id, position)",
    """
    CREATE TABLE labels (
        position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        decision_id uuid NOT NULL,
        label text NOT NULL CHECK (label IN ('fraud', 'honest', 'unknown')),
        source text NOT NULL CHECK (source IN ('case', 'chargeback', 'staff')),
        author text NOT NULL,
        note text NOT NULL,
        labelled_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX labels_of_decision ON labels (decision_id, position)",
    """
    CREATE TABLE desk_sessions (
        session_hash bytea PRIMARY KEY CHECK (length(session_hash) = 32),
        staff_id text NOT NULL,
        roles text[] NOT NULL,
        expires_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX desk_sessions_by_end ON desk_sessions (expires_at)",
    "GRANT SELECT, INSERT, UPDATE ON cases TO risk",
    "GRANT SELECT, INSERT ON case_entries, labels TO risk",
    "GRANT SELECT, INSERT, DELETE ON desk_sessions TO risk",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
