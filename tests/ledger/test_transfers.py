"""What the ledger promises of transfers, met over HTTP."""

import asyncio

import pytest

from shared.kit.clock import new_id
from tests.bank import Bank, eventually
from tests.ledger.support import balance, fund, open_account, transfer


class TestTransfer:
    async def test_moves_money_and_shows_the_balance_after_it(self, bank: Bank, unique: str):
        async with bank.client("ledger", roles=("operator",)) as ledger:
            await open_account(ledger, f"a-{unique}")
            await open_account(ledger, f"b-{unique}")
            await fund(ledger, f"a-{unique}", 1000)
            body = transfer((f"a-{unique}", -300), (f"b-{unique}", 300))
            response = await ledger.post("/v1/transfers", json=body)
            assert response.status_code == 201
            assert [leg["balance_minor"] for leg in response.json()["postings"]] == [700, 300]
            assert (await balance(ledger, f"b-{unique}"))["posted_minor"] == 300

    async def test_is_told_on_the_bus_with_its_balances(self, bank: Bank, unique: str):
        async with bank.client("ledger", roles=("operator",)) as ledger:
            await open_account(ledger, f"a-{unique}", holder_id=f"c-{unique}")
            source = await fund(ledger, f"a-{unique}", 1000)
            body = transfer((source, -5), (f"a-{unique}", 5))
            await ledger.post("/v1/transfers", json=body)

        async def told() -> list[dict]:
            return await bank.events("ledger.transfer.v1", key=body["transfer_id"])

        (event,) = await eventually(told)
        assert event["type"] == "TransferPosted"
        credit = next(leg for leg in event["data"]["legs"] if leg["amount_minor"] == 5)
        assert credit["balance_minor"] == 1005
        assert credit["holder_id"] == f"c-{unique}"

    async def test_repeated_answers_the_same_and_moves_nothing_more(self, bank: Bank, unique: str):
        async with bank.client("ledger", roles=("operator",)) as ledger:
            await open_account(ledger, f"a-{unique}")
            source = await fund(ledger, f"a-{unique}", 1000)
            body = transfer((f"a-{unique}", -300), (source, 300))
            first = await ledger.post("/v1/transfers", json=body)
            second = await ledger.post("/v1/transfers", json=body)
            assert first.json() == second.json()
            assert (await balance(ledger, f"a-{unique}"))["posted_minor"] == 700

    async def test_under_a_taken_id_with_another_body_is_refused(self, bank: Bank, unique: str):
        async with bank.client("ledger", roles=("operator",)) as ledger:
            await open_account(ledger, f"a-{unique}")
            source = await fund(ledger, f"a-{unique}", 1000)
            body = transfer((f"a-{unique}", -300), (source, 300))
            await ledger.post("/v1/transfers", json=body)
            other = transfer((f"a-{unique}", -301), (source, 301), transfer_id=body["transfer_id"])
            response = await ledger.post("/v1/transfers", json=other)
            assert response.status_code == 409
            assert response.json()["code"] == "transfer_exists"
            assert (await balance(ledger, f"a-{unique}"))["posted_minor"] == 700

    async def test_that_does_not_balance_is_refused_and_leaves_nothing(
        self, bank: Bank, unique: str
    ):
        async with bank.client("ledger", roles=("operator",)) as ledger:
            await open_account(ledger, f"a-{unique}")
            source = await fund(ledger, f"a-{unique}", 1000)
            body = transfer((f"a-{unique}", -300), (source, 299))
            response = await ledger.post("/v1/transfers", json=body)
            assert (response.status_code, response.json()["code"]) == (422, "unbalanced_transfer")
            assert (await ledger.get(f"/v1/transfers/{body['transfer_id']}")).status_code == 404
            assert (await balance(ledger, f"a-{unique}"))["posted_minor"] == 1000

    @pytest.mark.parametrize(
        ("amount", "field"),
        [(0, "amount_minor"), (-5, "amount_minor"), (1.5, "amount_minor"), ("5", "amount_minor")],
    )
    async def test_names_the_field_that_is_not_a_positive_integer(
        self, bank: Bank, unique: str, amount: object, field: str
    ):
        async with bank.client("ledger", roles=("operator",)) as ledger:
            body = transfer((f"a-{unique}", -1), (f"b-{unique}", 1))
            body["legs"][1]["amount_minor"] = amount
            response = await ledger.post("/v1/transfers", json=body)
            assert response.status_code == 422
            assert response.headers["content-type"] == "application/problem+json"
            assert response.json()["errors"][0]["field"] == f"legs.1.{field}"

    async def test_over_the_floor_is_refused_and_leaves_nothing(self, bank: Bank, unique: str):
        async with bank.client("ledger", roles=("operator",)) as ledger:
            await open_account(ledger, f"a-{unique}", floor_minor=-100)
            source = await fund(ledger, f"a-{unique}", 50)
            refused = await ledger.post(
                "/v1/transfers", json=transfer((f"a-{unique}", -151), (source, 151))
            )
            assert refused.json()["code"] == "insufficient_funds"
            taken = await ledger.post(
                "/v1/transfers", json=transfer((f"a-{unique}", -150), (source, 150))
            )
            assert taken.status_code == 201
            assert await balance(ledger, f"a-{unique}") == {
                "posted_minor": -100,
                "held_minor": 0,
                "available_minor": 0,
            }

    async def test_needs_the_account_and_its_currency(self, bank: Bank, unique: str):
        async with bank.client("ledger", roles=("operator",)) as ledger:
            await open_account(ledger, f"a-{unique}")
            source = await fund(ledger, f"a-{unique}", 50)
            nobody = await ledger.post(
                "/v1/transfers", json=transfer((f"a-{unique}", -1), (f"x-{unique}", 1))
            )
            assert (nobody.status_code, nobody.json()["code"]) == (404, "account_not_found")
            assert nobody.json()["errors"][0]["field"] == "legs.1.account_id"
            euros = await ledger.post(
                "/v1/transfers",
                json=transfer((f"a-{unique}", -1), (source, 1), currency="EUR"),
            )
            assert (euros.status_code, euros.json()["code"]) == (422, "currency_mismatch")

    async def test_exchanges_currencies_through_position_accounts(self, bank: Bank, unique: str):
        async with bank.client("ledger", roles=("operator",)) as ledger:
            await open_account(ledger, f"y-{unique}")
            await open_account(ledger, f"e-{unique}", currency="EUR")
            for currency in ("CNY", "EUR"):
                await open_account(
                    ledger,
                    f"fx-{currency}-{unique}",
                    currency=currency,
                    chart_code="3002",
                    floor_minor=None,
                )
            await fund(ledger, f"y-{unique}", 800)
            body = transfer((f"y-{unique}", -800), (f"fx-CNY-{unique}", 800))
            body["legs"] += transfer(
                (f"fx-EUR-{unique}", -100), (f"e-{unique}", 100), currency="EUR"
            )["legs"]
            response = await ledger.post("/v1/transfers", json=body)
            assert response.status_code == 201, response.text
            assert (await balance(ledger, f"e-{unique}"))["posted_minor"] == 100

    async def test_of_sixty_four_at_once_exactly_the_funded_one_is_posted(
        self, bank: Bank, unique: str
    ):
        async with bank.client("ledger", roles=("operator",)) as ledger:
            await open_account(ledger, f"a-{unique}")
            source = await fund(ledger, f"a-{unique}", 100)
            answers = await asyncio.gather(
                *(
                    ledger.post(
                        "/v1/transfers", json=transfer((f"a-{unique}", -100), (source, 100))
                    )
                    for _ in range(64)
                )
            )
            codes = sorted(answer.status_code for answer in answers)
            assert codes == [201] + [422] * 63
            assert (await balance(ledger, f"a-{unique}"))["posted_minor"] == 0

    async def test_between_the_same_accounts_in_both_directions_never_deadlocks(
        self, bank: Bank, unique: str
    ):
        async with bank.client("ledger", roles=("operator",)) as ledger:
            for side in "ab":
                await open_account(ledger, f"{side}-{unique}")
                await fund(ledger, f"{side}-{unique}", 10_000)
            legs = [
                ((f"a-{unique}", -1), (f"b-{unique}", 1)),
                ((f"b-{unique}", -1), (f"a-{unique}", 1)),
            ]
            answers = await asyncio.gather(
                *(ledger.post("/v1/transfers", json=transfer(*legs[i % 2])) for i in range(60))
            )
            assert {answer.status_code for answer in answers} == {201}


class TestReversal:
    async def test_undoes_the_transfer_and_names_it_once(self, bank: Bank, unique: str):
        async with bank.client("ledger", roles=("operator",)) as ledger:
            await open_account(ledger, f"a-{unique}")
            source = await fund(ledger, f"a-{unique}", 1000)
            body = transfer((f"a-{unique}", -300), (source, 300))
            await ledger.post("/v1/transfers", json=body)
            path = f"/v1/transfers/{body['transfer_id']}/reversal"
            order = {"reversal_id": str(new_id()), "reason": "operator_error"}
            first = await ledger.post(path, json=order)
            assert first.status_code == 201, first.text
            assert first.json()["reverses"] == body["transfer_id"]
            assert (await balance(ledger, f"a-{unique}"))["posted_minor"] == 1000
            assert (await ledger.post(path, json=order)).json() == first.json()
            second = await ledger.post(path, json=order | {"reversal_id": str(new_id())})
            assert (second.status_code, second.json()["code"]) == (409, "already_reversed")
            of_reversal = await ledger.post(
                f"/v1/transfers/{order['reversal_id']}/reversal",
                json=order | {"reversal_id": str(new_id())},
            )
            assert of_reversal.json()["code"] == "not_reversible"


class TestBulk:
    async def test_refuses_one_by_one_and_posts_the_rest_in_order(self, bank: Bank, unique: str):
        async with bank.client("ledger", roles=("operator",)) as ledger:
            await open_account(ledger, f"a-{unique}")
            source = await fund(ledger, f"a-{unique}", 100)
            batch = [
                transfer((f"a-{unique}", -60), (source, 60)),
                transfer((f"a-{unique}", -60), (source, 60)),
                transfer((f"a-{unique}", -40), (f"x-{unique}", 40)),
                transfer((f"a-{unique}", -40), (source, 39)),
                transfer((f"a-{unique}", -40), (source, 40)),
            ]
            answer = await ledger.post("/v1/transfers/bulk", json={"transfers": batch})
            items = answer.json()["items"]
            assert [item["outcome"] for item in items] == [
                "posted",
                "refused",
                "refused",
                "refused",
                "posted",
            ]
            assert [item["refusal"] and item["refusal"]["code"] for item in items[1:4]] == [
                "insufficient_funds",
                "account_not_found",
                "unbalanced_transfer",
            ]
            assert items[0]["balances"][0] == 40
            assert items[4]["balances"][0] == 0

    async def test_repeated_moves_nothing_and_answers_the_same_balances(
        self, bank: Bank, unique: str
    ):
        async with bank.client("ledger", roles=("operator",)) as ledger:
            await open_account(ledger, f"a-{unique}")
            source = await fund(ledger, f"a-{unique}", 100)
            batch = {"transfers": [transfer((f"a-{unique}", -i), (source, i)) for i in (1, 2, 3)]}
            first = (await ledger.post("/v1/transfers/bulk", json=batch)).json()["items"]
            second = (await ledger.post("/v1/transfers/bulk", json=batch)).json()["items"]
            assert {item["outcome"] for item in second} == {"duplicate"}
            assert [i["balances"] for i in first] == [i["balances"] for i in second]

    async def test_names_the_second_place_of_an_id(self, bank: Bank, unique: str):
        async with bank.client("ledger", roles=("operator",)) as ledger:
            item = transfer((f"a-{unique}", -1), (f"b-{unique}", 1))
            answer = await ledger.post("/v1/transfers/bulk", json={"transfers": [item, item]})
            assert answer.status_code == 422
            assert answer.json()["errors"][0]["field"] == "transfers.1.transfer_id"


class TestStatement:
    async def test_by_value_date_differs_from_booking_date(self, bank: Bank, unique: str):
        async with bank.client("ledger", roles=("operator",)) as ledger:
            await open_account(ledger, f"a-{unique}")
            source = f"s-{unique}"
            await open_account(ledger, source, chart_code="1001", floor_minor=None)
            for value_date, booking_date, amount in [
                ("2026-01-05", "2026-01-05", 100),
                ("2026-01-03", "2026-01-06", 20),  # booked late, worth earlier
                ("2026-01-07", "2026-01-07", 3),
            ]:
                await ledger.post(
                    "/v1/transfers",
                    json=transfer(
                        (source, -amount),
                        (f"a-{unique}", amount),
                        value_date=value_date,
                        booking_date=booking_date,
                    ),
                )
            path = f"/v1/accounts/a-{unique}"
            by_value = await ledger.get(f"{path}/balance?on=2026-01-04&by=value")
            by_booking = await ledger.get(f"{path}/balance?on=2026-01-04&by=booking")
            assert by_value.json()["posted_minor"] == 20
            assert by_booking.json()["posted_minor"] == 0
            page = await ledger.get(
                f"{path}/statement?first=2026-01-05&last=2026-01-07&by=value&limit=1"
            )
            assert page.json()["opening_minor"] == 20
            assert page.json()["closing_minor"] == 123
            assert [entry["amount_minor"] for entry in page.json()["entries"]] == [100]
            following = await ledger.get(
                f"{path}/statement?first=2026-01-05&last=2026-01-07&by=value"
                f"&after={page.json()['next_after']}"
            )
            assert [entry["amount_minor"] for entry in following.json()["entries"]] == [3]


class TestAccess:
    @pytest.mark.parametrize("caller", [None, "gateway", "profiles"])
    async def test_to_posting_is_for_payments_and_operators(
        self, bank: Bank, unique: str, caller: str | None
    ):
        async with bank.client("ledger", caller=caller) as ledger:
            body = transfer((f"a-{unique}", -1), (f"b-{unique}", 1))
            response = await ledger.post("/v1/transfers", json=body)
            assert response.status_code == (401 if caller is None else 403)

    async def test_with_a_token_for_another_service_is_refused(self, bank: Bank):
        async with bank.client("ledger") as ledger:
            token = bank.token("risk", caller="payments")
            response = await ledger.get("/v1/chart", headers={"authorization": f"Bearer {token}"})
            assert response.status_code == 401

    async def test_of_staff_needs_the_role(self, bank: Bank, unique: str):
        async with bank.client("ledger", roles=("reviewer",)) as ledger:
            response = await ledger.post(
                "/v1/accounts",
                json={"account_id": f"a-{unique}", "chart_code": "2011", "currency": "CNY"},
            )
            assert response.status_code == 403
