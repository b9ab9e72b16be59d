"""Routes of the registers: customers, account rights, reference records, the audit log."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from services.identity import service
from services.identity.domain import ALL_STAFF, KEEPS_CUSTOMERS
from shared.contracts.http import identity as http
from shared.contracts.values import AccountId, CustomerId
from shared.kit.app import Ctx
from shared.kit.auth import Caller, allow

router = APIRouter(tags=["registers"])

MAX_PAGE = 1_000

Keeper = Annotated[Caller, Depends(allow(roles=KEEPS_CUSTOMERS))]
Reader = Annotated[
    Caller,
    Depends(allow("gateway", "payments", "profiles", "advisor", "risk", roles=ALL_STAFF)),
]
StaffReader = Annotated[Caller, Depends(allow(roles=ALL_STAFF))]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]


@router.post("/v1/customers/bulk")
async def register_customers(
    body: http.RegisterCustomers, context: Ctx, caller: Keeper
) -> http.BulkCount:
    """Register up to 1,000 customers: all of them or none. The same again changes nothing."""
    async with context.database.transaction() as session:
        count = await service.register_customers(
            session, batch=body, caller=caller, now=context.clock()
        )
    context.published()
    return count


@router.get("/v1/customers")
async def list_customers(
    context: Ctx, _: StaffReader, after: CustomerId = "", limit: Limit = 100
) -> http.CustomerPage:
    """Customers by id, a page at a time."""
    async with context.database.transaction() as session:
        return await service.customer_page(session, after=after, limit=limit)


@router.get("/v1/customers/{customer_id}")
async def read_customer(customer_id: CustomerId, context: Ctx, _: Reader) -> http.Customer:
    async with context.database.transaction() as session:
        return await service.customer(session, customer_id=customer_id)


@router.post("/v1/account-rights/bulk")
async def grant_rights(body: http.GrantRights, context: Ctx, caller: Keeper) -> http.BulkCount:
    """Grant up to 1,000 rights: all of them or none. The same again changes nothing."""
    async with context.database.transaction() as session:
        count = await service.grant_rights(session, batch=body, caller=caller, now=context.clock())
    context.published()
    return count


@router.get("/v1/account-rights")
async def read_rights_of_account(
    account_id: AccountId, context: Ctx, _: Reader
) -> http.AccountRights:
    """Who may use an account."""
    async with context.database.transaction() as session:
        return await service.rights_of_account(session, account_id=account_id)


@router.get("/v1/customers/{customer_id}/account-rights")
async def read_rights_of_customer(
    customer_id: CustomerId, context: Ctx, _: Reader
) -> http.AccountRights:
    """Which accounts a customer may use."""
    async with context.database.transaction() as session:
        return await service.rights_of_customer(session, customer_id=customer_id)


@router.post("/v1/reference-records/bulk")
async def keep_records(body: http.ReferenceRecords, context: Ctx, caller: Keeper) -> http.BulkCount:
    """Keep up to 1,000 cards and loans: all of them or none. The same again changes nothing."""
    async with context.database.transaction() as session:
        count = await service.keep_records(session, batch=body, caller=caller, now=context.clock())
    context.published()
    return count


@router.get("/v1/customers/{customer_id}/reference-records")
async def read_records(
    customer_id: CustomerId, context: Ctx, _: Reader
) -> http.ReferenceRecordList:
    async with context.database.transaction() as session:
        return await service.records_of_customer(session, customer_id=customer_id)


@router.get("/v1/audit-entries")
async def list_audit_entries(
    context: Ctx,
    _: StaffReader,
    before: Annotated[str | None, Query(max_length=100)] = None,
    limit: Limit = 100,
) -> http.AuditPage:
    """What staff and operators did, in any service, newest first."""
    async with context.database.transaction() as session:
        return await service.audit_page(session, before=before, limit=limit)
