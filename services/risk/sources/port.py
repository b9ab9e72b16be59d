"""The port to the outside: whoever can be asked one question about one customer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol
from uuid import UUID

from shared.contracts.http.risk_sources import Purpose

Cause = Literal[
    "not_configured",
    "breaker_open",
    "deadline",
    "timeout",
    "connection",
    "refused",
    "status",
    "malformed",
    "too_large",
    "unknown_source",
    "mistake",
]


@dataclass(frozen=True, slots=True)
class Question:
    """`call_id` names the call in the bank's books, and in the source's bill."""

    call_id: UUID
    customer_id: str
    purpose: Purpose


class SourceFailed(Exception):
    """No usable answer. `charged`: whether the source will bill the call; None: not known."""

    def __init__(self, cause: Cause, *, charged: bool | None) -> None:
        super().__init__(cause)
        self.cause = cause
        self.charged = charged


class Connector(Protocol):
    async def ask(self, question: Question, *, timeout_s: float) -> Mapping[str, object]:
        """The source's answers, by the names of the table, within `timeout_s` from now on.

        Raises SourceFailed, and nothing else.
        """
        ...

    async def close(self) -> None: ...
