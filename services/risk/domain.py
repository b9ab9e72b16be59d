"""The policy for payments: rules, the model's thresholds, and how they make one decision. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from services.risk.features import LOCAL_OFFSET_MS
from services.risk.windows import DAY_MS

#: Reference rates of the policy, not of any exchange: millionths of a fen of CNY for one minor
#: unit of the currency. They only bring amounts to one scale for windows and rules.
REFERENCE_RATES: Mapping[str, int] = {
    "CNY": 1_000_000,
    "AUD": 4_700_000,
    "CAD": 5_200_000,
    "CHF": 8_800_000,
    "CZK": 340_000,
    "EUR": 8_200_000,
    "GBP": 9_500_000,
    "HKD": 910_000,
    "JPY": 4_700_000,
    "KRW": 510_000,
    "MOP": 890_000,
    "SGD": 5_500_000,
    "THB": 210_000,
    "USD": 7_100_000,
}

_HOUR_MS = 3_600_000


class Outcome(IntEnum):
    """Ordered by severity: the most severe finding decides."""

    APPROVE = 0
    REVIEW = 1
    DECLINE = 2

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits in fen of CNY. A change of any value is a new version."""

    version: str = "payment-2026.1"
    ceiling_minor: int = 20_000_000
    #: The ceiling where no model could score, or the windows are behind.
    degraded_ceiling_minor: int = 5_000_000
    night_new_payee_minor: int = 2_000_000
    night_from_hour: int = 23
    night_to_hour: int = 6
    #: This many payments of one customer within 10 minutes.
    burst_count: int = 20
    #: This many payments below 10 yuan within an hour, then one of at least `probe_large_minor`.
    probe_count: int = 3
    probe_large_minor: int = 100_000


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a rule may look at. `score` is None where no model could score."""

    value_minor: int | None
    at_ms: int
    payee_listed: bool
    features: Mapping[str, float]
    score: float | None
    degraded: tuple[str, ...] = ()

    @property
    def hour(self) -> int:
        """The hour of the day in the bank's own time, 0 to 23."""
        return (self.at_ms + LOCAL_OFFSET_MS) % DAY_MS // _HOUR_MS

    def is_at_least(self, limit_minor: int) -> bool:
        return self.value_minor is not None and self.value_minor >= limit_minor


@dataclass(frozen=True, slots=True)
class Rule:
    """Where `applies`, the outcome is at least `outcome`, for the reason `code`."""

    code: str
    outcome: Outcome
    applies: Callable[[Facts, Policy], bool]


@dataclass(frozen=True, slots=True)
class Decision:
    """`degraded` names what was missing when it was made."""

    outcome: Outcome
    score: float | None
    reason_codes: tuple[str, ...]
    policy: str
    model: str | None
    degraded: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class ScoredBy:
    """The model behind a score, with the scores from which its outcome grows more severe."""

    label: str
    review_from: float
    decline_from: float


def _is_night(facts: Facts, policy: Policy) -> bool:
    return facts.hour >= policy.night_from_hour or facts.hour < policy.night_to_hour


def _night_new_payee(facts: Facts, policy: Policy) -> bool:
    return (
        facts.features["payee_new"] > 0
        and facts.is_at_least(policy.night_new_payee_minor)
        and _is_night(facts, policy)
    )


def _small_then_large(facts: Facts, policy: Policy) -> bool:
    return facts.features["customer_small_1h"] >= policy.probe_count and facts.is_at_least(
        policy.probe_large_minor
    )


def _degraded_large(facts: Facts, policy: Policy) -> bool:
    is_degraded = facts.score is None or bool(facts.degraded)
    return is_degraded and facts.is_at_least(policy.degraded_ceiling_minor)


RULES: tuple[Rule, ...] = (
    Rule("payee_listed", Outcome.DECLINE, lambda facts, _: facts.payee_listed),
    Rule("currency_unrated", Outcome.REVIEW, lambda facts, _: facts.value_minor is None),
    Rule(
        "amount_over_ceiling",
        Outcome.REVIEW,
        lambda facts, policy: facts.is_at_least(policy.ceiling_minor),
    ),
    Rule("amount_unscored", Outcome.REVIEW, _degraded_large),
    Rule("night_new_payee", Outcome.REVIEW, _night_new_payee),
    Rule(
        "payment_burst",
        Outcome.REVIEW,
        lambda facts, policy: facts.features["customer_count_10m"] >= policy.burst_count,
    ),
    Rule("small_then_large", Outcome.REVIEW, _small_then_large),
)

#: What a customer may read: it says what to do, and nothing that would help to slip past.
REASONS: Mapping[str, tuple[str, str]] = {
    "model_score_high": (
        "该笔付款与您平常的用款习惯差异很大,为保护您的资金,我们未予办理。如确为本人操作,请联系我行。",
        "To protect your money we did not make this unusual payment. Please call us if it was you.",
    ),
    "model_score_elevated": (
        "该笔付款与您平常的用款习惯有差异,我们正在核实。",
        "This payment differs from your usual ones; we are checking it.",
    ),
    "payee_listed": (
        "目前无法向该账户付款,请联系我行。",
        "Payments to this account are not possible at present. Please contact us.",
    ),
    "currency_unrated": (
        "该币种的付款需要人工核实。",
        "A payment in this currency is checked by a person first.",
    ),
    "amount_over_ceiling": (
        "大额付款需要人工核实。",
        "A payment of this size is checked by a person first.",
    ),
    "amount_unscored": (
        "系统暂时无法自动核实该笔付款,正在由人工核实。",
        "This payment could not be checked automatically; a person is checking it.",
    ),
    "night_new_payee": (
        "夜间首次向该收款人付款,我们正在核实。",
        "A first payment to this payee at night is checked by a person first.",
    ),
    "payment_burst": (
        "短时间内付款次数较多,我们正在核实。",
        "Many payments were made within a short time; we are checking this one.",
    ),
    "small_then_large": (
        "近期付款方式与您的习惯不同,我们正在核实。",
        "Your latest payments follow an unusual pattern; we are checking this one.",
    ),
    "rule_failed": (
        "该笔付款正在由人工核实。",
        "A person is checking this payment.",
    ),
}


def reference_value_minor(amount_minor: int, currency: str) -> int | None:
    """The amount in fen of CNY, rounded half up; None in a currency without a rate."""
    rate = REFERENCE_RATES.get(currency)
    return None if rate is None else (amount_minor * rate + 500_000) // 1_000_000


def decide(
    facts: Facts, *, policy: Policy, scored_by: ScoredBy | None, rules: tuple[Rule, ...] = RULES
) -> Decision:
    """The most severe of the model's outcome and of every rule that applies.

    A rule that fails sends the payment to review and leaves the other rules as they are.
    """
    outcome = Outcome.APPROVE
    codes: list[str] = []
    degraded = list(facts.degraded)
    for rule in rules:
        try:
            applies = rule.applies(facts, policy)
        except Exception:  # whatever a rule raises must not stop the others
            outcome = max(outcome, Outcome.REVIEW)
            codes.append("rule_failed")
            degraded.append(f"rule_failed.{rule.code}")
            continue
        if applies:
            outcome = max(outcome, rule.outcome)
            codes.append(rule.code)
    found = _model_finding(facts.score, scored_by)
    if found is not None:
        outcome = max(outcome, found[0])
        codes.append(found[1])
    return Decision(
        outcome=outcome,
        score=facts.score,
        reason_codes=tuple(dict.fromkeys(codes)),
        policy=policy.version,
        model=None if scored_by is None else scored_by.label,
        degraded=tuple(degraded),
    )


def _model_finding(score: float | None, scored_by: ScoredBy | None) -> tuple[Outcome, str] | None:
    if score is None or scored_by is None:
        return None
    if score >= scored_by.decline_from:
        return Outcome.DECLINE, "model_score_high"
    if score >= scored_by.review_from:
        return Outcome.REVIEW, "model_score_elevated"
    return None
