"""Counts of calls, as the partner and the bank see them."""

from tests.bank import Bank, eventually
from tests.gateway.support import staff

CONSENTS = "/v1/payment-consents"


class TestUsage:
    async def test_tells_calls_by_route_and_kind_of_answer(self, bank: Bank, outside, partner):
        for _ in range(3):
            await partner.get(CONSENTS)
        await partner.get(f"{CONSENTS}/01a20c5b-528f-7343-9c7f-1acdffeb8d25")

        async def counted() -> list[dict]:
            items = (await partner.get("/v1/usage")).json()["items"]
            return [one for one in items if one["endpoint"].startswith(f"GET {CONSENTS}")]

        async def both() -> list[dict] | None:
            found = await counted()
            return found if len(found) == 2 else None

        found = await eventually(both)
        told = {(one["endpoint"], one["status_class"]): one["calls"] for one in found}
        assert told == {
            (f"GET {CONSENTS}", 2): 3,
            (f"GET {CONSENTS}/{{consent_id}}", 4): 1,
        }
        path = f"/v1/partner-usage?partner_id={partner.partner_id}"
        seen = (await outside.get(path, headers=staff(bank))).json()["items"]
        assert [one for one in seen if one["endpoint"].startswith(f"GET {CONSENTS}")] == found
        assert (await outside.get(path)).status_code == 401

    async def test_is_asked_for_a_bounded_span(self, partner):
        refused = await partner.get("/v1/usage?from_day=2026-01-01&to_day=2026-12-31")
        assert (refused.status_code, refused.json()["code"]) == (422, "usage_span_refused")
