"""The SQL of policies: versions, and which of them is in force."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert

from services.risk.policies.models import policy_activations, policy_versions
from shared.kit.database import AnySession, Session

#: Part of what a decision begins with: grows with every activation, 0 before the first.
REVISION = (
    select(func.coalesce(func.max(policy_activations.c.activation_id), 0))
    .scalar_subquery()
    .label("policy_revision")
)


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version with its content: a JDM graph and tests, as they were written."""

    product: str
    version: str
    graph: Mapping[str, Any]
    tests: Mapping[str, Any]
    based_on: str | None
    note: str
    state: str
    author: str
    drafted_at: datetime
    proposed_at: datetime | None = None
    approved_by: str | None = None
    approved_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ActivationRow:
    product: str
    version: str
    action: str
    previous: str | None
    activated_by: str
    reason: str
    activated_at: datetime
    activation_id: int = 0


@dataclass(frozen=True, slots=True)
class InForce:
    """What a product's last activation names. `graph` is None where there is no such version."""

    product: str
    version: str
    graph: Mapping[str, Any] | None
    tests: Mapping[str, Any] | None


_LAST = (
    select(policy_activations)
    .ext(distinct_on(policy_activations.c.product))
    .order_by(policy_activations.c.product, policy_activations.c.activation_id.desc())
    .subquery("last")
)
_IN_FORCE = select(
    _LAST.c.product, _LAST.c.version, policy_versions.c.graph, policy_versions.c.tests
).select_from(
    _LAST.outerjoin(
        policy_versions,
        (policy_versions.c.product == _LAST.c.product)
        & (policy_versions.c.version == _LAST.c.version),
    )
)
_REVISION = select(REVISION)


async def revision(session: AnySession) -> int:
    """The number of the last activation of any product; 0 before the first."""
    return int((await session.execute(_REVISION)).scalar_one())


async def in_force(session: AnySession) -> list[InForce]:
    """What each product's last activation names; a product without one is left out."""
    rows = (await session.execute(_IN_FORCE)).all()
    return [InForce(row.product, row.version, row.graph, row.tests) for row in rows]


async def lock(session: Session, product: str) -> None:
    """One change of a product's versions at a time, until the transaction ends."""
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"),
        {"name": f"policy {product}"},
    )


async def version(session: AnySession, *, product: str, version: str) -> VersionRow | None:
    row = (await session.execute(_VERSION, {"of": product, "number": version})).first()
    return None if row is None else _version(row)


_VERSION = select(policy_versions).where(
    policy_versions.c.product == bindparam("of"),
    policy_versions.c.version == bindparam("number"),
)


async def versions_page(
    session: Session, *, product: str, before: str | None, limit: int
) -> list[VersionRow]:
    """Versions, the newest first; `before` is the last one of the page before."""
    of = policy_versions.c.product == product
    statement = select(policy_versions).where(of)
    if before is not None:
        place = select(policy_versions.c.place).where(of, policy_versions.c.version == before)
        statement = statement.where(policy_versions.c.place < place.scalar_subquery())
    statement = statement.order_by(policy_versions.c.place.desc()).limit(limit)
    return [_version(row) for row in (await session.execute(statement)).all()]


async def numbers(session: Session, product: str) -> list[str]:
    """Every version's number, the oldest first."""
    statement = (
        select(policy_versions.c.version)
        .where(policy_versions.c.product == product)
        .order_by(policy_versions.c.place)
    )
    return list((await session.execute(statement)).scalars())


async def insert_version(session: Session, row: VersionRow) -> bool:
    """False where the version is there already."""
    values = {name: getattr(row, name) for name in VersionRow.__slots__}
    statement = (
        upsert(policy_versions)
        .values(values)
        .on_conflict_do_nothing()
        .returning(policy_versions.c.version)
    )
    return (await session.execute(statement)).first() is not None


async def update_version(session: Session, row: VersionRow, **values: Any) -> VersionRow:
    """Change `values` of the version; what may change, and when, the database guards."""
    statement = (
        update(policy_versions)
        .where(policy_versions.c.product == row.product, policy_versions.c.version == row.version)
        .values(**values)
        .returning(*policy_versions.c)
    )
    return _version((await session.execute(statement)).one())


async def retire(session: Session, *, product: str, but: str) -> None:
    """No other version of the product than `but` is active any more."""
    statement = (
        update(policy_versions)
        .where(
            policy_versions.c.product == product,
            policy_versions.c.version != but,
            policy_versions.c.state == "active",
        )
        .values(state="retired")
    )
    await session.execute(statement)


async def insert_activation(session: Session, row: ActivationRow) -> None:
    values = {
        name: getattr(row, name) for name in ActivationRow.__slots__ if name != "activation_id"
    }
    await session.execute(insert(policy_activations).values(values))


async def last_activation(
    session: Session, *, product: str, version: str | None = None
) -> ActivationRow | None:
    """The product's last activation; of `version`, the last that was no roll-back."""
    statement = select(policy_activations).where(policy_activations.c.product == product)
    if version is not None:
        statement = statement.where(
            policy_activations.c.version == version, policy_activations.c.action != "roll_back"
        )
    statement = statement.order_by(policy_activations.c.activation_id.desc()).limit(1)
    row = (await session.execute(statement)).first()
    return None if row is None else _activation(row)


async def activations_page(
    session: Session, *, product: str, before: int | None, limit: int
) -> list[ActivationRow]:
    """The history, the newest first."""
    statement = select(policy_activations).where(policy_activations.c.product == product)
    if before is not None:
        statement = statement.where(policy_activations.c.activation_id < before)
    statement = statement.order_by(policy_activations.c.activation_id.desc()).limit(limit)
    return [_activation(row) for row in (await session.execute(statement)).all()]


def _version(row: Any) -> VersionRow:
    return VersionRow(**{name: getattr(row, name) for name in VersionRow.__slots__})


def _activation(row: Any) -> ActivationRow:
    return ActivationRow(**{name: getattr(row, name) for name in ActivationRow.__slots__})
