"""People who apply for a loan or a card over three years, and who of them defaults. Pure, seeded.

A default is a payment 90 days late within twelve months. Nothing here was measured on people; the
shares are of the order that retail lenders publish, and the outside sources say what the bank's
simulated ones say (`deploy/bureau`). What is assumed:

- Two things nobody can see, strain and prudence, move income, debts, spending, queries, arrears
  and the default itself; a third of the default's odds depends on nothing that is known.
- One in eight states more income than there is, the strained more often.
- A source is silent for 3 in 100 because nobody is known there by that name, for a few more since
  it is away, and where the applicant did not agree to it.
- Incomes rise by 4% a year, and the second half of the third year is a little harder than the
  rest: a model is tested on other times than it was fitted on.
- Who was declined elsewhere is in here too: outcomes are known of all, which no bank has.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from services.risk.applications.features import features_of, names_of

CreditProduct = Literal["loan", "card"]
MONTHS, DAYS_A_MONTH = 36, 30
TERMS = (6, 12, 18, 24, 36)
#: Of the log odds of a default without any strain, by product: 6 in 100 default on a loan.
_USUAL: Mapping[CreditProduct, float] = {"loan": -3.8, "card": -3.9}
_HARDER_FROM, _HARDER_BY = 30, 0.15

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Applications:
    """n applications in order of time. `features` is (n, names) with NaN for what is missing.

    `month` is that of the application, 0 to 35; what became of it is known a year later.
    """

    product: CreditProduct | Literal["account_opening"]
    names: tuple[str, ...]
    features: Floats
    month: NDArray[np.int64]
    bad: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.month)

    def columns(self) -> dict[str, Floats]:
        return {name: self.features[:, place] for place, name in enumerate(self.names)}

    def between(self, first: int, end: int) -> "Applications":
        rows = (self.month >= first) & (self.month < end)
        return Applications(
            self.product, self.names, self.features[rows], self.month[rows], self.bad[rows]
        )


@dataclass(frozen=True, slots=True)
class _People:
    """What is true of each applicant, whoever may know it. Money is in fen of CNY a month."""

    month: NDArray[np.int64]
    strain: Floats
    prudence: Floats
    age: NDArray[np.int64]
    income: Floats
    employed: NDArray[np.int64]
    repayments: Floats
    spending: Floats
    overdue: NDArray[np.int64]
    queries: NDArray[np.int64]
    enforcements: NDArray[np.int64]
    is_dishonest: NDArray[np.bool_]
    on_network: NDArray[np.int64]


def simulate(product: CreditProduct, *, seed: int, count: int) -> Applications:
    """`count` applications; what becomes of them is drawn apart from what is known of them."""
    draw = np.random.default_rng([seed, 0 if product == "loan" else 1])
    people = _people(draw, count)
    wish = _wish(draw, people, product)
    said = _said(draw, people)
    rows = _facts(draw, people, wish, said)
    bad = outcomes(product, people, wish, seed=seed)
    names = names_of(product)
    features = np.empty((count, len(names)))
    for place, (application, sources, ring) in enumerate(rows):
        found = features_of(product, application=application, sources=sources, ring=ring)
        features[place] = [found[name] for name in names]
    return Applications(product, names, features, people.month, bad)


def outcomes(
    product: CreditProduct, people: "_People", wish: Mapping[str, Floats], *, seed: int
) -> NDArray[np.bool_]:
    """Who defaults, from a generator of its own: nothing that is known can have seen it."""
    fate = np.random.default_rng([seed, 2 if product == "loan" else 3])
    debts = people.repayments + wish["instalment"]
    log_odds = (
        _USUAL[product]
        + 1.9 * np.clip(debts / people.income - 0.35, -0.3, 1.0)
        + 0.45 * np.log1p(people.queries)
        + 1.1 * (people.overdue > 0)
        + 0.5 * np.minimum(people.enforcements, 2)
        - 0.35 * np.minimum(people.employed / 36, 2)
        - 0.30 * np.log(people.income / 806_000)
        + 0.9 * np.clip(people.spending / people.income - 0.7, -0.4, 0.5)
        + 0.40 * people.strain
        - 0.25 * people.prudence
        + 0.60 * fate.normal(size=len(debts))
        + _HARDER_BY * (people.month >= _HARDER_FROM)
    )
    return np.asarray(fate.random(len(debts)) < _chance(log_odds))


def _people(draw: np.random.Generator, count: int) -> _People:
    month = np.sort(draw.integers(0, MONTHS, count))
    strain = draw.normal(size=count)
    prudence = -0.3 * strain + np.sqrt(1 - 0.09) * draw.normal(size=count)
    growth = 0.04 * month / 12
    income: Floats = np.exp(13.6 + growth + 0.48 * draw.normal(size=count) - 0.12 * strain)
    burden = 0.4 * _chance(0.9 * strain - 0.3 * prudence + 0.8 * draw.normal(size=count))
    share = 0.3 + 0.6 * _chance(0.7 * strain - 0.9 * prudence + 0.7 * draw.normal(size=count))
    has_overdue = draw.random(count) < _chance(-3.5 + 1.1 * strain - 0.5 * prudence)
    overdue = np.where(has_overdue, draw.integers(1, 5, count), 0)
    queries = draw.poisson(np.exp(0.35 + 0.55 * strain - 0.2 * prudence))
    is_dishonest = draw.random(count) < np.where(has_overdue, 0.22, 0.004)
    on_network = draw.gamma(1.8, 45, count) * np.exp(-0.35 * strain)
    return _People(
        month=month,
        strain=strain,
        prudence=prudence,
        age=np.clip(draw.normal(36, 11, count), 18, 75).astype(np.int64),
        income=np.asarray(np.round(income, -2)),
        employed=np.minimum(draw.gamma(1.3, 36, count) * np.exp(-0.25 * strain), 480).astype(int),
        repayments=np.round(income * burden, -2),
        spending=np.round(income * share, -2),
        overdue=overdue,
        queries=np.minimum(
            np.where(has_overdue, queries + draw.integers(1, 6, count), queries), 40
        ),
        enforcements=np.where(is_dishonest, draw.integers(1, 4, count), draw.random(count) < 0.006),
        is_dishonest=is_dishonest,
        on_network=np.minimum(on_network, 280).astype(np.int64),
    )


def _wish(draw: np.random.Generator, people: _People, product: CreditProduct) -> dict[str, Floats]:
    """What is asked for, and what it would cost a month."""
    count = len(people.month)
    if product == "card":
        times = np.clip(np.exp(0.4 * draw.normal(size=count) + 0.15 * people.strain), 0.3, 6)
        wanted = np.round(people.income * times, -5)
        return {"requested": np.maximum(wanted, 100_000), "instalment": wanted * 0.05}
    times = np.clip(np.exp(1.1 + 0.6 * draw.normal(size=count) + 0.15 * people.strain), 0.5, 20)
    term = draw.choice(TERMS, count, p=(0.1, 0.35, 0.15, 0.25, 0.15)).astype(np.float64)
    wanted = np.maximum(np.round(people.income * times, -5), 100_000)
    return {"requested": wanted, "term": term, "instalment": wanted / term * 1.05}


def _said(draw: np.random.Generator, people: _People) -> dict[str, Floats]:
    """The applicants' own words; NaN where they say nothing."""
    count = len(people.month)
    exaggerates = draw.random(count) < _chance(-2.1 + 0.5 * people.strain - 0.4 * people.prudence)
    more = np.where(
        exaggerates, draw.uniform(1.15, 2.2, count), np.exp(draw.normal(0, 0.04, count))
    )
    candid = np.where(draw.random(count) < 0.25, draw.uniform(0.2, 0.9, count), 1.0)
    return {
        "income": _gaps(draw, np.round(people.income * more, -4), 0.01),
        "debt": _gaps(draw, np.round(people.repayments * candid, -4), 0.05),
        "employed": _gaps(draw, people.employed.astype(np.float64), 0.04),
    }


def _facts(
    draw: np.random.Generator,
    people: _People,
    wish: Mapping[str, Floats],
    said: Mapping[str, Floats],
) -> list[tuple[dict[str, Any], dict[str, dict[str, Any] | None], dict[str, Any]]]:
    """For each applicant the groups `application`, `sources` and `ring` of the facts."""
    count = len(people.month)
    is_unknown = draw.random(count) < 0.03
    silent = {
        name: draw.random(count) < share
        for name, share in (
            ("bureau", 0.03),
            ("court", 0.01),
            ("tax", 0.12),
            ("telecom", 0.04),
            ("consumption", 0.20),
        )
    }
    earns_untold = draw.random(count) < 0.08  # what the tax office does not know of
    own_number = draw.random(count) < 0.97 - 0.03 * (people.strain > 1)
    tries = 1 + draw.poisson(0.12 * np.exp(0.5 * people.strain))
    no_device = draw.random(count) < 0.2
    shared = 1 + (draw.random(count) < 0.06) + (draw.random(count) < 0.01)
    around = np.where(draw.random(count) < 0.1, draw.integers(2, 5, count), 1)
    distance = np.where(draw.random(count) < 0.01 * np.exp(0.4 * people.strain), 2.0, np.nan)
    found = []
    for i in range(count):
        application = {
            "age": int(people.age[i]),
            "identity_proven": True,
            "face_match": None,
            "customer_count_30d": int(tries[i]),
            "device_count_24h": None if no_device[i] else 1,
            "device_customers_30d": None if no_device[i] else int(shared[i]),
            "requested_minor": int(wish["requested"][i]),
            "term_months": int(wish["term"][i]) if "term" in wish else None,
            "monthly_income_minor": _known(said["income"][i]),
            "monthly_debt_minor": _known(said["debt"][i]),
            "employed_months": _known(said["employed"][i]),
        }
        answers: dict[str, dict[str, Any]] = {
            "bureau": {
                "overdue_90d": int(people.overdue[i]),
                "monthly_repayments_minor": int(people.repayments[i]),
                "queries_3m": int(people.queries[i]),
            },
            "court": {
                "dishonest": bool(people.is_dishonest[i]),
                "open_enforcements": int(people.enforcements[i]),
            },
            "tax": {
                "monthly_income_minor": int(people.income[i] * (0.7 if earns_untold[i] else 1))
            },
            "telecom": {
                "months_on_network": int(people.on_network[i]),
                "name_matches": bool(own_number[i]),
            },
            "consumption": {"monthly_spending_minor": int(people.spending[i])},
        }
        sources = {
            name: None if silent[name][i] or (is_unknown[i] and name != "court") else answer
            for name, answer in answers.items()
        }
        ring = {"size": int(around[i]), "fraud_distance": _known(distance[i])}
        found.append((application, sources, ring))
    return found


def _gaps(draw: np.random.Generator, values: Floats, share: float) -> Floats:
    return np.where(draw.random(len(values)) < share, np.nan, values)


def _known(value: float) -> int | None:
    return None if np.isnan(value) else int(value)


def _chance(log_odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-log_odds)))
