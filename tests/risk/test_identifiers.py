"""Phones, cards and devices that customers are known by, met over HTTP."""

from typing import Any

import httpx
import pytest

from services.risk.identifiers.domain import MAX_PER_KIND, one_spelling, token
from tests.bank import Bank, eventually
from tests.risk.support import another_risk, decided, payment, ring_of


def number_of(unique: str, digits: int = 11) -> str:
    """A mobile number of China, or a card, that only this test uses."""
    return "1" + str(int(unique.encode().hex(), 16))[-(digits - 1) :].rjust(digits - 1, "0")


async def tell(bank: Bank, customer: str, **told: Any) -> httpx.Response:
    async with bank.client("risk", caller="gateway", customer_id=customer) as gateway:
        return await gateway.put(f"/v1/customers/{customer}/identifiers", json=told)


async def told_of(bank: Bank, customer: str, count: int) -> list[dict[str, Any]]:
    async def there() -> list[dict[str, Any]] | None:
        events = await bank.events("risk.identifier.v1", key=customer)
        return [event["data"] for event in events] if len(events) >= count else None

    found = await eventually(there)
    assert isinstance(found, list)
    return found


class TestIdentifiers:
    async def test_join_customers_here_and_after_a_start_from_the_bus(
        self, bank: Bank, unique: str
    ):
        phone, card = number_of(unique), number_of(unique, 16)
        one, two, three = (f"{name}-{unique}" for name in ("one", "two", "three"))
        answers = [
            await tell(bank, one, phone=phone),
            await tell(bank, two, phone=f"+86{phone}", card=card),
            await tell(bank, three, card=card, device_id=f"device-{unique}"),
        ]
        assert [answer.json()["kinds"] for answer in answers] == [
            ["phone"],
            ["phone", "card"],
            ["device", "card"],
        ]
        body = payment(unique, customer_id=one)
        async with bank.client("risk") as risk:
            made = await decided(risk, bank, body)
        assert (await ring_of(bank, made))["size"] == 3
        for customer, count in ((one, 1), (two, 2), (three, 2)):
            assert len(await told_of(bank, customer, count)) == count
        async with another_risk(bank) as other:

            async def joined() -> bool:
                made = await decided(other, bank, payment(unique, customer_id=one))
                return (await ring_of(bank, made))["size"] == 3

            await eventually(joined)

    async def test_told_again_are_the_same_as_once(self, bank: Bank, unique: str):
        customer, device = f"c-{unique}", f"device-{unique}"
        for _ in range(3):
            assert (await tell(bank, customer, device_id=device)).status_code == 200
        await tell(bank, customer, device_id=f"last-{unique}")
        events = await told_of(bank, customer, 2)
        assert [event["value"] for event in events] == [device, f"last-{unique}"]

    async def test_leave_no_number_behind(self, bank: Bank, unique: str):
        customer, phone, card = f"c-{unique}", number_of(unique), number_of(unique, 16)
        response = await tell(bank, customer, phone=phone, card=card)
        refused = await tell(bank, customer, phone=phone, card=f"{card}x")
        assert refused.status_code == 422
        told = await told_of(bank, customer, 2)
        connection = await bank.connect("risk")
        try:
            rows = await connection.fetch("SELECT c::text FROM customer_identifiers AS c")
            outbox = await connection.fetch("SELECT o::text FROM outbox AS o")
        finally:
            await connection.close()
        places = (response.text, refused.text, str(told), str(rows), str(outbox))
        for place in (*places, bank.log("risk").read_text()):
            assert phone not in place
            assert card not in place

    async def test_on_the_black_list_are_known_fraud(self, bank: Bank, unique: str):
        customer, phone = f"c-{unique}", number_of(unique)
        entry = {"list": "black", "kind": "phone", "value": phone, "reason": "police notice"}
        async with bank.client("risk", roles=("operator",)) as staff:
            key = {"idempotency-key": f"on-{unique}"}
            listed = await staff.post("/v1/list-entries", json=entry, headers=key)
            assert listed.status_code == 201
            assert len(listed.json()["value"]) == 32
            assert phone not in listed.text
            await tell(bank, customer, phone=phone)

            async def near() -> bool:
                made = await decided(staff, bank, payment(unique, customer_id=customer))
                return (await ring_of(bank, made))["fraud_distance"] == 1

            await eventually(near)
            key = {"idempotency-key": f"off-{unique}"}
            spelled = entry | {"value": f"0086{phone}"}
            removed = await staff.post("/v1/list-entries/removal", json=spelled, headers=key)
        assert removed.json() == listed.json()

    async def test_are_bounded(self, bank: Bank, unique: str):
        customer = f"c-{unique}"
        for number in range(MAX_PER_KIND):
            told = await tell(bank, customer, device_id=f"device-{number}-{unique}")
            assert told.status_code == 200
        over = await tell(bank, customer, device_id=f"one-more-{unique}", card="6217000100000001")
        assert (over.status_code, over.json()["code"]) == (409, "too_many_identifiers")
        assert over.json()["errors"][0]["field"] == "device_id"
        assert (await tell(bank, customer, device_id=f"device-0-{unique}")).status_code == 200
        assert len(await told_of(bank, customer, MAX_PER_KIND)) == MAX_PER_KIND

    @pytest.mark.parametrize(
        ("told", "field"),
        [
            ({}, "device_id"),
            ({"phone": "call me"}, "phone"),
            ({"card": "1234"}, "card"),
            ({"device_id": "short"}, "device_id"),
        ],
    )
    async def test_that_are_none_are_refused(self, bank: Bank, unique: str, told, field: str):
        response = await tell(bank, f"c-{unique}", **told)
        assert response.status_code == 422
        assert field in response.text

    async def test_are_told_by_the_gateway_for_the_customer_alone(self, bank: Bank, unique: str):
        path, body = f"/v1/customers/c-{unique}/identifiers", {"device_id": f"device-{unique}"}
        async with bank.client("risk", caller="gateway", customer_id="c-other") as gateway:
            assert (await gateway.put(path, json=body)).status_code == 403
        async with bank.client("risk", caller="payments", customer_id=f"c-{unique}") as payments:
            assert (await payments.put(path, json=body)).status_code == 403


class TestToken:
    def test_is_one_for_every_spelling_and_another_for_every_kind_and_key(self):
        key = bytes(32)
        spellings = ("13800000000", "8613800000000", "+8613800000000", "008613800000000")
        assert len({token(key, kind="phone", value=value) for value in spellings}) == 1
        others = {
            token(key, kind="phone", value="13800000000"),
            token(key, kind="card", value="13800000000"),
            token(bytes(31) + b"\1", kind="phone", value="13800000000"),
            token(key, kind="phone", value="13800000001"),
        }
        assert len(others) == 4

    def test_of_a_number_elsewhere_keeps_its_country(self):
        assert one_spelling("+441632960000") == "441632960000"
        assert one_spelling("8601012345678") == "8601012345678"
