"""HTTP routes of identifiers, for the gateway on behalf of a customer."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from services.risk.identifiers import service
from services.risk.rings.domain import Rings
from shared.contracts.http import risk as contract
from shared.contracts.values import CustomerId
from shared.kit.app import Ctx
from shared.kit.auth import Caller, allow

Gateway = Annotated[Caller, Depends(allow("gateway"))]

router = APIRouter(prefix="/v1", tags=["identifiers"])


@router.put("/customers/{customer_id}/identifiers")
async def tell_identifiers(
    customer_id: Annotated[CustomerId, Path()],
    body: contract.TellIdentifiers,
    context: Ctx,
    caller: Gateway,
) -> contract.IdentifiersTold:
    """By what a customer is known: the device, the phone, the card. Again is the same as once."""
    async with context.database.transaction() as session:
        told = await service.tell(
            session, customer_id=customer_id, body=body, caller=caller, now=context.clock()
        )
    context.published()
    rings: Rings = context.resources["rings"]
    for one in told:
        rings.link(customer_id, (one.kind, one.value))
    return contract.IdentifiersTold(kinds=[one.kind for one in told])
