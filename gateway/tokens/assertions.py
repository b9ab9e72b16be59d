"""Client assertions: `private_key_jwt` of RFC 7523 as FAPI 2.0 narrows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from gateway.tokens.jose import (
    Claims,
    Compact,
    PublicKey,
    Refused,
    algorithm_of,
    import_public_key,
    parse_compact,
    verify_signature,
)
from gateway.tokens.times import MAX_AHEAD_S, check_not_ahead, numeric_date

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#: An assertion is for now; one that is good for years is a password.
MAX_LIFETIME_S: Final = 600.0
MAX_KEYS: Final = 10


@dataclass(frozen=True, slots=True)
class Assertion:
    """An assertion that holds, provided that its `jti` was not used before by this client."""

    client_id: str
    jti: str
    kept_until: datetime


def claimed_client(assertion: str) -> str:
    """Whose assertion it says it is, so that the keys can be fetched. Raises `Refused`."""
    client = parse_compact(assertion).claims.get("sub")
    if not isinstance(client, str) or not client:
        raise Refused("sub is missing")
    if not (client.isascii() and client.isprintable()):
        raise Refused("sub names no client")
    return client


def verify_assertion(
    assertion: str, *, client_id: str, keys: Sequence[PublicKey], issuer: str, now: datetime
) -> Assertion:
    """Checks one assertion of `client_id` against its registered keys. Raises `Refused`."""
    compact = parse_compact(assertion)
    algorithm_of(compact.header)
    check_signature(compact, keys)
    claims = compact.claims
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        raise Refused("iss and sub must both be the client")
    # The value alone is accepted: an array that holds it too could be meant for others.
    if claims.get("aud") != issuer:
        raise Refused(f"aud must be the issuer {issuer} as a single string")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not jti:
        raise Refused("jti is missing")
    return Assertion(client_id=client_id, jti=jti, kept_until=_kept_until(claims, now))


def import_key_set(jwks: Mapping[str, Any]) -> tuple[PublicKey, ...]:
    """The public keys of a partner, each with a `kid` of its own. Raises `Refused`."""
    listed = jwks.get("keys")
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_KEYS:
        raise Refused(f"keys must list 1 to {MAX_KEYS} keys")
    keys = []
    for position, jwk in enumerate(listed):
        if not isinstance(jwk, dict):
            raise Refused(f"keys[{position}] is not an object")
        try:
            keys.append(import_public_key(jwk))
        except Refused as refusal:
            raise Refused(f"keys[{position}] {refusal}") from refusal
    if len(keys) > 1 and len({key.kid for key in keys}) != len(keys):
        raise Refused("every key needs a kid of its own")
    return tuple(keys)


def check_signature(compact: Compact, keys: Sequence[PublicKey]) -> None:
    """Raises `Refused` unless one of `keys` signed; a `kid` in the header chooses among them."""
    kid = compact.header.get("kid")
    candidates = [key for key in keys if kid is None or key.kid is None or key.kid == kid]
    if not candidates:
        raise Refused("kid names no registered key")
    for key in candidates:
        try:
            verify_signature(compact, key)
        except Refused:
            continue
        return
    raise Refused("the signature does not verify under a registered key")


def _kept_until(claims: Claims, now: datetime) -> datetime:
    now_s = now.timestamp()
    exp = numeric_date(claims, "exp")
    if exp is None:
        raise Refused("exp is missing")
    if exp <= now_s:
        raise Refused("it has expired")
    if exp > now_s + MAX_LIFETIME_S + MAX_AHEAD_S:
        raise Refused(f"exp may lie at most {MAX_LIFETIME_S:.0f} s ahead")
    check_not_ahead(claims, "iat", now_s=now_s)
    check_not_ahead(claims, "nbf", now_s=now_s)
    return datetime.fromtimestamp(exp, UTC) + timedelta(seconds=1)
