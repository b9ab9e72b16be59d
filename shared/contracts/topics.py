"""Every topic of the bank: who writes it, who reads it, by what key, and how long it is kept.

A test holds this table against the code: a producer that is not named here cannot publish, a
consumer that is not named here does not pass.
"""

from dataclasses import dataclass

SERVICES = ("gateway", "identity", "ledger", "payments", "risk", "profiles", "advisor")


@dataclass(frozen=True, slots=True)
class Topic:
    name: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    key: str
    #: Days that the log keeps a record; None keeps it for good (a reader rebuilds from it).
    retention_days: int | None
    partitions: int = 4


TOPICS: tuple[Topic, ...] = (
    Topic("identity.customer.v1", ("identity",), ("profiles",), "customer_id", None),
    Topic(
        "identity.audit.v1",
        ("gateway", "identity", "ledger", "payments", "risk"),
        ("identity",),
        "staff_id",
        365,
    ),
    Topic("ledger.account.v1", ("ledger",), (), "account_id", None),
    Topic("ledger.transfer.v1", ("ledger",), ("profiles",), "transfer_id", None),
    Topic(
        "payments.payment.v1",
        ("payments",),
        ("gateway", "profiles", "risk"),
        "debtor_account",
        None,
    ),
    Topic("payments.review.v1", ("payments",), ("risk",), "payment_id", 365),
    Topic("risk.decision.v1", ("risk",), (), "customer_id", 365),
    Topic("risk.case.v1", ("risk",), ("payments",), "decision_id", 365),
    Topic("risk.label.v1", ("risk",), ("risk",), "decision_id", None),
    Topic("risk.alarm.v1", ("risk",), (), "subject", 365),
    Topic("risk.list.v1", ("risk",), ("risk",), "value", None),
    Topic("risk.identifier.v1", ("risk",), ("risk",), "customer_id", None),
    Topic("advisor.assessment.v1", ("advisor",), ("profiles",), "customer_id", None),
)


def dead_letter_topic(service: str) -> str:
    """Where a consumer of `service` puts what it cannot handle, with the cause."""
    return f"{service}.dead.v1"


DEAD_LETTERS: tuple[Topic, ...] = tuple(
    Topic(dead_letter_topic(service), (service,), (), "event_id", 30, 1) for service in SERVICES
)

BY_NAME: dict[str, Topic] = {topic.name: topic for topic in (*TOPICS, *DEAD_LETTERS)}
