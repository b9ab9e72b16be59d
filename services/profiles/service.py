"""Use cases of profiles; each is one transaction of the caller's session."""

from datetime import date, datetime

from services.profiles import domain, repository
from services.profiles.data import Rules
from services.profiles.domain import Facts, ProfileNotFound
from services.profiles.offers.domain import next_offer
from shared.contracts.http import profiles as contract
from shared.kit.database import Session

MAX_FAVORITE_PAYEES = 5
MAX_MONTHS = 24


async def profile(
    session: Session, *, rules: Rules, customer_id: str, today: date
) -> contract.Profile:
    """All that is known of a customer.

    Raises:
        ProfileNotFound: no event has told anything of this customer.
    """
    facts = await repository.facts_of(session, customer_id=customer_id)
    if facts is None:
        raise ProfileNotFound(f"nothing is known of customer {customer_id}")
    tags = domain.tags(rules.profile.tags, facts, today=today)
    return contract.Profile(
        customer_id=customer_id,
        totals=[
            contract.Totals(
                currency=currency,
                in_minor=total.in_minor,
                out_minor=total.out_minor,
                transfers=total.transfers,
            )
            for currency, total in domain.totals_by_currency(facts.flows).items()
        ],
        by_month=_months(facts),
        by_kind=[
            contract.KindTotal(
                kind=kind,
                currency=currency,
                in_minor=total.in_minor,
                out_minor=total.out_minor,
                transfers=total.transfers,
            )
            for (kind, currency), total in domain.totals_by_kind(facts.flows).items()
        ],
        habits=_habits(facts),
        tags=tags,
        segments=domain.segments(rules.profile.segments, tags),
        grade=facts.assessment.live_grade(today) if facts.assessment else None,
        accounts=list(facts.accounts),
        updated_at=facts.updated_at,
    )


async def offer(
    session: Session, *, rules: Rules, customer_id: str, today: date
) -> contract.NextOffer:
    """The next offer of a customer, from the consent that holds at this moment."""
    consent = await repository.latest_consent(session, customer_id=customer_id)
    granted = consent is not None and consent[0]
    # Without consent the facts are not even read.
    facts = await repository.facts_of(session, customer_id=customer_id) if granted else None
    known = facts or Facts(customer_id)
    tags = domain.tags(rules.profile.tags, known, today=today)
    choice = next_offer(
        rules.offers,
        known,
        tags=tags,
        segments=domain.segments(rules.profile.segments, tags),
        consent=granted,
        today=today,
    )
    return contract.NextOffer(
        customer_id=customer_id,
        offer_id=choice.offer.offer_id,
        kind=choice.offer.kind,
        title=choice.offer.title,
        body=choice.offer.body,
        reason=choice.reason,
        notice=choice.offer.notice,
        personalized=choice.personalized,
    )


async def set_marketing_consent(
    session: Session, *, customer_id: str, granted: bool, now: datetime
) -> contract.MarketingConsent:
    """Keep what the customer said; it holds from the next call on."""
    await repository.insert_consent(
        session, customer_id=customer_id, granted=granted, stated_at=now
    )
    return contract.MarketingConsent(customer_id=customer_id, granted=granted, updated_at=now)


async def marketing_consent(session: Session, *, customer_id: str) -> contract.MarketingConsent:
    """What the customer said last; not granted where nothing was ever said."""
    consent = await repository.latest_consent(session, customer_id=customer_id)
    return contract.MarketingConsent(
        customer_id=customer_id,
        granted=consent is not None and consent[0],
        updated_at=None if consent is None else consent[1],
    )


def _months(facts: Facts) -> list[contract.MonthTotal]:
    totals = domain.totals_by_month(facts.flows)
    shown = sorted({month for month, _ in totals})[-MAX_MONTHS:]
    return [
        contract.MonthTotal(
            month=month,
            currency=currency,
            in_minor=total.in_minor,
            out_minor=total.out_minor,
            transfers=total.transfers,
        )
        for (month, currency), total in totals.items()
        if month in shown
    ]


def _habits(facts: Facts) -> contract.Habits:
    return contract.Habits(
        favorite_payees=[
            contract.FavoritePayee(
                account_id=payee.account_id,
                payments=payee.payments,
                amount_minor=payee.amount_minor,
                currency=payee.currency,
            )
            for payee in domain.favorite_payees(facts.payees, limit=MAX_FAVORITE_PAYEES)
        ],
        payments_settled=sum(count for _, count in facts.payments_by_hour),
        payments_rejected=facts.payments_rejected,
        busiest_hour=domain.busiest_hour(facts.payments_by_hour),
        mean_payment_minor=domain.mean_payment_minor(facts.payees),
    )
