"""What applicants are told: a text for each reason, the weightiest first, and a way on."""

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.risk.cases.advice import ADVICE, GENERAL, MAX_LINES, advice_on
from services.risk.domain import Outcome
from services.risk.policies.domain import PRODUCTS, Product
from services.risk.policies.reasons import REASONS, RULE_FAILED
from services.risk.policies.seeds import seed_program
from services.risk.policies.weights import MAX_REASONS, main_reasons, weights

APPLICATIONS = [product for product in PRODUCTS if product != "payment"]


class TestReason:
    @pytest.mark.parametrize("product", PRODUCTS)
    def test_that_a_seed_can_give_has_a_text_in_both_languages(self, product: Any):
        for rule in seed_program(product).graph.rules:
            zh, en = REASONS[rule.reason]
            assert any("\u4e00" <= letter <= "\u9fff" for letter in zh)
            assert en.isascii()

    @pytest.mark.parametrize("product", APPLICATIONS)
    def test_that_declines_an_application_says_what_can_be_done(self, product: Any):
        declining = {
            rule.reason
            for rule in seed_program(product).graph.rules
            if rule.outcome is Outcome.DECLINE
        }
        assert declining <= set(ADVICE)
        # a decline that says that a person is at it would be untrue
        assert not [code for code in declining if "person is checking" in REASONS[code][1]]

    def test_advice_tells_no_threshold(self):
        for zh, en in (*ADVICE.values(), GENERAL):
            assert not any(letter.isdigit() for letter in zh + en)
            assert any("\u4e00" <= letter <= "\u9fff" for letter in zh)
            assert en.isascii()


class TestMainReasons:
    @given(st.sampled_from(APPLICATIONS), st.data())
    def test_are_few_the_weightiest_and_in_the_order_of_the_policy(
        self, product: str, data: st.DataObject
    ):
        rules = seed_program(cast("Product", product)).graph.rules
        fired = data.draw(st.lists(st.sampled_from(rules), unique=True, min_size=1))
        fired.sort(key=rules.index)
        codes = list(dict.fromkeys(rule.reason for rule in fired))
        found = main_reasons(codes, [rule.id for rule in fired], weights(rules))
        worst = max(rule.outcome for rule in fired)
        assert 1 <= len(found) <= MAX_REASONS
        assert found == [code for code in codes if code in found]
        assert all(
            any(rule.reason == code and rule.outcome is worst for rule in fired) for code in found
        )

    def test_of_a_policy_that_is_not_known_any_more_are_the_first_ones(self):
        codes = ["a", "b", "c", "d", "e"]
        assert main_reasons(codes, ["row"], {}) == codes[:MAX_REASONS]

    def test_of_a_failed_rule_stand_where_nothing_declined(self):
        rules = {"r": (Outcome.REVIEW, "income_unknown"), "d": (Outcome.DECLINE, "party_listed")}
        both = ["income_unknown", RULE_FAILED]
        assert main_reasons(both, ["r"], rules) == both
        assert main_reasons(["party_listed", RULE_FAILED], ["d"], rules) == ["party_listed"]


class TestAdvice:
    def test_is_never_missing_and_never_long(self):
        assert [line.en for line in advice_on([])] == [GENERAL[1]]
        assert [line.en for line in advice_on(["nobody_knows"])] == [GENERAL[1]]
        assert len(advice_on(list(ADVICE))) == MAX_LINES
