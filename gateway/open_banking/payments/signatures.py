"""Detached signatures of payment writes (`x-jws-signature`): DPoP signs no body, this does.

RFC 7515, appendix F, with the header parameters of UK Open Banking; RFC 7797's unencoded payload
where `b64` is false, as the standard had it first.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from gateway.registrations.domain import Client
from gateway.tokens.access import SigningKey
from gateway.tokens.assertions import import_key_set
from gateway.tokens.jose import (
    Compact,
    Refused,
    algorithm_of,
    decode_base64url,
    encode_base64url,
    sign_compact,
    verify_signature,
)
from shared.kit.problems import BankError

HEADER: Final = "x-jws-signature"
CLAIM: Final = "http://openbanking.org.uk/"
ISSUED_AT: Final = f"{CLAIM}iat"
ISSUER: Final = f"{CLAIM}iss"
ANCHOR: Final = f"{CLAIM}tan"
REQUIRED: Final = (ISSUED_AT, ISSUER, ANCHOR)
_KNOWN: Final = frozenset({*REQUIRED, "b64"})
#: A signature is of this hour; a minute is allowed for clocks that differ.
MAX_AGE_S: Final = 3_600.0
MAX_AHEAD_S: Final = 60.0
MAX_LENGTH: Final = 4_096


class SignatureMissing(BankError):
    status, code, title = 400, "signature_missing", "Payment writes carry a signature of their body"


class SignatureMalformed(BankError):
    status, code, title = 400, "signature_malformed", "The signature is no detached JWS"


class SignatureClaimMissing(BankError):
    status, code, title = 400, "signature_claim_missing", "The signature's header lacks a claim"


class SignatureClaimRefused(BankError):
    status, code, title = 400, "signature_claim_refused", "A claim of the signature does not hold"


class SignatureRefused(BankError):
    status, code, title = 400, "signature_refused", "The signature does not verify"


def verify(value: str | None, *, body: bytes, client: Client, now: datetime) -> None:
    """Whether `value` is this client's signature of the very bytes of the body.

    Raises the `Signature…` error that says what is wrong.
    """
    if not value:
        raise SignatureMissing(field=HEADER, expected="a detached JWS of the body")
    parts = value.split(".")
    if len(value) > MAX_LENGTH or len(parts) != 3 or parts[1]:
        raise SignatureMalformed(field=HEADER, expected="header..signature")
    try:
        header = json.loads(decode_base64url(parts[0]))
        signature = decode_base64url(parts[2])
    except (ValueError, RecursionError, Refused) as error:
        raise SignatureMalformed(field=HEADER, expected="header..signature in base64url") from error
    if not isinstance(header, dict):
        raise SignatureMalformed(field=HEADER, expected="a header that is an object")
    _check_header(header, client=client, now=now)
    payload = body if header.get("b64") is False else encode_base64url(body).encode()
    compact = Compact(header, {}, parts[0].encode() + b"." + payload, signature)
    keys = [key for key in import_key_set(client.jwks) if key.kid == header["kid"]]
    if not keys:
        raise SignatureClaimRefused(field="kid", expected="a registered key's")
    try:
        verify_signature(compact, keys[0])
    except Refused as refusal:
        raise SignatureRefused(str(refusal), field=HEADER, expected=str(refusal)) from refusal


def _check_header(header: Mapping[str, Any], *, client: Client, now: datetime) -> None:
    for name in ("alg", "kid", "crit", *REQUIRED):
        if name not in header:
            raise SignatureClaimMissing(field=name, expected="to be there")
    try:
        algorithm_of(dict(header))
    except Refused as refusal:
        raise SignatureClaimRefused(field="alg", expected=str(refusal)) from refusal
    critical = header["crit"]
    named = {it for it in critical if isinstance(it, str)} if isinstance(critical, list) else set()
    # RFC 7515, 4.1.11: what is critical must be understood, and stand in the header.
    if not set(REQUIRED) <= named <= _KNOWN & header.keys() or len(named) != len(critical):
        raise SignatureClaimRefused(field="crit", expected=" ".join(REQUIRED))
    if "b64" in header and ("b64" not in named or not isinstance(header["b64"], bool)):
        raise SignatureClaimRefused(field="b64", expected="true or false, and critical")
    if header[ISSUER] != client.client_id:
        raise SignatureClaimRefused(field=ISSUER, expected="the client's identifier")
    if not isinstance(header[ANCHOR], str) or not header[ANCHOR]:
        raise SignatureClaimRefused(field=ANCHOR, expected="the name of a trust anchor")
    issued, now_s = header[ISSUED_AT], now.timestamp()
    is_number = isinstance(issued, int | float) and not isinstance(issued, bool)
    if not is_number or not now_s - MAX_AGE_S <= issued <= now_s + MAX_AHEAD_S:
        raise SignatureClaimRefused(field=ISSUED_AT, expected="a time of this hour, not ahead")


def signed(
    document: dict[str, Any], *, key: SigningKey, issuer: str, now: datetime
) -> tuple[bytes, str]:
    """The bytes of an answer, and the bank's detached signature of them."""
    header = {
        "typ": "JOSE",
        "cty": "application/json",
        "kid": key.kid,
        "crit": list(REQUIRED),
        ISSUED_AT: int(now.timestamp()),
        ISSUER: issuer,
        ANCHOR: issuer,
    }
    whole = sign_compact(header, document, key=key.key, algorithm=key.algorithm)
    head, payload, signature = whole.split(".")
    return decode_base64url(payload), f"{head}..{signature}"
