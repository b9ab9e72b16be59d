"""SQL of clients, and of the directories that vouch for software."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects.postgresql import insert

from gateway.models import clients, partners, software_issuers
from gateway.registrations.domain import Client, ClientOptions
from shared.kit.database import Session

_COLUMNS = clients.c
_CLIENT = select(
    clients,
    partners.c.state.label("partner_state"),
    partners.c.rate_limit_per_minute,
).join(partners, partners.c.partner_id == _COLUMNS.partner_id)


def _client(row: Row[Any]) -> Client:
    return Client(
        client_id=row.client_id,
        partner_id=row.partner_id,
        name=row.name,
        jwks=row.jwks,
        redirect_uris=row.redirect_uris,
        scopes=row.scopes,
        options=ClientOptions(
            id_token_alg=row.id_token_alg,
            response_alg=row.response_alg,
            introspection_alg=row.introspection_alg,
            signed_requests=row.signed_requests,
            dpop_nonce=row.dpop_nonce,
        ),
        software_id=row.software_id,
        state=row.state,
        created_at=row.created_at,
        updated_at=row.updated_at,
        partner_state=row.partner_state,
        rate_limit_per_minute=row.rate_limit_per_minute,
    )


def _content(client: Client) -> dict[str, Any]:
    options = client.options
    return {
        "name": client.name,
        "jwks": dict(client.jwks),
        "redirect_uris": list(client.redirect_uris),
        "scopes": list(client.scopes),
        "id_token_alg": options.id_token_alg,
        "response_alg": options.response_alg,
        "introspection_alg": options.introspection_alg,
        "signed_requests": options.signed_requests,
        "dpop_nonce": options.dpop_nonce,
        "state": client.state,
        "updated_at": client.updated_at,
    }


async def insert_client(
    session: Session, *, client: Client, registration_token_hash: bytes | None = None
) -> bool:
    """False where a client with this id is there already."""
    statement = (
        insert(clients)
        .values(
            client_id=client.client_id,
            partner_id=client.partner_id,
            software_id=client.software_id,
            registration_token_hash=registration_token_hash,
            created_at=client.created_at,
            **_content(client),
        )
        .on_conflict_do_nothing()
        .returning(_COLUMNS.client_id)
    )
    return (await session.execute(statement)).first() is not None


async def find_client(session: Session, *, client_id: str) -> Client | None:
    row = (await session.execute(_CLIENT.where(_COLUMNS.client_id == client_id))).first()
    return _client(row) if row else None


async def find_registered(
    session: Session, *, client_id: str, registration_token_hash: bytes
) -> Client | None:
    """The client that this registration token manages; its row is locked."""
    statement = _CLIENT.where(
        _COLUMNS.client_id == client_id,
        _COLUMNS.registration_token_hash == registration_token_hash,
        _COLUMNS.state != "deleted",
    ).with_for_update(of=clients)
    row = (await session.execute(statement)).first()
    return _client(row) if row else None


async def store_client(session: Session, *, client: Client) -> None:
    statement = update(clients).where(_COLUMNS.client_id == client.client_id)
    await session.execute(statement.values(**_content(client)))


async def clients_of(session: Session, *, partner_id: str) -> list[Client]:
    statement = _CLIENT.where(_COLUMNS.partner_id == partner_id).order_by(_COLUMNS.client_id)
    return [_client(row) for row in await session.execute(statement)]


async def count_clients(session: Session, *, partner_id: str) -> int:
    statement = select(func.count()).where(
        _COLUMNS.partner_id == partner_id, _COLUMNS.state != "deleted"
    )
    return int((await session.execute(statement)).scalar_one())


async def keep_issuer(session: Session, *, issuer: str, jwks: Mapping[str, Any], now: Any) -> None:
    statement = insert(software_issuers).values(issuer=issuer, jwks=dict(jwks), created_at=now)
    await session.execute(
        statement.on_conflict_do_update(index_elements=["issuer"], set_={"jwks": dict(jwks)})
    )


async def issuer_keys(session: Session, *, issuer: str) -> dict[str, Any] | None:
    """The key set of a directory; None where it is not trusted."""
    statement = select(software_issuers.c.jwks).where(software_issuers.c.issuer == issuer)
    row = (await session.execute(statement)).first()
    return dict(row.jwks) if row else None
