"""A policy's graph as it decides: its thresholds and tables, each checked. Pure.

The rules are one table that collects: each row a condition, an outcome and a reason. The others
take their first row: grade, limit, price, further proof. The price may read the grade alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from services.risk.domain import Outcome
from services.risk.policies import jdm
from services.risk.policies.domain import ANSWERS, GRADE, OFFER, Answer, PolicyRefused, Product
from services.risk.policies.expressions import (
    Expression,
    expression,
    is_number_literal,
    text_literal,
)
from services.risk.policies.facts import is_fact
from services.risk.policies.reasons import REASONS

#: Where the table of rules leaves its findings for whoever runs the graph elsewhere.
FINDINGS = "findings"
_OUTCOMES = {"review": Outcome.REVIEW, "decline": Outcome.DECLINE}

Kind = Literal["rules"] | Answer
_RULES_OUT = {"outcome", "reason"}


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the rules: where `when` holds, the outcome is at least `outcome`."""

    id: str
    when: Expression
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table whose first row counts; no `when` is always."""

    id: str
    when: Expression | None
    value: Expression


@dataclass(frozen=True, slots=True)
class Graph:
    rules: tuple[Rule, ...]
    tables: Mapping[Answer, tuple[Row, ...]]
    thresholds: Mapping[str, str]
    reads: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where a table stands, and what its expressions may name."""

    product: Product
    thresholds: Mapping[str, str]
    field: str

    def read(self, text: str, *, column: str, kind: Kind) -> Expression:
        names_grade = kind not in {"rules", GRADE}  # the grade's own table comes before it

        def known(name: str) -> bool:
            if name == GRADE:
                return names_grade or (kind == "rules" and GRADE in ANSWERS[self.product])
            return kind != "price_bps" and is_fact(name, product=self.product)

        field = f"{self.field}.{column}"
        try:
            return expression(text, field=field, thresholds=self.thresholds, is_fact=known)
        except PolicyRefused as error:
            if kind == "price_bps" and "neither" in error.expected:
                words = "the grade alone: a price follows the risk grade and nothing else"
                raise PolicyRefused(field, words) from None
            raise


def graph_of(content: Mapping[str, Any], *, product: Product) -> Graph:
    """Reads and checks a JDM graph. Raises PolicyRefused with the field at fault."""
    parts = jdm.parse(content)
    thresholds = _thresholds(parts, product)
    rules: tuple[Rule, ...] = ()
    tables: dict[Answer, tuple[Row, ...]] = {}
    ids: set[str] = set()
    for i, node in enumerate(parts.nodes):
        if not isinstance(node, jdm.TableNode):
            continue
        scope = _Scope(product, thresholds, f"graph.nodes.{i}.content")
        kind = _kind(node.content, scope)
        if kind in tables or (kind == "rules" and rules):
            raise PolicyRefused(f"graph.nodes.{i}", f"one table of {kind}")
        _check_ids(node.content, scope, ids)
        if kind == "rules":
            rules = _rules(node.content, scope)
        else:
            tables[kind] = _rows(node.content, scope, kind)
    if not rules:
        raise PolicyRefused("graph.nodes", "a table of rules with outcome and reason")
    for answer in OFFER[product]:
        if answer not in tables:
            raise PolicyRefused("graph.nodes", f"a table of {answer}")
    reads = frozenset[str]().union(*(rule.when.reads for rule in rules))
    reads = reads.union(*(reads_of(rows) for rows in tables.values()))
    return Graph(rules, tables, thresholds, reads)


def _check_ids(table: jdm.TableContent, scope: _Scope, taken: set[str]) -> None:
    for j, row in enumerate(table.rules):
        row_id = row.get("_id", "")
        if not _is_id(row_id) or row_id in taken:
            raise PolicyRefused(f"{scope.field}.rules.{j}._id", "an id of its own in the graph")
        taken.add(row_id)


def reads_of(rows: tuple[Row, ...]) -> frozenset[str]:
    """The facts that a table reads."""
    parts = [part for row in rows for part in (row.when, row.value) if part is not None]
    return frozenset[str]().union(*(part.reads for part in parts))


def with_thresholds(
    content: Mapping[str, Any], changes: Mapping[str, float | str]
) -> dict[str, Any]:
    """The graph with other thresholds. Raises PolicyRefused for one that it does not have."""
    nodes = []
    left = dict(changes)
    for node in content["nodes"]:
        if node["type"] != "expressionNode":
            nodes.append(node)
            continue
        expressions = [
            {**one, "value": str(left.pop(one["key"]))} if one["key"] in left else one
            for one in node["content"]["expressions"]
        ]
        nodes.append({**node, "content": {**node["content"], "expressions": expressions}})
    for name in left:
        raise PolicyRefused(f"thresholds.{name}", "a threshold that the policy has")
    return {**content, "nodes": nodes}


def _thresholds(parts: jdm.Jdm, product: Product) -> dict[str, str]:
    """Name to a number, or to the fact that it is taken from."""
    found: dict[str, str] = {}
    for i, node in enumerate(parts.nodes):
        if not isinstance(node, jdm.ExpressionNode):
            continue
        for j, one in enumerate(node.content.expressions):
            field = f"graph.nodes.{i}.content.expressions.{j}"
            value = one.value.strip()
            if one.key in found or one.key == GRADE or is_fact(one.key, product=product):
                raise PolicyRefused(f"{field}.key", "a name of its own, and no fact's")
            if not is_number_literal(value) and not is_fact(value, product=product):
                raise PolicyRefused(f"{field}.value", "a number, or the name of a fact")
            found[one.key] = value
    return found


def _kind(table: jdm.TableContent, scope: _Scope) -> Kind:
    fields = {column.field or "" for column in table.outputs}
    if any(column.field for column in table.inputs):
        raise PolicyRefused(
            f"{scope.field}.inputs", "columns without a field: each cell is a whole condition"
        )
    if fields == _RULES_OUT:
        if table.hit_policy != "collect" or table.output_path != FINDINGS or table.pass_through:
            words = f"rules that collect into the path {FINDINGS} and pass nothing through"
            raise PolicyRefused(scope.field, words)
        return "rules"
    if len(fields) != 1 or not fields <= set(get_args(Answer)):
        raise PolicyRefused(f"{scope.field}.outputs", "outcome and reason, or one other answer")
    kind = cast("Answer", next(iter(fields)))
    if kind not in ANSWERS[scope.product]:
        raise PolicyRefused(f"{scope.field}.outputs", f"no {kind}: this product has none")
    if table.hit_policy != "first" or table.output_path is not None:
        raise PolicyRefused(scope.field, "a table whose first row counts, without an output path")
    return kind


def _rules(table: jdm.TableContent, scope: _Scope) -> tuple[Rule, ...]:
    columns = {column.field: column.id for column in table.outputs}
    found = []
    for j, row in enumerate(table.rules):
        field = f"{scope.field}.rules.{j}"
        when = _when(table, row, scope, j, "rules")
        if when is None:
            raise PolicyRefused(f"{field}.{table.inputs[0].id}", "a condition")
        outcome = _OUTCOMES.get(text_literal(row.get(columns["outcome"], "")) or "")
        if outcome is None:
            raise PolicyRefused(f"{field}.{columns['outcome']}", '"review" or "decline"')
        reason = text_literal(row.get(columns["reason"], ""))
        if reason is None or reason not in REASONS:
            raise PolicyRefused(f"{field}.{columns['reason']}", "the code of a known reason")
        found.append(Rule(row["_id"], when, outcome, reason))
    return tuple(found)


def _rows(table: jdm.TableContent, scope: _Scope, kind: Answer) -> tuple[Row, ...]:
    column = table.outputs[0].id
    found = []
    for j, row in enumerate(table.rules):
        cell = row.get(column, "")
        field = f"{scope.field}.rules.{j}.{column}"
        if kind in {"grade", "step_up"} and text_literal(cell) is None:
            raise PolicyRefused(field, "a word in quotes")
        if kind == "price_bps" and not (is_number_literal(cell) or cell in scope.thresholds):
            raise PolicyRefused(field, "a number or a threshold")
        value = scope.read(cell, column=f"rules.{j}.{column}", kind=kind)
        found.append(Row(row["_id"], _when(table, row, scope, j, kind), value))
    return tuple(found)


def _when(
    table: jdm.TableContent, row: Mapping[str, str], scope: _Scope, j: int, kind: Kind
) -> Expression | None:
    """All cells of a row hold; an empty one always does."""
    cells = [
        scope.read(row[column.id], column=f"rules.{j}.{column.id}", kind=kind)
        for column in table.inputs
        if row.get(column.id, "").strip()
    ]
    if not cells:
        return None
    text = " and ".join(f"({cell.text})" for cell in cells)
    return Expression(text, frozenset().union(*(cell.reads for cell in cells)))


def _is_id(row_id: str) -> bool:
    return 0 < len(row_id) <= 64 and row_id.replace("_", "").replace("-", "").isalnum()
