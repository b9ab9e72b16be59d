"""Use cases of the advisor; each is one transaction of the caller's session."""

from datetime import date, datetime

from services.advisor import domain, repository
from services.advisor.data import Rules
from services.advisor.domain import Client
from services.advisor.products import domain as products
from services.advisor.repository import StoredAssessment
from shared.contracts.events.advisor import AssessmentCompleted
from shared.contracts.http import advisor as contract
from shared.contracts.values import Localized
from shared.kit import outbox
from shared.kit.clock import bank_date
from shared.kit.database import Session
from shared.kit.problems import BankError, Conflict

SOURCE = "advisor"


class WrongQuestionnaire(BankError):
    status = 422
    code = "wrong_questionnaire"
    title = "Another version of the questionnaire is asked"


class AssessmentNotFound(BankError):
    status = 404
    code = "assessment_not_found"
    title = "The customer has no assessment"


def questionnaire(rules: Rules, *, lang: str) -> contract.Questionnaire:
    """The questionnaire that is asked, in one language and without its points."""

    def text(localized: Localized) -> str:
        return localized.zh if lang == "zh" else localized.en

    asked = rules.current
    return contract.Questionnaire(
        version=asked.version,
        lang=lang,
        title=text(asked.title),
        preamble=text(asked.preamble),
        items=[
            contract.Item(
                item_id=item.item_id,
                topic=item.topic,
                text=text(item.text),
                options=[
                    contract.Choice(option_id=option.option_id, text=text(option.text))
                    for option in item.options
                ],
            )
            for item in asked.items
        ],
    )


async def complete_assessment(
    session: Session,
    *,
    rules: Rules,
    body: contract.CompleteAssessment,
    now: datetime,
) -> contract.Assessment:
    """Grade the answers, keep them for good, and tell the bank.

    Raises:
        WrongQuestionnaire: the answers are to another version than the one that is asked.
        UnknownItem, MissingAnswer, UnknownOption: the answers do not fit the questionnaire.
        AssessmentLimitReached: too many today or in 12 months.
        Conflict: the id belongs to another assessment.
    """
    asked = rules.current
    if body.questionnaire_version != asked.version:
        raise WrongQuestionnaire(
            f"questionnaire {body.questionnaire_version} is not asked now",
            field="questionnaire_version",
            expected=asked.version,
        )
    graded = domain.grade(asked, body.answers)
    today = bank_date(now)
    await repository.lock_customer(session, customer_id=body.customer_id)
    known = await repository.find_assessment(session, assessment_id=body.assessment_id)
    if known is not None:
        return _same(known, body, today=today)
    days = await repository.assessment_days(
        session, customer_id=body.customer_id, since=domain.add_months(today, -12)
    )
    domain.require_within_limits(asked, assessed_on=days, today=today)
    assessment = StoredAssessment(
        assessment_id=body.assessment_id,
        customer_id=body.customer_id,
        questionnaire_version=asked.version,
        rules_sha256=bytes.fromhex(rules.sha256_by_version[asked.version]),
        answers=dict(body.answers),
        score=graded.score,
        risk_class=graded.risk_class,
        grade=graded.grade,
        lowest_class=graded.lowest_class,
        reasons=graded.reasons,
        assessed_on=today,
        valid_until=domain.valid_until(asked, assessed_on=today),
        completed_at=now,
    )
    if not await repository.insert_assessment(session, assessment):
        raise Conflict(field="assessment_id", expected="a new id for a new assessment")
    await outbox.add(session, source=SOURCE, now=now, events=[_completed(assessment)])
    return _reply(assessment, today=today)


def _same(
    known: StoredAssessment, body: contract.CompleteAssessment, *, today: date
) -> contract.Assessment:
    """The stored answer to the same assessment sent again.

    Raises:
        Conflict: the id belongs to another one.
    """
    if known.customer_id != body.customer_id or known.answers != dict(body.answers):
        raise Conflict(field="assessment_id", expected="a new id for a new assessment")
    return _reply(known, today=today)


async def latest_assessment(
    session: Session, *, customer_id: str, today: date
) -> contract.Assessment:
    """The customer's latest assessment, expired or not.

    Raises:
        AssessmentNotFound: there is none.
    """
    latest = await repository.latest_assessment(session, customer_id=customer_id)
    if latest is None:
        raise AssessmentNotFound(f"customer {customer_id} has not been assessed")
    return _reply(latest, today=today)


async def suitable_products(
    session: Session, *, rules: Rules, customer_id: str, today: date
) -> contract.SuitableProducts:
    """The products that this customer may be shown; none without a live grade."""
    client = await _client(session, rules=rules, customer_id=customer_id)
    listed = products.suitable_products(rules.catalog, client=client, today=today)
    live = client is not None and client.live(today)
    return contract.SuitableProducts(
        customer_id=customer_id,
        grade=client.grade if client is not None and live else None,
        items=[_product(product) for product in listed],
        reason=products.reason_for_list(client, today=today),
    )


async def check_suitability(
    session: Session, *, rules: Rules, body: contract.CheckSuitability, today: date
) -> contract.Suitability:
    """Whether one product suits one customer, and why.

    Raises:
        ProductNotFound: the catalog has no such product.
    """
    product = rules.catalog.product(body.product_id)
    client = await _client(session, rules=rules, customer_id=body.customer_id)
    verdict = products.check(
        rules.catalog, product, client=client, today=today, amount_minor=body.amount_minor
    )
    live = client is not None and client.live(today)
    return contract.Suitability(
        suitable=verdict.suitable,
        reason_code=verdict.reason_code,
        reason=verdict.reason,
        may_insist=verdict.may_insist,
        grade=client.grade if client is not None and live else None,
        rating=product.rating,
    )


async def _client(session: Session, *, rules: Rules, customer_id: str) -> Client | None:
    latest = await repository.latest_assessment(session, customer_id=customer_id)
    if latest is None:
        return None
    asked = rules.questionnaires[latest.questionnaire_version]
    return Client(
        grade=latest.grade,
        lowest_class=latest.lowest_class,
        valid_until=latest.valid_until,
        capacity_minor=domain.capacity_minor(asked, latest.answers),
    )


def _completed(assessment: StoredAssessment) -> AssessmentCompleted:
    return AssessmentCompleted(
        assessment_id=assessment.assessment_id,
        customer_id=assessment.customer_id,
        grade=assessment.grade,
        questionnaire_version=assessment.questionnaire_version,
        valid_until=assessment.valid_until,
        at=assessment.completed_at,
    )


def _reply(assessment: StoredAssessment, *, today: date) -> contract.Assessment:
    return contract.Assessment(
        assessment_id=assessment.assessment_id,
        customer_id=assessment.customer_id,
        questionnaire_version=assessment.questionnaire_version,
        grade=assessment.grade,
        lowest_class=assessment.lowest_class,
        score=assessment.score,
        reasons=list(assessment.reasons),
        valid_until=assessment.valid_until,
        completed_at=assessment.completed_at,
        expired=today >= assessment.valid_until,
    )


def _product(product: products.Product) -> contract.Product:
    return contract.Product(
        product_id=product.product_id,
        name=product.name,
        rating=product.rating,
        issuer_rating=product.issuer_rating,
        distributor_rating=product.distributor_rating,
        regime=product.regime,
        currency=product.currency,
        minimum_minor=product.minimum_minor,
        term_days=product.term_days,
        notice=product.notice,
    )
