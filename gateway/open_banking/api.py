"""Routes of UK Open Banking: account information."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from gateway import resources
from gateway.oauth.callers import GrantCaller, granted, public_url
from gateway.open_banking import flows
from gateway.open_banking.views import OBReadAccount6, accounts_of
from gateway.problems import answers
from shared.kit.app import Ctx
from shared.kit.clock import new_id

PREFIX: Final = "/open-banking/v4.0"
INTERACTION: Final = "x-fapi-interaction-id"


async def interaction(request: Request) -> None:
    """The caller's id of this interaction comes back with the answer; without one it gets one."""
    given = request.headers.get(INTERACTION, "")
    try:
        told = str(UUID(given))
    except ValueError:
        told = str(new_id())
    request.state.answer_headers = {INTERACTION: told}


router = APIRouter(prefix=PREFIX, tags=["open banking"], dependencies=[Depends(interaction)])

AccountReader = Annotated[GrantCaller, Depends(granted("accounts"))]


@router.get("/aisp/accounts", response_model=OBReadAccount6, responses=answers(401, 403, 429))
async def list_accounts(request: Request, context: Ctx, caller: AccountReader) -> Response:
    """The accounts that the customer chose to share."""
    accounts = await flows.granted_accounts(context, grant=caller.grant)
    url = public_url(request, resources.of(context).settings.public_url)
    document = accounts_of(accounts, url=url).model_dump_json(exclude_none=True)
    return Response(document, media_type="application/json; charset=utf-8")
