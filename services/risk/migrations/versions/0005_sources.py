"""Outside data: what customers allow, what sources answered, and what each use of them cost."""

from alembic import op

revision = "0005"
down_revision = "0004"

STATEMENTS = (
    """
    CREATE TABLE source_consents (
        position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        customer_id text NOT NULL,
        source text NOT NULL,
        purpose text NOT NULL,
        granted boolean NOT NULL,
        stated_at timestamptz NOT NULL,
        until timestamptz CHECK (until > stated_at),
        CONSTRAINT a_refusal_has_no_end CHECK (granted OR until IS NULL)
    )
    """,
    """
    CREATE INDEX source_consents_of_customer
        ON source_consents (customer_id, source, purpose, position DESC)
    """,
    """
    CREATE FUNCTION refuse_consent_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'what a customer has said of a source is never changed or deleted'
            USING ERRCODE = 'restrict_violation';
    END $$
    """,
    """
    CREATE TRIGGER source_consents_never_change BEFORE UPDATE OR DELETE ON source_consents
        FOR EACH ROW EXECUTE FUNCTION refuse_consent_change()
    """,
    """
    CREATE TRIGGER source_consents_never_emptied BEFORE TRUNCATE ON source_consents
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_consent_change()
    """,
    """
    CREATE TABLE source_answers (
        customer_id text NOT NULL,
        source text NOT NULL,
        answers jsonb NOT NULL CHECK (jsonb_typeof(answers) = 'object'),
        fetched_at timestamptz NOT NULL,
        delete_at timestamptz NOT NULL CHECK (delete_at > fetched_at),
        PRIMARY KEY (customer_id, source)
    )
    """,
    "CREATE INDEX source_answers_by_end ON source_answers (delete_at)",
    # One row for each source that a decision asked for. A live call has its row, in the state
    # 'asked', before it goes out: a process that dies leaves a call without an end, no hole.
    """
    CREATE TABLE source_uses (
        use_id uuid PRIMARY KEY,
        decision_id uuid NOT NULL,
        customer_id text NOT NULL,
        source text NOT NULL,
        purpose text NOT NULL,
        state text NOT NULL CHECK (state IN
            ('asked', 'live', 'cached', 'stale', 'failed', 'refused_consent', 'skipped')),
        is_call boolean NOT NULL,
        charged boolean,
        cost_minor bigint NOT NULL CHECK (cost_minor >= 0),
        cause text,
        age_ms bigint CHECK (age_ms >= 0),
        elapsed_ms integer CHECK (elapsed_ms >= 0),
        used_at timestamptz NOT NULL,
        CONSTRAINT only_a_call_costs CHECK (is_call OR (charged IS FALSE AND cost_minor = 0)),
        CONSTRAINT only_a_charged_call_costs CHECK (charged IS TRUE OR cost_minor = 0)
    )
    """,
    "CREATE INDEX source_uses_in_time ON source_uses (used_at, source)",
    "CREATE INDEX source_uses_of_decision ON source_uses (decision_id)",
    "GRANT SELECT, INSERT ON source_consents TO risk",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON source_answers TO risk",
    "GRANT SELECT, INSERT ON source_uses TO risk",
    "GRANT UPDATE (state, charged, cost_minor, cause, age_ms, elapsed_ms) ON source_uses TO risk",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
