"""The ledger's balance after every row beside the one that the source recorded."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date

from deploy.book.ordering import Step
from deploy.book.records import Book

LISTED = 500  # unexplained rows that the reports list; the rest is counted


@dataclass(frozen=True, slots=True)
class ClosingBalance:
    """An account's balance as the ledger answers it; `source_account` is the book's number."""

    source_account: str
    currency: str
    balance_minor: int


@dataclass(frozen=True, slots=True)
class Posted:
    """What the ledger answered for one row: the account's balance after it, or why not.

    `legs` counts its postings; `new` is False where an earlier import had made them already.
    """

    balance_minor: int | None
    legs: int
    new: bool
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Unexplained:
    """A row whose recorded balance the ledger does not reach, and why."""

    transaction: str
    source_account: str
    file: str
    line: int
    currency: str
    recorded_minor: int | None
    ledger_minor: int | None
    reason: str


@dataclass(slots=True)
class Tally:
    """Counts rows as the ledger answers them; each account's rows come in order."""

    book: Book
    rows: int = 0
    balances_equal: int = 0
    not_recorded: int = 0
    carried: int = 0
    unexplained_count: int = 0
    roundings: Counter[int] = field(default_factory=Counter)
    postings: int = 0
    posted_now: int = 0
    seconds: float = 0.0
    unexplained: list[Unexplained] = field(default_factory=list)
    by_day: Counter[date] = field(default_factory=Counter)
    recorded_last: dict[str, int] = field(default_factory=dict)
    _balances: dict[str, int] = field(init=False)
    _offsets: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Every account begins with its opening balance."""
        self._balances = {a.id: a.opening_balance_minor for a in self.book.accounts}

    def add(self, step: Step, posted: Posted | None) -> None:
        """Takes one row and the ledger's answer, None for a row that moves nothing."""
        entry = step.entry
        self.rows += 1
        self.by_day[entry.booking_date] += 1
        if posted is not None and posted.balance_minor is not None:
            self._balances[entry.account] = posted.balance_minor
            self.postings += posted.legs
            self.posted_now += posted.legs if posted.new else 0
        refusal = posted.refusal if posted else ""
        if not refusal:
            self.roundings[step.rounding_minor] += 1
        if entry.balance_after_minor is None:
            self.not_recorded += 1
            if refusal:
                self._note(step, None, refusal)
        else:
            self.recorded_last[entry.account] = entry.balance_after_minor
            self._compare(step, self._balances[entry.account], refusal)

    def _compare(self, step: Step, balance_minor: int, refusal: str) -> None:
        entry = step.entry
        difference = balance_minor - (entry.balance_after_minor or 0)
        carried = self._offsets.get(entry.account, 0)
        self._offsets[entry.account] = difference
        if refusal:
            self._note(step, None, refusal)
        elif difference == 0:
            self.balances_equal += 1
        elif difference == carried:
            # It follows from an unexplained row before it, which is listed.
            self.carried += 1
        else:
            reason = step.unexplained or "the account has other postings in the bank"
            self._note(step, balance_minor, reason)

    def _note(self, step: Step, balance_minor: int | None, reason: str) -> None:
        entry = step.entry
        self.unexplained_count += 1
        if len(self.unexplained) < LISTED:
            self.unexplained.append(
                Unexplained(
                    transaction=entry.id,
                    source_account=entry.account,
                    file=entry.origin.file,
                    line=entry.origin.line,
                    currency=entry.currency,
                    recorded_minor=entry.balance_after_minor,
                    ledger_minor=balance_minor,
                    reason=reason,
                )
            )

    @property
    def rounding_postings(self) -> int:
        """How many rows carry a rounding, each two further legs of its transfer."""
        return sum(count for rounding, count in self.roundings.items() if rounding)

    @property
    def postings_per_second(self) -> float | None:
        """Postings made by this import over the wall time of posting; None if it made none."""
        return self.posted_now / self.seconds if self.posted_now and self.seconds else None
