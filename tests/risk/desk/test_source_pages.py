"""The page of the outside sources: how they do, and what they cost."""

from datetime import UTC, datetime

import pytest

from services.risk.desk import source_texts, texts, watch_texts
from services.risk.sources.breakers import Breaker
from services.risk.sources.domain import TERMS
from services.risk.sources.service import Sources, gathered
from shared.kit.clock import new_id
from shared.kit.database import Database
from tests.risk.cases.support import Desk
from tests.risk.desk.support import Member, at_the_desk, picture, signed_in
from tests.risk.desk.test_sign_in import assert_guarded

PATH = "/desk/sources"


async def used(desk: Desk) -> None:
    """One decision that asked for a source, at this moment."""
    database = Database(desk.bank.credentials["risk"].dsn, pool_size=2, application="test")
    nobody = Sources({}, {source: Breaker(1) for source in TERMS}, 100)
    try:
        await gathered(
            nobody,
            database,
            decision_id=new_id(),
            customer_id=f"c-{desk.unique}",
            purpose="credit",
            needs=frozenset({"court"}),
            now=datetime.now(UTC),
        )
    finally:
        await database.close()


class TestSourcesPage:
    @pytest.mark.parametrize(("lang", "column"), [("zh", 0), ("en", 1)])
    async def test_shows_every_source_in_both_languages(
        self, desk: Desk, operator: Member, lang: str, column: int
    ):
        await used(desk)
        async with signed_in(desk, operator) as client:
            page = await client.get(PATH, params={"lang": lang})
        assert page.status_code == 200
        assert_guarded(page)
        for terms in TERMS.values():
            assert terms.title[column] in page.text.replace("&#39;", "'")
            for words in terms.answers.values():
                assert words[column] in page.text.replace("&#39;", "'")
        assert ("按月费用", "Cost by month")[column] in page.text
        assert ("未配置", "not configured")[column] in page.text

    async def test_shows_costs_to_operators_alone(self, desk: Desk, reviewer: Member):
        async with signed_in(desk, reviewer) as client:
            page = await client.get(PATH, params={"lang": "en"})
        assert page.status_code == 200
        assert "Cost by month" not in page.text

    async def test_is_in_the_menu(self, desk: Desk, operator: Member):
        async with signed_in(desk, operator) as client:
            assert (await client.get("/desk/cases")).text.count(f'href="{PATH}"') == 1

    @pytest.mark.browser
    async def test_is_whole_in_a_browser_and_on_a_telephone(
        self, desk: Desk, operator: Member, chromium
    ):
        await used(desk)
        page, complaints = await at_the_desk(chromium, desk, operator, PATH, locale="en-GB")
        assert page.url.endswith(PATH)
        assert "Outside sources" in (await page.text_content("h1") or "")
        await picture(page, "sources-en")
        await page.set_viewport_size({"width": 390, "height": 800})
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390
        await picture(page, "sources-telephone")
        assert complaints == []


class TestWords:
    def test_are_there_for_each_flag_of_a_source(self):
        for source in TERMS:
            for flag in ("source_unavailable", "source_stale", "source_no_consent"):
                code = f"{flag}.{source}"
                assert texts.word("code", code, "zh") != code != texts.word("code", code, "en")

    def test_of_one_page_are_none_of_anothers(self):
        pages = (source_texts, watch_texts)
        names = [name for page in pages for name in (*page.TEXTS, *page.WORDS)]
        assert len(set(names)) == len(names)
