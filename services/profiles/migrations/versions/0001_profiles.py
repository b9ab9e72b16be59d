"""Profiles: what events told, and the customers' own statements on marketing."""

from alembic import op

from shared.kit.migrate import create_kit_tables

revision = "0001"
down_revision = None

STATEMENTS = (
    """
    CREATE TABLE customers (
        customer_id text PRIMARY KEY,
        registered_on date NOT NULL,
        told_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE account_holders (
        account_id text NOT NULL,
        customer_id text NOT NULL,
        PRIMARY KEY (account_id, customer_id)
    )
    """,
    "CREATE INDEX account_holders_of_customer ON account_holders (customer_id)",
    """
    CREATE TABLE account_flows (
        account_id text NOT NULL,
        month date NOT NULL CHECK (extract(day FROM month) = 1),
        kind text NOT NULL,
        currency text NOT NULL,
        in_minor bigint NOT NULL CHECK (in_minor >= 0),
        out_minor bigint NOT NULL CHECK (out_minor >= 0),
        in_count bigint NOT NULL CHECK (in_count >= 0),
        out_count bigint NOT NULL CHECK (out_count >= 0),
        told_at timestamptz NOT NULL,
        PRIMARY KEY (account_id, month, kind, currency)
    )
    """,
    """
    CREATE TABLE payees (
        customer_id text NOT NULL,
        account_id text NOT NULL,
        currency text NOT NULL,
        payments bigint NOT NULL CHECK (payments > 0),
        amount_minor bigint NOT NULL CHECK (amount_minor > 0),
        PRIMARY KEY (customer_id, account_id, currency)
    )
    """,
    """
    CREATE TABLE payment_counts (
        customer_id text NOT NULL,
        outcome text NOT NULL CHECK (outcome IN ('settled', 'rejected')),
        hour smallint NOT NULL CHECK (hour BETWEEN 0 AND 23),
        payments bigint NOT NULL CHECK (payments > 0),
        told_at timestamptz NOT NULL,
        PRIMARY KEY (customer_id, outcome, hour)
    )
    """,
    """
    CREATE TABLE grades (
        customer_id text PRIMARY KEY,
        assessment_id uuid NOT NULL,
        grade text NOT NULL CHECK (grade IN ('C1', 'C2', 'C3', 'C4', 'C5')),
        valid_until date NOT NULL,
        assessed_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE marketing_consents (
        position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        customer_id text NOT NULL,
        granted boolean NOT NULL,
        stated_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX marketing_consents_latest ON marketing_consents (customer_id, position DESC)",
    """
    GRANT SELECT, INSERT, UPDATE, DELETE ON
        customers, account_holders, account_flows, payees, payment_counts, grades TO profiles
    """,
    "GRANT SELECT, INSERT ON marketing_consents TO profiles",
    # A rebuild meets every event again, also those that could not be handled.
    "GRANT DELETE ON dead_letters TO profiles",
)


def upgrade() -> None:
    create_kit_tables("profiles")
    for statement in STATEMENTS:
        op.execute(statement)
