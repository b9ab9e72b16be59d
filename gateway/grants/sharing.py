"""Account sharing without a consent of its own: scope `accounts` alone.

The customer picks the accounts on the page; the grant itself is the record of what they agreed to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.grants.domain import MAX_LIFETIME
from gateway.grants.kinds import Described
from gateway.registrations.domain import Client
from shared.kit.database import Session


@dataclass(frozen=True, slots=True)
class Sharing:
    """`ConsentKind` for requests that name no consent."""

    name: str = "account_sharing"
    scope: str = "accounts"
    by_intent: bool = False

    async def is_open(
        self, _: Session, *, consent_id: str | None, client: Client, now: datetime
    ) -> bool:
        del client, now
        return consent_id is None

    async def describe(
        self, _: Session, *, consent_id: str | None, client: Client, now: datetime
    ) -> Described:
        del consent_id, client
        return Described(
            purpose=(
                "查看您所选账户的账号、币种与状态",
                "See number, currency and state of the accounts that you choose",
            ),
            expires_at=now + MAX_LIFETIME,
        )

    async def authorize(
        self,
        session: Session,
        *,
        consent_id: str | None,
        customer_id: str,
        accounts: Sequence[str],
        now: datetime,
    ) -> None:
        """The grant is all that there is to store."""

    async def reject(
        self, session: Session, *, consent_id: str | None, customer_id: str, now: datetime
    ) -> None:
        """Nothing was stored that could be rejected."""

    async def revoke(self, session: Session, *, consent_id: str | None, now: datetime) -> None:
        """The grant is revoked by whoever calls this."""
