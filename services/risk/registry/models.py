"""Tables of the registry. What was registered never changes, but for its state: migration 0009."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Double,
    Identity,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from services.risk.models import metadata

models = Table(
    "models",
    metadata,
    #: Name and version, as decisions name it.
    Column("label", Text, primary_key=True),
    Column("product", Text, nullable=False),
    Column("kind", Text, nullable=False),
    #: Of the ONNX file, or of the scorecard's manifest: as decisions name it.
    Column("sha256", LargeBinary, nullable=False),
    Column("manifest", LargeBinary, nullable=False),
    #: Null for a scorecard, which is all in its manifest.
    Column("onnx", LargeBinary),
    #: How inputs and scores were distributed in training, for the watch.
    Column("reference", LargeBinary),
    #: What came of running it apart from the service, before it was taken in.
    Column("checks", JSONB, nullable=False),
    Column("owner", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("valid_from", DateTime(timezone=True), nullable=False),
    #: Null only for what came with the release.
    Column("valid_until", DateTime(timezone=True)),
    Column("state", Text, nullable=False),
    Column("registered_by", Text, nullable=False),
    Column("registered_at", DateTime(timezone=True), nullable=False),
    Column("proposed_by", Text),
    Column("proposed_at", DateTime(timezone=True)),
    Column("promoted_by", Text),
    Column("promoted_at", DateTime(timezone=True)),
)

#: What was done with a model, by whom and why. Its number is what a replica compares.
model_changes = Table(
    "model_changes",
    metadata,
    Column("change_id", BigInteger, Identity(always=True), primary_key=True),
    Column("product", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("action", Text, nullable=False),
    #: The champion before, where this one became it; null for a product's first.
    Column("previous", Text),
    #: Gates that could not be measured, and that the one who promoted did without.
    Column("waived", ARRAY(Text), nullable=False),
    Column("changed_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False),
)

model_evaluations = Table(
    "model_evaluations",
    metadata,
    Column("evaluation_id", Uuid, primary_key=True),
    Column("product", Text, nullable=False),
    Column("label", Text, nullable=False),
    #: The champion that it was compared with; null where there was none.
    Column("against", Text),
    #: The version of the policy by which both were ruled.
    Column("policy", Text, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("until", DateTime(timezone=True), nullable=False),
    Column("most", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("seen", Integer, nullable=False),
    #: Time spent on reading, scoring and ruling.
    Column("spent_us", BigInteger, nullable=False),
    Column("gates", JSONB(none_as_null=True)),
    Column("figures", JSONB(none_as_null=True)),
    Column("swap_set", JSONB(none_as_null=True)),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", DateTime(timezone=True), nullable=False),
    Column("told_at", DateTime(timezone=True), nullable=False),
)

shadow_scores = Table(
    "shadow_scores",
    metadata,
    Column("label", Text, primary_key=True),
    Column("decision_id", Uuid, primary_key=True),
    #: Null where the challenger could not score.
    Column("score", Double),
    Column("scored_at", DateTime(timezone=True), nullable=False),
)
