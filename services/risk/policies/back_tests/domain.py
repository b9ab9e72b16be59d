"""What a change of policy would have changed: the swap-set of a back-test. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from services.risk.policies.domain import Ruling

#: Examples kept of each pair of outcomes.
EXAMPLES = 5

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Kept:
    """A decision as it was kept; `facts` is None where it was kept before facts were."""

    decision_id: UUID
    outcome: str
    reason_codes: Sequence[str]
    facts: Mapping[str, Any] | None


@dataclass(slots=True)
class Tally:
    """Counts decisions, and the money in them in fen, by outcome before and after."""

    decisions: int = 0
    unreadable: int = 0
    failed: int = 0
    differs: int = 0
    counts: dict[Pair, list[int]] = field(default_factory=dict)
    examples: dict[Pair, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def seen(self) -> int:
        return self.decisions + self.unreadable

    def add(self, kept: Kept, *, before: Ruling, after: Ruling) -> None:
        """Count one decision as two versions rule it."""
        self.decisions += 1
        self.failed += bool(after.degraded)
        self.differs += before.outcome.word != kept.outcome
        pair = (before.outcome.word, after.outcome.word)
        value = (kept.facts or {}).get("value_minor")
        count = self.counts.setdefault(pair, [0, 0])
        count[0] += 1
        count[1] += value or 0
        changed = pair[0] != pair[1] or before.reason_codes != after.reason_codes
        examples = self.examples.setdefault(pair, [])
        if changed and len(examples) < EXAMPLES:
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

    def swap_set(self) -> dict[str, Any]:
        """The whole as JSON, outcomes that change first."""
        pairs = sorted(self.counts, key=lambda pair: (pair[0] == pair[1], pair))
        return {
            "decisions": self.decisions,
            "unreadable": self.unreadable,
            "failed": self.failed,
            "differs": self.differs,
            "counts": [
                {
                    "before": pair[0],
                    "after": pair[1],
                    "decisions": self.counts[pair][0],
                    "value_minor": self.counts[pair][1],
                }
                for pair in pairs
            ],
            "examples": [one for pair in pairs for one in self.examples[pair]],
        }
