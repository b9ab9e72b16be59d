"""What an attacker tries, each as the attack itself: replay, mix-up, redirect, injection, theft."""

from urllib.parse import parse_qs, urlsplit

import httpx

from tests.bank import Bank
from tests.gateway.customers import Customer
from tests.gateway.fapi.support import ACCOUNTS, App, Window, answer_of, authorized, new_app
from tests.gateway.signing import new_key
from tests.gateway.support import gateway_process


class TestReplay:
    async def test_fails_at_every_replica_and_after_a_restart(
        self, bank: Bank, app: App, customer: Customer
    ):
        """Another process on the same database knows what this one has seen."""
        await app.tokens((await authorized(app, customer))["code"])
        seen = app.proof("GET", ACCOUNTS, token=app.token)
        credentials = app.credentials()
        pushed_with = app.proof("POST", "/oauth2/par")
        assert (await app.call(headers={"DPoP": seen})).status_code == 200
        first = await app.push(credentials=credentials, proofs=[pushed_with])
        assert first.status_code == 201
        with gateway_process(bank, PUBLIC_URL=app.origin) as url:
            async with httpx.AsyncClient(base_url=url, timeout=30) as http:
                replica = App(app.client_id, app.origin, http, app.key, app.proof_key)
                replica.token = app.token
                assert (await replica.call(headers={"DPoP": seen})).status_code == 401
                assert (await replica.call()).status_code == 200
                again = await replica.push(credentials=credentials)
                assert again.json()["error"] == "invalid_client"
                again = await replica.push(proofs=[pushed_with])
                assert again.json()["error"] == "invalid_dpop_proof"


class TestMixUp:
    async def test_is_seen_by_the_issuer_in_every_answer(self, app: App, customer: Customer):
        """RFC 9207: a client that talks to two banks can tell whose answer it got."""
        for decide in ("approve", "deny"):
            async with httpx.AsyncClient(base_url=app.origin) as client:
                window = Window(app, await app.pushed(), client)
                await window.sign_in(customer)
                accounts = {"account_id": customer.account_id}
                given = accounts if decide == "approve" else {}
                answer = answer_of(await window.submit("decision", decision=decide, **given))
            assert answer["iss"] == app.origin


class TestRedirect:
    async def test_leads_nowhere_but_to_the_registered_address(self, app: App, customer):
        async with httpx.AsyncClient(base_url=app.origin) as client:
            window = Window(app, await app.pushed(), client)
            page = await window.open(redirect_uri="https://evil.example/", note="//evil.example")
            assert "evil.example" not in page.text
            await window.sign_in(customer)
            policy = window.last.headers["content-security-policy"]
            assert policy.endswith("form-action 'self' https://app.example")
            strange = {"redirect_uri": "https://evil.example/"}
            answer_of(await window.approve(customer.account_id, **strange))

    async def test_of_a_browser_never_repeats_what_was_posted(self, app: App, customer):
        """303 and not 307: password and code stay with the bank."""
        async with httpx.AsyncClient(base_url=app.origin) as client:
            window = Window(app, await app.pushed(), client)
            assert (await window.sign_in(customer)).status_code == 303
            assert (await window.approve(customer.account_id)).status_code == 303


class TestInjection:
    async def test_of_somebody_elses_code_fails_by_pkce(self, app: App, customer: Customer):
        """The attacker brings a victim's code into a flow of the same client: another verifier."""
        stolen = (await authorized(app, customer))["code"]
        app.parameters()  # the flow that the attacker began has a verifier of its own
        assert (await app.exchange(stolen)).json()["error"] == "invalid_grant"

    async def test_of_markup_and_headers_stays_text(self, bank: Bank, app: App, customer, unique):
        evil = '"><script>alert(1)</script>'
        shown = await new_app(bank, app.http, f"evil-{unique}", name=evil)
        state = "a\r\nSet-Cookie: x=1\r\n\r\n<b>"
        request_uri = await shown.pushed(state=state)
        async with httpx.AsyncClient(base_url=shown.origin) as client:
            window = Window(shown, request_uri, client)
            await window.sign_in(customer)
            assert "<script>alert" not in window.last.text
            assert "&lt;script&gt;" in window.last.text
            answer = await window.deny()
        assert "x=1" not in answer.headers.get("set-cookie", "")
        assert parse_qs(urlsplit(answer.headers["location"]).query)["state"] == [state]

    async def test_of_what_no_database_holds_is_refused_inside_signed_objects(self, app: App):
        """The guard that looks at every body does not see into what is signed."""
        for text in ("a\x00b", "\ud800"):
            answer = await app.push({"request": app.request_object(state=text)})
            assert answer.json()["error"] == "invalid_request_object", answer.text
            named = app.credentials(claims={"sub": text, "iss": text})
            answer = await app.push(credentials=named)
            assert answer.json()["error"] == "invalid_client", answer.text

    async def test_of_a_request_uri_finds_nothing(self, app: App):
        for name in ("' OR 1=1 --", "../../etc/passwd", "urn:ietf:params:oauth:request_uri:", "🏦"):
            given = {"client_id": app.client_id, "request_uri": name}
            answer = await app.http.get("/oauth2/authorize", params=given)
            assert answer.status_code == 400


class TestTheft:
    async def test_of_an_access_token_is_worth_nothing_without_its_key(self, app, customer):
        await app.tokens((await authorized(app, customer))["code"])
        thief = App(app.client_id, app.origin, app.http, new_key(), new_key())
        assert (await thief.call(token=app.token)).status_code == 401
        bearer = {"Authorization": f"Bearer {app.token}"}
        assert (await app.http.get(ACCOUNTS, headers=bearer)).status_code == 401

    async def test_of_a_refresh_token_is_worth_nothing_without_the_clients_key(
        self, app: App, other: App, customer: Customer
    ):
        tokens = await app.tokens((await authorized(app, customer))["code"])
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        thief = App(app.client_id, app.origin, app.http, new_key(), new_key())
        assert (await thief.ask_token(**form)).json()["error"] == "invalid_client"
        assert (await other.ask_token(**form)).json()["error"] == "invalid_grant"

    async def test_of_a_code_is_worth_nothing_without_client_verifier_and_key(
        self, app: App, customer: Customer
    ):
        proofs = [app.proof("POST", "/oauth2/par")]
        code = (await authorized(app, customer, proofs=proofs))["code"]
        thief = App(app.client_id, app.origin, app.http, new_key(), new_key())
        thief.verifier = app.verifier
        assert (await thief.exchange(code)).json()["error"] == "invalid_client"
        insider = App(app.client_id, app.origin, app.http, app.key, new_key())
        insider.verifier = app.verifier
        assert (await insider.exchange(code)).json()["error"] == "invalid_grant"
