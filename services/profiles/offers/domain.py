"""The next offer: which one, and why, in the customer's words.

Consent and suitability come before ranking: what may not be shown is taken out first, so that
no priority can bring it back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from services.profiles.domain import TAGS, Facts, Grade, InvalidRules, Rule, grade_fits
from shared.contracts.values import Localized

Rating = Literal["R1", "R2", "R3", "R4", "R5"]
GRADES: tuple[Grade, ...] = ("C1", "C2", "C3", "C4", "C5")

NO_CONSENT = Localized(
    zh="您未同意个性化营销,以下为面向所有客户的一般信息,未使用您的任何数据。",
    en="You have not agreed to personalized marketing: this is general information for every "
    "customer, and none of your data was used.",
)
NOTHING_FITS = Localized(
    zh="目前没有适合您的个性化推荐,以下为面向所有客户的一般信息。",
    en="Nothing suits you in particular at present: this is general information for every "
    "customer.",
)


@dataclass(frozen=True)
class Offer(Rule):
    """One offer. `rating` and `notice` are there for an investment, and only for one.

    A `generic` offer is the same for everybody: it has no conditions.
    """

    offer_id: str
    kind: Literal["service", "deposit", "investment"]
    generic: bool
    priority: int
    segments: tuple[str, ...]
    all_tags: tuple[str, ...]
    no_tags: tuple[str, ...]
    rating: Rating | None
    title: Localized
    body: Localized
    reason: Localized
    notice: Localized | None

    def __post_init__(self) -> None:
        investment = self.kind == "investment"
        if investment != (self.rating is not None) or investment != (self.notice is not None):
            raise InvalidRules(f"{self.offer_id}: rating and notice, for an investment alone")
        if self.generic and (investment or self.segments or self.all_tags or self.no_tags):
            raise InvalidRules(f"{self.offer_id}: a generic offer has no conditions")
        unknown = (set(self.all_tags) | set(self.no_tags)) - set(TAGS)
        if unknown:
            raise InvalidRules(f"{self.offer_id}: no such tags {sorted(unknown)}")

    def texts(self) -> list[Localized]:
        """Every text that a customer may read."""
        return [self.title, self.body, self.reason, *([self.notice] if self.notice else [])]


@dataclass(frozen=True)
class OfferList(Rule):
    """One version of the offers. `forbidden_phrases` may not occur in any text."""

    version: str
    highest_rating: dict[Grade, Rating]
    forbidden_phrases: tuple[str, ...]
    offers: tuple[Offer, ...]

    def __post_init__(self) -> None:
        ids = [offer.offer_id for offer in self.offers]
        if len(set(ids)) != len(ids):
            raise InvalidRules("two offers have the same id")
        ratings = [self.highest_rating[grade] for grade in GRADES if grade in self.highest_rating]
        if len(ratings) != len(GRADES) or ratings != sorted(ratings):
            raise InvalidRules("highest_rating: a rating for C1 to C5, never falling")
        if not any(offer.generic for offer in self.offers):
            raise InvalidRules("a generic offer is needed for those who did not agree")
        for text in (text for offer in self.offers for text in offer.texts()):
            self._check_copy(text)

    def _check_copy(self, text: Localized) -> None:
        if not text.zh.strip() or not text.en.strip():
            raise InvalidRules(f"a text lacks a language: {text.zh or text.en!r}")
        for phrase in self.forbidden_phrases:
            if phrase in text.zh or phrase in text.en.lower():
                raise InvalidRules(f"forbidden phrase {phrase!r} in {text.zh!r} / {text.en!r}")


@dataclass(frozen=True, slots=True)
class Choice:
    """The offer that is made, why, and whether the customer's data had a part in it."""

    offer: Offer
    reason: Localized
    personalized: bool


def next_offer(
    offers: OfferList,
    facts: Facts,
    *,
    tags: Sequence[str],
    segments: Sequence[str],
    consent: bool,
    today: date,
) -> Choice:
    """The offer with the highest priority among those that this customer may be shown."""
    generic = _first([offer for offer in offers.offers if offer.generic])
    if not consent:
        return Choice(generic, NO_CONSENT, personalized=False)
    grade = facts.assessment.live_grade(today) if facts.assessment else None
    allowed = [
        offer
        for offer in offers.offers
        if not offer.generic
        and _meets(offer, tags=tags, segments=segments)
        and (
            offer.rating is None
            or grade_fits(offers.highest_rating, grade=grade, rating=offer.rating)
        )
    ]
    if not allowed:
        return Choice(generic, NOTHING_FITS, personalized=False)
    best = _first(allowed)
    return Choice(best, _reason(best, grade), personalized=True)


def _meets(offer: Offer, *, tags: Sequence[str], segments: Sequence[str]) -> bool:
    return (
        (not offer.segments or bool(set(offer.segments) & set(segments)))
        and set(offer.all_tags) <= set(tags)
        and not set(offer.no_tags) & set(tags)
    )


def _first(offers: Sequence[Offer]) -> Offer:
    return min(offers, key=lambda offer: (-offer.priority, offer.offer_id))


def _reason(offer: Offer, grade: Grade | None) -> Localized:
    if offer.rating is None:
        return offer.reason
    return Localized(
        zh=f"{offer.reason.zh}产品等级{offer.rating}适合您的等级{grade}。",
        en=f"{offer.reason.en} The product's rating {offer.rating} suits your grade {grade}.",
    )
