"""The SQL of identifiers."""

from collections.abc import Sequence

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert

from services.risk.identifiers.domain import Identifier, Kind
from services.risk.identifiers.models import customer_identifiers as identifiers
from services.risk.identifiers.models import identifier_key
from shared.kit.database import AnySession, Session


async def key(session: AnySession) -> bytes:
    """The key of the tokens."""
    row = (await session.execute(select(identifier_key.c.key))).one()
    return bytes(row.key)


async def lock(session: Session, customer_id: str) -> None:
    """One telling of a customer's identifiers at a time, until the transaction ends."""
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"),
        {"name": f"identifiers {customer_id}"},
    )


async def counts(session: Session, customer_id: str) -> dict[Kind, int]:
    """How many identifiers of each kind are known of a customer."""
    statement = (
        select(identifiers.c.kind, func.count().label("number"))
        .where(identifiers.c.customer_id == customer_id)
        .group_by(identifiers.c.kind)
    )
    rows = (await session.execute(statement)).all()
    return {row.kind: row.number for row in rows}


async def insert_new(session: Session, told: Sequence[Identifier]) -> list[Identifier]:
    """Keep those that were not known; they are the answer."""
    new = []
    for one in told:
        values = {column.name: getattr(one, column.name) for column in identifiers.c}
        statement = insert(identifiers).values(values).on_conflict_do_nothing()
        if (await session.execute(statement.returning(identifiers.c.value))).first() is not None:
            new.append(one)
    return new
