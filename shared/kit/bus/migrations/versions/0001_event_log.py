"""The event log: partitions, records, groups and their members."""

from alembic import op

revision = "0001"
down_revision = None

STATEMENTS = (
    """
    CREATE TABLE log_partitions (
        topic text NOT NULL,
        partition int NOT NULL,
        next_offset bigint NOT NULL DEFAULT 0,
        PRIMARY KEY (topic, partition)
    ) WITH (fillfactor = 50)
    """,
    """
    CREATE TABLE log (
        topic text NOT NULL,
        partition int NOT NULL,
        log_offset bigint NOT NULL,
        event_id uuid NOT NULL,
        key text NOT NULL,
        value text NOT NULL,
        at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (topic, partition, log_offset)
    )
    """,
    # Records come in the order of time: a few pages tell where a time begins.
    "CREATE INDEX log_at ON log USING brin (at) WITH (pages_per_range = 16, autosummarize = on)",
    """
    CREATE TABLE group_members (
        group_name text NOT NULL,
        member text NOT NULL,
        seen_at timestamptz NOT NULL,
        PRIMARY KEY (group_name, member)
    )
    """,
    """
    CREATE TABLE group_partitions (
        group_name text NOT NULL,
        topic text NOT NULL,
        partition int NOT NULL,
        next_offset bigint NOT NULL DEFAULT 0,
        owner text,
        leased_until timestamptz NOT NULL DEFAULT '-infinity',
        PRIMARY KEY (group_name, topic, partition)
    ) WITH (fillfactor = 50)
    """,
    "GRANT SELECT, INSERT, UPDATE ON log_partitions, group_partitions TO bus",
    "GRANT SELECT, INSERT, DELETE ON log TO bus",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON group_members TO bus",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
