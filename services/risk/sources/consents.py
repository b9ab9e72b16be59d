"""Use cases of consent: what a customer allows, each inside the transaction that its caller opened.

Personal Information Protection Law of China: a separate consent for each source and purpose
(articles 14 and 29), taken back as easily as given (15), and then what was collected on it is
deleted (47). Nothing is asked that the purpose does not need (6).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from services.risk.sources import repository
from services.risk.sources.domain import PURPOSE_WORDS, TERMS, Consent
from shared.contracts.http import risk_sources as contract
from shared.contracts.http.risk_sources import Purpose, Source
from shared.contracts.values import Localized
from shared.kit.database import Session
from shared.kit.problems import InvalidRequest, NotFound

USUAL = timedelta(days=365)
LONGEST = timedelta(days=731)
HISTORY = 100


class NoSuchConsent(NotFound):
    code, title = "source_consent_unknown", "No consent is needed or possible for this"


async def state(
    session: Session,
    *,
    customer_id: str,
    source: Source,
    purpose: Purpose,
    granted: bool,
    until: datetime | None,
    now: datetime,
) -> contract.SourceConsent:
    """Write down what the customer says. Taken back, it binds the next decision already.

    Raises:
        NoSuchConsent: the source is not asked for this purpose, or needs no consent.
        InvalidRequest: `until` is not within the next two years.
    """
    terms = TERMS[source]
    if not terms.needs_consent or purpose not in terms.purposes:
        raise NoSuchConsent(f"{source} is not asked for a consent to {purpose}")
    if until is not None and (not granted or until.tzinfo is None):
        raise InvalidRequest(field="until", expected="a time with its offset, of a consent given")
    if until is not None and not now < until <= now + LONGEST:
        raise InvalidRequest(field="until", expected="a time within the next two years")
    end = (until or now + USUAL) if granted else None
    said = Consent(source, purpose, granted, now, end)
    # a call under way looks again, under this lock, before it keeps what it brought
    await repository.lock_customer(session, customer_id=customer_id)
    await repository.insert_consent(session, said, customer_id=customer_id)
    if not granted:
        await repository.forget_answer(session, customer_id=customer_id, source=source)
    return _reply(source, purpose, said, now=now)


async def read(session: Session, *, customer_id: str, now: datetime) -> contract.SourceConsents:
    """Every consent that the bank could ask for, what holds now, and the last statements."""
    found = await repository.latest_consents(session, customer_id=customer_id)
    history = await repository.consent_history(session, customer_id=customer_id, limit=HISTORY)
    return contract.SourceConsents(
        customer_id=customer_id,
        items=[
            _reply(source, purpose, found.get((source, purpose)), now=now)
            for source, terms in TERMS.items()
            if terms.needs_consent
            for purpose in terms.purposes
        ],
        history=[
            contract.SourceConsentStatement.model_validate(said, from_attributes=True)
            for said in history
        ],
    )


def _reply(
    source: Source, purpose: Purpose, said: Consent | None, *, now: datetime
) -> contract.SourceConsent:
    terms = TERMS[source]
    return contract.SourceConsent(
        source=source,
        purpose=purpose,
        title=_localized(terms.title),
        purpose_text=_localized(PURPOSE_WORDS[purpose]),
        asks=meanings(terms.answers),
        kept_days=terms.usable_for.days,
        granted=said is not None and said.holds(now),
        stated_at=said.stated_at if said else None,
        until=said.until if said else None,
    )


def meanings(answers: Mapping[str, tuple[str, str]]) -> list[contract.SourceAnswer]:
    """What a source answers, in the words for customers and staff."""
    return [
        contract.SourceAnswer(name=name, meaning=_localized(words))
        for name, words in answers.items()
    ]


def _localized(words: tuple[str, str]) -> Localized:
    return Localized(zh=words[0], en=words[1])
