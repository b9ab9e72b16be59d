"""The routes of the sources: consent for the customer, state and cost for staff."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.risk.sources.domain import TERMS
from shared.kit.clock import new_id
from tests.bank import Bank
from tests.risk.sources.support import ALL, Asker


def key() -> dict[str, str]:
    return {"Idempotency-Key": new_id().hex}


@dataclass
class Me:
    """The gateway, for one customer."""

    client: httpx.AsyncClient
    path: str

    async def read(self) -> dict[str, Any]:
        response = await self.client.get(self.path)
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def say(self, path: str, *, key: str = "", **body: Any) -> httpx.Response:
        headers = {"Idempotency-Key": key or new_id().hex}
        return await self.client.put(f"{self.path}/{path}", json=body, headers=headers)


@pytest.fixture
async def me(bank: Bank, unique: str) -> AsyncIterator[Me]:
    async with bank.client("risk", caller="gateway", customer_id=f"c-{unique}") as client:
        yield Me(client, f"/v1/customers/c-{unique}/source-consents")


class TestSourceConsents:
    async def test_name_every_source_that_needs_one_in_both_languages(self, me: Me):
        items = (await me.read())["items"]
        named = {(item["source"], item["purpose"]) for item in items}
        assert named == {
            (source, purpose)
            for source, terms in TERMS.items()
            if terms.needs_consent
            for purpose in terms.purposes
        }
        for item in items:
            assert item["asks"]
            words = [item["title"], item["purpose_text"], *(it["meaning"] for it in item["asks"])]
            assert all(word["zh"] and word["en"] for word in words)

    async def test_hold_for_a_year_where_no_end_is_named(self, me: Me):
        given = (await me.say("tax/credit", granted=True)).json()
        until = datetime.fromisoformat(given["until"])
        assert until - datetime.fromisoformat(given["stated_at"]) == timedelta(days=365)
        assert given["granted"] is True

    async def test_keep_all_that_was_said(self, me: Me, bank: Bank, unique: str):
        await me.say("tax/credit", granted=True)
        await me.say("tax/credit", granted=False)
        found = await me.read()
        assert [said["granted"] for said in found["history"]] == [False, True]
        connection = await bank.connect("risk")
        try:
            for change in (
                "UPDATE source_consents SET granted = true",
                "DELETE FROM source_consents",
            ):
                with pytest.raises(Exception, match="never changed"):
                    await connection.execute(f"{change} WHERE customer_id = 'c-{unique}'")
        finally:
            await connection.close()

    async def test_are_said_once_for_a_key(self, me: Me):
        word = new_id().hex
        first = await me.say("tax/credit", key=word, granted=True)
        again = await me.say("tax/credit", key=word, granted=True)
        assert again.json() == first.json()
        other = await me.say("tax/credit", key=word, granted=False)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert len((await me.read())["history"]) == 1

    @pytest.mark.parametrize(
        ("path", "body", "status", "code", "field"),
        [
            ("court/credit", {"granted": True}, 404, "source_consent_unknown", None),
            ("tax/account_opening", {"granted": True}, 404, "source_consent_unknown", None),
            ("horoscope/credit", {"granted": True}, 422, "invalid_request", "source"),
            ("tax/revenge", {"granted": True}, 422, "invalid_request", "purpose"),
            ("tax/credit", {}, 422, "invalid_request", "granted"),
            ("tax/credit", {"granted": True, "more": 1}, 422, "invalid_request", "more"),
            ("tax/credit", {"granted": True, "until": "x"}, 422, "invalid_request", "until"),
        ],
    )
    async def test_are_refused_by_the_field_at_fault(
        self,
        me: Me,
        path: str,
        body: dict[str, Any],
        status: int,
        code: str,
        field: str | None,
    ):
        refused = await me.say(path, **body)
        assert (refused.status_code, refused.json()["code"]) == (status, code)
        assert refused.headers["content-type"] == "application/problem+json"
        assert [it["field"] for it in refused.json()["errors"]] == ([field] if field else [])
        assert (await me.read())["history"] == []

    @pytest.mark.parametrize(
        ("granted", "until"),
        [
            (True, timedelta(seconds=-1)),
            (True, timedelta(days=732)),
            (False, timedelta(days=1)),
        ],
    )
    async def test_end_within_two_years(self, me: Me, granted: bool, until: timedelta):
        end = (datetime.now(UTC) + until).isoformat()
        refused = await me.say("tax/credit", granted=granted, until=end)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == "until"

    async def test_end_at_a_time_with_an_offset(self, me: Me):
        refused = await me.say("tax/credit", granted=True, until="2027-01-01T00:00:00")
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "until")

    async def test_are_no_one_elses(self, bank: Bank, me: Me, unique: str):
        path = f"/v1/customers/c-{unique}/source-consents"
        body = {"granted": True}
        async with bank.client("risk", caller="gateway", customer_id="c-other") as other:
            assert (await other.get(path)).status_code == 403
            put = await other.put(f"{path}/tax/credit", json=body, headers=key())
            assert put.status_code == 403
        async with bank.client("risk", roles=("operator",)) as staff:
            assert (await staff.get(path)).status_code == 200
            # nobody says it for the customer
            put = await staff.put(f"{path}/tax/credit", json=body, headers=key())
            assert put.status_code == 403
        async with bank.client("risk", caller="payments") as other:
            assert (await other.get(path)).status_code == 403


class TestSources:
    async def test_are_shown_with_their_terms_their_breaker_and_their_last_day(
        self, asker: Asker, bank: Bank
    ):
        async with bank.client("risk", roles=("reviewer",)) as staff:
            before = (await staff.get("/v1/sources")).json()
            await asker.ask("court", now=datetime.now(UTC))
            await asker.ask("court", "tax", now=datetime.now(UTC))
            after = (await staff.get("/v1/sources")).json()
        items = {item["source"]: item for item in after["items"]}
        assert set(items) == set(ALL)
        court = items["court"]
        assert (court["is_configured"], court["breaker"]) == (False, "closed")
        assert court["kept_answers"] > 0
        assert (court["price_minor"], court["currency"]) == (TERMS["court"].price_minor, "CNY")
        grown = {
            (source, name): value - old["last_day"][name]
            for old in before["items"]
            for source, item in items.items()
            if source == old["source"]
            for name, value in item["last_day"].items()
        }
        assert grown["court", "calls"] == grown["court", "charged"] == 1
        assert grown["court", "cached"] == 1
        assert grown["court", "cost_minor"] == TERMS["court"].price_minor
        assert grown["tax", "refused_consent"] == 1
        assert grown["tax", "calls"] == 0

    async def test_cost_what_was_called_by_month_of_the_banks_own_time(
        self, asker: Asker, bank: Bank
    ):
        # the last minute of May in China, and the first of June
        may = datetime(2031, 5, 31, 15, 59, tzinfo=UTC)
        await asker.ask("court", now=may)
        await asker.ask("court", now=may + timedelta(minutes=2))
        await asker.ask("court", now=may + timedelta(days=3))
        async with bank.client("risk", roles=("operator",)) as staff:
            span = {"since": "2031-05", "until": "2031-06"}
            found = (await staff.get("/v1/source-costs", params=span)).json()
        price = TERMS["court"].price_minor
        assert [
            (it["month"], it["calls"], it["cached"], it["cost_minor"]) for it in found["items"]
        ] == [
            ("2031-06", 1, 1, price),
            ("2031-05", 1, 0, price),
        ]
        assert (found["total_minor"], found["currency"]) == (2 * price, "CNY")

    @pytest.mark.parametrize(
        "span",
        [
            {"since": "2026-13"},
            {"since": "May"},
            {"since": "2026-05", "until": "2026-04"},
            {"since": "2020-01", "until": "2026-04"},
        ],
    )
    async def test_cost_of_no_months_is_refused(self, bank: Bank, span: dict[str, str]):
        async with bank.client("risk", roles=("operator",)) as staff:
            refused = await staff.get("/v1/source-costs", params=span)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == "since"

    async def test_are_for_staff_and_costs_for_operators(self, bank: Bank):
        async with bank.client("risk", roles=("reviewer",)) as reviewer:
            assert (await reviewer.get("/v1/source-costs")).status_code == 403
        async with bank.client("risk", caller="gateway", customer_id="c-1") as gateway:
            assert (await gateway.get("/v1/sources")).status_code == 403
        async with bank.client("risk") as nobody:
            assert (await nobody.get("/v1/sources")).status_code == 401
