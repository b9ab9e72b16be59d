"""Black, grey and white lists over several kinds of entity; the black-listed accounts move in."""

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = (
    """
    CREATE TABLE list_entries (
        list text NOT NULL CHECK (list IN ('black', 'grey', 'white')),
        kind text NOT NULL CHECK (kind IN ('account', 'customer', 'device', 'ip', 'merchant')),
        value text NOT NULL CHECK (length(value) BETWEEN 1 AND 128),
        reason text NOT NULL,
        listed_by text NOT NULL,
        listed_at timestamptz NOT NULL,
        expires_at timestamptz CHECK (expires_at > listed_at),
        PRIMARY KEY (kind, value, list)
    )
    """,
    """
    INSERT INTO list_entries (list, kind, value, reason, listed_by, listed_at)
    SELECT 'black', 'account', account_id, reason, listed_by, listed_at FROM listed_accounts
    """,
    "DROP TABLE listed_accounts",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON list_entries TO risk",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
