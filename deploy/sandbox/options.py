"""What a person may ask of the sandbox: environment variables, as `make sandbox` hands them on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from deploy.local.options import LocalError, Options, read_options
from deploy.local.programs import url_of

#: Where a client on this machine listens (RFC 8252), as the example in the documents does.
DEFAULT_REDIRECT_URI = "http://127.0.0.1:8765/callback"


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """`bank` are the settings of the bank itself."""

    bank: Options
    issuer: str
    redirect_uris: tuple[str, ...]
    #: The clients send their authorization requests signed only.
    signed_requests: bool


def read_sandbox_options(environment: Mapping[str, str]) -> SandboxOptions:
    """Raises LocalError that names the setting at fault."""
    bank = read_options(environment)
    issuer = _issuer(environment.get("PUBLIC_URL") or url_of("gateway", port=bank.port))
    nonce = environment.get("DPOP_NONCE") or "accepted"
    if nonce not in {"accepted", "required"}:
        raise LocalError(f"DPOP_NONCE={nonce} is neither accepted nor required")
    signed = environment.get("SIGNED_REQUESTS") or "0"
    if signed not in {"0", "1"}:
        raise LocalError(f"SIGNED_REQUESTS={signed} is neither 0 nor 1")
    return SandboxOptions(
        bank=replace(bank, gateway={"PUBLIC_URL": issuer, "DPOP_NONCE": nonce}),
        issuer=issuer,
        redirect_uris=_redirect_uris(environment.get("REDIRECT_URIS") or DEFAULT_REDIRECT_URI),
        signed_requests=signed == "1",
    )


def _issuer(value: str) -> str:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    bare = f"{parts.scheme}://{parts.hostname}" + (f":{port}" if port is not None else "")
    if parts.scheme not in {"http", "https"} or not parts.hostname or bare != value.lower():
        raise LocalError(f"PUBLIC_URL={value} is not an origin, as https://bank.example:8443 is")
    return value


def _redirect_uris(value: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(uri.strip() for uri in value.split(",") if uri.strip()))
    if not found:
        raise LocalError(f"REDIRECT_URIS={value} names no address")
    return found
