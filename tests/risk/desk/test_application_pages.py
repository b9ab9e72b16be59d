"""An application at the desk: its evidence, and a limit that a reviewer grants."""

import pytest

from services.risk.cases.credit import LimitUnfit
from services.risk.desk.applications import limit_of, value_of
from services.risk.policies.seeds import seed_program
from tests.risk.applications.support import application, applied, register, standing
from tests.risk.cases.support import Desk
from tests.risk.desk.support import Member, send, signed_in
from tests.risk.support import record


async def waiting(desk: Desk, product: str = "loan", **changes: object) -> dict:
    await register(desk.bank, f"c-{desk.unique}")
    body = application(desk.unique, product, **changes)
    assert (await applied(desk.bank, body, product))["state"] == "in_review"
    return body


class TestPage:
    async def test_shows_what_is_known_and_grants_a_limit(self, desk: Desk, reviewer: Member):
        body = await waiting(desk)
        path = f"/desk/cases/{body['application_id']}"
        price = seed_program("loan").price_of(
            (await record(desk.bank, body["application_id"]))["grade"]
        )
        assert price is not None
        async with signed_in(desk, reviewer) as client:
            page = await client.get(path)
            for text in (
                "Monthly income, as stated",
                "10,000.00 CNY",
                "Credit bureau",
                "no consent",
                f"{price / 100:.2f}%",
            ):
                assert text in page.text, text
            page = await send(client, f"{path}/take")
            assert "Limit granted, in yuan" in page.text
            verdict = {"reason_code": "documents_in_order", "limit": "25,000"}
            page = await send(client, f"{path}/verdict", **verdict)
            assert (page.status_code, "Name a limit" in page.text) == (422, True)
            assert 'value="25,000"' in page.text
            page = await send(client, f"{path}/verdict", **verdict | {"limit": "15,000.50"})
        assert "15,000.50 CNY" in page.text
        stands = await standing(desk.bank, body)
        assert (stands["state"], stands["limit_minor"]) == ("approved", 1_500_050)

    async def test_of_an_account_has_no_limit(self, desk: Desk, reviewer: Member):
        body = await waiting(desk, "account_opening", face_match=0.5)
        async with signed_in(desk, reviewer) as client:
            page = await send(client, f"/desk/cases/{body['application_id']}/take")
            assert "Face and document agree" in page.text
            assert "Limit granted" not in page.text
            done = await send(
                client,
                f"/desk/cases/{body['application_id']}/verdict",
                reason_code="documents_in_order",
            )
        assert done.status_code == 200
        assert (await standing(desk.bank, body))["state"] == "approved"

    async def test_speaks_chinese(self, desk: Desk, reviewer: Member):
        body = await waiting(desk)
        async with signed_in(desk, reviewer) as client:
            page = await client.get(f"/desk/cases/{body['application_id']}", params={"lang": "zh"})
        for text in ("申报月收入", "征信机构", "外部数据"):
            assert text in page.text


class TestLimit:
    @pytest.mark.parametrize(
        ("text", "minor"),
        [("", None), ("20000", 2_000_000), ("1,500.5", 150_050), ("0.01", 1)],
    )
    def test_is_written_in_yuan(self, text: str, minor: int | None):
        assert limit_of(text) == minor

    @pytest.mark.parametrize("text", ["0", "-1", "1e9", "1.234", "many", ",", "9" * 19])
    def test_that_is_none_is_refused(self, text: str):
        with pytest.raises(LimitUnfit):
            limit_of(text)


class TestFact:
    def test_is_shown_for_people(self):
        assert value_of("monthly_income_minor", 123, "en") == "1.23 CNY"
        assert value_of("identity_proven", True, "zh") == "是"
        assert value_of("face_match", 0.5, "en") == "0.50"
        assert value_of("age", None, "en") is None
