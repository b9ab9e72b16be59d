"""A loan with its sources: asked, kept, killed, taken back; all of it is in the record."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from services.risk.sources.domain import TERMS
from shared.kit.clock import new_id
from tests.bank import Bank
from tests.risk.applications.support import application, register
from tests.risk.sources.support import ALL, BANK_KEY, Outside, expected, known_customer
from tests.risk.support import another_risk, record


@dataclass
class Applicant:
    bank: Bank
    #: A process of risk that asks the simulated sources.
    risk: httpx.AsyncClient
    customer_id: str

    def _headers(self) -> dict[str, str]:
        token = self.bank.token("risk", caller="gateway", customer_id=self.customer_id)
        return {"authorization": f"Bearer {token}", "Idempotency-Key": new_id().hex}

    async def say(self, source: str, *, granted: bool) -> None:
        path = f"/v1/customers/{self.customer_id}/source-consents/{source}/credit"
        said = await self.risk.put(path, json={"granted": granted}, headers=self._headers())
        assert said.status_code == 200, said.text

    async def applies(self) -> dict[str, Any]:
        """Applies for a loan; the decision's record."""
        body = application("", customer_id=self.customer_id)
        made = await self.risk.post("/v1/loan-applications", json=body, headers=self._headers())
        assert made.status_code == 200, made.text
        return await record(self.bank, body["application_id"])

    async def grows_old(self, days: int) -> None:
        """What is kept was fetched so many days earlier."""
        connection = await self.bank.connect("risk")
        try:
            await connection.execute(
                "UPDATE source_answers SET fetched_at = fetched_at - make_interval(days => $2)"
                " WHERE customer_id = $1",
                self.customer_id,
                days,
            )
        finally:
            await connection.close()


@pytest.fixture
async def applicant(bank: Bank, outside: Outside, unique: str) -> AsyncIterator[Applicant]:
    customer_id = known_customer(unique)
    await asyncio.to_thread(bank.start, "identity")
    await register(bank, customer_id)
    settings = {
        "SOURCE_URLS": json.dumps({source: f"{outside.url}/{source}" for source in ALL}),
        "SOURCE_TIMEOUTS_MS": json.dumps(dict.fromkeys(ALL, 5_000)),
        "SOURCES_DEADLINE_MS": "5000",
        "SOURCE_KEYS": json.dumps(dict.fromkeys(ALL, BANK_KEY)),
    }
    async with another_risk(bank, **settings) as risk:
        yield Applicant(bank, risk, customer_id)


def states(kept: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    return {use["source"]: (use["state"], use["cause"]) for use in kept["sources"]}


#: Three days later, the sources dead, a consent never given and one taken back.
AFTER_THE_KILL = {
    "bureau": ("stale", "connection"),
    "court": ("stale", "connection"),
    "telecom": ("cached", None),
    "tax": ("refused_consent", None),
    "consumption": ("refused_consent", None),
}


class TestLoan:
    async def test_says_which_sources_it_used_at_what_age_and_why_not(
        self, applicant: Applicant, outside: Outside
    ):
        for source in set(ALL) - {"court", "tax"}:
            await applicant.say(source, granted=True)
        first = await applicant.applies()
        assert states(first) == dict.fromkeys(ALL, ("live", None)) | {
            "tax": ("refused_consent", None)
        }
        assert [flag for flag in first["degraded"] if "source" in flag] == ["source_no_consent.tax"]
        assert first["facts"]["sources"] == {
            source: None if source == "tax" else expected(source, applicant.customer_id)
            for source in ALL
        }
        cost = sum(use["cost_minor"] for use in first["sources"])
        assert cost == sum(TERMS[source].price_minor for source in set(ALL) - {"tax"})

        second = await applicant.applies()
        assert {state for state, _ in states(second).values()} == {"cached", "refused_consent"}
        assert sum(use["cost_minor"] for use in second["sources"]) == 0

        seen = (await applicant.risk.get("/metrics")).text
        for state in ("live", "cached"):
            assert f'tongbao_risk_source_uses_total{{source="court",state="{state}"}} 1.0' in seen
        assert 'tongbao_risk_source_breaker_open{source="court"} 0.0' in seen

        await applicant.say("consumption", granted=False)
        await applicant.grows_old(3)
        outside.kill()
        try:
            third = await applicant.applies()
        finally:
            outside.start()
        assert states(third) == AFTER_THE_KILL
        ages = {use["source"]: use["age_ms"] for use in third["sources"]}
        assert ages["bureau"] >= 3 * 86_400_000
        assert {flag for flag in third["degraded"] if "source" in flag} == {
            "source_stale.bureau",
            "source_stale.court",
            "source_no_consent.tax",
            "source_no_consent.consumption",
        }
        assert third["facts"]["sources"]["bureau"] == expected("bureau", applicant.customer_id)
