"""Events of the advisor."""

from datetime import date, datetime
from typing import Any, ClassVar, Literal
from uuid import UUID

from shared.contracts.events.envelope import Event
from shared.contracts.values import CustomerId


class AssessmentCompleted(Event):
    topic: ClassVar[str] = "advisor.assessment.v1"
    example: ClassVar[dict[str, Any]] = {
        "assessment_id": "01930000-0000-7000-8000-000000000001",
        "customer_id": "c-000001",
        "grade": "C3",
        "questionnaire_version": "2026-1",
        "valid_until": "2027-01-05",
        "at": "2026-01-05T02:00:00Z",
    }

    assessment_id: UUID
    customer_id: CustomerId
    grade: Literal["C1", "C2", "C3", "C4", "C5"]
    questionnaire_version: str
    valid_until: date
    at: datetime

    def key(self) -> str:
        return self.customer_id
