"""The gateway's own settings beside the kit's."""

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from shared.kit.settings import Settings as KitSettings


class Settings(KitSettings):
    service: Literal["gateway"] = "gateway"
    public_url: str = "http://127.0.0.1:8080"
    """The origin under which partners and customers reach the gateway: issuer, `htu`, links."""
    payment_deadline_ms: int = Field(default=3_000, ge=100, le=10_000)
    """How long a payment may take from end to end before the partner is told to ask again."""
    dpop_nonce: Literal["accepted", "required"] = "accepted"
    """Whether every proof must carry a nonce of this server; a client may ask for it by itself."""
    customer_rate_limit_per_minute: int = Field(default=600, ge=0)
    webhooks_to_loopback: bool = False
    """Whether webhooks may go to this very machine, in plain http: for a demo and for tests."""
    sweep_after_s: float = Field(default=180.0, ge=0.0)
    """After this long a reservation without a final answer is looked into."""

    @field_validator("public_url")
    @classmethod
    def _is_origin(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an http(s) origin")
        if parts.path or parts.query or parts.fragment or parts.username:
            raise ValueError("must be an origin alone: no path, no trailing slash")
        return value

    @property
    def is_secure(self) -> bool:
        """Whether the public comes over TLS (which a proxy in front ends)."""
        return self.public_url.startswith("https://")
