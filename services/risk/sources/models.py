"""Tables of the outside data: see migration 0005."""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Identity, Integer, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from services.risk.models import metadata

#: What customers said, never changed; the last row of a source and purpose counts.
source_consents = Table(
    "source_consents",
    metadata,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("customer_id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("granted", Boolean, nullable=False),
    Column("stated_at", DateTime(timezone=True), nullable=False),
    Column("until", DateTime(timezone=True)),
)

#: The last answer of each source; only what the table of sources names is kept of it.
source_answers = Table(
    "source_answers",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("answers", JSONB, nullable=False),
    Column("fetched_at", DateTime(timezone=True), nullable=False),
    Column("delete_at", DateTime(timezone=True), nullable=False),
)

#: Each source that a decision asked for, with what became of it.
source_uses = Table(
    "source_uses",
    metadata,
    Column("use_id", Uuid, primary_key=True),
    Column("decision_id", Uuid, nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("state", Text, nullable=False),
    #: Whether a call went out.
    Column("is_call", Boolean, nullable=False),
    #: Null: the source may bill it or not, the call has no known end.
    Column("charged", Boolean),
    Column("cost_minor", BigInteger, nullable=False),
    Column("cause", Text),
    Column("age_ms", BigInteger),
    Column("elapsed_ms", Integer),
    Column("used_at", DateTime(timezone=True), nullable=False),
)
