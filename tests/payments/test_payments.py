"""What payments promises to the gateway, met over HTTP with a real ledger."""

import asyncio
from typing import Any

import pytest

from shared.kit.clock import new_id
from tests.bank import eventually
from tests.payments.stage import Accounts, Stage


class TestPayment:
    async def test_settles_and_moves_the_money_once(self, stage: Stage, accounts: Accounts):
        body = accounts.body(remittance="一月房租")
        response = await stage.pay(body)
        assert response.status_code == 201, response.text
        payment = response.json()
        assert payment["state"] == "settled"
        assert payment["transfer_id"] == body["payment_id"]
        assert payment["reason_codes"] == []
        assert payment["risk_score"] == 0.01
        assert payment["creditor"] == body["creditor"]
        assert payment["remittance"] == "一月房租"
        assert (await stage.balance(accounts.debtor))["available_minor"] == 900
        assert (await stage.balance(accounts.creditor))["posted_minor"] == 100
        assert await stage.told(body["payment_id"]) == ["PaymentReceived", "PaymentSettled"]

    async def test_is_told_on_the_bus(self, stage: Stage, accounts: Accounts):
        body = accounts.body()
        await stage.pay(body)

        async def told() -> list[dict[str, Any]]:
            found = await stage.bank.events("payments.payment.v1", key=accounts.debtor)
            return found if len(found) == 2 else []

        received, settled = await eventually(told)
        assert [received["type"], settled["type"]] == ["PaymentReceived", "PaymentSettled"]
        assert settled["data"]["transfer_id"] == body["payment_id"]
        assert settled["data"]["creditor_account"] == accounts.creditor

    async def test_takes_three_calls_to_its_peers(self, stage: Stage, accounts: Accounts):
        body = accounts.body()
        await stage.pay(body)
        calls = stage.ledger.calls + stage.risk.calls
        mine = {
            action: n for (payment, action), n in calls.items() if payment == body["payment_id"]
        }
        assert mine == {"hold": 1, "decision": 1, "capture": 1}

    async def test_keeps_its_trace_and_hands_it_on(self, stage: Stage, accounts: Accounts):
        body = accounts.body()
        trace = new_id().hex
        response = await stage.pay(body, traceparent=f"00-{trace}-00f067aa0ba902b7-01")
        assert response.json()["trace_id"] == trace
        assert stage.ledger.traces[body["payment_id"]] == {trace}
        assert stage.risk.traces[body["payment_id"]] == {trace}

    async def test_declined_by_risk_says_why_and_frees_the_amount(
        self, stage: Stage, accounts: Accounts
    ):
        stage.risk.says[accounts.debtor] = "decline"
        body = accounts.body()
        response = await stage.pay(body)
        assert response.status_code == 201
        assert response.json()["state"] == "rejected"
        assert response.json()["reason_codes"] == ["model_score_high"]
        assert response.json()["transfer_id"] is None
        assert (await stage.balance(accounts.debtor))["available_minor"] == 1_000
        assert await stage.told(body["payment_id"]) == ["PaymentReceived", "PaymentRejected"]

    @pytest.mark.parametrize(
        ("change", "status", "code", "field"),
        [
            ({"amount_minor": 1_001}, 422, "insufficient_funds", "amount_minor"),
            ({"currency": "USD"}, 422, "currency_mismatch", "currency"),
            ({"debtor_account": "none"}, 404, "account_not_found", "debtor_account"),
            (
                {"creditor": {"account_id": "none", "name": "x"}},
                404,
                "destination_not_found",
                "creditor.account_id",
            ),
            ({"amount_minor": -1}, 422, "invalid_request", "amount_minor"),
            ({"amount_minor": 0}, 422, "invalid_request", "amount_minor"),
            ({"amount_minor": 1.5}, 422, "invalid_request", "amount_minor"),
            ({"amount_minor": "100"}, 422, "invalid_request", "amount_minor"),
            ({"amount_minor": 10**16}, 422, "invalid_request", "amount_minor"),
            ({"currency": "yuan"}, 422, "invalid_request", "currency"),
            ({"colour": "red"}, 422, "invalid_request", "colour"),
            ({"end_to_end_id": ""}, 422, "invalid_request", "end_to_end_id"),
        ],
    )
    async def test_refused_names_the_field_and_leaves_nothing_behind(
        self,
        stage: Stage,
        accounts: Accounts,
        change: dict[str, Any],
        status: int,
        code: str,
        field: str,
    ):
        body = accounts.body(**change)
        response = await stage.pay(body)
        assert response.status_code == status, response.text
        problem = response.json()
        assert problem["code"] == code
        assert [error["field"] for error in problem["errors"]] == [field]
        assert await stage.state(body["payment_id"]) is None
        assert await stage.hold(body["payment_id"]) is None
        assert await stage.told(body["payment_id"]) == []
        assert (await stage.balance(accounts.debtor))["available_minor"] == 1_000

    async def test_to_its_own_account_is_refused(self, stage: Stage, accounts: Accounts):
        body = accounts.body(creditor={"account_id": accounts.debtor, "name": "me"})
        response = await stage.pay(body)
        assert response.status_code == 422
        assert response.json()["code"] == "same_account"
        assert await stage.hold(body["payment_id"]) is None

    async def test_from_a_frozen_account_is_refused(self, stage: Stage, accounts: Accounts):
        await freeze(stage, accounts.debtor)
        body = accounts.body()
        response = await stage.pay(body)
        assert response.status_code == 409
        assert response.json()["code"] == "account_frozen"
        assert await stage.state(body["payment_id"]) is None

    async def test_refused_may_come_again_when_the_money_is_there(
        self, stage: Stage, accounts: Accounts
    ):
        first = await stage.pay(accounts.body(amount_minor=900))
        body = accounts.body(amount_minor=200)
        assert (await stage.pay(body)).status_code == 422
        async with stage.bank.client("ledger", roles=("operator",)) as ledger:
            reversal = {"reversal_id": str(new_id()), "reason": "mistake"}
            transfer = first.json()["transfer_id"]
            await ledger.post(f"/v1/transfers/{transfer}/reversal", json=reversal)
        assert (await stage.pay(body)).json()["state"] == "settled"


async def freeze(stage: Stage, account: str) -> None:
    async with stage.bank.client("ledger", roles=("operator",)) as ledger:
        response = await ledger.post(
            f"/v1/accounts/{account}/freeze",
            json={"reason": "court order"},
            headers={"Idempotency-Key": str(new_id())},
        )
        assert response.status_code == 200, response.text


class TestSixtyFourPaymentsAtOnce:
    async def test_settle_exactly_the_one_that_the_balance_carries(
        self, stage: Stage, accounts: Accounts
    ):
        bodies = [accounts.body(amount_minor=1_000) for _ in range(64)]
        async with stage.gateway(bodies[0]) as client:
            replies = await asyncio.gather(*(stage.post(client, body) for body in bodies))
        taken = [reply.json() for reply in replies if reply.status_code == 201]
        refused = [reply.json()["code"] for reply in replies if reply.status_code != 201]
        assert [payment["state"] for payment in taken] == ["settled"]
        assert refused == ["insufficient_funds"] * 63
        balance = await stage.balance(accounts.debtor)
        assert balance == {"posted_minor": 0, "held_minor": 0, "available_minor": 0}
        mine = "WHERE debtor_account = $1"
        stored = await stage.sql(
            "payments", f"SELECT payment_id FROM payments {mine}", accounts.debtor
        )
        assert [str(row["payment_id"]) for row in stored] == [taken[0]["payment_id"]]
        holds = await stage.sql(
            "ledger", "SELECT state FROM holds WHERE account_id = $1", accounts.debtor
        )
        assert [row["state"] for row in holds] == ["captured"]


class TestRepeat:
    async def test_gets_the_same_answer_and_has_no_effect(self, stage: Stage, accounts: Accounts):
        body = accounts.body()
        first = await stage.pay(body)
        second = await stage.pay(body)
        assert second.status_code == 201
        assert second.json() == first.json()
        assert (await stage.balance(accounts.debtor))["posted_minor"] == 900
        assert await stage.told(body["payment_id"]) == ["PaymentReceived", "PaymentSettled"]

    @pytest.mark.parametrize("word", ["approve", "decline", "review"])
    async def test_is_answered_without_the_ledger_where_nothing_is_left_to_do(
        self, stage: Stage, accounts: Accounts, word: str
    ):
        stage.risk.says[accounts.debtor] = word
        body = accounts.body()
        first = await stage.pay(body)
        stage.ledger.is_cut = True
        second = await stage.pay(body)
        assert second.status_code == 201
        assert second.json() == first.json()

    @pytest.mark.parametrize(
        "change",
        [
            {"amount_minor": 101},
            {"amount_minor": 5_000},
            {"remittance": "another"},
            {"creditor": {"account_id": "elsewhere", "name": "x"}},
            {"currency": "USD"},
        ],
    )
    async def test_with_another_body_is_refused(
        self, stage: Stage, accounts: Accounts, change: dict[str, Any]
    ):
        body = accounts.body()
        await stage.pay(body)
        response = await stage.pay(body | change)
        assert response.status_code == 422
        assert response.json()["code"] == "idempotency_key_reused"
        assert (await stage.balance(accounts.debtor))["posted_minor"] == 900

    @pytest.mark.parametrize("word", ["approve", "decline", "review"])
    async def test_thirty_two_at_once_have_one_effect(
        self, stage: Stage, accounts: Accounts, word: str
    ):
        stage.risk.says[accounts.debtor] = word
        body = accounts.body(amount_minor=1_000)
        async with stage.gateway(body) as client:
            replies = await asyncio.gather(*(stage.post(client, body) for _ in range(32)))
        assert {reply.status_code for reply in replies} == {201}
        ends = {
            "approve": ["PaymentSettled"],
            "decline": ["PaymentRejected"],
            "review": ["PaymentSentToReview", "PaymentReviewOpened"],
        }
        assert len({reply.text for reply in replies}) == 1
        assert await stage.told(body["payment_id"]) == ["PaymentReceived", *ends[word]]
        held = {"approve": 0, "decline": 0, "review": 1_000}[word]
        assert (await stage.balance(accounts.debtor))["held_minor"] == held

    async def test_at_once_with_a_risk_that_answers_some_ends_in_one_state(
        self, stage: Stage, accounts: Accounts
    ):
        stage.risk.says[accounts.debtor] = ["broken", "approve"] * 16 + ["approve"]
        body = accounts.body()
        async with stage.gateway(body) as client:
            replies = await asyncio.gather(*(stage.post(client, body) for _ in range(32)))
        assert {reply.status_code for reply in replies} == {201}
        told = await stage.told(body["payment_id"])
        assert len(told) == len(set(told))
        assert await stage.state(body["payment_id"]) in {"settled", "in_review"}
        hold = await stage.hold(body["payment_id"])
        settled = await stage.state(body["payment_id"]) == "settled"
        assert hold["state"] == ("captured" if settled else "placed")
        assert ("PaymentSettled" in told) == settled


class TestCaller:
    async def test_without_a_token_is_turned_away(self, stage: Stage, accounts: Accounts):
        body = accounts.body()
        async with stage.bank.client("payments") as client:
            response = await stage.post(client, body)
        assert response.status_code == 401

    async def test_other_than_the_gateway_may_not_pay(self, stage: Stage, accounts: Accounts):
        body = accounts.body()
        for who in ({"caller": "profiles"}, {"roles": ("operator", "reviewer", "admin")}):
            async with stage.bank.client("payments", **who) as client:
                assert (await stage.post(client, body)).status_code == 403

    @pytest.mark.parametrize(
        "change", [{"customer_id": "cust-other"}, {"partner_id": "p-other"}, {"partner_id": None}]
    )
    async def test_that_speaks_for_another_is_refused(
        self, stage: Stage, accounts: Accounts, change: dict[str, Any]
    ):
        body = accounts.body()
        async with stage.gateway(body) as client:
            response = await stage.post(client, body | change)
        assert response.status_code == 403
        assert await stage.hold(body["payment_id"]) is None

    async def test_has_to_send_the_payments_id_as_its_key(self, stage: Stage, accounts: Accounts):
        body = accounts.body()
        other = await stage.pay(body, **{"Idempotency-Key": str(new_id())})
        assert other.status_code == 422
        assert other.json()["errors"][0]["field"] == "Idempotency-Key"
        async with stage.gateway(body) as client:
            missing = await client.post("/v1/payments", json=body)
        assert missing.status_code == 422
        assert await stage.hold(body["payment_id"]) is None
