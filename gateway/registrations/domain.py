"""Clients: the software of a partner that asks for tokens, and what it may register."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

from gateway.tokens.jose import ALGORITHMS
from shared.kit.problems import BankError

ClientState = Literal["active", "deleted"]
SignatureAlg = Literal["PS256", "ES256"]

#: What a client may ask for: the bank's own API, the standard's resources, who the customer is.
SCOPES: Final = ("consents", "payments", "accounts", "openid")
AUTH_METHOD: Final = "private_key_jwt"
GRANT_TYPES: Final = ("authorization_code", "refresh_token", "client_credentials")
MAX_CLIENTS: Final = 50


class ClientNotFound(BankError):
    status, code, title = 404, "client_not_found", "There is no such client"


class TooManyClients(BankError):
    status, code, title = 409, "too_many_clients", "The partner has as many clients as it may have"


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """What each client chooses for itself; the defaults are those of the security profile."""

    id_token_alg: SignatureAlg = "PS256"  # noqa: S105 - an algorithm
    response_alg: SignatureAlg = "PS256"
    introspection_alg: SignatureAlg = "PS256"
    #: Message Signing: its authorization requests count signed only.
    signed_requests: bool = False
    #: Its proofs need a nonce of this server.
    dpop_nonce: bool = False


@dataclass(frozen=True, slots=True)
class Client:
    """`jwks` holds public keys alone; `partner_state` is that of the partner behind it."""

    client_id: str
    partner_id: str
    name: str
    jwks: Mapping[str, Any]
    redirect_uris: Sequence[str]
    scopes: Sequence[str]
    options: ClientOptions
    software_id: str | None
    state: ClientState
    created_at: datetime
    updated_at: datetime
    partner_state: str = "active"
    rate_limit_per_minute: int = 0

    @property
    def is_active(self) -> bool:
        return self.state == "active" and self.partner_state == "active"

    def has_same_content(self, other: "Client") -> bool:
        """Whether `other` would register the very same client."""

        def content(one: Client) -> tuple[object, ...]:
            uris, scopes = list(one.redirect_uris), list(one.scopes)
            return (one.partner_id, one.name, one.jwks, uris, scopes, one.options, one.software_id)

        return content(self) == content(other)


def renewed(client: Client, *, by: Client, now: datetime) -> Client:
    """The client with what `by` says of name, keys, addresses, scopes and options."""
    return replace(
        client,
        name=by.name,
        jwks=by.jwks,
        redirect_uris=by.redirect_uris,
        scopes=by.scopes,
        options=by.options,
        updated_at=now,
    )


def known_scopes(asked: Sequence[str]) -> tuple[str, ...] | None:
    """The scopes in our order; None where one is unknown."""
    if not set(asked) <= set(SCOPES):
        return None
    return tuple(scope for scope in SCOPES if scope in asked)


def metadata_of(client: Client) -> dict[str, Any]:
    """The client as RFC 7591 names its parts."""
    options = client.options
    return {
        "client_id": client.client_id,
        "client_id_issued_at": int(client.created_at.timestamp()),
        "client_name": client.name,
        "jwks": dict(client.jwks),
        "redirect_uris": list(client.redirect_uris),
        "scope": " ".join(client.scopes),
        "grant_types": list(GRANT_TYPES),
        "response_types": ["code"],
        "token_endpoint_auth_method": AUTH_METHOD,
        "dpop_bound_access_tokens": True,
        "require_pushed_authorization_requests": True,
        "require_signed_request_object": options.signed_requests,
        "id_token_signed_response_alg": options.id_token_alg,
        "authorization_signed_response_alg": options.response_alg,
        "introspection_signed_response_alg": options.introspection_alg,
        **({"software_id": client.software_id} if client.software_id else {}),
    }


#: Members of a registration that must say what is so anyway, or be absent.
FIXED: Final[Mapping[str, frozenset[Any]]] = {
    "token_endpoint_auth_method": frozenset({AUTH_METHOD}),
    "token_endpoint_auth_signing_alg": frozenset(ALGORITHMS),
    "dpop_bound_access_tokens": frozenset({True}),
    "require_pushed_authorization_requests": frozenset({True}),
    "request_object_signing_alg": frozenset(ALGORITHMS),
    "subject_type": frozenset({"pairwise"}),
    "application_type": frozenset({"web", "native"}),
}
