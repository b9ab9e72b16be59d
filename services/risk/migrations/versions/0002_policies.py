"""Policies: versions that cannot change once they are proposed, and which was in force when.

A decision keeps the facts beside its features, what the policy answered and which rows fired.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    """
    ALTER TABLE decisions
        ADD COLUMN facts jsonb CHECK (jsonb_typeof(facts) = 'object'),
        ADD COLUMN trace text[],
        ADD COLUMN grade text,
        ADD COLUMN limit_minor bigint CHECK (limit_minor >= 0),
        ADD COLUMN price_bps integer CHECK (price_bps >= 0),
        ADD COLUMN step_up text
    """,
    # a back-test walks along it; decisions come in order of time, so it grows at one end
    "CREATE INDEX decisions_in_time ON decisions (product, decided_at, decision_id)",
    """
    CREATE TABLE policy_versions (
        product text NOT NULL CHECK (product IN ('payment', 'account_opening', 'loan', 'card')),
        version text NOT NULL CHECK (version ~ '^[0-9]{4}[.][0-9]{1,6}$'),
        place bigint GENERATED ALWAYS AS IDENTITY,
        graph jsonb NOT NULL CHECK (jsonb_typeof(graph) = 'object'),
        tests jsonb NOT NULL CHECK (jsonb_typeof(tests) = 'object'),
        based_on text,
        note text NOT NULL,
        state text NOT NULL CHECK (
            state IN ('draft', 'proposed', 'rejected', 'approved', 'active', 'retired')
        ),
        author text NOT NULL,
        drafted_at timestamptz NOT NULL,
        proposed_at timestamptz,
        approved_by text,
        approved_at timestamptz,
        PRIMARY KEY (product, version),
        CONSTRAINT four_eyes CHECK (approved_by <> author),
        CHECK ((approved_by IS NULL) = (approved_at IS NULL)),
        CHECK ((approved_by IS NOT NULL) = (state IN ('approved', 'active', 'retired'))),
        CHECK ((proposed_at IS NULL) = (state = 'draft'))
    )
    """,
    "CREATE UNIQUE INDEX policy_versions_newest ON policy_versions (product, place)",
    """
    CREATE UNIQUE INDEX policy_versions_active ON policy_versions (product)
        WHERE state = 'active'
    """,
    """
    CREATE FUNCTION check_policy_version() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        steps constant text[] := ARRAY[
            'draft draft', 'draft proposed', 'proposed approved', 'proposed rejected',
            'approved active', 'active retired', 'retired active'
        ];
    BEGIN
        IF TG_OP <> 'UPDATE' THEN
            RAISE EXCEPTION 'a version of a policy is never deleted'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF NOT (OLD.state || ' ' || NEW.state) = ANY (steps) THEN
            RAISE EXCEPTION 'a % version does not become %', OLD.state, NEW.state
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF (NEW.product, NEW.version, NEW.place, NEW.author, NEW.drafted_at, NEW.based_on)
            IS DISTINCT FROM
            (OLD.product, OLD.version, OLD.place, OLD.author, OLD.drafted_at, OLD.based_on)
            OR (OLD.state <> 'draft' OR NEW.state <> 'draft')
            AND (NEW.graph, NEW.tests, NEW.note) IS DISTINCT FROM (OLD.graph, OLD.tests, OLD.note)
            OR OLD.proposed_at IS NOT NULL AND NEW.proposed_at IS DISTINCT FROM OLD.proposed_at
            OR OLD.approved_by IS NOT NULL
            AND (NEW.approved_by, NEW.approved_at)
                IS DISTINCT FROM (OLD.approved_by, OLD.approved_at)
        THEN
            RAISE EXCEPTION 'what was proposed is never changed: draft another version'
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER policy_versions_stay BEFORE UPDATE OR DELETE ON policy_versions
        FOR EACH ROW EXECUTE FUNCTION check_policy_version()
    """,
    """
    CREATE TABLE policy_activations (
        activation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        product text NOT NULL,
        version text NOT NULL,
        action text NOT NULL CHECK (action IN ('seed', 'activate', 'roll_back')),
        previous text,
        activated_by text NOT NULL,
        reason text NOT NULL,
        activated_at timestamptz NOT NULL,
        FOREIGN KEY (product, version) REFERENCES policy_versions
    )
    """,
    "CREATE INDEX policy_activations_of ON policy_activations (product, activation_id)",
    """
    CREATE FUNCTION refuse_policy_history() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the history of policies is never changed or deleted'
            USING ERRCODE = 'restrict_violation';
    END $$
    """,
    """
    CREATE TRIGGER policy_activations_never_change BEFORE UPDATE OR DELETE ON policy_activations
        FOR EACH ROW EXECUTE FUNCTION refuse_policy_history()
    """,
    """
    CREATE TRIGGER policy_activations_never_emptied BEFORE TRUNCATE ON policy_activations
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_policy_history()
    """,
    """
    CREATE TRIGGER policy_versions_never_emptied BEFORE TRUNCATE ON policy_versions
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_policy_history()
    """,
    """
    CREATE TABLE policy_back_tests (
        back_test_id uuid PRIMARY KEY,
        product text NOT NULL,
        version text NOT NULL,
        against text NOT NULL,
        since timestamptz NOT NULL,
        until timestamptz NOT NULL,
        most integer NOT NULL CHECK (most > 0),
        state text NOT NULL CHECK (state IN ('running', 'done', 'failed')),
        seen integer NOT NULL DEFAULT 0,
        swap_set jsonb,
        asked_by text NOT NULL,
        asked_at timestamptz NOT NULL,
        told_at timestamptz NOT NULL,
        FOREIGN KEY (product, version) REFERENCES policy_versions,
        CHECK ((swap_set IS NOT NULL) = (state = 'done'))
    )
    """,
    "GRANT SELECT, INSERT ON policy_versions TO risk",
    """
    GRANT UPDATE (graph, tests, note, state, proposed_at, approved_by, approved_at)
        ON policy_versions TO risk
    """,
    "GRANT SELECT, INSERT ON policy_activations TO risk",
    "GRANT SELECT, INSERT ON policy_back_tests TO risk",
    "GRANT UPDATE (state, seen, swap_set, told_at) ON policy_back_tests TO risk",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
