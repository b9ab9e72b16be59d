"""Products, their ratings and regimes, and whom they suit."""

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.advisor.data import FOLDER, load_rules, parse_catalog
from services.advisor.domain import Client
from services.advisor.products import domain
from shared.contracts.http.advisor import Grade

CATALOG = load_rules().catalog
TODAY = date(2026, 7, 1)
LIVE = date(2026, 7, 2)
PRODUCTS = {product.product_id: product for product in CATALOG.products}


def client(
    grade: Grade, *, lowest: bool = False, until: date = LIVE, capacity: int | None = None
) -> Client:
    limits = {} if capacity is None else {"CNY": capacity}
    return Client(grade, lowest_class=lowest, valid_until=until, capacity_minor=limits)


def check(product_id: str, who: Client | None, amount_minor: int | None = None) -> domain.Verdict:
    return domain.check(
        CATALOG, PRODUCTS[product_id], client=who, today=TODAY, amount_minor=amount_minor
    )


clients = st.builds(client, st.sampled_from(domain.GRADES))


class TestSuitability:
    @given(clients, st.sampled_from(CATALOG.products))
    def test_is_the_rating_not_above_the_grade(self, who: Client, product: domain.Product) -> None:
        suits = int(product.rating[1]) <= int(who.grade[1])
        assert check(product.product_id, who).suitable is suits

    def test_counts_the_higher_of_two_ratings_and_discloses_both(self) -> None:
        verdict = check("w-bond-03", client("C1"))
        assert (verdict.suitable, verdict.reason_code) == (False, "above_grade")
        assert "R1" in verdict.reason.en
        assert "R2" in verdict.reason.en
        assert "较高者" in verdict.reason.zh
        assert check("f-bal-01", client("C3")).suitable is False
        assert check("f-bal-01", client("C4")).suitable is True

    def test_offers_no_way_to_insist_on_a_bank_product(self) -> None:
        assert check("w-eq-24", client("C2")).may_insist is False

    def test_lets_a_warned_client_insist_on_a_fund(self) -> None:
        verdict = check("f-idx-01", client("C2"))
        assert (verdict.suitable, verdict.may_insist) == (False, True)

    def test_never_lets_the_lowest_class_insist(self) -> None:
        assert check("f-idx-01", client("C1", lowest=True)).may_insist is False

    def test_needs_a_grade(self) -> None:
        assert check("w-cash-01", None).reason_code == "no_grade"

    def test_needs_a_grade_that_has_not_expired(self) -> None:
        assert check("w-cash-01", client("C5", until=TODAY)).reason_code == "grade_expired"

    def test_refuses_less_than_the_minimum(self) -> None:
        assert check("w-mix-12", client("C3"), 99_999).reason_code == "below_minimum"
        assert check("w-mix-12", client("C3"), 100_000).suitable is True

    def test_refuses_more_than_the_client_says_to_own(self) -> None:
        who = client("C3", capacity=5_000_000)
        assert check("w-mix-12", who, 5_000_001).reason_code == "beyond_capacity"
        assert check("w-mix-12", who, 5_000_000).suitable is True

    @given(st.none() | clients, st.sampled_from(CATALOG.products))
    def test_says_why_in_both_languages(self, who: Client | None, product: domain.Product) -> None:
        reason = check(product.product_id, who).reason
        assert reason.zh.strip()
        assert reason.en.strip()


class TestProductList:
    @given(clients)
    def test_holds_only_what_suits_with_nothing_left_out(self, who: Client) -> None:
        listed = domain.suitable_products(CATALOG, client=who, today=TODAY)
        fitting = {
            p
            for p, product in PRODUCTS.items()
            if product.placement == "public" and product.rating[1] <= who.grade[1]
        }
        assert {product.product_id for product in listed} == fitting
        assert [product.rating for product in listed] == sorted(p.rating for p in listed)

    def test_never_holds_a_private_product(self) -> None:
        private = [p.product_id for p in CATALOG.products if p.placement == "private"]
        listed = domain.suitable_products(CATALOG, client=client("C5"), today=TODAY)
        assert private
        assert not {p.product_id for p in listed} & set(private)

    @pytest.mark.parametrize("who", [None, client("C5", until=TODAY)])
    def test_is_empty_without_a_live_grade(self, who: Client | None) -> None:
        assert domain.suitable_products(CATALOG, client=who, today=TODAY) == []


class TestCatalog:
    def raw(self) -> dict[str, Any]:
        path = FOLDER / f"products-{CATALOG.version}.json"
        return json.loads(path.read_text(encoding="utf-8"))

    def refuse(self, rules: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            parse_catalog(json.dumps(rules).encode())

    def test_rates_from_r1_to_r5_under_two_regimes(self) -> None:
        assert {product.rating for product in CATALOG.products} == {"R1", "R2", "R3", "R4", "R5"}
        assert {product.regime for product in CATALOG.products} == {"nfra", "csrc"}

    @pytest.mark.parametrize(
        ("lang", "text"), [("zh", "低风险理财"), ("zh", "秒到账"), ("en", "Guaranteed return")]
    )
    def test_is_refused_with_a_lure(self, lang: str, text: str) -> None:
        rules = self.raw()
        rules["products"][0]["name"][lang] = text
        self.refuse(rules, "forbidden phrase")

    def test_is_refused_without_a_risk_notice(self) -> None:
        rules = self.raw()
        rules["products"][0]["notice"]["en"] = ""
        self.refuse(rules, "lacks a language")

    def test_is_refused_with_a_regime_it_does_not_declare(self) -> None:
        rules = self.raw()
        rules["regimes"] = rules["regimes"][:1]
        self.refuse(rules, "no regime csrc")

    def test_is_refused_with_a_rating_that_is_not_one(self) -> None:
        rules = self.raw()
        rules["products"][0]["issuer_rating"] = "R6"
        self.refuse(rules, "issuer_rating")

    def test_is_refused_when_a_higher_grade_may_buy_less(self) -> None:
        rules = self.raw()
        rules["regimes"][0]["highest_rating"]["C4"] = "R1"
        self.refuse(rules, "never falling")
