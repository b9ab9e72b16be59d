"""What the advisor promises of products and suitability, met over HTTP."""

from datetime import timedelta

import pytest

from shared.kit.clock import bank_date, utc_now
from tests.advisor.support import COPY_TO_DAY, assessment, complete, own_session, sql
from tests.bank import Bank


class TestProductList:
    @pytest.mark.parametrize(
        ("changed", "grade"),
        [
            ({"loss_acceptable": "none"}, "C1"),
            ({"horizon": "under_1y"}, "C2"),
            ({"age": "65_or_over"}, "C3"),
            ({}, "C5"),
        ],
    )
    async def test_holds_nothing_above_the_grade(
        self, bank: Bank, unique: str, changed: dict[str, str], grade: str
    ):
        async with own_session(bank, f"c-{unique}") as advisor:
            await complete(advisor, assessment(f"c-{unique}", **changed))
            listed = (await advisor.get(f"/v1/customers/c-{unique}/products")).json()
        assert listed["grade"] == grade
        assert max(product["rating"] for product in listed["items"]) == f"R{grade[1]}"
        assert all(product["notice"]["zh"] for product in listed["items"])
        assert grade in listed["reason"]["en"]

    async def test_is_empty_with_the_reason_before_an_assessment(self, bank: Bank, unique: str):
        async with own_session(bank, f"c-{unique}") as advisor:
            listed = (await advisor.get(f"/v1/customers/c-{unique}/products")).json()
        assert (listed["items"], listed["grade"]) == ([], None)
        assert "请先完成评估" in listed["reason"]["zh"]

    async def test_is_empty_with_the_reason_after_expiry(self, bank: Bank, unique: str):
        today = bank_date(utc_now())
        async with own_session(bank, f"c-{unique}") as advisor:
            await complete(advisor, assessment(f"c-{unique}"))
            async with sql(bank) as database:
                year_ago = today - timedelta(days=366)
                await database.execute(COPY_TO_DAY, f"c-{unique}", year_ago, today)
            listed = (await advisor.get(f"/v1/customers/c-{unique}/products")).json()
        assert (listed["items"], listed["grade"]) == ([], None)
        assert "expired" in listed["reason"]["en"]

    async def test_follows_the_latest_assessment(self, bank: Bank, unique: str):
        async with own_session(bank, f"c-{unique}") as advisor:
            await complete(advisor, assessment(f"c-{unique}"))
            await complete(advisor, assessment(f"c-{unique}", 0))
            listed = (await advisor.get(f"/v1/customers/c-{unique}/products")).json()
        assert listed["grade"] == "C1"
        assert {product["rating"] for product in listed["items"]} == {"R1"}


class TestSuitabilityCheck:
    async def test_says_whether_and_why(self, bank: Bank, unique: str):
        async with own_session(bank, f"c-{unique}") as advisor:
            await complete(advisor, assessment(f"c-{unique}", horizon="under_1y"))

            async def check(product_id: str, **amount: int) -> dict:
                body = {"customer_id": f"c-{unique}", "product_id": product_id} | amount
                response = await advisor.post("/v1/suitability-checks", json=body)
                assert response.status_code == 200, response.text
                return response.json()

            fits = await check("w-bond-12")
            assert (fits["suitable"], fits["reason_code"]) == (True, "suitable")
            bank_product = await check("w-eq-24")
            assert (bank_product["suitable"], bank_product["may_insist"]) == (False, False)
            fund = await check("f-idx-01")
            assert (fund["suitable"], fund["may_insist"]) == (False, True)
            assert (await check("w-bond-12", amount_minor=1))["reason_code"] == "below_minimum"

    async def test_refuses_more_than_the_customer_owns(self, bank: Bank, unique: str):
        poor = assessment(f"c-{unique}", financial_assets="under_50k")
        async with own_session(bank, f"c-{unique}") as advisor:
            await complete(advisor, poor)
            body = {"customer_id": f"c-{unique}", "product_id": "w-bond-12"}
            body |= {"amount_minor": 5_000_001}
            told = (await advisor.post("/v1/suitability-checks", json=body)).json()
        assert told["reason_code"] == "beyond_capacity"

    async def test_needs_a_grade(self, bank: Bank, unique: str):
        async with own_session(bank, f"c-{unique}") as advisor:
            body = {"customer_id": f"c-{unique}", "product_id": "w-cash-01"}
            told = (await advisor.post("/v1/suitability-checks", json=body)).json()
        assert (told["suitable"], told["reason_code"]) == (False, "no_grade")

    async def test_of_an_unknown_product_names_the_field(self, bank: Bank, unique: str):
        async with own_session(bank, f"c-{unique}") as advisor:
            body = {"customer_id": f"c-{unique}", "product_id": "moon"}
            response = await advisor.post("/v1/suitability-checks", json=body)
        assert response.status_code == 404
        assert response.json()["errors"][0]["field"] == "product_id"
