"""Writes each kind of model as ONNX: inputs as a manifest lists them, 32 bits, NaN for missing.

Output `probabilities` (n, 2) as all models here; where the score is a sum over inputs, a second
output `contributions` (n, inputs) has each one's exact share of the log odds, or of the points.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from services.risk.scorecards import DOUBLE, Characteristic
from services.risk.scoring import INPUT_NAME, OUTPUT_NAME
from services.risk.training.additive import (
    IR_VERSION,
    ML_OPSET,
    OPSET,
    SHARES_NAME,
    tree_attributes,
)
from services.risk.training.lab.families import CardFitted, Floats, LinearFitted, Rows, TreesFitted
from services.risk.training.lab.validation import Chosen, sigmoid

_FACTOR: Final = DOUBLE / math.log(2)
_MOST_POINTS: Final = 9_999
#: Operator, inputs, output and attributes.
_Step = tuple[str, list[str], str, dict[str, Any]]


class Points:
    """A scorecard in whole points, as the service reads one."""

    def __init__(self, base: int, characteristics: Sequence[Characteristic]) -> None:
        self.base, self.characteristics = base, characteristics


def pointed(chosen: Chosen) -> Points:
    """The card of a fitted one, its calibration within its points."""
    card = chosen.fitted
    if not isinstance(card, CardFitted):
        raise TypeError("only a scorecard has points")
    levels = dict(zip(card.inputs.names, card.inputs.levels, strict=True))
    found = []
    for bins, weight in zip(card.fitted.bins, card.fitted.weights, strict=True):
        by_bin = [_points(chosen.slope * float(weight * woe)) for woe in bins.woe]
        if not levels[bins.name]:
            edges, points, missing = list(bins.edges), by_bin[:-1], by_bin[-1]
        else:
            # each code is a bin; a word that the fit did not see has the points of none
            known = {word: place for place, group in enumerate(bins.groups) for word in group}
            unseen = len(bins.groups)
            codes = range(levels[bins.name])
            edges = [code - 0.5 for code in codes if code]
            points = [by_bin[known.get(str(code), unseen)] for code in codes]
            missing = by_bin[known.get("", unseen)]
        found.append(Characteristic(name=bins.name, edges=edges, points=points, missing=missing))
    base = _points(chosen.slope * card.fitted.intercept + chosen.intercept)
    return Points(base, found)


def _points(log_odds: float) -> int:
    return max(-_MOST_POINTS, min(_MOST_POINTS, round(log_odds * _FACTOR)))


def card_scores(card: Points, names: Sequence[str], rows: Rows) -> Floats:
    """What the points of each row of an (n, inputs) array stand for."""
    total = np.full(len(rows), float(card.base))
    for one in card.characteristics:
        values = rows[:, names.index(one.name)].astype(np.float64)
        places = np.searchsorted(np.asarray(one.edges), values, side="right")
        points = np.asarray(one.points, dtype=np.float64)[np.minimum(places, len(one.points) - 1)]
        total += np.where(np.isnan(values), one.missing, points)
    return sigmoid(total / _FACTOR)


def card_onnx(card: Points, names: Sequence[str]) -> bytes:
    """A tree for each characteristic; what they add up to are points, so no sum is rounded."""
    found: dict[str, Any] = {}
    for tree, one in enumerate(card.characteristics):
        _add_tree(found, tree, names.index(one.name), one)
    ensemble = helper.make_node(
        "TreeEnsembleRegressor", [INPUT_NAME], [SHARES_NAME], domain="ai.onnx.ml",
        n_targets=len(names), post_transform="NONE", aggregate_function="SUM", **found,
    )  # fmt: skip
    nodes = [
        ensemble,
        helper.make_node("ReduceSum", [SHARES_NAME, "axis"], ["sum"], keepdims=1),
        helper.make_node("Add", ["sum", "base"], ["points"]),
        helper.make_node("Mul", ["points", "per_point"], ["log_odds"]),
    ]
    held = [
        _tensor("axis", [1], np.int64),
        _tensor("base", [card.base], np.float32),
        _tensor("per_point", [1 / _FACTOR], np.float32),
    ]
    return _written("scorecard", nodes, held, len(names), with_shares=True)


def _add_tree(found: dict[str, Any], tree: int, place: int, one: Characteristic) -> None:
    """A missing value goes one way at the root; the others pass the edges from the lowest up."""
    leaves = [one.missing, *one.points]
    # every number is at least minus infinity, and a missing one is told by its own mark
    edges = [-math.inf, *(_up(edge) for edge in one.edges)]
    branches = len(edges)
    for number in range(branches):
        last = number == branches - 1
        _add_node(
            found, tree, number, place, "BRANCH_LT", edges[number],
            yes=branches + number, no=branches + number + 1 if last else number + 1,
            missing=int(number == 0),
        )  # fmt: skip
    for number, points in enumerate(leaves):
        _add_node(found, tree, branches + number, 0, "LEAF", 0.0, yes=0, no=0, missing=0)
        for name, value in (
            ("target_treeids", tree),
            ("target_nodeids", branches + number),
            ("target_ids", place),
            ("target_weights", float(points)),
        ):
            found.setdefault(name, []).append(value)


def _add_node(
    found: dict[str, Any],
    tree: int,
    number: int,
    place: int,
    mode: str,
    edge: float,
    *,
    yes: int,
    no: int,
    missing: int,
) -> None:
    for name, value in (
        ("nodes_treeids", tree),
        ("nodes_nodeids", number),
        ("nodes_featureids", place),
        ("nodes_modes", mode),
        ("nodes_values", edge),
        ("nodes_truenodeids", yes),
        ("nodes_falsenodeids", no),
        ("nodes_missing_value_tracks_true", missing),
    ):
        found.setdefault(name, []).append(value)


def _up(edge: float) -> float:
    """In 32 bits and never below: a value from the edge on is in the bin after it."""
    short = np.float32(edge)
    if float(short) < edge:  # numpy would round the edge before it compares
        short = np.nextafter(short, np.float32(np.inf))
    return float(short)


def trees_onnx(chosen: Chosen, width: int) -> bytes:
    """The trees with the calibration within their leaves."""
    fitted = chosen.fitted
    if not isinstance(fitted, TreesFitted):
        raise TypeError("only boosted trees are trees")
    start = float(np.ravel(fitted.classifier._baseline_prediction)[0])  # noqa: SLF001
    additive = fitted.is_additive
    sums = SHARES_NAME if additive else "sum"
    nodes = [
        helper.make_node(
            "TreeEnsembleRegressor", [INPUT_NAME], [sums], domain="ai.onnx.ml",
            n_targets=width if additive else 1, post_transform="NONE", aggregate_function="SUM",
            **tree_attributes(fitted.classifier, by_input=additive, scale=chosen.slope),
        )
    ]  # fmt: skip
    held = [_tensor("base", [chosen.slope * start + chosen.intercept], np.float32)]
    if additive:
        nodes.append(helper.make_node("ReduceSum", [SHARES_NAME, "axis"], ["sum"], keepdims=1))
        held.append(_tensor("axis", [1], np.int64))
    nodes.append(helper.make_node("Add", ["sum", "base"], ["log_odds"]))
    name = "additive" if additive else "boosted"
    return _written(name, nodes, held, width, with_shares=additive)


def linear_onnx(chosen: Chosen, width: int) -> bytes:
    """In 64 bits within: a sum of many terms in 32 differs between one row and a batch."""
    linear = chosen.fitted
    if not isinstance(linear, LinearFitted):
        raise TypeError("only a logistic regression is linear")
    nodes = [helper.make_node("Cast", [INPUT_NAME], ["wide"], to=TensorProto.DOUBLE)]
    held = [
        _tensor("base", [chosen.slope * linear.intercept + chosen.intercept], np.float64),
    ]
    weights = linear.weights * chosen.slope
    sums = [
        part(linear, weights, nodes, held)
        for part, count in (
            (_number_terms, len(linear.design.numbers)),
            (_gap_terms, len(linear.design.gaps)),
            (_level_terms, len(linear.design.words)),
        )
        if count
    ]
    nodes.append(helper.make_node("Sum", [*sums, "base"], ["exact"]))
    nodes.append(helper.make_node("Cast", ["exact"], ["log_odds"], to=TensorProto.FLOAT))
    return _written("logistic", nodes, held, width, with_shares=False)


def _number_terms(
    linear: LinearFitted, weights: Floats, nodes: list[NodeProto], held: list[TensorProto]
) -> str:
    design = linear.design
    is_shaped = design.scale > 0
    held += [
        _tensor("numbers", design.numbers, np.int64),
        _tensor("low", design.low, np.float64),
        _tensor("high", design.high, np.float64),
        _tensor("scale", np.abs(design.scale), np.float64),
        _tensor("is_shaped", is_shaped, np.bool_),
        _tensor("mean", design.mean, np.float64),
        _tensor("deviation", design.deviation, np.float64),
        _tensor("one_wide", [1.0], np.float64),
        _tensor("zero", [0.0], np.float64),
        _tensor("number_weights", weights[: len(design.numbers), None], np.float64),
    ]
    steps: list[_Step] = [
        ("Gather", ["wide", "numbers"], "taken", {"axis": 1}),
        ("IsNaN", ["taken"], "is_gone", {}),
        ("Where", ["is_gone", "mean", "taken"], "there", {}),
        ("Max", ["there", "low"], "raised", {}),
        ("Min", ["raised", "high"], "plain", {}),
        ("Abs", ["plain"], "size", {}),
        ("Div", ["size", "scale"], "relative", {}),
        ("Add", ["relative", "one_wide"], "above_one", {}),
        ("Log", ["above_one"], "logarithm", {}),
        ("Sign", ["plain"], "sign", {}),
        ("Mul", ["sign", "logarithm"], "signed", {}),
        ("Where", ["is_shaped", "signed", "plain"], "shaped", {}),
        ("Sub", ["shaped", "mean"], "centred", {}),
        ("Div", ["centred", "deviation"], "standing", {}),
        ("Where", ["is_gone", "zero", "standing"], "terms", {}),
        ("MatMul", ["terms", "number_weights"], "of_numbers", {}),
    ]
    nodes += [helper.make_node(kind, of, [to], **how) for kind, of, to, how in steps]
    return "of_numbers"


def _gap_terms(
    linear: LinearFitted, weights: Floats, nodes: list[NodeProto], held: list[TensorProto]
) -> str:
    design = linear.design
    first = len(design.numbers)
    held += [
        _tensor("gaps", design.gaps, np.int64),
        _tensor("gap_weights", weights[first : first + len(design.gaps), None], np.float64),
    ]
    steps: list[_Step] = [
        ("Gather", ["wide", "gaps"], "with_gaps", {"axis": 1}),
        ("IsNaN", ["with_gaps"], "gap", {}),
        ("Cast", ["gap"], "gap_terms", {"to": TensorProto.DOUBLE}),
        ("MatMul", ["gap_terms", "gap_weights"], "of_gaps", {}),
    ]
    nodes += [helper.make_node(kind, of, [to], **how) for kind, of, to, how in steps]
    return "of_gaps"


def _level_terms(
    linear: LinearFitted, weights: Floats, nodes: list[NodeProto], held: list[TensorProto]
) -> str:
    design = linear.design
    held += [
        _tensor("words", design.words, np.int64),
        _tensor("codes", design.codes, np.float64),
        _tensor("level_weights", weights[-len(design.words) :, None], np.float64),
    ]
    steps: list[_Step] = [
        ("Gather", ["wide", "words"], "worded", {"axis": 1}),
        ("Equal", ["worded", "codes"], "level", {}),
        ("Cast", ["level"], "level_terms", {"to": TensorProto.DOUBLE}),
        ("MatMul", ["level_terms", "level_weights"], "of_levels", {}),
    ]
    nodes += [helper.make_node(kind, of, [to], **how) for kind, of, to, how in steps]
    return "of_levels"


def _tensor(name: str, values: Any, kind: Any) -> TensorProto:
    return numpy_helper.from_array(np.ascontiguousarray(values, dtype=kind), name)


def _written(
    name: str, nodes: list[NodeProto], held: list[TensorProto], width: int, *, with_shares: bool
) -> bytes:
    """The file: from `log_odds` (n, 1) on, all models end alike."""
    nodes = [
        *nodes,
        helper.make_node("Sigmoid", ["log_odds"], ["bad"]),
        helper.make_node("Sub", ["one", "bad"], ["good"]),
        helper.make_node("Concat", ["good", "bad"], [OUTPUT_NAME], axis=1),
    ]
    outputs = [(OUTPUT_NAME, 2), *([(SHARES_NAME, width)] if with_shares else [])]
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(INPUT_NAME, TensorProto.FLOAT, ["n", width])],
        [helper.make_tensor_value_info(to, TensorProto.FLOAT, ["n", n]) for to, n in outputs],
        initializer=[*held, _tensor("one", [1.0], np.float32)],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    proto = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    onnx.checker.check_model(proto)
    return bytes(proto.SerializeToString(deterministic=True))
