"""A lease: one process at a time does a thing; another takes over when it stops renewing."""

from datetime import datetime, timedelta

from sqlalchemy import or_, update
from sqlalchemy.dialects.postgresql import insert

from shared.kit.database import Session
from shared.kit.tables import leases


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


async def release(session: Session, *, name: str, owner: str, now: datetime) -> None:
    """Give the lease `name` back, where it is `owner`'s."""
    mine = (leases.c.name == name) & (leases.c.owner == owner)
    await session.execute(update(leases).where(mine).values(until=now))
