"""Clients of partners, pushed requests, the authorization page, grants and what they gave."""

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    # A partner has one client or several; what it was before is its first.
    """
    CREATE TABLE clients (
        client_id text PRIMARY KEY,
        partner_id text NOT NULL REFERENCES partners,
        name text NOT NULL,
        jwks jsonb NOT NULL,
        redirect_uris jsonb NOT NULL,
        scopes jsonb NOT NULL,
        id_token_alg text NOT NULL CHECK (id_token_alg IN ('PS256', 'ES256')),
        response_alg text NOT NULL CHECK (response_alg IN ('PS256', 'ES256')),
        introspection_alg text NOT NULL CHECK (introspection_alg IN ('PS256', 'ES256')),
        signed_requests boolean NOT NULL,
        dpop_nonce boolean NOT NULL,
        software_id text,
        registration_token_hash bytea,
        state text NOT NULL CHECK (state IN ('active', 'deleted')),
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX clients_of_partner ON clients (partner_id, client_id)",
    """
    INSERT INTO clients
    SELECT partner_id, partner_id, name, jwks, redirect_uris,
        '["consents", "payments", "accounts", "openid"]'::jsonb,
        'PS256', 'PS256', 'PS256', false, false, NULL, NULL, 'active', created_at, updated_at
    FROM partners
    """,
    # Whose word about software counts: directories with the keys of their statements.
    """
    CREATE TABLE software_issuers (
        issuer text PRIMARY KEY,
        jwks jsonb NOT NULL,
        created_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE pushed_requests (
        request_hash bytea PRIMARY KEY,
        client_id text NOT NULL REFERENCES clients,
        request jsonb NOT NULL,
        expires_at timestamptz NOT NULL,
        used_at timestamptz
    )
    """,
    "CREATE INDEX pushed_requests_expires_at ON pushed_requests (expires_at)",
    """
    CREATE TABLE authorization_sessions (
        session_hash bytea PRIMARY KEY,
        request_hash bytea NOT NULL REFERENCES pushed_requests ON DELETE CASCADE,
        customer_id text NOT NULL,
        method text NOT NULL CHECK (method IN ('password', 'passkey')),
        signed_in_at timestamptz NOT NULL,
        challenge_id uuid,
        expires_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX authorization_sessions_expires_at ON authorization_sessions (expires_at)",
    "CREATE INDEX authorization_sessions_request ON authorization_sessions (request_hash)",
    """
    CREATE TABLE grants (
        grant_id uuid PRIMARY KEY,
        client_id text NOT NULL REFERENCES clients,
        customer_id text NOT NULL,
        scopes jsonb NOT NULL,
        consent_kind text,
        consent_id text,
        accounts jsonb NOT NULL,
        acr text NOT NULL,
        authenticated_at timestamptz NOT NULL,
        state text NOT NULL CHECK (state IN ('active', 'revoked')),
        created_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        last_used_at timestamptz,
        CHECK ((consent_id IS NULL) OR (consent_kind IS NOT NULL))
    )
    """,
    "CREATE INDEX grants_of_customer ON grants (customer_id, grant_id)",
    "CREATE INDEX grants_of_client ON grants (client_id, grant_id)",
    """
    CREATE INDEX grants_of_consent ON grants (consent_kind, consent_id)
    WHERE consent_id IS NOT NULL
    """,
    """
    CREATE TABLE authorization_codes (
        code_hash bytea PRIMARY KEY,
        grant_id uuid NOT NULL REFERENCES grants,
        client_id text NOT NULL REFERENCES clients,
        redirect_uri text NOT NULL,
        code_challenge text NOT NULL,
        dpop_jkt text,
        nonce text,
        intent_id text,
        expires_at timestamptz NOT NULL,
        used_at timestamptz
    )
    """,
    "CREATE INDEX authorization_codes_expires_at ON authorization_codes (expires_at)",
    """
    CREATE TABLE refresh_tokens (
        token_hash bytea PRIMARY KEY,
        grant_id uuid NOT NULL REFERENCES grants,
        client_id text NOT NULL REFERENCES clients,
        created_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX refresh_tokens_of_grant ON refresh_tokens (grant_id)",
    # What all replicas must know alike: it makes nonces and the subjects of customers.
    """
    CREATE TABLE shared_secrets (
        name text PRIMARY KEY,
        secret bytea NOT NULL CHECK (length(secret) >= 32)
    )
    """,
    # The least that the service needs at run time.
    """
    GRANT SELECT, INSERT, UPDATE (name, jwks, redirect_uris, scopes, id_token_alg, response_alg,
        introspection_alg, signed_requests, dpop_nonce, registration_token_hash, state, updated_at)
        ON clients TO gateway
    """,
    "GRANT SELECT, INSERT, UPDATE (jwks) ON software_issuers TO gateway",
    "GRANT SELECT, INSERT, UPDATE (used_at), DELETE ON pushed_requests TO gateway",
    "GRANT SELECT, INSERT, UPDATE (challenge_id), DELETE ON authorization_sessions TO gateway",
    "GRANT SELECT, INSERT, UPDATE (state, last_used_at) ON grants TO gateway",
    "GRANT SELECT, INSERT, UPDATE (used_at), DELETE ON authorization_codes TO gateway",
    "GRANT SELECT, INSERT, DELETE ON refresh_tokens TO gateway",
    "GRANT SELECT, INSERT ON shared_secrets TO gateway",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
