"""Access tokens: JWTs of RFC 9068, bound to the partner's key by `cnf.jkt` (RFC 9449, 6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from joserfc.jwk import ECKey, OKPKey, RSAKey

from gateway.tokens.jose import (
    Claims,
    Key,
    PublicKey,
    Refused,
    import_public_key,
    parse_compact,
    sign_compact,
    verify_signature,
)
from gateway.tokens.times import numeric_date

TOKEN_LIFETIME: Final = timedelta(minutes=5)
#: A key signs for a day and verifies for as long as a token of its last second can live.
SIGNING_PERIOD: Final = timedelta(hours=24)
KEEP_PERIOD: Final = SIGNING_PERIOD + 2 * TOKEN_LIFETIME


#: What the bank signs in: access tokens in Ed25519, what clients verify as each of them chose.
BANK_ALGORITHMS: Final = ("Ed25519", "PS256", "ES256")


@dataclass(frozen=True, slots=True)
class SigningKey:
    kid: str
    key: Key
    created_at: datetime
    algorithm: str = "Ed25519"

    def public(self) -> PublicKey:
        return import_public_key(self.jwk())

    def jwk(self) -> dict[str, Any]:
        """The public half, as `/oauth2/jwks` shows it."""
        return {
            **self.key.as_dict(private=False),
            "kid": self.kid,
            "alg": self.algorithm,
            "use": "sig",
        }


@dataclass(frozen=True, slots=True)
class Grant:
    """What a valid token says: who may do what, with which key, until when."""

    client_id: str
    scopes: frozenset[str]
    thumbprint: str
    token_id: str
    expires_at: datetime
    #: The customer's grant that the token lives by; None where the client acts for itself.
    grant_id: UUID | None = None


def new_signing_key(*, now: datetime, algorithm: str = "Ed25519") -> SigningKey:
    """A fresh key under its own thumbprint as `kid`, so that no two are named alike.

    An RSA key takes a tenth of a second and more: make it on another thread.
    """
    key: Key
    if algorithm == "PS256":
        key = RSAKey.generate_key(2048)
    elif algorithm == "ES256":
        key = ECKey.generate_key("P-256")
    else:
        key = OKPKey.generate_key("Ed25519")
    return SigningKey(kid=key.thumbprint(), key=key, created_at=now, algorithm=algorithm)


def signing_key(keys: Sequence[SigningKey], *, now: datetime) -> SigningKey | None:
    """The youngest key that may still sign; None says that it is time for another."""
    live = [key for key in keys if now < key.created_at + SIGNING_PERIOD]
    return max(live, key=lambda key: key.created_at, default=None)


def issue_token(
    *,
    key: SigningKey,
    issuer: str,
    client_id: str,
    scopes: Sequence[str],
    thumbprint: str,
    token_id: str,
    now: datetime,
    subject: str | None = None,
    grant_id: UUID | None = None,
) -> str:
    """`subject` is the customer as this partner knows them; without one the client itself."""
    issued = int(now.timestamp())
    claims: Claims = {
        "iss": issuer,
        "sub": subject or client_id,
        "aud": issuer,
        "client_id": client_id,
        "scope": " ".join(scopes),
        "iat": issued,
        "exp": issued + int(TOKEN_LIFETIME.total_seconds()),
        "jti": token_id,
        "cnf": {"jkt": thumbprint},
    }
    if grant_id is not None:
        claims["grant_id"] = str(grant_id)
    return sign_compact({"typ": "at+jwt", "kid": key.kid}, claims, key=key.key)


def check_token(token: str, *, keys: Mapping[str, PublicKey], issuer: str, now: datetime) -> Grant:
    """Signature, type, issuer, audience and expiry. Raises `Refused`.

    The caller still compares `thumbprint` with the proof and asks whether the client is active.
    """
    compact = parse_compact(token)
    if compact.header.get("typ") != "at+jwt":
        raise Refused("it is not an access token")
    kid = compact.header.get("kid")
    key = keys.get(kid) if isinstance(kid, str) else None
    if key is None:
        raise Refused("it was not signed here")
    verify_signature(compact, key)
    claims = compact.claims
    expires = numeric_date(claims, "exp")
    if expires is None or expires <= now.timestamp():
        raise Refused("it has expired")
    if claims.get("iss") != issuer or claims.get("aud") != issuer:
        raise Refused("it was issued for another place")
    return Grant(
        client_id=str(claims["client_id"]),
        scopes=frozenset(str(claims["scope"]).split()),
        thumbprint=str(claims["cnf"]["jkt"]),
        token_id=str(claims["jti"]),
        expires_at=datetime.fromtimestamp(expires, UTC),
        grant_id=UUID(claims["grant_id"]) if "grant_id" in claims else None,
    )
