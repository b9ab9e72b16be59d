"""Events of risk's watch over its policies and models."""

from datetime import datetime
from typing import Any, ClassVar, Literal
from uuid import UUID

from shared.contracts.events.envelope import Event
from shared.contracts.values import Code


class AlarmRaised(Event):
    """A measure passed its limit, or a worse one. `span` is the time that it was taken over."""

    topic: ClassVar[str] = "risk.alarm.v1"
    example: ClassVar[dict[str, Any]] = {
        "alarm_id": "01930000-0000-7000-8000-000000000001",
        "kind": "policy",
        "subject": "payment-2026.2",
        "product": "payment",
        "measure": "decline_rate",
        "name": "",
        "span": "hour",
        "severity": "critical",
        "value": 0.41,
        "limit": 0.3,
        "seen": 512,
        "at": "2026-01-05T02:00:00Z",
    }

    alarm_id: UUID
    kind: Literal["policy", "model"]
    subject: str
    product: Code
    measure: Code
    #: The feature, where the measure is of one; else empty.
    name: str
    span: Literal["hour", "day", "week"]
    severity: Literal["warning", "critical"]
    value: float
    limit: float
    seen: int
    at: datetime

    def key(self) -> str:
        return self.subject


class AlarmCleared(Event):
    """An alarm is over: the measure is well below its limit, or its subject is not used now."""

    topic: ClassVar[str] = "risk.alarm.v1"
    example: ClassVar[dict[str, Any]] = {
        "alarm_id": "01930000-0000-7000-8000-000000000001",
        "subject": "payment-2026.2",
        "measure": "decline_rate",
        "name": "",
        "why": "below",
        "value": 0.02,
        "at": "2026-01-05T03:00:00Z",
    }

    alarm_id: UUID
    subject: str
    measure: Code
    name: str
    why: Literal["below", "not_in_use"]
    value: float
    at: datetime

    def key(self) -> str:
        return self.subject
