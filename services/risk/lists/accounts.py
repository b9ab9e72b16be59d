"""Use cases of the black list of accounts, each inside its caller's one transaction."""

from datetime import datetime

from services.risk.lists import repository, service
from services.risk.lists.domain import Entry
from shared.contracts.http import risk as contract
from shared.kit.auth import Caller
from shared.kit.database import Session
from shared.kit.problems import BankError


class AccountListed(BankError):
    status, code, title = 409, "account_listed", "The account is on the black list already"


class AccountNotListed(BankError):
    status, code, title = 404, "account_not_listed", "The account is not on the black list"


async def list_account(
    session: Session, *, body: contract.ListAccount, caller: Caller, now: datetime
) -> contract.ListedAccount:
    """Put an account on the black list. Raises AccountListed."""
    staff = caller.staff_id or caller.service
    entry = Entry("black", "account", body.account_id, body.reason, staff, now)
    try:
        await service.add(
            session, entry=entry, caller=caller, action="account.list", subject=body.account_id
        )
    except service.EntryExists as error:
        expected = "an account that is not listed yet"
        raise AccountListed(field="account_id", expected=expected) from error
    return _listed(entry)


async def unlist_account(
    session: Session, *, account_id: str, reason: str, caller: Caller, now: datetime
) -> contract.ListedAccount:
    """Take an account off the black list; what was listed. Raises AccountNotListed."""
    try:
        entry = await service.remove(
            session,
            name="black",
            kind="account",
            value=account_id,
            reason=reason,
            caller=caller,
            now=now,
            action="account.unlist",
            subject=account_id,
        )
    except service.EntryNotFound as error:
        raise AccountNotListed(f"Account {account_id} is not on the black list") from error
    return _listed(entry)


async def listed_accounts(
    session: Session, *, after: str | None, now: datetime, limit: int
) -> contract.ListedAccounts:
    """The black-listed accounts in the order of their numbers, `limit` a page."""
    place = None if after is None else ("account", after, "black")
    found = await repository.page(
        session, name="black", kind="account", after=place, now=now, limit=limit
    )
    return contract.ListedAccounts(items=[_listed(entry) for entry in found])


def _listed(entry: Entry) -> contract.ListedAccount:
    return contract.ListedAccount(
        account_id=entry.value,
        reason=entry.reason,
        listed_by=entry.listed_by,
        listed_at=entry.listed_at,
    )
