"""Use cases of identifiers, each inside the one transaction that its caller opened."""

from collections.abc import Mapping
from datetime import datetime

from services.risk.identifiers import repository
from services.risk.identifiers.domain import MAX_PER_KIND, Identifier, Kind, token
from shared.contracts.events.risk import IdentifierLinked
from shared.contracts.http.risk import TellIdentifiers
from shared.kit import outbox
from shared.kit.auth import Caller
from shared.kit.database import AnySession, Session
from shared.kit.problems import BankError, Forbidden

SOURCE = "risk"
#: Where each kind is named in a request.
_FIELDS: Mapping[Kind, str] = {"device": "device_id", "phone": "phone", "card": "card"}


class TooManyIdentifiers(BankError):
    status, code = 409, "too_many_identifiers"
    title = "The customer is known by as many identifiers of this kind as are kept"


async def tell(
    session: Session,
    *,
    customer_id: str,
    body: TellIdentifiers,
    caller: Caller,
    now: datetime,
) -> list[Identifier]:
    """Keep by what a customer is known, and tell it on the bus: every replica's ring learns it.

    The answer is all that was told, tokens in place of numbers; what was known stays as it is.
    Raises TooManyIdentifiers, and Forbidden: the token speaks for another customer.
    """
    if caller.customer_id != customer_id:
        raise Forbidden(
            "The call speaks for another customer",
            field="customer_id",
            expected="the customer of the internal token",
        )
    await repository.lock(session, customer_id)
    told = [
        Identifier(customer_id, kind, await named(session, kind=kind, value=value), now)
        for kind, value in _named_in(body).items()
    ]
    new = await repository.insert_new(session, told)
    counts = await repository.counts(session, customer_id)
    for one in new:
        if counts[one.kind] > MAX_PER_KIND:
            raise TooManyIdentifiers(
                field=_FIELDS[one.kind], expected=f"at most {MAX_PER_KIND} of this kind"
            )
    events = [
        IdentifierLinked(customer_id=customer_id, kind=one.kind, value=one.value, at=now)
        for one in new
    ]
    await outbox.add(session, source=SOURCE, now=now, events=events)
    return told


async def named(session: AnySession, *, kind: str, value: str) -> str:
    """The value under which risk knows an entity: the token of a phone number or a card."""
    if kind not in {"phone", "card"}:
        return value
    return token(await repository.key(session), kind=kind, value=value)


def _named_in(body: TellIdentifiers) -> dict[Kind, str]:
    given = {kind: getattr(body, field) for kind, field in _FIELDS.items()}
    return {kind: value for kind, value in given.items() if value is not None}
