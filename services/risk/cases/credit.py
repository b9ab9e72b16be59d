"""What a verdict on a loan or a card grants. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from services.risk.cases.domain import CREDIT, Case, Grant, Verdict
from shared.kit.problems import BankError


class LimitUnfit(BankError):
    status, code = 422, "limit_unfit"
    title = "This limit does not go with this verdict"


def granted(
    case: Case, *, verdict: Verdict, wished: int | None, offered: Grant | None
) -> Grant | None:
    """What a verdict grants: the limit that the reviewer names, else the policy's own.

    The price is the grade's, whoever decides. Raises LimitUnfit.
    """
    if case.product not in CREDIT or verdict != "approve":
        if wished is not None:
            raise LimitUnfit(field="limit_minor", expected="none but with an approved credit")
        return None
    limit_minor = wished if wished is not None else offered.limit_minor if offered else 0
    most = case.value_minor
    if most is not None and wished is None:
        limit_minor = min(limit_minor, most)
    if limit_minor <= 0 or (most is not None and limit_minor > most):
        bound = "" if most is None else f", at most the {most} that was asked for"
        raise LimitUnfit(field="limit_minor", expected=f"what is granted, in fen of CNY{bound}")
    return Grant(limit_minor, offered.price_bps if offered else None)


def as_applied(appeal: Case, facts: Mapping[str, object] | None) -> Case:
    """The appeal with what was asked for: the policy saw it as the value, in fen of CNY."""
    asked_for = (facts or {}).get("value_minor")
    if appeal.product not in CREDIT or not isinstance(asked_for, int):
        return appeal
    return replace(appeal, amount_minor=asked_for, currency="CNY", value_minor=asked_for)
