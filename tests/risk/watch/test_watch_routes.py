"""The routes of the watch: who may do what, and what is told of it."""

import uuid
from datetime import UTC, datetime

import pytest

from services.risk.watch import counting, jobs
from services.risk.watch.domain import DEFAULT_LIMITS, MEASURES
from tests.bank import Bank, eventually
from tests.risk.policies.support import staff
from tests.risk.support import decided, payment
from tests.risk.watch.support import REFERENCE
from tests.risk.watch.test_roll_back import GUARD, database

__all__ = ["database"]
LIMIT = {"span": "day", "warning": 0.12, "critical": 0.4, "least": 70, "reason": "a test"}


class TestWatch:
    async def test_shows_what_was_decided(self, bank: Bank, unique: str, database):
        async with bank.client("risk") as client:
            body = payment(unique, at=datetime.now(UTC).isoformat())
            made = await decided(client, bank, body)
        await jobs.one_round(database, reference=REFERENCE, now=datetime.now(UTC) + counting.LAG)
        async with staff(bank, "s-reviewer", roles=("reviewer",)) as reviewer:
            watch = (await reviewer.get("/v1/watch")).json()
        (policy,) = (one for one in watch["policies"] if one["policy"] == made["policy"])
        hour = policy["windows"]["hour"]
        assert policy["in_force"]
        assert hour["decisions"] >= 1
        assert (
            sum(hour[name]["hits"] for name in ("approved", "reviewed", "declined"))
            == (hour["decisions"])
        )
        assert 0 < hour["latency_p50_ms"] <= hour["latency_p99_ms"]
        (model,) = (one for one in watch["models"] if one["model"] == made["model"])
        assert {shift["seen"] for shift in model["drift"]["day"]} >= {
            model["windows"]["hour"]["decisions"]
        }
        assert next(one["name"] for one in model["drift"]["day"]) == "score"
        assert len(model["drift"]["day"]) == 1 + len(REFERENCE.features)

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/v1/watch"),
            ("GET", "/v1/watch/limits"),
            ("GET", "/v1/watch/guards"),
            ("PUT", "/v1/watch/alarms/01a1b2c3-0000-7000-8000-000000000001/acknowledgement"),
        ],
    )
    async def test_is_for_staff_alone(self, bank: Bank, method: str, path: str):
        async with bank.client("risk", caller="payments") as service:
            assert (await service.request(method, path, json={})).status_code == 403
        async with bank.client("risk", roles=("admin",)) as admin:
            assert (await admin.request(method, path, json={})).status_code == 403

    async def test_of_an_unknown_alarm_finds_none(self, bank: Bank):
        async with staff(bank, "s-operator") as operator:
            answer = await operator.put(f"/v1/watch/alarms/{uuid.uuid4()}/acknowledgement", json={})
        assert (answer.status_code, answer.json()["code"]) == (404, "alarm_not_found")


class TestLimits:
    async def test_are_changed_by_an_operator_and_told(self, bank: Bank, unique: str):
        staff_id = f"s-{unique}"
        async with staff(bank, staff_id) as operator:
            path = "/v1/watch/limits/label_delay_h"
            changed = await operator.put(path, params={"product": "card"}, json=LIMIT)
            assert changed.status_code == 200, changed.text
            items = (await operator.get("/v1/watch/limits")).json()["items"]
        found = {(one["measure"], one["product"]): one for one in items}
        own = found["label_delay_h", "card"]
        assert {name: own[name] for name in LIMIT} == LIMIT
        assert own["changed_by"] == staff_id
        assert found["label_delay_h", ""]["changed_by"] is None
        assert {one.measure for one in DEFAULT_LIMITS} == set(MEASURES)

        async def audited() -> bool:
            events = await bank.events("identity.audit.v1", key=staff_id)
            return [(e["data"]["action"], e["data"]["subject"]) for e in events] == [
                ("watch.limit", "label_delay_h card")
            ]

        await eventually(audited)

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"critical": 0.1}, "critical"),
            ({"warning": 0}, "warning"),
            ({"warning": "much"}, "warning"),
            ({"span": "year"}, "span"),
            ({"least": 0}, "least"),
            ({"reason": ""}, "reason"),
        ],
    )
    async def test_refuse_what_is_none(self, bank: Bank, change: dict, field: str):
        async with staff(bank, "s-operator") as operator:
            answer = await operator.put("/v1/watch/limits/decline_rate", json=LIMIT | change)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == field

    async def test_are_no_reviewer_s_to_change(self, bank: Bank):
        async with staff(bank, "s-reviewer", roles=("reviewer",)) as reviewer:
            limit = await reviewer.put("/v1/watch/limits/decline_rate", json=LIMIT)
            guard = await reviewer.put("/v1/watch/guards/payment", json=GUARD)
        assert (limit.status_code, guard.status_code) == (403, 403)


class TestGuards:
    async def test_are_listed_for_every_product(self, bank: Bank):
        async with staff(bank, "s-operator") as operator:
            changed = await operator.put(
                "/v1/watch/guards/loan", json=GUARD | {"is_on": False, "hours": 48}
            )
            assert changed.status_code == 200, changed.text
            items = (await operator.get("/v1/watch/guards")).json()["items"]
        found = {one["product"]: one for one in items}
        assert set(found) == {"payment", "account_opening", "loan", "card"}
        assert (found["loan"]["is_on"], found["loan"]["hours"]) == (False, 48)
        assert found["card"]["is_on"]
