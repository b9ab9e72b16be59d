"""UK Open Banking: consents to see data, every look at it, and payments in the standard's form."""

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = (
    # What a customer lets a client see. `request` is the client's own words, as they were sent.
    """
    CREATE TABLE data_access_consents (
        consent_id uuid PRIMARY KEY,
        kind text NOT NULL CHECK (kind IN ('account_access', 'funds_confirmation')),
        client_id text NOT NULL REFERENCES clients,
        request jsonb NOT NULL,
        state text NOT NULL
            CHECK (state IN ('awaiting_authorization', 'authorized', 'rejected', 'revoked')),
        customer_id text,
        accounts jsonb NOT NULL,
        expires_at timestamptz,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL
    )
    """,
    """
    CREATE INDEX data_access_consents_of_customer ON data_access_consents (customer_id, consent_id)
    WHERE customer_id IS NOT NULL
    """,
    # Who looked when, kept for good: nobody may change or take back a line.
    """
    CREATE TABLE data_accesses (
        access_id uuid PRIMARY KEY,
        grant_id uuid NOT NULL REFERENCES grants,
        consent_id uuid REFERENCES data_access_consents,
        client_id text NOT NULL REFERENCES clients,
        resource text NOT NULL,
        account_id text,
        interaction_id text NOT NULL,
        at timestamptz NOT NULL
    )
    """,
    """
    CREATE INDEX data_accesses_of_consent ON data_accesses (consent_id, access_id)
    WHERE consent_id IS NOT NULL
    """,
    "CREATE INDEX data_accesses_of_grant ON data_accesses (grant_id, access_id)",
    # The standard's words around one of the bank's own payment consents.
    """
    CREATE TABLE domestic_payment_consents (
        consent_id uuid PRIMARY KEY REFERENCES payment_consents,
        client_id text NOT NULL REFERENCES clients,
        request jsonb NOT NULL,
        payment_id uuid UNIQUE,
        created_at timestamptz NOT NULL
    )
    """,
    # The least that the service needs at run time.
    """
    GRANT SELECT, INSERT, UPDATE (state, customer_id, accounts, updated_at)
        ON data_access_consents TO gateway
    """,
    "GRANT SELECT, INSERT ON data_accesses TO gateway",
    "GRANT SELECT, INSERT, UPDATE (payment_id) ON domestic_payment_consents TO gateway",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
