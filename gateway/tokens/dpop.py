"""Proofs of possession: RFC 9449, checked as its section 4.3 lists."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from typing import Final
from urllib.parse import urlsplit

from gateway.tokens.jose import (
    Claims,
    Compact,
    Refused,
    encode_base64url,
    import_public_key,
    parse_compact,
    verify_signature,
)
from gateway.tokens.nonces import Nonces
from gateway.tokens.times import MAX_AGE_S, MAX_AHEAD_S, numeric_date

_PORTS: Final = {"https": 443, "http": 80}
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9._~-]")


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that holds, provided that its `jti` was not seen before for the same key."""

    thumbprint: str
    jti: str
    #: Until when the `jti` must be remembered: later the proof is too old by itself.
    kept_until: datetime
    #: Whether it carried a nonce of this server.
    has_nonce: bool = False


class NonceNeeded(Refused):
    """The proof lacks a nonce of this server, or carries one that is too old or not ours."""


def verify_proof(
    headers: Sequence[str],
    *,
    method: str,
    url: str,
    access_token: str | None,
    now: datetime,
    nonces: Nonces | None = None,
) -> Proof:
    """Checks the `DPoP` headers of one request.

    `url` is the request's URL as the public sees it; `access_token` is the token that the
    request presents, None at the token endpoint. Raises `Refused`, and `NonceNeeded` where
    `nonces` do not hold.
    """
    if len(headers) != 1:
        raise Refused("exactly one DPoP header is needed")
    compact = parse_compact(headers[0].strip())
    if compact.header.get("typ") != "dpop+jwt":
        raise Refused("typ must be dpop+jwt")
    thumbprint = _verified_by_own_key(compact)
    claims = compact.claims
    if claims.get("htm") != method:
        raise Refused("htm does not name the request's method")
    htu = claims.get("htu")
    if not isinstance(htu, str) or normalized(htu) != normalized(url):
        raise Refused("htu does not name the request's URL")
    if access_token is not None:
        _check_token_hash(claims, access_token)
    jti = claims.get("jti")
    if not isinstance(jti, str) or not jti:
        raise Refused("jti is missing")
    fresh_until = _fresh_until(claims, nonces, now)
    return Proof(
        thumbprint=thumbprint,
        jti=jti,
        kept_until=fresh_until or _kept_until(claims, now),
        has_nonce=fresh_until is not None,
    )


def normalized(url: str) -> str:
    """Scheme, host, port and path in one spelling (RFC 3986, 6.2.2 and 6.2.3), no query."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Refused("htu is not a URL") from error
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    if scheme not in _PORTS or not host or parts.username is not None:
        raise Refused("htu is not a URL of this bank")
    port = port if port is not None else _PORTS[scheme]
    return f"{scheme}://{host}:{port}{_ESCAPE.sub(_one_spelling, parts.path) or '/'}"


def token_hash(access_token: str) -> str:
    """The `ath` of a proof that accompanies this token."""
    return encode_base64url(hashlib.sha256(access_token.encode()).digest())


def _verified_by_own_key(compact: Compact) -> str:
    jwk = compact.header.get("jwk")
    if not isinstance(jwk, dict):
        raise Refused("the header holds no jwk")
    key = import_public_key(jwk)
    verify_signature(compact, key)
    return key.thumbprint


def _check_token_hash(claims: Claims, access_token: str) -> None:
    ath = claims.get("ath")
    expected = token_hash(access_token)
    if not isinstance(ath, str) or not compare_digest(ath.encode(), expected.encode()):
        raise Refused("ath does not belong to the access token")


def _fresh_until(claims: Claims, nonces: Nonces | None, now: datetime) -> datetime | None:
    """Until when the nonce is good; None where there is none and none is needed.

    A nonce of ours says when it was given out by our own clock, so `iat` need not (RFC 9449,
    11.1): a client whose clock is wrong gets through by it.
    """
    nonce = claims.get("nonce")
    if nonces is None or (nonce is None and not nonces.required):
        return None
    if numeric_date(claims, "iat") is None:
        raise Refused("iat is missing")
    until = nonces.good_until(nonce, now=now)
    if until is None:
        raise NonceNeeded("a fresh nonce of this server is needed")
    return until


def _kept_until(claims: Claims, now: datetime) -> datetime:
    iat = numeric_date(claims, "iat")
    if iat is None:
        raise Refused("iat is missing")
    now_s = now.timestamp()
    if iat > now_s + MAX_AHEAD_S:
        raise Refused("iat lies in the future")
    if iat < now_s - MAX_AGE_S:
        raise Refused("iat lies too far in the past")
    return datetime.fromtimestamp(iat, UTC) + timedelta(seconds=MAX_AGE_S + 1)


def _one_spelling(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if _UNRESERVED.fullmatch(character) else escape[0].upper()
