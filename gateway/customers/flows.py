"""What a customer asks of several services, or in words of their own."""

from contextlib import suppress
from uuid import NAMESPACE_URL, uuid5

from gateway import clients
from gateway.customers.views import (
    AccountList,
    Answers,
    MyAccount,
    SuitabilityQuestion,
    assessment_of,
    check_of,
)
from shared.contracts.http.advisor import Assessment, Suitability
from shared.kit.app import Context
from shared.kit.peers import PeerRefused


async def sign_out(context: Context, *, session_token: str) -> None:
    """Ends a session; one that has ended already stays ended."""
    with suppress(PeerRefused):
        await clients.sign_out(context, session_token=session_token)


async def my_accounts(context: Context, *, customer_id: str) -> AccountList:
    """The customer's accounts with their balances; rights to unknown accounts are left out."""
    rights = await clients.account_rights(context, customer_id=customer_id)
    accounts = await clients.accounts(context, rights=rights)
    return AccountList(
        items=[
            MyAccount(
                account_id=account.account_id,
                right=right.right,
                currency=account.currency,
                frozen=account.frozen,
                balance=account.balance,
            )
            for right, account in zip(rights, accounts, strict=True)
            if account is not None
        ]
    )


async def complete_assessment(
    context: Context, *, customer_id: str, body: Answers, key: str
) -> Assessment:
    # The same key makes the same id again, so that a repeated call is the same call inside.
    made = uuid5(NAMESPACE_URL, f"urn:tongbao:assessment:{customer_id}:{key}")
    return await clients.ask(
        context,
        "advisor",
        "POST",
        "/v1/assessments",
        customer_id=customer_id,
        reply=Assessment,
        body=assessment_of(body, customer_id=customer_id, assessment_id=body.assessment_id or made),
        idempotency_key=key,
    )


async def check_suitability(
    context: Context, *, customer_id: str, body: SuitabilityQuestion
) -> Suitability:
    return await clients.ask(
        context,
        "advisor",
        "POST",
        "/v1/suitability-checks",
        customer_id=customer_id,
        reply=Suitability,
        body=check_of(body, customer_id=customer_id),
    )
