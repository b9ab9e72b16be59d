"""The event log: partitions, records, groups and their members."""

from alembic import op

revision = "0001"
down_revision = None

#: Appends a batch in one call: its offsets follow each other without a gap, and the partitions are
#: locked in one order, so that two producers never wait for each other in a ring.
APPEND = """
CREATE FUNCTION append_records(
    topics text[], partitions int[], ids uuid[], keys text[], vals text[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM log_partitions
    WHERE (topic, partition) IN (SELECT * FROM unnest(topics, partitions))
    ORDER BY topic, partition FOR UPDATE;

    INSERT INTO log (topic, partition, log_offset, event_id, key, value)
    SELECT m.topic, m.partition,
        p.next_offset - 1
            + row_number() OVER (PARTITION BY m.topic, m.partition ORDER BY m.place),
        m.event_id, m.key, m.value
    FROM unnest(topics, partitions, ids, keys, vals) WITH ORDINALITY
        AS m (topic, partition, event_id, key, value, place)
    -- LEFT: a record without its partition must fail, not vanish.
    LEFT JOIN log_partitions AS p ON p.topic = m.topic AND p.partition = m.partition;

    UPDATE log_partitions AS p SET next_offset = p.next_offset + n.records
    FROM (
        SELECT topic, partition, count(*) AS records
        FROM unnest(topics, partitions) AS m (topic, partition) GROUP BY topic, partition
    ) AS n
    WHERE p.topic = n.topic AND p.partition = n.partition;

    PERFORM pg_notify('bus', topic) FROM (SELECT DISTINCT unnest(topics) AS topic) AS t;
END
$$
"""

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
    APPEND,
    "GRANT SELECT, INSERT, UPDATE ON log_partitions, group_partitions TO bus",
    "GRANT SELECT, INSERT, DELETE ON log TO bus",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON group_members TO bus",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
