"""The tables of identifiers."""

from sqlalchemy import Boolean, Column, DateTime, LargeBinary, Table, Text

from services.risk.models import metadata

customer_identifiers = Table(
    "customer_identifiers",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("first_told_at", DateTime(timezone=True), nullable=False),
)

#: One row: the key of the tokens. Another one would make strangers of those who are known.
identifier_key = Table(
    "identifier_key",
    metadata,
    Column("is_only", Boolean, primary_key=True),
    Column("key", LargeBinary, nullable=False),
)
