"""Replays kept decisions: each by the policy and the model that are named in it."""

import argparse
from collections import Counter
from datetime import datetime
from typing import Any

from deploy.bank.policies import PRODUCTS
from deploy.bank.staff import StaffClient

PAGE = 500


def add_commands(commands: Any) -> None:
    replaying = commands.add_parser(
        "replay", help="decide kept decisions again; each has to come out the same"
    )
    replaying.add_argument("--last", type=_count, default=1_000, help="so many, the youngest first")
    replaying.add_argument("--product", choices=PRODUCTS)
    replaying.add_argument("--since", type=_time, help="not older, for example 2026-03-02T04:00Z")
    replaying.add_argument("--until", type=_time, help="older than this")
    replaying.add_argument("--id", help="this decision alone")
    replaying.set_defaults(run=replay)


def replay(options: argparse.Namespace) -> int:
    """Exit code 1 where one came out otherwise."""
    staff = StaffClient(options.run_dir, login_name="operator")
    try:
        found = replayed(
            staff,
            last=options.last,
            product=options.product,
            since=options.since,
            until=options.until,
            decision_id=options.id,
            tell=print,
        )
    finally:
        staff.close()
    for line in found.lines():
        print(line)
    return 1 if found.differing else 0


class Replayed:
    """What all pages came to."""

    def __init__(self) -> None:
        self.seen = self.equal = self.unreadable = self.scored = self.spent_us = 0
        self.missing: Counter[str] = Counter()

    @property
    def differing(self) -> int:
        return self.seen - self.equal - self.unreadable

    @property
    def rate(self) -> int:
        """Decisions a second of one core, without the reading."""
        return round((self.seen - self.unreadable) * 1e6 / self.spent_us) if self.spent_us else 0

    def add(self, page: dict[str, Any]) -> None:
        for name in ("seen", "equal", "unreadable", "scored", "spent_us"):
            setattr(self, name, getattr(self, name) + page[name])
        for model in page["missing_models"]:
            self.missing[f"{model['model']} ({model['sha256'][:12]}…)"] += model["decisions"]

    def lines(self) -> list[str]:
        """The summary."""
        found = [
            f"model {name} is not there any more: {n} scores not checked"
            for name, n in sorted(self.missing.items())
        ]
        if self.unreadable:
            found.append(f"{self.unreadable} were kept before facts were: not replayed")
        words = f"{self.seen} decisions: {self.equal} equal, {self.differing} different; "
        return [*found, f"{words}{self.scored} scored again, {self.rate:,} a second"]


def replayed(
    staff: StaffClient,
    *,
    last: int,
    tell: Any,
    product: str | None = None,
    since: str | None = None,
    until: str | None = None,
    decision_id: str | None = None,
) -> Replayed:
    """Replay page by page; `tell` gets a line for each page and each difference."""
    found = Replayed()
    if decision_id is not None:
        page = staff.call("risk", "GET", f"/v1/decisions/{decision_id}/replay")
        _take(found, page, tell)
        return found
    given = {"product": product, "since": since, "until": until, "before": None}
    while found.seen < last:
        params = {name: value for name, value in given.items() if value is not None}
        params["limit"] = str(min(PAGE, last - found.seen))
        page = staff.call("risk", "GET", "/v1/replays", params=params)
        _take(found, page, tell)
        tell(f"replayed {found.seen} of at most {last}: {found.equal} equal")
        if page["next_before"] is None:
            break
        given["before"] = page["next_before"]
    return found


def _take(found: Replayed, page: dict[str, Any], tell: Any) -> None:
    for one in page["differences"]:
        tell(f"{one['decision_id']}  {one['answer']}: kept {one['kept']}, now {one['again']}")
    found.add(page)


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return count


def _time(text: str) -> str:
    """A time with its offset; ValueError otherwise, which argparse tells."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise argparse.ArgumentTypeError("a time with its offset, such as 2026-03-02T04:00Z")
    return at.isoformat()
