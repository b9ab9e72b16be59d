"""Registration by software statement, step by step, and its management (RFC 7591, 7592)."""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from gateway.oauth.domain import used_id_hash
from gateway.oauth.repository import use_id
from gateway.partners.domain import KeysRefused, RedirectUriRefused
from gateway.registrations import repository, service
from gateway.registrations.domain import Client, TooManyClients, metadata_of
from gateway.registrations.statements import (
    MAX_AGE_S,
    REGISTRATION_PATH,
    RedirectRefused,
    RegistrationRefused,
    Statement,
    StatementRefused,
    StatementUnapproved,
    claimed_issuer,
    read_registration,
    read_statement,
)
from shared.kit.database import Session
from shared.kit.problems import BankError

TOKEN_BYTES = 32


class RegistrationUnknown(BankError):
    status, code, title = 401, "registration_unknown", "The registration token opens nothing"


async def register(
    session: Session, *, body: Mapping[str, Any], client_id: str, issuer: str, now: datetime
) -> dict[str, Any]:
    """A new client, with the token that manages it, shown once. Raises an `OAuthError`."""
    statement = await _statement(session, body=body, now=now)
    used = used_id_hash(kind="statement", owner=statement.issuer, jti=statement.jti)
    kept_until = now + timedelta(seconds=2 * MAX_AGE_S)
    if not await use_id(session, id_hash=used, kept_until=kept_until):
        raise StatementRefused("software_statement: it was used before")
    client = read_registration(body, statement=statement, client_id=client_id, now=now)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    try:
        await service.register_software(
            session,
            client=client,
            partner_name=statement.partner_name,
            registration_token_hash=token_hash(token),
            now=now,
        )
    except RedirectUriRefused as error:
        raise RedirectRefused(f"redirect_uris: {error.expected}") from error
    except (KeysRefused, TooManyClients) as error:
        raise RegistrationRefused(error.detail) from error
    return metadata_of(client) | {
        "registration_access_token": token,
        "registration_client_uri": f"{issuer}{REGISTRATION_PATH}/{client_id}",
    }


async def registered(session: Session, *, client_id: str, token: str) -> Client:
    """Raises `RegistrationUnknown`."""
    client = await repository.find_registered(
        session, client_id=client_id, registration_token_hash=token_hash(token)
    )
    if client is None:
        raise RegistrationUnknown(headers={"WWW-Authenticate": "Bearer"})
    return client


async def change(
    session: Session, *, client_id: str, token: str, body: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """The client as a newer statement has it: new keys and addresses come in this way.

    Raises `RegistrationUnknown`, an `OAuthError`.
    """
    client = await registered(session, client_id=client_id, token=token)
    statement = await _statement(session, body=body, now=now)
    if (statement.software_id, statement.partner_id) != (client.software_id, client.partner_id):
        raise StatementRefused("software_statement: it speaks of another software")
    wanted = read_registration(body, statement=statement, client_id=client_id, now=now)
    try:
        changed = await service.change_client(session, client=client, by=wanted, now=now)
    except RedirectUriRefused as error:
        raise RedirectRefused(f"redirect_uris: {error.expected}") from error
    except KeysRefused as error:
        raise RegistrationRefused(error.detail) from error
    return metadata_of(changed)


async def end(session: Session, *, client_id: str, token: str, now: datetime) -> None:
    """Raises `RegistrationUnknown`."""
    client = await registered(session, client_id=client_id, token=token)
    await service.end_client(session, client=client, now=now)


async def _statement(session: Session, *, body: Mapping[str, Any], now: datetime) -> Statement:
    text = body.get("software_statement")
    if not isinstance(text, str):
        raise StatementRefused("software_statement is missing")
    jwks = await repository.issuer_keys(session, issuer=claimed_issuer(text))
    if jwks is None:
        raise StatementUnapproved("software_statement: its issuer is not trusted here")
    return read_statement(text, jwks=jwks, now=now)


def token_hash(token: str) -> bytes:
    return sha256(b"registration:" + token.encode(errors="surrogatepass")).digest()
