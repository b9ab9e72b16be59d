"""The page of the watch in the browser: rates, drift, alarms and what was rolled back."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import pytest_asyncio

from services.risk.watch.domain import LATENCY_EDGES_US, slot_of
from shared.kit.clock import new_id
from tests.risk.cases.support import Desk
from tests.risk.desk.support import Member, at_the_desk, browser, picture, send, signed_in
from tests.risk.watch.support import REFERENCE

PHONE = {"width": 390, "height": 844}
#: What no service of this bank decides by: its figures are the test's alone.
MODEL = "fraud-2025.9"


@pytest_asyncio.fixture
async def counted(desk: Desk) -> AsyncIterator[str]:
    """A week of payments as they would be counted, with an alarm; its id."""
    found = await desk.sql(
        "SELECT version FROM policy_activations WHERE product = 'payment'"
        " ORDER BY activation_id DESC LIMIT 1"
    )
    policy = f"payment-{found[0]['version']}"
    now = slot_of(datetime.now(UTC))
    draw = np.random.default_rng(5)
    counts, bins, hours = [], [], set()
    for place in range(7 * 96):
        at = now - timedelta(minutes=15) * place
        if draw.random() < 0.05 and place > 4:
            continue
        seen = int(400 + 300 * np.sin(place / 15) + draw.integers(80))
        review, decline = draw.binomial(seen, 0.06), draw.binomial(seen, 0.02)
        for outcome, count in (
            ("approve", seen - review - decline),
            ("review", review),
            ("decline", decline),
        ):
            counts.append((at, policy, MODEL, outcome, int(count)))
        for latency in draw.lognormal(5.2, 0.6, 30):
            bins.append((policy, at, "latency", int(np.searchsorted(LATENCY_EDGES_US, latency))))
        hours.add(slot_of(at, timedelta(hours=1)))
    await _store(desk, counts, bins, sorted(hours))
    # the running watch may have opened this alarm by itself, from the counts just stored
    [row] = await desk.sql(
        "INSERT INTO watch_alarms (alarm_id, kind, subject, product, measure, name, span,"
        " severity, value, peak, bound, seen, opened_at, updated_at) VALUES"
        " ($1::uuid, 'model', $2, 'payment', 'feature_psi', 'amount_log', 'day', 'critical',"
        " 0.61, 0.74, 0.25, 41234, now(), now())"
        " ON CONFLICT (subject, measure, name) WHERE closed_at IS NULL"
        " DO UPDATE SET updated_at = now() RETURNING alarm_id",
        str(new_id()),
        MODEL,
    )
    alarm_id = str(row["alarm_id"])
    yield alarm_id
    for table in ("watch_counts", "watch_references"):
        await desk.sql(f"DELETE FROM {table} WHERE model = $1", MODEL)
    await desk.sql("DELETE FROM watch_bins WHERE subject = $1 OR measure = 'latency'", MODEL)
    await desk.sql(
        "UPDATE watch_alarms SET closed_at = now(), closed_why = 'not_in_use'"
        " WHERE closed_at IS NULL"
    )


async def _store(desk: Desk, counts: list, bins: list, hours: list[datetime]) -> None:
    """The counts as the job would keep them, with a score and an amount that have moved."""
    connection = await desk.bank.connect("risk")
    try:
        await connection.executemany(
            "INSERT INTO watch_counts VALUES ('payment', $1, $2, $3, $4, $5, 0, 0, 0)"
            " ON CONFLICT DO NOTHING",
            counts,
        )
        await connection.executemany(
            "INSERT INTO watch_bins AS kept VALUES ($1, $2, $3, $4, 1)"
            " ON CONFLICT (subject, slot, measure, bin)"
            " DO UPDATE SET decisions = kept.decisions + 1",
            bins,
        )
        for name, one in REFERENCE.distributions().items():
            await connection.execute(
                "INSERT INTO watch_references VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
                MODEL,
                name,
                bytes(32),
                one.edges,
                one.counts,
            )
            shift = {"score": 1, "amount_log": 2, "payee_new": 0}.get(name, 0)
            shares = np.roll(one.counts, shift) / sum(one.counts)
            rows = [
                (MODEL, hour, name, place, int(1500 * share))
                for hour in hours
                for place, share in enumerate(shares)
                if share
            ]
            await connection.executemany("INSERT INTO watch_bins VALUES ($1, $2, $3, $4, $5)", rows)
    finally:
        await connection.close()


class TestWatchPage:
    @pytest.mark.browser
    async def test_shows_the_week_and_takes_an_acknowledgement(
        self, desk: Desk, reviewer: Member, counted: str, chromium
    ):
        page, complaints = await at_the_desk(
            chromium, desk, reviewer, "/desk/watch?product=payment", locale="en-GB"
        )
        await page.goto(desk.bank.url("risk") + "/desk/watch?product=payment&span=week")
        await picture(page, "watch-week-en")
        text = await page.text_content("main") or ""
        assert "feature PSI" in text
        assert "Log of the amount in yuan" in text
        assert await page.locator(".plot polyline").count() >= 2
        assert await page.locator(".drift .bar .warning").count() >= 1
        await page.locator(f"#note_{counted}").fill("a new payday")
        await page.locator(f"form[action*='{counted}'] button").click()
        assert "It is noted" in (await page.text_content(".message") or "")
        assert f"seen by {reviewer.staff_id}" in (await page.text_content("main") or "")
        assert "a new payday" in (await page.text_content("main") or "")
        assert [line for line in complaints if "Content Security Policy" in line] == []

    @pytest.mark.browser
    async def test_reads_well_in_chinese_and_on_a_phone(
        self, desk: Desk, operator: Member, counted: str, chromium
    ):
        page, _ = await at_the_desk(
            chromium, desk, operator, locale="zh-CN", viewport=PHONE, color_scheme="dark"
        )
        for span in ("hour", "day"):
            await page.goto(desk.bank.url("risk") + f"/desk/watch?product=payment&span={span}")
            await picture(page, f"watch-{span}-zh-phone")
            width = await page.evaluate("document.documentElement.scrollWidth")
            assert width <= PHONE["width"]
        assert "告警" in (await page.text_content("main") or "")
        ids = await page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
        assert len(ids) == len(set(ids))

    @pytest.mark.parametrize("product", ["account_opening", "loan", "card", "nothing"])
    async def test_of_what_was_never_decided_says_so(
        self, desk: Desk, reviewer: Member, product: str
    ):
        async with signed_in(desk, reviewer) as client:
            page = await client.get("/desk/watch", params={"product": product, "span": "x"})
        assert page.status_code == 200

    async def test_finds_no_alarm_that_is_none(self, desk: Desk, reviewer: Member):
        async with signed_in(desk, reviewer) as client:
            for alarm in (str(new_id()), "x"):
                answer = await send(client, f"/desk/watch/{alarm}/acknowledgement", note="")
                assert answer.status_code == 404, answer.text

    async def test_is_for_staff_alone(self, desk: Desk):
        async with browser(desk) as client:
            page = await client.get("/desk/watch")
        assert page.url.path == "/desk/sign-in"
        assert page.url.params["next"] == "/desk/watch"
