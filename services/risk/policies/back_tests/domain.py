"""What a change of policy or model would have changed: the swap-set of a back-test. Pure."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from services.risk.policies.domain import Ruling

#: Examples kept of each pair of outcomes.
EXAMPLES: Final = 5
#: Bands of money in which decisions that change are counted, in fen: 100, 1,000, … yuan.
BANDS: Final = (10_000, 100_000, 1_000_000, 10_000_000, 100_000_000)
#: Days that a report draws; more are summed into the oldest.
MOST_DAYS: Final = 400
#: The bank's days begin at 16:00 UTC.
_OFFSET: Final = timedelta(hours=8).total_seconds()
_DAY_S: Final = 86_400

Pair = tuple[str, str]


class Said(NamedTuple):
    """What a version says of one decision, as far as a back-test compares it."""

    outcome: str
    reason_codes: Sequence[str]
    has_failed: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """A decision as it was kept; `facts` is None where it was kept before facts were.

    Facts have product, features and score in them. The hashes are of what made it.
    """

    decision_id: UUID
    outcome: str
    reason_codes: Sequence[str]
    facts: Mapping[str, Any] | None
    policy_sha256: bytes | None = None
    model_sha256: bytes | None = None
    decided_at: datetime | None = None

    def said(self) -> Said:
        return Said(self.outcome, self.reason_codes)


def said_by(ruling: Ruling) -> Said:
    return Said(ruling.outcome.word, ruling.reason_codes, bool(ruling.degraded))


@dataclass(slots=True)
class Tally:
    """Counts decisions, and the money in them in fen, by outcome before and after."""

    decisions: int = 0
    unreadable: int = 0
    failed: int = 0
    differs: int = 0
    changed: int = 0
    counts: dict[Pair, list[int]] = field(default_factory=dict)
    examples: dict[Pair, list[dict[str, Any]]] = field(default_factory=dict)
    #: By the number of the day: decisions, those that change, and the money in these.
    days: dict[int, list[int]] = field(default_factory=dict)
    #: By band of money: decisions, and those that change.
    bands: list[list[int]] = field(default_factory=lambda: [[0, 0] for _ in range(len(BANDS) + 1)])

    @property
    def seen(self) -> int:
        return self.decisions + self.unreadable

    def add(self, kept: Kept, *, before: Said, after: Said) -> None:
        """Count one decision as two versions rule it."""
        self.decisions += 1
        self.failed += after.has_failed
        self.differs += before.outcome != kept.outcome
        pair = (before.outcome, after.outcome)
        value = (kept.facts or {}).get("value_minor")
        count = self.counts.setdefault(pair, [0, 0])
        count[0] += 1
        count[1] += value or 0
        is_other = before.outcome != after.outcome
        self.changed += is_other
        self._place(kept, value or 0, is_other=is_other)
        if not is_other and tuple(before.reason_codes) == tuple(after.reason_codes):
            return
        examples = self.examples.setdefault(pair, [])
        if len(examples) < EXAMPLES:
            examples.append(
                {
                    "decision_id": str(kept.decision_id),
                    "before": pair[0],
                    "after": pair[1],
                    "value_minor": value,
                    "reasons_before": list(before.reason_codes),
                    "reasons_after": list(after.reason_codes),
                }
            )

    def _place(self, kept: Kept, value: int, *, is_other: bool) -> None:
        band = self.bands[bisect_right(BANDS, value)]
        band[0] += 1
        band[1] += is_other
        if kept.decided_at is None:
            return
        number = int((kept.decided_at.timestamp() + _OFFSET) // _DAY_S)
        day = self.days.get(number)
        if day is None:
            if len(self.days) >= MOST_DAYS:  # the newest decisions come first
                number = min(self.days)
            day = self.days.setdefault(number, [0, 0, 0])
        day[0] += 1
        if is_other:
            day[1] += 1
            day[2] += value

    def swap_set(self) -> dict[str, Any]:
        """The whole as JSON, outcomes that change first."""
        pairs = sorted(self.counts, key=lambda pair: (pair[0] == pair[1], pair))
        return {
            "decisions": self.decisions,
            "unreadable": self.unreadable,
            "failed": self.failed,
            "differs": self.differs,
            "changed": self.changed,
            "counts": [
                {
                    "before": pair[0],
                    "after": pair[1],
                    "decisions": self.counts[pair][0],
                    "value_minor": self.counts[pair][1],
                }
                for pair in pairs
            ],
            "examples": [one for pair in pairs for one in self.examples.get(pair, ())],
            "days": [
                {
                    "day": (_EPOCH + timedelta(days=number)).isoformat(),
                    "decisions": day[0],
                    "changed": day[1],
                    "changed_minor": day[2],
                }
                for number, day in sorted(self.days.items())
            ],
            "bands": [
                {"from_minor": least, "decisions": band[0], "changed": band[1]}
                for least, band in zip((0, *BANDS), self.bands, strict=True)
            ],
        }


_EPOCH: Final = date(1970, 1, 1)
