"""Signed objects and public keys, parsed strictly.

Only the algorithms of FAPI 2.0 exist here: PS256, ES256 and Ed25519, which a header may call
`EdDSA` (RFC 8037) or `Ed25519` (RFC 9864). The compact form is taken apart here and not by
joserfc, because its 512-byte bound on a header refuses proofs that carry a 4096-bit RSA key.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

#: Names that a header may carry, in the order in which the metadata lists them.
ALGORITHMS: Final = ("PS256", "ES256", "Ed25519", "EdDSA")
MIN_RSA_BITS: Final = 2048
#: Verifying costs time that grows with the key; nobody needs more.
MAX_RSA_BITS: Final = 8192
MAX_TOKEN_LENGTH: Final = 8192
_MEMBERS: Final = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})

Claims = dict[str, Any]
Key = RSAKey | ECKey | OKPKey


class Refused(Exception):
    """A key or a signed object that is not accepted; the message says why."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that may verify under `algorithms`; `thumbprint` is RFC 7638 with SHA-256."""

    kid: str | None
    key: Key
    algorithms: tuple[str, ...]
    thumbprint: str


@dataclass(frozen=True, slots=True)
class Compact:
    """A compact JWS taken apart, its signature not yet checked."""

    header: Claims
    claims: Claims
    signing_input: bytes
    signature: bytes


def encode_base64url(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def decode_base64url(text: str) -> bytes:
    """Strict: no padding, no other alphabet, no second spelling of the same bytes."""
    try:
        value = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as error:
        raise Refused("not base64url") from error
    if encode_base64url(value) != text:
        raise Refused("not base64url")
    return value


def parse_compact(token: str) -> Compact:
    """Takes a compact JWS apart. Raises `Refused`."""
    if len(token) > MAX_TOKEN_LENGTH:
        raise Refused("too long")
    parts = token.split(".")
    if len(parts) != 3:
        raise Refused("not a signed object in compact form")
    header = _json_object(decode_base64url(parts[0]))
    claims = _json_object(decode_base64url(parts[1]))
    if "crit" in header:
        raise Refused("carries critical header parameters that are not understood")
    signing_input = f"{parts[0]}.{parts[1]}".encode()
    return Compact(header, claims, signing_input, decode_base64url(parts[2]))


def check_storable(claims: Claims) -> None:
    """Refuses text that no database holds: NUL, and half of a surrogate pair.

    Inside a signed object the guard that looks at every body does not see it.
    """
    text = json.dumps(claims, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Refused("holds half of a surrogate pair") from error
    if "\\u0000" in text.replace("\\\\", ""):
        raise Refused("holds a NUL character")


def algorithm_of(header: Claims) -> str:
    """The header's `alg` if it is one of ours. Raises `Refused`."""
    name = header.get("alg")
    if not isinstance(name, str) or name not in ALGORITHMS:
        raise Refused(f"alg must be one of {', '.join(ALGORITHMS)}")
    return name


def verify_signature(compact: Compact, key: PublicKey) -> None:
    """Raises `Refused` unless `key` made the signature under the algorithm that is named."""
    name = algorithm_of(compact.header)
    if name not in key.algorithms:
        raise Refused("alg does not fit the key")
    algorithm = JWSRegistry.algorithms["Ed25519" if name == "EdDSA" else name]
    try:
        verified = algorithm.verify(compact.signing_input, compact.signature, key.key)
    except (JoseError, ValueError) as error:
        raise Refused("the signature cannot be verified") from error
    if not verified:
        raise Refused("the signature does not verify")


def import_public_key(jwk: Mapping[str, Any]) -> PublicKey:
    """A public key of one of our algorithms. Raises `Refused`, saying which member is wrong."""
    private = sorted(_PRIVATE_MEMBERS & jwk.keys())
    if private:
        raise Refused(f"holds private members ({', '.join(private)}): send public keys only")
    kty = jwk.get("kty")
    if not isinstance(kty, str) or kty not in _MEMBERS:
        raise Refused("kty must be RSA, EC or OKP")
    values = {"kty": kty}
    for member in _MEMBERS[kty]:
        value = jwk.get(member)
        if not isinstance(value, str) or len(value) > MAX_RSA_BITS:
            raise Refused(f"{member} is missing or is not text")
        values[member] = value
    algorithms = _algorithms(kty, jwk)
    kid = jwk.get("kid")
    if kid is not None and not (isinstance(kid, str) and 0 < len(kid) <= 128):
        raise Refused("kid must be 1 to 128 characters")
    key, thumbprint = _loaded(tuple(values.items()))
    return PublicKey(kid=kid, key=key, algorithms=algorithms, thumbprint=thumbprint)


def sign_compact(header: Claims, claims: Claims, *, key: Key, algorithm: str = "Ed25519") -> str:
    """A compact JWS of `claims` under one of our algorithms."""
    signed = ".".join(
        encode_base64url(json.dumps(part, separators=(",", ":")).encode())
        for part in ({"alg": algorithm, **header}, claims)
    )
    signature = JWSRegistry.algorithms[algorithm].sign(signed.encode(), key)
    return f"{signed}.{encode_base64url(signature)}"


def _json_object(value: bytes) -> Claims:
    try:
        parsed = json.loads(value, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused("does not hold JSON") from error
    if not isinstance(parsed, dict):
        raise Refused("does not hold a JSON object")
    return parsed


def _unique(pairs: list[tuple[str, Any]]) -> Claims:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("the same name twice")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _check_strength(values: dict[str, str]) -> None:
    if values["kty"] == "RSA":
        bits = int.from_bytes(decode_base64url(values["n"])).bit_length()
        if not MIN_RSA_BITS <= bits <= MAX_RSA_BITS:
            raise Refused(f"an RSA key must have {MIN_RSA_BITS} to {MAX_RSA_BITS} bits")
    elif values["kty"] == "EC" and values["crv"] != "P-256":
        raise Refused("crv must be P-256 for an EC key")
    elif values["kty"] == "OKP" and values["crv"] != "Ed25519":
        raise Refused("crv must be Ed25519 for an OKP key")


def _algorithms(kty: str, jwk: Mapping[str, Any]) -> tuple[str, ...]:
    possible = {"RSA": ("PS256",), "EC": ("ES256",), "OKP": ("Ed25519", "EdDSA")}[kty]
    named = jwk.get("alg")
    if named is not None and named not in possible:
        raise Refused(f"alg must be {' or '.join(possible)} for a key of type {kty}")
    if jwk.get("use", "sig") != "sig":
        raise Refused("use must be sig")
    return possible


@lru_cache(maxsize=2_048)
def _loaded(members: tuple[tuple[str, str], ...]) -> tuple[Key, str]:
    """The key of these members, and its thumbprint: a partner sends the same with each proof."""
    values = dict(members)
    _check_strength(values)
    key = _load(dict(values))
    return key, key.thumbprint()


def _load(values: dict[str, str | list[str]]) -> Key:
    key: Key
    try:
        if values["kty"] == "RSA":
            key = RSAKey.import_key(values)
        elif values["kty"] == "EC":
            key = ECKey.import_key(values)
        else:
            key = OKPKey.import_key(values)
        key.get_op_key("verify")
    except (JoseError, ValueError) as error:
        raise Refused("does not hold a valid key") from error
    return key
