"""The life of a hold: placed, and then captured, released or expired, once and for good."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.kit.problems import BankError

HoldState = Literal["placed", "captured", "released", "expired"]


class HoldNotFound(BankError):
    status, code, title = 404, "hold_not_found", "There is no such hold"


class HoldExists(BankError):
    status, code, title = 409, "hold_exists", "Another hold has this id"


class HoldNotOpen(BankError):
    status, code, title = 409, "hold_not_open", "The hold is not placed any more"


class HoldExceeded(BankError):
    status, code, title = 422, "hold_exceeded", "A capture takes no more than was held"


@dataclass(frozen=True, slots=True)
class HoldRow:
    """A hold as stored; `amount_minor` is what it reserves while it is placed."""

    hold_id: UUID
    account_id: str
    destination_id: str
    amount_minor: int
    currency: str
    state: HoldState
    expires_at: datetime
    transfer_id: UUID | None
    body_hash: bytes

    def effective_state(self, now: datetime) -> HoldState:
        """A hold past its time is expired even before the sweep has freed its amount."""
        return "expired" if self.state == "placed" and self.expires_at <= now else self.state


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of one hold that was to be placed, in the words of `place_holds`.

    `hold` is the one that is stored, where there is one; `kept_in` the currency that differs.
    """

    outcome: str
    kept_in: str | None
    hold: HoldRow


@dataclass(frozen=True, slots=True)
class Capture:
    """A hold to be turned into a transfer; `amount_minor` is None for the whole of it."""

    hold_id: UUID
    transfer_id: UUID
    kind: str
    amount_minor: int | None
    reference: str | None
    body_hash: bytes


@dataclass(frozen=True, slots=True)
class Captured:
    """What became of one capture, in the words of `capture_holds`, and the hold as it is now.

    `fault_leg` is the place of the leg at fault, from 0: of the debit, then the credit.
    """

    outcome: str
    fault_leg: int | None
    hold: HoldRow | None


def check_open(hold: HoldRow, *, now: datetime) -> None:
    """Only a placed hold can be captured, released or extended.

    Raises:
        HoldNotOpen: it is not; names the state that it is in.
    """
    if hold.effective_state(now) != "placed":
        raise not_open(hold, now=now)


def not_open(hold: HoldRow, *, now: datetime) -> HoldNotOpen:
    return HoldNotOpen(f"The hold is {hold.effective_state(now)}")


def exceeded(held_minor: int) -> HoldExceeded:
    return HoldExceeded(field="amount_minor", expected=f"at most {held_minor}, which is held")
