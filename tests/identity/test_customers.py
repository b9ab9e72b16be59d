"""Customers, seen from outside."""

import asyncio

import pytest

from tests.bank import Bank, eventually
from tests.identity.support import BULK, customer, register


class TestRegisteringCustomers:
    async def test_stores_them_and_tells_of_them_without_a_name(
        self, bank: Bank, unique: str
    ) -> None:
        customer_id = f"c-{unique}"
        async with bank.client("identity", roles=("operator",)) as client:
            count = await register(
                client,
                customer(
                    customer_id, district="Xihu", born_on="1980-02-29", phone="+8613800138000"
                ),
            )
            assert count == {"created": 1, "unchanged": 0}
            read = (await client.get(f"/v1/customers/{customer_id}")).json()
        assert read == {
            "customer_id": customer_id,
            "full_name": "王小明",
            "born_on": "1980-02-29",
            "district": "Xihu",
            "registered_on": "2026-01-05",
            "can_sign_in": False,
        }
        (envelope,) = await eventually(lambda: bank.events("identity.customer.v1", key=customer_id))
        assert envelope["type"] == "CustomerRegistered"
        assert envelope["data"] == {
            "customer_id": customer_id,
            "registered_on": "2026-01-05",
            "district": "Xihu",
        }

    async def test_changes_nothing_the_second_time(self, bank: Bank, unique: str) -> None:
        items = [customer(f"c-{unique}-{number}") for number in range(3)]
        async with bank.client("identity", roles=("operator",)) as client:
            await register(client, *items[:2])
            assert await register(client, *items) == {"created": 1, "unchanged": 2}
            assert await register(client, *items, items[0]) == {"created": 0, "unchanged": 4}
        for item in items:
            key = item["customer_id"]
            envelopes = await eventually(
                lambda key=key: bank.events("identity.customer.v1", key=key)
            )
            assert len(envelopes) == 1

    @pytest.mark.parametrize("place", [0, 1])
    async def test_is_refused_as_a_whole_where_one_has_other_content(
        self, bank: Bank, unique: str, place: int
    ) -> None:
        known, new = customer(f"c-{unique}-b"), customer(f"c-{unique}-{'ac'[place]}")
        async with bank.client("identity", roles=("operator",)) as client:
            await register(client, known)
            changed = known | {"district": "Gongshu"}
            response = await client.post(BULK, json={"customers": [changed, new]})
            assert response.status_code == 409
            assert response.json()["code"] == "customer_exists"
            assert known["customer_id"] in response.json()["detail"]
            assert (await client.get(f"/v1/customers/{new['customer_id']}")).status_code == 404
            read = (await client.get(f"/v1/customers/{known['customer_id']}")).json()
        assert read["district"] is None

    async def test_is_refused_where_a_batch_tells_one_two_ways(
        self, bank: Bank, unique: str
    ) -> None:
        one = customer(f"c-{unique}")
        async with bank.client("identity", roles=("operator",)) as client:
            two_ways = [one, one | {"full_name": "李四"}]
            response = await client.post(BULK, json={"customers": two_ways})
            assert response.status_code == 409
            assert (await client.get(f"/v1/customers/{one['customer_id']}")).status_code == 404

    async def test_has_one_effect_where_the_same_batch_comes_many_times_at_once(
        self, bank: Bank, unique: str
    ) -> None:
        items = [customer(f"c-{unique}-{number}") for number in range(50)]
        async with bank.client("identity", roles=("operator",)) as client:
            counts = await asyncio.gather(
                *(register(client, *(items if turn % 2 else items[::-1])) for turn in range(6))
            )
        assert sum(count["created"] for count in counts) == 50
        assert sum(count["unchanged"] for count in counts) == 250

    async def test_takes_a_thousand_at_once_and_no_more(self, bank: Bank, unique: str) -> None:
        items = [customer(f"c-{unique}-{number:04}") for number in range(1_001)]
        async with bank.client("identity", roles=("operator",)) as client:
            refused = await client.post(BULK, json={"customers": items})
            assert refused.status_code == 422
            assert refused.json()["errors"][0]["field"] == "customers"
            assert await register(client, *items[:1_000]) == {"created": 1_000, "unchanged": 0}

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("customer_id", "no spaces"),
            ("full_name", "  "),
            ("born_on", "1980-02-30"),
            ("phone", "call me"),
            ("nickname", "unknown field"),
        ],
    )
    async def test_names_the_field_that_is_wrong(
        self, bank: Bank, unique: str, field: str, value: str
    ) -> None:
        wrong = customer(f"c-{unique}") | {field: value}
        async with bank.client("identity", roles=("operator",)) as client:
            response = await client.post(BULK, json={"customers": [wrong]})
        assert response.status_code == 422
        assert response.json()["errors"][0]["field"] == f"customers.0.{field}"
        assert value.strip() == "" or value not in response.text

    async def test_is_for_operators_alone(self, bank: Bank, unique: str) -> None:
        body = {"customers": [customer(f"c-{unique}")]}
        async with bank.client("identity") as nobody:
            assert (await nobody.post(BULK, json=body)).status_code == 401
        for caller in ("gateway", "payments"):
            async with bank.client("identity", caller=caller) as client:
                assert (await client.post(BULK, json=body)).status_code == 403
        for role in ("admin", "reviewer"):
            async with bank.client("identity", roles=(role,)) as client:
                assert (await client.post(BULK, json=body)).status_code == 403


class TestReadingCustomers:
    async def test_goes_through_all_of_them_a_page_at_a_time(self, bank: Bank, unique: str) -> None:
        ids = [f"c-{unique}-{number}" for number in range(5)]
        async with bank.client("identity", roles=("operator",)) as client:
            await register(client, *(customer(customer_id) for customer_id in ids))
            seen, after = [], f"c-{unique}"
            while len(seen) < 5:
                params = {"after": after, "limit": 2}
                page = (await client.get("/v1/customers", params=params)).json()
                assert len(page["items"]) <= 2
                seen += [item["customer_id"] for item in page["items"]]
                after = page["next_after"] or seen[-1]
        assert seen[:5] == ids

    async def test_ends_with_a_page_that_names_no_next(self, bank: Bank, unique: str) -> None:
        async with bank.client("identity", roles=("operator",)) as client:
            await register(client, customer(f"c-{unique}"))
            page = (await client.get("/v1/customers", params={"after": "zzzzzzzz"})).json()
        assert page == {"items": [], "next_after": None}

    async def test_says_that_one_is_not_there(self, bank: Bank, unique: str) -> None:
        async with bank.client("identity", caller="gateway") as client:
            for path in ("", "/account-rights", "/reference-records"):
                response = await client.get(f"/v1/customers/c-{unique}{path}")
                assert response.status_code == 404
                assert response.json()["code"] == "customer_not_found"

    async def test_is_not_for_everybody(self, bank: Bank, unique: str) -> None:
        async with bank.client("identity", caller="ledger") as client:
            assert (await client.get(f"/v1/customers/c-{unique}")).status_code == 403
        async with bank.client("identity", caller="gateway") as client:
            assert (await client.get("/v1/customers")).status_code == 403
