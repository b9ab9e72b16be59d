"""The next offer, as pure rules: consent, suitability, ranking, copy."""

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.profiles import domain
from services.profiles.data import FOLDER, load_rules
from services.profiles.domain import Assessment, Facts
from services.profiles.offers.domain import GRADES, Choice, next_offer

RULES = load_rules()
TODAY = date(2026, 7, 20)
LIVE = date(2026, 7, 21)

held_tags = st.lists(st.sampled_from(domain.TAGS), unique=True)
assessments = st.none() | st.builds(
    Assessment, st.sampled_from(GRADES), st.sampled_from([TODAY, LIVE])
)


def choose(tags: list[str], assessment: Assessment | None, *, consent: bool = True) -> Choice:
    return next_offer(
        RULES.offers,
        Facts("c-1", assessment=assessment),
        tags=tags,
        segments=domain.segments(RULES.profile.segments, tags),
        consent=consent,
        today=TODAY,
    )


class TestNextOffer:
    @given(held_tags, assessments)
    def test_without_consent_is_the_same_for_everybody(
        self, tags: list[str], assessment: Assessment | None
    ) -> None:
        choice = choose(tags, assessment, consent=False)
        assert choice == choose([], None, consent=False)
        assert choice.offer.generic
        assert not choice.personalized

    @given(held_tags, assessments)
    def test_is_an_investment_only_for_a_live_grade_that_fits(
        self, tags: list[str], assessment: Assessment | None
    ) -> None:
        offer = choose(tags, assessment).offer
        if offer.kind == "investment":
            assert assessment is not None
            assert assessment.valid_until > TODAY
            assert offer.rating is not None
            assert offer.rating[1] <= assessment.grade[1]
            assert offer.notice is not None

    @pytest.mark.parametrize(
        ("grade", "rating"), [("C1", "R1"), ("C2", "R2"), ("C3", "R3"), ("C5", "R4")]
    )
    def test_follows_the_grade(self, grade: domain.Grade, rating: str) -> None:
        choice = choose(["salary_earner", "saver", "risk_graded"], Assessment(grade, LIVE))
        assert choice.offer.rating == rating
        assert rating in choice.reason.zh
        assert grade in choice.reason.en

    def test_is_no_investment_once_the_grade_has_expired(self) -> None:
        # The tag is stale on purpose: the grade alone decides.
        choice = choose(["saver", "risk_graded"], Assessment("C5", TODAY))
        assert choice.offer.kind == "deposit"

    def test_is_generic_and_marked_so_where_nothing_fits(self) -> None:
        choice = choose([], None)
        assert choice.offer.generic
        assert not choice.personalized

    @given(held_tags, assessments, st.booleans())
    def test_says_why_in_both_languages(
        self, tags: list[str], assessment: Assessment | None, consent: bool
    ) -> None:
        reason = choose(tags, assessment, consent=consent).reason
        assert reason.zh.strip()
        assert reason.en.strip()


class TestOfferFile:
    def refuse(self, tmp_path: Any, message: str, **changes: Any) -> None:
        """Write the real files with `changes` to the first investment, and see them refused."""
        for name in ("rules", "offers"):
            path = FOLDER / f"{name}-{RULES.profile.version}.json"
            content = json.loads(path.read_text(encoding="utf-8"))
            if name == "offers":
                first = next(o for o in content["offers"] if o["kind"] == "investment")
                first.update(changes)
            (tmp_path / path.name).write_text(json.dumps(content), encoding="utf-8")
        with pytest.raises(ValueError, match=message):
            load_rules(tmp_path)

    def test_is_refused_without_a_risk_notice(self, tmp_path: Any) -> None:
        self.refuse(tmp_path, "rating and notice", notice=None)

    def test_is_refused_without_a_rating(self, tmp_path: Any) -> None:
        self.refuse(tmp_path, "rating and notice", rating=None)

    def test_is_refused_with_a_lure(self, tmp_path: Any) -> None:
        self.refuse(tmp_path, "forbidden phrase", title={"zh": "高收益理财", "en": "Fund"})

    def test_is_refused_with_a_text_in_one_language(self, tmp_path: Any) -> None:
        self.refuse(tmp_path, "lacks a language", body={"zh": "理财", "en": ""})

    def test_is_refused_with_a_segment_that_does_not_exist(self, tmp_path: Any) -> None:
        self.refuse(tmp_path, "no such segments", segments=["lucky_ones"])

    def test_is_refused_with_an_unknown_field(self, tmp_path: Any) -> None:
        self.refuse(tmp_path, "discount", discount=5)

    def test_is_refused_without_a_generic_offer(self, tmp_path: Any) -> None:
        for name in ("rules", "offers"):
            path = FOLDER / f"{name}-{RULES.profile.version}.json"
            content = json.loads(path.read_text(encoding="utf-8"))
            content["offers"] = [o for o in content.get("offers", []) if not o["generic"]]
            if name == "rules":
                del content["offers"]
            (tmp_path / path.name).write_text(json.dumps(content), encoding="utf-8")
        with pytest.raises(ValueError, match="generic offer is needed"):
            load_rules(tmp_path)
