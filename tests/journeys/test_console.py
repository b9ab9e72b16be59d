"""The landing page of a running bank."""

import re
import shutil
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, sync_playwright

from tests.journeys.demo import Demo

SERVICES = ("gateway", "identity", "ledger", "payments", "risk", "profiles", "advisor")


class TestOverview:
    @pytest.mark.parametrize(("lang", "words"), [("zh", "平衡"), ("en", "balances")])
    def test_shows_services_books_and_payments(self, demo: Demo, lang: str, words: str) -> None:
        page = httpx.get(f"{demo.console}/", params={"lang": lang}).text
        assert all(service in page for service in SERVICES)
        assert "0.00 CNY" in page
        assert words in page
        assert "3,600.00 CNY" in page

    def test_loads_nothing_from_elsewhere(self, demo: Demo) -> None:
        page = httpx.get(f"{demo.console}/").text
        loaded = re.findall(r'(?:src|<link[^>]*href)="([^"]+)"', page)
        assert loaded
        assert all(address.startswith("/static/") for address in loaded)

    def test_is_refused_under_a_foreign_name(self, demo: Demo) -> None:
        """A page of another site whose name was made to point here must not read it."""
        answer = httpx.get(f"{demo.console}/", headers={"Host": "evil.example"})
        assert answer.status_code == 400


class TestTrace:
    def test_shows_every_hop_of_a_payment(self, demo: Demo) -> None:
        page = httpx.get(f"{demo.console}/trace", params={"id": demo.report()["trace_id"]}).text
        for hop in ("/v1/holds", "/v1/decisions", "/capture", "PaymentSettled", "TransferPosted"):
            assert hop in page

    @pytest.mark.parametrize(("trace_id", "status"), [("f" * 32, 404), ("<b>", 422), ("", 422)])
    def test_that_is_not_there_is_said_so(self, demo: Demo, trace_id: str, status: int) -> None:
        answer = httpx.get(f"{demo.console}/trace", params={"id": trace_id})
        assert answer.status_code == status
        assert "<b>" not in answer.text


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser.new_page(viewport={"width": 1300, "height": 900})
        browser.close()


@pytest.mark.browser
class TestInABrowser:
    def test_leads_from_a_payment_to_its_way_without_an_error(self, demo: Demo, page: Page) -> None:
        errors: list[str] = []
        page.on("console", lambda message: errors.append(message.text))
        page.goto(f"{demo.console}/?lang=en")
        page.get_by_text("show its way").first.click()
        assert page.get_by_role("heading", name="A payment's way").is_visible()
        bars = page.locator("svg rect").evaluate_all("rects => rects.map(r => r.getBBox().width)")
        assert len(bars) >= 5
        assert all(width > 0 for width in bars)
        assert errors == []

    def test_fits_a_telephone(self, demo: Demo, page: Page) -> None:
        page.set_viewport_size({"width": 400, "height": 800})
        page.goto(f"{demo.console}/?lang=zh")
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
