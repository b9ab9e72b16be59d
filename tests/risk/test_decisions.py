"""What risk promises of decisions, met over HTTP."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from services.risk.features import FEATURE_NAMES, FRAUD_INPUTS
from shared.kit.clock import new_id
from tests.bank import Bank, eventually
from tests.risk.support import NOON, decide, decided, minutes, payment, record


class TestDecision:
    async def test_approves_a_calm_payment_and_says_by_what(self, bank: Bank, unique: str):
        async with bank.client("risk") as risk:
            made = await decided(risk, bank, payment(unique))
        assert made["outcome"] == "approve"
        assert 0 <= made["score"] < 0.1
        assert (made["reasons"], made["degraded"]) == ([], [])
        assert (made["policy"], made["model"]) == ("payment-2026.1", "fraud-2026.2")

    async def test_is_kept_with_all_that_it_saw(self, bank: Bank, unique: str):
        async with bank.client("risk") as risk:
            made = await decided(risk, bank, payment(unique))
        kept = await record(bank, made["decision_id"])
        assert {name: kept[name] for name in made} == made
        assert set(kept["features"]) == set(FEATURE_NAMES)
        assert kept["features"]["payee_new"] == 1
        assert kept["features"]["since_last_log_s"] is None
        assert kept["customer_id"] == f"c-{unique}"
        assert kept["elapsed_us"] > 0
        assert kept["windows_age_ms"] >= 0

    async def test_sees_device_address_and_merchant_where_the_partner_told_them(
        self, bank: Bank, unique: str
    ):
        signals = {
            "device_id": f"device-{unique}",
            "ip_address": "2001:db8::17",
            "merchant_id": f"m-{unique}",
        }
        async with bank.client("risk") as risk:
            for customer in ("one", "two"):
                other = {"customer_id": f"{customer}-{unique}"}
                made = await decided(risk, bank, payment(unique, **signals, **other))
            plain = await decided(risk, bank, payment(unique))
        features = (await record(bank, made["decision_id"]))["features"]
        assert features["device_customers_24h"] == features["merchant_count_1h"] == 2
        assert features["device_sum_minor_24h"] == 2_500
        without = (await record(bank, plain["decision_id"]))["features"]
        assert without["device_count_1h"] is None
        assert without["ip_customers_24h"] is None

    async def test_is_told_once_on_the_bus(self, bank: Bank, unique: str):
        async with bank.client("risk") as risk:
            body = payment(unique)
            for _ in range(3):
                made = await decided(risk, bank, body)
            last = await decided(risk, bank, payment(unique))

        async def told() -> list[dict] | None:
            events = await bank.events("risk.decision.v1", key=f"c-{unique}")
            ids = [event["data"]["decision_id"] for event in events]
            return events if last["decision_id"] in ids else None

        first, _ = await eventually(told)
        assert first["type"] == "DecisionMade"
        assert first["data"] == {
            "decision_id": made["decision_id"],
            "customer_id": f"c-{unique}",
            "product": "payment",
            "outcome": "approve",
            "score": made["score"],
            "reason_codes": [],
            "model": made["model"],
            "policy": made["policy"],
            "degraded": False,
            "at": made["decided_at"],
        }

    async def test_repeated_is_the_kept_one_and_counts_no_payment_more(
        self, bank: Bank, unique: str
    ):
        async with bank.client("risk") as risk:
            body = payment(unique)
            first = await decided(risk, bank, body)
            assert [await decided(risk, bank, body) for _ in range(3)] == [first] * 3
            second = await decided(risk, bank, payment(unique))
        assert (await record(bank, second["decision_id"]))["features"]["customer_count_1h"] == 2

    async def test_asked_eight_times_at_once_is_one(self, bank: Bank, unique: str):
        async with bank.client("risk") as risk:
            body = payment(unique)
            answers = await asyncio.gather(*(decided(risk, bank, body) for _ in range(8)))
        assert all(answer == answers[0] for answer in answers)
        connection = await bank.connect("risk")
        try:
            told = await connection.fetchval(
                "SELECT count(*) FROM outbox WHERE key = $1", f"c-{unique}"
            )
        finally:
            await connection.close()
        assert told == 1

    @pytest.mark.parametrize(
        "change",
        [
            {"amount_minor": 1251},
            {"creditor_account": "another"},
            {"currency": "EUR"},
            {"at": (NOON - timedelta(seconds=1)).isoformat()},
        ],
    )
    async def test_under_a_taken_id_with_another_body_is_refused(
        self, bank: Bank, unique: str, change: dict
    ):
        async with bank.client("risk") as risk:
            body = payment(unique)
            await decided(risk, bank, body)
            response = await decide(risk, bank, body | change)
            assert response.status_code == 409
            assert response.json()["code"] == "decision_exists"
            following = await decided(risk, bank, payment(unique))
        kept = await record(bank, following["decision_id"])
        assert kept["features"]["customer_count_1h"] == 2

    async def test_sends_the_twentieth_payment_within_ten_minutes_to_review(
        self, bank: Bank, unique: str
    ):
        async with bank.client("risk") as risk:
            made = [
                await decided(risk, bank, payment(unique, at=(NOON + minutes(i * 0.4)).isoformat()))
                for i in range(20)
            ]
        codes = [[reason["code"] for reason in decision["reasons"]] for decision in made]
        assert [i for i, found in enumerate(codes) if "payment_burst" in found] == [19]
        assert made[19]["outcome"] in {"review", "decline"}
        assert made[19]["reasons"][0]["text"]["zh"]

    async def test_shows_two_quick_payments_each_other(self, bank: Bank, unique: str):
        async with bank.client("risk") as risk:
            made = await asyncio.gather(*(decided(risk, bank, payment(unique)) for _ in range(2)))
        counts = [
            (await record(bank, decision["decision_id"]))["features"]["customer_count_10m"]
            for decision in made
        ]
        assert sorted(counts) == [1, 2]

    async def test_sends_a_currency_without_a_rate_to_review(self, bank: Bank, unique: str):
        async with bank.client("risk") as risk:
            made = await decided(risk, bank, payment(unique, currency="XAU"))
        assert made["outcome"] in {"review", "decline"}
        assert "currency_unrated" in [reason["code"] for reason in made["reasons"]]

    async def test_sends_a_very_large_amount_to_review(self, bank: Bank, unique: str):
        async with bank.client("risk") as risk:
            made = await decided(risk, bank, payment(unique, amount_minor=10**15))
        assert made["outcome"] in {"review", "decline"}
        assert "amount_over_ceiling" in [reason["code"] for reason in made["reasons"]]

    async def test_cannot_be_changed_in_the_database(self, bank: Bank, unique: str):
        async with bank.client("risk") as risk:
            await decided(risk, bank, payment(unique))
        as_risk, as_owner = await bank.connect("risk", owner=False), await bank.connect("risk")
        try:
            for statement in (
                "UPDATE decisions SET outcome = 'approve'",
                "DELETE FROM decisions",
                "TRUNCATE decisions",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await as_risk.execute(statement)
                with pytest.raises(asyncpg.RestrictViolationError):
                    await as_owner.execute(statement)
        finally:
            await as_risk.close()
            await as_owner.close()


class TestRequest:
    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"amount_minor": 12.5}, "amount_minor"),
            ({"amount_minor": -1}, "amount_minor"),
            ({"amount_minor": 10**15 + 1}, "amount_minor"),
            ({"currency": "yuan"}, "currency"),
            ({"creditor_account": "a b"}, "creditor_account"),
            ({"at": "2026-03-02T04:00:00"}, "at"),
            ({"at": "soon"}, "at"),
            ({"ip_address": "300.1.1.1"}, "ip_address"),
            ({"device_id": "short"}, "device_id"),
            ({"limit": 1}, "limit"),
        ],
    )
    async def test_with_a_wrong_field_is_refused_by_its_name(
        self, bank: Bank, unique: str, change: dict, field: str
    ):
        async with bank.client("risk") as risk:
            response = await decide(risk, bank, payment(unique, **change))
        assert response.status_code == 422
        assert [error["field"] for error in response.json()["errors"]] == [field]

    async def test_from_the_future_is_refused(self, bank: Bank, unique: str):
        ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        async with bank.client("risk") as risk:
            response = await decide(risk, bank, payment(unique, at=ahead))
        assert response.status_code == 422
        assert response.json()["errors"][0]["field"] == "at"

    async def test_for_another_customer_than_the_token_s_is_refused(self, bank: Bank, unique: str):
        async with bank.client("risk", caller="payments", customer_id="c-other") as risk:
            response = await risk.post("/v1/decisions", json=payment(unique))
        assert response.status_code == 403
        assert response.json()["errors"][0]["field"] == "customer_id"

    async def test_is_taken_from_payments_alone(self, bank: Bank, unique: str):
        body = payment(unique)
        async with bank.client("risk") as nobody:
            assert (await nobody.post("/v1/decisions", json=body)).status_code == 401
        async with bank.client("risk", caller="gateway", customer_id=f"c-{unique}") as gateway:
            assert (await gateway.post("/v1/decisions", json=body)).status_code == 403
            assert (await gateway.get(f"/v1/decisions/{new_id()}")).status_code == 403
        async with bank.client("risk", roles=("operator",)) as staff:
            assert (await staff.post("/v1/decisions", json=body)).status_code == 403
            assert (await staff.get(f"/v1/decisions/{new_id()}")).status_code == 404

    async def test_for_the_model_is_answered_with_its_card(self, bank: Bank):
        async with bank.client("risk", roles=("reviewer",)) as reviewer:
            card = (await reviewer.get("/v1/model")).json()
        assert (card["name"], card["version"]) == ("fraud", "2026.2")
        assert card["features"] == list(FRAUD_INPUTS)
        assert card["metrics"]["auc"] > 0.95
