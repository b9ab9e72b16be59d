"""What a client reads of a customer's accounts, within the customer's grant."""

from gateway import clients
from gateway.grants.domain import CustomerGrant
from shared.contracts.http.ledger import Account
from shared.kit.app import Context


async def granted_accounts(context: Context, *, grant: CustomerGrant) -> list[Account]:
    """The accounts of the grant that the customer may still use, as the ledger has them now."""
    rights = await clients.account_rights(context, customer_id=grant.customer_id)
    allowed = [right for right in rights if right.account_id in set(grant.accounts)]
    found = await clients.accounts(context, rights=allowed)
    return [account for account in found if account is not None]
