"""Webhooks from outside: what a partner's server gets, and what becomes of what it refuses."""

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from joserfc import jws
from joserfc.jwk import KeySet

from gateway.webhooks import flows
from gateway.webhooks.domain import signature
from tests.bank import ROOT, Bank, eventually
from tests.gateway.customers import authorized_consent
from tests.gateway.support import Partner, register_partner
from tests.gateway.test_payments import payment
from tests.gateway.test_recovery import inside
from tests.gateway.webhooks.receiver import Receiver, receiving

PATH = "/v1/webhook-endpoints"
ALL = [
    "payment.settled",
    "payment.rejected",
    "payment.in_review",
    "consent.authorized",
    "consent.rejected",
    "consent.revoked",
    "endpoint.test",
    "endpoint.disabled",
]
#: A gateway process that sends once, out of turn: what a worker does that has the lease.
SENDS_ONCE = """
import asyncio
from gateway.main import build
from gateway.settings import Settings
from gateway.webhooks import flows
async def main():
    app = build(Settings(role="api"))
    async with app.router.lifespan_context(app):
        await flows.send_due(app.state.context)
asyncio.run(main())
"""


@pytest.fixture
async def database(bank: Bank):
    connection = await bank.connect("gateway")
    yield connection
    await connection.close()


@pytest.fixture
async def sender(bank: Bank, database, monkeypatch):
    """The sending is the test's alone: it holds the lease, and sends when the test says so."""
    await database.execute(
        "INSERT INTO leases VALUES ('job.webhooks', 'test', now() + interval '1 hour')"
        " ON CONFLICT (name) DO UPDATE SET owner = 'test', until = excluded.until"
    )
    async with inside(bank, monkeypatch) as context:

        async def send() -> None:
            await flows.send_due(context)

        yield send
    await database.execute("DELETE FROM leases WHERE name = 'job.webhooks'")


@pytest.fixture
async def receiver():
    async with receiving() as found:
        yield found


async def created(partner: Partner, url: str, **fields) -> dict:
    answer = await partner.post(PATH, {"url": url, "event_types": ALL} | fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def deliveries(partner: Partner, endpoint: dict) -> list[dict]:
    answer = await partner.get(f"{PATH}/{endpoint['endpoint_id']}/deliveries")
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def test_message(partner: Partner, endpoint: dict) -> None:
    answer = await partner.post(f"{PATH}/{endpoint['endpoint_id']}/test")
    assert answer.status_code == 202, answer.text


test_message.__test__ = False  # type: ignore[attr-defined]


def verified(receiver: Receiver, *secrets: str) -> dict:
    """The last message, its signatures those of exactly these secrets."""
    headers, body = receiver.got[-1]
    made = [
        signature(
            secret,
            message_id=headers["webhook-id"],
            timestamp=int(headers["webhook-timestamp"]),
            body=body,
        )
        for secret in secrets
    ]
    assert headers["webhook-signature"].split(" ") == made
    return json.loads(body)


class TestEndpoint:
    async def test_is_made_once_for_a_key(self, partner, receiver):
        key, body = uuid4().hex, {"url": receiver.url, "event_types": ["endpoint.test"]}
        first = await partner.post(PATH, body, key=key)
        again = await partner.post(PATH, body, key=key)
        assert (first.status_code, again.json()) == (201, first.json())
        other = await partner.post(PATH, body | {"url": receiver.url + "?"}, key=key)
        assert other.json()["code"] == "idempotency_key_reused"
        listed = (await partner.get(PATH)).json()["items"]
        assert len(listed) == 1
        assert "secret" not in listed[0]

    async def test_inside_the_bank_is_refused(self, partner):
        for url in ("https://10.0.0.1/", "http://shop.example/", "https://169.254.169.254/"):
            refused = await partner.post(PATH, {"url": url, "event_types": ["endpoint.test"]})
            assert (refused.status_code, refused.json()["code"]) == (422, "webhook_url_refused")

    async def test_is_nobody_else_s(self, bank: Bank, outside, partner, receiver, unique):
        endpoint = await created(partner, receiver.url)
        other = await (await register_partner(bank, outside, f"q-{unique}")).sign_in()
        path = f"{PATH}/{endpoint['endpoint_id']}"
        for answer in (
            await other.get(path),
            await other.get(f"{path}/deliveries"),
            await other.post(f"{path}/test"),
            await other.post(f"{path}/secret-rotation", {}),
            await other.post(f"{path}/replay", {"since": "2026-01-01T00:00:00Z"}),
        ):
            assert answer.json()["code"] == "webhook_endpoint_not_found"


class TestDelivery:
    async def test_is_signed_and_during_a_rotation_by_both(self, partner, receiver, sender):
        endpoint = await created(partner, receiver.url)
        await test_message(partner, endpoint)
        await sender()
        told = verified(receiver, endpoint["secret"])
        assert told["type"] == "endpoint.test"
        path, key = f"{PATH}/{endpoint['endpoint_id']}/secret-rotation", uuid4().hex
        rotated = (await partner.post(path, {}, key=key)).json()
        assert (await partner.post(path, {}, key=key)).json()["secret"] == rotated["secret"]
        await test_message(partner, endpoint)
        await sender()
        verified(receiver, rotated["secret"], endpoint["secret"])

    async def test_that_fails_comes_again_under_its_id_not_before_it_was_asked(
        self, partner, receiver, sender, database
    ):
        endpoint = await created(partner, receiver.url)
        await test_message(partner, endpoint)
        receiver.status, receiver.headers = 503, {"Retry-After": "3600"}
        await sender()
        await sender()  # not due
        waiting = (await deliveries(partner, endpoint))[0]
        assert (waiting["state"], waiting["attempts"]) == ("waiting", 1)
        assert waiting["last_status"] == 503
        due = datetime.fromisoformat(waiting["next_at"])
        assert due > datetime.now(UTC) + timedelta(minutes=59)
        receiver.status = 204
        await due_now(database, endpoint)
        await sender()
        assert len(receiver.ids()) == 2
        assert len(set(receiver.ids())) == 1
        assert (await deliveries(partner, endpoint))[0]["state"] == "delivered"

    async def test_follows_no_redirect(self, partner, receiver, sender):
        endpoint = await created(partner, receiver.url)
        await test_message(partner, endpoint)
        receiver.status, receiver.headers = 307, {"Location": receiver.url}
        await sender()
        assert len(receiver.got) == 1
        assert (await deliveries(partner, endpoint))[0]["last_status"] == 307

    async def test_answered_with_gone_disables_the_endpoint_and_tells_the_others(
        self, partner, receiver, sender
    ):
        async with receiving() as second:
            endpoint = await created(partner, receiver.url, event_types=["endpoint.test"])
            await created(partner, second.url, event_types=["endpoint.disabled"])
            receiver.status = 410
            await test_message(partner, endpoint)
            await sender()
            assert json.loads(second.got[-1][1])["data"]["reason"] == "gone"
        path = f"{PATH}/{endpoint['endpoint_id']}"
        assert (await partner.get(path)).json()["disabled_reason"] == "gone"
        await test_message(partner, endpoint)
        await sender()
        assert len(receiver.got) == 1
        receiver.status = 204
        assert (await partner.post(f"{path}/activation")).json()["state"] == "active"
        await test_message(partner, endpoint)
        await sender()
        assert len(receiver.got) == 2

    async def test_is_given_up_after_three_days_and_the_endpoint_after_five(
        self, partner, receiver, sender, database
    ):
        endpoint = await created(partner, receiver.url)
        receiver.status = 500
        await test_message(partner, endpoint)
        await database.execute(
            "UPDATE webhook_deliveries SET give_up_at = now() WHERE endpoint_id = $1",
            endpoint["endpoint_id"],
        )
        await database.execute(
            "UPDATE webhook_endpoints SET failing_since = now() - interval '5 days'"
            " WHERE endpoint_id = $1",
            endpoint["endpoint_id"],
        )
        await sender()
        assert (await deliveries(partner, endpoint))[0]["state"] == "failed"
        shown = (await partner.get(f"{PATH}/{endpoint['endpoint_id']}")).json()
        assert (shown["state"], shown["disabled_reason"]) == ("disabled", "failing")

    async def test_can_be_asked_for_again(self, partner, receiver, sender):
        endpoint = await created(partner, receiver.url)
        for _ in range(2):
            await test_message(partner, endpoint)
        await sender()
        path = f"{PATH}/{endpoint['endpoint_id']}"
        one = (await deliveries(partner, endpoint))[0]["message_id"]
        again = await partner.post(f"{path}/deliveries/{one}/replay")
        assert again.json() == {"messages": 1}
        await sender()
        assert receiver.ids()[2:] == [one]
        since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        every = await partner.post(f"{path}/replay", {"since": since})
        assert every.json() == {"messages": 2}
        await sender()
        assert sorted(receiver.ids()[3:]) == sorted(set(receiver.ids()))
        missing = await partner.post(f"{path}/deliveries/{uuid4()}/replay")
        assert missing.json()["code"] == "webhook_delivery_not_found"

    async def test_in_the_standard_s_form_is_signed_by_a_key_of_the_bank(
        self, partner, receiver, sender
    ):
        endpoint = await created(partner, receiver.url, form="ob_event")
        await test_message(partner, endpoint)
        await sender()
        headers, body = receiver.got[-1]
        assert headers["content-type"] == "application/jwt"
        keys = KeySet.import_key_set((await partner.client.get("/oauth2/jwks")).json())
        signed = jws.deserialize_compact(body.decode(), keys, algorithms=["PS256"])
        claims = json.loads(signed.payload)
        assert claims["aud"] == partner.partner_id
        assert list(claims["events"]) == ["urn:uk:org:openbanking:events:resource-update"]


async def due_now(database, endpoint: dict) -> None:
    """What a claim or a pause would have become by then."""
    await database.execute(
        "UPDATE webhook_deliveries SET next_at = now() - interval '1 second'"
        " WHERE endpoint_id = $1 AND state = 'waiting'",
        endpoint["endpoint_id"],
    )


class TestKilledGateway:
    async def test_loses_no_message(self, bank: Bank, partner, receiver, sender, database):
        endpoint = await created(partner, receiver.url)
        await test_message(partner, endpoint)
        receiver.answering.clear()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            SENDS_ONCE,
            cwd=ROOT,
            env=bank.settings("gateway") | {"LOG_FILE": str(bank.folder / "killed.jsonl")},
        )

        async def has_come() -> bool:
            assert process.returncode is None
            return bool(receiver.got)

        await eventually(has_come, within_s=60)
        process.kill()
        await process.wait()
        receiver.answering.set()
        assert (await deliveries(partner, endpoint))[0]["state"] == "waiting"
        await sender()
        assert len(receiver.got) == 1  # the dead one's claim still holds
        await due_now(database, endpoint)
        await sender()
        assert len(receiver.got) == 2
        assert len(set(receiver.ids())) == 1
        assert (await deliveries(partner, endpoint))[0]["state"] == "delivered"


class TestEvents:
    async def test_of_consents_and_payments_reach_the_partner_without_personal_data(
        self, bank: Bank, shop, customer, receiver
    ):
        await created(shop, receiver.url)
        consent = await authorized_consent(bank, shop, customer)
        paid = (await shop.post("/v1/payments", payment(consent))).json()
        consent_id = payment(consent)["consent_id"]
        revoked = await shop.post(f"/v1/payment-consents/{consent_id}/revocation")
        assert revoked.status_code == 200, revoked.text

        async def told() -> list[dict] | None:
            found = [json.loads(body) for _, body in receiver.got]
            return found if len(found) >= 3 else None

        found = {one["type"]: one["data"] for one in await eventually(told, within_s=60)}
        about = {"consent_id": consent_id, "consent_kind": "payment_consent"}
        assert found == {
            "consent.authorized": about | {"state": "authorized"},
            "consent.revoked": about | {"state": "revoked"},
            "payment.settled": {"payment_id": paid["payment_id"], "state": "settled"},
        }
