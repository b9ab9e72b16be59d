"""Tables of payments. What guards them is in `migrations/sql`."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY

metadata = MetaData()

#: Column names are the fields of `domain.Payment`. `body_hash` tells a repeat from another body.
payments = Table(
    "payments",
    metadata,
    Column("payment_id", Uuid, primary_key=True),
    Column("body_hash", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("partner_id", Text),
    Column("consent_id", Uuid),
    Column("debtor_account", Text, nullable=False),
    Column("creditor_account", Text, nullable=False),
    Column("creditor_name", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("end_to_end_id", Text, nullable=False),
    Column("remittance", Text),
    Column("channel", Text, nullable=False),
    Column("trace_id", Text),
    Column("span_id", Text),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("due_at", DateTime(timezone=True)),
    Column("reason_codes", ARRAY(Text), nullable=False),
    Column("risk_score", Double),
    Column("transfer_id", Uuid),
    Column("approved_at", DateTime(timezone=True)),
    Column("review_until", DateTime(timezone=True)),
    Column("verdict", Text),
    Column("reviewed_by", Text),
    Column("review_reason", Text),
    Column("device_id", Text),
    Column("ip_address", Text),
    Column("merchant_id", Text),
)

payees = Table(
    "payees",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("account_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("first_paid_at", DateTime(timezone=True), nullable=False),
    Column("payments", Integer, nullable=False),
)

#: `content_hash` is over the order as it was sent: an equal repeat is found without its fields.
standing_orders = Table(
    "standing_orders",
    metadata,
    Column("order_id", Text, primary_key=True),
    Column("debtor_account", Text, nullable=False),
    Column("creditor_bank", Text),
    Column("creditor_account", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("purpose", Text),
    Column("first_on", Date),
    Column("active", Boolean, nullable=False),
    Column("content_hash", LargeBinary, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
)
