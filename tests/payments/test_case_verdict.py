"""A reviewer's word that comes from a case of risk, over the bus."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from shared.contracts.events.envelope import Envelope
from shared.contracts.events.risk import CaseDecided
from shared.kit.bus.port import Message
from shared.kit.bus.postgres import PostgresBus
from shared.kit.clock import new_id
from tests.bank import eventually
from tests.payments.stage import Accounts, Stage


@pytest.fixture
async def in_review(stage: Stage, accounts: Accounts) -> str:
    """The id of a payment that waits for a reviewer."""
    stage.risk.says[accounts.debtor] = "review"
    response = await stage.pay(accounts.body())
    assert response.json()["state"] == "in_review", response.text
    return response.json()["payment_id"]


def word(payment_id: str, **changes: Any) -> CaseDecided:
    content = CaseDecided.example | {
        "case_id": payment_id,
        "decision_id": payment_id,
        "at": datetime.now(UTC),
    }
    return CaseDecided.model_validate(content | changes)


def message(event: CaseDecided) -> Message:
    envelope = Envelope(
        id=new_id(),
        source="risk",
        type="CaseDecided",
        time=event.at,
        subject=event.key(),
        data=event.model_dump(mode="json"),
    )
    return Message(event.topic, event.key(), envelope.id, envelope.model_dump_json())


async def tell(stage: Stage, *messages: Message) -> None:
    bus = PostgresBus(stage.bank.credentials["bus"].dsn, application="test")
    try:
        await bus.publish(list(messages))
    finally:
        await bus.close()


async def handled(stage: Stage, message_id: UUID) -> None:
    async def in_inbox() -> object:
        return await stage.sql("payments", "SELECT 1 FROM inbox WHERE event_id = $1", message_id)

    await eventually(in_inbox)


async def ended(stage: Stage, payment_id: str) -> str:
    async def check() -> object:
        return await stage.ended(payment_id)

    return str(await eventually(check))


class TestVerdictOfACase:
    @pytest.mark.parametrize(("verdict", "end"), [("approve", "settled"), ("decline", "rejected")])
    async def test_ends_the_payment(self, stage: Stage, in_review: str, verdict: str, end: str):
        await tell(stage, message(word(in_review, verdict=verdict)))
        assert await ended(stage, in_review) == end
        (row,) = await stage.sql(
            "payments",
            "SELECT verdict, reviewed_by, review_reason FROM payments WHERE payment_id = $1",
            in_review,
        )
        assert (row["verdict"], row["reviewed_by"]) == (verdict, "s-reviewer")
        assert row["review_reason"].startswith("customer_confirmed: called back")
        told = await stage.told(in_review)
        assert told[-1] == "PaymentReviewEnded"

    async def test_that_comes_twice_counts_once(self, stage: Stage, in_review: str):
        once = message(word(in_review))
        again = message(word(in_review))
        await tell(stage, once, once, again)
        assert await ended(stage, in_review) == "settled"
        await handled(stage, again.event_id)
        assert (await stage.told(in_review)).count("PaymentSettled") == 1
        assert not await stage.sql("payments", "SELECT 1 FROM dead_letters")

    async def test_after_a_direct_review_changes_nothing(self, stage: Stage, in_review: str):
        assert (await stage.review(in_review, "decline")).json()["state"] == "rejected"
        late = message(word(in_review, verdict="approve"))
        await tell(stage, late)
        await handled(stage, late.event_id)
        assert await stage.state(in_review) == "rejected"
        assert not await stage.sql("payments", "SELECT 1 FROM dead_letters")

    async def test_after_the_review_expired_changes_nothing(self, stage: Stage, in_review: str):
        await stage.sql(
            "payments", "UPDATE payments SET review_until = now() WHERE payment_id = $1", in_review
        )
        late = message(word(in_review, at=datetime.now(UTC)))
        await tell(stage, late)
        await handled(stage, late.event_id)
        (row,) = await stage.sql(
            "payments", "SELECT verdict FROM payments WHERE payment_id = $1", in_review
        )
        assert row["verdict"] is None

    @pytest.mark.parametrize(
        "changes", [{"kind": "appeal"}, {"product": "card"}], ids=["appeal", "card"]
    )
    async def test_about_something_else_is_not_for_payments(
        self, stage: Stage, in_review: str, changes: dict[str, str]
    ):
        other = message(word(in_review, **changes))
        await tell(stage, other)
        await handled(stage, other.event_id)
        assert await stage.state(in_review) == "in_review"

    async def test_about_an_unknown_payment_is_no_dead_letter(self, stage: Stage):
        unknown = message(word(str(new_id())))
        await tell(stage, unknown)
        await handled(stage, unknown.event_id)
        assert not await stage.sql("payments", "SELECT 1 FROM dead_letters")
