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
