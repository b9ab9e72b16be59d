"""Kinds of consent: what a customer can agree to on the authorization page.

A kind owns its consents; the page asks it what to show, and tells it what the customer decided.
`register` is called once for each at start (`gateway/main.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, Protocol

from gateway.registrations.domain import Client
from shared.kit.database import Session
from shared.kit.problems import BankError

#: A text in Chinese and in English.
Words = tuple[str, str]


class ConsentRefused(BankError):
    status, code, title = 400, "consent_refused", "The consent cannot be authorized"


@dataclass(frozen=True, slots=True)
class Described:
    """What the page shows of a consent, and which accounts the customer may choose."""

    purpose: Words
    expires_at: datetime
    facts: Sequence[tuple[Words, Words]] = ()
    #: `one` account to pay from, `many` to share, `none` where no account belongs to it.
    choose: Literal["one", "many", "none"] = "many"
    #: Accounts in this currency alone.
    currency: str | None = None
    #: The account that the client named; the customer may choose no other.
    account_id: str | None = None
    #: The message that carries a one-time code, where signing in is not enough: it names payee
    #: and amount, so that the code counts for these alone (PSD2 RTS, article 5).
    step_up: Words | None = None


class ConsentKind(Protocol):
    """Every method runs inside the caller's transaction. All may raise `ConsentRefused`."""

    @property
    def name(self) -> str: ...

    @property
    def scope(self) -> str:
        """The scope whose requests this kind serves."""

    @property
    def by_intent(self) -> bool:
        """Whether the request must name a consent (`openbanking_intent_id`)."""

    async def is_open(
        self, session: Session, *, consent_id: str | None, client: Client, now: datetime
    ) -> bool:
        """Whether this kind has such a consent of this client, waiting for the customer."""

    async def describe(
        self, session: Session, *, consent_id: str | None, client: Client, now: datetime
    ) -> Described: ...

    async def authorize(
        self,
        session: Session,
        *,
        consent_id: str | None,
        customer_id: str,
        accounts: Sequence[str],
        now: datetime,
    ) -> None: ...

    async def reject(
        self, session: Session, *, consent_id: str | None, customer_id: str, now: datetime
    ) -> None: ...

    async def revoke(self, session: Session, *, consent_id: str | None, now: datetime) -> None:
        """The grant was taken back: so is the consent, where it is still open."""


@dataclass(frozen=True, slots=True)
class _Registry:
    kinds: dict[str, ConsentKind] = field(default_factory=dict)


_REGISTRY: Final = _Registry()


def register(*kinds: ConsentKind) -> None:
    """Makes the kinds known; again is the same as once."""
    _REGISTRY.kinds.update({kind.name: kind for kind in kinds})


def named(name: str) -> ConsentKind:
    return _REGISTRY.kinds[name]


async def kind_of(
    session: Session,
    *,
    scopes: Sequence[str],
    consent_id: str | None,
    client: Client,
    now: datetime,
) -> ConsentKind | None:
    """The kind that serves a request; None where it asks for no consent.

    Raises `ConsentRefused` where the request names a consent that is not there, needs one and
    names none, or asks for what two kinds serve.
    """
    wanted = {kind.scope for kind in _REGISTRY.kinds.values()} & set(scopes)
    if len(wanted) > 1:
        raise ConsentRefused("A request is for accounts or for payments, not for both")
    for kind in _REGISTRY.kinds.values():
        serves = kind.scope in wanted and kind.by_intent == (consent_id is not None)
        if serves and await kind.is_open(session, consent_id=consent_id, client=client, now=now):
            return kind
    if wanted or consent_id is not None:
        raise ConsentRefused("The consent is not known, not open, or missing")
    return None
