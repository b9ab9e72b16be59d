"""FAPI 2.0, statements 17 to 21, at a customer's accounts; and what ends access."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import jsonschema
import pytest

from tests.bank import Bank
from tests.gateway.customers import Customer
from tests.gateway.fapi.support import ACCOUNTS, App, In, authorized, claims_of
from tests.gateway.signing import RSA_KEY, new_key, public_jwk, sign
from tests.gateway.support import PASSWORD

STANDARD = Path(__file__).with_name("ob_read_account_6.schema.json")


@pytest.fixture(scope="module")
async def holder(app: App, customer: Customer) -> App:
    """The app with a token of the customer's grant."""
    held = App(app.client_id, app.origin, app.http, app.key)
    answer = await authorized(held, customer)
    await held.tokens(answer["code"])
    return held


def refused(answer: httpx.Response, status: int = 401) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["www-authenticate"].startswith("DPoP ")
    assert set(answer.json()) >= {"Code", "Message", "Errors"}


class TestAccounts:
    async def test_are_listed_as_the_standard_has_them(self, holder: App, customer: Customer):
        told = {"x-fapi-interaction-id": "93bac548-d2de-4546-b106-880a5018460d"}
        answer = await holder.call(headers=told)
        assert answer.status_code == 200
        assert answer.headers["x-fapi-interaction-id"] == told["x-fapi-interaction-id"]
        assert answer.headers["date"].endswith("GMT")
        document = answer.json()
        jsonschema.validate(
            document,
            json.loads(STANDARD.read_text()),
            format_checker=jsonschema.FormatChecker(),
        )
        assert document["Links"]["Self"] == holder.origin + ACCOUNTS
        assert [one["AccountId"] for one in document["Data"]["Account"]] == [customer.account_id]

    async def test_need_the_header_and_nothing_else(self, holder: App):
        refused(await holder.http.get(ACCOUNTS))
        refused(await holder.http.get(ACCOUNTS, params={"access_token": holder.token}))
        in_query = await holder.call(params={"access_token": holder.token})
        refused(in_query)
        refused(await holder.call(headers={"Authorization": f"Bearer {holder.token}"}))
        for scheme in ("dpop", "DPOP", "dPoP"):
            told = {"Authorization": f"{scheme} {holder.token}"}
            assert (await holder.call(headers=told)).status_code == 200

    async def test_need_a_token_that_the_bank_signed(self, holder: App):
        claims = claims_of(holder.token)
        for key, kid in ((new_key("Ed25519"), "x"), (new_key("ES256"), "k1")):
            forged = sign(key, {"typ": "at+jwt", "alg": "Ed25519", "kid": kid}, claims)
            refused(await holder.call(token=forged))
        refused(await holder.call(token=holder.token[:-4] + "AAAA"))

    async def test_need_the_scope_of_a_customer(self, holder: App, customer: Customer):
        own = await holder.ask_token(grant_type="client_credentials", scope="accounts")
        refused(await holder.call(token=own.json()["access_token"]), 403)
        # Nor is a customer's grant good for what a client does by itself.
        answer = await holder.call("/v1/payment-consents")
        assert answer.status_code == 403


class TestProof:
    @pytest.mark.parametrize(
        "changes",
        [
            {"header": {"typ": "JWT"}},
            {"absent": "typ"},
            {"absent": "jwk"},
            {"absent": "jti"},
            {"absent": "htm"},
            {"absent": "htu"},
            {"absent": "iat"},
            {"absent": "ath"},
            {"absent": "alg"},
            {"header": {"alg": "none"}},
            {"key": RSA_KEY, "header": {"alg": "RS256"}},
            {"header": {"jwk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA"}}},
            {"header": {"jwk": public_jwk(new_key())}},
            {"claims": {"htm": "PUT"}},
            {"claims": {"htu": "https://evil.example/open-banking/v4.0/aisp/accounts"}},
            {"claims": {"ath": "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"}},
            {"key": new_key()},
            {"now": In(-3600)},
            {"now": In(3600)},
        ],
    )
    async def test_is_refused_where_it_breaks_a_rule(self, holder: App, changes):
        made = holder.proof("GET", ACCOUNTS, token=holder.token, **changes)
        refused(await holder.call(headers={"DPoP": made}))

    async def test_comes_once_and_in_one_header(self, holder: App):
        proofs = [holder.proof("GET", ACCOUNTS, token=holder.token) for _ in range(2)]
        who = ("Authorization", f"DPoP {holder.token}")
        refused(await holder.http.get(ACCOUNTS, headers=[who]))
        refused(await holder.http.get(ACCOUNTS, headers=[who, *(("DPoP", it) for it in proofs)]))
        refused(await holder.call(headers={"DPoP": "not.a.proof"}))
        assert (await holder.call(headers={"DPoP": proofs[0]})).status_code == 200
        refused(await holder.call(headers={"DPoP": proofs[0]}))

    @pytest.mark.parametrize(
        "changes",
        [
            {"now": In(-10)},
            {"header": {"extra": "x"}, "claims": {"extra": "x"}},
            {"claims": {"htu": "ORIGIN/open-banking/v4.0/aisp/accounts?a=b#c"}},
            {"claims": {"htu": "HTTP://127.0.0.1:PORT/open-banking/v4.0/aisp/accounts"}},
        ],
    )
    async def test_holds_with_differences_that_do_not_count(self, holder: App, changes):
        port = holder.origin.rsplit(":", 1)[1]
        text = json.dumps(changes.get("claims", {}))
        claims = json.loads(text.replace("ORIGIN", holder.origin).replace("PORT", port))
        made = holder.proof("GET", ACCOUNTS, token=holder.token, **(changes | {"claims": claims}))
        assert (await holder.call(headers={"DPoP": made})).status_code == 200

    async def test_may_be_of_a_clock_ten_seconds_fast(self, holder: App):
        ahead = datetime.now(UTC) + timedelta(seconds=9)
        made = holder.proof("GET", ACCOUNTS, token=holder.token, now=ahead)
        assert (await holder.call(headers={"DPoP": made})).status_code == 200


class TestAccess:
    async def test_ends_when_the_customer_takes_it_back(self, app: App, customer: Customer):
        held = App(app.client_id, app.origin, app.http, app.key)
        answer = await authorized(held, customer)
        tokens = await held.tokens(answer["code"])
        assert (await held.call()).status_code == 200
        body = {"login_name": customer.login_name, "password": PASSWORD}
        session = (await app.http.post("/v1/sessions", json=body)).json()["session_token"]
        me = {"Authorization": f"Bearer {session}"}
        listed = (await app.http.get("/v1/me/grants", headers=me)).json()["items"]
        grant = listed[0]
        assert grant["client_name"] == "Budget App"
        assert grant["accounts"] == [customer.account_id]
        assert grant["last_used_at"]
        path = f"/v1/me/grants/{grant['grant_id']}/revocation"
        for _ in range(2):
            ended = await app.http.post(path, headers=me)
            assert ended.json()["state"] == "revoked"
        refused(await held.call())
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        assert (await held.ask_token(**form)).json()["error"] == "invalid_grant"

    async def test_ends_with_the_grants_own_time(self, bank: Bank, app: App, customer: Customer):
        held = App(app.client_id, app.origin, app.http, app.key)
        answer = await authorized(held, customer)
        tokens = await held.tokens(answer["code"])
        grant_id = claims_of(tokens["access_token"])["grant_id"]
        connection = await bank.connect("gateway")
        await connection.execute(
            "UPDATE grants SET expires_at = now() WHERE grant_id = $1::uuid", grant_id
        )
        await connection.close()
        refused(await held.call())

    async def test_ends_with_the_right_to_the_account(self, bank: Bank, holder: App, customer):
        connection = await bank.connect("identity")
        where = "WHERE account_id = $1"
        await connection.execute(f"DELETE FROM account_rights {where}", customer.account_id)
        try:
            assert (await holder.call()).json()["Data"]["Account"] == []
        finally:
            await connection.execute(
                "INSERT INTO account_rights VALUES ($1, $2, 'owner', now())",
                customer.account_id,
                customer.customer_id,
            )
            await connection.close()
