"""Wealth products and whom they suit. The regime of a product decides by which rules."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from services.advisor.domain import Client, InvalidRules, Rule, require_both_languages
from shared.contracts.http.advisor import Grade, Rating
from shared.contracts.values import Localized
from shared.kit.problems import BankError

RegimeCode = Literal["nfra", "csrc"]
GRADES: tuple[Grade, ...] = ("C1", "C2", "C3", "C4", "C5")


class ProductNotFound(BankError):
    status = 404
    code = "product_not_found"
    title = "There is no such product"


@dataclass(frozen=True)
class Regime(Rule):
    """The rules of one supervisor: the highest rating per grade, and what insisting can do."""

    regime: RegimeCode
    name: Localized
    highest_rating: dict[Grade, Rating]
    client_may_insist: bool
    source: str

    def __post_init__(self) -> None:
        ratings = [self.highest_rating[grade] for grade in GRADES if grade in self.highest_rating]
        if len(ratings) != len(GRADES) or ratings != sorted(ratings):
            raise InvalidRules(f"regime {self.regime}: a rating for C1 to C5, never falling")


@dataclass(frozen=True)
class Product(Rule):
    """A product with both ratings: the issuer's and ours as distributor."""

    product_id: str
    product_type: str
    regime: RegimeCode
    issuer_rating: Rating
    distributor_rating: Rating
    currency: str
    minimum_minor: int
    term_days: int | None
    placement: Literal["public", "private"]
    name: Localized
    notice: Localized

    @property
    def rating(self) -> Rating:
        """The rating that counts: the higher one, where the two differ."""
        return max(self.issuer_rating, self.distributor_rating)


@dataclass(frozen=True)
class Catalog(Rule):
    """One version of the product list. `forbidden_phrases` may not occur in any text."""

    version: str
    regimes: tuple[Regime, ...]
    forbidden_phrases: tuple[str, ...]
    products: tuple[Product, ...]

    def __post_init__(self) -> None:
        ids = [product.product_id for product in self.products]
        if len(set(ids)) != len(ids):
            raise InvalidRules("two products have the same id")
        texts = [text for product in self.products for text in (product.name, product.notice)]
        require_both_languages(texts)
        for text in texts:
            for phrase in self.forbidden_phrases:
                if phrase in text.zh or phrase in text.en.lower():
                    raise InvalidRules(f"forbidden phrase {phrase!r} in {text.zh!r} / {text.en!r}")
        for product in self.products:
            self.regime(product.regime)
            if product.minimum_minor < 1 or (product.term_days or 1) < 1:
                raise InvalidRules(f"{product.product_id}: minimum and term are positive")

    def regime(self, code: RegimeCode) -> Regime:
        """The regime of that code.

        Raises:
            InvalidRules: The catalog does not declare it.
        """
        for regime in self.regimes:
            if regime.regime == code:
                return regime
        raise InvalidRules(f"no regime {code}")

    def product(self, product_id: str) -> Product:
        """The product of that id.

        Raises:
            ProductNotFound: There is none.
        """
        for product in self.products:
            if product.product_id == product_id:
                return product
        raise ProductNotFound(
            f"the catalog has no product {product_id}",
            field="product_id",
            expected="the product_id of a product in the list",
        )


@dataclass(frozen=True)
class Verdict:
    """Whether a product suits, and why. `may_insist`: a warned client may still buy."""

    suitable: bool
    reason_code: str
    reason: Localized
    may_insist: bool = False


NO_GRADE = Localized(
    zh="尚无风险承受能力评估结果,请先完成评估。",
    en="There is no risk grade yet: please complete the assessment first.",
)
EXPIRED = Localized(
    zh="风险承受能力评估结果已过期,请重新评估。",
    en="The risk grade has expired: please complete the assessment again.",
)


def why_no_grade(client: Client | None, *, today: date) -> Verdict | None:
    """The verdict on every product where no grade counts; None where one does."""
    if client is None:
        return Verdict(suitable=False, reason_code="no_grade", reason=NO_GRADE)
    if not client.live(today):
        return Verdict(suitable=False, reason_code="grade_expired", reason=EXPIRED)
    return None


def check(
    catalog: Catalog,
    product: Product,
    *,
    client: Client | None,
    today: date,
    amount_minor: int | None = None,
) -> Verdict:
    """Whether `product` suits `client`, for `amount_minor` of its currency where given."""
    ungraded = why_no_grade(client, today=today)
    if client is None or ungraded is not None:
        return ungraded or Verdict(suitable=False, reason_code="no_grade", reason=NO_GRADE)
    regime = catalog.regime(product.regime)
    if product.rating > regime.highest_rating[client.grade]:
        return _above_grade(product, regime, client)
    if amount_minor is None:
        return _suits(product, client)
    if amount_minor < product.minimum_minor:
        return Verdict(
            suitable=False,
            reason_code="below_minimum",
            reason=Localized(
                zh=f"金额低于起购金额{product.minimum_minor}(最小货币单位)。",
                en=f"The amount is below the minimum of {product.minimum_minor} minor units.",
            ),
        )
    if amount_minor > client.capacity_minor.get(product.currency, amount_minor):
        return Verdict(
            suitable=False,
            reason_code="beyond_capacity",
            reason=Localized(
                zh="金额超出您申报的金融资产,不适合您。",
                en="The amount is more than the financial assets you stated: it does not suit you.",
            ),
        )
    return _suits(product, client)


def _above_grade(product: Product, regime: Regime, client: Client) -> Verdict:
    may_insist = regime.client_may_insist and not client.lowest_class
    way_zh = "您可在书面确认风险警示后坚持购买。" if may_insist else "不得购买。"
    way_en = (
        "You may insist after you acknowledge a written warning."
        if may_insist
        else "It cannot be bought."
    )
    disclosed = _ratings(product)
    return Verdict(
        suitable=False,
        reason_code="above_grade",
        reason=Localized(
            zh=f"{disclosed.zh}产品等级{product.rating}高于您的等级{client.grade}。{way_zh}",
            en=f"{disclosed.en}The product's rating {product.rating} is above your grade "
            f"{client.grade}. {way_en}",
        ),
        may_insist=may_insist,
    )


def _suits(product: Product, client: Client) -> Verdict:
    disclosed = _ratings(product)
    return Verdict(
        suitable=True,
        reason_code="suitable",
        reason=Localized(
            zh=f"{disclosed.zh}产品等级{product.rating}适合您的等级{client.grade}。",
            en=f"{disclosed.en}The product's rating {product.rating} suits your grade "
            f"{client.grade}.",
        ),
    )


def _ratings(product: Product) -> Localized:
    """Discloses that issuer and distributor rate differently; empty where they agree."""
    if product.issuer_rating == product.distributor_rating:
        return Localized(zh="", en="")
    return Localized(
        zh=f"发行人评级{product.issuer_rating},代销机构评级{product.distributor_rating},"
        "以较高者为准。",
        en=f"The issuer rates it {product.issuer_rating} and we rate it "
        f"{product.distributor_rating}; the higher one counts. ",
    )


def suitable_products(catalog: Catalog, *, client: Client | None, today: date) -> list[Product]:
    """The public products that suit, the most cautious first; none without a live grade.

    What does not suit is taken out before anything is ranked, so no ranking can bring it back.
    """
    fitting = [
        product
        for product in catalog.products
        if product.placement == "public"
        and check(catalog, product, client=client, today=today).suitable
    ]
    return sorted(fitting, key=lambda p: (p.rating, p.minimum_minor, p.product_id))


def reason_for_list(client: Client | None, *, today: date) -> Localized:
    """Why a client sees the products that the list holds, or none."""
    ungraded = why_no_grade(client, today=today)
    if client is None or ungraded is not None:
        return ungraded.reason if ungraded else NO_GRADE
    return Localized(
        zh=f"仅显示适合您等级{client.grade}的产品。",
        en=f"Only products that suit your grade {client.grade} are shown.",
    )
