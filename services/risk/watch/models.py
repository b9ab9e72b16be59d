"""Tables of the watch: see migration 0007."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY

from services.risk.models import metadata


def _moment(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


#: How far decisions of a product (by time and id), or labels (by position), are counted.
watch_places = Table(
    "watch_places",
    metadata,
    Column("name", Text, primary_key=True),
    _moment("at"),
    Column("decision_id", Uuid),
    Column("position", BigInteger),
)
#: Decisions by quarter of an hour. `model` is empty where none scored; `alerts` are scores from
#: the model's own threshold for a review on.
watch_counts = Table(
    "watch_counts",
    metadata,
    Column("product", Text, primary_key=True),
    Column("slot", DateTime(timezone=True), primary_key=True),
    Column("policy", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("outcome", Text, primary_key=True),
    Column("decisions", BigInteger, nullable=False),
    Column("degraded", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("alerts", BigInteger, nullable=False),
)
#: Histograms of a policy or a model: latency, delay of labels and causes by quarter of an hour,
#: the score and the features by hour.
watch_bins = Table(
    "watch_bins",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("slot", DateTime(timezone=True), primary_key=True),
    Column("measure", Text, primary_key=True),
    Column("bin", Integer, primary_key=True),
    Column("decisions", BigInteger, nullable=False),
)
#: What decisions of a slot turned out to be, by the label that counts.
watch_labels = Table(
    "watch_labels",
    metadata,
    Column("product", Text, primary_key=True),
    Column("slot", DateTime(timezone=True), primary_key=True),
    Column("policy", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("label", Text, primary_key=True),
    Column("decisions", BigInteger, nullable=False),
)
watch_references = Table(
    "watch_references",
    metadata,
    Column("model", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("model_sha256", LargeBinary, nullable=False),
    Column("edges", ARRAY(Double), nullable=False),
    Column("counts", ARRAY(BigInteger), nullable=False),
)
watch_limits = Table(
    "watch_limits",
    metadata,
    Column("measure", Text, primary_key=True),
    #: Empty where it holds for every product.
    Column("product", Text, primary_key=True),
    Column("span", Text, nullable=False),
    Column("warning", Double, nullable=False),
    Column("critical", Double),
    Column("least", Integer, nullable=False),
    Column("changed_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    _moment("changed_at"),
)
watch_guards = Table(
    "watch_guards",
    metadata,
    Column("product", Text, primary_key=True),
    Column("is_on", Boolean, nullable=False),
    Column("hours", Integer, nullable=False),
    Column("least", Integer, nullable=False),
    Column("rise", Double, nullable=False),
    Column("decline_rate", Double, nullable=False),
    Column("review_rate", Double, nullable=False),
    Column("failed_share", Double, nullable=False),
    Column("changed_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    _moment("changed_at"),
)
watch_alarms = Table(
    "watch_alarms",
    metadata,
    Column("alarm_id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("product", Text, nullable=False),
    Column("measure", Text, nullable=False),
    #: The feature, where the measure has one; else empty.
    Column("name", Text, nullable=False),
    Column("span", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("value", Double, nullable=False),
    Column("peak", Double, nullable=False),
    #: The limit that was passed.
    Column("bound", Double, nullable=False),
    Column("seen", BigInteger, nullable=False),
    _moment("opened_at"),
    _moment("updated_at"),
    _moment("closed_at", nullable=True),
    Column("closed_why", Text),
    Column("acknowledged_by", Text),
    _moment("acknowledged_at", nullable=True),
    Column("note", Text),
)
#: What the guard took back, by the activation that it judged.
watch_roll_backs = Table(
    "watch_roll_backs",
    metadata,
    Column("activation_id", BigInteger, primary_key=True),
    Column("product", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("back_to", Text, nullable=False),
    Column("measure", Text, nullable=False),
    Column("value", Double, nullable=False),
    Column("bound", Double, nullable=False),
    Column("seen", BigInteger, nullable=False),
    _moment("made_at"),
)
