"""A customer with an account, a phone and a browser."""

import json
from dataclasses import dataclass
from typing import Any

import httpx

from tests.bank import Bank
from tests.gateway.support import PASSWORD, Partner, consent_body, hidden_field
from tests.ledger.support import fund, open_account


@dataclass
class Customer:
    customer_id: str
    login_name: str
    account_id: str
    payee_id: str


async def new_customer(
    bank: Bank, unique: str, *, funds: int = 100_000, currency: str = "CNY"
) -> Customer:
    """Registered at identity with a login; one funded account and a payee's account."""
    found = Customer(f"c-{unique}", f"u{unique}", f"621{unique}", f"shop-{unique}")
    async with bank.client("ledger", roles=("operator",)) as ledger:
        for account_id in (found.account_id, found.payee_id):
            await open_account(ledger, account_id, currency=currency, holder_id=found.customer_id)
        if funds and currency == "CNY":
            await fund(ledger, found.account_id, funds)
    async with bank.client("identity", roles=("operator",)) as identity:
        registered = await identity.post(
            "/v1/customers/bulk",
            json={"customers": [{"customer_id": found.customer_id, "full_name": "Li Hua"}]},
        )
        assert registered.status_code == 200, registered.text
        await grant(bank, found.customer_id, found.account_id)
        credentials = await identity.put(
            f"/v1/customers/{found.customer_id}/credentials",
            json={"login_name": found.login_name, "password": PASSWORD},
        )
        assert credentials.status_code == 204, credentials.text
    return found


async def grant(bank: Bank, customer_id: str, account_id: str, right: str = "owner") -> None:
    async with bank.client("identity", roles=("operator",)) as identity:
        body = {"account_id": account_id, "customer_id": customer_id, "right": right}
        granted = await identity.post("/v1/account-rights/bulk", json={"rights": [body]})
        assert granted.status_code == 200, granted.text


def code_of(bank: Bank, customer_id: str) -> dict[str, Any]:
    """The last message on the customer's phone."""
    lines = [json.loads(line) for line in bank.messages().read_text().splitlines()]
    return [line for line in lines if line["customer_id"] == customer_id][-1]


class Browser:
    """A customer's browser on the consent page, as far as forms and cookies go."""

    def __init__(self, origin: str, consent_id: str, lang: str = "en") -> None:
        self.path = f"/consents/{consent_id}"
        self.lang = lang
        self.client = httpx.AsyncClient(base_url=origin, timeout=30)
        self.last: httpx.Response | None = None

    async def open(self) -> httpx.Response:
        self.last = await self.client.get(f"{self.path}?lang={self.lang}")
        return self.last

    async def submit(self, step: str, **fields: str) -> httpx.Response:
        assert self.last is not None
        fields.setdefault("csrf", hidden_field(self.last.text, "csrf"))
        response = await self.client.post(
            f"{self.path}/{step}?lang={self.lang}", data=fields, follow_redirects=False
        )
        if response.status_code == 303 and response.headers["location"].startswith(self.path):
            self.last = await self.client.get(response.headers["location"])
        elif response.headers.get("content-type", "").startswith("text/html"):
            self.last = response
        return response

    async def sign_in(self, customer: Customer, password: str = PASSWORD) -> httpx.Response:
        await self.open()
        return await self.submit("sign-in", login_name=customer.login_name, password=password)

    async def agree(self, customer: Customer, code: str, **fields: str) -> httpx.Response:
        given = {"account_id": customer.account_id, "code": code, "decision": "agree"} | fields
        return await self.submit("decision", **given)


async def new_consent(partner: Partner, customer: Customer, **fields: Any) -> dict[str, Any]:
    payee = {"account_id": customer.payee_id, "name": "Corner Shop"}
    body = consent_body(payee=payee, **fields)
    created = await partner.post("/v1/payment-consents", body)
    assert created.status_code == 201, created.text
    return created.json()


async def authorized_consent(
    bank: Bank, partner: Partner, customer: Customer, **fields: Any
) -> dict[str, Any]:
    """A consent that the customer has agreed to on the page."""
    consent = await new_consent(partner, customer, **fields)
    browser = Browser(partner.origin, consent["consent_id"])
    assert (await browser.sign_in(customer)).status_code == 303
    done = await browser.agree(customer, code_of(bank, customer.customer_id)["code"])
    assert done.status_code == 303, done.text
    await browser.client.aclose()
    read = await partner.get(f"/v1/payment-consents/{consent['consent_id']}")
    assert read.json()["state"] == "authorized", read.text
    return read.json()
