"""Tables of the advisor. An assessment is written once and never changed: see migration 0001."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

assessments = Table(
    "assessments",
    metadata,
    Column("assessment_id", Uuid, primary_key=True),
    #: Tells the latest of a customer, whatever the clocks said.
    Column("position", BigInteger, Identity(always=True), nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("questionnaire_version", Text, nullable=False),
    Column("rules_sha256", LargeBinary, nullable=False),
    Column("answers", JSONB, nullable=False),
    Column("score", Integer, nullable=False),
    Column("risk_class", Text, nullable=False),
    Column("grade", Text, nullable=False),
    Column("lowest_class", Boolean, nullable=False),
    Column("reasons", JSONB, nullable=False),
    Column("assessed_on", Date, nullable=False),
    Column("valid_until", Date, nullable=False),
    Column("completed_at", DateTime(timezone=True), nullable=False),
)
