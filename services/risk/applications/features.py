"""What a model sees of an application: numbers out of the facts that the policy sees too. Pure.

A number that nobody knows is NaN, and so is a ratio that one of its parts is missing for. A name
without a prefix is a fact of the application; `bureau.queries_3m` is what that source answers.
Training computes the same features by this function.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

from services.risk.policies.domain import Product
from services.risk.policies.facts import APPLICATION
from services.risk.sources.domain import PURPOSES, TERMS

#: What there is of every application beside its own facts and the answers of sources.
_RING: Final = ("ring_size", "ring_fraud_distance")
#: Of loans and cards; each is explained where it is computed.
_RATIOS: Final = ("debt_to_income", "requested_to_income", "spending_to_income", "income_to_stated")


def names_of(product: Product) -> tuple[str, ...]:
    """Every feature that an application for the product has, in a fixed order."""
    if product == "payment":
        return ()
    purpose = PURPOSES[product]
    answers = [
        f"{source}.{answer}"
        for source, terms in TERMS.items()
        if purpose in terms.purposes
        for answer in terms.answers
    ]
    ratios = () if product == "account_opening" else _RATIOS
    return (*sorted(APPLICATION[product]), *answers, *ratios, *_RING)


def features_of(
    product: Product,
    *,
    application: Mapping[str, Any],
    sources: Mapping[str, Mapping[str, Any] | None],
    ring: Mapping[str, Any],
) -> dict[str, float]:
    """The features of one application by name: see `names_of`.

    `sources` has for each source its answers, or None where it did not answer. Money is in fen
    of CNY.
    """
    found = {name: _number(application.get(name)) for name in sorted(APPLICATION[product])}
    purpose = PURPOSES[product]
    for source, terms in TERMS.items():
        if purpose in terms.purposes:
            answers = sources.get(source) or {}
            for answer in terms.answers:
                found[f"{source}.{answer}"] = _number(answers.get(answer))
    if product != "account_opening":
        found |= _ratios(found)
    found["ring_size"] = _number(ring.get("size"))
    found["ring_fraud_distance"] = _number(ring.get("fraud_distance"))
    return found


def _ratios(found: Mapping[str, float]) -> dict[str, float]:
    """Verified income counts before what the applicant says; debts are the larger of both."""
    stated, verified = found["monthly_income_minor"], found["tax.monthly_income_minor"]
    income = stated if math.isnan(verified) else verified
    debts = [found["monthly_debt_minor"], found["bureau.monthly_repayments_minor"]]
    known = [debt for debt in debts if not math.isnan(debt)]
    debt = max(known, default=math.nan)
    return {
        "debt_to_income": _over(debt, income),
        "requested_to_income": _over(found["requested_minor"], income),
        "spending_to_income": _over(found["consumption.monthly_spending_minor"], income),
        # below 1 where the applicant says more than the tax office knows
        "income_to_stated": _over(verified, stated),
    }


def _over(part: float, whole: float) -> float:
    return part / whole if whole > 0 else math.nan  # false for NaN too


def _number(value: object) -> float:
    """Yes and no as 1 and 0."""
    return float(value) if isinstance(value, bool | int | float) else math.nan
