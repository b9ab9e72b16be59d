"""Whatever dies between two steps: the payment settles once, or is rejected with its hold freed."""

import asyncio
import random
from typing import Any

import httpx
import pytest

from services.payments import domain
from tests.bank import eventually
from tests.payments.peers import When, nothing
from tests.payments.stage import Accounts, Stage

#: For each way that risk can send a payment, the calls at which something may die.
STEPS = {
    "approve": ("hold", "decision", "capture"),
    "decline": ("decision", "release"),
    "review": ("decision", "extension"),
}
PLACES = [
    (word, step, when)
    for word, steps in STEPS.items()
    for step in steps
    for when in ("before", "after")
]
ENDS = {"approve": "settled", "decline": "rejected", "review": "in_review"}
TOLD = {
    "approve": ["PaymentReceived", "PaymentSettled"],
    "decline": ["PaymentReceived", "PaymentRejected"],
    "review": ["PaymentReceived", "PaymentSentToReview", "PaymentReviewOpened"],
}
BALANCES = {"approve": (900, 0), "decline": (1_000, 0), "review": (1_000, 100)}


async def assert_ended(stage: Stage, accounts: Accounts, payment_id: str, word: str) -> None:
    """The payment, its events, its hold and the balance all say the same."""

    async def ended() -> bool:
        return await stage.state(payment_id) == ENDS[word]

    await eventually(ended)
    assert await stage.told(payment_id) == TOLD[word]
    balance = await stage.balance(accounts.debtor)
    assert (balance["posted_minor"], balance["held_minor"]) == BALANCES[word]
    hold = await stage.hold(payment_id)
    assert hold["state"] == {"approve": "captured", "decline": "released"}.get(word, "placed")


class TestDeath:
    """SIGKILL to the process, at the moment when a call leaves it or has taken effect."""

    @pytest.mark.parametrize(("word", "step", "when"), PLACES)
    async def test_between_two_steps_is_made_good(
        self, stage: Stage, accounts: Accounts, word: str, step: str, when: When
    ):
        stage.risk.says[accounts.debtor] = word
        wire = stage.risk if step == "decision" else stage.ledger
        wire.surprises[step, when] = stage.kill
        body = accounts.body()
        with pytest.raises(httpx.TransportError):
            await stage.pay(body)
        await stage.restart()
        if step == "hold":
            # Nothing was stored, so nobody but the client can know of it.
            assert await stage.state(body["payment_id"]) is None
            assert (await stage.pay(body)).json()["state"] == "settled"
        await assert_ended(stage, accounts, body["payment_id"], word)

    async def test_at_any_moment_of_many_payments_loses_and_doubles_none(
        self, stage: Stage, unique: str
    ):
        accounts = await stage.accounts(unique, funds=10_000)
        bodies = [accounts.body() for _ in range(60)]
        for batch in (bodies[:20], bodies[20:40], bodies[40:]):
            calls = [asyncio.create_task(self.tried(stage, body)) for body in batch]
            await asyncio.sleep(random.uniform(0.05, 0.6))
            await stage.kill()
            await asyncio.gather(*calls)
            await stage.restart()
        for body in bodies:
            response = await stage.pay(body)
            assert response.status_code == 201, response.text
            assert response.json()["state"] == "settled"
        balance = await stage.balance(accounts.debtor)
        assert (balance["posted_minor"], balance["held_minor"]) == (10_000 - 60 * 100, 0)
        for body in bodies:
            assert await stage.told(body["payment_id"]) == TOLD["approve"]

    async def tried(self, stage: Stage, body: dict[str, Any]) -> None:
        try:
            token = stage.bank.token(
                "payments",
                caller="gateway",
                customer_id=body["customer_id"],
                partner_id=body["partner_id"],
            )
            headers = {
                "authorization": f"Bearer {token}",
                "Idempotency-Key": body["payment_id"],
            }
            async with httpx.AsyncClient(
                base_url=stage.bank.url("payments"), timeout=30, verify=False
            ) as client:
                await client.post("/v1/payments", json=body, headers=headers)
        except httpx.TransportError:
            pass


class TestLostAnswer:
    @pytest.mark.parametrize(
        ("word", "step", "when"), [place for place in PLACES if place[1] != "decision"]
    )
    async def test_of_the_ledger_is_a_503_and_the_repeat_or_the_worker_goes_on(
        self, stage: Stage, accounts: Accounts, word: str, step: str, when: When
    ):
        stage.risk.says[accounts.debtor] = word
        stage.ledger.surprises[step, when] = nothing
        body = accounts.body()
        response = await stage.pay(body)
        assert response.status_code == 503
        assert response.json()["code"] == "peer_unavailable"
        assert int(response.headers["retry-after"]) >= 1
        if step == "hold" or random.random() < 0.5:
            assert (await stage.pay(body)).json()["state"] == ENDS[word]
        else:
            await stage.time_passes()
        await assert_ended(stage, accounts, body["payment_id"], word)

    @pytest.mark.parametrize("later", ["broken", "review", "decline"])
    async def test_of_a_capture_outweighs_whatever_risk_says_later(
        self, stage: Stage, accounts: Accounts, later: str
    ):
        stage.risk.says[accounts.debtor] = ["approve", later]
        stage.ledger.surprises["capture", "after"] = nothing
        body = accounts.body()
        assert (await stage.pay(body)).status_code == 503
        assert (await stage.pay(body)).json()["state"] == "settled"
        await assert_ended(stage, accounts, body["payment_id"], "approve")

    async def test_for_long_keeps_the_payment_as_it_was(self, stage: Stage, accounts: Accounts):
        async def away() -> None:
            stage.ledger.is_cut = True

        stage.ledger.surprises["capture", "before"] = away
        body = accounts.body()
        assert (await stage.pay(body)).status_code == 503
        for _ in range(3):
            await stage.time_passes()
            assert (await stage.pay(body)).status_code == 503
        assert await stage.state(body["payment_id"]) == "received"
        stage.ledger.is_cut = False
        await stage.time_passes()
        await assert_ended(stage, accounts, body["payment_id"], "approve")


class TestHold:
    async def test_without_a_payment_ends_soon_and_its_id_is_spent(
        self, stage: Stage, accounts: Accounts
    ):
        stage.ledger.surprises["hold", "after"] = nothing
        body = accounts.body()
        assert (await stage.pay(body)).status_code == 503
        hold = await stage.hold(body["payment_id"])
        lives = (hold["expires_at"] - hold["recorded_at"]).total_seconds()
        assert lives == pytest.approx(domain.HOLD_S, abs=5)
        await expire(stage, body["payment_id"])
        response = await stage.pay(body)
        assert response.status_code == 409
        assert response.json()["code"] == "payment_lapsed"
        assert await stage.state(body["payment_id"]) is None

    async def test_without_a_payment_is_not_taken_for_another_body(
        self, stage: Stage, accounts: Accounts
    ):
        stage.ledger.surprises["hold", "after"] = nothing
        body = accounts.body()
        assert (await stage.pay(body)).status_code == 503
        response = await stage.pay(body | {"amount_minor": 99})
        assert response.status_code == 422
        assert response.json()["code"] == "idempotency_key_reused"
        assert (await stage.pay(body)).json()["state"] == "settled"

    @pytest.mark.parametrize("word", ["approve", "review", "decline"])
    async def test_that_is_over_before_the_payment_ends_it(
        self, stage: Stage, accounts: Accounts, word: str
    ):
        step = {"approve": "capture", "review": "extension", "decline": "release"}[word]
        stage.risk.says[accounts.debtor] = word
        stage.ledger.surprises[step, "before"] = nothing
        body = accounts.body()
        assert (await stage.pay(body)).status_code == 503
        await expire(stage, body["payment_id"])
        await stage.time_passes()

        async def ended() -> object:
            return await stage.ended(body["payment_id"])

        assert await eventually(ended) == "rejected"
        reasons = (await stage.pay(body)).json()["reason_codes"]
        assert reasons == (["model_score_high"] if word == "decline" else ["hold_expired"])
        assert await stage.told(body["payment_id"]) == TOLD["decline"]
        assert (await stage.balance(accounts.debtor))["available_minor"] == 1_000


async def expire(stage: Stage, hold_id: str) -> None:
    """Ten minutes later, for this hold."""
    statement = "UPDATE holds SET expires_at = now() WHERE hold_id = $1"
    await stage.sql("ledger", statement, hold_id)


class TestRisk:
    @pytest.mark.parametrize("word", ["late", "broken"])
    async def test_that_does_not_answer_sends_the_payment_to_review(
        self, stage: Stage, accounts: Accounts, word: str
    ):
        stage.risk.says[accounts.debtor] = word
        body = accounts.body()
        response = await stage.pay(body)
        assert response.status_code == 201
        assert response.json()["state"] == "in_review"
        assert response.json()["reason_codes"] == ["risk_unavailable"]
        assert response.json()["risk_score"] is None
        assert (await stage.balance(accounts.debtor))["held_minor"] == 100

    async def test_whose_connection_breaks_sends_the_payment_to_review(
        self, stage: Stage, accounts: Accounts
    ):
        stage.risk.surprises["decision", "after"] = nothing
        body = accounts.body()
        assert (await stage.pay(body)).json()["reason_codes"] == ["risk_unavailable"]


class TestWorkers:
    async def test_of_many_processes_end_a_payment_once(self, stage: Stage, unique: str):
        accounts = await stage.accounts(unique, funds=10_000)
        stage.ledger.is_cut = False
        bodies = [accounts.body() for _ in range(20)]

        async def away() -> None:
            stage.ledger.is_cut = True

        async with stage.gateway(bodies[0]) as client:
            stage.ledger.surprises["capture", "before"] = away
            await asyncio.gather(*(stage.post(client, body) for body in bodies))
            stage.ledger.is_cut = False
            await stage.time_passes()
            # The worker and a repeat of each at the same time.
            await asyncio.gather(*(stage.post(client, body) for body in bodies * 2))
        for body in bodies:
            assert await stage.told(body["payment_id"]) == TOLD["approve"]
        balance = await stage.balance(accounts.debtor)
        assert (balance["posted_minor"], balance["held_minor"]) == (8_000, 0)
