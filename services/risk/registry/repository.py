"""The SQL of the registry: models without and with their bytes, and their history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from services.risk.registry.contents import Content
from services.risk.registry.models import model_changes, models
from shared.kit.database import AnySession, Session


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A registered model without its bytes; `sha256` is as decisions name it."""

    label: str
    product: str
    kind: str
    sha256: bytes
    checks: Mapping[str, Any]
    owner: str
    note: str
    valid_from: datetime
    valid_until: datetime | None
    state: str
    registered_by: str
    registered_at: datetime
    proposed_by: str | None = None
    proposed_at: datetime | None = None
    promoted_by: str | None = None
    promoted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChangeRow:
    product: str
    label: str
    action: str
    previous: str | None
    changed_by: str
    reason: str
    changed_at: datetime
    waived: Sequence[str] = ()
    change_id: int = 0


_COLUMNS = [models.c[one.name] for one in fields(ModelRow)]
_ALL = select(*_COLUMNS)
_ONE = _ALL.where(models.c.label == bindparam("label"))
_CONTENT = select(models.c.manifest, models.c.onnx).where(models.c.label == bindparam("label"))
_BY_SHA256 = (
    select(models.c.manifest, models.c.onnx)
    .where(models.c.sha256 == bindparam("sha256", type_=models.c.sha256.type))
    .limit(1)
)
_REVISION = select(func.coalesce(func.max(model_changes.c.change_id), 0))
_REFERENCES = select(models.c.label, models.c.reference).where(
    models.c.reference.is_not(None),
    or_(models.c.state == "champion", models.c.state == "challenger"),
)
#: What a replica serves: champions, challengers, and who was champion before.
_SERVING = _ALL.where(models.c.promoted_by.is_not(None) | (models.c.state == "challenger"))
#: By whom a champion was preceded when it was promoted; a roll-back says nothing of that.
_PRECEDED = (
    select(model_changes.c.label, model_changes.c.previous)
    .where(or_(model_changes.c.action == "seed", model_changes.c.action == "promote"))
    .order_by(model_changes.c.change_id)
)


async def revision(session: AnySession) -> int:
    """The number of the last change of any model; 0 before the first."""
    return int((await session.execute(_REVISION)).scalar_one())


async def lock(session: Session, product: str) -> None:
    """One change of a product's models at a time, until the transaction ends."""
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"),
        {"name": f"models {product}"},
    )


async def model(session: AnySession, label: str) -> ModelRow | None:
    row = (await session.execute(_ONE, {"label": label})).first()
    return None if row is None else _model(row)


async def content(session: AnySession, label: str) -> Content | None:
    """The bytes as they lie there, not checked."""
    row = (await session.execute(_CONTENT, {"label": label})).first()
    return None if row is None else _content(row)


async def content_by_sha256(session: AnySession, sha256: bytes) -> Content | None:
    """The bytes of a model that decisions name by this hash."""
    row = (await session.execute(_BY_SHA256, {"sha256": sha256})).first()
    return None if row is None else _content(row)


async def references(session: AnySession) -> dict[str, bytes]:
    """By label, the reference distributions of the models that score."""
    rows = (await session.execute(_REFERENCES)).all()
    return {row.label: bytes(row.reference) for row in rows}


async def reference(session: AnySession, label: str) -> bytes | None:
    statement = select(models.c.reference).where(models.c.label == label)
    row = (await session.execute(statement)).first()
    return None if row is None or row.reference is None else bytes(row.reference)


async def page(
    session: AnySession, *, product: str | None, limit: int, before: str | None = None
) -> list[ModelRow]:
    """Models, the newest first; `before` is the label of the last one of the page before."""
    statement = _ALL
    if product is not None:
        statement = statement.where(models.c.product == product)
    if before is not None:
        place = select(models.c.registered_at, models.c.label).where(models.c.label == before)
        statement = statement.where(
            func.row(models.c.registered_at, models.c.label) < place.scalar_subquery()
        )
    newest = (models.c.registered_at.desc(), models.c.label.desc())
    rows = (await session.execute(statement.order_by(*newest).limit(limit))).all()
    return [_model(row) for row in rows]


async def of_product(session: AnySession, product: str, *, state: str) -> list[ModelRow]:
    """The product's models in one state, the oldest first."""
    statement = _ALL.where(models.c.product == product, models.c.state == state)
    rows = (await session.execute(statement.order_by(models.c.registered_at))).all()
    return [_model(row) for row in rows]


async def serving(session: AnySession) -> tuple[list[ModelRow], dict[str, str | None]]:
    """Every model that may score, and the label of the champion before each that was one."""
    rows = (await session.execute(_SERVING)).all()
    preceded = {row.label: row.previous for row in (await session.execute(_PRECEDED)).all()}
    return [_model(row) for row in rows], preceded


async def insert_model(
    session: Session, row: ModelRow, *, content: Content, reference: bytes | None
) -> bool:
    """False where the label is taken."""
    values = {one.name: getattr(row, one.name) for one in fields(ModelRow)}
    values |= {"manifest": content.manifest, "onnx": content.onnx, "reference": reference}
    statement = upsert(models).values(values).on_conflict_do_nothing().returning(models.c.label)
    return (await session.execute(statement)).first() is not None


async def update_model(session: Session, row: ModelRow, **values: Any) -> ModelRow:
    """Change `values` of a model; what may change, and when, the database guards."""
    statement = (
        update(models).where(models.c.label == row.label).values(**values).returning(*_COLUMNS)
    )
    return _model((await session.execute(statement)).one())


async def insert_change(session: Session, row: ChangeRow) -> ChangeRow:
    """The change with its number."""
    names = [one.name for one in fields(ChangeRow) if one.name != "change_id"]
    values = {name: getattr(row, name) for name in names} | {"waived": list(row.waived)}
    statement = insert(model_changes).values(values).returning(*model_changes.c)
    return _change((await session.execute(statement)).one())


async def last_change(
    session: AnySession, *, product: str, actions: Sequence[str], label: str | None = None
) -> ChangeRow | None:
    """The product's last change of these kinds, of one model where it is named."""
    statement = select(model_changes).where(
        model_changes.c.product == product, model_changes.c.action.in_(actions)
    )
    if label is not None:
        statement = statement.where(model_changes.c.label == label)
    statement = statement.order_by(model_changes.c.change_id.desc()).limit(1)
    row = (await session.execute(statement)).first()
    return None if row is None else _change(row)


async def changes_page(
    session: AnySession, *, product: str, before: int | None, limit: int
) -> list[ChangeRow]:
    """The history, the newest first."""
    statement = select(model_changes).where(model_changes.c.product == product)
    if before is not None:
        statement = statement.where(model_changes.c.change_id < before)
    statement = statement.order_by(model_changes.c.change_id.desc()).limit(limit)
    return [_change(row) for row in (await session.execute(statement)).all()]


def _model(row: Any) -> ModelRow:
    values = {one.name: getattr(row, one.name) for one in fields(ModelRow)}
    return ModelRow(**values | {"sha256": bytes(row.sha256)})


def _change(row: Any) -> ChangeRow:
    return ChangeRow(**{one.name: getattr(row, one.name) for one in fields(ChangeRow)})


def _content(row: Any) -> Content:
    return Content(bytes(row.manifest), None if row.onnx is None else bytes(row.onnx))
