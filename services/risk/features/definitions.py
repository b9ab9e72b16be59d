"""What is measured of a payment: one table of entity, measure, span and field.

Name, meaning in both languages, computation and documentation follow from a row, for training
and serving alike. What a payment shows beside the windows of its entities is named at the end.
"""

from dataclasses import dataclass
from typing import Literal

from services.risk.windows import DAY_MS

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS

Entity = Literal["customer", "account", "payee", "device", "ip", "merchant"]
Kind = Literal["count", "small", "sum", "sum_log", "mean", "distinct", "since", "since_log", "age"]

#: The field of a payment that names each entity. The last three a partner may leave out.
FIELDS: dict[Entity, str] = {
    "customer": "customer_id",
    "account": "account_id",
    "payee": "payee_id",
    "device": "device_id",
    "ip": "ip_address",
    "merchant": "merchant_id",
}
SPANS_MS: dict[str, int] = {
    "10m": 10 * MINUTE_MS,
    "1h": HOUR_MS,
    "24h": DAY_MS,
    "7d": 7 * DAY_MS,
    "30d": 30 * DAY_MS,
}
#: How far the customer's mean payment looks back.
MEAN_SPAN_MS = SPANS_MS["30d"]
#: A payment of less than 10 yuan is small: the size with which stolen cards are tried.
SMALL_MINOR = 1_000


@dataclass(frozen=True, slots=True)
class Feature:
    name: str
    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Measure:
    """One row: `kind` over the payments of `entity` within `span`, this one included.

    `field` is the entity that is counted distinct. `alias` is the name of a feature that a
    committed model knows by another one than follows from the row.
    """

    entity: Entity
    kind: Kind
    span: str = ""
    field: Entity | None = None
    alias: str = ""

    @property
    def name(self) -> str:
        if self.alias:
            return self.alias
        words = {"sum": "sum_minor", "mean": "mean_minor", "distinct": f"{self.field}s"}
        words |= {"since": "since_s", "age": "age_s"}
        return "_".join(filter(None, (self.entity, words.get(self.kind, self.kind), self.span)))

    @property
    def span_ms(self) -> int:
        return SPANS_MS.get(self.span, 0)

    def described(self) -> Feature:
        en, zh = _MEANINGS[self.kind]
        of_en, of_zh = _OF[self.entity]
        many_en, many_zh = _MANY[self.field] if self.field else ("", "")
        span_zh, longest = _SPANS_ZH.get(self.span, ""), SPANS[self.entity][-1]
        return Feature(
            self.name,
            en.format(of=of_en, span=self.span, many=many_en, longest=longest),
            zh.format(of=of_zh, span=span_zh, many=many_zh, longest_zh=_SPANS_ZH[longest]),
        )


_OF: dict[Entity, tuple[str, str]] = {
    "customer": ("by the customer", "该客户"),
    "account": ("from the account", "该付款账户"),
    "payee": ("to the payee by anyone", "任何客户向该收款人"),
    "device": ("from the device", "该设备"),
    "ip": ("from the IP address", "该 IP 地址"),
    "merchant": ("for the merchant", "该商户"),
}
_MANY: dict[Entity, tuple[str, str]] = {
    "customer": ("customers", "客户"),
    "account": ("accounts", "付款账户"),
    "payee": ("payees", "收款人"),
    "device": ("devices", "设备"),
    "ip": ("IP addresses", "IP 地址"),
    "merchant": ("merchants", "商户"),
}
_SPANS_ZH = {"10m": "10 分钟", "1h": "1 小时", "24h": "24 小时", "7d": "7 天", "30d": "30 天"}
_MEANINGS: dict[Kind, tuple[str, str]] = {
    "count": ("Payments {of} in {span}", "{span}内{of}的付款笔数"),
    "small": ("Payments below 10 yuan {of} in {span}", "{span}内{of}低于 10 元的付款笔数"),
    "sum": ("Fen paid {of} in {span}", "{span}内{of}的付款金额(分)"),
    "sum_log": ("Log of the yuan paid {of} in {span}", "{span}内{of}的付款金额(元)的对数"),
    "mean": ("Mean payment {of} in {span}, in fen", "{span}内{of}的平均付款金额(分)"),
    "distinct": (
        "Distinct {many} in the payments {of} in {span}",
        "{span}内{of}付款涉及的{many}数",
    ),
    "since": (
        "Seconds since the payment before {of}; missing without one in {longest}",
        "距{of}上一笔付款的秒数;{longest_zh}内无付款时缺失",
    ),
    "since_log": (
        "Log of the seconds since the payment before {of}; missing without one in {longest}",
        "距{of}上一笔付款秒数的对数;{longest_zh}内无付款时缺失",
    ),
    "age": ("Seconds since the first payment {of}", "距{of}首笔付款的秒数"),
}


def _over(entity: Entity, kind: Kind, *spans: str) -> tuple[Measure, ...]:
    return tuple(Measure(entity, kind, span) for span in spans)


def _distinct(entity: Entity, field: Entity, *spans: str) -> tuple[Measure, ...]:
    return tuple(Measure(entity, "distinct", span, field) for span in spans)


#: The spans in which each entity is counted and summed.
SPANS: dict[Entity, tuple[str, ...]] = {
    "customer": ("10m", "1h", "24h", "7d", "30d"),
    "account": ("1h", "24h", "7d"),
    "payee": ("1h", "24h", "7d"),
    "device": ("1h", "24h", "7d"),
    "ip": ("1h", "24h", "7d"),
    "merchant": ("1h", "24h", "7d"),
}
MEASURES: tuple[Measure, ...] = (
    *(row for entity, spans in SPANS.items() for row in _over(entity, "count", *spans)),
    *(row for entity, spans in SPANS.items() for row in _over(entity, "sum", *spans)),
    *(row for entity, spans in SPANS.items() for row in _over(entity, "mean", spans[-1])),
    *_over("customer", "sum_log", "1h", "24h", "7d"),
    *_over("account", "sum_log", "1h", "24h", "7d"),
    *_over("payee", "sum_log", "1h", "24h", "7d"),
    *_over("customer", "small", "1h"),
    *_over("merchant", "small", "1h"),
    *_distinct("customer", "payee", "24h"),
    *_distinct("customer", "device", "7d"),
    *_distinct("customer", "ip", "24h"),
    *_distinct("account", "device", "7d"),
    Measure("payee", "distinct", "24h", "customer", alias="payee_fan_in_24h"),
    *_distinct("payee", "customer", "7d"),
    *_distinct("device", "customer", "24h", "7d"),
    *_distinct("device", "account", "7d"),
    *_distinct("ip", "customer", "1h", "24h"),
    *_distinct("ip", "device", "24h"),
    *_distinct("merchant", "customer", "1h"),
    *_distinct("merchant", "device", "24h"),
    *(Measure(entity, "since") for entity in FIELDS),
    *(Measure(entity, "age") for entity in FIELDS),
    Measure("customer", "since_log", alias="since_last_log_s"),
)

#: What a payment shows of itself, of its customer's habits and of its payee.
OWN: tuple[Feature, ...] = (
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
)

#: What was known of the customer's ring when the payment was decided.
RING: tuple[Feature, ...] = (
    Feature("ring_size", "Customers in the customer's ring", "该客户关联网络中的客户数"),
    Feature(
        "ring_shared",
        "Customers on the customer's most shared device, phone or card; 0 without one",
        "与该客户共用同一设备、电话或银行卡的最多客户数;无标识时为 0",
    ),
    Feature(
        "ring_fraud_distance",
        "Steps from the customer to known fraud: 0 itself, 1 its identifier, 2 who shares it; "
        "missing where none is near",
        "该客户与已知欺诈的距离:0 为本人,1 为其标识,2 为共用者;附近无欺诈时缺失",
    ),
)

FEATURES: tuple[Feature, ...] = (*OWN, *(row.described() for row in MEASURES), *RING)
FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)

#: What the committed fraud model takes, in its order. A model that takes others names them anew.
FRAUD_INPUTS: tuple[str, ...] = (
    *(feature.name for feature in OWN),
    "payee_fan_in_24h",
    "customer_payees_24h",
    "customer_count_10m",
    "customer_small_1h",
    "since_last_log_s",
    *(
        f"{entity}_{kind}_{span}"
        for entity in ("customer", "account", "payee")
        for kind in ("count", "sum_log")
        for span in ("1h", "24h", "7d")
    ),
)
