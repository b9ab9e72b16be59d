"""The tables that every service's database has beside its own."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)

metadata = MetaData()


def _timestamp(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


outbox = Table(
    "outbox",
    metadata,
    Column("position", BigInteger, Identity(), primary_key=True),
    Column("event_id", Uuid, nullable=False, unique=True),
    Column("topic", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("envelope", Text, nullable=False),
    _timestamp("created_at"),
    _timestamp("published_at", nullable=True),
    Index("outbox_waiting", "position", postgresql_where=text("published_at IS NULL")),
    Index("outbox_published", "published_at", postgresql_where=text("published_at IS NOT NULL")),
)

inbox = Table(
    "inbox",
    metadata,
    Column("consumer_group", Text, primary_key=True),
    Column("event_id", Uuid, primary_key=True),
    _timestamp("handled_at"),
    Index("inbox_handled", "handled_at"),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("consumer_group", Text, primary_key=True),
    Column("event_id", Uuid, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("envelope", Text, nullable=False),
    Column("cause", Text, nullable=False),
    _timestamp("failed_at"),
    _timestamp("replayed_at", nullable=True),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("body_hash", LargeBinary, nullable=False),
    Column("reply", Text, nullable=False),
    _timestamp("created_at"),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    _timestamp("until"),
)

#: What a service's run-time role may do with them.
GRANTS: dict[str, str] = {
    "outbox": "SELECT, INSERT, UPDATE (published_at), DELETE",
    "inbox": "SELECT, INSERT, DELETE",
    "dead_letters": "SELECT, INSERT, UPDATE (replayed_at, failed_at, cause)",
    "idempotency_keys": "SELECT, INSERT, UPDATE (reply)",
    "leases": "SELECT, INSERT, UPDATE",
}
