"""The bank's own payment consents, authorized by the authorization-code flow.

A partner creates one at `/v1/payment-consents` and names it in its authorization request (scope
`payments`, `openbanking_intent_id`); the customer confirms payee and limit with a code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from gateway.consents import domain, service
from gateway.consents.domain import PaymentConsent
from gateway.consents.repository import find_consent
from gateway.grants.kinds import ConsentRefused, Described
from gateway.pages.domain import code_messages
from gateway.registrations.domain import Client
from shared.kit.database import Session
from shared.kit.money import format_minor
from shared.kit.problems import BankError


@dataclass(frozen=True, slots=True)
class PaymentConsents:
    """`ConsentKind` over `gateway/consents`."""

    name: str = domain.GRANT_KIND
    scope: str = "payments"
    by_intent: bool = True

    async def is_open(
        self, session: Session, *, consent_id: str | None, client: Client, now: datetime
    ) -> bool:
        consent = await _find(session, consent_id)
        return (
            consent is not None
            and consent.partner_id == client.partner_id
            and consent.state(now=now) == "awaiting_authorization"
        )

    async def describe(
        self, session: Session, *, consent_id: str | None, client: Client, now: datetime
    ) -> Described:
        consent = await _get(session, consent_id)
        if not await self.is_open(session, consent_id=consent_id, client=client, now=now):
            raise ConsentRefused("The consent is not open any more")
        limit = format_minor(consent.limit_minor, consent.currency)
        return Described(
            purpose=(
                "从您的账户向下列收款人付款，可分多次，总额不超过限额",
                "Pay the payee below, at once or in parts, up to the limit in total",
            ),
            expires_at=consent.expires_at,
            facts=(
                (("总限额", "Limit in total"), (limit, limit)),
                (("收款人", "Payee"), (consent.payee_name, consent.payee_name)),
                (("收款账号", "Payee's account"), (consent.payee_account, consent.payee_account)),
            ),
            choose="one",
            currency=consent.currency,
            account_id=consent.debtor_account if consent.debtor_named else None,
            step_up=code_messages(
                partner_name=client.name,
                payee_name=consent.payee_name,
                limit_minor=consent.limit_minor,
                currency=consent.currency,
            ),
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
        consent = await _get(session, consent_id)
        if len(accounts) != 1:
            raise ConsentRefused("A payment consent has one account to pay from")
        try:
            await service.change(
                session,
                consent_id=consent.consent_id,
                to=lambda one: domain.authorize(
                    one, customer_id=customer_id, account_id=accounts[0], now=now
                ),
            )
        except BankError as error:
            raise ConsentRefused(error.detail) from error

    async def reject(
        self, session: Session, *, consent_id: str | None, customer_id: str, now: datetime
    ) -> None:
        consent = await _get(session, consent_id)
        try:
            await service.change(
                session,
                consent_id=consent.consent_id,
                to=lambda one: domain.reject(one, customer_id=customer_id, now=now),
            )
        except BankError as error:
            raise ConsentRefused(error.detail) from error

    async def revoke(self, session: Session, *, consent_id: str | None, now: datetime) -> None:
        consent = await _get(session, consent_id)
        if consent.state(now=now) == "authorized":
            await service.change(
                session,
                consent_id=consent.consent_id,
                to=lambda one: domain.revoke(one, now=now),
            )


async def _find(session: Session, consent_id: str | None) -> PaymentConsent | None:
    try:
        known = UUID(consent_id or "")
    except ValueError:
        return None
    return await find_consent(session, consent_id=known)


async def _get(session: Session, consent_id: str | None) -> PaymentConsent:
    consent = await _find(session, consent_id)
    if consent is None:
        raise ConsentRefused("The consent is not known")
    return consent
