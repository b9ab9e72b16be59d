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


def check_open(hold: HoldRow, *, now: datetime) -> None:
    """Only a placed hold can be captured, released or extended.

    Raises:
        HoldNotOpen: it is not; names the state that it is in.
    """
    state = hold.effective_state(now)
    if state != "placed":
        raise HoldNotOpen(f"The hold is {state}")


def captured_amount(hold: HoldRow, amount_minor: int | None) -> int:
    """What a capture moves, in minor units: the whole hold where no amount is named.

    Raises:
        HoldExceeded: more than was held.
    """
    wanted = hold.amount_minor if amount_minor is None else amount_minor
    if wanted > hold.amount_minor:
        raise HoldExceeded(
            field="amount_minor", expected=f"at most {hold.amount_minor}, which is held"
        )
    return wanted
