"""Settings of payments beyond those that every service has."""

from pydantic import Field

from shared.kit.settings import Settings


class PaymentsSettings(Settings):
    service: str = "payments"
    max_body_bytes: int = Field(default=1_000_000, ge=1_024)
    """A full batch of standing orders is about 0.3 MB."""
    risk_deadline_ms: int = Field(default=300, ge=10)
    """A decision that takes longer is taken as none, and the payment goes to review."""
    ledger_deadline_ms: int = Field(default=3_000, ge=10)
    resume_every_s: float = Field(default=1.0, gt=0)
