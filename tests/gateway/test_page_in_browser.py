"""The consent page in a real browser: it works without scripts and obeys its own policy."""

import asyncio
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright

from tests.bank import Bank
from tests.gateway.customers import code_of, new_consent
from tests.gateway.support import PASSWORD, register_partner

pytestmark = pytest.mark.browser

CHROMIUM = "/usr/bin/chromium"
#: Where to leave pictures of the pages for people to look at; nowhere if it is not set.
PICTURES = os.environ.get("PAGE_PICTURES")


@pytest.fixture
async def chromium():
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        await browser.close()


@pytest.fixture(scope="module")
def partner_site() -> Iterator[str]:
    """The partner's own site, which is another origin than the bank's."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<h1>Thank you for shopping</h1>")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/back"
    server.shutdown()
    server.server_close()
    thread.join(5)


async def picture(page: Page, name: str) -> None:
    if PICTURES:
        await page.screenshot(path=f"{PICTURES}/{name}.png", full_page=True)


async def opened(chromium: Browser, url: str, **options: Any) -> tuple[Page, list[str]]:
    """The page with scripts off, and what the browser complains of."""
    context = await chromium.new_context(java_script_enabled=False, **options)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    await page.goto(url)
    return page, complaints


class TestConsentPageInABrowser:
    async def test_leads_from_sign_in_back_to_the_partner(
        self, bank: Bank, shop, customer, unique, chromium, partner_site
    ):
        partner = await register_partner(
            bank,
            shop.client,
            f"q-{unique}",
            redirect_uris=[partner_site],
            name="街角茶馆 Corner Tea",
        )
        consent = await new_consent(await partner.sign_in(), customer, redirect_uri=partner_site)
        page, complaints = await opened(chromium, consent["authorize_url"] + "?lang=en")
        await picture(page, "sign-in-en")
        await page.fill("#login_name", customer.login_name)
        await page.fill("#password", "not the password")
        await page.click("button.primary")
        assert "not right" in (await page.text_content(".message") or "")
        await picture(page, "sign-in-refused-en")
        await page.fill("#password", PASSWORD)
        await page.click("button.primary")
        assert "Review this payment consent" in await page.title()
        await picture(page, "decide-en")
        await page.fill("#code", "000001")
        await page.click("button.primary")
        assert "Tries left" in (await page.text_content(".message") or "")
        await picture(page, "wrong-code-en")
        await page.click("button.link")
        assert "A new code" in (await page.text_content(".message") or "")
        await picture(page, "code-renewed-en")
        await page.fill("#code", code_of(bank, customer.customer_id)["code"])
        await page.press("#code", "Enter")  # which takes the first button of the form
        assert "Thank you for shopping" in await page.content()
        assert f"consent_id={consent['consent_id']}" in page.url
        assert page.url.endswith("state=authorized")
        assert [line for line in complaints if "Content Security Policy" in line] == []

    async def test_reads_well_in_chinese_and_on_a_phone(self, bank: Bank, shop, customer, chromium):
        consent = await new_consent(shop, customer)
        page, _ = await opened(
            chromium,
            consent["authorize_url"],
            viewport={"width": 390, "height": 844},
            color_scheme="dark",
        )
        await picture(page, "sign-in-zh-phone")
        await page.fill("#login_name", customer.login_name)
        await page.fill("#password", PASSWORD)
        await page.click("button.primary")
        await picture(page, "decide-zh-phone")
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390
        await page.fill("#code", code_of(bank, customer.customer_id)["code"])
        await page.click("button.primary")
        assert "授权成功" in await page.title()
        await picture(page, "authorized-zh-phone")

    async def test_is_not_shown_inside_another_site(self, shop, customer, chromium):
        consent = await new_consent(shop, customer)
        context = await chromium.new_context()
        page = await context.new_page()
        await page.set_content(f'<iframe src="{consent["authorize_url"]}"></iframe>')
        await asyncio.sleep(0)
        await page.wait_for_load_state("networkidle")
        frame = page.frames[-1]
        assert "password" not in await frame.content()
        await picture(page, "framed")
        await context.close()

    async def test_of_the_gateway_itself_shows_the_way(self, shop, chromium):
        page, _ = await opened(chromium, shop.origin + "/")
        assert "通宝" in await page.title()
        await picture(page, "landing-zh")
