"""Clients that come in by a directory's software statement (RFC 7591, 7592)."""

from uuid import uuid4

import httpx
import pytest

from tests.bank import Bank
from tests.gateway.customers import Customer
from tests.gateway.fapi.support import CALLBACK, App, In, authorized, timed
from tests.gateway.signing import new_key, public_jwk, sign
from tests.gateway.support import staff

DIRECTORY = "https://directory.example"
KEY = new_key()


@pytest.fixture(scope="module")
async def directory(bank: Bank, http: httpx.AsyncClient) -> str:
    body = {"issuer": DIRECTORY, "jwks": {"keys": [public_jwk(KEY)]}}
    trusted = await http.put("/v1/software-issuers", json=body, headers=staff(bank))
    assert trusted.status_code == 204, trusted.text
    return DIRECTORY


def statement(app_key, *, key=KEY, **changes) -> str:
    claims = {
        "iss": DIRECTORY,
        "iat": In(0),
        "jti": uuid4().hex,
        "software_id": "software-1",
        "software_client_name": "Directory App",
        "software_redirect_uris": [CALLBACK, "https://app.example/second"],
        "software_jwks": {"keys": [public_jwk(app_key) | {"kid": "d1"}]},
        "org_id": "org-directory",
        "org_name": "Directory House",
    } | changes
    claims = timed({name: value for name, value in claims.items() if value is not None})
    return sign(key, {"alg": "ES256"}, claims)


class TestRegistration:
    async def test_makes_a_client_that_can_do_all(self, directory, http, customer: Customer):
        key = new_key()
        body = {
            "software_statement": statement(key),
            "redirect_uris": [CALLBACK],
            "scope": "openid accounts",
            "token_endpoint_auth_method": "private_key_jwt",
            "id_token_signed_response_alg": "ES256",
            "grant_types": ["authorization_code", "refresh_token"],
        }
        made = await http.post("/oauth2/register", json=body)
        assert made.status_code == 201, made.text
        told = made.json()
        assert told["dpop_bound_access_tokens"] is True
        assert told["client_name"] == "Directory App"
        origin = str(http.base_url).rstrip("/")
        app = App(told["client_id"], origin, http, key=key)
        await app.tokens((await authorized(app, customer))["code"])
        assert (await app.call()).status_code == 200

        me = {"Authorization": f"Bearer {told['registration_access_token']}"}
        at = told["registration_client_uri"]
        assert (await http.get(at, headers=me)).json()["redirect_uris"] == [CALLBACK]
        newer = {"software_statement": statement(new_key())}
        changed = await http.put(at, json=newer, headers=me)
        assert len(changed.json()["redirect_uris"]) == 2, changed.text
        assert (await app.push()).json()["error"] == "invalid_client"  # its key has gone
        another = {"software_statement": statement(key, software_id="software-2")}
        assert (await http.put(at, json=another, headers=me)).status_code == 400
        for nobody in ({}, {"Authorization": "Bearer guessed"}):
            assert (await http.get(at, headers=nobody)).status_code == 401
            assert (await http.delete(at, headers=nobody)).status_code == 401
        assert (await http.delete(at, headers=me)).status_code == 204
        assert (await http.get(at, headers=me)).status_code == 401
        assert (await app.call()).status_code == 401

    @pytest.mark.parametrize(
        ("of_statement", "beside", "error"),
        [
            ({"key": new_key()}, {}, "invalid_software_statement"),
            ({"iss": "https://unknown.example"}, {}, "unapproved_software_statement"),
            ({"iat": In(-4000)}, {}, "invalid_software_statement"),
            ({"exp": In(-1)}, {}, "invalid_software_statement"),
            ({"jti": None}, {}, "invalid_software_statement"),
            ({"software_jwks": None}, {}, "invalid_software_statement"),
            ({"org_id": None}, {}, "invalid_software_statement"),
            ({}, {"redirect_uris": ["https://evil.example/"]}, "invalid_redirect_uri"),
            (
                {"software_redirect_uris": ["http://app.example/"]},
                {},
                "invalid_redirect_uri",
            ),
            ({}, {"token_endpoint_auth_method": "none"}, "invalid_client_metadata"),
            ({}, {"token_endpoint_auth_method": "client_secret_basic"}, "invalid_client_metadata"),
            ({}, {"grant_types": ["implicit"]}, "invalid_client_metadata"),
            ({}, {"response_types": ["code id_token"]}, "invalid_client_metadata"),
            ({}, {"dpop_bound_access_tokens": False}, "invalid_client_metadata"),
            ({}, {"id_token_signed_response_alg": "RS256"}, "invalid_client_metadata"),
            ({}, {"jwks_uri": "https://app.example/keys"}, "invalid_client_metadata"),
            ({}, {"jwks": {"keys": [public_jwk(new_key())]}}, "invalid_client_metadata"),
            ({}, {"scope": "everything"}, "invalid_client_metadata"),
        ],
    )
    async def test_is_refused_where_it_breaks_a_rule(
        self, directory, http, of_statement, beside, error
    ):
        body = {"software_statement": statement(new_key(), **of_statement)} | beside
        answer = await http.post("/oauth2/register", json=body)
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"] == error

    async def test_needs_a_statement_that_was_not_used(self, directory, http):
        none = await http.post("/oauth2/register", json={"redirect_uris": [CALLBACK]})
        assert none.json()["error"] == "invalid_software_statement"
        body = {"software_statement": statement(new_key())}
        assert (await http.post("/oauth2/register", json=body)).status_code == 201
        again = await http.post("/oauth2/register", json=body)
        assert again.json()["error"] == "invalid_software_statement"

    async def test_by_staff_is_the_same_again_and_no_other(self, bank: Bank, http, app: App):
        path = "/v1/partners/p-app-fapi/clients"
        listed = (await http.get(path, headers=staff(bank))).json()["items"]
        assert {one["client_id"] for one in listed} == {"p-app-fapi", "app-fapi"}
        body = {"client_id": "app-fapi", "name": "Another", "jwks": {"keys": [public_jwk(KEY)]}}
        assert (await http.post(path, json=body, headers=staff(bank))).status_code == 409
        nobody = "/v1/partners/p-nobody/clients"
        assert (await http.post(nobody, json=body, headers=staff(bank))).status_code == 404
        assert (await http.post(path, json=body)).status_code == 401
