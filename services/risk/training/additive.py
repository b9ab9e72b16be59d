"""Boosted trees of one input each: as many points as trees, and a score that is a plain sum.

Without interactions every tree splits on one input alone, so the trees of an input are one curve,
and its value is that input's exact share of the log odds. Written as one ONNX tree ensemble with a
target for each input: the shares cost no more than the score (Lou, Caruana, Gehrke, 2012; the
same values as TreeSHAP's).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from services.risk.scoring import INPUT_NAME, OUTPUT_NAME

SHARES_NAME = "contributions"
#: `ai.onnx.ml` 3 has the tree ensembles of today's onnxruntime; 17 is the opset of `export`.
OPSET, ML_OPSET, IR_VERSION = 17, 3, 8


@dataclass(frozen=True, slots=True)
class Additive:
    """The fitted trees, each with its one input."""

    classifier: HistGradientBoostingClassifier
    width: int

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """The probability of each row of an (n, width) array."""
        with threadpool_limits(limits=1):
            return np.asarray(self.classifier.predict_proba(features)[:, 1], dtype=np.float64)


def fit(
    features: NDArray[np.float32],
    truth: NDArray[np.bool_],
    *,
    directions: Sequence[int] | None = None,
    rounds: int = 250,
    learning_rate: float = 0.06,
    leaves: int = 5,
    least: int = 60,
) -> Additive:
    """Fitted on one thread; the same rows give the same trees.

    `directions` has for each input 1 where the score may only rise with it, -1 where it may only
    fall, else 0.
    """
    classifier = HistGradientBoostingClassifier(
        interaction_cst="no_interactions",
        monotonic_cst=None if directions is None else list(directions),
        learning_rate=learning_rate,
        max_iter=rounds,
        max_leaf_nodes=leaves,
        min_samples_leaf=least,
        l2_regularization=5.0,
        early_stopping=False,
        random_state=0,
    )
    with threadpool_limits(limits=1):
        classifier.fit(features, truth)
    return Additive(classifier, features.shape[1])


def to_onnx(model: Additive, *, name: str) -> bytes:
    """Input `features` (n, width) float32; outputs `probabilities` (n, 2) and `contributions`
    (n, width), the shares of the log odds, to which the intercept comes.
    """
    intercept = float(np.ravel(model.classifier._baseline_prediction)[0])  # noqa: SLF001
    ensemble = helper.make_node(
        "TreeEnsembleRegressor",
        [INPUT_NAME],
        [SHARES_NAME],
        domain="ai.onnx.ml",
        n_targets=model.width,
        post_transform="NONE",
        aggregate_function="SUM",
        **tree_attributes(model.classifier),
    )
    nodes = [
        ensemble,
        helper.make_node("ReduceSum", [SHARES_NAME, "axis"], ["sum"], keepdims=1),
        helper.make_node("Add", ["sum", "intercept"], ["log_odds"]),
        helper.make_node("Sigmoid", ["log_odds"], ["bad"]),
        helper.make_node("Sub", ["one", "bad"], ["good"]),
        helper.make_node("Concat", ["good", "bad"], [OUTPUT_NAME], axis=1),
    ]
    rows = "n"
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(INPUT_NAME, TensorProto.FLOAT, [rows, model.width])],
        [
            helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, [rows, 2]),
            helper.make_tensor_value_info(SHARES_NAME, TensorProto.FLOAT, [rows, model.width]),
        ],
        initializer=[
            helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
            helper.make_tensor("intercept", TensorProto.FLOAT, [1], [intercept]),
            helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0]),
        ],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    proto = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    onnx.checker.check_model(proto)
    return bytes(proto.SerializeToString(deterministic=True))


def tree_attributes(
    classifier: HistGradientBoostingClassifier, *, by_input: bool = True, scale: float = 1.0
) -> dict[str, Any]:
    """The attributes of all trees; a leaf adds its value times `scale` to the target of its tree's
    input, or where trees have many inputs, not `by_input`, to the only target.
    """
    found: dict[str, list[Any]] = {name: [] for name in _ATTRIBUTES}
    for tree, [predictor] in enumerate(classifier._predictors):  # noqa: SLF001
        nodes = predictor.nodes
        # a tree without a split is a leaf: it belongs to no input, so any may have it
        target = int(nodes["feature_idx"][0]) if by_input else 0
        for place, node in enumerate(nodes):
            is_leaf = bool(node["is_leaf"])
            found["nodes_treeids"].append(tree)
            found["nodes_nodeids"].append(place)
            found["nodes_featureids"].append(0 if is_leaf else int(node["feature_idx"]))
            found["nodes_modes"].append("LEAF" if is_leaf else "BRANCH_LEQ")
            found["nodes_values"].append(0.0 if is_leaf else _down(float(node["num_threshold"])))
            found["nodes_truenodeids"].append(0 if is_leaf else int(node["left"]))
            found["nodes_falsenodeids"].append(0 if is_leaf else int(node["right"]))
            to_left = not is_leaf and bool(node["missing_go_to_left"])
            found["nodes_missing_value_tracks_true"].append(int(to_left))
            if is_leaf:
                found["target_treeids"].append(tree)
                found["target_nodeids"].append(place)
                found["target_ids"].append(target)
                found["target_weights"].append(float(node["value"]) * scale)
    return found


_ATTRIBUTES = (
    "nodes_treeids",
    "nodes_nodeids",
    "nodes_featureids",
    "nodes_modes",
    "nodes_values",
    "nodes_truenodeids",
    "nodes_falsenodeids",
    "nodes_missing_value_tracks_true",
    "target_treeids",
    "target_nodeids",
    "target_ids",
    "target_weights",
)


def _down(threshold: float) -> float:
    """In 32 bits and never above: rounding up would let the next value through."""
    short = np.float32(threshold)
    if float(short) > threshold:  # numpy would round the threshold before it compares
        short = np.nextafter(short, np.float32(-np.inf))
    return float(short)
