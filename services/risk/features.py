"""What a fraud model sees of a payment: sliding windows in event time, in memory.

Training and serving compute features by this one module, so that they cannot differ. A value
never looks past the time of the payment it belongs to: payments may arrive in any order.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass

from services.risk.windows import DAY_MS, Limits, Order, SeenPayment, Window

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS

#: The bank's own clock for "at night": UTC+8, which knows no daylight saving.
LOCAL_OFFSET_MS = 8 * HOUR_MS
#: The windows in which every entity is counted and summed.
SPANS: tuple[tuple[str, int], ...] = (("1h", HOUR_MS), ("24h", DAY_MS), ("7d", 7 * DAY_MS))
#: How far the customer's mean payment looks back.
MEAN_SPAN_MS = 30 * DAY_MS
#: A payment of less than 10 yuan is small: the size with which stolen cards are tried.
SMALL_MINOR = 1_000

MISSING = math.nan


@dataclass(frozen=True, slots=True)
class Feature:
    name: str
    en: str
    zh: str


def _entity_features(entity: str, en: str, zh: str) -> tuple[Feature, ...]:
    counts = (
        Feature(f"{entity}_count_{span}", f"Payments {en} in {span}", f"{span} 内{zh}的付款笔数")
        for span, _ in SPANS
    )
    sums = (
        Feature(
            f"{entity}_sum_log_{span}",
            f"Log of the yuan paid {en} in {span}",
            f"{span} 内{zh}的付款金额(元)的对数",
        )
        for span, _ in SPANS
    )
    return (*counts, *sums)


FEATURES: tuple[Feature, ...] = (
    Feature("amount_log", "Log of the amount in yuan", "付款金额(元)的对数"),
    Feature(
        "amount_to_mean_log",
        "Log of the amount over the customer's mean payment of 30 days; missing without one",
        "付款金额与该客户 30 天平均付款金额之比的对数;无历史时缺失",
    ),
    Feature(
        "amount_share_24h",
        "The payment's share of what the customer paid in 24h",
        "本笔占该客户 24 小时付款金额的比例",
    ),
    Feature(
        "day_share_of_week",
        "What the customer paid in 24h over what was paid in 7d",
        "该客户 24 小时付款金额占 7 天付款金额的比例",
    ),
    Feature("hour_sin", "Sine of the hour of the day, UTC+8", "一天中时刻的正弦(东八区)"),
    Feature("hour_cos", "Cosine of the hour of the day, UTC+8", "一天中时刻的余弦(东八区)"),
    Feature(
        "payee_new", "1 if the customer never paid this payee before", "首次向该收款人付款为 1"
    ),
    Feature(
        "payee_known_log_h",
        "Log of the hours since the customer first paid this payee",
        "该客户首次向该收款人付款至今小时数的对数",
    ),
    Feature(
        "payee_age_log_h",
        "Log of the hours since anyone first paid this payee",
        "该收款人首次被任何客户付款至今小时数的对数",
    ),
    Feature(
        "payee_fan_in_24h",
        "Distinct customers who paid this payee in 24h",
        "24 小时内向该收款人付款的不同客户数",
    ),
    Feature(
        "customer_payees_24h",
        "Distinct payees of the customer in 24h",
        "该客户 24 小时内付款的不同收款人数",
    ),
    Feature(
        "customer_count_10m", "Payments of the customer in 10 minutes", "10 分钟内该客户的付款笔数"
    ),
    Feature(
        "customer_small_1h",
        "Payments below 10 yuan of the customer in 1h",
        "1 小时内该客户低于 10 元的付款笔数",
    ),
    Feature(
        "since_last_log_s",
        "Log of the seconds since the customer's payment before; missing without one",
        "距该客户上一笔付款秒数的对数;无历史时缺失",
    ),
    *_entity_features("customer", "by the customer", "该客户"),
    *_entity_features("account", "from the account", "该账户"),
    *_entity_features("payee", "to the payee by anyone", "任何客户向该收款人"),
)

_NAMES = {
    entity: tuple((f"{entity}_count_{span}", f"{entity}_sum_log_{span}") for span, _ in SPANS)
    for entity in ("customer", "account", "payee")
}

FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)


class _Customer:
    """A customer's window and when each payee was first paid."""

    __slots__ = ("payees", "window")

    def __init__(self, window: Window) -> None:
        self.window = window
        self.payees: OrderedDict[str, Order] = OrderedDict()

    def add(self, payment: SeenPayment, *, limit: int) -> None:
        if not self.window.add(payment):
            return
        order = (payment.at_ms, payment.payment_id)
        known = self.payees.get(payment.payee_id)
        self.payees[payment.payee_id] = order if known is None else min(known, order)
        self.payees.move_to_end(payment.payee_id)
        if len(self.payees) > limit:
            self.payees.popitem(last=False)


class Windows:
    """All windows of one process: by customer, by debtor account, by payee.

    Past `limits.keys` keys of a kind the one that was touched longest ago is forgotten.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._customers: OrderedDict[str, _Customer] = OrderedDict()
        self._accounts: OrderedDict[str, Window] = OrderedDict()
        self._payees: OrderedDict[str, Window] = OrderedDict()

    def observe(self, payment: SeenPayment) -> None:
        """Counts a payment once, whether it comes from a decision, from the bus or from both."""
        self._customer(payment.customer_id).add(payment, limit=self._limits.payees)
        self._window(self._accounts, payment.account_id).add(payment)
        self._window(self._payees, payment.payee_id).add(payment)

    def measure(self, payment: SeenPayment) -> dict[str, float]:
        """Counts the payment in and returns its features by name; NaN where one is missing."""
        self.observe(payment)
        customer = self._customers[payment.customer_id]
        payee = self._payees[payment.payee_id]
        return (
            _amount_features(payment, customer.window)
            | _time_features(payment, customer.window)
            | _payee_features(payment, customer, payee)
            | _burst_features(payment, customer.window)
            | _entity_values("customer", payment, customer.window)
            | _entity_values("account", payment, self._accounts[payment.account_id])
            | _entity_values("payee", payment, payee)
        )

    def size(self) -> dict[str, int]:
        """How many keys of each kind are held."""
        return {
            "customer": len(self._customers),
            "account": len(self._accounts),
            "payee": len(self._payees),
        }

    def _customer(self, key: str) -> _Customer:
        found = self._customers.get(key)
        if found is None:
            found = _Customer(self._new_window(MEAN_SPAN_MS))
            self._customers[key] = found
            if len(self._customers) > self._limits.keys:
                self._customers.popitem(last=False)
        else:
            self._customers.move_to_end(key)
        return found

    def _window(self, windows: OrderedDict[str, Window], key: str) -> Window:
        found = windows.get(key)
        if found is None:
            found = self._new_window(SPANS[-1][1])
            windows[key] = found
            if len(windows) > self._limits.keys:
                windows.popitem(last=False)
        else:
            windows.move_to_end(key)
        return found

    def _new_window(self, span_ms: int) -> Window:
        return Window(size=self._limits.entries, horizon_ms=span_ms + self._limits.lateness_ms)


def _yuan_log(value_minor: int) -> float:
    """log(1 + yuan): raw fen would lose digits in the model's 32-bit inputs."""
    return math.log1p(value_minor / 100)


def _log_ratio(part: int, whole: int) -> float:
    return math.log(part / whole) if part > 0 and whole > 0 else MISSING


def _amount_features(payment: SeenPayment, window: Window) -> dict[str, float]:
    value = payment.value_minor
    if value is None:
        names = ("amount_log", "amount_to_mean_log", "amount_share_24h", "day_share_of_week")
        return dict.fromkeys(names, MISSING)
    at = payment.at_ms
    others, paid = window.tally(until_ms=at, span_ms=MEAN_SPAN_MS)
    _, day = window.tally(until_ms=at, span_ms=DAY_MS)
    _, week = window.tally(until_ms=at, span_ms=7 * DAY_MS)
    if payment.payment_id in window:
        others, paid = others - 1, paid - value
    else:  # too late for a full window, which then does not hold it
        day, week = day + value, week + value
    return {
        "amount_log": _yuan_log(value),
        "amount_to_mean_log": _log_ratio(value * others, paid),
        "amount_share_24h": value / day if day > 0 else MISSING,
        "day_share_of_week": day / week if week > 0 else MISSING,
    }


def _time_features(payment: SeenPayment, window: Window) -> dict[str, float]:
    angle = 2 * math.pi * ((payment.at_ms + LOCAL_OFFSET_MS) % DAY_MS) / DAY_MS
    last = window.last_before(payment)
    since = MISSING if last is None else math.log1p((payment.at_ms - last.at_ms) / SECOND_MS)
    return {"hour_sin": math.sin(angle), "hour_cos": math.cos(angle), "since_last_log_s": since}


def _age_log_h(payment: SeenPayment, first: Order | None) -> float:
    if first is None:
        return 0.0
    return math.log1p(max(payment.at_ms - first[0], 0) / HOUR_MS)


def _payee_features(payment: SeenPayment, customer: _Customer, payee: Window) -> dict[str, float]:
    first = customer.payees.get(payment.payee_id)
    # the earliest payment to this payee is this one: nothing came before it
    is_new = first is None or first >= (payment.at_ms, payment.payment_id)
    recent = payee.within(until_ms=payment.at_ms, span_ms=DAY_MS)
    return {
        "payee_new": float(is_new),
        "payee_known_log_h": _age_log_h(payment, first),
        "payee_age_log_h": _age_log_h(payment, payee.first),
        "payee_fan_in_24h": float(len({entry.customer_id for entry in recent})),
    }


def _burst_features(payment: SeenPayment, window: Window) -> dict[str, float]:
    at = payment.at_ms
    day = window.within(until_ms=at, span_ms=DAY_MS)
    hour = window.within(until_ms=at, span_ms=HOUR_MS)
    small = sum(1 for e in hour if e.value_minor is not None and e.value_minor < SMALL_MINOR)
    in_a_row, _ = window.tally(until_ms=at, span_ms=10 * MINUTE_MS)
    return {
        "customer_payees_24h": float(len({entry.payee_id for entry in day})),
        "customer_count_10m": float(in_a_row),
        "customer_small_1h": float(small),
    }


def _entity_values(entity: str, payment: SeenPayment, window: Window) -> dict[str, float]:
    values: dict[str, float] = {}
    for (_, span_ms), (count_name, sum_name) in zip(SPANS, _NAMES[entity], strict=True):
        count, paid = window.tally(until_ms=payment.at_ms, span_ms=span_ms)
        values[count_name] = float(count)
        values[sum_name] = _yuan_log(paid)
    return values
