-- public_key is COSE, as the authenticator gave it: nothing here is secret.
CREATE TABLE passkeys (
    credential_id bytea PRIMARY KEY,
    customer_id text NOT NULL REFERENCES customers,
    public_key bytea NOT NULL,
    sign_count bigint NOT NULL,
    name text NOT NULL,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz
)
--;
CREATE INDEX passkeys_of_customer ON passkeys (customer_id, created_at)
--;
-- What an authenticator was asked to sign, once. Without a customer it is for a sign-in.
CREATE TABLE passkey_challenges (
    challenge_id uuid PRIMARY KEY,
    customer_id text REFERENCES customers,
    purpose text NOT NULL CHECK (purpose IN ('register', 'sign_in', 'confirm')),
    nonce bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
)
--;
CREATE INDEX passkey_challenges_by_age ON passkey_challenges (expires_at)
--;
ALTER TABLE sign_in_sessions ADD COLUMN session_id uuid NOT NULL DEFAULT gen_random_uuid(),
    ADD COLUMN device text
--;
CREATE UNIQUE INDEX sign_in_sessions_by_id ON sign_in_sessions (session_id)
--;
GRANT SELECT, INSERT, UPDATE (sign_count, last_used_at), DELETE ON passkeys TO identity
--;
GRANT SELECT, INSERT, UPDATE (used_at), DELETE ON passkey_challenges TO identity
