"""Rules of webhooks without a bank: signatures, retries, addresses."""

import json
import socket
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from uuid import UUID

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.webhooks.clients import AddressRefused, PublicResolver, opened, post
from gateway.webhooks.domain import (
    Endpoint,
    Sending,
    WebhookUrlRefused,
    body_of,
    check_url,
    event_notification,
    may_call,
    retry_after_s,
    signature,
    signed_headers,
    wait_s,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SCHEMAS = Path(__file__).resolve().parents[4] / "shared/standards/obie-v4.0"


def sending(**changes) -> Sending:
    endpoint = Endpoint(
        endpoint_id=UUID(int=1),
        partner_id="p-shop",
        url="https://shop.example/hook",
        form="standard",
        event_types=["payment.settled"],
        secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        previous_secret="whsec_" + "QUFB" * 8,
        previous_until=NOW + timedelta(hours=1),
        state="active",
        disabled_reason=None,
        failing_since=None,
        created_at=NOW,
        updated_at=NOW,
    )
    values = {
        "endpoint": endpoint,
        "message_id": UUID(int=2),
        "event_type": "payment.settled",
        "data": '{"payment_id":"00000000-0000-0000-0000-000000000003","state":"settled"}',
        "at": NOW,
        "attempts": 1,
        "give_up_at": NOW + timedelta(days=3),
    }
    return Sending(**values | changes)


class TestSignature:
    def test_is_that_of_the_standard_s_own_example(self):
        signed = signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
            timestamp=1614265330,
            body=b'{"test": 2432232314}',
        )
        assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

    def test_is_there_twice_while_a_secret_is_rotated(self):
        during = signed_headers(sending(), body=b"{}", now=NOW)["webhook-signature"]
        after = signed_headers(sending(), body=b"{}", now=NOW + timedelta(hours=1))
        assert len(set(during.split(" "))) == 2
        assert len(after["webhook-signature"].split(" ")) == 1

    def test_covers_the_body_byte_for_byte(self):
        one = sending()
        assert json.loads(body_of(one.event_type, one.data, one.at)) == {
            "type": "payment.settled",
            "timestamp": "2026-01-01T00:00:00+00:00",
            "data": json.loads(one.data),
        }


class TestEventNotification:
    @pytest.mark.parametrize(
        "data",
        [
            {"payment_id": "x", "state": "settled"},
            {"consent_id": "c", "consent_kind": "payment_consent", "state": "revoked"},
            {"consent_id": None, "grant_id": "g", "consent_kind": "a", "state": "revoked"},
            {"endpoint_id": "e"},
        ],
    )
    def test_has_the_standard_s_form(self, data: dict):
        file = SCHEMAS / "event-notifications-openapi.json"
        if not file.exists():
            pytest.skip("the standard's files are not beside the project")
        claims = event_notification(
            sending(data=json.dumps(data)), issuer="https://bank.example", now=NOW
        )
        document = json.loads(file.read_text())
        jsonschema.validate(
            claims, {"$ref": "#/components/schemas/OBEventNotification1", **document}
        )


class TestRetry:
    @given(st.integers(1, 500), st.floats(0, 1), st.none() | st.floats(0, 1e9))
    def test_waits_longer_and_never_without_bound(self, attempts, jitter, asked_s):
        waited = wait_s(attempts, asked_s=asked_s, jitter=lambda: jitter)
        assert 0 <= waited <= 86_400
        assert waited >= min(asked_s or 0, 86_400)
        assert waited >= jitter * min(5 * 2 ** (attempts - 1), 21_600) - 1e-6

    def test_is_some_dozens_in_three_days(self):
        spent, tries = 0.0, 0
        while spent < 3 * 86_400:
            tries += 1
            spent += wait_s(tries, asked_s=None, jitter=lambda: 0.5)
        assert 20 < tries < 60

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("120", 120),
            ("Thu, 01 Jan 2026 00:01:00 GMT", 60),
            ("Wed, 31 Dec 2025 00:00:00 GMT", 0),
            ("soon", None),
            ("-5", None),
            (None, None),
        ],
    )
    def test_hears_when_to_come_again(self, value, seconds):
        assert retry_after_s(value, now=NOW) == seconds


class TestAddress:
    @pytest.mark.parametrize(
        "address",
        [
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fec0::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a00:1",
            "2002:a00:1::1",
            "2001::1",
            "fd00:ec2::254",
        ],
    )
    def test_inside_is_refused(self, address: str):
        assert not may_call(ip_address(address), to_loopback=False)

    @pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1"])
    def test_outside_may_be_called(self, address: str):
        assert may_call(ip_address(address), to_loopback=False)

    @pytest.mark.parametrize(
        "url",
        [
            "http://shop.example/hook",
            "https://127.0.0.1/hook",
            "https://localhost/hook",
            "https://[::1]/hook",
            "https://[::ffff:10.0.0.1]/hook",
            "https://169.254.169.254/latest",
            "https://user:word@shop.example/",
            "https://shop.example/#x",
            "https://shop.example:99999/",
            "ftp://shop.example/",
            "https:///hook",
            "https://shop.example/a b",
        ],
    )
    def test_is_refused_at_registration(self, url: str):
        with pytest.raises(WebhookUrlRefused):
            check_url(url, to_loopback=False)
        check_url("https://shop.example:8443/hook?x=1", to_loopback=False)

    async def test_of_a_name_is_looked_at_once_and_wholly(self):
        class Names:
            async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
                return [{"host": one} for one in ("1.1.1.1", "10.0.0.1")]

            async def close(self):
                pass

        resolver = PublicResolver(to_loopback=True, behind=Names())
        with pytest.raises(AddressRefused):
            await resolver.resolve("shop.example", 443)

    @pytest.mark.parametrize(
        "host", ["127.1", "0x7f.0.0.1", "2130706433", "localhost", "127.0.0.1"]
    )
    async def test_in_another_spelling_is_refused_at_the_call(self, host: str):
        async with opened(to_loopback=False) as calls:
            answer = await post(
                calls,
                url=f"https://{host}:9/hook",
                body=b"{}",
                headers={},
                to_loopback=False,
                now=NOW,
            )
        assert (answer.status, answer.error) == (None, "address_refused")
