"""The registry of models: their files, who answers for them, and which scored from when to when.

A model is kept whole, so that every replica and every replay has the same bytes. What was
registered never changes; only its state does, step by step, and each step stands in the history.
"""

from alembic import op

revision = "0009"
down_revision = "0008"

STATEMENTS = (
    """
    CREATE TABLE models (
        label text PRIMARY KEY CHECK (label ~ '^[a-z0-9][a-z0-9._-]{0,79}$'),
        product text NOT NULL CHECK (product IN ('payment', 'account_opening', 'loan', 'card')),
        kind text NOT NULL CHECK (kind IN ('onnx', 'scorecard')),
        sha256 bytea NOT NULL CHECK (length(sha256) = 32),
        manifest bytea NOT NULL,
        onnx bytea,
        reference bytea,
        checks jsonb NOT NULL CHECK (jsonb_typeof(checks) = 'object'),
        owner text NOT NULL,
        note text NOT NULL,
        valid_from timestamptz NOT NULL,
        valid_until timestamptz,
        state text NOT NULL CHECK (state IN ('candidate', 'challenger', 'champion', 'retired')),
        registered_by text NOT NULL,
        registered_at timestamptz NOT NULL,
        proposed_by text,
        proposed_at timestamptz,
        promoted_by text,
        promoted_at timestamptz,
        CHECK ((onnx IS NULL) = (kind = 'scorecard')),
        CHECK (valid_until > valid_from),
        CHECK ((proposed_by IS NULL) = (proposed_at IS NULL)),
        CHECK ((promoted_by IS NULL) = (promoted_at IS NULL)),
        CHECK (promoted_by IS NOT NULL OR state <> 'champion'),
        CONSTRAINT four_eyes
            CHECK (promoted_by <> registered_by AND promoted_by <> proposed_by)
    )
    """,
    # the bytes are compressed already, and are read whole
    "ALTER TABLE models ALTER COLUMN onnx SET STORAGE EXTERNAL",
    "CREATE UNIQUE INDEX models_champion ON models (product) WHERE state = 'champion'",
    "CREATE INDEX models_of_product ON models (product, registered_at, label)",
    "CREATE INDEX models_by_content ON models (sha256)",
    """
    CREATE FUNCTION check_model() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        steps constant text[] := ARRAY[
            'candidate candidate', 'candidate challenger', 'candidate champion',
            'candidate retired', 'challenger challenger', 'challenger candidate',
            'challenger champion', 'challenger retired', 'champion retired', 'retired champion'
        ];
    BEGIN
        IF TG_OP <> 'UPDATE' THEN
            RAISE EXCEPTION 'a registered model is never deleted'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF NOT (OLD.state || ' ' || NEW.state) = ANY (steps) THEN
            RAISE EXCEPTION 'a % model does not become %', OLD.state, NEW.state
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF (NEW.label, NEW.product, NEW.kind, NEW.sha256, NEW.manifest, NEW.onnx, NEW.reference,
                NEW.checks, NEW.owner, NEW.note, NEW.valid_from, NEW.valid_until,
                NEW.registered_by, NEW.registered_at)
            IS DISTINCT FROM
            (OLD.label, OLD.product, OLD.kind, OLD.sha256, OLD.manifest, OLD.onnx, OLD.reference,
                OLD.checks, OLD.owner, OLD.note, OLD.valid_from, OLD.valid_until,
                OLD.registered_by, OLD.registered_at)
            OR OLD.promoted_by IS NOT NULL
            AND (NEW.promoted_by, NEW.promoted_at, NEW.proposed_by, NEW.proposed_at)
                IS DISTINCT FROM
                (OLD.promoted_by, OLD.promoted_at, OLD.proposed_by, OLD.proposed_at)
        THEN
            RAISE EXCEPTION 'what was registered is never changed: register another version'
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER models_stay BEFORE UPDATE OR DELETE ON models
        FOR EACH ROW EXECUTE FUNCTION check_model()
    """,
    """
    CREATE TABLE model_changes (
        change_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        product text NOT NULL,
        label text NOT NULL REFERENCES models,
        action text NOT NULL CHECK (action IN ('seed', 'register', 'challenge', 'withdraw',
            'propose', 'reject', 'promote', 'roll_back', 'retire')),
        previous text,
        waived text[] NOT NULL DEFAULT '{}',
        changed_by text NOT NULL,
        reason text NOT NULL,
        changed_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX model_changes_of ON model_changes (product, change_id)",
    """
    CREATE FUNCTION refuse_model_history() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the history of models is never changed or deleted'
            USING ERRCODE = 'restrict_violation';
    END $$
    """,
    """
    CREATE TRIGGER model_changes_never_change BEFORE UPDATE OR DELETE ON model_changes
        FOR EACH ROW EXECUTE FUNCTION refuse_model_history()
    """,
    """
    CREATE TRIGGER model_changes_never_emptied BEFORE TRUNCATE ON model_changes
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_model_history()
    """,
    """
    CREATE TRIGGER models_never_emptied BEFORE TRUNCATE ON models
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_model_history()
    """,
    """
    CREATE TABLE model_evaluations (
        evaluation_id uuid PRIMARY KEY,
        product text NOT NULL,
        label text NOT NULL REFERENCES models,
        against text,
        policy text NOT NULL,
        since timestamptz NOT NULL,
        until timestamptz NOT NULL,
        most integer NOT NULL CHECK (most > 0),
        state text NOT NULL CHECK (state IN ('running', 'done', 'failed')),
        seen integer NOT NULL DEFAULT 0,
        spent_us bigint NOT NULL DEFAULT 0,
        gates jsonb CHECK (jsonb_typeof(gates) = 'array'),
        figures jsonb CHECK (jsonb_typeof(figures) = 'object'),
        swap_set jsonb CHECK (jsonb_typeof(swap_set) = 'object'),
        asked_by text NOT NULL,
        asked_at timestamptz NOT NULL,
        told_at timestamptz NOT NULL,
        CHECK ((gates IS NOT NULL AND figures IS NOT NULL AND swap_set IS NOT NULL)
            = (state = 'done'))
    )
    """,
    "CREATE INDEX model_evaluations_of ON model_evaluations (label, asked_at)",
    # What a challenger would have scored. No decision reads it, and none is made by it.
    """
    CREATE TABLE shadow_scores (
        label text NOT NULL,
        decision_id uuid NOT NULL,
        score double precision,
        scored_at timestamptz NOT NULL,
        PRIMARY KEY (label, decision_id)
    )
    """,
    "CREATE INDEX shadow_scores_in_time ON shadow_scores (scored_at)",
    "ALTER TABLE policy_back_tests ADD COLUMN spent_us bigint NOT NULL DEFAULT 0",
    "GRANT SELECT, INSERT ON models, model_changes, model_evaluations TO risk",
    """
    GRANT UPDATE (state, proposed_by, proposed_at, promoted_by, promoted_at) ON models TO risk
    """,
    """
    GRANT UPDATE (state, seen, spent_us, gates, figures, swap_set, told_at)
        ON model_evaluations TO risk
    """,
    "GRANT SELECT, INSERT, DELETE ON shadow_scores TO risk",
    "GRANT UPDATE (spent_us) ON policy_back_tests TO risk",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
