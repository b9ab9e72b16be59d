"""Settings of the ledger beyond those that every service has."""

from pydantic import Field

from shared.kit.settings import Settings


class LedgerSettings(Settings):
    service: str = "ledger"
    max_body_bytes: int = Field(default=4_000_000, ge=1_024)
    """A full batch of transfers is about 0.4 MB."""
    expire_holds_every_s: float = Field(default=2.0, gt=0)
