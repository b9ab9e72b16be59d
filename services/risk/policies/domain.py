"""Values of policies: products, states of a version, and what a policy rules. Pure."""

from dataclasses import dataclass
from typing import Literal

from services.risk.domain import Outcome

Product = Literal["payment", "account_opening", "loan", "card"]
PRODUCTS: tuple[Product, ...] = ("payment", "account_opening", "loan", "card")

State = Literal["draft", "proposed", "rejected", "approved", "active", "retired"]

#: What tables of a policy may answer besides findings.
Answer = Literal["grade", "limit_minor", "price_bps", "step_up"]

#: The policy's own fact, which its grading table gives.
GRADE: Literal["grade"] = "grade"

#: Which of them a product has; a loan that has no price is not made, so those in `OFFER` must be
#: there before it is approved.
ANSWERS: dict[Product, tuple[Answer, ...]] = {
    "payment": ("step_up",),
    "account_opening": ("grade", "step_up"),
    "loan": ("grade", "limit_minor", "price_bps"),
    "card": ("grade", "limit_minor", "price_bps", "step_up"),
}
OFFER: dict[Product, tuple[Answer, ...]] = {
    "payment": (),
    "account_opening": (),
    "loan": ("grade", "limit_minor", "price_bps"),
    "card": ("grade", "limit_minor", "price_bps"),
}

MAX_LIMIT_MINOR = 10**15
MAX_PRICE_BPS = 100_000


class PolicyRefused(Exception):
    """A graph or its tests are not what a policy may be; `field` says where."""

    def __init__(self, field: str, expected: str) -> None:
        super().__init__(f"{field}: {expected}")
        self.field = field
        self.expected = expected


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a policy says. `trace` names the rows that fired, `degraded` the rules that failed.

    `limit_minor` is in fen of CNY, `price_bps` a yearly rate in hundredths of a percent.
    """

    outcome: Outcome
    reason_codes: tuple[str, ...]
    policy: str
    trace: tuple[str, ...]
    degraded: tuple[str, ...] = ()
    grade: str | None = None
    limit_minor: int | None = None
    price_bps: int | None = None
    step_up: str | None = None
