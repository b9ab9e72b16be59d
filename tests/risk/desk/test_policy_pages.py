"""The pages of policies: a threshold changed, tested, approved by another, in force, and back."""

import re

import pytest

from tests.bank import eventually
from tests.risk.cases.support import Desk
from tests.risk.desk.support import Member, at_the_desk, picture, register, send, signed_in

#: A product that no other test of the desk decides by.
PRODUCT = "account_opening"
#: A threshold with tests at its limit, which move with it.
CHANGED = {"threshold.device_customers_watched": "4"}


async def in_force(desk: Desk) -> str:
    async with desk.staff("reader", "operator") as client:
        found = (await client.get("/v1/policies")).json()["items"]
    return next(one["version"] for one in found if one["product"] == PRODUCT)


class TestPolicyPages:
    @pytest.mark.browser
    async def test_lead_a_threshold_into_force_and_back(
        self, desk: Desk, operator: Member, reviewer: Member, chromium
    ):
        before = await in_force(desk)
        ((field, value),) = CHANGED.items()
        english = {"locale": "en-GB"}
        page, complaints = await at_the_desk(
            chromium, desk, operator, f"/desk/policies/{PRODUCT}/{before}", **english
        )
        await picture(page, "version-in-force-en")
        await page.fill(f'[name="{field}"]', value)
        await page.get_by_label("Why", exact=True).fill("fewer reviews")
        await page.get_by_role("button", name="Save as a new draft").click()
        assert "The draft is kept" in (await page.text_content(".message") or "")
        draft = page.url.split("?")[0]
        await page.get_by_role("button", name="Run the tests").click()
        assert "All tests pass" in await page.content()
        await picture(page, "version-tested-en")
        await page.get_by_role("button", name="Start the back-test").click()
        tried = page.url.replace("note=back_testing&", "")

        async def done() -> bool:
            await page.goto(tried)
            return "done" in (await page.text_content("main") or "")

        await eventually(done)
        await picture(page, "version-back-tested-en")
        await page.get_by_label("Why", exact=True).fill("looks right")
        await page.get_by_role("button", name="Propose").click()
        assert "Another person has to approve" in (await page.text_content("main") or "")
        other, more = await at_the_desk(
            chromium, desk, reviewer, draft.removeprefix(desk.bank.url("risk")), **english
        )
        await other.get_by_label("Why", exact=True).first.fill("agreed")
        await picture(other, "version-approve-en")
        await other.get_by_role("button", name="Approve this version").click()
        assert "Approved" in (await other.text_content(".message") or "")
        assert await other.get_by_role("button", name="Put in force").count() == 0
        await page.goto(draft)
        await page.get_by_label("Why", exact=True).fill("from today on")
        await page.get_by_role("button", name="Put in force").click()
        assert await in_force(desk) == draft.rpartition("/")[2]
        await page.get_by_role("link", name="Policies").first.click()
        await page.goto(f"{desk.bank.url('risk')}/desk/policies?product={PRODUCT}")
        await picture(page, "policies-en")
        await page.get_by_label("Why", exact=True).fill("too many complaints")
        await page.get_by_role("button", name="Roll back").click()
        assert "Rolled back" in (await page.text_content(".message") or "")
        assert await in_force(desk) == before
        assert [c for c in complaints + more if "Content Security Policy" in c] == []

    async def test_let_a_reviewer_activate_nothing(self, desk: Desk, reviewer: Member):
        before = await in_force(desk)
        async with signed_in(desk, reviewer) as client:
            page = await client.get(f"/desk/policies/{PRODUCT}/{before}")
            assert "Save as a new draft" not in page.text
            for action in ("activation", "roll-back", "draft", "proposal", "back-test"):
                path = f"/desk/policies/{PRODUCT}/{before}/{action}"
                answer = await send(client, path, reason="because")
                assert answer.status_code == 403, action
        assert await in_force(desk) == before

    async def test_want_another_person_to_approve(self, desk: Desk, operator: Member):
        before = await in_force(desk)
        path = f"/desk/policies/{PRODUCT}/{before}/draft"
        async with signed_in(desk, operator) as client:
            page = await send(client, path, reason="try", **CHANGED)
            draft = page.url.path
            await send(client, f"{draft}/proposal", reason="please")
            own = await send(client, f"{draft}/approval", reason="mine")
            assert own.status_code == 403
            assert "Another person has to do this" in own.text
            early = await send(client, f"{draft}/activation", reason="now")
            assert early.status_code == 409
        other = await register(desk, "op2", "operator")
        async with signed_in(desk, other) as client:
            page = await send(client, f"{draft}/rejection", reason="not this")
            assert "It is rejected" in page.text

    @pytest.mark.parametrize("text", ["", "much", "1e999", "<b>", "x" * 300, "-"])
    async def test_say_what_is_wrong_with_a_threshold(
        self, desk: Desk, operator: Member, text: str
    ):
        before = await in_force(desk)
        (field,) = CHANGED
        async with signed_in(desk, operator) as client:
            page = await send(
                client,
                f"/desk/policies/{PRODUCT}/{before}/draft",
                **{"reason": "try", field: text},
            )
        assert page.status_code == 422, page.text
        assert 'role="alert"' in page.text
        assert "<b>" not in page.text

    async def test_say_in_words_what_a_failing_test_found(self, desk: Desk, operator: Member):
        before = await in_force(desk)
        path = f"/desk/policies/{PRODUCT}/{before}/draft"
        async with signed_in(desk, operator) as client:
            field = {"threshold.least_age": "40"}  # older than the applicants of other tests
            page = await send(client, path, reason="older", **field)
            page = await send(client, f"{page.url.path}/tests")
        assert "Some tests fail" in page.text
        assert "expected" in page.text
        assert "[&#39;" not in page.text

    async def test_of_a_form_without_a_change_say_so(self, desk: Desk, operator: Member):
        before = await in_force(desk)
        async with signed_in(desk, operator) as client:
            path = f"/desk/policies/{PRODUCT}/{before}/draft"
            page = await send(client, path, reason="try")
        assert page.status_code == 422
        assert "No threshold was changed" in page.text

    @pytest.mark.parametrize(
        "path", ["nothing/2026.1", f"{PRODUCT}/9999.9", f"{PRODUCT}/x", f"{PRODUCT}/%27"]
    )
    async def test_of_an_unknown_version_find_none(self, desk: Desk, operator: Member, path: str):
        async with signed_in(desk, operator) as client:
            assert (await client.get(f"/desk/policies/{path}")).status_code == 404

    async def test_speak_chinese(self, desk: Desk, reviewer: Member):
        async with signed_in(desk, reviewer) as client:
            page = await client.get("/desk/policies", params={"lang": "zh", "product": PRODUCT})
        assert "生效版本" in page.text
        assert re.search(r"策略", page.text)
