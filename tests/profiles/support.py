"""What the tests of profiles say again and again: events on the real bus, and profiles read."""

from collections.abc import Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any

import httpx

from shared.contracts.events.advisor import AssessmentCompleted
from shared.contracts.events.envelope import Envelope, Event
from shared.contracts.events.identity import AccountRightGranted, CustomerRegistered
from shared.contracts.events.ledger import PostedLeg, TransferPosted
from shared.contracts.events.payments import PaymentRejected, PaymentSettled
from shared.kit.bus.port import Message
from shared.kit.bus.postgres import PostgresBus
from shared.kit.clock import new_id
from tests.bank import Bank, eventually

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def message(event: Event, *, source: str = "test") -> Message:
    """The event in its envelope, as a relay would publish it."""
    envelope = Envelope(
        id=new_id(),
        source=source,
        type=type(event).__name__,
        time=AT,
        subject=event.key(),
        data=event.model_dump(mode="json"),
    )
    return Message(
        topic=event.topic,
        key=event.key(),
        event_id=envelope.id,
        value=envelope.model_dump_json(),
    )


@asynccontextmanager
async def open_bus(bank: Bank):
    bus = PostgresBus(bank.credentials["bus"].dsn, application="tests")
    try:
        yield bus
    finally:
        await bus.close()


async def publish(bank: Bank, messages: Sequence[Message | Event]) -> None:
    ready = [item if isinstance(item, Message) else message(item) for item in messages]
    async with open_bus(bank) as bus:
        await bus.publish(ready)


async def all_handled(bank: Bank, messages: Sequence[Message]) -> None:
    """Returns once profiles has noted every one of these events."""
    wanted = [item.event_id for item in messages]

    async def noted() -> bool:
        connection = await bank.connect("profiles")
        try:
            count = await connection.fetchval(
                "SELECT count(*) FROM inbox WHERE event_id = ANY($1)", wanted
            )
        finally:
            await connection.close()
        return count == len(wanted)

    await eventually(noted, within_s=120)


async def tell(bank: Bank, events: Sequence[Event]) -> list[Message]:
    """Publish the events and wait until profiles has handled them."""
    bank.start("profiles")
    messages = [message(event) for event in events]
    await publish(bank, messages)
    await all_handled(bank, messages)
    return messages


def own_session(bank: Bank, customer_id: str) -> httpx.AsyncClient:
    """The customer's own session, as the gateway forwards it."""
    return bank.client("profiles", caller="gateway", customer_id=customer_id)


async def read(bank: Bank, customer_id: str, what: str = "profile") -> dict[str, Any]:
    async with own_session(bank, customer_id) as profiles:
        response = await profiles.get(f"/v1/customers/{customer_id}/{what}")
    assert response.status_code == 200, response.text
    return response.json()


async def agree(bank: Bank, customer_id: str, *, granted: bool = True) -> None:
    async with own_session(bank, customer_id) as profiles:
        response = await profiles.put(
            f"/v1/customers/{customer_id}/marketing-consent",
            json={"granted": granted},
            headers={"Idempotency-Key": str(new_id())},
        )
    assert response.status_code == 200, response.text


def registered(customer_id: str, day: date = date(2020, 1, 1)) -> CustomerRegistered:
    return CustomerRegistered(customer_id=customer_id, registered_on=day)


def owner(customer_id: str, account_id: str, right: str = "owner") -> AccountRightGranted:
    return AccountRightGranted.model_validate(
        {"customer_id": customer_id, "account_id": account_id, "right": right}
    )


def posted(
    *legs: tuple[str, int], kind: str = "payment", on: date = AT.date(), currency: str = "CNY"
) -> TransferPosted:
    """A transfer; a leg is an account and a signed amount, credit positive."""
    return TransferPosted(
        transfer_id=new_id(),
        kind=kind,
        value_date=on,
        booking_date=on,
        recorded_at=AT,
        legs=[
            PostedLeg(
                account_id=account_id,
                holder_id=None,
                amount_minor=amount_minor,
                currency=currency,
                balance_minor=0,
            )
            for account_id, amount_minor in legs
        ],
    )


def settled(
    customer_id: str, creditor: str, amount_minor: int, at: datetime = AT
) -> PaymentSettled:
    return PaymentSettled.model_validate(_payment(customer_id, creditor, amount_minor, at))


def rejected(customer_id: str, creditor: str, amount_minor: int) -> PaymentRejected:
    facts = _payment(customer_id, creditor, amount_minor, AT) | {"reason_codes": ["velocity"]}
    return PaymentRejected.model_validate(facts)


def _payment(customer_id: str, creditor: str, amount_minor: int, at: datetime) -> dict[str, Any]:
    return {
        "payment_id": new_id(),
        "transfer_id": new_id(),
        "customer_id": customer_id,
        "partner_id": None,
        "debtor_account": f"of-{customer_id}",
        "creditor_account": creditor,
        "amount_minor": amount_minor,
        "currency": "CNY",
        "channel": "open_api",
        "at": at,
    }


def graded(
    customer_id: str, grade: str, *, until: date = date(2099, 1, 1), at: datetime = AT
) -> AssessmentCompleted:
    return AssessmentCompleted.model_validate(
        {
            "assessment_id": new_id(),
            "customer_id": customer_id,
            "grade": grade,
            "questionnaire_version": "2026-1",
            "valid_until": until,
            "at": at,
        }
    )


def steady_saver(customer_id: str) -> list[Event]:
    """The events of a customer with a salary who keeps half of it."""
    account = f"of-{customer_id}"
    months = [date(2026, month, 10) for month in (1, 2, 3)]
    events: list[Event] = [registered(customer_id), owner(customer_id, account)]
    events += [posted((account, 800_000), kind="salary", on=day) for day in months]
    events += [posted((account, -400_000), kind="card", on=day) for day in months]
    return events
