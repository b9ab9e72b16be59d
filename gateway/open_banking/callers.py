"""Who reads: a dependency that admits a call within a customer's consent, and notes it."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request

from gateway.oauth import service as oauth
from gateway.oauth.callers import GrantCaller, granted
from gateway.open_banking.access import service
from gateway.open_banking.access.domain import Access, Reading
from shared.kit.app import Ctx
from shared.kit.clock import new_id

Granted = Annotated[GrantCaller, Depends(granted("accounts"))]


def reading(*any_of: str) -> Callable[..., Awaitable[Reading]]:
    """A dependency that lets in clients whose consent has one of these permission codes.

    The consent is read anew for every call, so that what its customer takes back ends with the
    next one, at every replica; the look is kept in the same transaction.

    Raises as `granted`, and `PermissionMissing`.
    """

    async def dependency(request: Request, context: Ctx, caller: Granted) -> Reading:
        now = context.clock()
        account_id = request.path_params.get("account_id")
        async with context.database.transaction() as session:
            found = await service.admit(
                session,
                grant=caller.grant,
                partner_id=caller.partner_id,
                any_of=any_of,
                look=lambda consent_id: Access(
                    access_id=new_id(),
                    grant_id=caller.grant.grant_id,
                    consent_id=consent_id,
                    client_id=caller.client_id,
                    resource=request.scope["route"].path,
                    account_id=account_id if account_id in caller.grant.accounts else None,
                    interaction_id=request.state.interaction_id,
                    at=now,
                ),
                now=now,
            )
        if found is None:
            raise oauth.refused_token("the customer's consent has ended")
        return found

    return dependency
