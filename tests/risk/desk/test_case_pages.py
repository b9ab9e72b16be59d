"""The pages of case work over plain HTTP: rights, forms that are not ours, and bad input."""

import asyncio

import httpx
import pytest

from tests.risk.cases.support import HUGE, Desk, take_and_judge, verdict
from tests.risk.desk.support import Member, browser, csrf_of, send, signed_in
from tests.risk.desk.test_sign_in import assert_guarded


def path(case_id: str, action: str = "") -> str:
    return f"/desk/cases/{case_id}" + (f"/{action}" if action else "")


async def entries(desk: Desk, case_id: str) -> list[str]:
    return [entry["kind"] for entry in (await desk.file(case_id))["entries"]]


class TestCasePage:
    async def test_shows_the_evidence(self, desk: Desk, reviewer: Member):
        case_id = await desk.case()
        async with signed_in(desk, reviewer) as client:
            page = await client.get(path(case_id))
        assert page.status_code == 200
        assert_guarded(page)
        for text in (
            "300,000.00 CNY",
            "amount_over_ceiling",
            "王小明",
            "装修尾款",
            "Log of the amount in yuan",
        ):
            assert text in page.text, text

    async def test_speaks_chinese_and_remembers_it(self, desk: Desk, reviewer: Member):
        case_id = await desk.case()
        async with signed_in(desk, reviewer) as client:
            page = await client.get(path(case_id), params={"lang": "zh"})
            assert "付款金额(元)的对数" in page.text
            assert 'lang="zh-CN"' in page.text
            later = await client.get("/desk/cases")
        assert "案件队列" in later.text

    async def test_shows_no_markup_of_others(self, desk: Desk, reviewer: Member):
        case_id = await desk.case()
        evil = "<script>alert(1)</script>"
        async with signed_in(desk, reviewer) as client:
            await send(client, path(case_id, "note"), note=evil)
            page = await client.get(path(case_id))
        assert evil not in page.text
        assert "&lt;script&gt;" in page.text

    @pytest.mark.parametrize(
        "case_id", ["x", "01a1b2c3-0000-7000-8000-000000000001", "../../v1", "%27"]
    )
    async def test_of_an_unknown_case_says_so(self, desk: Desk, reviewer: Member, case_id: str):
        async with signed_in(desk, reviewer) as client:
            page = await client.get(f"/desk/cases/{case_id}")
        assert page.status_code == 404

    async def test_shows_a_payment_that_risk_never_saw(self, desk: Desk, reviewer: Member):
        from tests.risk.cases.support import opened
        from tests.risk.support import payment

        body = payment(desk.unique)
        await desk.tell(opened(body, reason_codes=["risk_unavailable"]))
        await desk.until(body["decision_id"], lambda case: case["review_until"])
        async with signed_in(desk, reviewer) as client:
            page = await client.get(path(body["decision_id"]))
        assert "without a decision" in page.text


class TestForm:
    async def test_takes_notes_and_decides(self, desk: Desk, reviewer: Member):
        case_id = await desk.case()
        async with signed_in(desk, reviewer) as client:
            page = await send(client, path(case_id, "take"))
            assert "The case is yours" in page.text
            page = await send(client, path(case_id, "note"), note="called twice")
            assert "called twice" in page.text
            page = await send(
                client, path(case_id, "verdict"), reason_code="customer_confirmed", note="fine"
            )
            assert "being carried out" in page.text
        case = (await desk.file(case_id))["case"]
        assert (case["state"], case["verdict_by"]) == ("decided", reviewer.staff_id)
        assert case["verdict_note"] == "fine"

    async def test_of_another_site_changes_nothing(self, desk: Desk, reviewer: Member):
        case_id = await desk.case()
        async with signed_in(desk, reviewer) as client:
            answers = [
                await client.post(path(case_id, "take"), data=fields)
                for fields in ({}, {"csrf": ""}, {"csrf": "0" * 64}, {"csrf": "ü"})
            ]
            answers.append(await client.post(path(case_id, "take"), json={"csrf": "x"}))
            answers.append(await client.post(path(case_id, "take"), content=b"\xff=\xfe"))
        assert {answer.status_code for answer in answers} == {403}
        assert (await desk.file(case_id))["case"]["state"] == "open"

    async def test_with_another_browsers_token_changes_nothing(
        self, desk: Desk, reviewer: Member, colleague: Member
    ):
        case_id = await desk.case()
        async with signed_in(desk, reviewer) as one, signed_in(desk, colleague) as other:
            stolen = csrf_of(await other.get("/desk/cases"))
            response = await one.post(path(case_id, "take"), data={"csrf": stolen})
        assert response.status_code == 403
        assert await entries(desk, case_id) == []

    async def test_of_nobody_leads_to_sign_in(self, desk: Desk):
        case_id = await desk.case()
        async with browser(desk) as client:
            response = await client.post(path(case_id, "take"), data={"csrf": "x"})
        assert response.url.path == "/desk/sign-in"
        assert response.url.params["next"] == path(case_id)

    async def test_lost_to_another_says_so(self, desk: Desk, reviewer: Member, colleague: Member):
        case_id = await desk.case()
        async with signed_in(desk, reviewer) as one, signed_in(desk, colleague) as other:
            await asyncio.gather(*(client.get(path(case_id)) for client in (one, other)))
            answers = await asyncio.gather(
                *(send(client, path(case_id, "take")) for client in (one, other))
            )
        lost = [answer for answer in answers if answer.status_code == 409]
        assert len(lost) == 1
        assert "Another reviewer works on this case" in lost[0].text
        assert await entries(desk, case_id) == ["taken"]

    @pytest.mark.parametrize(
        ("fields", "status", "text"),
        [
            ({"note": "why"}, 422, "Choose a verdict"),
            ({"reason_code": "no_such", "note": "why"}, 422, "Choose a verdict"),
            ({"reason_code": "false_alarm", "note": "x" * 1_001}, 422, "1,000 characters"),
        ],
    )
    async def test_that_is_not_complete_keeps_what_was_written(
        self, desk: Desk, reviewer: Member, fields: dict[str, str], status: int, text: str
    ):
        case_id = await desk.case()
        async with signed_in(desk, reviewer) as client:
            await send(client, path(case_id, "take"))
            page = await send(client, path(case_id, "verdict"), **fields)
        assert page.status_code == status
        assert text in page.text
        assert fields["note"] in page.text
        assert (await desk.file(case_id))["case"]["verdict"] is None

    async def test_without_an_action_finds_none(self, desk: Desk, reviewer: Member):
        case_id = await desk.case()
        async with signed_in(desk, reviewer) as client:
            assert (await send(client, path(case_id, "delete"))).status_code == 404


class TestSecondPair:
    async def test_is_somebody_elses_form(self, desk: Desk, reviewer: Member, colleague: Member):
        case_id = await desk.case(amount_minor=HUGE)
        async with signed_in(desk, reviewer) as client:
            await send(client, path(case_id, "take"))
            page = await send(client, path(case_id, "verdict"), reason_code="known_payee")
            assert "A second person has to agree" in page.text
            assert f'action="{path(case_id, "second")}"' not in page.text
            own = await send(client, path(case_id, "second"), word="agree")
            assert own.status_code == 403
        async with signed_in(desk, colleague) as client:
            queue = await client.get("/desk/cases", params={"show": "second"})
            assert case_id in queue.text
            silent = await send(client, path(case_id, "second"), word="disagree")
            assert silent.status_code == 422
            page = await send(client, path(case_id, "second"), word="agree")
            assert "You agreed" in page.text
        assert (await desk.file(case_id))["case"]["second_by"] == colleague.staff_id


class TestOperator:
    async def test_reads_and_notes_but_decides_nothing(self, desk: Desk, operator: Member):
        case_id = await desk.case()
        async with signed_in(desk, operator) as client:
            page = await client.get(path(case_id))
            assert f'action="{path(case_id, "take")}"' not in page.text
            refused = [
                await send(client, path(case_id, "take")),
                await send(client, path(case_id, "give-back")),
                await send(client, path(case_id, "verdict"), reason_code="false_alarm"),
                await send(client, path(case_id, "second"), word="agree"),
            ]
            assert {answer.status_code for answer in refused} == {403}
            assert (await send(client, path(case_id, "note"), note="seen")).status_code == 200
        assert await entries(desk, case_id) == ["note"]


class TestQueue:
    async def test_marks_what_is_overdue(self, desk: Desk, reviewer: Member):
        case_id = await desk.case()
        await desk.sql(
            "UPDATE cases SET due_at = now() - interval '90 minutes' WHERE case_id = $1", case_id
        )
        async with signed_in(desk, reviewer) as client:
            params = {"show": "overdue", "customer": f"c-{desk.unique}"}
            page = await client.get("/desk/cases", params=params)
        assert "late by 1 h 30 min" in page.text
        assert 'class="overdue"' in page.text

    async def test_shows_closed_ones_by_customer(self, desk: Desk, reviewer: Member):
        from tests.risk.cases.support import ended

        case_id = await desk.case()
        await take_and_judge(desk, "first", case_id, verdict())
        await desk.tell(ended(case_id))
        await desk.until(case_id, lambda case: case["state"] == "closed")
        async with signed_in(desk, reviewer) as client:
            params = {"show": "closed", "customer": f"c-{desk.unique}"}
            page = await client.get("/desk/cases", params=params)
            assert case_id in page.text
            waiting = await client.get("/desk/cases", params=params | {"show": "waiting"})
        assert "No case matches" in waiting.text

    @pytest.mark.parametrize(
        "params",
        [
            {"show": "everything"},
            {"product": "<b>"},
            {"customer": "'; DROP TABLE cases; --"},
            {"lang": "fr"},
            {"note": "wrong"},
        ],
    )
    async def test_takes_any_address(self, desk: Desk, reviewer: Member, params: dict[str, str]):
        async with signed_in(desk, reviewer) as client:
            page: httpx.Response = await client.get("/desk/cases", params=params)
        assert page.status_code == 200
        assert "<b>" not in page.text
        assert 'role="alert"' not in page.text

    async def test_says_what_is_wrong_with_a_place(self, desk: Desk, reviewer: Member):
        async with signed_in(desk, reviewer) as client:
            page = await client.get("/desk/cases", params={"after": "x"})
        assert page.status_code == 422
        assert "The filter is not valid" in page.text
