"""What staff and operators did, told by the service in which they did it."""

from datetime import datetime
from typing import Any, ClassVar

from shared.contracts.events.envelope import Event
from shared.contracts.values import Code


class StaffActed(Event):
    """Kept by identity as the bank's one audit log; written by any service, in its transaction."""

    topic: ClassVar[str] = "identity.audit.v1"
    example: ClassVar[dict[str, Any]] = {
        "service": "ledger",
        "staff_id": "s-operator",
        "action": "account.freeze",
        "subject": "6217000100000001",
        "reason": "court_order",
        "at": "2026-01-05T02:00:00Z",
    }

    service: str
    staff_id: str
    action: Code
    subject: str
    reason: str
    at: datetime

    def key(self) -> str:
        return self.staff_id
