"""Black, grey and white lists, met over HTTP."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.risk.consumers import on_list_entry_changed
from services.risk.features import Windows
from services.risk.lists.repository import by_role
from services.risk.rings.domain import Rings
from services.risk.windows import in_ms
from shared.contracts.events.risk import ListEntryChanged
from shared.kit.clock import new_id
from tests.bank import Bank, eventually
from tests.risk.support import another_risk, decided, payment, ring_of


async def add(staff: httpx.AsyncClient, **entry: Any) -> httpx.Response:
    body = {"list": "black", "reason": "police notice"} | entry
    headers = {"idempotency-key": new_id().hex}
    return await staff.post("/v1/list-entries", json=body, headers=headers)


async def remove(staff: httpx.AsyncClient, **entry: Any) -> httpx.Response:
    body = {"list": "black", "reason": "notice withdrawn"} | entry
    headers = {"idempotency-key": new_id().hex}
    return await staff.post("/v1/list-entries/removal", json=body, headers=headers)


async def lists_seen(bank: Bank, decision_id: str) -> dict[str, str | None]:
    """What the lists said of those whom the payment names, as the decision keeps it."""
    connection = await bank.connect("risk")
    try:
        facts = await connection.fetchval(
            "SELECT facts -> 'lists' FROM decisions WHERE decision_id = $1", decision_id
        )
    finally:
        await connection.close()

    return json.loads(facts) if isinstance(facts, str) else facts


class TestLists:
    async def test_are_seen_by_the_next_decision_in_every_role(self, bank: Bank, unique: str):
        names = {
            "customer": ("customer", f"c-{unique}", "white"),
            "account": ("account", f"a-{unique}", "grey"),
            "payee": ("account", f"shop-{unique}", "black"),
            "device": ("device", f"device-{unique}", "black"),
            "ip": ("ip", "2001:DB8:0::77", "grey"),
            "merchant": ("merchant", f"m-{unique}", "black"),
        }
        async with bank.client("risk", roles=("operator",)) as staff:
            for kind, value, name in names.values():
                response = await add(staff, list=name, kind=kind, value=value)
                assert response.status_code == 201, response.text
            signals = {
                "device_id": f"device-{unique}",
                "ip_address": "2001:db8::77",
                "merchant_id": f"m-{unique}",
            }
            made = await decided(staff, bank, payment(unique, **signals))
            assert made["outcome"] == "decline"
            await remove(staff, list="grey", kind="ip", value="2001:db8::77")
        seen = await lists_seen(bank, made["decision_id"])
        assert seen == {role: name for role, (_, _, name) in names.items()} | {"phone": None}

    async def test_let_black_go_before_white_whichever_came_first(self, bank: Bank, unique: str):
        async with bank.client("risk", roles=("operator",)) as staff:
            for who, order in (("one", ("white", "black")), ("two", ("black", "white"))):
                payee = f"{who}-{unique}"
                for name in order:
                    assert (
                        await add(staff, list=name, kind="account", value=payee)
                    ).status_code == 201
                made = await decided(staff, bank, payment(unique, creditor_account=payee))
                assert made["outcome"] == "decline"
                await remove(staff, kind="account", value=payee)
                made = await decided(staff, bank, payment(unique, creditor_account=payee))
                assert (await lists_seen(bank, made["decision_id"]))["payee"] == "white"

    async def test_count_an_entry_until_it_expires_and_take_it_anew(self, bank: Bank, unique: str):
        payee = f"mule-{unique}"
        async with bank.client("risk", roles=("operator",)) as staff:
            soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
            first = await add(staff, kind="account", value=payee, expires_at=soon)
            assert first.status_code == 201
            again = await add(staff, kind="account", value=payee)
            assert (again.status_code, again.json()["code"]) == (409, "list_entry_exists")
            made = await decided(staff, bank, payment(unique, creditor_account=payee))
            assert made["outcome"] == "decline"

            async def expired() -> bool:
                made = await decided(staff, bank, payment(unique, creditor_account=payee))
                return (await lists_seen(bank, made["decision_id"]))["payee"] is None

            await eventually(expired)
            query = {"kind": "account", "after_kind": "account", "after_value": f"mule-{unique}"}
            page = await staff.get("/v1/list-entries", params=query | {"limit": 1})
            assert payee not in [item["value"] for item in page.json()["items"]]
            assert (await remove(staff, kind="account", value=payee)).status_code == 404
            assert (await add(staff, kind="account", value=payee)).status_code == 201

    async def test_have_their_effect_on_every_replica_at_once(self, bank: Bank, unique: str):
        async with (
            another_risk(bank) as other,
            bank.client("risk", roles=("operator",)) as staff,
        ):
            made = await decided(other, bank, payment(unique))
            assert made["outcome"] == "approve"
            await add(staff, kind="account", value=f"shop-{unique}")
            made = await decided(other, bank, payment(unique))
            assert made["outcome"] == "decline"

    async def test_tell_the_audit_log_who_added_and_who_removed(self, bank: Bank, unique: str):
        entry = {"kind": "device", "value": f"device-{unique}", "list": "grey"}
        async with bank.client("risk", roles=("operator",)) as staff:
            await add(staff, **entry)
            await remove(staff, **entry)

        async def told() -> list[dict] | None:
            events = await bank.events("identity.audit.v1", key="s-tester")
            subject = f"device:device-{unique}"
            found = [event["data"] for event in events if event["data"]["subject"] == subject]
            return found if len(found) == 2 else None

        added, removed = await eventually(told)
        assert (added["action"], removed["action"]) == ("list.grey.add", "list.grey.remove")
        assert (added["reason"], removed["reason"]) == ("police notice", "notice withdrawn")

    @pytest.mark.parametrize(
        "entry",
        [
            {"kind": "ip", "value": "300.1.1.1"},
            {"kind": "account", "value": "a b"},
            {"kind": "device", "value": "short"},
            {"kind": "phone", "value": "none"},
            {"kind": "card", "value": "6217"},
            {"kind": "account", "value": "x", "list": "red"},
            {"kind": "account", "value": "x", "expires_at": "2020-01-01T00:00:00Z"},
            {"kind": "account", "value": "x", "expires_at": "2099-01-01T00:00:00"},
        ],
    )
    async def test_refuse_what_is_no_entry(self, bank: Bank, entry: dict):
        async with bank.client("risk", roles=("operator",)) as staff:
            response = await add(staff, **entry)
        assert response.status_code == 422
        assert "300.1.1.1" not in response.text

    async def test_are_for_operators_alone(self, bank: Bank):
        async with bank.client("risk", roles=("reviewer",)) as reviewer:
            assert (await add(reviewer, kind="account", value="x")).status_code == 403
            assert (await remove(reviewer, kind="account", value="x")).status_code == 403
            assert (await reviewer.get("/v1/list-entries")).status_code == 403

    async def test_make_customers_and_devices_known_fraud_in_every_ring(
        self, bank: Bank, unique: str
    ):
        shared = {"device_id": f"device-{unique}"}
        mule = {"customer_id": f"mule-{unique}", **shared}
        async with bank.client("risk", roles=("operator",)) as staff:
            await decided(staff, bank, payment(unique, **mule))
            far = {"kind": "customer", "value": f"mule-{unique}"}
            near = {"kind": "device", "value": f"device-{unique}"}
            assert (await add(staff, **far)).status_code == 201
            assert (await add(staff, **near)).status_code == 201

            async def distance_is(steps: int | None) -> bool:
                made = await decided(staff, bank, payment(unique, **shared))
                return (await ring_of(bank, made))["fraud_distance"] == steps

            await eventually(lambda: distance_is(1))
            assert (await remove(staff, **near)).status_code == 200
            await eventually(lambda: distance_is(2))
            assert (await remove(staff, **far)).status_code == 200
            await eventually(lambda: distance_is(None))

    @pytest.mark.parametrize(
        ("changes", "known"),
        [
            ({}, True),
            ({"list": "grey"}, False),
            ({"kind": "ip", "value": "192.0.2.1"}, False),
            ({"is_listed": False}, False),
        ],
    )
    def test_are_known_fraud_by_the_black_one_until_the_entry_expires(
        self, changes: dict, known: bool
    ):
        rings = Rings()
        rings.link("c1", ("phone", "token"))
        ends = datetime(2026, 7, 5, tzinfo=UTC)
        told = ListEntryChanged(
            list="black",
            kind="phone",
            value="token",
            is_listed=True,
            expires_at=ends,
            at=ends - timedelta(days=1),
        ).model_copy(update=changes)
        on_list_entry_changed(Windows(), rings, told)
        distances = [
            rings.ring("c1", now_ms=in_ms(ends) + after).fraud_distance for after in (-1, 0)
        ]
        assert distances == [1 if known else None, None]

    def test_name_every_role(self):
        assert set(by_role(None).values()) == {None}
        assert by_role({"ip": "grey"})["ip"] == "grey"
