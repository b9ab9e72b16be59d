"""Cases to work on, staff who works on them, and payments that waits for what they say."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from shared.contracts.events.envelope import Envelope, Event
from shared.contracts.events.payments import PaymentReviewEnded, PaymentReviewOpened
from shared.kit.bus.port import Message
from shared.kit.bus.postgres import PostgresBus
from shared.kit.clock import new_id
from tests.bank import Bank, eventually
from tests.risk.support import decided, payment

#: Above the policy's ceiling, below what takes two people to approve; it does to decline.
LARGE = 30_000_000
#: Takes two people either way.
HUGE = 60_000_000
NOTE = "called back on the number on file"


def message(event: Event, *, source: str = "payments") -> Message:
    envelope = Envelope(
        id=new_id(),
        source=source,
        type=type(event).__name__,
        time=datetime.now(UTC),
        subject=event.key(),
        data=event.model_dump(mode="json"),
    )
    return Message(event.topic, event.key(), envelope.id, envelope.model_dump_json())


@dataclass
class Desk:
    """Risk, and what its tests ask of it."""

    bank: Bank
    unique: str

    @asynccontextmanager
    async def staff(self, name: str, *roles: str) -> AsyncIterator[httpx.AsyncClient]:
        """The member of staff `name`, by default a reviewer."""
        token = self.bank.staff_token(roles=roles or ("reviewer",), staff_id=self.named(name))
        async with httpx.AsyncClient(
            base_url=self.bank.url("risk"),
            headers={"authorization": f"Bearer {token}"},
            timeout=30,
            verify=False,
        ) as client:
            yield client

    def named(self, name: str) -> str:
        return f"s-{name}-{self.unique}"

    async def decision(self, *, amount_minor: int = LARGE, **changes: Any) -> dict[str, Any]:
        """The body of a payment that risk sent to review."""
        body = payment(
            self.unique,
            amount_minor=amount_minor,
            at=_last_noon().isoformat(),
            **changes,
        )
        async with self.bank.client("risk") as client:
            made = await decided(client, self.bank, body)
        assert made["outcome"] == "review", made
        return body

    async def case(self, *, amount_minor: int = LARGE, **changes: Any) -> str:
        """The id of a case whose payment waits in review, as payments told."""
        body = await self.decision(amount_minor=amount_minor, **changes)
        await self.tell(opened(body))
        await self.until(body["decision_id"], lambda case: case["review_until"])
        return str(body["decision_id"])

    async def tell(self, *events: Event) -> list[UUID]:
        """Put events of payments on the bus; their ids."""
        bus = PostgresBus(self.bank.credentials["bus"].dsn, application="test")
        messages = [message(event) for event in events]
        try:
            await bus.publish(messages)
        finally:
            await bus.close()
        return [found.event_id for found in messages]

    async def handled(self, event_id: UUID) -> None:
        async def in_inbox() -> object:
            return await self.sql("SELECT 1 FROM inbox WHERE event_id = $1", event_id)

        await eventually(in_inbox)

    async def file(self, case_id: str) -> dict[str, Any]:
        async with self.staff("reader", "operator") as client:
            response = await client.get(f"/v1/cases/{case_id}")
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def until(self, case_id: str, check: Any) -> dict[str, Any]:
        """The case once it is as `check` wants it."""

        async def found() -> object:
            async with self.staff("reader", "operator") as client:
                response = await client.get(f"/v1/cases/{case_id}")
            if response.status_code != 200:
                return None
            case = response.json()["case"]
            return case if check(case) else None

        return dict(await eventually(found))  # type: ignore[call-overload]

    async def sql(self, statement: str, *values: Any) -> list[Any]:
        """Plain SQL as the owner: what is stored, and how time is made to pass."""
        connection = await self.bank.connect("risk")
        try:
            return await connection.fetch(statement, *values)
        finally:
            await connection.close()

    async def told(self, topic: str, decision_id: str) -> list[dict[str, Any]]:
        """What the bus has about a decision, once it has something."""

        async def found() -> list[dict[str, Any]]:
            return [event["data"] for event in await self.bank.events(topic, key=decision_id)]

        return list(await eventually(found))  # type: ignore[call-overload]


def opened(body: dict[str, Any], **changes: Any) -> PaymentReviewOpened:
    """What payments tells when the payment of `body` waits for a person."""
    now = datetime.now(UTC)
    content = {
        "payment_id": body["decision_id"],
        "customer_id": body["customer_id"],
        "partner_id": None,
        "debtor_account": body["debtor_account"],
        "creditor_account": body["creditor_account"],
        "creditor_name": "王小明",
        "amount_minor": body["amount_minor"],
        "currency": body["currency"],
        "remittance": "装修尾款",
        "channel": body["channel"],
        "reason_codes": ["amount_over_ceiling"],
        "review_until": now + timedelta(hours=72),
        "at": now,
    }
    return PaymentReviewOpened.model_validate(content | changes)


def ended(case_id: str, **changes: Any) -> PaymentReviewEnded:
    """What payments tells when the payment of a case is over."""
    content = {
        "payment_id": case_id,
        "state": "settled",
        "reason_codes": [],
        "verdict": "approve",
        "reviewed_by": "s-reviewer",
        "at": datetime.now(UTC),
    }
    return PaymentReviewEnded.model_validate(content | changes)


def verdict(word: str = "approve", code: str | None = None, note: str = NOTE) -> dict[str, str]:
    codes = {"approve": "customer_confirmed", "decline": "customer_denied"}
    return {"verdict": word, "reason_code": code or codes[word], "note": note}


async def take_and_judge(
    desk: Desk, name: str, case_id: str, body: dict[str, str]
) -> httpx.Response:
    async with desk.staff(name) as client:
        taken = await client.put(f"/v1/cases/{case_id}/assignment")
        assert taken.status_code == 200, taken.text
        return await client.post(f"/v1/cases/{case_id}/verdict", json=body)


def _last_noon() -> datetime:
    """The last noon in the bank's own time: at night one more rule would fire."""
    now = datetime.now(UTC)
    noon = now.replace(hour=4, minute=0, second=0, microsecond=0)
    return noon if noon <= now else noon - timedelta(days=1)
