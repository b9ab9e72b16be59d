"""The outside's half of the gateway: a partner's keys, assertions and proofs, made by hand.

Nothing here comes from the gateway's own code, so that a mistake there cannot hide itself.
"""

import hashlib
import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

#: RSA keys are slow to make; one pair serves every test.
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def b64(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8))


def new_key(kind: str = "ES256") -> Private:
    if kind == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    if kind == "PS256":
        return RSA_KEY
    return ed25519.Ed25519PrivateKey.generate()


def public_jwk(key: Private) -> dict[str, Any]:
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
    if isinstance(key, ec.EllipticCurvePrivateKey):
        point = key.public_key().public_numbers()
        return {
            "kty": "EC",
            "crv": "P-256",
            "x": b64(point.x.to_bytes(32)),
            "y": b64(point.y.to_bytes(32)),
        }
    return {"kty": "OKP", "crv": "Ed25519", "x": b64(key.public_key().public_bytes_raw())}


def thumbprint(key: Private) -> str:
    """RFC 7638: the required members in order, without spaces, through SHA-256."""
    required = json.dumps(public_jwk(key), sort_keys=True, separators=(",", ":"))
    return b64(hashlib.sha256(required.encode()).digest())


def raw_signature(key: Private, alg: str, signed: bytes) -> bytes:
    if alg == "none":
        return b""
    if isinstance(key, rsa.RSAPrivateKey):
        if alg == "RS256":
            return key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
        return key.sign(signed, pss, hashes.SHA256())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)
    return key.sign(signed)


def sign(key: Private, header: dict[str, Any], claims: dict[str, Any]) -> str:
    signed = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
    return f"{signed}.{b64(raw_signature(key, header.get('alg', ''), signed.encode()))}"


def alg_of(key: Private) -> str:
    if isinstance(key, rsa.RSAPrivateKey):
        return "PS256"
    return "ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "Ed25519"


def without(mapping: dict[str, Any], absent: str | None) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name != absent}


def proof(
    key: Private,
    *,
    method: str,
    url: str,
    now: datetime | None = None,
    token: str | None = None,
    header: dict[str, Any] | None = None,
    claims: dict[str, Any] | None = None,
    absent: str | None = None,
) -> str:
    """A DPoP proof; `header` and `claims` override, `absent` leaves one member out."""
    iat = int((now or datetime.now(UTC)).timestamp())
    whole = {"jti": str(uuid4()), "htm": method, "htu": url, "iat": iat}
    if token is not None:
        whole["ath"] = b64(hashlib.sha256(token.encode()).digest())
    top = {"typ": "dpop+jwt", "alg": alg_of(key), "jwk": public_jwk(key)} | (header or {})
    return sign(key, without(top, absent), without(whole | (claims or {}), absent))


def assertion(
    key: Private,
    *,
    client_id: str,
    issuer: str,
    now: datetime | None = None,
    header: dict[str, Any] | None = None,
    claims: dict[str, Any] | None = None,
    absent: str | None = None,
) -> str:
    """A client assertion; the same overrides as a proof has."""
    iat = int((now or datetime.now(UTC)).timestamp())
    whole = {
        "iss": client_id,
        "sub": client_id,
        "aud": issuer,
        "iat": iat,
        "exp": iat + 60,
        "jti": str(uuid4()),
    }
    top = {"alg": alg_of(key)} | (header or {})
    return sign(key, without(top, absent), without(whole | (claims or {}), absent))
