"""What a version holds, from a request or from the table, as a program that can rule."""

import json
from collections.abc import Mapping
from typing import Any, cast

from services.risk.policies import trials
from services.risk.policies.domain import PolicyRefused, Product
from services.risk.policies.graphs import with_thresholds
from services.risk.policies.programs import Program
from services.risk.policies.repository import VersionRow
from shared.contracts.http import risk_policies as contract
from shared.kit.problems import InvalidRequest


def content_of(
    base: VersionRow, body: contract.WritePolicy
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Graph and tests of a draft: those of `base` with what `body` changes.

    Raises InvalidRequest with the field at fault.
    """
    graph = base.graph if body.graph is None else body.graph
    tests = base.tests if body.tests is None else body.tests
    _check_size(graph, field="graph")
    _check_size(tests, field="tests")
    if body.thresholds:
        try:
            graph = with_thresholds(graph, body.thresholds)
        except PolicyRefused as error:
            raise InvalidRequest(field=error.field, expected=error.expected) from None
        except (KeyError, TypeError):
            raise InvalidRequest(field="graph", expected="a graph in JDM") from None
    return graph, tests


def _check_size(content: Mapping[str, Any], *, field: str) -> None:
    most = contract.MAX_CONTENT_BYTES
    try:
        size = len(json.dumps(content, ensure_ascii=False, allow_nan=False).encode())
    except (ValueError, RecursionError):  # NaN is no JSON, and the database takes no other
        size = most + 1
    if size > most:
        raise InvalidRequest(field=field, expected=f"at most {most} bytes of plain JSON")


def read(row: VersionRow) -> tuple[Program, trials.Trials]:
    """The version ready to rule, and its tests. Raises InvalidRequest with the field at fault."""
    try:
        product = cast("Product", row.product)  # the table allows no other
        program = Program(product=product, version=row.version, graph=row.graph)
        return program, trials.trials_of(row.tests, program=program)
    except PolicyRefused as error:
        raise InvalidRequest(field=error.field, expected=error.expected) from None
