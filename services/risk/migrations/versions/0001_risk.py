"""Decisions, which no run-time role can change once they are written, and the black list."""

from alembic import op

from shared.kit.migrate import create_kit_tables

revision = "0001"
down_revision = None

STATEMENTS = (
    """
    CREATE TABLE decisions (
        decision_id uuid PRIMARY KEY,
        customer_id text NOT NULL,
        product text NOT NULL,
        body_hash bytea NOT NULL CHECK (length(body_hash) = 32),
        outcome text NOT NULL CHECK (outcome IN ('approve', 'review', 'decline')),
        score double precision CHECK (score BETWEEN 0 AND 1),
        reason_codes text[] NOT NULL,
        policy text NOT NULL,
        model text,
        model_sha256 bytea CHECK (length(model_sha256) = 32),
        degraded text[] NOT NULL,
        features jsonb NOT NULL CHECK (jsonb_typeof(features) = 'object'),
        elapsed_us integer NOT NULL CHECK (elapsed_us >= 0),
        windows_age_ms bigint CHECK (windows_age_ms >= 0),
        decided_at timestamptz NOT NULL,
        CHECK (score IS NULL OR model IS NOT NULL),
        CHECK ((model IS NULL) = (model_sha256 IS NULL))
    )
    """,
    "CREATE INDEX decisions_of_customer ON decisions (customer_id, decided_at DESC)",
    """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'a decision is never changed or deleted'
            USING ERRCODE = 'restrict_violation';
    END $$
    """,
    """
    CREATE TRIGGER decisions_never_change BEFORE UPDATE OR DELETE ON decisions
        FOR EACH ROW EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE TRIGGER decisions_never_emptied BEFORE TRUNCATE ON decisions
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE TABLE listed_accounts (
        account_id text PRIMARY KEY,
        reason text NOT NULL,
        listed_by text NOT NULL,
        listed_at timestamptz NOT NULL
    )
    """,
    "GRANT SELECT, INSERT ON decisions TO risk",
    "GRANT SELECT, INSERT, DELETE ON listed_accounts TO risk",
)


def upgrade() -> None:
    create_kit_tables("risk")
    for statement in STATEMENTS:
        op.execute(statement)
