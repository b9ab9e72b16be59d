"""Partners: third parties that the bank has let in, with their keys and their addresses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from gateway.tokens.assertions import import_key_set
from gateway.tokens.jose import Refused
from shared.kit.problems import BankError

PartnerState = Literal["active", "suspended"]

MAX_REDIRECT_URIS: Final = 10
MAX_URI_LENGTH: Final = 500


class PartnerNotFound(BankError):
    status, code, title = 404, "partner_not_found", "There is no such partner"


class KeysRefused(BankError):
    status, code, title = 422, "keys_refused", "The keys cannot be registered"


class RedirectUriRefused(BankError):
    status, code, title = 422, "redirect_uri_refused", "The address cannot be registered"


@dataclass(frozen=True, slots=True)
class Partner:
    """`jwks` holds public keys alone; `rate_limit_per_minute` 0 lets nothing pass."""

    partner_id: str
    name: str
    jwks: Mapping[str, Any]
    redirect_uris: Sequence[str]
    rate_limit_per_minute: int
    state: PartnerState
    created_at: datetime
    updated_at: datetime
    #: The plan whose limits hold beside its own (`gateway/limits`).
    plan: str | None = None

    def has_same_content(self, other: "Partner") -> bool:
        """Whether `other` would register the very same partner."""
        return (self.name, self.jwks, list(self.redirect_uris), self.rate_limit_per_minute) == (
            other.name,
            other.jwks,
            list(other.redirect_uris),
            other.rate_limit_per_minute,
        )


def check_keys(jwks: Mapping[str, Any]) -> None:
    """Raises `KeysRefused`, naming the key and what is wrong with it."""
    try:
        import_key_set(jwks)
    except Refused as refusal:
        raise KeysRefused(f"jwks: {refusal}", field="jwks", expected=str(refusal)) from refusal


def check_redirect_uri(uri: str) -> None:
    """TLS, or plain http on this machine; no user, no fragment. Raises `RedirectUriRefused`."""
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise _refused("an address") from error
    if not uri.isascii() or not uri.isprintable() or " " in uri or len(uri) > MAX_URI_LENGTH:
        raise _refused(f"at most {MAX_URI_LENGTH} printable ASCII characters without spaces")
    if not host or parts.username is not None or parts.password is not None:
        raise _refused("a host, and no user")
    if "#" in uri or any(mark in parts.netloc for mark in ";,'\"*"):
        raise _refused("no fragment and a plain host")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise _refused("https, or http on a loopback address")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _refused(expected: str) -> RedirectUriRefused:
    return RedirectUriRefused(field="redirect_uris", expected=expected)
