"""The kinds of model that the lab fits: what each can be set to, how it is fitted and asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from services.risk.evaluation.report import Text
from services.risk.training import woe

Floats = NDArray[np.float64]
Rows = NDArray[np.float32]
Truth = NDArray[np.bool_]
Setting = Mapping[str, float]

#: A numeric input so skewed is taken by its logarithm, which few far values then do not rule.
SKEWED: Final = 2.0
#: Trees are counted at these sizes on rows aside, and fitted again with the best count.
STEP: Final = 20
MAX_TREES: Final = 400
PATIENCE: Final = 2 * STEP


@dataclass(frozen=True, slots=True)
class Inputs:
    """Which of the inputs hold codes of words; `levels` is how many codes each has, 0 for numbers.

    The code `levels - 1` stands for any other word.
    """

    names: Sequence[str]
    levels: Sequence[int]


class Fitted(Protocol):
    """A model that was fitted: the log of the odds of each row of an (n, inputs) array."""

    def log_odds(self, rows: Rows) -> Floats: ...


class Family(Protocol):
    """`settings` are tried on rows that the fit does not see; the first is the usual one."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> Text: ...
    @property
    def settings(self) -> Sequence[Setting]: ...
    def fit(self, inputs: Inputs, rows: Rows, truth: Truth, setting: Setting) -> Fitted: ...


def words_of(column: NDArray[np.float32]) -> NDArray[np.str_]:
    """Codes as words, a missing one as a word of its own."""
    return np.array(["" if np.isnan(code) else str(int(code)) for code in column])


class CardFitted:
    """Evidence by bins and a weight each."""

    def __init__(self, fitted: woe.Fitted, inputs: Inputs) -> None:
        self.fitted, self.inputs = fitted, inputs

    def columns(self, rows: Rows) -> dict[str, woe.Column]:
        return _card_columns(self.inputs, rows)

    def log_odds(self, rows: Rows) -> Floats:
        return self.fitted.log_odds(self.columns(rows))


def _card_columns(inputs: Inputs, rows: Rows) -> dict[str, woe.Column]:
    found: dict[str, woe.Column] = {}
    for place, (name, levels) in enumerate(zip(inputs.names, inputs.levels, strict=True)):
        column = rows[:, place]
        found[name] = words_of(column) if levels else column.astype(np.float64)
    return found


class Card:
    """The scorecard: bins that only rise or only fall, points that add up."""

    name = "scorecard"
    kind = Text("评分卡(证据权重,单调分箱)", "scorecard: weights of evidence, monotone bins")
    settings: Sequence[Setting] = (
        {"bins": 6, "share": 0.05, "strength": 1.0},
        {"bins": 10, "share": 0.02, "strength": 0.1},
    )

    def fit(self, inputs: Inputs, rows: Rows, truth: Truth, setting: Setting) -> CardFitted:
        how = woe.Binning(most=int(setting["bins"]), least_share=setting["share"])
        columns = _card_columns(inputs, rows)
        information = {
            name: woe.binned(name, column, truth, how).information
            for name, column in columns.items()
        }
        # where nothing tells much, the best few must do
        least = min(0.02, sorted(information.values())[-min(3, len(information))])
        try:
            fitted = woe.fit(
                columns, truth, how=how, least_information=least, strength=setting["strength"]
            )
        except ValueError as error:
            raise ValueError("no column parts bad from good by bins that rise or fall") from error
        return CardFitted(fitted, inputs)


@dataclass(frozen=True, slots=True)
class Design:
    """How inputs become the terms of a linear model; arrays of one entry for each number.

    A number is clipped to what was seen, its logarithm taken where it is skewed, standardized; a
    missing one counts as the mean and has a term of its own, and so has each code of each word.
    """

    numbers: NDArray[np.int64]
    low: Floats
    high: Floats
    scale: Floats
    mean: Floats
    deviation: Floats
    gaps: NDArray[np.int64]
    words: NDArray[np.int64]
    codes: Floats

    def terms(self, rows: Rows) -> Floats:
        wide = rows.astype(np.float64)
        plain = np.clip(wide[:, self.numbers], self.low, self.high)
        signed = np.sign(plain) * np.log1p(np.abs(plain) / np.abs(self.scale))
        shaped = np.where(self.scale > 0, signed, plain)
        standing = np.where(np.isnan(shaped), 0.0, (shaped - self.mean) / self.deviation)
        gaps = np.isnan(wide[:, self.gaps]).astype(np.float64)
        levels = (wide[:, self.words] == self.codes).astype(np.float64)
        return np.concatenate([standing, gaps, levels], axis=1)


def designed(inputs: Inputs, rows: Rows) -> Design:
    """Measured on the rows of a fit. `scale` is negative for a number that is taken as it is."""
    wide = rows.astype(np.float64)
    places = np.array([i for i, levels in enumerate(inputs.levels) if not levels], dtype=np.int64)
    words = [(i, float(code)) for i, n in enumerate(inputs.levels) for code in range(n)]
    gaps = np.array([i for i in range(wide.shape[1]) if np.isnan(wide[:, i]).any()], dtype=np.int64)
    known = [wide[~np.isnan(wide[:, i]), i] for i in places]
    known = [one if len(one) else np.zeros(1) for one in known]
    low, high = (np.array([np.quantile(one, q) for one in known]) for q in (0.001, 0.999))
    scale = np.array([_scale(np.clip(one, a, b)) for one, a, b in zip(known, low, high,
                                                                        strict=True)])  # fmt: skip
    bare = Design(places, low, high, scale, np.zeros(len(places)), np.ones(len(places)), gaps,
                  np.array([i for i, _ in words], dtype=np.int64),
                  np.array([code for _, code in words]))  # fmt: skip
    plain = np.clip(wide[:, places], low, high)
    signed = np.sign(plain) * np.log1p(np.abs(plain) / np.abs(scale))
    shaped = np.where(scale > 0, signed, plain)
    gone = np.isnan(shaped)
    counts = np.maximum((~gone).sum(axis=0), 1)
    mean = np.where(gone, 0.0, shaped).sum(axis=0) / counts
    spread = np.sqrt((np.where(gone, 0.0, shaped - mean) ** 2).sum(axis=0) / counts)
    return Design(bare.numbers, low, high, scale, mean, np.where(spread > 1e-12, spread, 1.0), gaps,
                  bare.words, bare.codes)  # fmt: skip


def _scale(values: Floats) -> float:
    deviation = float(values.std())
    if deviation == 0:
        return -1.0
    skew = float((((values - values.mean()) / deviation) ** 3).mean())
    middle = float(np.median(np.abs(values[values != 0]))) if (values != 0).any() else 0.0
    return middle if abs(skew) > SKEWED and middle > 0 else -1.0


@dataclass(frozen=True, slots=True)
class LinearFitted:
    design: Design
    weights: Floats
    intercept: float

    def log_odds(self, rows: Rows) -> Floats:
        return np.asarray(self.design.terms(rows) @ self.weights + self.intercept)


class Linear:
    """Logistic regression with a penalty, over standardized terms."""

    name = "logistic"
    kind = Text("逻辑回归", "logistic regression")
    settings: Sequence[Setting] = ({"strength": 0.1}, {"strength": 0.01}, {"strength": 1.0})

    def fit(self, inputs: Inputs, rows: Rows, truth: Truth, setting: Setting) -> LinearFitted:
        design = designed(inputs, rows)
        model = LogisticRegression(C=setting["strength"], max_iter=1_000)
        model.fit(design.terms(rows), truth)
        return LinearFitted(design, np.asarray(model.coef_[0]), float(model.intercept_[0]))


@dataclass(frozen=True, slots=True)
class TreesFitted:
    classifier: HistGradientBoostingClassifier
    is_additive: bool

    def log_odds(self, rows: Rows) -> Floats:
        return np.asarray(self.classifier.decision_function(rows), dtype=np.float64)


class Trees:
    """Boosted trees over histograms; without interactions each has one input alone."""

    def __init__(self, *, is_additive: bool) -> None:
        self.is_additive = is_additive
        if is_additive:
            self.name = "additive"
            self.kind = Text("可加梯度提升(无交互)", "additive boosted trees, no interactions")
            self.settings: Sequence[Setting] = (
                {"rate": 0.08, "leaves": 5, "least": 40},
                {"rate": 0.08, "leaves": 3, "least": 40},
            )
        else:
            self.name = "boosted"
            self.kind = Text("梯度提升树", "boosted trees")
            self.settings = (
                {"rate": 0.06, "leaves": 12, "least": 40},
                {"rate": 0.06, "leaves": 5, "least": 30},
                {"rate": 0.06, "leaves": 24, "least": 80},
            )

    def fit(self, inputs: Inputs, rows: Rows, truth: Truth, setting: Setting) -> TreesFitted:
        del inputs
        classifier = self._classifier(len(truth), setting).fit(rows, truth)
        return TreesFitted(classifier, self.is_additive)

    def fit_beside(
        self, fitted: tuple[Rows, Truth], aside: tuple[Rows, Truth], setting: Setting
    ) -> TreesFitted:
        """As many trees as better the loss of the rows aside, and PATIENCE more."""
        classifier = self._classifier(len(fitted[1]), setting)
        classifier.set_params(early_stopping=True, scoring="loss", n_iter_no_change=PATIENCE)
        classifier.fit(*fitted, X_val=aside[0], y_val=aside[1])
        return TreesFitted(classifier, self.is_additive)

    def _classifier(self, rows: int, setting: Setting) -> HistGradientBoostingClassifier:
        return HistGradientBoostingClassifier(
            interaction_cst="no_interactions" if self.is_additive else None,
            learning_rate=setting["rate"],
            max_iter=int(setting.get("trees", MAX_TREES)),
            max_leaf_nodes=int(setting["leaves"]),
            min_samples_leaf=int(min(setting["least"], max(5, rows // 25))),
            l2_regularization=5.0,
            early_stopping=False,
            random_state=0,
        )


def counted(fitted: TreesFitted, rows: Rows) -> Mapping[int, Floats]:
    """The log of the odds of rows after so many trees, for each count that is tried."""
    found = {}
    staged = fitted.classifier.staged_decision_function(rows)
    for place, odds in enumerate(staged, 1):
        if place % STEP == 0:
            found[place] = np.asarray(odds, dtype=np.float64).ravel().copy()
    return found


FAMILIES: Final[Sequence[Family]] = (
    Card(), Linear(), Trees(is_additive=True), Trees(is_additive=False),
)  # fmt: skip
