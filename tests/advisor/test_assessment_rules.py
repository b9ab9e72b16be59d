"""The questionnaire, its grades, its validity and its limits, as pure rules."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.advisor import domain
from services.advisor.data import FOLDER, load_rules, parse_questionnaire

RULES = load_rules()
Q = RULES.current
CAUTIOUS = {item.item_id: item.options[0].option_id for item in Q.items}
ADVENTUROUS = {item.item_id: item.options[-1].option_id for item in Q.items}


def ordered_pairs() -> st.SearchStrategy[tuple[dict[str, str], dict[str, str]]]:
    """Two sets of answers, the first at least as cautious as the second in every item."""

    def pair(places: tuple[tuple[int, int], ...]) -> tuple[dict[str, str], dict[str, str]]:
        low, high = {}, {}
        for item, (one, other) in zip(Q.items, places, strict=True):
            low[item.item_id] = item.options[min(one, other)].option_id
            high[item.item_id] = item.options[max(one, other)].option_id
        return low, high

    spots = [st.integers(0, len(item.options) - 1) for item in Q.items]
    return st.tuples(*(st.tuples(spot, spot) for spot in spots)).map(pair)


def raw() -> dict[str, Any]:
    return json.loads((FOLDER / f"questionnaire-{Q.version}.json").read_text(encoding="utf-8"))


def parse(rules: dict[str, Any]) -> domain.Questionnaire:
    return parse_questionnaire(json.dumps(rules).encode())


class TestGrade:
    @given(ordered_pairs())
    def test_is_never_raised_by_more_cautious_answers(
        self, pair: tuple[dict[str, str], dict[str, str]]
    ) -> None:
        cautious, adventurous = (domain.grade(Q, answers) for answers in pair)
        assert Q.rank(cautious.risk_class) <= Q.rank(adventurous.risk_class)
        assert cautious.grade <= adventurous.grade
        assert cautious.score <= adventurous.score

    @given(ordered_pairs(), st.sampled_from(Q.items))
    def test_is_never_raised_by_one_more_cautious_answer(
        self, pair: tuple[dict[str, str], dict[str, str]], item: domain.Item
    ) -> None:
        _, answers = pair
        place = item.position(answers[item.item_id])
        classes = [
            Q.rank(domain.grade(Q, answers | {item.item_id: option.option_id}).risk_class)
            for option in item.options[: place + 1]
        ]
        assert classes == sorted(classes)

    def test_spans_the_lowest_class_to_c5(self) -> None:
        lowest, highest = domain.grade(Q, CAUTIOUS), domain.grade(Q, ADVENTUROUS)
        assert (lowest.grade, lowest.lowest_class) == ("C1", True)
        assert (highest.grade, highest.lowest_class) == ("C5", False)

    def test_reaches_every_class(self) -> None:
        capped = {cap.item_id: cap.up_to_option for cap in Q.caps}
        answers = dict(CAUTIOUS)
        for item in Q.items:
            if item.item_id in capped:
                place = item.position(capped[item.item_id]) + 1
                answers[item.item_id] = item.options[place].option_id
        answers["loss_acceptable"] = "over_30_pct"
        seen = {domain.grade(Q, CAUTIOUS).risk_class, domain.grade(Q, answers).risk_class}
        for item in Q.items:
            answers[item.item_id] = item.options[-1].option_id
            seen.add(domain.grade(Q, answers).risk_class)
        assert seen == {band.risk_class for band in Q.bands}

    @pytest.mark.parametrize(
        ("item_id", "option_id", "risk_class"),
        [
            ("loss_acceptable", "none", "C1_LOWEST"),
            ("loss_acceptable", "up_to_5_pct", "C2"),
            ("age", "65_or_over", "C3"),
            ("horizon", "under_1y", "C2"),
            ("liquidity_need", "within_3m", "C2"),
        ],
    )
    def test_is_capped_and_says_why(self, item_id: str, option_id: str, risk_class: str) -> None:
        graded = domain.grade(Q, ADVENTUROUS | {item_id: option_id})
        cap = next(c for c in Q.caps if (c.item_id, c.up_to_option) == (item_id, option_id))
        assert graded.risk_class == risk_class
        assert cap.reason in graded.reasons

    def test_tells_score_and_band_in_both_languages(self) -> None:
        reason = domain.grade(Q, ADVENTUROUS).reasons[0]
        assert "100分" in reason.zh
        assert "100 points" in reason.en

    def test_replays_equal_from_the_same_answers(self) -> None:
        again = parse_questionnaire((FOLDER / f"questionnaire-{Q.version}.json").read_bytes())
        assert domain.grade(again, ADVENTUROUS) == domain.grade(Q, ADVENTUROUS)


class TestAnswers:
    def test_are_refused_with_an_unknown_item(self) -> None:
        with pytest.raises(domain.UnknownItem) as refused:
            domain.grade(Q, CAUTIOUS | {"shoe_size": "44"})
        assert refused.value.field == "answers.shoe_size"
        assert "age" in (refused.value.expected or "")

    @given(st.sampled_from(Q.items))
    def test_are_refused_with_any_item_missing(self, item: domain.Item) -> None:
        answers = {k: v for k, v in CAUTIOUS.items() if k != item.item_id}
        with pytest.raises(domain.MissingAnswer) as refused:
            domain.grade(Q, answers)
        assert refused.value.field == f"answers.{item.item_id}"
        assert item.options[0].option_id in (refused.value.expected or "")

    @given(st.sampled_from(Q.items))
    def test_are_refused_with_an_unknown_option(self, item: domain.Item) -> None:
        with pytest.raises(domain.UnknownOption) as refused:
            domain.grade(Q, CAUTIOUS | {item.item_id: "perhaps"})
        assert refused.value.field == f"answers.{item.item_id}"
        assert item.options[-1].option_id in (refused.value.expected or "")


class TestQuestionnaire:
    def test_asks_at_least_15_items_over_every_topic(self) -> None:
        assert len(Q.items) >= 15
        assert {item.topic for item in Q.items} == {
            "finances",
            "experience",
            "objective",
            "horizon",
            "liquidity",
            "loss_tolerance",
            "age",
        }

    def test_is_refused_with_a_text_in_one_language(self) -> None:
        rules = raw()
        rules["items"][3]["options"][1]["text"]["en"] = " "
        with pytest.raises(ValueError, match="lacks a language"):
            parse(rules)

    def test_is_refused_without_a_language(self) -> None:
        rules = raw()
        del rules["caps"][0]["reason"]["zh"]
        with pytest.raises(ValueError, match="zh"):
            parse(rules)

    def test_is_refused_when_caution_scores_more(self) -> None:
        rules = raw()
        rules["items"][0]["options"][0]["points"] = 9
        with pytest.raises(ValueError, match="more cautious option has more points"):
            parse(rules)

    @pytest.mark.parametrize(
        ("band", "field", "points", "message"),
        [
            (2, "from_points", 26, "band C2 must start at 25"),
            (2, "from_points", 24, "band C2 must start at 25"),
            (0, "from_points", 1, "must start at 0"),
            (-1, "to_points", 99, "must end at 100"),
        ],
    )
    def test_is_refused_when_bands_leave_a_gap_or_overlap(
        self, band: int, field: str, points: int, message: str
    ) -> None:
        rules = raw()
        rules["bands"][band][field] = points
        with pytest.raises(ValueError, match=message):
            parse(rules)

    @pytest.mark.parametrize(
        ("field", "value"),
        [("item_id", "shoe_size"), ("up_to_option", "perhaps"), ("risk_class", "C9")],
    )
    def test_is_refused_when_a_cap_names_what_is_not_there(self, field: str, value: str) -> None:
        rules = raw()
        rules["caps"][0][field] = value
        with pytest.raises(ValueError, match=value):
            parse(rules)

    def test_is_refused_with_an_unknown_field(self) -> None:
        with pytest.raises(ValueError, match="surprise"):
            parse(raw() | {"surprise": 1})


class TestValidity:
    @pytest.mark.parametrize(
        ("assessed_on", "until"),
        [
            (date(2026, 1, 5), date(2027, 1, 5)),
            (date(2024, 2, 29), date(2025, 2, 28)),
            (date(2023, 3, 1), date(2024, 3, 1)),
            (date(2026, 12, 31), date(2027, 12, 31)),
        ],
    )
    def test_ends_after_12_months(self, assessed_on: date, until: date) -> None:
        assert domain.valid_until(Q, assessed_on=assessed_on) == until

    def test_counts_up_to_the_day_before(self) -> None:
        client = domain.Client(
            "C3", lowest_class=False, valid_until=date(2027, 1, 5), capacity_minor={}
        )
        assert client.live(date(2027, 1, 4))
        assert not client.live(date(2027, 1, 5))

    @given(st.dates(date(1990, 1, 1), date(2090, 1, 1)))
    def test_is_never_longer_than_a_year(self, day: date) -> None:
        assert timedelta(days=364) <= domain.valid_until(Q, assessed_on=day) - day
        assert domain.valid_until(Q, assessed_on=day) - day <= timedelta(days=366)


class TestLimits:
    TODAY = date(2026, 7, 1)

    def allowed(self, *earlier: date, today: date = TODAY) -> bool:
        try:
            domain.require_within_limits(Q, assessed_on=earlier, today=today)
        except domain.AssessmentLimitReached:
            return False
        return True

    def test_refuse_the_third_assessment_of_a_day(self) -> None:
        assert self.allowed(self.TODAY)
        assert not self.allowed(self.TODAY, self.TODAY)
        assert self.allowed(self.TODAY, self.TODAY, today=date(2026, 7, 2))

    def test_refuse_the_ninth_in_12_months(self) -> None:
        days = [date(2025, 7, 2), *(date(2026, month, 1) for month in range(1, 7))]
        assert self.allowed(*days)
        assert not self.allowed(*days, date(2025, 7, 3))
        assert self.allowed(*days, date(2025, 7, 1))

    def test_tell_the_first_day_for_the_next(self) -> None:
        with pytest.raises(domain.AssessmentLimitReached) as refused:
            domain.require_within_limits(
                Q,
                assessed_on=[date(2025, 9, 10), *(date(2026, 5, 1 + n // 2) for n in range(7))],
                today=self.TODAY,
            )
        assert "2026-09-10" in (refused.value.expected or "")

    @given(st.lists(st.dates(date(2024, 1, 1), date(2026, 7, 1)), max_size=12))
    def test_tell_a_day_that_is_then_allowed(self, earlier: list[date]) -> None:
        try:
            domain.require_within_limits(Q, assessed_on=earlier, today=self.TODAY)
        except domain.AssessmentLimitReached as refused:
            told = date.fromisoformat((refused.expected or "").split()[3])
            assert self.allowed(*earlier, today=told)
            assert not self.allowed(*earlier, today=told - timedelta(days=1))


class TestRuleFiles:
    def test_are_refused_when_the_name_tells_another_version(self, tmp_path: Any) -> None:
        text = (FOLDER / f"questionnaire-{Q.version}.json").read_bytes()
        (tmp_path / "questionnaire-2030-1.json").write_bytes(text)
        with pytest.raises(ValueError, match="2030-1"):
            load_rules(tmp_path)

    def test_are_refused_when_none_is_there(self, tmp_path: Any) -> None:
        with pytest.raises(ValueError, match="no questionnaire"):
            load_rules(tmp_path)

    def test_ask_the_newest_version_and_keep_the_old(self, tmp_path: Any) -> None:
        for version in ("2026-2", "2026-10"):
            text = json.dumps(raw() | {"version": version})
            (tmp_path / f"questionnaire-{version}.json").write_text(text, encoding="utf-8")
        products = FOLDER / f"products-{RULES.catalog.version}.json"
        (tmp_path / products.name).write_bytes(products.read_bytes())
        rules = load_rules(tmp_path)
        assert rules.current.version == "2026-10"
        assert set(rules.questionnaires) == {"2026-2", "2026-10"}
