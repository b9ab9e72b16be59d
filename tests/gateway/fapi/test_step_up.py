"""Payments need more than a sign-in: a code or a passkey's signature over payee and amount."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.async_api import CDPSession, Page, async_playwright

from tests.bank import Bank
from tests.gateway.customers import Customer, code_of
from tests.gateway.fapi.support import App, Window, answer_of, claims_of
from tests.gateway.support import PASSWORD, consent_body, gateway_process
from tests.gateway.test_page_in_browser import CHROMIUM, picture


async def payment_consent(app: App, customer: Customer, **fields: Any) -> str:
    """A consent that the partner asked for at the bank's own API; its id."""
    own = await app.ask_token(grant_type="client_credentials", scope="consents")
    token = own.json()["access_token"]
    path = "/v1/payment-consents"
    payee = {"account_id": customer.payee_id, "name": "Corner Shop"}
    headers = {
        "Authorization": f"DPoP {token}",
        "DPoP": app.proof("POST", path, token=token),
        "Idempotency-Key": app.verifier or "first",
    }
    body = consent_body(payee=payee, limit_minor=123_45, **fields)
    made = await app.http.post(path, json=body, headers=headers)
    assert made.status_code == 201, made.text
    return made.json()["consent_id"]


async def state_of(bank: Bank, consent_id: str) -> str:
    connection = await bank.connect("gateway")
    try:
        query = "SELECT state FROM payment_consents WHERE consent_id = $1::uuid"
        return await connection.fetchval(query, consent_id)
    finally:
        await connection.close()


async def me(http: httpx.AsyncClient, customer: Customer) -> dict[str, str]:
    body = {"login_name": customer.login_name, "password": PASSWORD}
    session = await http.post("/v1/sessions", json=body, headers={"User-Agent": "Test Browser"})
    return {"Authorization": f"Bearer {session.json()['session_token']}"}


class TestCode:
    async def test_names_payee_and_amount_and_counts_for_this_request_alone(
        self, bank: Bank, app: App, customer: Customer
    ):
        app.parameters()
        consent_id = await payment_consent(app, customer)
        asked = {"scope": "payments", "openbanking_intent_id": consent_id}
        first, second = await app.pushed(**asked), await app.pushed(**asked)
        verifier = app.verifier
        async with httpx.AsyncClient(base_url=app.origin) as client:
            other_window = Window(app, first, client)
            await other_window.sign_in(customer)
            other_code = code_of(bank, customer.customer_id)["code"]
            window = Window(app, second, client)
            await window.sign_in(customer)
            for words in ("Corner Shop", "123.45", customer.payee_id):
                assert words in window.last.text
            message = code_of(bank, customer.customer_id)
            assert "Corner Shop" in message["en"]
            assert "123.45" in message["en"]
            assert (await window.approve(customer.account_id)).status_code == 422
            if other_code != message["code"]:
                wrong = await window.approve(customer.account_id, code=other_code)
                assert wrong.status_code == 422
            nobodys = await window.approve(customer.payee_id, code=message["code"])
            assert nobodys.status_code == 422
            assert await state_of(bank, consent_id) == "awaiting_authorization"
            answer = answer_of(await window.approve(customer.account_id, code=message["code"]))
            assert await state_of(bank, consent_id) == "authorized"
            # The consent is decided: the other request about it leads nowhere.
            assert (await other_window.open()).status_code == 400
        app.verifier = verifier
        tokens = await app.tokens(answer["code"])
        assert tokens["scope"] == "payments"
        headers = await me(app.http, customer)
        listed = (await app.http.get("/v1/me/grants", headers=headers)).json()["items"]
        grant = next(one for one in listed if one["consent_id"] == consent_id)
        # Taking back the consent ends the grant, and what came of it.
        path = f"/v1/me/consents/{consent_id}/revocation"
        assert (await app.http.post(path, headers=headers)).json()["state"] == "revoked"
        again = (await app.http.get("/v1/me/grants", headers=headers)).json()["items"]
        ended = next(one for one in again if one["grant_id"] == grant["grant_id"])
        assert ended["state"] == "revoked"
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        assert (await app.ask_token(**form)).json()["error"] == "invalid_grant"

    async def test_is_not_asked_of_another_partners_consent(
        self, app: App, other: App, customer: Customer
    ):
        app.parameters()
        consent_id = await payment_consent(app, customer)
        asked = {"scope": "payments", "openbanking_intent_id": consent_id}
        assert (await other.push(**asked)).json()["error"] == "invalid_request"
        claims = {"id_token": {"openbanking_intent_id": {"value": consent_id, "essential": True}}}
        by_claim = await app.push(scope="openid payments", claims=json.dumps(claims))
        assert by_claim.status_code == 201, by_claim.text


class TestSessions:
    async def test_are_shown_by_device_and_end_from_another(self, app: App, customer: Customer):
        first, second = await me(app.http, customer), await me(app.http, customer)
        listed = (await app.http.get("/v1/me/sessions", headers=second)).json()["items"]
        assert {one["device"] for one in listed[:2]} == {"Test Browser"}
        older = listed[1]["session_id"]
        for _ in range(2):
            ended = await app.http.delete(f"/v1/me/sessions/{older}", headers=second)
            assert ended.status_code == 204
        assert (await app.http.get("/v1/me/sessions", headers=first)).status_code == 401
        assert (await app.http.get("/v1/me/sessions", headers=second)).status_code == 200


@pytest.fixture(scope="module")
def named_gateway(bank: Bank, fapi_gateway: str) -> Iterator[str]:
    """A gateway whose host has a name, as passkeys need it."""
    with gateway_process(bank, host="localhost") as url:
        yield url


@pytest.fixture
async def browser(named_gateway: str) -> AsyncIterator[tuple[Page, CDPSession]]:
    """Chromium with a virtual authenticator that verifies its user."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        page = await (await chromium.new_context()).new_page()
        cdp = await page.context.new_cdp_session(page)
        await cdp.send("WebAuthn.enable")
        await cdp.send(
            "WebAuthn.addVirtualAuthenticator",
            {
                "options": {
                    "protocol": "ctap2",
                    "transport": "internal",
                    "hasResidentKey": True,
                    "hasUserVerification": True,
                    "isUserVerified": True,
                    "automaticPresenceSimulation": True,
                }
            },
        )
        yield page, cdp
        await chromium.close()


CREATE = """async (text) => {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(JSON.parse(text));
  return JSON.stringify((await navigator.credentials.create({ publicKey })).toJSON());
}"""
GET = """async (text) => {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(JSON.parse(text));
  return JSON.stringify((await navigator.credentials.get({ publicKey })).toJSON());
}"""


@pytest.mark.browser
class TestPasskey:
    async def test_signs_in_and_confirms_a_payment_in_a_browser(
        self, bank: Bank, other: App, customer: Customer, browser, named_gateway: str
    ):
        page, _ = browser
        async with httpx.AsyncClient(base_url=named_gateway, timeout=30) as http:
            app = App(other.client_id, named_gateway, http, other.key)
            headers = await me(http, customer)
            challenge = await http.post("/v1/me/passkeys/challenges", headers=headers)
            assert challenge.status_code == 201, challenge.text
            await page.goto(f"{named_gateway}/")
            body = {
                "challenge_id": challenge.json()["challenge_id"],
                "credential": await page.evaluate(CREATE, challenge.json()["options"]),
                "name": "Laptop",
            }
            made = await http.post("/v1/me/passkeys", json=body, headers=headers)
            assert made.status_code == 201, made.text
            again = await http.post("/v1/me/passkeys", json=body, headers=headers)
            assert again.status_code == 401  # a challenge is answered once

            app.parameters()
            consent_id = await payment_consent(app, customer)
            asked = {"scope": "openid payments", "openbanking_intent_id": consent_id}
            request_uri = await app.pushed(**asked)
            query = httpx.QueryParams(
                {"client_id": app.client_id, "request_uri": request_uri, "lang": "en"}
            )
            await page.goto(f"{named_gateway}/oauth2/authorize?{query}")
            await picture(page, "authorize-sign-in")
            await page.click("#passkey_button")
            await page.wait_for_selector("#approve_button")
            await picture(page, "authorize-decide")
            # Nobody is at the client's address: where the browser goes is what counts.
            async with page.expect_request("https://app.example/**") as sent:
                await page.click("#passkey_button")
            answer = parse_qs(urlsplit((await sent.value).url).query)
            assert await state_of(bank, consent_id) == "authorized"
            tokens = await app.tokens(answer["code"][0])
            claims = claims_of(tokens["id_token"])
            assert claims["acr"] == "urn:tongbao:passkey"
            assert claims["openbanking_intent_id"] == consent_id

            await self.check_binding(bank, page, customer, named_gateway)
            kept = (await http.get("/v1/me/passkeys", headers=headers)).json()["items"]
            assert [one["name"] for one in kept] == ["Laptop"]
            assert kept[0]["last_used_at"]
            path = f"/v1/me/passkeys/{kept[0]['passkey_id']}"
            assert (await http.delete(path, headers=headers)).status_code == 204
            assert (await http.delete(path, headers=headers)).status_code == 404

    async def check_binding(self, bank: Bank, page: Page, customer: Customer, origin: str):
        """What was signed for one payee and amount confirms no other, and confirms once."""
        asked = {
            "purpose": "confirm",
            "origin": origin,
            "customer_id": customer.customer_id,
            "subject": "one-payment",
            "message": "Corner Shop may take 123.45 CNY",
        }
        async with bank.client("identity", caller="gateway") as identity:
            challenge = (await identity.post("/v1/passkeys/challenges", json=asked)).json()
            await page.goto(f"{origin}/")
            credential = await page.evaluate(GET, challenge["options"])
            answered = asked | {
                "challenge_id": challenge["challenge_id"],
                "credential": credential,
            }
            for changes in (
                {"message": "Corner Shop may take 999.99 CNY"},
                {"subject": "another-payment"},
                {"customer_id": "c-nobody"},
                {"purpose": "sign_in"},
                {"origin": "http://evil.example"},
                {"credential": credential.replace('"id":"', '"id":"x')},
            ):
                tried = await identity.post("/v1/passkeys/verifications", json=answered | changes)
                assert tried.status_code == 401, (changes, tried.text)
            right = await identity.post("/v1/passkeys/verifications", json=answered)
            assert right.json()["customer_id"] == customer.customer_id
            twice = await identity.post("/v1/passkeys/verifications", json=answered)
            assert twice.status_code == 401
