"""Settings of payments beyond those that every service has."""

from pydantic import Field

from shared.kit.settings import Settings


class PaymentsSettings(Settings):
    service: str = "payments"
    max_body_bytes: int = Field(default=1_000_000, ge=1_024)
    """A full batch of standing orders is about 0.3 MB."""
    risk_deadline_ms: int = Field(default=1_000, ge=10)
    """A decision that takes longer is taken as none, and the payment goes to review. A lone one
    takes some 5 ms; the rest is for a burst of requests on two cores, which is no reason to
    bother a reviewer."""
    ledger_deadline_ms: int = Field(default=5_000, ge=10)
    """The longest wait for one answer of the ledger; then the client comes again, or the worker."""
    resume_every_s: float = Field(default=1.0, gt=0)
