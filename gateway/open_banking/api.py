"""Routes of UK Open Banking: account information."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel

from gateway import resources
from gateway.oauth.callers import public_url
from gateway.open_banking import domain as standard
from gateway.open_banking import flows, shapes, views
from gateway.open_banking.access.domain import Reading
from gateway.open_banking.callers import reading
from gateway.open_banking.domain import MEDIA_TYPE, PREFIX, Days, days_between
from gateway.open_banking.views import LocalMoment, one_page, page_links
from gateway.problems import answers
from shared.contracts.values import AccountId
from shared.kit.app import Context, Ctx

router = APIRouter(
    prefix=f"{PREFIX}/aisp",
    tags=["open banking"],
    responses=answers(401, 403, 429, 503, codes=("permission_missing",)),
)

Accounts = Annotated[Reading, Depends(reading("ReadAccountsBasic", "ReadAccountsDetail"))]
Balances = Annotated[Reading, Depends(reading("ReadBalances"))]
Transactions = Annotated[
    Reading, Depends(reading("ReadTransactionsBasic", "ReadTransactionsDetail"))
]
Beneficiaries = Annotated[
    Reading, Depends(reading("ReadBeneficiariesBasic", "ReadBeneficiariesDetail"))
]
StandingOrders = Annotated[
    Reading, Depends(reading("ReadStandingOrdersBasic", "ReadStandingOrdersDetail"))
]
Statements = Annotated[Reading, Depends(reading("ReadStatementsBasic", "ReadStatementsDetail"))]
Products = Annotated[Reading, Depends(reading("ReadProducts"))]
Parties = Annotated[Reading, Depends(reading("ReadParty"))]
OwnParty = Annotated[Reading, Depends(reading("ReadPartyPSU"))]
Page = Annotated[int, Query(ge=1, le=standard.MAX_PAGE)]
BookedFrom = Annotated[LocalMoment | None, Query(alias="fromBookingDateTime")]
BookedTo = Annotated[LocalMoment | None, Query(alias="toBookingDateTime")]
StatedFrom = Annotated[LocalMoment | None, Query(alias="fromStatementDateTime")]
StatedTo = Annotated[LocalMoment | None, Query(alias="toStatementDateTime")]


def said(document: BaseModel, *, status: int = 200) -> Response:
    """A document of the standard: members that are not there are left out."""
    content = document.model_dump_json(exclude_none=True)
    return Response(content, status_code=status, media_type=MEDIA_TYPE)


def address(request: Request, context: Context) -> str:
    return public_url(request, resources.of(context).settings.public_url)


def asked(request: Request) -> dict[str, str]:
    """The query beside the page, which the links of a list keep."""
    return {name: value for name, value in request.query_params.items() if name != "page"}


@router.get("/accounts", response_model=views.OBReadAccount6)
async def list_accounts(request: Request, context: Ctx, access: Accounts) -> Response:
    """The accounts that the customer chose to share."""
    accounts = await flows.readable_accounts(context, reading=access)
    has_details = "ReadAccountsDetail" in access.permissions
    found = [shapes.account_of(account, has_details=has_details) for account in accounts]
    links, meta = one_page(address(request, context))
    data = views.AccountData(Account=found)
    return said(views.OBReadAccount6(Data=data, Links=links, Meta=meta))


@router.get("/accounts/{account_id}", response_model=views.OBReadAccount6)
async def read_account(
    account_id: AccountId, request: Request, context: Ctx, access: Accounts
) -> Response:
    account = await flows.readable_account(context, reading=access, account_id=account_id)
    has_details = "ReadAccountsDetail" in access.permissions
    links, meta = one_page(address(request, context))
    data = views.AccountData(Account=[shapes.account_of(account, has_details=has_details)])
    return said(views.OBReadAccount6(Data=data, Links=links, Meta=meta))


@router.get("/balances", response_model=views.OBReadBalance1)
async def list_balances(request: Request, context: Ctx, access: Balances) -> Response:
    accounts = await flows.readable_accounts(context, reading=access)
    now = context.clock()
    found = [one for account in accounts for one in shapes.balances_of(account, now=now)]
    if not found:  # the standard knows no list of balances without any
        raise standard.ResourceNotFound("The customer shares no account any more")
    links, meta = one_page(address(request, context))
    data = views.BalanceData(Balance=found)
    return said(views.OBReadBalance1(Data=data, Links=links, Meta=meta))


@router.get("/accounts/{account_id}/balances", response_model=views.OBReadBalance1)
async def read_balances(
    account_id: AccountId, request: Request, context: Ctx, access: Balances
) -> Response:
    """What is booked (ITBD), and what can be spent after holds (ITAV)."""
    account = await flows.readable_account(context, reading=access, account_id=account_id)
    links, meta = one_page(address(request, context))
    data = views.BalanceData(Balance=shapes.balances_of(account, now=context.clock()))
    return said(views.OBReadBalance1(Data=data, Links=links, Meta=meta))


@router.get("/accounts/{account_id}/transactions", response_model=views.OBReadTransaction6)
async def list_transactions(
    account_id: AccountId,
    request: Request,
    context: Ctx,
    access: Transactions,
    booked_from: BookedFrom = None,
    booked_to: BookedTo = None,
    page: Page = 1,
) -> Response:
    """Booked entries in the order of posting, a hundred a page: what stands on a page stays."""
    days = days_between(booked_from, booked_to)
    return await _transactions(
        request, context, access=access, account_id=account_id, days=days, page=page
    )


async def _transactions(
    request: Request,
    context: Context,
    *,
    access: Reading,
    account_id: str,
    days: Days,
    page: int,
) -> Response:
    account = await flows.readable_account(context, reading=access, account_id=account_id)
    items, total = await flows.transactions(
        context, reading=access, account=account, asked=days, page=page
    )
    links, meta = page_links(
        address(request, context), asked(request), page=page, total=total, size=standard.PAGE_SIZE
    )
    data = views.TransactionData(Transaction=items)
    return said(views.OBReadTransaction6(Data=data, Links=links, Meta=meta))


@router.get("/beneficiaries", response_model=views.OBReadBeneficiary5)
async def list_beneficiaries(request: Request, context: Ctx, access: Beneficiaries) -> Response:
    """Whom the customer has paid, from whichever account."""
    found = await flows.beneficiaries(context, reading=access, account_id=None)
    links, meta = one_page(address(request, context))
    data = views.BeneficiaryData(Beneficiary=found)
    return said(views.OBReadBeneficiary5(Data=data, Links=links, Meta=meta))


@router.get("/accounts/{account_id}/beneficiaries", response_model=views.OBReadBeneficiary5)
async def read_beneficiaries(
    account_id: AccountId, request: Request, context: Ctx, access: Beneficiaries
) -> Response:
    await flows.readable_account(context, reading=access, account_id=account_id)
    found = await flows.beneficiaries(context, reading=access, account_id=account_id)
    links, meta = one_page(address(request, context))
    data = views.BeneficiaryData(Beneficiary=found)
    return said(views.OBReadBeneficiary5(Data=data, Links=links, Meta=meta))


@router.get("/standing-orders", response_model=views.OBReadStandingOrder6)
async def list_standing_orders(request: Request, context: Ctx, access: StandingOrders) -> Response:
    accounts = await flows.readable_accounts(context, reading=access)
    found = await flows.standing_orders(context, reading=access, accounts=accounts)
    links, meta = one_page(address(request, context))
    data = views.StandingOrderData(StandingOrder=found)
    return said(views.OBReadStandingOrder6(Data=data, Links=links, Meta=meta))


@router.get("/accounts/{account_id}/standing-orders", response_model=views.OBReadStandingOrder6)
async def read_standing_orders(
    account_id: AccountId, request: Request, context: Ctx, access: StandingOrders
) -> Response:
    account = await flows.readable_account(context, reading=access, account_id=account_id)
    found = await flows.standing_orders(context, reading=access, accounts=[account])
    links, meta = one_page(address(request, context))
    data = views.StandingOrderData(StandingOrder=found)
    return said(views.OBReadStandingOrder6(Data=data, Links=links, Meta=meta))


@router.get("/products", response_model=views.OBReadProduct2)
async def list_products(request: Request, context: Ctx, access: Products) -> Response:
    accounts = await flows.readable_accounts(context, reading=access)
    links, meta = one_page(address(request, context))
    data = views.ProductData(Product=[shapes.product_of(account) for account in accounts])
    return said(views.OBReadProduct2(Data=data, Links=links, Meta=meta))


@router.get("/accounts/{account_id}/product", response_model=views.OBReadProduct2)
async def read_product(
    account_id: AccountId, request: Request, context: Ctx, access: Products
) -> Response:
    account = await flows.readable_account(context, reading=access, account_id=account_id)
    links, meta = one_page(address(request, context))
    data = views.ProductData(Product=[shapes.product_of(account)])
    return said(views.OBReadProduct2(Data=data, Links=links, Meta=meta))


@router.get("/party", response_model=views.OBReadParty2)
async def read_own_party(request: Request, context: Ctx, access: OwnParty) -> Response:
    """The customer who gave the consent."""
    party = await flows.own_party(context, reading=access)
    links, meta = one_page(address(request, context))
    data = views.PartyData(Party=party)
    return said(views.OBReadParty2(Data=data, Links=links, Meta=meta))


@router.get("/accounts/{account_id}/party", response_model=views.OBReadParty2)
async def read_party(
    account_id: AccountId, request: Request, context: Ctx, access: Parties
) -> Response:
    """The account's owner."""
    account = await flows.readable_account(context, reading=access, account_id=account_id)
    found = await flows.parties(context, reading=access, account=account)
    links, meta = one_page(address(request, context))
    data = views.PartyData(Party=found[0])
    return said(views.OBReadParty2(Data=data, Links=links, Meta=meta))


@router.get("/accounts/{account_id}/parties", response_model=views.OBReadParty3)
async def list_parties(
    account_id: AccountId, request: Request, context: Ctx, access: Parties
) -> Response:
    """The account's owner, then who else may use it."""
    account = await flows.readable_account(context, reading=access, account_id=account_id)
    found = await flows.parties(context, reading=access, account=account)
    links, meta = one_page(address(request, context))
    data = views.PartiesData(Party=found)
    return said(views.OBReadParty3(Data=data, Links=links, Meta=meta))


@router.get("/accounts/{account_id}/statements", response_model=views.OBReadStatement2)
async def list_statements(
    account_id: AccountId,
    request: Request,
    context: Ctx,
    access: Statements,
    stated_from: StatedFrom = None,
    stated_to: StatedTo = None,
    page: Page = 1,
) -> Response:
    """A statement for every whole month since the account was opened, the youngest first."""
    account = await flows.readable_account(context, reading=access, account_id=account_id)
    items, total = await flows.statements(
        context, reading=access, account=account, first=stated_from, last=stated_to, page=page
    )
    links, meta = page_links(
        address(request, context),
        asked(request),
        page=page,
        total=total,
        size=standard.STATEMENT_PAGE_SIZE,
    )
    data = views.StatementData(Statement=items)
    return said(views.OBReadStatement2(Data=data, Links=links, Meta=meta))


@router.get(
    "/accounts/{account_id}/statements/{statement_id}", response_model=views.OBReadStatement2
)
async def read_statement(
    account_id: AccountId, statement_id: str, request: Request, context: Ctx, access: Statements
) -> Response:
    account = await flows.readable_account(context, reading=access, account_id=account_id)
    found = await flows.statement(
        context, reading=access, account=account, statement_id=statement_id
    )
    links, meta = one_page(address(request, context))
    data = views.StatementData(Statement=[found])
    return said(views.OBReadStatement2(Data=data, Links=links, Meta=meta))


@router.get(
    "/accounts/{account_id}/statements/{statement_id}/transactions",
    response_model=views.OBReadTransaction6,
)
async def list_statement_transactions(
    account_id: AccountId,
    statement_id: str,
    request: Request,
    context: Ctx,
    access: Transactions,
    page: Page = 1,
) -> Response:
    """The entries of a statement, as far as the consent shows entries."""
    account = await flows.readable_account(context, reading=access, account_id=account_id)
    days = flows.statement_days(context, account=account, statement_id=statement_id)
    return await _transactions(
        request, context, access=access, account_id=account_id, days=days, page=page
    )
