"""The desk in a real browser, with scripts off: it works, and obeys its own policy."""

import asyncio

import pytest

from tests.risk.cases.support import HUGE, Desk
from tests.risk.desk.support import Member, at_the_desk, picture

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}


def refused(complaints: list[str]) -> list[str]:
    return [line for line in complaints if "Content Security Policy" in line]


class TestDeskInABrowser:
    async def test_leads_from_sign_in_to_a_verdict_of_two(
        self, desk: Desk, reviewer: Member, colleague: Member, chromium
    ):
        case_id = await desk.case(amount_minor=HUGE)
        path = f"/desk/cases/{case_id}"
        english = {"locale": "en-GB"}
        page, complaints = await at_the_desk(chromium, desk, reviewer, **english)
        assert await page.title() == "Cases · Risk desk · Tongbao Bank"
        await picture(page, "queue-en")
        await page.goto(desk.bank.url("risk") + path)
        await picture(page, "case-open-en")
        await page.get_by_role("button", name="Take the case").click()
        assert "The case is yours" in (await page.text_content(".message") or "")
        await picture(page, "case-mine-en")
        await page.get_by_label("Approve: The payee is known and trusted").check()
        await page.get_by_label("Note", exact=True).fill("paid him for years")
        await page.get_by_role("button", name="Give the verdict").click()
        assert "A second person has to agree" in (await page.text_content(".message") or "")
        await picture(page, "case-waits-for-second-en")
        other, more = await at_the_desk(chromium, desk, colleague, path, **english)
        assert "paid him for years" in await other.content()
        await picture(other, "case-second-en")
        await other.get_by_role("button", name="Agree", exact=True).click()
        assert "You agreed" in (await other.text_content(".message") or "")
        await picture(other, "case-decided-en")
        (told,) = await desk.told("risk.case.v1", case_id)
        assert (told["decided_by"], told["second_by"]) == (
            reviewer.staff_id,
            colleague.staff_id,
        )
        await page.get_by_role("button", name="Sign out").click()
        assert "You have signed out" in (await page.text_content(".message") or "")
        await picture(page, "signed-out-en")
        assert refused(complaints + more) == []

    async def test_asks_for_nothing_of_another_host(self, desk: Desk, reviewer: Member, chromium):
        case_id = await desk.case()
        page, _ = await at_the_desk(chromium, desk, reviewer)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(desk.bank.url("risk") + f"/desk/cases/{case_id}")
        assert asked
        assert {url.startswith(desk.bank.url("risk")) for url in asked} == {True}

    async def test_reads_well_in_chinese_and_on_a_phone(
        self, desk: Desk, reviewer: Member, chromium
    ):
        case_id = await desk.case()
        await desk.sql(
            "UPDATE cases SET due_at = now() - interval '2 hours' WHERE case_id = $1", case_id
        )
        page, _ = await at_the_desk(
            chromium, desk, reviewer, locale="zh-CN", viewport=PHONE, color_scheme="dark"
        )
        assert "案件队列" in await page.title()
        await picture(page, "queue-zh-phone")
        await self.fits(page)
        await page.goto(desk.bank.url("risk") + f"/desk/cases/{case_id}")
        await page.get_by_role("button", name="领取案件").click()
        await picture(page, "case-mine-zh-phone")
        await self.fits(page)
        await page.get_by_role("link", name="English").click()
        assert "Other decisions of this customer" in await page.content()
        await page.get_by_role("link", name="Back to the cases").click()
        assert "Cases" in await page.title()
        for path in ("/desk/policies?product=payment", "/desk/policies/payment/2026.1"):
            await page.goto(desk.bank.url("risk") + path)
            await self.fits(page)

    async def fits(self, page) -> None:
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

    async def test_refuses_a_wrong_password_in_words(self, desk: Desk, reviewer: Member, chromium):
        context = await chromium.new_context(java_script_enabled=False, locale="zh-CN")
        page = await context.new_page()
        await page.goto(desk.bank.url("risk") + "/desk")
        await picture(page, "sign-in-zh")
        await page.get_by_label("登录名").fill(reviewer.login_name)
        await page.get_by_label("密码").fill("not the password")
        await page.get_by_role("button", name="登录").click()
        assert "登录名或密码不正确" in (await page.text_content("[role=alert]") or "")
        await picture(page, "sign-in-refused-zh")

    async def test_is_worked_with_the_keyboard_alone(self, desk: Desk, reviewer: Member, chromium):
        case_id = await desk.case()
        page, _ = await at_the_desk(chromium, desk, reviewer, f"/desk/cases/{case_id}")
        await page.keyboard.press("Tab")
        first = page.locator(":focus")
        assert await first.get_attribute("href") == "#main"
        seen = []
        for _ in range(12):
            await page.keyboard.press("Tab")
            seen.append(await page.locator(":focus").inner_text())
            if "Take the case" in seen[-1] or "领取案件" in seen[-1]:
                await page.keyboard.press("Enter")
                break
        await page.wait_for_url("**note=taken")
        assert (await desk.file(case_id))["case"]["assigned_to"] == reviewer.staff_id

    async def test_names_every_field(self, desk: Desk, reviewer: Member, chromium):
        case_id = await desk.case()
        page, _ = await at_the_desk(chromium, desk, reviewer, f"/desk/cases/{case_id}")
        await (
            page.get_by_role("button", name="Take the case")
            .or_(page.get_by_role("button", name="领取案件"))
            .click()
        )
        unnamed = await page.evaluate(
            "[...document.querySelectorAll('input:not([type=hidden]), select, textarea, button')]"
            ".filter(f => !(f.labels && f.labels.length) && !f.innerText.trim())"
            ".map(f => f.outerHTML)"
        )
        assert unnamed == []
        ids = await page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
        assert len(ids) == len(set(ids))

    async def test_is_not_shown_inside_another_site(self, desk: Desk, reviewer: Member, chromium):
        context = await chromium.new_context()
        page = await context.new_page()
        await page.set_content(f'<iframe src="{desk.bank.url("risk")}/desk/sign-in"></iframe>')
        await asyncio.sleep(0)
        await page.wait_for_load_state("networkidle")
        assert "password" not in await page.frames[-1].content()
        await context.close()
