"""Limits as rules, and the same rules in the database, where replicas share them."""

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.limits.domain import (
    DAY_S,
    Verdict,
    day_of,
    headers,
    share,
    share_of_day,
    take,
    verdict_of,
)
from tests.bank import Bank
from tests.gateway.support import gateway_process, register_partner, staff

CONSENTS = "/v1/payment-consents"
NOW = datetime(2026, 3, 1, 15, 59, tzinfo=UTC)


def one(verdict: bool, *shares) -> dict[str, str]:
    return headers(Verdict(allowed=verdict, shares=shares))


class TestLimit:
    def test_lets_a_burst_of_one_minute_pass_and_no_more(self):
        full_at_s = None
        for _ in range(7):
            full_at_s, allowed = take(full_at_s, limit=7, now_s=0)
            assert allowed
        full_at_s, allowed = take(full_at_s, limit=7, now_s=0)
        assert not allowed
        left = share("partner", limit=7, full_at_s=full_at_s, now_s=0)
        assert (left.remaining, left.retry_after_s, left.reset_s) == (0, 9, 60)

    def test_lets_the_next_pass_after_the_time_that_it_told(self):
        full_at_s, _ = take(None, limit=3, now_s=0)
        for _ in range(2):
            full_at_s, _ = take(full_at_s, limit=3, now_s=0)
        wait_s = share("partner", limit=3, full_at_s=full_at_s, now_s=0).retry_after_s
        assert take(full_at_s, limit=3, now_s=wait_s)[1]
        assert not take(full_at_s, limit=3, now_s=wait_s - 1)[1]

    def test_lets_nothing_pass_at_zero(self):
        assert not take(None, limit=0, now_s=0)[1]
        told = one(False, share("partner", limit=0, full_at_s=0, now_s=0))
        assert told["Retry-After"] == "60"

    def test_obeys_a_change_at_once(self):
        full_at_s, _ = take(None, limit=100, now_s=0)
        full_at_s, allowed = take(full_at_s, limit=2, now_s=0)
        assert allowed
        assert not take(full_at_s, limit=2, now_s=0)[1]
        assert take(full_at_s, limit=100, now_s=0)[1]

    def test_is_not_fooled_by_a_clock_that_goes_back(self):
        full_at_s, _ = take(None, limit=1, now_s=100)
        assert not take(full_at_s, limit=1, now_s=0)[1]

    def test_of_a_day_ends_at_midnight_in_china(self):
        left = share_of_day(limit=2, calls=2, now=NOW)
        assert (left.remaining, left.reset_s, left.retry_after_s) == (0, 60, 60)
        assert str(day_of(NOW)) == "2026-03-01"

    def test_is_told_with_every_other(self):
        verdict = verdict_of(
            "day",
            limits=[60, None, 6, 5],
            standing=[1.0, 0, 10.0, 5],
            now=datetime.fromtimestamp(0, UTC),
        )
        told = headers(verdict)
        assert told["RateLimit-Policy"] == (
            f'"partner";q=60;w=60, "endpoint";q=6;w=60, "day";q=5;w={DAY_S}'
        )
        assert told["RateLimit"] == '"partner";r=59;t=1, "endpoint";r=5;t=10, "day";r=0;t=57600'
        assert told["Retry-After"] == "57600"

    @given(st.integers(1, 600), st.lists(st.floats(0, 5), min_size=1, max_size=200))
    def test_never_passes_more_than_a_burst_and_the_rate(self, limit, gaps):
        full_at_s, now_s, passed = None, 0.0, 0
        for gap in gaps:
            now_s += gap
            full_at_s, allowed = take(full_at_s, limit=limit, now_s=now_s)
            passed += allowed
        assert passed <= limit + now_s * limit / 60 + 1e-3 * limit


@pytest.fixture
async def database(bank: Bank):
    connection = await bank.connect("gateway", owner=False)
    yield connection
    await connection.close()


async def under_plan(bank: Bank, client, partner, **limits) -> str:
    """A plan of the partner's own, made and given."""
    plan = f"plan-{partner.partner_id}"
    for path, body in (
        (f"/v1/plans/{plan}", limits),
        (f"/v1/partners/{partner.partner_id}/plan", {"plan": plan}),
    ):
        answer = await client.put(path, json=body | {"reason": "test"}, headers=staff(bank))
        assert answer.status_code == 200, answer.text
    return plan


class TestSharedLimit:
    async def test_counts_in_the_database_as_the_rule_says(
        self, bank: Bank, outside, unique, database
    ):
        partner = await register_partner(bank, outside, unique, rate_limit_per_minute=7)
        full_at_s, now_s = None, 1_000_000.0
        for gap in [0, 0, 0, 1.5, 0, 0, 0, 0, 0, 9, 0, 8.6, 0, 70, 0, 0]:
            now_s += gap
            full_at_s, allowed = take(full_at_s, limit=7, now_s=now_s)
            row = await database.fetchrow(
                "SELECT * FROM take_call(true, $1, NULL, 'GET /x', $2, '2026-01-01')",
                partner.partner_id,
                now_s,
            )
            assert (row["refused"] is None) == allowed
            assert row["standing"][0] == pytest.approx(full_at_s, abs=1e-3)

    async def test_of_calls_at_once_passes_its_number_over_all_replicas(
        self, bank: Bank, outside, unique
    ):
        partner = await register_partner(bank, outside, unique)
        # Of a day, since a minute's limit grows while a busy machine takes its time.
        await under_plan(bank, outside, partner, calls_per_day=8)
        await partner.sign_in()
        with gateway_process(bank, PUBLIC_URL=partner.origin) as other:
            headers_of = [partner.headers("GET", CONSENTS) for _ in range(16)]
            answers = await asyncio.gather(
                *(
                    outside.get((other if number % 2 else "") + CONSENTS, headers=given)
                    for number, given in enumerate(headers_of)
                )
            )
        assert sorted(answer.status_code for answer in answers) == [200] * 7 + [429] * 9

    async def test_takes_nothing_for_a_call_that_is_refused(
        self, bank: Bank, outside, partner, database
    ):
        await under_plan(bank, outside, partner, per_endpoint_per_minute={f"GET {CONSENTS}": 1})
        answers = [await partner.get(CONSENTS) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 429, 429, 429]
        calls = await database.fetchval(
            "SELECT calls FROM call_rates WHERE owner = $1", f"partner {partner.partner_id}"
        )
        assert calls == 2  # the token and the one call


class TestPlan:
    async def test_never_adds_to_the_partner_s_own_limit(self, bank: Bank, outside, unique):
        partner = await register_partner(bank, outside, unique, rate_limit_per_minute=4)
        await under_plan(bank, outside, partner, per_partner_per_minute=5)
        await partner.sign_in()
        answers = [await partner.get(CONSENTS) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]

    async def test_binds_the_next_call_and_zero_means_none(self, bank: Bank, outside, partner):
        assert (await partner.get(CONSENTS)).status_code == 200
        plan = await under_plan(bank, outside, partner, per_partner_per_minute=0)
        refused = await partner.get(CONSENTS)
        assert refused.status_code == 429
        assert refused.headers["ratelimit-policy"].startswith('"partner";q=0;w=60')
        body = {"per_partner_per_minute": None, "reason": "a null is no limit"}
        await outside.put(f"/v1/plans/{plan}", json=body, headers=staff(bank))
        assert (await partner.get(CONSENTS)).status_code == 200

    async def test_limits_one_endpoint_and_leaves_others(self, bank: Bank, outside, partner):
        await under_plan(bank, outside, partner, per_endpoint_per_minute={"GET /v1/payments": 0})
        assert (await partner.get("/v1/payments")).status_code == 429
        assert (await partner.get(CONSENTS)).status_code == 200

    async def test_limits_the_calls_of_a_day(self, bank: Bank, outside, partner):
        await under_plan(bank, outside, partner, calls_per_day=3)
        answers = [await partner.get(CONSENTS) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert '"day";r=0' in answers[2].headers["ratelimit"]
        assert "day" in answers[2].json()["detail"]

    async def test_is_changed_once_and_in_the_audit_log(self, bank: Bank, outside, partner):
        plan = await under_plan(bank, outside, partner, calls_per_day=3)
        await under_plan(bank, outside, partner, calls_per_day=3)
        database = await bank.connect("gateway")
        told = await database.fetch("SELECT envelope FROM outbox WHERE topic = 'identity.audit.v1'")
        await database.close()
        actions = [row["envelope"] for row in told]
        assert sum(f'"subject":"{plan}"' in text for text in actions) == 1
        shown = await outside.get(f"/v1/plans/{plan}", headers=staff(bank))
        assert shown.json()["calls_per_day"] == 3

    async def test_is_staff_s_business_and_must_be_there(self, bank: Bank, outside, partner):
        body = {"plan": "no-such-plan", "reason": "x"}
        path = f"/v1/partners/{partner.partner_id}/plan"
        assert (await outside.put(path, json=body)).status_code == 401
        missing = await outside.put(path, json=body, headers=staff(bank))
        assert (missing.status_code, missing.json()["code"]) == (404, "plan_not_found")
        bad = {"per_partner_per_minute": -1, "reason": "x"}
        refused = await outside.put("/v1/plans/bad", json=bad, headers=staff(bank))
        assert refused.status_code == 422
