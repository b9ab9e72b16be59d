"""The ledger's tables. What guards them is in `migrations/sql`."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKey,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
)

metadata = MetaData()

chart = Table(
    "chart",
    metadata,
    Column("chart_code", Text, primary_key=True),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("side", Text, nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("chart_code", Text, ForeignKey(chart.c.chart_code), nullable=False),
    Column("currency", Text, nullable=False),
    Column("holder_id", Text),
    Column("floor_minor", BigInteger),
    Column("frozen", Boolean, nullable=False),
    Column("opened_on", Date, nullable=False),
    Column("body_hash", LargeBinary, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
)

balances = Table(
    "balances",
    metadata,
    Column("account_id", Text, ForeignKey(accounts.c.account_id), primary_key=True),
    Column("posted_minor", BigInteger, nullable=False),
    Column("held_minor", BigInteger, nullable=False),
    Column("entries", BigInteger, nullable=False),
)

transfers = Table(
    "transfers",
    metadata,
    Column("transfer_id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("value_date", Date, nullable=False),
    Column("booking_date", Date, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("reference", Text),
    Column("reverses", Uuid),
    Column("leg_count", SmallInteger, nullable=False),
    Column("body_hash", LargeBinary, nullable=False),
)

postings = Table(
    "postings",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("entry_no", BigInteger, primary_key=True),
    Column("transfer_id", Uuid, nullable=False),
    Column("leg_no", SmallInteger, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("balance_minor", BigInteger, nullable=False),
    Column("value_date", Date, nullable=False),
    Column("booking_date", Date, nullable=False),
)

holds = Table(
    "holds",
    metadata,
    Column("hold_id", Uuid, primary_key=True),
    Column("account_id", Text, nullable=False),
    Column("destination_id", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("transfer_id", Uuid),
    Column("body_hash", LargeBinary, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
)
