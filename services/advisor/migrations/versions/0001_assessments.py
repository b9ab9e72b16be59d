"""Assessments, which no database role but a superuser can change once they are written."""

from alembic import op

from shared.kit.migrate import create_kit_tables

revision = "0001"
down_revision = None

STATEMENTS = (
    """
    CREATE TABLE assessments (
        assessment_id uuid PRIMARY KEY,
        position bigint GENERATED ALWAYS AS IDENTITY,
        customer_id text NOT NULL,
        questionnaire_version text NOT NULL,
        rules_sha256 bytea NOT NULL CHECK (length(rules_sha256) = 32),
        answers jsonb NOT NULL CHECK (jsonb_typeof(answers) = 'object'),
        score integer NOT NULL CHECK (score >= 0),
        risk_class text NOT NULL,
        grade text NOT NULL CHECK (grade IN ('C1', 'C2', 'C3', 'C4', 'C5')),
        lowest_class boolean NOT NULL CHECK (grade = 'C1' OR NOT lowest_class),
        reasons jsonb NOT NULL CHECK (jsonb_typeof(reasons) = 'array'),
        assessed_on date NOT NULL,
        valid_until date NOT NULL CHECK (valid_until > assessed_on),
        completed_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX assessments_of_customer ON assessments (customer_id, position DESC)",
    """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'an assessment is never changed or deleted'
            USING ERRCODE = 'restrict_violation';
    END $$
    """,
    """
    CREATE TRIGGER assessments_never_change BEFORE UPDATE OR DELETE ON assessments
        FOR EACH ROW EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE TRIGGER assessments_never_emptied BEFORE TRUNCATE ON assessments
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
    "GRANT SELECT, INSERT ON assessments TO advisor",
)


def upgrade() -> None:
    create_kit_tables("advisor")
    for statement in STATEMENTS:
        op.execute(statement)
