"""What a customer allows the bank to ask of outside sources, for which purpose and until when."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from shared.contracts.values import Contract, CustomerId, Localized, Reply

Source = Literal["bureau", "court", "tax", "telecom", "consumption"]
Purpose = Literal["credit", "account_opening"]


class SetSourceConsent(Contract):
    """Allow a source for one purpose, or take that back."""

    granted: bool
    until: datetime | None = Field(
        default=None,
        description="When it ends by itself; a year from now where it is absent, two at the most",
    )


class SourceAnswer(Reply):
    """One thing that the bank asks a source, and keeps: no other is kept."""

    name: str
    meaning: Localized


class SourceConsent(Reply):
    """`granted` is whether the bank may ask at this moment."""

    source: Source
    purpose: Purpose
    title: Localized
    purpose_text: Localized
    asks: list[SourceAnswer]
    kept_days: int = Field(description="So many days an answer is kept at the most")
    granted: bool
    stated_at: datetime | None
    until: datetime | None


class SourceConsentStatement(Reply):
    """What the customer once said; nothing of it is ever changed."""

    source: Source
    purpose: Purpose
    granted: bool
    stated_at: datetime
    until: datetime | None


class SourceConsents(Reply):
    """Every source that needs a consent, and what was said, the newest first."""

    customer_id: CustomerId
    items: list[SourceConsent]
    history: list[SourceConsentStatement]
