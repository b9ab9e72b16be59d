"""The authorization-code flow from the pushed request to the resource."""

import httpx

from tests.bank import Bank
from tests.gateway.customers import Customer
from tests.gateway.fapi.support import App, Window, answer_of, authorized, claims_of


class TestFlow:
    async def test_leads_from_a_pushed_request_to_the_accounts(
        self, bank: Bank, app: App, customer: Customer
    ):
        parameters = app.parameters()
        request_uri = await app.pushed(parameters)
        async with httpx.AsyncClient(base_url=app.origin, timeout=30) as client:
            window = Window(app, request_uri, client)
            await window.sign_in(customer)
            for words in ("Budget App", "App House Ltd", "See number", "(90 days)"):
                assert words in window.last.text
            answer = answer_of(await window.approve(customer.account_id))
        assert answer["state"] == parameters["state"]
        assert answer["iss"] == app.origin
        tokens = await app.tokens(answer["code"])
        assert tokens["token_type"] == "DPoP"
        assert claims_of(tokens["id_token"])["nonce"] == parameters["nonce"]
        read = await app.call()
        assert read.status_code == 200, read.text
        listed = read.json()["Data"]["Account"]
        assert [account["AccountId"] for account in listed] == [customer.account_id]
        again = await app.ask_token(
            grant_type="refresh_token", refresh_token=tokens["refresh_token"]
        )
        assert again.status_code == 200, again.text
        assert (await app.call(token=again.json()["access_token"])).status_code == 200

    async def test_gives_no_id_token_where_openid_is_not_asked(self, app: App, customer: Customer):
        answer = await authorized(app, customer, scope="accounts", state=None, nonce=None)
        assert set(answer) == {"code", "iss"}
        assert "id_token" not in await app.tokens(answer["code"])
