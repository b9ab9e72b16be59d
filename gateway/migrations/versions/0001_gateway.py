"""Partners, tokens, payment consents, the consent page's sessions and payment claims."""

from alembic import op

from shared.kit.migrate import create_kit_tables

revision = "0001"
down_revision = None

STATEMENTS = (
    """
    CREATE TABLE partners (
        partner_id text PRIMARY KEY,
        name text NOT NULL,
        jwks jsonb NOT NULL,
        redirect_uris jsonb NOT NULL,
        rate_limit_per_minute int NOT NULL CHECK (rate_limit_per_minute >= 0),
        state text NOT NULL CHECK (state IN ('active', 'suspended')),
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE used_ids (
        id_hash bytea PRIMARY KEY,
        kept_until timestamptz NOT NULL
    )
    """,
    "CREATE INDEX used_ids_kept_until ON used_ids (kept_until)",
    """
    CREATE TABLE token_keys (
        kid text PRIMARY KEY,
        jwk jsonb NOT NULL CHECK (NOT jwk ? 'd'),
        created_at timestamptz NOT NULL
    )
    """,
    # The two bounds on used_minor are the last guard of the limit that the customer set.
    """
    CREATE TABLE payment_consents (
        consent_id uuid PRIMARY KEY,
        partner_id text NOT NULL REFERENCES partners,
        payee_account text NOT NULL,
        payee_name text NOT NULL,
        currency text NOT NULL,
        limit_minor bigint NOT NULL CHECK (limit_minor > 0),
        used_minor bigint NOT NULL CHECK (used_minor BETWEEN 0 AND limit_minor),
        expires_at timestamptz NOT NULL,
        debtor_account text,
        debtor_named boolean NOT NULL,
        redirect_uri text,
        state text NOT NULL CHECK (
            state IN ('awaiting_authorization', 'authorized', 'revoked', 'rejected')
        ),
        customer_id text,
        code_failures int NOT NULL CHECK (code_failures BETWEEN 0 AND 5),
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        CHECK (state <> 'authorized' OR (customer_id IS NOT NULL AND debtor_account IS NOT NULL))
    )
    """,
    "CREATE INDEX payment_consents_partner ON payment_consents (partner_id, consent_id)",
    """
    CREATE INDEX payment_consents_customer ON payment_consents (customer_id, consent_id)
    WHERE customer_id IS NOT NULL
    """,
    """
    CREATE TABLE page_sessions (
        session_hash bytea PRIMARY KEY,
        consent_id uuid NOT NULL REFERENCES payment_consents,
        customer_id text NOT NULL,
        challenge_id uuid,
        expires_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX page_sessions_expires_at ON page_sessions (expires_at)",
    """
    CREATE TABLE payment_claims (
        payment_id uuid PRIMARY KEY,
        partner_id text NOT NULL REFERENCES partners,
        idempotency_key text NOT NULL,
        body_hash bytea NOT NULL,
        -- Checked at the commit: the reservation says first, and in words, that there is none.
        consent_id uuid NOT NULL REFERENCES payment_consents DEFERRABLE INITIALLY DEFERRED,
        amount_minor bigint NOT NULL CHECK (amount_minor > 0),
        state text NOT NULL CHECK (state IN ('reserved', 'confirmed', 'freed')),
        attempt_until timestamptz,
        attempts int NOT NULL,
        reply bytea,
        created_at timestamptz NOT NULL,
        checked_at timestamptz NOT NULL,
        CONSTRAINT payment_claims_key UNIQUE (partner_id, idempotency_key)
    )
    """,
    "CREATE INDEX payment_claims_open ON payment_claims (checked_at) WHERE state = 'reserved'",
    # The least that the service needs at run time.
    "GRANT SELECT, INSERT, UPDATE (state, updated_at) ON partners TO gateway",
    "GRANT SELECT, INSERT, DELETE ON used_ids TO gateway",
    "GRANT SELECT, INSERT, DELETE ON token_keys TO gateway",
    """
    GRANT SELECT, INSERT,
        UPDATE (used_minor, state, customer_id, debtor_account, code_failures, updated_at)
        ON payment_consents TO gateway
    """,
    "GRANT SELECT, INSERT, UPDATE (challenge_id), DELETE ON page_sessions TO gateway",
    """
    GRANT SELECT, INSERT, DELETE, UPDATE (state, attempt_until, attempts, reply, checked_at)
        ON payment_claims TO gateway
    """,
)


def upgrade() -> None:
    create_kit_tables("gateway")
    for statement in STATEMENTS:
        op.execute(statement)
