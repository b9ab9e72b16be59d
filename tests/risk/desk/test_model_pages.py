"""The pages of models: a challenger evaluated, its report, promoted by another, and back."""

from datetime import UTC, datetime

import pytest

from tests.bank import eventually
from tests.risk.cases.support import Desk
from tests.risk.desk.support import Member, at_the_desk, picture, signed_in
from tests.risk.policies.support import staff
from tests.risk.registry.support import body_of, card_fields, seed_label, written
from tests.risk.support import decided, payment

#: Enough of each that a measure may be taken.
LABELLED = 31


async def labelled(desk: Desk) -> None:
    """Decisions of which large ones turned out to be fraud, mostly."""
    rows = []
    async with desk.bank.client("risk") as client:
        for number in range(2 * LABELLED):
            amount = 900 + 37 * number if number % 2 else 4_000_000 + 90_000 * number
            unique = f"{desk.unique}{number % 7}"
            made = await decided(client, desk.bank, payment(unique, amount_minor=amount))
            label = "fraud" if (number % 2 == 0) ^ (number % 10 == 1) else "honest"
            rows.append((made["decision_id"], label, datetime.now(UTC)))
    connection = await desk.bank.connect("risk")
    try:
        await connection.executemany(
            "INSERT INTO labels (decision_id, label, source, author, note, labelled_at)"
            " VALUES ($1, $2, 'staff', 's-operator', '', $3)",
            rows,
        )
    finally:
        await connection.close()


class TestModelPages:
    @pytest.mark.browser
    async def test_lead_a_challenger_to_champion_and_back(
        self, desk: Desk, operator: Member, reviewer: Member, chromium
    ):
        await labelled(desk)
        name = f"page-{desk.unique}"
        async with staff(desk.bank, "s-author") as author:
            await written(author, "models", body_of(card_fields(name, shift=40)))
        path, english = f"/desk/models/payment/{name}-1", {"locale": "en-GB"}
        page, complaints = await at_the_desk(chromium, desk, operator, path, **english)
        await page.get_by_role("button", name="Evaluate over kept decisions").click()
        report = page.url.split("?")[0]

        async def done() -> bool:
            await page.goto(report)
            return "Who changes" in (await page.text_content("main") or "")

        await eventually(done)
        await picture(page, "model-report-en")
        said = await page.text_content("main") or ""
        assert "Stability of scores (PSI)" in said
        assert await page.locator("svg.swaps rect.count").count() >= 1
        assert await page.locator("svg.roc polyline").count() == 2
        await page.locator("table.rows a").first.click()
        assert "/desk/decisions/" in page.url
        await picture(page, "decision-en")
        await page.goto(report + "?lang=zh")
        await picture(page, "model-report-zh")
        assert "改变矩阵" in (await page.text_content("main") or "")
        await page.goto(desk.bank.url("risk") + path + "?lang=en")
        await self._propose(page)
        other, more = await at_the_desk(chromium, desk, reviewer, path, **english)
        await picture(other, "model-promote-en")
        form = other.locator(f'form[action="{path}/promotion"]')
        await form.get_by_label("Why").fill("seen on the report")
        await form.get_by_role("button").click()
        assert "gates are closed" in (await other.text_content(".message") or "")
        form = other.locator(f'form[action="{path}/promotion"]')
        for box in await form.locator("input[type=checkbox]").all():
            await box.check()
        await form.get_by_label("Why").fill("a test bank has few decisions")
        await form.get_by_role("button").click()
        assert "It is champion" in (await other.text_content(".message") or "")
        await page.goto(desk.bank.url("risk") + "/desk/models?product=payment&lang=zh")
        await picture(page, "models-zh")
        await page.goto(desk.bank.url("risk") + "/desk/models?product=payment&lang=en")
        await picture(page, "models-en")
        await page.get_by_label("Why").fill("only a test")
        await page.get_by_role("button", name="Put the champion before it back").click()
        assert "The champion before is back" in (await page.text_content(".message") or "")
        await page.goto(desk.bank.url("risk") + "/desk/models?product=payment")
        assert f"Champion: {seed_label()}" in (await page.text_content("main h2") or "")
        assert [line for line in complaints + more if "Content Security Policy" in line] == []

    async def _propose(self, page) -> None:
        """Whatever could be measured of so few decisions has to have passed for that."""
        form = page.locator('form[action$="/proposal"]')
        await form.get_by_label("Why").fill("better on the report")
        await form.get_by_role("button").click()
        assert "Another person has to promote it" in (await page.text_content("main") or "")

    async def test_of_what_is_not_there_say_so(self, desk: Desk, operator: Member):
        async with signed_in(desk, operator) as client:
            for path in (
                "/desk/models/payment/none-1",
                "/desk/models/nothing/none-1",
                "/desk/back-tests/none",
                "/desk/decisions/none",
            ):
                assert (await client.get(path)).status_code == 404, path
