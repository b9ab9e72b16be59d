"""Use cases of clients: let one in by staff or by a software statement, change it, end it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from gateway.partners.domain import Partner, PartnerNotFound, check_keys, check_redirect_uri
from gateway.partners.repository import find_partner, insert_partner
from gateway.registrations import repository
from gateway.registrations.domain import (
    MAX_CLIENTS,
    SCOPES,
    Client,
    ClientNotFound,
    ClientOptions,
    TooManyClients,
    renewed,
)
from shared.contracts.events.audit import StaffActed
from shared.kit import outbox
from shared.kit.database import Session
from shared.kit.problems import Conflict

#: A partner that came in by a software statement alone.
STATEMENT_RATE_PER_MINUTE = 600


def first_client(partner: Partner) -> Client:
    """The client that a partner has from the beginning, under the partner's own id."""
    return Client(
        client_id=partner.partner_id,
        partner_id=partner.partner_id,
        name=partner.name,
        jwks=partner.jwks,
        redirect_uris=partner.redirect_uris,
        scopes=SCOPES,
        options=ClientOptions(),
        software_id=None,
        state="active",
        created_at=partner.created_at,
        updated_at=partner.updated_at,
    )


def check(client: Client) -> None:
    """Raises `KeysRefused`, `RedirectUriRefused`."""
    check_keys(client.jwks)
    for uri in client.redirect_uris:
        check_redirect_uri(uri)


async def register_client(
    session: Session, *, client: Client, staff_id: str, now: datetime
) -> Client:
    """A further client of a partner, by staff; the same again changes nothing.

    Raises `PartnerNotFound`, `KeysRefused`, `RedirectUriRefused`, `TooManyClients`, `Conflict`.
    """
    check(client)
    await _check_room(session, partner_id=client.partner_id)
    if not await repository.insert_client(session, client=client):
        stored = await get_client(session, client_id=client.client_id)
        if not stored.has_same_content(client):
            raise Conflict("Another client is registered under this id", field="client_id")
        return stored
    await tell(session, staff_id=staff_id, action="client.register", client=client, now=now)
    return client


async def register_software(
    session: Session,
    *,
    client: Client,
    partner_name: str,
    registration_token_hash: bytes,
    now: datetime,
) -> Client:
    """A client that a trusted directory vouches for; its partner is made where it is new.

    Raises as `register_client`.
    """
    check(client)
    partner = Partner(
        partner_id=client.partner_id,
        name=partner_name,
        jwks=client.jwks,
        redirect_uris=[],
        rate_limit_per_minute=STATEMENT_RATE_PER_MINUTE,
        state="active",
        created_at=now,
        updated_at=now,
    )
    await insert_partner(session, partner=partner)
    await _check_room(session, partner_id=client.partner_id)
    await repository.insert_client(
        session, client=client, registration_token_hash=registration_token_hash
    )
    await tell(session, staff_id="directory", action="client.register", client=client, now=now)
    return client


async def change_client(session: Session, *, client: Client, by: Client, now: datetime) -> Client:
    """Raises `KeysRefused`, `RedirectUriRefused`."""
    check(by)
    changed = renewed(client, by=by, now=now)
    await repository.store_client(session, client=changed)
    return changed


async def end_client(session: Session, *, client: Client, now: datetime) -> None:
    """Its tokens stop counting with the next call; its grants stay for the record."""
    await repository.store_client(session, client=replace(client, state="deleted", updated_at=now))


async def get_client(session: Session, *, client_id: str) -> Client:
    client = await repository.find_client(session, client_id=client_id)
    if client is None:
        raise ClientNotFound
    return client


async def clients_of(session: Session, *, partner_id: str) -> list[Client]:
    return await repository.clients_of(session, partner_id=partner_id)


async def trust_issuer(
    session: Session, *, issuer: str, jwks: Mapping[str, Any], staff_id: str, now: datetime
) -> None:
    """From now on the statements that these keys sign count. Raises `KeysRefused`."""
    check_keys(jwks)
    await repository.keep_issuer(session, issuer=issuer, jwks=jwks, now=now)
    event = StaffActed(
        service="gateway",
        staff_id=staff_id,
        action="software_issuer.trust",
        subject=issuer,
        reason="registered",
        at=now,
    )
    await outbox.add(session, source="gateway", now=now, events=[event])


async def tell(
    session: Session, *, staff_id: str, action: str, client: Client, now: datetime
) -> None:
    event = StaffActed(
        service="gateway",
        staff_id=staff_id,
        action=action,
        subject=client.client_id,
        reason=f"client of {client.partner_id}",
        at=now,
    )
    await outbox.add(session, source="gateway", now=now, events=[event])


async def _check_room(session: Session, *, partner_id: str) -> None:
    if await find_partner(session, partner_id=partner_id) is None:
        raise PartnerNotFound
    if await repository.count_clients(session, partner_id=partner_id) >= MAX_CLIENTS:
        raise TooManyClients(expected=f"at most {MAX_CLIENTS}")
