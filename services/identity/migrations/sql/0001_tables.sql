-- content_hash is over the item as it was sent: an equal repeat is found without reading fields.
CREATE TABLE customers (
    customer_id text PRIMARY KEY,
    full_name text NOT NULL,
    born_on date,
    district text,
    phone text,
    registered_on date NOT NULL,
    content_hash bytea NOT NULL,
    recorded_at timestamptz NOT NULL
)
--;
CREATE TABLE account_rights (
    account_id text NOT NULL,
    customer_id text NOT NULL REFERENCES customers,
    "right" text NOT NULL CHECK ("right" IN ('owner', 'authorized_user')),
    granted_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, customer_id)
)
--;
CREATE UNIQUE INDEX account_has_one_owner ON account_rights (account_id) WHERE "right" = 'owner'
--;
CREATE INDEX account_rights_of_customer ON account_rights (customer_id, account_id)
--;
CREATE TABLE reference_records (
    record_id text PRIMARY KEY,
    customer_id text NOT NULL REFERENCES customers,
    account_id text,
    kind text NOT NULL,
    facts jsonb NOT NULL,
    content_hash bytea NOT NULL,
    recorded_at timestamptz NOT NULL
)
--;
CREATE INDEX reference_records_of_customer ON reference_records (customer_id, record_id)
--;
CREATE TABLE customer_credentials (
    customer_id text PRIMARY KEY REFERENCES customers,
    login_name text NOT NULL UNIQUE,
    password_hash text NOT NULL,
    set_at timestamptz NOT NULL
)
--;
CREATE TABLE staff (
    staff_id text PRIMARY KEY,
    login_name text NOT NULL UNIQUE,
    password_hash text NOT NULL,
    roles text[] NOT NULL,
    registered_at timestamptz NOT NULL
)
--;
-- Also of names that nobody has, and hashed: people type passwords where the name belongs.
CREATE TABLE sign_in_attempts (
    realm text NOT NULL CHECK (realm IN ('customer', 'staff')),
    name_hash bytea NOT NULL,
    failures integer NOT NULL,
    last_at timestamptz,
    locked_until timestamptz,
    PRIMARY KEY (realm, name_hash)
)
--;
CREATE INDEX sign_in_attempts_by_age ON sign_in_attempts (last_at)
--;
CREATE TABLE sign_in_sessions (
    token_hash bytea PRIMARY KEY,
    customer_id text NOT NULL REFERENCES customers,
    started_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    ended_at timestamptz
)
--;
CREATE INDEX sign_in_sessions_of_customer ON sign_in_sessions (customer_id)
--;
CREATE INDEX sign_in_sessions_by_age ON sign_in_sessions (started_at)
--;
CREATE TABLE one_time_codes (
    challenge_id uuid PRIMARY KEY,
    customer_id text NOT NULL REFERENCES customers,
    purpose text NOT NULL,
    subject text NOT NULL,
    code_hash bytea NOT NULL,
    sent_at timestamptz NOT NULL,
    tries integer NOT NULL,
    verified_at timestamptz
)
--;
CREATE INDEX one_time_codes_of_customer ON one_time_codes (customer_id, sent_at)
--;
CREATE INDEX one_time_codes_by_age ON one_time_codes (sent_at)
--;
CREATE TABLE audit_entries (
    event_id uuid PRIMARY KEY,
    service text NOT NULL,
    staff_id text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
--;
CREATE INDEX audit_entries_by_time ON audit_entries (at, event_id)
--;
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is never changed' USING ERRCODE = 'TB002';
END
$$
--;
CREATE TRIGGER audit_entries_are_final BEFORE UPDATE OR DELETE ON audit_entries
    FOR EACH ROW EXECUTE FUNCTION refuse_audit_change()
--;
CREATE TRIGGER audit_entries_stay BEFORE TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()
--;
GRANT SELECT, INSERT ON customers, account_rights, reference_records, staff, audit_entries
    TO identity
--;
GRANT SELECT, INSERT, UPDATE (login_name, password_hash, set_at) ON customer_credentials
    TO identity
--;
GRANT SELECT, INSERT, UPDATE (failures, last_at, locked_until), DELETE ON sign_in_attempts
    TO identity
--;
GRANT SELECT, INSERT, UPDATE (last_used_at, ended_at), DELETE ON sign_in_sessions TO identity
--;
GRANT SELECT, INSERT, UPDATE (tries, verified_at), DELETE ON one_time_codes TO identity
