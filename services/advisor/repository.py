"""SQL of the advisor."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import RowMapping, func, select
from sqlalchemy.dialects.postgresql import insert

from services.advisor.domain import Graded
from services.advisor.models import assessments
from shared.contracts.http.advisor import Grade
from shared.contracts.values import Localized
from shared.kit.database import Session


@dataclass(frozen=True, slots=True)
class StoredAssessment:
    """An assessment as it was written: answers, the rules that graded them, and the result."""

    assessment_id: UUID
    customer_id: str
    questionnaire_version: str
    rules_sha256: bytes
    answers: dict[str, str]
    score: int
    risk_class: str
    grade: Grade
    lowest_class: bool
    reasons: tuple[Localized, ...]
    assessed_on: date
    valid_until: date
    completed_at: datetime

    @property
    def graded(self) -> Graded:
        """The result, to hold against a replay of the answers."""
        return Graded(self.score, self.risk_class, self.grade, self.lowest_class, self.reasons)


async def lock_customer(session: Session, *, customer_id: str) -> None:
    """Until the transaction ends, nobody else assesses this customer.

    Without it two assessments at once would not see each other, and pass the limit together.
    """
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(customer_id, 0))))


async def assessment_days(session: Session, *, customer_id: str, since: date) -> list[date]:
    """The days of the customer's assessments from `since` on, one for each."""
    statement = (
        select(assessments.c.assessed_on)
        .where(assessments.c.customer_id == customer_id)
        .where(assessments.c.assessed_on >= since)
    )
    return list((await session.execute(statement)).scalars())


async def insert_assessment(session: Session, assessment: StoredAssessment) -> bool:
    """Write an assessment; False where its id is taken."""
    statement = (
        insert(assessments)
        .values(
            assessment_id=assessment.assessment_id,
            customer_id=assessment.customer_id,
            questionnaire_version=assessment.questionnaire_version,
            rules_sha256=assessment.rules_sha256,
            answers=assessment.answers,
            score=assessment.score,
            risk_class=assessment.risk_class,
            grade=assessment.grade,
            lowest_class=assessment.lowest_class,
            reasons=[reason.model_dump() for reason in assessment.reasons],
            assessed_on=assessment.assessed_on,
            valid_until=assessment.valid_until,
            completed_at=assessment.completed_at,
        )
        .on_conflict_do_nothing()
        .returning(assessments.c.assessment_id)
    )
    return (await session.execute(statement)).first() is not None


async def find_assessment(session: Session, *, assessment_id: UUID) -> StoredAssessment | None:
    statement = select(assessments).where(assessments.c.assessment_id == assessment_id)
    row = (await session.execute(statement)).mappings().one_or_none()
    return None if row is None else _stored(row)


async def latest_assessment(session: Session, *, customer_id: str) -> StoredAssessment | None:
    statement = (
        select(assessments)
        .where(assessments.c.customer_id == customer_id)
        .order_by(assessments.c.position.desc())
        .limit(1)
    )
    row = (await session.execute(statement)).mappings().one_or_none()
    return None if row is None else _stored(row)


def _stored(row: RowMapping) -> StoredAssessment:
    return StoredAssessment(
        assessment_id=row["assessment_id"],
        customer_id=row["customer_id"],
        questionnaire_version=row["questionnaire_version"],
        rules_sha256=bytes(row["rules_sha256"]),
        answers=row["answers"],
        score=row["score"],
        risk_class=row["risk_class"],
        grade=row["grade"],
        lowest_class=row["lowest_class"],
        reasons=tuple(Localized.model_validate(reason) for reason in row["reasons"]),
        assessed_on=row["assessed_on"],
        valid_until=row["valid_until"],
        completed_at=row["completed_at"],
    )
