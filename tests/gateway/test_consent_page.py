"""The page on which a customer agrees, met as a browser without scripts meets it."""

from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest

from tests.bank import Bank
from tests.gateway.customers import (
    Browser,
    authorized_consent,
    code_of,
    grant,
    new_consent,
    new_customer,
)
from tests.gateway.support import (
    consent_body,
    gateway_process,
    hidden_field,
    register_partner,
    staff,
)
from tests.ledger.support import open_account


async def state_of(shop, consent) -> str:
    return (await shop.get(f"/v1/payment-consents/{consent['consent_id']}")).json()["state"]


@pytest.fixture
async def consent(shop, customer):
    return await new_consent(shop, customer)


@pytest.fixture
async def browser(shop, consent):
    page = Browser(shop.origin, consent["consent_id"])
    yield page
    await page.client.aclose()


class TestConsentPage:
    async def test_leads_to_an_authorized_consent(
        self, bank: Bank, shop, customer, browser, consent
    ):
        opened = await browser.open()
        assert opened.status_code == 200
        assert "Corner Shop" in opened.text
        assert "10,000" not in opened.text
        assert "100.00" not in opened.text
        signed_in = await browser.sign_in(customer)
        assert signed_in.status_code == 303
        page = browser.last.text
        for told in ("Corner Shop", customer.payee_id, "100.00 CNY", "China Standard Time"):
            assert told in page
        assert "1,000.00 CNY" in page
        done = await browser.agree(customer, code_of(bank, customer.customer_id)["code"])
        assert done.status_code == 303
        assert "You have agreed" in browser.last.text
        assert await state_of(shop, consent) == "authorized"

    async def test_tells_in_the_message_what_the_code_is_for(
        self, bank: Bank, customer, browser, consent
    ):
        await browser.sign_in(customer)
        message = code_of(bank, customer.customer_id)
        assert "Corner Shop" in message["en"]
        assert "100.00 CNY" in message["en"]
        assert message["code"] in message["zh"]

    async def test_shows_the_choice_to_the_partner_only_if_it_named_the_account(
        self, bank: Bank, shop, customer
    ):
        chosen = await authorized_consent(bank, shop, customer)
        assert chosen["debtor_account"] is None
        named = await authorized_consent(bank, shop, customer, debtor_account=customer.account_id)
        assert named["debtor_account"] == customer.account_id

    async def test_goes_back_to_the_partner_with_the_result(self, bank: Bank, shop, customer):
        for decision, state in (("agree", "authorized"), ("deny", "rejected")):
            consent = await new_consent(shop, customer, redirect_uri="https://shop.example/back")
            browser = Browser(shop.origin, consent["consent_id"])
            await browser.sign_in(customer)
            policy = browser.last.headers["content-security-policy"]
            assert "form-action 'self' https://shop.example" in policy
            code = code_of(bank, customer.customer_id)["code"]
            done = await browser.agree(customer, code, decision=decision)
            assert done.status_code == 303
            target = urlsplit(done.headers["location"])
            assert target.netloc == "shop.example"
            assert target.path == "/back"
            result = parse_qs(target.query)
            assert result == {"consent_id": [consent["consent_id"]], "state": [state]}
            assert await state_of(shop, consent) == state
            await browser.client.aclose()

    async def test_lets_the_customer_refuse_without_a_code(self, shop, customer, browser, consent):
        await browser.sign_in(customer)
        done = await browser.submit("decision", decision="deny")
        assert done.status_code == 303
        assert "Consent refused" in browser.last.text
        assert await state_of(shop, consent) == "rejected"

    async def test_says_that_a_password_is_wrong_in_the_same_words_for_an_unknown_name(
        self, shop, customer, browser
    ):
        wrong = await browser.sign_in(customer, password="not the password")
        assert wrong.status_code == 401
        assert "not right" in wrong.text
        unknown = await browser.submit("sign-in", login_name="nobody-here", password="x" * 12)
        assert unknown.status_code == 401
        assert "not right" in unknown.text
        malformed = await browser.submit("sign-in", login_name="<b>", password="")
        assert malformed.status_code == 401
        assert "<b>" not in malformed.text

    async def test_says_that_a_code_is_wrong_and_rejects_after_five(
        self, bank: Bank, shop, customer, browser, consent
    ):
        await browser.sign_in(customer)
        right = code_of(bank, customer.customer_id)["code"]
        wrong = "000000" if right != "000000" else "111111"
        for left in (4, 3, 2, 1):
            shown = await browser.agree(customer, wrong)
            assert shown.status_code == 422
            assert f"Tries left: {left}" in shown.text
        assert (await browser.agree(customer, wrong)).status_code == 303
        assert "Consent refused" in browser.last.text
        assert await state_of(shop, consent) == "rejected"

    async def test_counts_wrong_codes_over_all_codes_that_were_sent(
        self, bank: Bank, shop, customer, browser, consent
    ):
        await browser.sign_in(customer)
        for _ in range(3):
            await browser.agree(customer, "x")
        assert (await browser.submit("decision", decision="send_again")).status_code == 303
        assert "A new code is on its way" in browser.last.text
        shown = await browser.agree(customer, "x")
        assert "Tries left: 1" in shown.text
        code = code_of(bank, customer.customer_id)["code"]
        assert (await browser.agree(customer, code)).status_code == 303
        assert await state_of(shop, consent) == "authorized"

    async def test_asks_for_the_code_and_the_account_where_they_are_missing(
        self, shop, customer, browser, consent
    ):
        await browser.sign_in(customer)
        assert "Enter the code" in (await browser.agree(customer, " ")).text
        missing = await browser.agree(customer, "123456", account_id="")
        assert "Choose the account" in missing.text
        assert await state_of(shop, consent) == "awaiting_authorization"

    async def test_offers_the_customers_own_accounts_in_the_currency_alone(
        self, bank: Bank, shop, customer, browser, consent, unique
    ):
        stranger = await new_customer(bank, f"s{unique}")
        async with bank.client("ledger", roles=("operator",)) as ledger:
            await open_account(ledger, f"eur-{unique}", currency="EUR")
            await open_account(ledger, f"shared-{unique}")
        await grant(bank, customer.customer_id, f"eur-{unique}")
        await grant(bank, customer.customer_id, f"shared-{unique}", "authorized_user")
        await browser.sign_in(customer)
        page = browser.last.text
        assert f"shared-{unique}" in page
        assert "Authorized user" in page
        assert f"eur-{unique}" not in page
        assert stranger.account_id not in page
        code = code_of(bank, customer.customer_id)["code"]
        for account_id in (stranger.account_id, f"eur-{unique}", "nothing"):
            refused = await browser.agree(customer, code, account_id=account_id)
            assert refused.status_code == 422
            assert "cannot be used" in refused.text
        done = await browser.agree(customer, code, account_id=f"shared-{unique}")
        assert done.status_code == 303
        assert await state_of(shop, consent) == "authorized"

    async def test_offers_nothing_where_the_partner_named_an_account_of_somebody_else(
        self, bank: Bank, shop, customer, unique
    ):
        stranger = await new_customer(bank, f"s{unique}")
        consent = await new_consent(shop, customer, debtor_account=stranger.account_id)
        browser = Browser(shop.origin, consent["consent_id"])
        await browser.sign_in(customer)
        assert "no account" in browser.last.text
        code = code_of(bank, customer.customer_id)["code"]
        refused = await browser.agree(customer, code, account_id=stranger.account_id)
        assert refused.status_code == 422
        await browser.client.aclose()

    async def test_is_decided_once(self, bank: Bank, shop, customer, browser, consent):
        await browser.sign_in(customer)
        revoked = await shop.post(f"/v1/payment-consents/{consent['consent_id']}/revocation")
        assert revoked.status_code == 200
        code = code_of(bank, customer.customer_id)["code"]
        assert (await browser.agree(customer, code)).status_code == 303
        assert "This consent was revoked" in browser.last.text
        assert await state_of(shop, consent) == "revoked"


class TestConsentPageProtection:
    async def test_sends_headers_that_forbid_everything_it_does_not_need(self, browser):
        headers = (await browser.open()).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers

    async def test_has_no_script_and_nothing_from_elsewhere(self, customer, browser):
        await browser.sign_in(customer)
        for html in ((await browser.open()).text, browser.last.text):
            assert "<script" not in html
            assert "onclick" not in html
            assert "style=" not in html
            assert "http://" not in html
            assert "https://" not in html
        style = await browser.client.get("/pages/bank.css")
        assert style.headers["content-type"].startswith("text/css")
        assert "url(" not in style.text
        assert "@import" not in style.text

    async def test_keeps_its_cookie_from_scripts_other_sites_and_other_pages(self, browser):
        cookie = (await browser.open()).headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert f"Path={browser.path}" in cookie

    async def test_changes_its_cookie_at_sign_in(self, customer, browser):
        await browser.open()
        before = browser.client.cookies["consent"]
        await browser.sign_in(customer)
        assert browser.client.cookies["consent"] != before

    @pytest.mark.parametrize("csrf", ["", "x", "0" * 64])
    async def test_takes_no_form_that_it_did_not_give(
        self, bank: Bank, shop, customer, browser, consent, csrf
    ):
        await browser.open()
        forged = await browser.submit(
            "sign-in", csrf=csrf, login_name=customer.login_name, password="x"
        )
        assert forged.status_code == 403
        await browser.sign_in(customer)
        code = code_of(bank, customer.customer_id)["code"]
        page = browser.last
        assert (await browser.agree(customer, code, csrf=csrf)).status_code == 403
        browser.last = page
        async with httpx.AsyncClient(base_url=shop.origin) as other:
            without_cookie = await other.post(
                f"{browser.path}/decision",
                data={"decision": "deny", "csrf": hidden_field(page.text, "csrf")},
            )
        assert without_cookie.status_code == 403
        assert await state_of(shop, consent) == "awaiting_authorization"

    async def test_takes_no_session_of_another_consent(self, bank: Bank, shop, customer, browser):
        await browser.sign_in(customer)
        other = await new_consent(shop, customer)
        page = Browser(shop.origin, other["consent_id"])
        page.client.cookies.set("consent", browser.client.cookies["consent"])
        opened = await page.open()
        assert 'name="password"' in opened.text
        code = code_of(bank, customer.customer_id)["code"]
        answer = await page.agree(customer, code)
        assert answer.status_code == 303
        assert "Sign in again" in page.last.text
        assert await state_of(shop, other) == "awaiting_authorization"
        await page.client.aclose()

    async def test_knows_nothing_of_a_consent_that_is_not_there(self, shop):
        async with httpx.AsyncClient(base_url=shop.origin) as client:
            for path in (f"/consents/{uuid4()}", "/consents/x", "/consents/%3Cscript%3E"):
                answer = await client.get(path)
                assert answer.status_code == 404
                assert "script" not in answer.text

    async def test_speaks_chinese_unless_asked_for_english(self, browser, shop, consent):
        async with httpx.AsyncClient(base_url=shop.origin) as client:
            chinese = (await client.get(browser.path)).text
            assert 'lang="zh-CN"' in chinese
            assert "登录" in chinese
            assert 'lang="en"' in (await client.get(f"{browser.path}?lang=en")).text
            assert 'lang="zh-CN"' in (await client.get(f"{browser.path}?lang=xx")).text

    async def test_shows_no_text_out_of_the_address(self, browser):
        await browser.open()
        answer = await browser.client.get(f"{browser.path}?note=%3Cb%3Ezzqq&lang=en")
        assert "zzqq" not in answer.text
        longer = await browser.client.get(f"{browser.path}?note={'zzqq' * 9}&lang=en")
        assert "zzqq" not in longer.text

    async def test_is_shut_for_a_partner_that_is_suspended(
        self, bank: Bank, shop, consent, browser
    ):
        assert (await browser.open()).status_code == 200
        suspended = await shop.client.post(
            f"/v1/partners/{shop.partner_id}/suspension",
            json={"reason": "test"},
            headers=staff(bank),
        )
        assert suspended.status_code == 200
        assert (await browser.open()).status_code == 404


class TestGatewayBehindTls:
    async def test_speaks_of_itself_as_the_public_knows_it(self, bank: Bank, unique):
        with gateway_process(bank, PUBLIC_URL="https://bank.example") as url:
            async with httpx.AsyncClient(base_url=url, timeout=30) as client:
                partner = await register_partner(bank, client, unique)
                partner.origin = "https://bank.example"
                await partner.sign_in()
                consent = (await partner.post("/v1/payment-consents", consent_body())).json()
                assert consent["authorize_url"].startswith("https://bank.example/consents/")
                opened = await client.get(f"/consents/{consent['consent_id']}")
        assert opened.status_code == 200
        assert opened.headers["strict-transport-security"].startswith("max-age=31536000")
        cookie = opened.headers["set-cookie"]
        assert cookie.startswith("__Secure-consent=")
        assert "Secure" in cookie.partition(";")[2]


class TestLandingPage:
    async def test_says_what_this_is_and_links_what_is_there(self, outside):
        page = (await outside.get("/?lang=en")).text
        assert "Tongbao open banking" in page
        for link in ("/v1/openapi.json", "/oauth2/jwks"):
            assert f'href="{link}"' in page
            assert (await outside.get(link)).status_code == 200
