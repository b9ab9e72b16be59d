"""FAPI 2.0 Message Signing: signed requests, signed answers, signed introspection."""

import time

import httpx
import pytest

from tests.gateway.customers import Customer
from tests.gateway.fapi.support import App, In, Window, answer_of, authorized, claims_of, header_of
from tests.gateway.signing import new_key

JWT = "application/token-introspection+jwt"


async def verified(app: App, token: str, alg: str) -> dict:
    """The claims of what the bank signed, under a key that it publishes. By joserfc alone."""
    from joserfc import jws
    from joserfc.jwk import KeySet

    keys = (await app.http.get("/oauth2/jwks")).json()["keys"]
    wanted = [key for key in keys if key["kid"] == header_of(token)["kid"]]
    assert len(wanted) == 1
    assert wanted[0]["alg"] == header_of(token)["alg"] == alg
    jws.deserialize_compact(token, KeySet.import_key_set({"keys": wanted}), algorithms=[alg])
    return claims_of(token)


def refused(answer: httpx.Response, error: str = "invalid_request_object") -> None:
    assert answer.status_code == 400
    assert answer.json()["error"] == error, answer.text


class TestSignedRequest:
    async def test_is_what_counts_and_nothing_beside_it(self, signing: App, customer: Customer):
        signed = signing.request_object(state="inside", nonce="inside")
        beside = {"request": signed, "client_id": signing.client_id, "state": "outside"}
        request_uri = await signing.pushed(beside | {"nonce": "outside", "scope": "openid"})
        async with httpx.AsyncClient(base_url=signing.origin) as client:
            window = Window(signing, request_uri, client)
            await window.sign_in(customer)
            answer = answer_of(await window.approve(customer.account_id))
        assert answer["state"] == "inside"
        tokens = await signing.tokens(answer["code"])
        assert claims_of(tokens["id_token"])["nonce"] == "inside"
        assert tokens["scope"] == "accounts openid"

    async def test_is_needed_where_the_client_chose_so(self, signing: App, app: App):
        refused(await signing.push(), "invalid_request")
        answer = await app.push({"request": app.request_object()})
        assert answer.status_code == 201, answer.text

    @pytest.mark.parametrize(
        "changes",
        [
            {"aud": ["https://other.example", "ISSUER"]},
            {"nbf": In(8)},
            {"nbf": In(-3000)},
            {"iat": In(0)},
            {"header": {"typ": "oauth-authz-req+jwt"}},
            {"iss": "absent"},
            {"claims": {"id_token": {"acr": None}}},
        ],
    )
    async def test_is_taken_within_its_limits(self, signing: App, changes):
        if "aud" in changes:
            changes = {"aud": [signing.origin, "https://other.example"]}
        answer = await signing.push({"request": signing.request_object(**changes)})
        assert answer.status_code == 201, answer.text

    @pytest.mark.parametrize(
        "changes",
        [
            {"exp": "absent"},
            {"nbf": "absent"},
            {"exp": In(-1)},
            {"exp": In(3700)},
            {"nbf": In(-3700), "exp": In(60)},
            {"nbf": In(90), "exp": In(300)},
            {"aud": "https://other.example"},
            {"aud": "absent"},
            {"iss": "other-fapi"},
            {"client_id": "other-fapi"},
            {"client_id": "absent"},
            {"request_uri": "urn:ietf:params:oauth:request_uri:x"},
            {"header": {"alg": "none"}},
            {"header": {"typ": "at+jwt"}},
            {"key": new_key()},
        ],
    )
    async def test_is_refused_outside_of_them(self, signing: App, changes):
        refused(await signing.push({"request": signing.request_object(**changes)}))

    async def test_is_refused_in_rs256_and_where_what_it_asks_is_wrong(
        self, other: App, signing: App
    ):
        rs256 = other.request_object(header={"alg": "RS256"})
        refused(await other.push({"request": rs256}))
        for changes in ({"redirect_uri": None}, {"redirect_uri": "https://evil.example/"}):
            signed = signing.request_object(**changes)
            refused(await signing.push({"request": signed}), "invalid_request")

    async def test_is_no_client_assertion_nor_the_other_way_round(self, signing: App):
        signed = signing.request_object()
        answer = await signing.push(
            {"request": signed}, credentials=signing.credentials() | {"client_assertion": signed}
        )
        assert answer.json()["error"] == "invalid_client"
        refused(await signing.push({"request": signing.credentials()["client_assertion"]}))


class TestSignedAnswer:
    async def test_carries_code_state_and_issuer_inside_and_nothing_outside(
        self, signing: App, customer: Customer
    ):
        signed = signing.request_object(response_mode="jwt", state="s1")
        answer = await authorized(signing, customer, parameters={"request": signed})
        assert set(answer) == {"response"}
        claims = await verified(signing, answer["response"], "ES256")
        assert set(claims) == {"iss", "aud", "exp", "code", "state"}
        assert claims["iss"] == signing.origin
        assert claims["aud"] == signing.client_id
        assert claims["state"] == "s1"
        assert 0 < claims["exp"] - time.time() <= 600
        await signing.tokens(claims["code"])

    async def test_carries_a_denial_too(self, app: App):
        request_uri = await app.pushed(response_mode="jwt", state="s2")
        async with httpx.AsyncClient(base_url=app.origin) as client:
            window = Window(app, request_uri, client)
            await window.open()
            answer = answer_of(await window.submit("sign-in", decision="deny"))
        claims = await verified(app, answer["response"], "PS256")
        assert (claims["error"], claims["state"]) == ("access_denied", "s2")
        assert claims["iss"] == app.origin


class TestIntrospection:
    async def test_tells_the_client_what_its_tokens_are_worth(
        self, app: App, other: App, customer: Customer
    ):
        tokens = await app.tokens((await authorized(app, customer))["code"])
        access, refresh = tokens["access_token"], tokens["refresh_token"]

        async def asked(by: App, token: str) -> dict:
            form = by.credentials() | {"token": token}
            return (await by.http.post("/oauth2/introspect", data=form)).json()

        told = await asked(app, access)
        assert told["active"] is True
        assert told["cnf"] == claims_of(access)["cnf"]
        assert told["token_type"] == "DPoP"
        assert told["scope"] == "accounts openid"
        assert told["sub"] == claims_of(tokens["id_token"])["sub"]
        assert (await asked(app, refresh))["active"] is True
        for by, token in ((other, access), (other, refresh), (app, "guessed")):
            assert await asked(by, token) == {"active": False}
        unknown = await app.http.post("/oauth2/introspect", data={"token": access})
        assert unknown.json()["error"] == "invalid_client"
        # Ended by its client: the access token at once, the refresh token with all it gave.
        for token in (access, refresh, "guessed"):
            form = app.credentials() | {"token": token}
            assert (await app.http.post("/oauth2/revoke", data=form)).status_code == 200
            assert await asked(app, token) == {"active": False}
            assert (await app.call(token=access)).status_code == 401
            assert (await asked(app, refresh))["active"] is (token == access)

    async def test_leaves_alone_what_is_another_clients(self, app: App, other: App, customer):
        tokens = await app.tokens((await authorized(app, customer))["code"])
        for token in (tokens["access_token"], tokens["refresh_token"]):
            form = other.credentials() | {"token": token}
            assert (await other.http.post("/oauth2/revoke", data=form)).status_code == 200
        assert (await app.call()).status_code == 200
        refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        assert (await app.ask_token(**refresh)).status_code == 200

    async def test_is_signed_for_whom_accepts_that(self, signing: App, customer: Customer):
        signed = signing.request_object()
        answer = await authorized(signing, customer, parameters={"request": signed})
        token = (await signing.tokens(answer["code"]))["access_token"]
        form = signing.credentials() | {"token": token}
        told = await signing.http.post("/oauth2/introspect", data=form, headers={"Accept": JWT})
        assert told.headers["content-type"].startswith(JWT)
        assert header_of(told.text)["typ"] == "token-introspection+jwt"
        claims = await verified(signing, told.text, "ES256")
        assert claims["aud"] == signing.client_id
        assert claims["token_introspection"]["active"] is True
        assert not {"sub", "exp"} & set(claims)
