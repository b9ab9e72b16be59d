"""The SQL of the bus on PostgreSQL. Lists go in as arrays: a statement stays the same."""

#: One call: see the function in `migrations`.
APPEND = "SELECT append_records($1::text[], $2::int[], $3::uuid[], $4::text[], $5::text[])"
READ = """
SELECT l.topic, l.partition, l.log_offset, l.event_id, l.key, l.value, l.at
FROM unnest($1::text[], $2::int[], $3::bigint[]) AS w (topic, partition, log_offset)
CROSS JOIN LATERAL (
    SELECT * FROM log
    WHERE log.topic = w.topic AND log.partition = w.partition AND log.log_offset >= w.log_offset
    ORDER BY log.log_offset LIMIT $4
) AS l
ORDER BY l.log_offset - w.log_offset, l.topic, l.partition
LIMIT $4
"""
ENSURE_PARTITIONS = """
INSERT INTO log_partitions (topic, partition)
SELECT * FROM unnest($1::text[], $2::int[]) ON CONFLICT DO NOTHING
"""
JOIN = """
INSERT INTO group_partitions (group_name, topic, partition)
SELECT $1, t, p FROM unnest($2::text[], $3::int[]) AS w (t, p) ON CONFLICT DO NOTHING
"""
BEAT = """
INSERT INTO group_members (group_name, member, seen_at) VALUES ($1, $2, clock_timestamp())
ON CONFLICT (group_name, member) DO UPDATE SET seen_at = excluded.seen_at
"""
MEMBERS = """
SELECT member FROM group_members
WHERE group_name = $1 AND seen_at > clock_timestamp() - make_interval(secs => $2)
ORDER BY member
"""
RELEASE = """
UPDATE group_partitions SET owner = NULL
WHERE group_name = $1 AND owner = $2
  AND NOT (topic, partition) IN (SELECT * FROM unnest($3::text[], $4::int[]))
"""
CLAIM = """
UPDATE group_partitions
SET owner = $2, leased_until = clock_timestamp() + make_interval(secs => $5)
WHERE group_name = $1
  AND (topic, partition) IN (SELECT * FROM unnest($3::text[], $4::int[]))
  AND (owner IS NULL OR owner = $2 OR leased_until < clock_timestamp())
RETURNING topic, partition, next_offset
"""
COMMIT = """
UPDATE group_partitions g SET next_offset = n.next_offset
FROM unnest($3::text[], $4::int[], $5::bigint[]) AS n (topic, partition, next_offset)
WHERE g.group_name = $1 AND g.owner = $2 AND g.topic = n.topic AND g.partition = n.partition
RETURNING g.topic, g.partition
"""
# The oldest record that is still there; the next one to come where none is.
OLDEST = """
SELECT p.topic, p.partition, p.next_offset, coalesce(f.log_offset, p.next_offset) AS oldest
FROM log_partitions p LEFT JOIN LATERAL (
    SELECT log_offset FROM log WHERE log.topic = p.topic AND log.partition = p.partition
    ORDER BY log_offset LIMIT 1
) AS f ON true
"""
LAG = f"""
SELECT coalesce(sum(o.next_offset - greatest(o.oldest, coalesce(g.next_offset, 0))), 0)
FROM ({OLDEST} WHERE p.topic = ANY($2)) AS o
LEFT JOIN group_partitions g
  ON g.group_name = $1 AND g.topic = o.topic AND g.partition = o.partition
"""
FORGET = """
DELETE FROM log WHERE (topic, partition, log_offset) IN (
    SELECT topic, partition, log_offset FROM log WHERE topic = $1 AND at < $2 LIMIT $3)
"""
FORGET_MEMBERS = """
DELETE FROM group_members
WHERE group_name = $1 AND seen_at < clock_timestamp() - interval '1 hour'
"""
#: Beats of one group come one after another: two that claim at once could wait for each other.
LOCK_GROUP = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
