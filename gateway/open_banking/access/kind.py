"""Consents to see accounts as a kind that the authorization page can show and decide."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from gateway.grants.domain import MAX_LIFETIME
from gateway.grants.kinds import ConsentRefused, Described, Words
from gateway.grants.service import end_with_consent
from gateway.open_banking.access import domain, repository, service
from gateway.open_banking.access.domain import ACCOUNT_ACCESS, WORDS, DataAccessConsent
from gateway.registrations.domain import Client
from shared.kit.database import Session


async def find(
    session: Session, *, consent_id: str | None, kind: str, client: Client
) -> DataAccessConsent | None:
    """The client's own consent of this kind."""
    try:
        known = UUID(consent_id or "")
    except ValueError:
        return None
    consent = await repository.find_consent(session, consent_id=known)
    if consent is None or consent.kind != kind or consent.client_id != client.client_id:
        return None
    return consent


@dataclass(frozen=True, slots=True)
class AccountAccess:
    """`ConsentKind` over account-access consents."""

    name: str = ACCOUNT_ACCESS
    scope: str = "accounts"
    by_intent: bool = True

    async def is_open(
        self, session: Session, *, consent_id: str | None, client: Client, now: datetime
    ) -> bool:
        consent = await find(session, consent_id=consent_id, kind=self.name, client=client)
        return consent is not None and domain.may_be_authorized(consent, now=now)

    async def describe(
        self, session: Session, *, consent_id: str | None, client: Client, now: datetime
    ) -> Described:
        consent = await find(session, consent_id=consent_id, kind=self.name, client=client)
        if consent is None or not domain.may_be_authorized(consent, now=now):
            raise ConsentRefused("The consent is not open any more")
        return Described(
            purpose=(
                "查看您所选账户的下列信息",
                "See the following of the accounts that you choose",
            ),
            expires_at=consent.expires_at or now + MAX_LIFETIME,
            facts=(*_permissions(consent), *_period(consent)),
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
        changed = await service.change(
            session,
            consent_id=UUID(consent_id),
            to=lambda one: domain.authorized(
                one, customer_id=customer_id, accounts=accounts, now=now
            ),
        )
        if changed is None:
            raise ConsentRefused("The consent is not open to this customer")
        # Authorized anew: what was given before, perhaps over other accounts, is over.
        await end_with_consent(session, consent_kind=self.name, consent_id=str(consent_id))

    async def reject(
        self, session: Session, *, consent_id: str | None, customer_id: str, now: datetime
    ) -> None:
        await service.change(
            session,
            consent_id=UUID(consent_id),
            to=lambda one: domain.rejected(one, customer_id=customer_id, now=now),
        )

    async def revoke(self, session: Session, *, consent_id: str | None, now: datetime) -> None:
        await service.change(
            session,
            consent_id=UUID(consent_id),
            to=lambda one: domain.revoked(one, now=now),
        )


def _permissions(consent: DataAccessConsent) -> list[tuple[Words, Words]]:
    label = ("可以看到", "May see")
    return [(label, WORDS[code]) for code in consent.permissions]


def _period(consent: DataAccessConsent) -> list[tuple[Words, Words]]:
    named = (
        ("TransactionFromDateTime", ("交易起始日期", "Transactions from")),
        ("TransactionToDateTime", ("交易截止日期", "Transactions until")),
    )
    found = []
    for name, label in named:
        moment = consent.moment(name)
        if moment is not None:
            shown = moment.date().isoformat()
            found.append((label, (shown, shown)))
    return found
