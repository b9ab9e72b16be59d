"""By which devices, phones and cards customers are known, and lists over phones and cards."""

from alembic import op

revision = "0006"
down_revision = "0005"

STATEMENTS = (
    """
    CREATE TABLE customer_identifiers (
        customer_id text NOT NULL,
        kind text NOT NULL CHECK (kind IN ('device', 'phone', 'card')),
        value text NOT NULL CHECK (length(value) BETWEEN 1 AND 128),
        first_told_at timestamptz NOT NULL,
        PRIMARY KEY (customer_id, kind, value)
    )
    """,
    # One key for all replicas and for good. It lies apart from what it protects on the bus, in
    # snapshots, logs and copies of decisions; whoever has this database could try numbers.
    """
    CREATE TABLE identifier_key (
        is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
        key bytea NOT NULL CHECK (length(key) = 32)
    )
    """,
    """
    INSERT INTO identifier_key (key)
    SELECT decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex')
    """,
    "ALTER TABLE list_entries DROP CONSTRAINT list_entries_kind_check",
    """
    ALTER TABLE list_entries ADD CONSTRAINT list_entries_kind_check CHECK
        (kind IN ('account', 'customer', 'device', 'ip', 'merchant', 'phone', 'card'))
    """,
    "GRANT SELECT, INSERT ON customer_identifiers TO risk",
    "GRANT SELECT ON identifier_key TO risk",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
