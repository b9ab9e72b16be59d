"""Tables of risk. A decision is written once and never changed: see migration 0001."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Double,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData()

decisions = Table(
    "decisions",
    metadata,
    Column("decision_id", Uuid, primary_key=True),
    Column("customer_id", Text, nullable=False),
    Column("product", Text, nullable=False),
    Column("body_hash", LargeBinary, nullable=False),
    Column("outcome", Text, nullable=False),
    #: Null where no model could score.
    Column("score", Double),
    Column("reason_codes", ARRAY(Text), nullable=False),
    Column("policy", Text, nullable=False),
    Column("model", Text),
    Column("model_sha256", LargeBinary),
    Column("degraded", ARRAY(Text), nullable=False),
    #: Name to value; null for a missing one.
    Column("features", JSONB, nullable=False),
    #: The facts beside features and score, and all that follows: null before there were any.
    Column("facts", JSONB),
    #: The rows of the policy that fired.
    Column("trace", ARRAY(Text)),
    Column("grade", Text),
    Column("limit_minor", BigInteger),
    Column("price_bps", Integer),
    Column("step_up", Text),
    Column("elapsed_us", Integer, nullable=False),
    #: Which outside sources were asked, with state, age and cost; null where none could be.
    Column("sources", JSONB(none_as_null=True)),
    #: Of the graph that decided; a label alone does not say it.
    Column("policy_sha256", LargeBinary),
    #: How long ago the windows had last read the bus to its end; null: never yet.
    Column("windows_age_ms", BigInteger),
    Column("decided_at", DateTime(timezone=True), nullable=False),
)
