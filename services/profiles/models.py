"""Tables of profiles.

All but `marketing_consents` hold what events told and can be built again from the bus. Money is
counted per account and joined to its holders when it is read, so that it does not matter which
of a transfer and the right to its account arrives first.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Identity,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
)

metadata = MetaData()

customers = Table(
    "customers",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("registered_on", Date, nullable=False),
    Column("told_at", DateTime(timezone=True), nullable=False),
)

account_holders = Table(
    "account_holders",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("customer_id", Text, primary_key=True),
)

account_flows = Table(
    "account_flows",
    metadata,
    Column("account_id", Text, primary_key=True),
    #: The first day of the month of the value date.
    Column("month", Date, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("currency", Text, primary_key=True),
    Column("in_minor", BigInteger, nullable=False),
    Column("out_minor", BigInteger, nullable=False),
    Column("in_count", BigInteger, nullable=False),
    Column("out_count", BigInteger, nullable=False),
    Column("told_at", DateTime(timezone=True), nullable=False),
)

payees = Table(
    "payees",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("account_id", Text, primary_key=True),
    Column("currency", Text, primary_key=True),
    Column("payments", BigInteger, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
)

payment_counts = Table(
    "payment_counts",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("outcome", Text, primary_key=True),
    #: Hour of the day in UTC, 0 to 23.
    Column("hour", SmallInteger, primary_key=True),
    Column("payments", BigInteger, nullable=False),
    Column("told_at", DateTime(timezone=True), nullable=False),
)

grades = Table(
    "grades",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("assessment_id", Uuid, nullable=False),
    Column("grade", Text, nullable=False),
    Column("valid_until", Date, nullable=False),
    Column("assessed_at", DateTime(timezone=True), nullable=False),
)

#: Every statement that a customer made, the latest counts. Said to this service and to nobody
#: else, so it is not on the bus and a rebuild leaves it alone.
marketing_consents = Table(
    "marketing_consents",
    metadata,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("customer_id", Text, nullable=False),
    Column("granted", Boolean, nullable=False),
    Column("stated_at", DateTime(timezone=True), nullable=False),
)

#: What a rebuild empties and events fill again.
DERIVED = (customers, account_holders, account_flows, payees, payment_counts, grades)
