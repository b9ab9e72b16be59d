"""Signed request objects (RFC 9101) as FAPI 2.0 Message Signing narrows them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from gateway.tokens.assertions import check_signature
from gateway.tokens.jose import (
    Claims,
    PublicKey,
    Refused,
    algorithm_of,
    check_storable,
    parse_compact,
)
from gateway.tokens.times import check_not_ahead, numeric_date

#: Message Signing, 5.3.1: `nbf` at most this old, and `exp` at most so long after it.
MAX_AGE_S: Final = 3600.0
#: What the object says about itself; the rest are the request's parameters.
_OWN: Final = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti", "sub"})
#: RFC 9101, 10.8: with a type of its own no other signed object passes for a request.
_TYPES: Final = frozenset({None, "JWT", "jwt", "oauth-authz-req+jwt"})


def read_request_object(
    text: str, *, client_id: str, keys: Sequence[PublicKey], issuer: str, now: datetime
) -> Claims:
    """The parameters that the client signed. Raises `Refused`, saying what does not hold."""
    compact = parse_compact(text)
    algorithm_of(compact.header)
    if compact.header.get("typ") not in _TYPES:
        raise Refused("typ must be oauth-authz-req+jwt")
    check_signature(compact, keys)
    claims = compact.claims
    check_storable(claims)
    if claims.get("client_id") != client_id or claims.get("iss", client_id) != client_id:
        raise Refused("client_id, and iss where it is there, must be the client")
    audience = claims.get("aud")
    # Unlike a client assertion it may name others too: it is no credential.
    if audience != issuer and not (isinstance(audience, list) and issuer in audience):
        raise Refused(f"aud must be the issuer {issuer}")
    if "sub" in claims and claims["sub"] == client_id:
        raise Refused("sub must not be the client: it would be a client assertion")
    _check_times(claims, now.timestamp())
    if "request" in claims or "request_uri" in claims:
        raise Refused("it must not name another request")
    return {name: value for name, value in claims.items() if name not in _OWN}


def _check_times(claims: Claims, now_s: float) -> None:
    nbf, exp = numeric_date(claims, "nbf"), numeric_date(claims, "exp")
    if nbf is None or exp is None:
        raise Refused("nbf and exp are needed")
    if nbf < now_s - MAX_AGE_S:
        raise Refused("nbf lies more than an hour in the past")
    if exp > nbf + MAX_AGE_S:
        raise Refused("exp lies more than an hour after nbf")
    if exp <= now_s:
        raise Refused("it has expired")
    check_not_ahead(claims, "nbf", now_s=now_s)
    check_not_ahead(claims, "iat", now_s=now_s)
