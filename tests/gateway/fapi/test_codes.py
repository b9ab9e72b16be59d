"""FAPI 2.0, statements 2, 3, 6 to 8 and 12: codes, refresh tokens and what they are bound to."""

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import httpx
import pytest

from tests.bank import Bank
from tests.gateway.customers import Customer
from tests.gateway.fapi.support import ACCOUNTS, App, authorized, claims_of, header_of
from tests.gateway.signing import new_key, thumbprint


def refused(answer: httpx.Response, error: str = "invalid_grant") -> None:
    assert answer.json()["error"] == error, answer.text
    assert answer.status_code == (401 if error == "invalid_client" else 400)


class TestCode:
    async def test_gives_tokens_bound_to_the_key_of_the_proof(self, app: App, customer: Customer):
        tokens = await app.tokens((await authorized(app, customer))["code"])
        claims = claims_of(tokens["access_token"])
        assert claims["cnf"] == {"jkt": thumbprint(app.proof_key)}
        assert claims["client_id"] == app.client_id
        assert claims["sub"] not in {app.client_id, customer.customer_id}
        assert tokens["scope"] == "accounts openid"
        assert len(tokens["refresh_token"]) >= 43

    async def test_is_good_once_and_its_reuse_takes_back_what_it_gave(
        self, app: App, customer: Customer
    ):
        code = (await authorized(app, customer))["code"]
        tokens = await app.tokens(code)
        assert (await app.call()).status_code == 200
        refused(await app.exchange(code))
        assert (await app.call()).status_code == 401
        refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        refused(await app.ask_token(**refresh))

    async def test_is_exchanged_by_one_of_many_at_once(self, app: App, customer: Customer):
        code = (await authorized(app, customer))["code"]
        answers = await asyncio.gather(*(app.exchange(code) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]

    async def test_ends_after_a_minute(self, bank: Bank, app: App, customer: Customer):
        code = (await authorized(app, customer))["code"]
        connection = await bank.connect("gateway")
        hashed = sha256(code.encode()).digest()
        found = "FROM authorization_codes c JOIN grants g USING (grant_id) WHERE code_hash = $1"
        life = await connection.fetchval(f"SELECT c.expires_at - g.created_at {found}", hashed)
        assert life <= timedelta(seconds=60)
        await connection.execute(
            "UPDATE authorization_codes SET expires_at = $1 WHERE code_hash = $2",
            datetime.now(UTC),
            hashed,
        )
        await connection.close()
        refused(await app.exchange(code))

    async def test_is_of_no_use_to_another_client(self, app: App, other: App, customer: Customer):
        code = (await authorized(app, customer))["code"]
        other.verifier = app.verifier
        refused(await other.exchange(code))
        assert (await app.exchange(code)).status_code == 200

    async def test_needs_what_its_request_was_made_with(self, app: App, customer: Customer):
        code = (await authorized(app, customer))["code"]
        refused(await app.exchange(code, code_verifier=None))
        refused(await app.exchange(code, code_verifier=secrets.token_urlsafe(48)))
        refused(await app.exchange(code, code_verifier="short"))
        refused(await app.exchange(code, redirect_uri=None))
        refused(await app.exchange(code, redirect_uri="https://app.example/callback"))
        refused(await app.exchange(secrets.token_urlsafe(32)))
        refused(await app.exchange(code, proofs=[]), "invalid_request")
        refused(await app.exchange(code, client_assertion=None), "invalid_client")
        # Nothing of that used it up.
        assert (await app.exchange(code)).status_code == 200

    @pytest.mark.parametrize("by", ["dpop_jkt", "proof"])
    async def test_is_bound_to_the_key_that_its_request_named(
        self, app: App, customer: Customer, by: str
    ):
        key = new_key()
        if by == "proof":
            proofs = [app.proof("POST", "/oauth2/par", key=key)]
            answer = await authorized(app, customer, proofs=proofs)
        else:
            answer = await authorized(app, customer, dpop_jkt=thumbprint(key))
        refused(await app.exchange(answer["code"]))
        proofs = [app.proof("POST", "/oauth2/token", key=key)]
        assert (await app.exchange(answer["code"], proofs=proofs)).status_code == 200

    @pytest.mark.parametrize("grant", ["password", "implicit", "urn:x"])
    async def test_is_the_only_way_to_a_customers_tokens(self, app: App, grant: str):
        refused(await app.ask_token(grant_type=grant), "unsupported_grant_type")


class TestRefreshToken:
    async def test_stays_as_it_is_and_takes_a_new_key(self, app: App, customer: Customer):
        tokens = await app.tokens((await authorized(app, customer))["code"])
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        app_key = app.proof_key
        try:
            for _ in range(2):
                app.proof_key = new_key()
                again = await app.ask_token(**form)
                assert again.status_code == 200, again.text
                assert "refresh_token" not in again.json()
                assert (await app.call(token=again.json()["access_token"])).status_code == 200
        finally:
            app.proof_key = app_key
        less = await app.ask_token(**form, scope="openid")
        assert less.json()["scope"] == "openid"
        assert (await app.call(token=less.json()["access_token"])).status_code == 403
        refused(await app.ask_token(**form, scope="openid payments"), "invalid_scope")

    async def test_is_its_clients_alone(self, app: App, other: App, customer: Customer):
        tokens = await app.tokens((await authorized(app, customer))["code"])
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        refused(await other.ask_token(**form))
        refused(await app.ask_token(**form, proofs=[]), "invalid_request")
        refused(await app.ask_token(**form, client_assertion=None), "invalid_client")
        refused(await app.ask_token(grant_type="refresh_token", refresh_token="guessed"))


class TestIdToken:
    async def test_says_who_signed_in_how_and_when(self, app: App, other: App, customer):
        before = datetime.now(UTC)
        answer = await authorized(app, customer, nonce="n-0S6_WzA2Mj")
        token = (await app.tokens(answer["code"]))["id_token"]
        claims = claims_of(token)
        assert claims["iss"] == app.origin
        assert claims["aud"] == app.client_id
        assert claims["nonce"] == "n-0S6_WzA2Mj"
        assert claims["acr"] == "urn:tongbao:password"
        assert abs(claims["auth_time"] - before.timestamp()) < 300
        assert claims["exp"] > claims["iat"]
        assert header_of(token)["alg"] == "PS256"
        published = (await app.http.get("/oauth2/jwks")).json()["keys"]
        assert header_of(token)["kid"] in {key["kid"] for key in published}
        elsewhere = await other.tokens((await authorized(other, customer))["code"])
        # Two partners cannot find out that they share a customer.
        assert claims_of(elsewhere["id_token"])["sub"] != claims["sub"]


class TestTokenBoundToANonce:
    async def test_is_given_and_used_with_nonces_of_the_bank(self, nonced: App, customer):
        answer = await authorized(nonced, customer)
        first = await nonced.exchange(answer["code"])
        refused(first, "use_dpop_nonce")
        nonced.nonce = first.headers["dpop-nonce"]
        tokens = await nonced.exchange(answer["code"])
        assert tokens.status_code == 200, tokens.text
        assert tokens.headers["dpop-nonce"]
        token = tokens.json()["access_token"]
        assert (await nonced.call(token=token)).status_code == 200
        good, nonced.nonce = nonced.nonce, None
        without = await nonced.call(token=token)
        assert without.status_code == 401
        assert 'error="use_dpop_nonce"' in without.headers["www-authenticate"]
        nonced.nonce = without.headers["dpop-nonce"]
        assert (await nonced.call(token=token)).status_code == 200
        nonced.nonce = good[:-2] + ("AA" if good[-2:] != "AA" else "BB")
        forged = await nonced.call(token=token)
        assert 'error="use_dpop_nonce"' in forged.headers["www-authenticate"]
        # The bank's own clock stands behind a nonce: that of the client need not be right.
        nonced.nonce = good
        hour_ago = datetime.now(UTC) - timedelta(hours=1)
        late = nonced.proof("GET", ACCOUNTS, token=token, now=hour_ago)
        assert (await nonced.call(token=token, headers={"DPoP": late})).status_code == 200
        assert (await nonced.call(token=token, headers={"DPoP": late})).status_code == 401
