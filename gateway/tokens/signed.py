"""What the bank signs for a client to verify: ID tokens, authorization responses, introspection.

Each carries `iss`, `aud` and its type's own claims, under the key of the algorithm that the client
registered.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from gateway.tokens.access import SigningKey
from gateway.tokens.jose import Claims, encode_base64url, sign_compact

ID_TOKEN_LIFETIME: Final = timedelta(minutes=5)
#: JARM, 2.1: ten minutes at the most.
RESPONSE_LIFETIME: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class SignIn:
    """How and when the customer showed who they are."""

    subject: str
    acr: str
    authenticated_at: datetime


def id_token(
    *,
    key: SigningKey,
    issuer: str,
    client_id: str,
    sign_in: SignIn,
    access_token: str,
    nonce: str | None,
    intent_id: str | None,
    now: datetime,
) -> str:
    """OpenID Connect Core, 2, with the consent's id where the request named one (OBIE)."""
    claims: Claims = {
        "iss": issuer,
        "sub": sign_in.subject,
        "aud": client_id,
        "iat": int(now.timestamp()),
        "exp": int((now + ID_TOKEN_LIFETIME).timestamp()),
        "auth_time": int(sign_in.authenticated_at.timestamp()),
        "acr": sign_in.acr,
        "at_hash": half_hash(access_token),
    }
    if nonce is not None:
        claims["nonce"] = nonce
    if intent_id is not None:
        claims["openbanking_intent_id"] = intent_id
    return _signed("JWT", claims, key)


def authorization_response(
    parameters: Mapping[str, str], *, key: SigningKey, issuer: str, client_id: str, now: datetime
) -> str:
    """JARM, 2.1: `parameters` as claims, with the issuer inside."""
    claims = {
        **parameters,
        "iss": issuer,
        "aud": client_id,
        "exp": int((now + RESPONSE_LIFETIME).timestamp()),
    }
    return _signed("JWT", claims, key)


def introspection_response(
    answer: Mapping[str, Any], *, key: SigningKey, issuer: str, client_id: str, now: datetime
) -> str:
    """RFC 9701, 5: the answer under a claim of its own, so that it is no token by itself."""
    claims = {
        "iss": issuer,
        "aud": client_id,
        "iat": int(now.timestamp()),
        "token_introspection": dict(answer),
    }
    return _signed("token-introspection+jwt", claims, key)


def half_hash(value: str) -> str:
    """The left half of SHA-256 (OpenID Connect Core, 3.1.3.6); all our algorithms use SHA-256."""
    return encode_base64url(hashlib.sha256(value.encode()).digest()[:16])


def _signed(kind: str, claims: Claims, key: SigningKey) -> str:
    header = {"typ": kind, "kid": key.kid}
    return sign_compact(header, claims, key=key.key, algorithm=key.algorithm)
