"""Tables of cases and labels. A label is never changed: a later one counts instead."""

from sqlalchemy import BigInteger, Column, DateTime, Identity, Integer, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY

from services.risk.models import metadata

cases = Table(
    "cases",
    metadata,
    Column("case_id", Uuid, primary_key=True),
    Column("decision_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("product", Text, nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("reason_codes", ARRAY(Text), nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("amount_minor", BigInteger),
    Column("currency", Text),
    #: In fen of CNY; null in a currency without a rate.
    Column("value_minor", BigInteger),
    Column("debtor_account", Text),
    Column("creditor_account", Text),
    Column("creditor_name", Text),
    Column("channel", Text),
    Column("remittance", Text),
    Column("review_until", DateTime(timezone=True)),
    Column("state", Text, nullable=False),
    Column("assigned_to", Text),
    Column("assigned_until", DateTime(timezone=True)),
    Column("verdict", Text),
    Column("verdict_code", Text),
    Column("verdict_note", Text),
    Column("verdict_by", Text),
    Column("verdict_at", DateTime(timezone=True)),
    Column("second_by", Text),
    Column("second_at", DateTime(timezone=True)),
    Column("outcome", Text),
    Column("outcome_code", Text),
    Column("closed_at", DateTime(timezone=True)),
    Column("asked_at", DateTime(timezone=True)),
    #: Of an approved credit: the limit in fen of CNY, and the yearly rate.
    Column("granted_minor", BigInteger),
    Column("granted_price_bps", Integer),
)

case_entries = Table(
    "case_entries",
    metadata,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("case_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    #: Null for what the bank itself did.
    Column("by", Text),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("text", Text, nullable=False),
    Column("code", Text),
)

labels = Table(
    "labels",
    metadata,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("decision_id", Uuid, nullable=False),
    Column("label", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("labelled_at", DateTime(timezone=True), nullable=False),
)
