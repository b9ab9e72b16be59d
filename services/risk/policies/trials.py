"""The tests of a version: named cases with the facts given and the ruling expected.

A version passes where every case is ruled as expected, every row of its tables fires in some case,
and the graph gives the same where zen-engine itself runs it: what an editor simulates is what
decides.

A fact may be named by a threshold instead of a number: `=ceiling_minor`, `=ceiling_minor - 1`. So a
case at a limit stays at the limit where somebody moves it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import zen
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.risk.policies import jdm
from services.risk.policies.domain import GRADE, Answer, PolicyRefused, Ruling
from services.risk.policies.facts import Facts, check_facts, over
from services.risk.policies.graphs import FINDINGS
from services.risk.policies.programs import Program
from services.risk.policies.reasons import RULE_FAILED
from shared.contracts.http.risk import Outcome
from shared.contracts.values import Code, Name

MAX_CASES = 300
#: A threshold, and how far beside it.
_AT = re.compile(r"=\s*([a-z0-9_]+)(?:\s*([+-])\s*([0-9]+(?:\.[0-9]+)?))?")
MAX_REASONS = 50


class Expectation(BaseModel):
    """What a case expects; an answer that is not named may be anything."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Outcome
    reason_codes: Annotated[list[Code], Field(max_length=MAX_REASONS)] = []
    degraded: Annotated[list[str], Field(max_length=MAX_REASONS)] = []
    grade: str | None = None
    limit_minor: int | None = None
    price_bps: int | None = None
    step_up: str | None = None


class Case(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    facts: dict[str, Any] = {}
    expect: Expectation


class Trials(BaseModel):
    """`given` are facts that all cases share; a case lays its own over them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    given: dict[str, Any] = {}
    cases: Annotated[list[Case], Field(min_length=1, max_length=MAX_CASES)]


@dataclass(frozen=True, slots=True)
class CaseResult:
    name: str
    passed: bool
    #: Each answer that differs: what was expected, what was found.
    differences: Mapping[str, tuple[object, object]]
    trace: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TrialReport:
    """`unproven` are the rows that fire in no case."""

    cases: tuple[CaseResult, ...]
    unproven: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.unproven and all(case.passed for case in self.cases)

    def complaint(self) -> str:
        """What fails first, in one line; empty where nothing does."""
        for case in self.cases:
            if not case.passed:
                name, (expected, found) = next(iter(case.differences.items()))
                return f"case {case.name!r}: {name} is {found!r}, expected {expected!r}"
        if self.unproven:
            return f"no case in which these rows fire: {', '.join(self.unproven[:5])}"
        return ""


def trials_of(tests: Mapping[str, Any], *, program: Program) -> Trials:
    """Reads the tests of a version. Raises PolicyRefused with the field at fault."""
    try:
        trials = Trials.model_validate(tests)
    except ValidationError as error:
        raise jdm.refused(error, field="tests") from None
    thresholds = program.graph.thresholds
    given = _at_thresholds(trials.given, thresholds, field="tests.given")
    check_facts(given, product=program.product, field="tests.given")
    names: set[str] = set()
    cases = []
    for i, case in enumerate(trials.cases):
        field = f"tests.cases.{i}"
        if case.name in names:
            raise PolicyRefused(f"{field}.name", "a name of its own")
        names.add(case.name)
        facts = _at_thresholds(case.facts, thresholds, field=f"{field}.facts")
        check_facts(facts, product=program.product, field=f"{field}.facts")
        cases.append(case.model_copy(update={"facts": facts}))
    return trials.model_copy(update={"given": given, "cases": cases})


def _at_thresholds(facts: Facts, thresholds: Mapping[str, str], *, field: str) -> dict[str, Any]:
    """The facts with numbers in the place of thresholds. Raises PolicyRefused for none of these."""
    found: dict[str, Any] = {}
    for name, value in facts.items():
        where = f"{field}.{name}"
        if isinstance(value, Mapping):
            found[name] = _at_thresholds(value, thresholds, field=where)
        elif isinstance(value, str) and value.startswith("="):
            found[name] = _beside(value, thresholds, field=where)
        else:
            found[name] = value
    return found


def _beside(text: str, thresholds: Mapping[str, str], *, field: str) -> float:
    match = _AT.fullmatch(text)
    number = None if match is None else _number(thresholds.get(match[1], ""))
    if match is None or number is None:
        raise PolicyRefused(field, "= and a threshold that is a number, such as =ceiling_minor - 1")
    step = _number(match[3] or "0") or 0
    # the nearest short decimal: 0.3 - 0.1 is meant to be 0.2
    return round(number - step if match[2] == "-" else number + step, 9)


def _number(text: str) -> float | None:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return None


def run(
    program: Program, trials: Trials, *, content: Mapping[str, Any] | None = None
) -> TrialReport:
    """Every case through the program, and where `content` is given, through zen-engine as well.

    The first engine of a process takes 0.4 s to build: not on the event loop.
    """
    engine = None
    if content is not None:
        loaded = {"policy": dict(content)}
        engine = zen.ZenEngine({"loader": {"type": "static", "content": loaded}})
    results = []
    fired: set[str] = set()
    for case in trials.cases:
        facts = over(trials.given, case.facts)
        ruling = program.ruling(facts)
        fired.update(ruling.trace)
        different = _differences(case.expect, ruling)
        if engine is not None and not ruling.degraded:  # what fails here is silent there
            different |= _native_differences(engine, program, facts, ruling)
        results.append(CaseResult(case.name, not different, different, ruling.trace))
    rows = [rule.id for rule in program.graph.rules]
    rows += [row.id for table in program.graph.tables.values() for row in table]
    return TrialReport(tuple(results), tuple(row for row in rows if row not in fired))


def _differences(expect: Expectation, ruling: Ruling) -> dict[str, tuple[object, object]]:
    found: dict[str, object] = {
        "outcome": ruling.outcome.word,
        "reason_codes": list(ruling.reason_codes),
        "degraded": list(ruling.degraded),
        "grade": ruling.grade,
        "limit_minor": ruling.limit_minor,
        "price_bps": ruling.price_bps,
        "step_up": ruling.step_up,
    }
    always = {"outcome", "reason_codes", "degraded"}
    expected = {
        name: value
        for name, value in expect.model_dump().items()
        if name in always or name in expect.model_fields_set
    }
    return {name: (value, found[name]) for name, value in expected.items() if value != found[name]}


def _native_differences(
    engine: "zen.ZenEngine", program: Program, facts: Facts, ruling: Ruling
) -> dict[str, tuple[object, object]]:
    try:
        native = engine.evaluate("policy", program.selected(facts))["result"]
    except Exception as error:  # the engine's own errors have no common base
        return {"zen-engine": ("a result", type(error).__name__)}
    wanted = [
        {"outcome": rule.outcome.word, "reason": rule.reason}
        for rule in program.graph.rules
        if rule.id in ruling.trace
    ]
    different: dict[str, tuple[object, object]] = {}
    if native.get(FINDINGS) != wanted:
        different["zen-engine"] = (wanted, native.get(FINDINGS))
    if ruling.outcome.word == "decline" or RULE_FAILED in ruling.reason_codes:
        return different
    answers: dict[Answer, object] = {
        "limit_minor": ruling.limit_minor,
        "price_bps": ruling.price_bps,
        "step_up": ruling.step_up,
    }
    for name, value in answers.items():
        found = native.get(name)
        same = int(found) if isinstance(found, float) else found
        if name in program.graph.tables and name != GRADE and same != value:
            different[f"zen-engine {name}"] = (value, found)
    return different
