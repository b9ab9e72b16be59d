"""The table of the lists. Who took an entry off is in the audit log."""

from sqlalchemy import Column, DateTime, Table, Text

from services.risk.models import metadata

list_entries = Table(
    "list_entries",
    metadata,
    Column("list", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("listed_by", Text, nullable=False),
    Column("listed_at", DateTime(timezone=True), nullable=False),
    #: From then on it does not count; null: until somebody takes it off.
    Column("expires_at", DateTime(timezone=True)),
)
