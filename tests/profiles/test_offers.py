"""What profiles promises of marketing consent and the next offer, met over HTTP."""

import asyncio

import asyncpg
import pytest

from shared.kit.clock import bank_date, utc_now
from tests.bank import Bank
from tests.profiles.support import agree, graded, own_session, read, registered, steady_saver, tell


class TestMarketingConsent:
    async def test_is_not_there_until_the_customer_gives_it(self, bank: Bank, unique: str):
        consent = await read(bank, f"c-{unique}", "marketing-consent")
        assert (consent["granted"], consent["updated_at"]) == (False, None)
        await agree(bank, f"c-{unique}")
        consent = await read(bank, f"c-{unique}", "marketing-consent")
        assert consent["granted"] is True

    async def test_repeated_under_its_key_has_one_effect(self, bank: Bank, unique: str):
        async with own_session(bank, f"c-{unique}") as profiles:

            async def say(granted: bool):
                return await profiles.put(
                    f"/v1/customers/c-{unique}/marketing-consent",
                    json={"granted": granted},
                    headers={"Idempotency-Key": "k"},
                )

            replies = await asyncio.gather(*(say(True) for _ in range(6)))
            other = await say(False)
        assert len({reply.text for reply in replies}) == 1
        assert other.json()["code"] == "idempotency_key_reused"
        connection = await bank.connect("profiles")
        try:
            count = "SELECT count(*) FROM marketing_consents WHERE customer_id = $1"
            assert await connection.fetchval(count, f"c-{unique}") == 1
        finally:
            await connection.close()

    @pytest.mark.parametrize("body", [{}, {"granted": "perhaps"}, {"granted": True, "until": 1}])
    async def test_that_is_unclear_is_refused_by_its_field(
        self, bank: Bank, unique: str, body: dict
    ):
        async with own_session(bank, f"c-{unique}") as profiles:
            response = await profiles.put(
                f"/v1/customers/c-{unique}/marketing-consent",
                json=body,
                headers={"Idempotency-Key": "k"},
            )
        assert response.status_code == 422
        assert response.json()["errors"][0]["field"] in {"granted", "until"}
        assert (await read(bank, f"c-{unique}", "marketing-consent"))["granted"] is False

    async def test_cannot_be_rewritten_by_the_service(self, bank: Bank, unique: str):
        await agree(bank, f"c-{unique}")
        connection = await bank.connect("profiles", owner=False)
        try:
            for statement in (
                "UPDATE marketing_consents SET granted = false",
                "DELETE FROM marketing_consents",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)
        finally:
            await connection.close()


class TestNextOffer:
    async def test_without_consent_is_generic_and_says_so(self, bank: Bank, unique: str):
        await tell(bank, [*steady_saver(f"c-{unique}"), graded(f"c-{unique}", "C3")])
        offer = await read(bank, f"c-{unique}", "next-offer")
        unknown = await read(bank, f"x-{unique}", "next-offer")
        assert offer["personalized"] is False
        assert "同意" in offer["reason"]["zh"]
        assert "agreed" in offer["reason"]["en"]
        # The same for everybody: nothing of the profile went into it.
        assert offer | {"customer_id": ""} == unknown | {"customer_id": ""}

    async def test_switched_off_binds_the_very_next_call(self, bank: Bank, unique: str):
        await tell(bank, [*steady_saver(f"c-{unique}"), graded(f"c-{unique}", "C3")])
        for granted in (True, False, True, False):
            await agree(bank, f"c-{unique}", granted=granted)
            offer = await read(bank, f"c-{unique}", "next-offer")
            assert offer["personalized"] is granted

    @pytest.mark.parametrize(
        ("grade", "offer_id"),
        [
            ("C1", "invest-cash"),
            ("C2", "invest-bond"),
            ("C3", "invest-mixed"),
            ("C4", "invest-equity"),
        ],
    )
    async def test_of_an_investment_fits_the_grade_and_carries_the_notice(
        self, bank: Bank, unique: str, grade: str, offer_id: str
    ):
        await tell(bank, [*steady_saver(f"c-{unique}"), graded(f"c-{unique}", grade)])
        await agree(bank, f"c-{unique}")
        offer = await read(bank, f"c-{unique}", "next-offer")
        assert (offer["offer_id"], offer["kind"]) == (offer_id, "investment")
        assert grade in offer["reason"]["zh"]
        assert grade in offer["reason"]["en"]
        assert offer["notice"]["zh"]

    async def test_without_a_live_grade_is_no_investment(self, bank: Bank, unique: str):
        expired = graded(f"b-{unique}", "C5", until=bank_date(utc_now()))
        await tell(bank, [*steady_saver(f"a-{unique}"), *steady_saver(f"b-{unique}"), expired])
        for customer_id in (f"a-{unique}", f"b-{unique}"):
            await agree(bank, customer_id)
            offer = await read(bank, customer_id, "next-offer")
            assert (offer["kind"], offer["personalized"]) == ("deposit", True)

    async def test_is_generic_where_nothing_fits(self, bank: Bank, unique: str):
        await tell(bank, [registered(f"c-{unique}")])
        await agree(bank, f"c-{unique}")
        offer = await read(bank, f"c-{unique}", "next-offer")
        assert offer["personalized"] is False
        assert offer["offer_id"]
