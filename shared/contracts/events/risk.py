"""Events of risk."""

from datetime import datetime
from typing import Any, ClassVar, Literal
from uuid import UUID

from shared.contracts.events.envelope import Event
from shared.contracts.values import Code


class DecisionMade(Event):
    topic: ClassVar[str] = "risk.decision.v1"
    example: ClassVar[dict[str, Any]] = {
        "decision_id": "01930000-0000-7000-8000-000000000001",
        "customer_id": "c-000001",
        "product": "payment",
        "outcome": "approve",
        "score": 0.012,
        "reason_codes": [],
        "model": "fraud-2026.1",
        "policy": "payment-2026.1",
        "degraded": False,
        "at": "2026-01-05T02:00:00Z",
    }

    decision_id: UUID
    customer_id: str
    product: Code
    outcome: Literal["approve", "review", "decline"]
    score: float | None
    reason_codes: list[Code]
    model: str | None
    policy: str
    degraded: bool
    at: datetime

    def key(self) -> str:
        return self.customer_id


class CaseDecided(Event):
    """A person's last word on a case; where a payment waits for it, payments carries it out."""

    topic: ClassVar[str] = "risk.case.v1"
    example: ClassVar[dict[str, Any]] = {
        "case_id": "01930000-0000-7000-8000-000000000001",
        "decision_id": "01930000-0000-7000-8000-000000000001",
        "kind": "review",
        "product": "payment",
        "customer_id": "c-000001",
        "verdict": "approve",
        "reason_code": "customer_confirmed",
        "note": "called back on the number on file",
        "decided_by": "s-reviewer",
        "second_by": None,
        "at": "2026-01-05T03:00:00Z",
    }

    case_id: UUID
    decision_id: UUID
    kind: Literal["review", "appeal"]
    product: Code
    customer_id: str
    verdict: Literal["approve", "decline"]
    reason_code: Code
    note: str
    decided_by: str
    second_by: str | None
    #: Of an approved credit: the limit in fen of CNY, and the yearly rate of its grade.
    limit_minor: int | None = None
    price_bps: int | None = None
    at: datetime

    def key(self) -> str:
        return str(self.decision_id)


class DecisionLabelled(Event):
    """What a decision turned out to be; a later label of the same decision counts instead."""

    topic: ClassVar[str] = "risk.label.v1"
    example: ClassVar[dict[str, Any]] = {
        "decision_id": "01930000-0000-7000-8000-000000000001",
        "customer_id": "c-000001",
        "product": "payment",
        "label": "fraud",
        "source": "chargeback",
        "author": "s-operator",
        "at": "2026-01-05T03:00:00Z",
    }

    decision_id: UUID
    customer_id: str
    product: Code
    label: Literal["fraud", "honest", "unknown"]
    source: Literal["case", "chargeback", "staff"]
    author: str
    at: datetime

    def key(self) -> str:
        return str(self.decision_id)


class ListEntryChanged(Event):
    """An entity was put on a list, or taken off it. Phone numbers and cards come as tokens."""

    topic: ClassVar[str] = "risk.list.v1"
    example: ClassVar[dict[str, Any]] = {
        "list": "black",
        "kind": "device",
        "value": "a3f1c9d27b604e58",
        "is_listed": True,
        "expires_at": "2026-07-05T03:00:00Z",
        "at": "2026-01-05T03:00:00Z",
    }

    list: Literal["black", "grey", "white"]
    kind: Code
    value: str
    is_listed: bool
    expires_at: datetime | None
    at: datetime

    def key(self) -> str:
        return self.value


class IdentifierLinked(Event):
    """A customer uses a device, a phone number or a card; the last two come as tokens."""

    topic: ClassVar[str] = "risk.identifier.v1"
    example: ClassVar[dict[str, Any]] = {
        "customer_id": "c-000001",
        "kind": "phone",
        "value": "5f2b8c0e9d3a4716b8e1c2d3f4a59687",
        "at": "2026-01-05T03:00:00Z",
    }

    customer_id: str
    kind: Literal["device", "phone", "card"]
    value: str
    at: datetime

    def key(self) -> str:
        return self.customer_id
