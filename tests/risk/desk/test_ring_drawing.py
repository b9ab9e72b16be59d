"""A ring drawn at a case: who shares what, who is known fraud, and nothing that hides another."""

from itertools import combinations

import pytest

from services.risk.desk.drawing import HEIGHT, MAX_NODES, WIDTH, drawn, neighbourhood
from services.risk.rings.domain import Rings
from tests.bank import eventually
from tests.risk.cases.support import Desk
from tests.risk.desk.support import Member, at_the_desk, picture
from tests.risk.support import decided, payment, ring_of
from tests.risk.test_identifiers import number_of, tell


class TestDrawing:
    def test_keeps_its_distance_and_stays_on_the_page(self) -> None:
        rings = Rings()
        for i in range(7):
            rings.link(f"c{i}", ("device", f"shared-{i // 3}"))
            rings.link(f"c{i}", ("phone", f"token-of-{i}"))
            rings.link(f"c{i}", ("device", f"shared-{i // 3 + 1}"))
        found = neighbourhood(rings, "c0", now_ms=0)
        assert found is not None
        picture = drawn(found)
        assert len(picture.shapes) == min(MAX_NODES, 7 + 7 + 4)
        assert len(picture.lines) == len(picture.pairs) == 7 * 3
        for x, y, _ in picture.shapes:
            assert 0 < x < WIDTH
            assert 0 < y < HEIGHT
        for (x1, y1, _), (x2, y2, _) in combinations(picture.shapes, 2):
            assert (x1 - x2) ** 2 + (y1 - y2) ** 2 > 24**2

    def test_is_bounded_and_says_what_is_left_out(self) -> None:
        rings = Rings()
        for i in range(40):
            rings.link("c0", ("device", f"device-{i}"))
        found = neighbourhood(rings, "c0", now_ms=0)
        assert found is not None
        assert len(found.nodes) == MAX_NODES
        assert found.hidden == 40 - (MAX_NODES - 1)

    def test_shows_the_end_of_an_identifier_alone(self) -> None:
        rings = Rings()
        rings.link("c0", ("phone", "5f2b8c0e9d3a4716b8e1c2d3f4a59687"))
        found = neighbourhood(rings, "c0", now_ms=0)
        assert found is not None
        assert [(node.kind, node.name) for node in found.nodes] == [
            ("customer", "c0"),
            ("phone", "····9687"),
        ]

    def test_of_a_customer_who_is_known_by_nothing_is_none(self) -> None:
        assert neighbourhood(Rings(), "c0", now_ms=0) is None


@pytest.mark.browser
class TestRingInABrowser:
    @pytest.mark.parametrize(
        ("locale", "words"),
        [
            ("en-GB", ("Connections", "known fraud", "device")),
            ("zh-CN", ("关联网络", "已知欺诈", "设备")),
        ],
    )
    async def test_shows_who_shares_what_and_who_is_known_fraud(
        self, desk: Desk, reviewer: Member, chromium, locale: str, words: tuple[str, ...]
    ):
        unique, bank = desk.unique, desk.bank
        device, phone = f"device-{unique}", number_of(unique)
        await tell(bank, f"c-{unique}", device_id=device, phone=phone)
        for name in ("mule", "friend"):
            await tell(bank, f"{name}-{unique}", device_id=device, card=number_of(unique, 16))
        await tell(bank, f"far-{unique}", phone=phone)
        async with bank.client("risk", roles=("operator",)) as staff:
            entry = {"list": "black", "kind": "customer", "value": f"mule-{unique}"}
            headers = {"idempotency-key": f"k-{unique}"}
            await staff.post("/v1/list-entries", json=entry | {"reason": "x"}, headers=headers)

            async def near() -> bool:
                made = await decided(staff, bank, payment(unique))
                return (await ring_of(bank, made))["fraud_distance"] == 2

            await eventually(near)
        case_id = await desk.case()
        page, complaints = await at_the_desk(
            chromium, desk, reviewer, f"/desk/cases/{case_id}", locale=locale
        )
        drawing = page.get_by_role("img", name=words[0])
        shown = await drawing.text_content() or ""
        for name in (f"c-{unique}", f"mule-{unique}", f"friend-{unique}", f"far-{unique}"):
            assert name[-5:] in shown
        assert words[2] in shown
        assert shown.count("!") == 1
        text = await page.content()
        assert device not in text
        assert phone not in text
        await page.get_by_text("The same in words" if locale == "en-GB" else "文字列表").click()
        assert await page.get_by_text(words[1], exact=True).first.is_visible()
        assert [line for line in complaints if "Content Security Policy" in line] == []
        await picture(page, f"case-ring-{locale[:2]}")
        await page.set_viewport_size({"width": 390, "height": 844})
        # the drawing scrolls in its own box, the page does not
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390
        await picture(page, f"case-ring-{locale[:2]}-phone")
