"""The table of applications. None is ever changed: see migration 0006."""

from sqlalchemy import BigInteger, Column, DateTime, Integer, LargeBinary, Table, Text, Uuid

from services.risk.models import metadata

applications = Table(
    "applications",
    metadata,
    #: The decision's id as well.
    Column("application_id", Uuid, primary_key=True),
    Column("product", Text, nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("body_hash", LargeBinary, nullable=False),
    Column("channel", Text, nullable=False),
    #: In fen of CNY; null for an account.
    Column("requested_minor", BigInteger),
    Column("term_months", Integer),
    Column("device_id", Text),
    Column("applied_at", DateTime(timezone=True), nullable=False),
)
