CREATE TABLE payments (
    payment_id uuid PRIMARY KEY,
    body_hash bytea NOT NULL,
    state text NOT NULL
        CHECK (state IN ('received', 'approved', 'in_review', 'settled', 'rejected')),
    customer_id text NOT NULL,
    partner_id text,
    consent_id uuid,
    debtor_account text NOT NULL,
    creditor_account text NOT NULL CHECK (creditor_account <> debtor_account),
    creditor_name text NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency text NOT NULL,
    end_to_end_id text NOT NULL,
    remittance text,
    channel text NOT NULL,
    trace_id text,
    span_id text,
    received_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    due_at timestamptz,
    reason_codes text[] NOT NULL,
    risk_score double precision,
    transfer_id uuid,
    approved_at timestamptz,
    review_until timestamptz,
    verdict text CHECK (verdict IN ('approve', 'decline')),
    reviewed_by text,
    review_reason text,
    CONSTRAINT a_settled_payment_names_its_transfer
        CHECK ((state = 'settled') = (transfer_id IS NOT NULL)),
    CONSTRAINT a_rejected_payment_says_why
        CHECK (state <> 'rejected' OR cardinality(reason_codes) > 0),
    CONSTRAINT an_open_payment_is_looked_at_again
        CHECK ((state IN ('settled', 'rejected')) = (due_at IS NULL)),
    CONSTRAINT a_review_ends
        CHECK (state <> 'in_review' OR review_until IS NOT NULL)
)
--;
-- Newest first by id, for whom a list may be asked; ids rise with time (UUIDv7).
CREATE INDEX payments_of_customer ON payments (customer_id, payment_id)
--;
CREATE INDEX payments_of_partner ON payments (partner_id, payment_id)
--;
CREATE INDEX payments_of_debtor ON payments (debtor_account, payment_id)
--;
-- Settled ones are nearly all, and are found without an index of their own.
CREATE INDEX payments_by_state ON payments (state, payment_id) WHERE state <> 'settled'
--;
CREATE INDEX payments_due ON payments (due_at) WHERE due_at IS NOT NULL
--;
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'payment % is %, which is final', OLD.payment_id, OLD.state
        USING ERRCODE = 'TB002';
END
$$
--;
CREATE TRIGGER ended_payments_are_final BEFORE UPDATE OR DELETE ON payments
    FOR EACH ROW WHEN (OLD.state IN ('settled', 'rejected')) EXECUTE FUNCTION refuse_change()
--;
CREATE TABLE payees (
    customer_id text NOT NULL,
    account_id text NOT NULL,
    name text NOT NULL,
    first_paid_at timestamptz NOT NULL,
    payments int NOT NULL CHECK (payments > 0),
    PRIMARY KEY (customer_id, account_id)
)
--;
CREATE TABLE standing_orders (
    order_id text PRIMARY KEY,
    debtor_account text NOT NULL,
    creditor_bank text,
    creditor_account text NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency text NOT NULL,
    purpose text,
    first_on date,
    active boolean NOT NULL,
    content_hash bytea NOT NULL,
    recorded_at timestamptz NOT NULL
)
--;
CREATE INDEX standing_orders_of_debtor ON standing_orders (debtor_account, order_id)
--;
GRANT SELECT, INSERT, UPDATE (state, updated_at, due_at, reason_codes, risk_score, transfer_id,
    approved_at, review_until, verdict, reviewed_by, review_reason) ON payments TO payments
--;
GRANT SELECT, INSERT, UPDATE (name, payments) ON payees TO payments
--;
GRANT SELECT, INSERT ON standing_orders TO payments
