"""What a client may register by itself (RFC 7591): a directory's statement vouches for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, get_args

from gateway.oauth.domain import OAuthError
from gateway.registrations.domain import (
    FIXED,
    GRANT_TYPES,
    SCOPES,
    Client,
    ClientOptions,
    SignatureAlg,
    known_scopes,
)
from gateway.tokens.assertions import check_signature, import_key_set
from gateway.tokens.jose import Claims, Refused, algorithm_of, check_storable, parse_compact
from gateway.tokens.times import check_not_ahead, numeric_date

REGISTRATION_PATH: Final = "/oauth2/register"
#: A statement is for now; whoever got hold of an old one registers nothing by it.
MAX_AGE_S: Final = 3600.0
MAX_NAME: Final = 140


class RegistrationRefused(OAuthError):
    code, title = "oauth_invalid_client_metadata", "The registration does not hold"
    error = "invalid_client_metadata"


class RedirectRefused(OAuthError):
    code, title = "oauth_invalid_redirect_uri", "A redirect address cannot be registered"
    error = "invalid_redirect_uri"


class StatementRefused(OAuthError):
    code, title = "oauth_invalid_software_statement", "The software statement does not hold"
    error = "invalid_software_statement"


class StatementUnapproved(OAuthError):
    code, title = "oauth_unapproved_software_statement", "The bank does not trust this directory"
    error = "unapproved_software_statement"


@dataclass(frozen=True, slots=True)
class Statement:
    """What a directory says of a software and of the organization behind it."""

    issuer: str
    jti: str
    software_id: str
    partner_id: str
    partner_name: str
    name: str
    redirect_uris: tuple[str, ...]
    jwks: Mapping[str, Any]


def claimed_issuer(text: str) -> str:
    """Whose statement it says it is, so that the keys can be fetched. Raises `StatementRefused`."""
    try:
        claims = parse_compact(text).claims
        check_storable(claims)
    except Refused as refusal:
        raise StatementRefused(f"software_statement: {refusal}") from refusal
    issuer = claims.get("iss")
    if not isinstance(issuer, str):
        raise StatementRefused("software_statement: iss is missing")
    return issuer


def read_statement(text: str, *, jwks: Mapping[str, Any], now: datetime) -> Statement:
    """Checks a statement against its directory's keys. Raises `StatementRefused`."""
    try:
        compact = parse_compact(text)
        algorithm_of(compact.header)
        check_signature(compact, import_key_set(jwks))
        claims = compact.claims
        check_storable(claims)
        _check_times(claims, now.timestamp())
        software_jwks = claims.get("software_jwks")
        if not isinstance(software_jwks, dict):
            raise Refused("software_jwks is missing")
        import_key_set(software_jwks)
        uris = claims.get("software_redirect_uris")
        if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in uris):
            raise Refused("software_redirect_uris must list addresses")
        return Statement(
            issuer=str(claims["iss"]),
            jti=_claim(claims, "jti"),
            software_id=_claim(claims, "software_id", longest=40),
            partner_id=_claim(claims, "org_id", longest=40),
            partner_name=_claim(claims, "org_name"),
            name=_claim(claims, "software_client_name"),
            redirect_uris=tuple(uris),
            jwks=software_jwks,
        )
    except Refused as refusal:
        raise StatementRefused(f"software_statement: {refusal}") from refusal


def read_registration(
    body: Mapping[str, Any], *, statement: Statement, client_id: str, now: datetime
) -> Client:
    """The client that a request asks for, within what its statement allows.

    Raises `RegistrationRefused`, `RedirectRefused`.
    """
    for name, allowed in FIXED.items():
        if name in body and body[name] not in allowed:
            raise RegistrationRefused(f"{name} may be {' or '.join(sorted(map(str, allowed)))}")
    if not set(body.get("grant_types", ())) <= set(GRANT_TYPES):
        raise RegistrationRefused(f"grant_types may name: {' '.join(GRANT_TYPES)}")
    if body.get("response_types", ["code"]) != ["code"]:
        raise RegistrationRefused("response_types must be code alone")
    if "jwks_uri" in body:
        raise RegistrationRefused("jwks_uri is not fetched here: the statement holds the keys")
    if body.get("jwks", dict(statement.jwks)) != dict(statement.jwks):
        raise RegistrationRefused("jwks must be the keys of the statement")
    return Client(
        client_id=client_id,
        partner_id=statement.partner_id,
        name=statement.name,
        jwks=statement.jwks,
        redirect_uris=_redirect_uris(body, statement),
        scopes=_scopes(body),
        options=_options(body),
        software_id=statement.software_id,
        state="active",
        created_at=now,
        updated_at=now,
    )


def _check_times(claims: Claims, now_s: float) -> None:
    iat = numeric_date(claims, "iat")
    if iat is None or iat < now_s - MAX_AGE_S:
        raise Refused("iat is missing or more than an hour old")
    check_not_ahead(claims, "iat", now_s=now_s)
    exp = numeric_date(claims, "exp")
    if exp is not None and exp <= now_s:
        raise Refused("it has expired")


def _claim(claims: Claims, name: str, *, longest: int = MAX_NAME) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value.strip()) <= longest:
        raise Refused(f"{name} must be 1 to {longest} characters")
    return value.strip()


def _redirect_uris(body: Mapping[str, Any], statement: Statement) -> tuple[str, ...]:
    asked = body.get("redirect_uris", list(statement.redirect_uris))
    if not isinstance(asked, list) or not asked:
        raise RedirectRefused("redirect_uris must list addresses")
    if not set(map(str, asked)) <= set(statement.redirect_uris):
        raise RedirectRefused("redirect_uris may name those of the statement alone")
    return tuple(asked)


def _scopes(body: Mapping[str, Any]) -> tuple[str, ...]:
    scopes = known_scopes(str(body.get("scope") or "openid accounts").split())
    if not scopes:
        raise RegistrationRefused(f"scope may name: {' '.join(SCOPES)}")
    return scopes


def _options(body: Mapping[str, Any]) -> ClientOptions:
    def algorithm(name: str) -> SignatureAlg:
        value = body.get(name, "PS256")
        if value not in get_args(SignatureAlg):
            raise RegistrationRefused(f"{name} may be PS256 or ES256")
        return "ES256" if value == "ES256" else "PS256"

    return ClientOptions(
        id_token_alg=algorithm("id_token_signed_response_alg"),
        response_alg=algorithm("authorization_signed_response_alg"),
        introspection_alg=algorithm("introspection_signed_response_alg"),
        signed_requests=body.get("require_signed_request_object") is True,
        dpop_nonce=False,
    )
