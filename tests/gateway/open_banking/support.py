"""A client that works by the standard: consent, authorization, reading."""

from dataclasses import dataclass
from typing import Any

import httpx

from tests.gateway.customers import Customer
from tests.gateway.fapi.support import App, Window, answer_of
from tests.gateway.support import PASSWORD

AISP = "/open-banking/v4.0/aisp"
CONSENTS = f"{AISP}/account-access-consents"
HISTORY = "621history"
EVERYTHING = [
    "ReadAccountsBasic",
    "ReadAccountsDetail",
    "ReadBalances",
    "ReadBeneficiariesBasic",
    "ReadBeneficiariesDetail",
    "ReadParty",
    "ReadPartyPSU",
    "ReadProducts",
    "ReadStandingOrdersBasic",
    "ReadStandingOrdersDetail",
    "ReadStatementsBasic",
    "ReadStatementsDetail",
    "ReadTransactionsBasic",
    "ReadTransactionsCredits",
    "ReadTransactionsDebits",
    "ReadTransactionsDetail",
]


async def own_token(app: App, scope: str = "accounts") -> str:
    """The client's own token, without any customer."""
    answer = await app.ask_token(grant_type="client_credentials", scope=scope)
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


async def send(
    app: App, method: str, path: str, *, token: str, body: Any = None, **headers: str
) -> httpx.Response:
    told = {
        "Authorization": f"DPoP {token}",
        "DPoP": app.proof(method, path.partition("?")[0], token=token),
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    return await app.http.request(method, path, headers=told, json=body)


async def ask_consent(app: App, permissions: list[str], **data: Any) -> httpx.Response:
    body = {"Data": {"Permissions": permissions, **data}, "Risk": {}}
    return await send(app, "POST", CONSENTS, token=await own_token(app), body=body)


async def code_for(
    app: App, customer: Customer, intent: str, *accounts: str, scope: str = "openid accounts"
) -> str:
    """The customer signs in and approves the consent for the accounts; the code."""
    request_uri = await app.pushed(scope=scope, openbanking_intent_id=intent)
    async with httpx.AsyncClient(base_url=app.origin, timeout=30) as browser:
        window = Window(app, request_uri, browser)
        assert (await window.sign_in(customer)).status_code == 303
        return answer_of(await window.approve(*accounts))["code"]


@dataclass
class Reader:
    """A client with a token of one consent."""

    app: App
    consent_id: str

    @classmethod
    async def with_consent(
        cls,
        app: App,
        customer: Customer,
        permissions: list[str] | None = None,
        accounts: tuple[str, ...] = (),
        **data: Any,
    ) -> "Reader":
        asked = await ask_consent(app, permissions or EVERYTHING, **data)
        assert asked.status_code == 201, asked.text
        consent_id = asked.json()["Data"]["ConsentId"]
        own = App(app.client_id, app.origin, app.http, app.key)
        chosen = accounts or (customer.account_id, HISTORY)
        await own.tokens(await code_for(own, customer, consent_id, *chosen))
        return cls(own, consent_id)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await send(self.app, "GET", AISP + path, token=self.app.token, **headers)


async def session_of(http: httpx.AsyncClient, customer: Customer) -> dict[str, str]:
    body = {"login_name": customer.login_name, "password": PASSWORD}
    session = (await http.post("/v1/sessions", json=body)).json()["session_token"]
    return {"Authorization": f"Bearer {session}"}
