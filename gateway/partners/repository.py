"""SQL of the partners."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.dialects.postgresql import insert

from gateway.models import partners
from gateway.partners.domain import Partner, PartnerState
from shared.kit.database import Session


def _partner(row: Row[Any]) -> Partner:
    return Partner(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it


async def insert_partner(session: Session, *, partner: Partner) -> bool:
    """False where a partner with this id is there already."""
    statement = (
        insert(partners)
        .values(
            partner_id=partner.partner_id,
            name=partner.name,
            jwks=dict(partner.jwks),
            redirect_uris=list(partner.redirect_uris),
            rate_limit_per_minute=partner.rate_limit_per_minute,
            state=partner.state,
            created_at=partner.created_at,
            updated_at=partner.updated_at,
        )
        .on_conflict_do_nothing()
        .returning(partners.c.partner_id)
    )
    return (await session.execute(statement)).first() is not None


async def find_partner(session: Session, *, partner_id: str) -> Partner | None:
    statement = select(partners).where(partners.c.partner_id == partner_id)
    row = (await session.execute(statement)).first()
    return _partner(row) if row else None


async def list_partners(session: Session, *, after: str | None, limit: int) -> list[Partner]:
    statement = select(partners).order_by(partners.c.partner_id).limit(limit)
    if after is not None:
        statement = statement.where(partners.c.partner_id > after)
    return [_partner(row) for row in await session.execute(statement)]


async def set_state(
    session: Session, *, partner_id: str, state: PartnerState, now: datetime
) -> Partner | None:
    """The partner after the change; None where there is none."""
    statement = (
        update(partners)
        .where(partners.c.partner_id == partner_id)
        .values(state=state, updated_at=now)
        .returning(partners)
    )
    row = (await session.execute(statement)).first()
    return _partner(row) if row else None
