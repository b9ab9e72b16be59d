"""What events do to profiles: one function per event, each taking a whole batch.

Every effect adds up or keeps the latest, so that the order between topics does not matter and
a rebuild gives the same profile.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import TypeVar

from services.profiles import repository
from services.profiles.repository import CountKey, FlowKey, FlowSum, GradeRow, PayeeKey
from shared.contracts.events.advisor import AssessmentCompleted
from shared.contracts.events.envelope import Event
from shared.contracts.events.identity import AccountRightGranted, CustomerRegistered
from shared.contracts.events.ledger import TransferPosted
from shared.contracts.events.payments import PaymentEvent, PaymentRejected, PaymentSettled
from shared.kit.consumers import Delivery, Subscriptions
from shared.kit.database import Session

E = TypeVar("E", bound=Event)


async def on_customers_registered(session: Session, deliveries: Sequence[Delivery]) -> None:
    registered: dict[str, tuple[date, datetime]] = {}
    for event, told_at in _events(deliveries, CustomerRegistered):
        day, latest = registered.get(event.customer_id, (event.registered_on, told_at))
        registered[event.customer_id] = (min(day, event.registered_on), max(latest, told_at))
    await repository.add_customers(session, registered)


async def on_rights_granted(session: Session, deliveries: Sequence[Delivery]) -> None:
    """An owner's money counts in the owner's profile; an authorized user's does not."""
    await repository.add_holders(
        session,
        [
            (event.account_id, event.customer_id)
            for event, _ in _events(deliveries, AccountRightGranted)
            if event.right == "owner"
        ],
    )


async def on_transfers_posted(session: Session, deliveries: Sequence[Delivery]) -> None:
    sums: dict[FlowKey, FlowSum] = defaultdict(FlowSum)
    for event, _ in _events(deliveries, TransferPosted):
        month = event.value_date.replace(day=1)
        for leg in event.legs:
            added = sums[(leg.account_id, month, event.kind, leg.currency)]
            if leg.amount_minor > 0:
                added.in_minor += leg.amount_minor
                added.in_count += 1
            else:
                added.out_minor -= leg.amount_minor
                added.out_count += 1
            added.told_at = max(added.told_at or event.recorded_at, event.recorded_at)
    await repository.add_flows(session, sums)


async def on_payments_settled(session: Session, deliveries: Sequence[Delivery]) -> None:
    settled = [event for event, _ in _events(deliveries, PaymentSettled)]
    paid: dict[PayeeKey, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for event in settled:
        key = (event.customer_id, event.creditor_account, event.currency)
        payments, amount_minor = paid[key]
        paid[key] = (payments + 1, amount_minor + event.amount_minor)
    await repository.add_payees(session, paid)
    await repository.add_payment_counts(session, _counts(settled, "settled"))


async def on_payments_rejected(session: Session, deliveries: Sequence[Delivery]) -> None:
    rejected = [event for event, _ in _events(deliveries, PaymentRejected)]
    await repository.add_payment_counts(session, _counts(rejected, "rejected"))


async def on_assessments_completed(session: Session, deliveries: Sequence[Delivery]) -> None:
    latest: dict[str, AssessmentCompleted] = {}
    for event, _ in _events(deliveries, AssessmentCompleted):
        known = latest.get(event.customer_id)
        if known is None or (known.at, known.assessment_id) < (event.at, event.assessment_id):
            latest[event.customer_id] = event
    await repository.set_grades(
        session,
        [
            GradeRow(
                customer_id=event.customer_id,
                assessment_id=event.assessment_id,
                grade=event.grade,
                valid_until=event.valid_until,
                assessed_at=event.at,
            )
            for event in latest.values()
        ],
    )


def _events(deliveries: Sequence[Delivery], kind: type[E]) -> list[tuple[E, datetime]]:
    """The events with the time of their envelopes."""
    return [
        (delivery.event, delivery.at) for delivery in deliveries if isinstance(delivery.event, kind)
    ]


def _counts(events: Sequence[PaymentEvent], outcome: str) -> dict[CountKey, tuple[int, datetime]]:
    counts: dict[CountKey, tuple[int, datetime]] = {}
    for event in events:
        key = (event.customer_id, outcome, event.at.astimezone(UTC).hour)
        payments, told_at = counts.get(key, (0, event.at))
        counts[key] = (payments + 1, max(told_at, event.at))
    return counts


SUBSCRIPTIONS = Subscriptions(
    group="profiles",
    any_order=True,
    handlers={
        CustomerRegistered: on_customers_registered,
        AccountRightGranted: on_rights_granted,
        TransferPosted: on_transfers_posted,
        PaymentSettled: on_payments_settled,
        PaymentRejected: on_payments_rejected,
        AssessmentCompleted: on_assessments_completed,
    },
)
