"""Tables of policies. A version cannot change once it is proposed: see migration 0002."""

from sqlalchemy import BigInteger, Column, DateTime, Identity, Integer, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from services.risk.models import metadata

policy_versions = Table(
    "policy_versions",
    metadata,
    Column("product", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    #: The order in which versions were drafted.
    Column("place", BigInteger, Identity(always=True)),
    Column("graph", JSONB, nullable=False),
    Column("tests", JSONB, nullable=False),
    Column("based_on", Text),
    Column("note", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("drafted_at", DateTime(timezone=True), nullable=False),
    Column("proposed_at", DateTime(timezone=True)),
    Column("approved_by", Text),
    Column("approved_at", DateTime(timezone=True)),
)

#: Which version was in force from when, by whom and why. The last row of a product counts.
policy_activations = Table(
    "policy_activations",
    metadata,
    #: Grows with each activation of any product: what a replica compares before it decides.
    Column("activation_id", BigInteger, Identity(always=True), primary_key=True),
    Column("product", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("action", Text, nullable=False),
    #: The version that was in force before; null for the first.
    Column("previous", Text),
    Column("activated_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("activated_at", DateTime(timezone=True), nullable=False),
)

policy_back_tests = Table(
    "policy_back_tests",
    metadata,
    Column("back_test_id", Uuid, primary_key=True),
    Column("product", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("against", Text, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("until", DateTime(timezone=True), nullable=False),
    Column("most", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("seen", Integer, nullable=False),
    #: Time spent on reading and ruling.
    Column("spent_us", BigInteger, nullable=False),
    Column("swap_set", JSONB),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", DateTime(timezone=True), nullable=False),
    #: When it last told of its progress; one that is silent for long has died.
    Column("told_at", DateTime(timezone=True), nullable=False),
)
