"""Nonces for proofs of possession (RFC 9449, 8): told from forged ones without being stored.

A nonce is the moment at which it was given out with a keyed hash over that moment, so that every
replica knows the nonces of the others and nothing is kept.
"""

import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from gateway.tokens.jose import Refused, decode_base64url, encode_base64url

NONCE_LIFETIME: Final = timedelta(minutes=3)
_MOMENT_BYTES: Final = 8
_HASH_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Nonces:
    """`required` refuses a proof without a nonce; else one that is there must hold."""

    secret: bytes = field(repr=False)
    required: bool

    def new(self, *, now: datetime) -> str:
        moment = int(now.timestamp()).to_bytes(_MOMENT_BYTES)
        return encode_base64url(moment + self._hash(moment))

    def good_until(self, nonce: object, *, now: datetime) -> datetime | None:
        """When the nonce ends; None for one that has ended, is forged, or is none at all."""
        if not isinstance(nonce, str) or len(nonce) > 64:
            return None
        try:
            raw = decode_base64url(nonce)
        except Refused:
            return None
        moment, found = raw[:_MOMENT_BYTES], raw[_MOMENT_BYTES:]
        if not hmac.compare_digest(found, self._hash(moment)):
            return None
        until = datetime.fromtimestamp(int.from_bytes(moment), UTC) + NONCE_LIFETIME
        return until if now < until else None

    def _hash(self, moment: bytes) -> bytes:
        return hmac.digest(self.secret, b"dpop-nonce:" + moment, sha256)[:_HASH_BYTES]
