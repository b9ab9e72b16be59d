"""FAPI 2.0, statements 9, 11 and 13 to 16, on the page where the customer decides."""

import asyncio
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from html import escape

import httpx
import pytest

from tests.bank import Bank
from tests.gateway.customers import Customer
from tests.gateway.fapi.support import App, Window, answer_of, authorized
from tests.gateway.support import gateway_process

SENT_NOWHERE = "Go back to the app and start again"


@pytest.fixture
async def window(app: App):
    async with httpx.AsyncClient(base_url=app.origin, timeout=30) as client:
        yield Window(app, await app.pushed(), client)


async def aged(bank: Bank, request_uri: str) -> None:
    """Makes the pushed request as old as it may not be."""
    connection = await bank.connect("gateway")
    try:
        await connection.execute(
            "UPDATE pushed_requests SET expires_at = $1 WHERE request_hash = $2",
            datetime.now(UTC) - timedelta(seconds=1),
            sha256(request_uri.encode()).digest(),
        )
    finally:
        await connection.close()


def ends_here(answer: httpx.Response) -> None:
    assert answer.status_code == 400
    assert SENT_NOWHERE in answer.text
    assert "location" not in answer.headers


class TestPage:
    async def test_keeps_to_itself(self, window: Window):
        page = await window.open()
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["cache-control"] == "no-store"
        assert not [name for name in page.headers if name.startswith("access-control")]
        cookie = page.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie

    async def test_is_in_the_language_that_is_asked_for(self, window: Window):
        assert "Sign in" in (await window.open(lang="en")).text
        chinese = await window.open(lang="zh")
        assert "登录" in chinese.text
        # the way to the other language keeps the request
        assert escape(window.request_uri.rsplit(":", 1)[1]) in chinese.text

    async def test_asks_again_after_a_wrong_password(self, window: Window, customer: Customer):
        answer = await window.sign_in(customer, password="not the password")
        assert answer.status_code == 401
        assert "is not right" in answer.text
        assert (await window.sign_in(customer)).status_code == 303

    @pytest.mark.parametrize("signs_in", [True, False])
    async def test_leads_back_with_a_denial(self, window: Window, customer, signs_in: bool):
        if signs_in:
            await window.sign_in(customer)
            answer = answer_of(await window.deny())
        else:
            await window.open()
            answer = answer_of(await window.submit("sign-in", decision="deny"))
        assert answer["error"] == "access_denied"
        assert answer["iss"] == window.app.origin
        assert "state" in answer
        assert "code" not in answer
        ends_here(await window.open())

    async def test_needs_accounts_that_are_the_customers_own(self, window: Window, customer):
        await window.sign_in(customer)
        assert (await window.approve()).status_code == 422
        strange = await window.approve(customer.account_id, customer.payee_id)
        assert strange.status_code == 422
        assert "code" in answer_of(await window.approve(customer.account_id))

    async def test_takes_no_form_but_its_own(self, window: Window, customer: Customer):
        await window.sign_in(customer)
        for forged in ("", "0" * 64):
            answer = await window.approve(customer.account_id, csrf=forged)
            assert answer.status_code == 403
            window.last = await window.open()
        async with httpx.AsyncClient(base_url=window.app.origin) as stranger:
            stolen = Window(window.app, window.request_uri, stranger, window.last)
            assert (await stolen.approve(customer.account_id)).status_code == 403

    async def test_forgets_what_the_browser_held_before_signing_in(self, window, customer):
        await window.open()
        before = dict(window.client.cookies)
        await window.sign_in(customer)
        assert before
        assert dict(window.client.cookies) != before


class TestRequestUri:
    async def test_may_be_opened_again_until_it_is_decided(self, window: Window, customer):
        await window.open()
        await window.open()
        await window.sign_in(customer)
        assert "code" in answer_of(await window.approve(customer.account_id))
        ends_here(await window.open())

    async def test_is_decided_once(self, window: Window, customer: Customer):
        await window.sign_in(customer)
        page = window.last
        assert "code" in answer_of(await window.approve(customer.account_id))
        window.last = page
        ends_here(await window.approve(customer.account_id))

    async def test_is_decided_by_one_of_two_at_once(self, window: Window, customer: Customer):
        await window.sign_in(customer)
        fields = {"account_id": customer.account_id, "decision": "approve"}
        given = fields | {name: window.hidden(name) for name in ("csrf", "client_id")}
        given["request_uri"] = window.request_uri
        answers = await asyncio.gather(
            *(window.client.post("/oauth2/authorize/decision", data=given) for _ in range(4))
        )
        assert min(answer.status_code for answer in answers) == 303
        assert [answer.status_code for answer in answers].count(303) == 1

    async def test_is_its_clients_alone(self, window: Window, other: App):
        ends_here(await window.open(client_id=other.client_id))
        ends_here(await window.open(client_id="nobody"))

    async def test_expires_but_not_under_a_customer_who_came_in_time(
        self, bank: Bank, window: Window, customer: Customer
    ):
        late = await window.app.pushed()
        await aged(bank, late)
        async with httpx.AsyncClient(base_url=window.app.origin) as client:
            ends_here(await Window(window.app, late, client).open())
        await window.sign_in(customer)
        await aged(bank, window.request_uri)
        assert "code" in answer_of(await window.approve(customer.account_id))

    @pytest.mark.parametrize("method", ["get", "post"])
    async def test_is_the_only_way_in(self, app: App, method: str):
        """No request by its parameters, none by value; nobody is sent anywhere for it."""
        for extra in ({}, {"request": app.request_object()}):
            given = app.parameters() | extra
            if method == "get":
                ends_here(await app.http.get("/oauth2/authorize", params=given | {"lang": "en"}))
            else:
                ends_here(await app.http.post("/oauth2/authorize?lang=en", data=given))

    async def test_may_come_as_a_form(self, app: App):
        given = {"client_id": app.client_id, "request_uri": await app.pushed()}
        page = await app.http.post("/oauth2/authorize?lang=en", data=given)
        assert page.status_code == 200
        assert "Budget App" in page.text


class TestAnswer:
    async def test_keeps_a_long_state_and_needs_none(self, app: App, customer: Customer):
        state = "é/&=?#" * 160
        answer = await authorized(app, customer, state=state)
        assert answer["state"] == state
        assert set(await authorized(app, customer, state=None)) == {"code", "iss"}

    async def test_ignores_what_stands_beside_the_request(self, app: App, customer: Customer):
        request_uri = await app.pushed(state=None)
        async with httpx.AsyncClient(base_url=app.origin) as client:
            window = Window(app, request_uri, client)
            await window.open(state="outside", redirect_uri="https://evil.example/", scope="x")
            await window.sign_in(customer)
            answer = answer_of(await window.approve(customer.account_id))
        assert set(answer) == {"code", "iss"}


class TestBehindTls:
    async def test_issuer_links_and_cookies_are_those_of_the_public(self, bank: Bank, other: App):
        public = "https://bank.example:8443"
        with gateway_process(bank, PUBLIC_URL=public, DPOP_NONCE="required") as url:
            async with httpx.AsyncClient(base_url=url, timeout=30) as http:
                app = App(other.client_id, public, http, key=other.key)
                metadata = (await http.get("/.well-known/openid-configuration")).json()
                assert metadata["issuer"] == public
                assert metadata["pushed_authorization_request_endpoint"] == f"{public}/oauth2/par"
                proofs = [app.proof("POST", "/oauth2/par")]
                first = await app.push(proofs=proofs)
                assert first.json()["error"] == "use_dpop_nonce"
                app.nonce = first.headers["dpop-nonce"]
                request_uri = await app.pushed(proofs=[app.proof("POST", "/oauth2/par")])
                page = await http.get(
                    "/oauth2/authorize",
                    params={"client_id": app.client_id, "request_uri": request_uri},
                )
                assert page.status_code == 200
                assert page.headers["strict-transport-security"].startswith("max-age=31536000")
                assert page.headers["set-cookie"].startswith("__Host-")
                assert "Secure" in page.headers["set-cookie"]
