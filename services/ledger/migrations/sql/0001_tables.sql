CREATE TABLE chart (
    chart_code text PRIMARY KEY,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    side text NOT NULL CHECK (side IN ('asset', 'liability', 'equity', 'income', 'expense'))
)
--;
-- Codes follow the chart of China's Accounting Standards for Business Enterprises (2006).
INSERT INTO chart VALUES
    ('1001', '库存现金', 'Cash', 'asset'),
    ('1003', '存放中央银行款项', 'Deposits with the central bank', 'asset'),
    ('1011', '存放同业', 'Due from other banks', 'asset'),
    ('1303', '贷款', 'Loans', 'asset'),
    ('2011', '吸收存款', 'Customer deposits', 'liability'),
    ('2012', '同业存放', 'Due to other banks', 'liability'),
    ('2241', '其他应付款', 'Suspense and other payables', 'liability'),
    ('3001', '清算资金往来', 'Clearing', 'liability'),
    ('3002', '货币兑换', 'Currency exchange positions', 'liability'),
    ('4001', '实收资本', 'Paid-in capital', 'equity'),
    ('6011', '利息收入', 'Interest income', 'income'),
    ('6021', '手续费及佣金收入', 'Fee and commission income', 'income'),
    ('6411', '利息支出', 'Interest expense', 'expense'),
    ('6421', '手续费及佣金支出', 'Fee and commission expense', 'expense'),
    ('6711', '营业外支出', 'Rounding and other losses', 'expense')
--;
CREATE TABLE accounts (
    account_id text PRIMARY KEY,
    chart_code text NOT NULL REFERENCES chart,
    currency text NOT NULL,
    holder_id text,
    floor_minor bigint,
    frozen boolean NOT NULL DEFAULT false,
    opened_on date NOT NULL,
    body_hash bytea NOT NULL,
    recorded_at timestamptz NOT NULL
)
--;
CREATE INDEX accounts_of_holder ON accounts (holder_id, account_id)
--;
CREATE INDEX accounts_of_chart ON accounts (chart_code, account_id)
--;
-- Narrow and half empty, so that an update stays on its page and touches no index (HOT).
CREATE TABLE balances (
    account_id text PRIMARY KEY REFERENCES accounts,
    posted_minor bigint NOT NULL DEFAULT 0,
    held_minor bigint NOT NULL DEFAULT 0 CHECK (held_minor >= 0),
    entries bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50)
--;
CREATE TABLE transfers (
    transfer_id uuid PRIMARY KEY,
    kind text NOT NULL,
    value_date date NOT NULL,
    booking_date date NOT NULL,
    recorded_at timestamptz NOT NULL,
    reference text,
    reverses uuid UNIQUE REFERENCES transfers,
    leg_count smallint NOT NULL CHECK (leg_count >= 2),
    body_hash bytea NOT NULL
)
--;
-- A credit is positive. The account's entries are numbered without gaps; the guards check what
-- foreign keys would, a set at a time.
CREATE TABLE postings (
    account_id text NOT NULL,
    entry_no bigint NOT NULL,
    transfer_id uuid NOT NULL,
    leg_no smallint NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor <> 0),
    currency text NOT NULL,
    balance_minor bigint NOT NULL,
    value_date date NOT NULL,
    booking_date date NOT NULL,
    PRIMARY KEY (account_id, entry_no),
    UNIQUE (transfer_id, leg_no)
)
--;
CREATE TABLE holds (
    hold_id uuid PRIMARY KEY,
    account_id text NOT NULL REFERENCES accounts,
    destination_id text NOT NULL REFERENCES accounts,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency text NOT NULL,
    state text NOT NULL CHECK (state IN ('placed', 'captured', 'released', 'expired')),
    expires_at timestamptz NOT NULL,
    transfer_id uuid,
    body_hash bytea NOT NULL,
    recorded_at timestamptz NOT NULL
)
--;
CREATE INDEX holds_to_expire ON holds (expires_at) WHERE state = 'placed'
--;
GRANT SELECT ON chart TO ledger
--;
GRANT SELECT, INSERT, UPDATE (floor_minor, frozen) ON accounts TO ledger
--;
GRANT SELECT, INSERT, UPDATE (posted_minor, held_minor, entries) ON balances TO ledger
--;
GRANT SELECT, INSERT ON transfers, postings TO ledger
--;
GRANT SELECT, INSERT, UPDATE (state, expires_at, transfer_id) ON holds TO ledger
