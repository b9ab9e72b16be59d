"""Reading payments, payees and standing orders, and what the database itself refuses."""

from typing import Any

import asyncpg
import pytest

from tests.payments.stage import Accounts, Stage


class TestList:
    async def test_is_newest_first_and_goes_on_where_it_ended(
        self, stage: Stage, accounts: Accounts
    ):
        bodies = [accounts.body(amount_minor=1) for _ in range(5)]
        for body in bodies:
            await stage.pay(body)
        newest_first = [body["payment_id"] for body in reversed(bodies)]
        seen: list[str] = []
        params = {"customer_id": accounts.customer, "limit": "2"}
        async with stage.gateway(bodies[0]) as client:
            while True:
                page = (await client.get("/v1/payments", params=params)).json()
                assert len(page["items"]) <= 2
                seen += [item["payment_id"] for item in page["items"]]
                if page["next_before"] is None:
                    break
                params["before"] = page["next_before"]
        assert seen == newest_first

    @pytest.mark.parametrize(
        ("name", "attribute"),
        [("customer_id", "customer"), ("debtor_account", "debtor")],
    )
    async def test_finds_by_each_of_its_filters(
        self, stage: Stage, accounts: Accounts, name: str, attribute: str
    ):
        body = accounts.body()
        await stage.pay(body)
        params = {name: getattr(accounts, attribute)}
        async with stage.bank.client("payments", roles=("operator",)) as client:
            found = (await client.get("/v1/payments", params=params)).json()["items"]
            assert [item["payment_id"] for item in found] == [body["payment_id"]]
            params |= {"state": "rejected"}
            assert (await client.get("/v1/payments", params=params)).json()["items"] == []

    @pytest.mark.parametrize("limit", ["0", "101", "x"])
    async def test_has_a_bound(self, stage: Stage, limit: str):
        async with stage.bank.client("payments", roles=("operator",)) as client:
            response = await client.get("/v1/payments", params={"limit": limit})
        assert response.status_code == 422

    async def test_shows_a_partner_its_own_alone(
        self, stage: Stage, accounts: Accounts, unique: str
    ):
        mine = accounts.body(partner_id=f"p-{unique}")
        other = accounts.body()
        for body in (mine, other):
            await stage.pay(body)
        async with stage.bank.client(
            "payments", caller="gateway", partner_id=f"p-{unique}"
        ) as client:
            found = (await client.get("/v1/payments")).json()["items"]
            assert [item["payment_id"] for item in found] == [mine["payment_id"]]
            asked = {"partner_id": accounts.partner}
            assert (await client.get("/v1/payments", params=asked)).status_code == 403
            path = f"/v1/payments/{other['payment_id']}"
            assert (await client.get(path)).status_code == 404
            path = f"/v1/payments/{mine['payment_id']}"
            assert (await client.get(path)).json()["payment_id"] == mine["payment_id"]

    async def test_shows_a_customer_their_own_alone(
        self, stage: Stage, accounts: Accounts, unique: str
    ):
        body = accounts.body()
        await stage.pay(body)
        path = f"/v1/payments/{body['payment_id']}"
        for customer, status, number in ((accounts.customer, 200, 1), (f"x-{unique}", 404, 0)):
            async with stage.bank.client(
                "payments", caller="gateway", customer_id=customer
            ) as client:
                assert (await client.get(path)).status_code == status
                assert len((await client.get("/v1/payments")).json()["items"]) == number
                asked = {"customer_id": "somebody-else"}
                assert (await client.get("/v1/payments", params=asked)).status_code == 403

    async def test_is_not_for_a_caller_that_speaks_for_nobody(self, stage: Stage):
        async with stage.bank.client("payments", caller="gateway") as client:
            assert (await client.get("/v1/payments")).status_code == 403
        async with stage.bank.client("payments", caller="profiles") as client:
            assert (await client.get("/v1/payments")).status_code == 403


class TestPayees:
    async def test_count_settled_payments_alone(
        self, stage: Stage, accounts: Accounts, unique: str
    ):
        other = await stage.accounts(f"{unique}2", funds=0)
        second = {"account_id": other.creditor, "name": "Other"}
        for body in (
            accounts.body(creditor=second),
            accounts.body(),
            accounts.body(creditor={"account_id": accounts.creditor, "name": "王小明（新）"}),
        ):
            assert (await stage.pay(body)).json()["state"] == "settled"
        stage.risk.says[accounts.debtor] = "decline"
        await stage.pay(accounts.body(creditor=second))
        path = f"/v1/customers/{accounts.customer}/payees"
        async with stage.bank.client(
            "payments", caller="gateway", customer_id=accounts.customer
        ) as client:
            items = (await client.get(path)).json()["items"]
        assert [(item["account_id"], item["name"], item["payments"]) for item in items] == [
            (accounts.creditor, "王小明（新）", 2),
            (other.creditor, "Other", 1),
        ]
        first = (await stage.pay(accounts.body())).json()  # declined: later than all
        assert all(item["first_paid_at"] < first["received_at"] for item in items)

    async def test_are_no_business_of_another(self, stage: Stage, accounts: Accounts):
        path = f"/v1/customers/{accounts.customer}/payees"
        for who in (
            {"partner_id": "p-shop", "customer_id": accounts.customer},
            {"customer_id": "x"},
        ):
            async with stage.bank.client("payments", caller="gateway", **who) as client:
                assert (await client.get(path)).status_code == 403


def order(unique: str, number: int, **fields: Any) -> dict[str, Any]:
    return {
        "order_id": f"{unique}:{number}",
        "debtor_account": f"d-{unique}",
        "creditor_bank": "YZ",
        "creditor_account": "87144583",
        "amount_minor": 245_200,
        "currency": "CZK",
        "purpose": "household",
    } | fields


class TestStandingOrders:
    async def test_are_stored_inactive_and_a_repeat_changes_nothing(
        self, stage: Stage, unique: str
    ):
        orders = {"orders": [order(unique, n) for n in range(3)]}
        async with stage.bank.client("payments", roles=("operator",)) as client:
            first = await client.post("/v1/standing-orders/bulk", json=orders)
            assert first.json() == {"created": 3, "unchanged": 0}, first.text
            more = {"orders": [*orders["orders"], order(unique, 3)]}
            second = await client.post("/v1/standing-orders/bulk", json=more)
            assert second.json() == {"created": 1, "unchanged": 3}
            found = await client.get(
                "/v1/standing-orders", params={"debtor_account": f"d-{unique}"}
            )
        items = found.json()["items"]
        assert [item["order_id"] for item in items] == [f"{unique}:{n}" for n in range(4)]
        assert not any(item["active"] for item in items)
        assert items[0]["amount_minor"] == 245_200
        assert items[0]["creditor_bank"] == "YZ"

    @pytest.mark.parametrize("twice_in_one", [True, False])
    async def test_with_another_content_are_refused_whole(
        self, stage: Stage, unique: str, twice_in_one: bool
    ):
        kept, changed = order(unique, 1), order(unique, 1, amount_minor=1)
        async with stage.bank.client("payments", roles=("operator",)) as client:
            if not twice_in_one:
                await client.post("/v1/standing-orders/bulk", json={"orders": [kept]})
            batch = [order(unique, 0), *([kept] if twice_in_one else []), changed]
            response = await client.post("/v1/standing-orders/bulk", json={"orders": batch})
            assert response.status_code == 409
            assert response.json()["code"] == "standing_order_exists"
            place = len(batch) - 1
            assert response.json()["errors"][0]["field"] == f"orders.{place}.order_id"
            found = await client.get(
                "/v1/standing-orders", params={"debtor_account": f"d-{unique}"}
            )
        assert len(found.json()["items"]) == (0 if twice_in_one else 1)

    async def test_come_a_thousand_at_once_and_no_more(self, stage: Stage, unique: str):
        orders = [order(unique, n) for n in range(1_001)]
        async with stage.bank.client("payments", roles=("operator",)) as client:
            many = await client.post("/v1/standing-orders/bulk", json={"orders": orders})
            assert many.status_code == 422
            full = await client.post("/v1/standing-orders/bulk", json={"orders": orders[:1_000]})
            assert full.json() == {"created": 1_000, "unchanged": 0}

    async def test_are_for_operators_alone(self, stage: Stage, unique: str):
        body = {"orders": [order(unique, 0)]}
        for who in ({"caller": "gateway"}, {"roles": ("reviewer",)}):
            async with stage.bank.client("payments", **who) as client:
                response = await client.post("/v1/standing-orders/bulk", json=body)
                assert response.status_code == 403


class TestDatabase:
    """What it refuses whoever writes."""

    @pytest.mark.parametrize("word", ["approve", "decline"])
    async def test_keeps_an_ended_payment_as_it_ended(
        self, stage: Stage, accounts: Accounts, word: str
    ):
        stage.risk.says[accounts.debtor] = word
        payment = (await stage.pay(accounts.body())).json()["payment_id"]
        for statement in (
            "UPDATE payments SET state = 'received' WHERE payment_id = $1",
            "UPDATE payments SET amount_minor = 1 WHERE payment_id = $1",
            "DELETE FROM payments WHERE payment_id = $1",
        ):
            with pytest.raises(asyncpg.PostgresError, match="final"):
                await stage.sql("payments", statement, payment)

    @pytest.mark.parametrize(
        "change",
        [
            "state = 'settled', due_at = NULL",
            "state = 'rejected', due_at = NULL, reason_codes = '{}'",
            "due_at = NULL",
            "review_until = NULL",
            "transfer_id = payment_id",
            "creditor_account = debtor_account",
        ],
    )
    async def test_stores_no_payment_that_contradicts_itself(
        self, stage: Stage, accounts: Accounts, change: str
    ):
        stage.risk.says[accounts.debtor] = "review"
        payment = (await stage.pay(accounts.body())).json()["payment_id"]
        with pytest.raises(asyncpg.CheckViolationError):
            await stage.sql(
                "payments", f"UPDATE payments SET {change} WHERE payment_id = $1", payment
            )

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE payments SET amount_minor = 1",
            "UPDATE payments SET debtor_account = 'x'",
            "DELETE FROM payments",
            "TRUNCATE payments",
            "DELETE FROM payees",
            "UPDATE standing_orders SET active = true",
        ],
    )
    async def test_lets_the_service_change_no_more_than_it_must(self, stage: Stage, statement: str):
        connection = await stage.bank.connect("payments", owner=False)
        try:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        finally:
            await connection.close()
