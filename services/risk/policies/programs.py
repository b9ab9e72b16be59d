"""A policy ready to rule: its graph compiled into one expression, evaluated once a decision.

zen's own decision tables take a cell that cannot be evaluated for one that does not hold, so a
broken rule would be silent. Here every condition has to give true or false. Where one does not,
the rules are asked one by one: the broken ones are named, the others count as ever.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, cast

import zen

from services.risk.domain import Outcome
from services.risk.policies.conditions import plain
from services.risk.policies.domain import (
    ANSWERS,
    GRADE,
    MAX_LIMIT_MINOR,
    MAX_PRICE_BPS,
    OFFER,
    Answer,
    Product,
    Ruling,
)
from services.risk.policies.facts import Facts, Selection, source_of
from services.risk.policies.graphs import Graph, Row, graph_of, reads_of
from services.risk.policies.reasons import NEVER_APPROVED, RULE_FAILED

#: Index of the row that counted and its value; None where no row did.
_Hit: TypeAlias = Sequence[Any] | None


class Program:
    """One version of one product's policy. `ruling` never raises on any facts."""

    def __init__(self, *, product: Product, version: str, graph: Mapping[str, Any]) -> None:
        """Raises PolicyRefused where the graph is not one that may decide."""
        self.product = product
        self.version = version
        self.label = f"{product}-{version}"
        self.graph: Graph = graph_of(graph, product=product)
        #: Of the graph as it stands: what a decision was made by, whatever its label says.
        self.sha256 = content_sha256(graph)
        #: The outside sources that have to be asked before this policy rules.
        self.needs = frozenset(
            source for name in self.graph.reads if (source := source_of(name)) is not None
        )
        self._selection = Selection(self.graph.reads)
        self._conditions = [_boolean(rule.when.text) for rule in self.graph.rules]
        tables = self.graph.tables
        self._answers: tuple[Answer, ...] = tuple(
            name for name in ANSWERS[product] if name in tables and name != GRADE
        )
        self._chains = {name: _chain(rows) for name, rows in tables.items()}
        self._grade = zen.compile_expression(self._chains[GRADE]) if GRADE in tables else None
        parts = [_listed(self._conditions), *(self._chains[name] for name in self._answers)]
        self._whole = zen.compile_expression(_listed(parts))
        #: The same conditions in Python, where they are plain and all that there is.
        self._plain = None if tables else plain([rule.when.text for rule in self.graph.rules])
        #: What most requests get: no rule fired, and there is nothing more to answer.
        self._nothing_fired = [False] * len(self._conditions)
        self._approved = self._ruling(Outcome.APPROVE, [], [], [], {})

    def ruling(self, facts: Facts) -> Ruling:
        """What the policy says to these facts; a missing fact is null, and so is NaN.

        Whatever it says, what was not decided in time, or knew too little, is not approved.
        """
        ruling = self._ruled(facts)
        degraded = facts.get("degraded")
        if not degraded or not isinstance(degraded, list):
            return ruling
        forced = [it for it in degraded if isinstance(it, str) and it in NEVER_APPROVED]
        if not forced:
            return ruling
        return replace(
            ruling,
            outcome=max(ruling.outcome, Outcome.REVIEW),
            reason_codes=tuple(dict.fromkeys((*ruling.reason_codes, *forced))),
        )

    def _ruled(self, facts: Facts) -> Ruling:
        failed: list[str] = []
        if self._plain is not None:
            try:
                held = self._plain(facts)
            except Exception:  # a fact that is missing or strange: the engine is asked
                held = None
            if held is not None:
                if held == self._nothing_fired:
                    return self._approved
                return self._assembled(held, {}, None, failed)
        grade: _Hit = None
        try:
            context = self._selection.of(facts)
            if self._grade is not None:
                context[GRADE] = None
                grade = self._grade.evaluate(context)
                context[GRADE] = grade[1] if grade else None
            holds, *hits = self._whole.evaluate(context)
            if holds == self._nothing_fired and not self._chains:
                return self._approved
            answers = dict(zip(self._answers, hits, strict=True))
        except Exception:  # whatever the engine or a fact raises
            holds, answers, grade = self._one_by_one(facts, failed)
        return self._assembled(holds, answers, grade, failed)

    def price_of(self, grade: str | None) -> int | None:
        """The yearly rate of a grade: all that a price may depend on. None without one."""
        if "price_bps" not in self._chains:
            return None
        hit = _alone(self._chains["price_bps"], frozenset(), {}, {GRADE: grade})
        return None if hit is None else cast("int | None", _value("price_bps", hit[1]))

    def selected(self, facts: Facts) -> dict[str, Any]:
        """The facts that this policy reads, as the engine gets them."""
        return self._selection.of(facts)

    def _one_by_one(
        self, facts: Facts, failed: list[str]
    ) -> tuple[list[bool | None], dict[Answer, _Hit], _Hit]:
        """Each rule and table alone, with its own facts: what fails leaves the others."""
        hits: dict[Answer, _Hit] = {}
        grade: _Hit = None
        for name in (GRADE, *self._answers):
            if name not in self._chains:
                continue
            of_grade: dict[str, Any] = {GRADE: grade[1] if grade else None}
            try:
                reads = reads_of(self.graph.tables[name])
                hit = _alone(self._chains[name], reads, facts, of_grade)
            except Exception:  # a table fails as a whole: its first row is not known
                failed.append(name)
                hit = None
            if name == GRADE:
                grade = hit
            else:
                hits[name] = hit
        of_grade = {GRADE: grade[1] if grade else None}
        holds = [
            _holds(condition, rule.when.reads, facts, of_grade)
            for condition, rule in zip(self._conditions, self.graph.rules, strict=True)
        ]
        return holds, hits, grade

    def _assembled(
        self,
        holds: Sequence[bool | None],
        hits: Mapping[Answer, _Hit],
        grade: _Hit,
        failed: list[str],
    ) -> Ruling:
        outcome = Outcome.APPROVE
        codes: list[str] = []
        trace: list[str] = []
        broken: list[str] = []
        for rule, held in zip(self.graph.rules, holds, strict=True):
            if held is False:
                continue
            if held is True:
                outcome = max(outcome, rule.outcome)
                codes.append(rule.reason)
                trace.append(rule.id)
            else:
                outcome = max(outcome, Outcome.REVIEW)
                codes.append(RULE_FAILED)
                broken.append(rule.id)
        if not self.graph.tables:
            return self._ruling(outcome, codes, trace, broken, {})
        values: dict[Answer, Any] = {}
        for name, hit in ((GRADE, grade), *hits.items()):
            if hit is not None:
                row = self.graph.tables[name][int(hit[0])]
                values[name] = _value(name, hit[1])
                trace.append(row.id)
                if values[name] is None:
                    failed.append(name)
        if outcome is not Outcome.DECLINE:
            missing = [name for name in OFFER[self.product] if values.get(name) is None]
            failed += [name for name in missing if name not in failed]
        if failed:
            outcome = max(outcome, Outcome.REVIEW)
            codes.append(RULE_FAILED)
        return self._ruling(outcome, codes, trace, broken + failed, values)

    def _ruling(
        self,
        outcome: Outcome,
        codes: list[str],
        trace: list[str],
        broken: list[str],
        values: Mapping[Answer, Any],
    ) -> Ruling:
        # what is declined is offered nothing
        offered: Mapping[Answer, Any] = {} if outcome is Outcome.DECLINE else values
        return Ruling(
            outcome=outcome,
            reason_codes=tuple(dict.fromkeys(codes)),
            policy=self.label,
            trace=tuple(trace),
            degraded=tuple(f"rule_failed.{name}" for name in dict.fromkeys(broken)),
            grade=values.get(GRADE),
            limit_minor=offered.get("limit_minor"),
            price_bps=offered.get("price_bps"),
            step_up=offered.get("step_up"),
        )


def content_sha256(graph: Mapping[str, Any]) -> bytes:
    """The SHA-256 of a graph in one canonical writing."""
    written = json.dumps(graph, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(written.encode()).digest()


def _listed(parts: Sequence[str]) -> str:
    return f"[{', '.join(parts)}]"


def _boolean(text: str) -> str:
    """A condition that fails where it gives neither true nor false: `null` is no answer."""
    return f"(({text}) and true)"


def _alone(text: str, reads: frozenset[str], facts: Facts, of_grade: dict[str, Any]) -> Any:
    context = Selection(reads).of(facts) | of_grade
    return zen.compile_expression(text).evaluate(context)


def _holds(
    condition: str, reads: frozenset[str], facts: Facts, of_grade: dict[str, Any]
) -> bool | None:
    """Whether one condition holds; None where it cannot be evaluated."""
    try:
        found = _alone(condition, reads, facts, of_grade)
    except Exception:  # this rule alone has failed
        return None
    return found if isinstance(found, bool) else None


def _chain(rows: tuple[Row, ...]) -> str:
    """One expression for the first row that holds: its index and value."""
    text = "null"
    for i, row in reversed(list(enumerate(rows))):
        found = f"[{i}, {row.value.text}]"
        text = found if row.when is None else f"({row.when.text} ? {found} : {text})"
    return text


def _value(name: Answer, value: object) -> Any:
    """The answer within its bounds; None where it is not one."""
    if name not in {"limit_minor", "price_bps"}:
        return value if isinstance(value, str) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    most = MAX_LIMIT_MINOR if name == "limit_minor" else MAX_PRICE_BPS
    return int(value) if 0 <= value <= most else None
