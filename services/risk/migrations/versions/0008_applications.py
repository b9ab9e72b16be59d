"""Applications, noted before they are decided; what a person grants; what a decision rests on.

A decision keeps which sources it asked, and the content of the policy that made it: a label alone
does not say which graph stood behind it where the packaged policy was the last resort.
"""

from alembic import op

revision = "0008"
down_revision = "0007"

STATEMENTS = (
    """
    CREATE TABLE applications (
        application_id uuid PRIMARY KEY,
        product text NOT NULL CHECK (product IN ('account_opening', 'loan', 'card')),
        customer_id text NOT NULL,
        body_hash bytea NOT NULL CHECK (length(body_hash) = 32),
        channel text NOT NULL,
        requested_minor bigint CHECK (requested_minor > 0),
        term_months integer CHECK (term_months > 0),
        device_id text,
        applied_at timestamptz NOT NULL,
        CONSTRAINT a_credit_has_an_amount
            CHECK ((requested_minor IS NULL) = (product = 'account_opening')),
        CONSTRAINT a_loan_has_a_term CHECK ((term_months IS NOT NULL) = (product = 'loan'))
    )
    """,
    """
    CREATE INDEX applications_of_customer
        ON applications (customer_id, applied_at DESC, application_id DESC)
    """,
    """
    CREATE INDEX applications_of_device ON applications (device_id, applied_at)
        WHERE device_id IS NOT NULL
    """,
    """
    CREATE FUNCTION refuse_application_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'an application is never changed or deleted'
            USING ERRCODE = 'restrict_violation';
    END $$
    """,
    """
    CREATE TRIGGER applications_never_change BEFORE UPDATE OR DELETE ON applications
        FOR EACH ROW EXECUTE FUNCTION refuse_application_change()
    """,
    """
    CREATE TRIGGER applications_never_emptied BEFORE TRUNCATE ON applications
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_application_change()
    """,
    """
    ALTER TABLE decisions
        ADD COLUMN sources jsonb CHECK (jsonb_typeof(sources) = 'array'),
        ADD COLUMN policy_sha256 bytea CHECK (length(policy_sha256) = 32)
    """,
    """
    ALTER TABLE cases
        ADD COLUMN granted_minor bigint CHECK (granted_minor > 0),
        ADD COLUMN granted_price_bps integer CHECK (granted_price_bps >= 0),
        ADD CONSTRAINT what_is_granted_was_approved
            CHECK (granted_minor IS NULL AND granted_price_bps IS NULL OR verdict = 'approve')
    """,
    "GRANT SELECT, INSERT ON applications TO risk",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
