"""Payments in review: held, seen by a reviewer or by nobody, and over after 72 hours."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.bank import STAFF, eventually
from tests.payments.peers import nothing
from tests.payments.stage import Accounts, Stage
from tests.payments.test_payments import freeze


@pytest.fixture
async def in_review(stage: Stage, accounts: Accounts) -> str:
    """The id of a payment that waits for a reviewer."""
    stage.risk.says[accounts.debtor] = "review"
    response = await stage.pay(accounts.body())
    assert response.json()["state"] == "in_review", response.text
    return response.json()["payment_id"]


async def ended(stage: Stage, payment_id: str) -> str:
    async def check() -> object:
        return await stage.ended(payment_id)

    return str(await eventually(check))


class TestPaymentInReview:
    async def test_keeps_its_amount_held_for_longer_than_the_review(
        self, stage: Stage, accounts: Accounts, in_review: str
    ):
        hold = await stage.hold(in_review)
        assert hold["state"] == "placed"
        assert hold["expires_at"] - datetime.now(UTC) > timedelta(hours=72, minutes=30)
        assert (await stage.balance(accounts.debtor))["available_minor"] == 900

    async def test_is_found_by_its_state(self, stage: Stage, in_review: str):
        async with stage.bank.client("payments", roles=("reviewer",)) as client:
            found = (await client.get("/v1/payments", params={"state": "in_review"})).json()
        assert in_review in [item["payment_id"] for item in found["items"]]
        assert {item["state"] for item in found["items"]} == {"in_review"}

    async def test_approved_settles(self, stage: Stage, accounts: Accounts, in_review: str):
        response = await stage.review(in_review, "approve")
        assert response.status_code == 200, response.text
        assert response.json()["state"] == "settled"
        assert response.json()["reason_codes"] == []
        assert response.json()["risk_score"] == 0.5
        told = ["PaymentReceived", "PaymentSentToReview", "PaymentReviewOpened"]
        told += ["PaymentSettled", "PaymentReviewEnded"]
        assert await stage.told(in_review) == told
        assert (await stage.balance(accounts.debtor))["posted_minor"] == 900

    async def test_declined_is_rejected_and_frees_the_amount(
        self, stage: Stage, accounts: Accounts, in_review: str
    ):
        response = await stage.review(in_review, "decline")
        assert response.json()["state"] == "rejected"
        assert response.json()["reason_codes"] == ["review_declined"]
        told = ["PaymentReceived", "PaymentSentToReview", "PaymentReviewOpened"]
        told += ["PaymentRejected", "PaymentReviewEnded"]
        assert await stage.told(in_review) == told
        assert (await stage.balance(accounts.debtor))["available_minor"] == 1_000

    async def test_leaves_the_reviewers_word_in_the_audit(self, stage: Stage, in_review: str):
        await stage.review(in_review, "approve")
        await stage.review(in_review, "approve")

        async def told() -> list[dict]:
            events = await stage.bank.events("identity.audit.v1", key=STAFF)
            return [event["data"] for event in events if event["data"]["subject"] == in_review]

        (acted,) = await eventually(told)
        assert acted["action"] == "payment.approve"
        assert acted["service"] == "payments"
        assert acted["reason"] == "called the customer"

    async def test_reviewed_twice_with_the_same_word_stays_as_it_is(
        self, stage: Stage, in_review: str
    ):
        first = await stage.review(in_review, "approve")
        second = await stage.review(in_review, "approve")
        assert second.status_code == 200
        assert second.json() == first.json()

    async def test_takes_no_second_word(self, stage: Stage, in_review: str):
        await stage.review(in_review, "decline")
        response = await stage.review(in_review, "approve")
        assert response.status_code == 409
        assert response.json()["code"] == "already_reviewed"
        assert await stage.state(in_review) == "rejected"

    @pytest.mark.parametrize("roles", [("operator",), ("admin",)])
    async def test_is_for_reviewers_alone(
        self, stage: Stage, in_review: str, roles: tuple[str, ...]
    ):
        assert (await stage.review(in_review, "approve", roles=roles)).status_code == 403
        assert await stage.state(in_review) == "in_review"

    async def test_whose_account_was_frozen_meanwhile_is_rejected_and_freed(
        self, stage: Stage, accounts: Accounts, in_review: str
    ):
        await freeze(stage, accounts.debtor)
        response = await stage.review(in_review, "approve")
        assert response.json()["state"] == "rejected"
        assert response.json()["reason_codes"] == ["account_frozen"]
        balance = await stage.balance(accounts.debtor)
        assert (balance["posted_minor"], balance["held_minor"]) == (1_000, 0)

    @pytest.mark.parametrize(
        ("outcome", "step", "end"),
        [("approve", "capture", "settled"), ("decline", "release", "rejected")],
    )
    async def test_reviewed_while_the_ledger_is_away_is_carried_out_later(
        self, stage: Stage, in_review: str, outcome: str, step: str, end: str
    ):
        stage.ledger.surprises[step, "before"] = nothing
        response = await stage.review(in_review, outcome)
        assert response.status_code == 503
        assert await stage.state(in_review) not in {"settled", "rejected"}
        opposite = {"approve": "decline", "decline": "approve"}[outcome]
        assert (await stage.review(in_review, opposite)).status_code == 409
        await stage.sql(
            "payments", "UPDATE payments SET due_at = now() WHERE payment_id = $1", in_review
        )
        assert await ended(stage, in_review) == end

    async def test_that_nobody_looked_at_is_rejected_after_72_hours(
        self, stage: Stage, accounts: Accounts, in_review: str
    ):
        (row,) = await stage.sql(
            "payments", "SELECT due_at, review_until FROM payments WHERE payment_id = $1", in_review
        )
        assert row["due_at"] == row["review_until"]
        await three_days_later(stage, in_review)
        assert await ended(stage, in_review) == "rejected"
        async with stage.bank.client("payments", roles=("operator",)) as client:
            payment = (await client.get(f"/v1/payments/{in_review}")).json()
        assert payment["reason_codes"] == ["review_expired"]
        assert (await stage.balance(accounts.debtor))["available_minor"] == 1_000

    async def test_takes_no_word_after_72_hours(self, stage: Stage, in_review: str):
        await stage.sql(
            "payments",
            "UPDATE payments SET review_until = now() WHERE payment_id = $1",
            in_review,
        )
        response = await stage.review(in_review, "approve")
        assert response.status_code == 409
        assert response.json()["code"] == "not_in_review"


async def three_days_later(stage: Stage, payment_id: str) -> None:
    await stage.sql(
        "payments",
        "UPDATE payments SET review_until = now(), due_at = now() WHERE payment_id = $1",
        payment_id,
    )


class TestReview:
    async def test_of_a_settled_payment_is_refused(self, stage: Stage, accounts: Accounts):
        payment = (await stage.pay(accounts.body())).json()
        response = await stage.review(payment["payment_id"], "decline")
        assert response.status_code == 409
        assert response.json()["code"] == "not_in_review"

    async def test_of_an_unknown_payment_finds_none(self, stage: Stage, accounts: Accounts):
        response = await stage.review(accounts.body()["payment_id"], "decline")
        assert response.status_code == 404
