"""The outside sources: what each is asked for, at what price and age. Pure.

One table, `TERMS`, says all that is fixed of a source. Where it is reached, and with which key, is
a setting. Money is in fen of CNY.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from shared.contracts.http.risk_sources import Purpose, Source

#: How an answer came, or why none did.
State = Literal["live", "cached", "stale", "failed", "refused_consent", "skipped"]

#: The purpose for which each product asks; a payment asks nobody.
PURPOSES: Mapping[str, Purpose] = {
    "loan": "credit",
    "card": "credit",
    "account_opening": "account_opening",
}
PURPOSE_WORDS: Mapping[Purpose, tuple[str, str]] = {
    "credit": ("审批贷款或信用卡申请", "To decide on a loan or a card that you apply for"),
    "account_opening": ("开立账户时核实身份", "To verify your identity when an account is opened"),
}


@dataclass(frozen=True, slots=True)
class Terms:
    """What is fixed of one source. `title` and the meaning of each answer: Chinese, English."""

    title: tuple[str, str]
    answers: Mapping[str, tuple[str, str]]
    purposes: tuple[Purpose, ...]
    #: So long an answer is used without asking again.
    valid_for: timedelta
    #: So old it may be where the source is away; past that it is deleted.
    usable_for: timedelta
    timeout_ms: int
    #: Of one answer, by the contract with whoever runs the source.
    price_minor: int
    #: A register that the law makes public is asked without one.
    needs_consent: bool = True


TERMS: Mapping[Source, Terms] = {
    "bureau": Terms(
        title=("征信机构", "Credit bureau"),
        answers={
            "overdue_90d": ("逾期90天以上的账户数", "Accounts overdue by more than 90 days"),
            "monthly_repayments_minor": ("每月应还款(分)", "Repayments due each month, in fen"),
            "queries_3m": ("近三个月被查询次数", "Times it was asked in three months"),
        },
        purposes=("credit",),
        valid_for=timedelta(days=1),
        usable_for=timedelta(days=30),
        timeout_ms=900,
        price_minor=500,
    ),
    "court": Terms(
        title=("法院失信名单", "The courts' register of dishonest debtors"),
        answers={
            "dishonest": ("被列为失信被执行人", "Listed as a dishonest debtor"),
            "open_enforcements": ("未结执行案件数", "Open cases of enforcement"),
        },
        purposes=("credit", "account_opening"),
        valid_for=timedelta(days=1),
        usable_for=timedelta(days=7),
        timeout_ms=600,
        price_minor=20,
        needs_consent=False,
    ),
    "tax": Terms(
        title=("税务", "Tax office"),
        answers={
            "monthly_income_minor": ("已核实的月收入(分)", "Verified income a month, in fen"),
        },
        purposes=("credit",),
        valid_for=timedelta(days=30),
        usable_for=timedelta(days=90),
        timeout_ms=900,
        price_minor=300,
    ),
    "telecom": Terms(
        title=("通信运营商", "Telecom operator"),
        answers={
            "months_on_network": ("入网月数", "Months on the network"),
            "name_matches": ("号码实名与本人一致", "The number is registered to this person"),
        },
        purposes=("credit", "account_opening"),
        valid_for=timedelta(days=7),
        usable_for=timedelta(days=30),
        timeout_ms=600,
        price_minor=50,
    ),
    "consumption": Terms(
        title=("消费数据", "Spending data"),
        answers={
            "monthly_spending_minor": ("月均消费(分)", "Spending in a usual month, in fen"),
        },
        purposes=("credit",),
        valid_for=timedelta(days=7),
        usable_for=timedelta(days=30),
        timeout_ms=600,
        price_minor=80,
    ),
}
CURRENCY = "CNY"


@dataclass(frozen=True, slots=True)
class Consent:
    """What a customer said last of one source and purpose; `until` ends it by itself."""

    source: Source
    purpose: Purpose
    granted: bool
    stated_at: datetime
    until: datetime | None

    def holds(self, now: datetime) -> bool:
        return self.granted and (self.until is None or now < self.until)


@dataclass(frozen=True, slots=True)
class Kept:
    """A kept answer, with the time at which the source gave it."""

    source: Source
    answers: Mapping[str, object]
    fetched_at: datetime

    def age(self, now: datetime) -> timedelta:
        return max(now - self.fetched_at, timedelta())


def may_ask(
    consents: Mapping[tuple[str, str], Consent],
    *,
    source: Source,
    purpose: Purpose,
    now: datetime,
) -> bool:
    """Whether the source may be asked for this purpose, and a kept answer of it used."""
    terms = TERMS[source]
    if purpose not in terms.purposes:
        return False
    consent = consents.get((source, purpose))
    return not terms.needs_consent or (consent is not None and consent.holds(now))
