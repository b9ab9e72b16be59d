"""A lease: one process at a time does a thing; another takes over when it stops renewing."""

import logging
from datetime import datetime, timedelta

from sqlalchemy import or_, update
from sqlalchemy.dialects.postgresql import insert

from shared.kit.database import Database, Session
from shared.kit.problems import Unavailable
from shared.kit.tables import leases

log = logging.getLogger(__name__)


async def hold(session: Session, *, name: str, owner: str, now: datetime, seconds: int) -> bool:
    """Take or renew the lease `name`; False where somebody else holds it."""
    statement = insert(leases).values(
        name=name, owner=owner, until=now + timedelta(seconds=seconds)
    )
    takeover = statement.on_conflict_do_update(
        index_elements=[leases.c.name],
        set_={
            "owner": owner,
            "until": statement.excluded.until,
        },
        where=or_(leases.c.owner == owner, leases.c.until <= now),
    ).returning(leases.c.name)
    return (await session.execute(takeover)).first() is not None


async def give_back(database: Database, *, name: str, owner: str, now: datetime) -> None:
    """End `owner`'s lease, if it has it: the next process need not wait for it to run out."""
    mine = (leases.c.name == name) & (leases.c.owner == owner) & (leases.c.until > now)
    try:
        async with database.transaction() as session:
            await session.execute(update(leases).where(mine).values(until=now))
    except Unavailable:
        log.warning("lease.not_given_back", extra={"lease": name})
