"""Risk assessment: a questionnaire as data, the grade it gives, how long and how often.

Every number is in the versioned data file, beside the source of the rule it follows.
"""

from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import ClassVar

from shared.contracts.http.advisor import Grade
from shared.contracts.values import Localized
from shared.kit.problems import BankError


class InvalidRules(ValueError):
    """A rule file that contradicts itself; the service does not start with it."""


class UnknownItem(BankError):
    status = 422
    code = "unknown_item"
    title = "The questionnaire has no such item"


class MissingAnswer(BankError):
    status = 422
    code = "missing_answer"
    title = "An item was not answered"


class UnknownOption(BankError):
    status = 422
    code = "unknown_option"
    title = "The item has no such option"


class AssessmentLimitReached(BankError):
    status = 409
    code = "assessment_limit_reached"
    title = "No further assessment for now"


class Rule:
    """The base of what a rule file holds: nothing unknown, nothing converted."""

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid", "strict": True}


@dataclass(frozen=True)
class Option(Rule):
    option_id: str
    points: int
    text: Localized


@dataclass(frozen=True)
class Item(Rule):
    """One question; `options` go from the most cautious to the most adventurous."""

    item_id: str
    topic: str
    text: Localized
    options: tuple[Option, ...]

    def __post_init__(self) -> None:
        ids = [option.option_id for option in self.options]
        points = [option.points for option in self.options]
        if len(ids) < 2 or len(set(ids)) != len(ids):
            raise InvalidRules(f"item {self.item_id}: at least two options, each named once")
        if points[0] < 0 or points != sorted(points):
            raise InvalidRules(f"item {self.item_id}: a more cautious option has more points")

    def position(self, option_id: str) -> int:
        """The place of an option, 0 being the most cautious.

        Raises:
            InvalidRules: The item has no such option.
        """
        for index, option in enumerate(self.options):
            if option.option_id == option_id:
                return index
        raise InvalidRules(f"item {self.item_id} has no option {option_id}")


@dataclass(frozen=True)
class Band(Rule):
    """A class of clients and the points that lead to it, both ends included."""

    risk_class: str
    grade: Grade
    lowest_class: bool
    from_points: int
    to_points: int
    name: Localized


@dataclass(frozen=True)
class Cap(Rule):
    """Whoever chose `up_to_option` or a more cautious one gets `risk_class` at the most.

    Counting from the cautious end is what makes it impossible to write a cap that a more
    cautious answer escapes.
    """

    item_id: str
    up_to_option: str
    risk_class: str
    reason: Localized
    source: str


@dataclass(frozen=True)
class CapacityLimit(Rule):
    option_id: str
    amounts_minor: dict[str, int]


@dataclass(frozen=True)
class Capacity(Rule):
    """The most that a client may put into one product, by what the client says to own."""

    item_id: str
    limits: tuple[CapacityLimit, ...]
    source: str


@dataclass(frozen=True)
class Questionnaire(Rule):
    """One version of the questionnaire with all that turns its answers into a grade."""

    version: str
    title: Localized
    preamble: Localized
    items: tuple[Item, ...]
    bands: tuple[Band, ...]
    caps: tuple[Cap, ...]
    capacity: Capacity
    validity_months: int
    max_per_day: int
    max_per_12_months: int
    limits_source: str

    def __post_init__(self) -> None:
        self._check_items()
        self._check_bands()
        for cap in self.caps:
            self.item(cap.item_id).position(cap.up_to_option)
            self.rank(cap.risk_class)
        asked = self.item(self.capacity.item_id)
        for limit in self.capacity.limits:
            asked.position(limit.option_id)
        if min(self.validity_months, self.max_per_day, self.max_per_12_months) < 1:
            raise InvalidRules("validity and limits are at least 1")

    def _check_items(self) -> None:
        ids = [item.item_id for item in self.items]
        if len(set(ids)) != len(ids):
            raise InvalidRules("two items have the same id")
        texts = [self.title, self.preamble]
        texts += [item.text for item in self.items]
        texts += [option.text for item in self.items for option in item.options]
        texts += [band.name for band in self.bands] + [cap.reason for cap in self.caps]
        require_both_languages(texts)

    def _check_bands(self) -> None:
        classes = [band.risk_class for band in self.bands]
        if len(set(classes)) != len(classes):
            raise InvalidRules("two bands have the same class")
        grades = [band.grade for band in self.bands]
        if grades != sorted(grades) or set(grades) != {"C1", "C2", "C3", "C4", "C5"}:
            raise InvalidRules("the bands name C1 to C5 in this order")
        expected_from = sum(item.options[0].points for item in self.items)
        for band in self.bands:
            if band.from_points != expected_from or band.to_points < band.from_points:
                raise InvalidRules(f"band {band.risk_class} must start at {expected_from} points")
            expected_from = band.to_points + 1
        highest = sum(item.options[-1].points for item in self.items)
        if self.bands[-1].to_points != highest:
            raise InvalidRules(f"the last band must end at {highest} points")

    def item(self, item_id: str) -> Item:
        """The item of that id.

        Raises:
            InvalidRules: There is none.
        """
        for item in self.items:
            if item.item_id == item_id:
                return item
        raise InvalidRules(f"no item {item_id}")

    def rank(self, risk_class: str) -> int:
        """The place of a class among the bands, 0 being the most cautious.

        Raises:
            InvalidRules: No band has that class.
        """
        for index, band in enumerate(self.bands):
            if band.risk_class == risk_class:
                return index
        raise InvalidRules(f"no band has the class {risk_class}")


@dataclass(frozen=True)
class Graded:
    """What the answers came to. `reasons` says so to the client; the first tells the score."""

    score: int
    risk_class: str
    grade: Grade
    lowest_class: bool
    reasons: tuple[Localized, ...]


@dataclass(frozen=True)
class Client:
    """What a suitability check knows of a client: the latest assessment.

    `capacity_minor` is the most per currency that may go into one product; a currency that is
    not there has no limit.
    """

    grade: Grade
    lowest_class: bool
    valid_until: date
    capacity_minor: Mapping[str, int]

    def live(self, today: date) -> bool:
        """Whether the grade counts on that day: `valid_until` is the first day it does not."""
        return today < self.valid_until


def require_both_languages(texts: Iterable[Localized]) -> None:
    """Refuses a text that is empty in Chinese or in English.

    Raises:
        InvalidRules: Names the text by its other language.
    """
    for text in texts:
        if not text.zh.strip() or not text.en.strip():
            raise InvalidRules(f"a text lacks a language: {text.zh or text.en!r}")


def chosen_options(questionnaire: Questionnaire, answers: Mapping[str, str]) -> list[Option]:
    """The option chosen for each item, in the order of the items.

    Raises:
        UnknownItem, MissingAnswer, UnknownOption: Each names the item and what was expected.
    """
    known = {item.item_id for item in questionnaire.items}
    for item_id in answers:
        if item_id not in known:
            raise UnknownItem(
                f"questionnaire {questionnaire.version} has no item {item_id}",
                field=f"answers.{item_id}",
                expected=f"one of {', '.join(item.item_id for item in questionnaire.items)}",
            )
    chosen = []
    for item in questionnaire.items:
        field, offered = f"answers.{item.item_id}", {o.option_id: o for o in item.options}
        expected = f"one of {', '.join(offered)}"
        if item.item_id not in answers:
            raise MissingAnswer(f"no answer to {item.item_id}", field=field, expected=expected)
        option = offered.get(answers[item.item_id])
        if option is None:
            raise UnknownOption(
                f"{item.item_id} has no option {answers[item.item_id]}",
                field=field,
                expected=expected,
            )
        chosen.append(option)
    return chosen


def grade(questionnaire: Questionnaire, answers: Mapping[str, str]) -> Graded:
    """The class that the points lead to, lowered by every cap that applies.

    Raises:
        UnknownItem, MissingAnswer, UnknownOption: Each names the item and what was expected.
    """
    score = sum(option.points for option in chosen_options(questionnaire, answers))
    by_points = next(
        rank for rank, band in enumerate(questionnaire.bands) if score <= band.to_points
    )
    lowered = [
        cap
        for cap in questionnaire.caps
        if _applies(questionnaire, cap, answers) and questionnaire.rank(cap.risk_class) < by_points
    ]
    rank = min([by_points, *(questionnaire.rank(cap.risk_class) for cap in lowered)])
    band, reached = questionnaire.bands[rank], questionnaire.bands[by_points]
    told = Localized(
        zh=f"您的得分为{score}分,对应{reached.grade}({reached.name.zh})。",
        en=f"Your score is {score} points, which stands for {reached.grade} ({reached.name.en}).",
    )
    return Graded(
        score=score,
        risk_class=band.risk_class,
        grade=band.grade,
        lowest_class=band.lowest_class,
        reasons=(told, *(cap.reason for cap in lowered)),
    )


def _applies(questionnaire: Questionnaire, cap: Cap, answers: Mapping[str, str]) -> bool:
    item = questionnaire.item(cap.item_id)
    return item.position(answers[cap.item_id]) <= item.position(cap.up_to_option)


def capacity_minor(questionnaire: Questionnaire, answers: Mapping[str, str]) -> dict[str, int]:
    """The most per currency that may go into one product; empty: no limit."""
    chosen = answers[questionnaire.capacity.item_id]
    for limit in questionnaire.capacity.limits:
        if limit.option_id == chosen:
            return dict(limit.amounts_minor)
    return {}


def add_months(day: date, months: int) -> date:
    """The same day of a later or earlier month; the last one where the month is shorter."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def valid_until(questionnaire: Questionnaire, *, assessed_on: date) -> date:
    """The first day on which the assessment no longer counts.

    An assessment of 29 February ends on 28 February: never more than the months it is given.
    """
    return add_months(assessed_on, questionnaire.validity_months)


def require_within_limits(
    questionnaire: Questionnaire, *, assessed_on: Sequence[date], today: date
) -> None:
    """Refuses an assessment too many, given the days of the client's earlier ones.

    Raises:
        AssessmentLimitReached: Names the limit and the first day for the next assessment.
    """
    if _within_limits(questionnaire, assessed_on, today):
        return
    first = today + timedelta(days=1)
    while not _within_limits(questionnaire, assessed_on, first):
        first += timedelta(days=1)
    raise AssessmentLimitReached(
        f"at most {questionnaire.max_per_day} assessments a day and "
        f"{questionnaire.max_per_12_months} in 12 months",
        field="customer_id",
        expected=f"an assessment on {first.isoformat()} or later",
    )


def _within_limits(questionnaire: Questionnaire, assessed_on: Sequence[date], day: date) -> bool:
    since = add_months(day, -12)
    same_day = sum(1 for earlier in assessed_on if earlier == day)
    recent = sum(1 for earlier in assessed_on if since < earlier <= day)
    return same_day < questionnaire.max_per_day and recent < questionnaire.max_per_12_months
