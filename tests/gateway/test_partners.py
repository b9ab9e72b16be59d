import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.bank import Bank, eventually
from tests.gateway.signing import b64, new_key, number, public_jwk
from tests.gateway.support import register_partner, staff

KEY = new_key()


def body(**fields):
    return {
        "partner_id": "p-x",
        "name": "Corner Shop",
        "jwks": {"keys": [public_jwk(KEY)]},
        "redirect_uris": ["https://shop.example/back"],
    } | fields


class TestPartnerRegistration:
    async def test_is_done_by_staff_and_can_be_read(self, bank: Bank, outside, unique):
        created = await outside.post(
            "/v1/partners", json=body(partner_id=unique), headers=staff(bank)
        )
        assert created.status_code == 201
        assert created.json()["state"] == "active"
        read = await outside.get(f"/v1/partners/{unique}", headers=staff(bank))
        assert read.json() == created.json()

    async def test_again_changes_nothing_and_with_other_content_is_refused(
        self, bank: Bank, outside, unique
    ):
        first = await outside.post(
            "/v1/partners", json=body(partner_id=unique), headers=staff(bank)
        )
        again = await outside.post(
            "/v1/partners", json=body(partner_id=unique), headers=staff(bank)
        )
        assert again.json() == first.json()
        other = await outside.post(
            "/v1/partners", json=body(partner_id=unique, name="Other"), headers=staff(bank)
        )
        assert other.status_code == 409

    async def test_without_an_id_makes_one_from_the_key(self, bank: Bank, outside, unique):
        made = body()
        del made["partner_id"]
        headers = staff(bank) | {"Idempotency-Key": unique}
        first = await outside.post("/v1/partners", json=made, headers=headers)
        again = await outside.post("/v1/partners", json=made, headers=headers)
        assert first.status_code == 201
        assert first.json()["partner_id"] == again.json()["partner_id"]
        without = await outside.post("/v1/partners", json=made, headers=staff(bank))
        assert without.status_code == 422

    async def test_is_told_to_the_audit_log(self, bank: Bank, outside, unique):
        await register_partner(bank, outside, unique)

        async def told():
            events = await bank.events("identity.audit.v1")
            return [event for event in events if event["data"]["subject"] == unique]

        (event,) = await eventually(told)
        assert event["data"]["action"] == "partner.register"
        assert event["data"]["staff_id"] == "s-tester"
        assert event["data"]["service"] == "gateway"

    async def test_is_refused_without_a_right(self, bank: Bank, outside, unique):
        nobody = await outside.post("/v1/partners", json=body(partner_id=unique))
        assert nobody.status_code == 401
        reviewer = await outside.post(
            "/v1/partners", json=body(partner_id=unique), headers=staff(bank, "reviewer")
        )
        assert reviewer.status_code == 403

    @pytest.mark.parametrize(
        "keys",
        [
            [],
            [{"kty": "oct", "k": b64(b"0" * 32)}],
            [public_jwk(KEY) | {"d": number(KEY.private_numbers().private_value)}],
            [public_jwk(KEY) | {"alg": "RS256"}],
            [public_jwk(rsa.generate_private_key(public_exponent=65537, key_size=1024))],
            [public_jwk(KEY), public_jwk(KEY)],
        ],
    )
    async def test_refuses_keys_that_are_not_public_or_not_strong(
        self, bank: Bank, outside, unique, keys
    ):
        refused = await outside.post(
            "/v1/partners",
            json=body(partner_id=unique, jwks={"keys": keys}),
            headers=staff(bank),
        )
        assert refused.status_code == 422
        assert refused.json()["code"] == "keys_refused"
        assert refused.json()["errors"][0]["field"] == "jwks"
        read = await outside.get(f"/v1/partners/{unique}", headers=staff(bank))
        assert read.status_code == 404

    @pytest.mark.parametrize(
        "uri",
        [
            "http://shop.example/back",
            "https://user@shop.example/back",
            "https://shop.example/back#part",
            "https://*.example/back",
            "javascript:alert(1)",
            "shop://back",
            "//shop.example/back",
            "https://shop.example/ba ck",
            "https://[::1/back",
            "https://shop.example:port/",
        ],
    )
    async def test_refuses_addresses_that_could_lead_astray(self, bank: Bank, outside, unique, uri):
        refused = await outside.post(
            "/v1/partners",
            json=body(partner_id=unique, redirect_uris=[uri]),
            headers=staff(bank),
        )
        assert refused.status_code == 422
        assert refused.json()["code"] == "redirect_uri_refused"

    @pytest.mark.parametrize(
        "uri", ["http://127.0.0.1:9000/back", "http://localhost/back", "http://[::1]:80/back"]
    )
    async def test_takes_plain_http_on_a_loopback_address(self, bank: Bank, outside, unique, uri):
        taken = await outside.post(
            "/v1/partners",
            json=body(partner_id=unique, redirect_uris=[uri]),
            headers=staff(bank),
        )
        assert taken.status_code == 201

    async def test_lists_a_page_at_a_time(self, bank: Bank, outside, unique):
        for number_ in range(3):
            await register_partner(bank, outside, f"{unique}-{number_}")
        first = await outside.get(f"/v1/partners?after={unique}&limit=2", headers=staff(bank))
        page = first.json()
        assert [item["partner_id"] for item in page["items"]] == [f"{unique}-0", f"{unique}-1"]
        rest = await outside.get(
            f"/v1/partners?after={page['next_after']}&limit=1", headers=staff(bank)
        )
        assert rest.json()["items"][0]["partner_id"] == f"{unique}-2"


class TestSuspension:
    async def test_stops_old_tokens_and_new_ones_until_it_ends(self, bank: Bank, outside, unique):
        partner = await (await register_partner(bank, outside, unique)).sign_in()
        assert (await partner.get("/v1/payment-consents")).status_code == 200
        for act, status in (("suspension", 401), ("reinstatement", 200)):
            done = await outside.post(
                f"/v1/partners/{unique}/{act}", json={"reason": "test"}, headers=staff(bank)
            )
            assert done.status_code == 200
            assert (await partner.get("/v1/payment-consents")).status_code == status
            assert (await partner.ask_token()).status_code == status

    async def test_of_an_unknown_partner_is_refused(self, bank: Bank, outside, unique):
        refused = await outside.post(
            f"/v1/partners/{unique}/suspension", json={"reason": "test"}, headers=staff(bank)
        )
        assert refused.status_code == 404
        assert refused.json()["code"] == "partner_not_found"
