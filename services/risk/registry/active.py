"""The models that score in this process, as the registry has them.

The registry is looked at each second, beside the decisions: loading a model takes longer than a
decision may. A change binds on every replica within that time. A model scores only while it is
valid, and only after its hash and its golden vectors agreed in this process. Where the champion
may not, the one before it goes on, and decisions are flagged; without any, what the engine has
for that: the scorecard, or no score.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, cast

from services.risk.engine import Engine
from services.risk.policies.domain import PRODUCTS, Product
from services.risk.registry import contents, repository, seeds
from services.risk.registry.domain import MAX_CHALLENGERS, is_valid
from services.risk.registry.repository import ModelRow
from services.risk.scorecards import Scorer
from services.risk.scoring import ModelRefused
from shared.kit.app import Context
from shared.kit.database import AnySession

log = logging.getLogger(__name__)

RETRY_S: Final = 1.0
#: What was refused is read again after so long: somebody may have repaired the database.
READ_AGAIN: Final = timedelta(seconds=30)
#: Flags of decisions that another model than the champion scored.
KEPT: Final = "model_reload_refused"
EXPIRED: Final = "model_expired"
#: Champions before the present one that are tried.
MOST_TRIED: Final = 4


@dataclass(frozen=True, slots=True)
class InUse:
    """What scores for a product, and what to flag."""

    model: Scorer | None
    flags: tuple[str, ...] = ()


class ActiveModels:
    """Keeps an engine's models as the registry has them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        #: The last change that was read; None: nothing was read yet.
        self.revision: int | None = None
        #: When to look again whatever the revision: something begins or ends to be valid.
        self._again_at: datetime | None = None
        self._loaded: dict[str, Scorer] = {}
        #: Why models that the registry has may not score, by label.
        self.refused: dict[str, str] = {}

    async def follow(self, session: AnySession, *, now: datetime) -> None:
        """Load what the registry has, where it has changed."""
        revision = await repository.revision(session)
        if revision == self.revision and (self._again_at is None or now < self._again_at):
            return
        rows, preceded = await repository.serving(session)
        by_label = {row.label: row for row in rows}
        self.refused = {}
        challengers: dict[str, Sequence[Scorer]] = {}
        for product in PRODUCTS:
            chain = _chain([row for row in rows if row.product == product], by_label, preceded)
            found = await self._first_of(session, chain, now=now)
            kept = self._in_use(product)
            if found.model is None and kept is not None and kept.label not in by_label:
                # what the process began with, where the registry says nothing of it
                found = InUse(kept, found.flags)
            self._use(product, found)
            rivals = await self._challengers(session, rows, product, now=now)
            if rivals:
                challengers[product] = rivals
        self._engine.shadows.challengers = challengers
        self._again_at = _next_look(rows, now=now, is_refused=bool(self.refused))
        self._forget(by_label)
        self.revision = revision

    def of(self, product: Product) -> InUse:
        """What scores for the product in this process."""
        engine = self._engine
        if product == "payment":
            return InUse(engine.model, engine.model_flags)
        return InUse(self._in_use(product), engine.credit_flags.get(product, ()))

    def challengers_of(self, product: Product) -> Sequence[Scorer]:
        return self._engine.shadows.challengers.get(product, ())

    async def _first_of(
        self, session: AnySession, chain: Sequence[ModelRow], *, now: datetime
    ) -> InUse:
        """The first that may score; the flag says why it is not the champion itself."""
        flags: tuple[str, ...] = ()
        for row in chain:
            if not is_valid(row.valid_from, row.valid_until, now=now):
                self.refused[row.label] = EXPIRED
                flags = flags or (EXPIRED,)
                continue
            model = await self._load(session, row)
            if model is not None:
                return InUse(model, flags)
            flags = flags or (KEPT,)
        return InUse(None, flags)

    async def _challengers(
        self, session: AnySession, rows: Sequence[ModelRow], product: Product, *, now: datetime
    ) -> list[Scorer]:
        wanted = [
            row
            for row in rows
            if row.product == product
            and row.state == "challenger"
            and is_valid(row.valid_from, row.valid_until, now=now)
        ]
        found = [await self._load(session, row) for row in wanted[:MAX_CHALLENGERS]]
        return [model for model in found if model is not None]

    async def _load(self, session: AnySession, row: ModelRow) -> Scorer | None:
        """The checked model, from memory where it was checked before; None where it is not whole.

        What is in memory stays good whatever happens to the database's bytes.
        """
        known = self._loaded.get(row.label) or self._engine_has(row)
        if known is not None:
            self._loaded[row.label] = known
            return known
        try:
            content = await repository.content(session, row.label)
            if content is None:
                raise ModelRefused("there is no such model")
            model = await asyncio.to_thread(contents.read, content)
            if (model.label, bytes.fromhex(model.sha256)) != (row.label, row.sha256):
                raise ModelRefused("this is another model than was registered")
        except ModelRefused as error:
            self.refused[row.label] = cause = str(error)
            log.error("model.refused", extra={"model": row.label, "cause": cause})  # noqa: TRY400
            return None
        self._loaded[row.label] = model
        return model

    def _engine_has(self, row: ModelRow) -> Scorer | None:
        """What the process has begun with, where that is the same one."""
        has = self._in_use(cast("Product", row.product))
        same = has is not None and (has.label, has.sha256) == (row.label, row.sha256.hex())
        return has if same else None

    def _in_use(self, product: Product) -> Scorer | None:
        if product == "payment":
            return self._engine.model
        return self._engine.credit_models.get(product)

    def _use(self, product: Product, found: InUse) -> None:
        before = self._in_use(product)
        engine = self._engine
        if product == "payment":
            engine.model = found.model
            # without a model that says all
            engine.model_flags = found.flags if found.model is not None else ()
        else:
            models = {name: it for name, it in engine.credit_models.items() if name != product}
            flags = {name: it for name, it in engine.credit_flags.items() if name != product}
            if found.model is not None:
                models[product] = found.model
                flags[product] = found.flags
            engine.credit_models, engine.credit_flags = models, flags
        if found.model is not before:
            label = None if found.model is None else found.model.label
            log.info("model.active", extra={"product": product, "model": label})

    def _forget(self, wanted: dict[str, ModelRow]) -> None:
        self._loaded = {name: it for name, it in self._loaded.items() if name in wanted}


def _chain(
    rows: Sequence[ModelRow], by_label: dict[str, ModelRow], preceded: dict[str, str | None]
) -> list[ModelRow]:
    """The champion, then who was champion before it, and so on; each once."""
    champion = next((row for row in rows if row.state == "champion"), None)
    found: list[ModelRow] = []
    label = None if champion is None else champion.label
    while label is not None and label in by_label and len(found) < MOST_TRIED:
        if by_label[label] in found:
            break
        found.append(by_label[label])
        label = preceded.get(label)
    return found


def _next_look(rows: Sequence[ModelRow], *, now: datetime, is_refused: bool) -> datetime | None:
    moments = [moment for row in rows for moment in (row.valid_from, row.valid_until)]
    ahead = [moment for moment in moments if moment is not None and moment > now]
    if is_refused:
        ahead.append(now + READ_AGAIN)
    return min(ahead, default=None)


@asynccontextmanager
async def following(
    context: Context, models: ActiveModels, *, folder: Path, every_s: float
) -> AsyncIterator[None]:
    """Plants the release's models and follows the registry beside the block; `/readyz` waits."""
    context.ready["models"] = lambda: models.revision is not None
    context.resources["models"] = models
    task = asyncio.create_task(_follow(context, models, folder, every_s), name="models")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _follow(context: Context, models: ActiveModels, folder: Path, every_s: float) -> None:
    is_planted = False
    while True:
        try:
            if not is_planted:
                async with context.database.transaction() as session:
                    await seeds.plant(session, folder=folder, now=context.clock())
                is_planted = True
            async with context.database.statement() as alone:
                await models.follow(alone, now=context.clock())
        except Exception as error:  # what is in use goes on
            log.warning("models.retry", extra={"cause": type(error).__name__})
            await asyncio.sleep(RETRY_S)
        await asyncio.sleep(every_s)


def models_of(context: Context) -> ActiveModels:
    """What the start-up has built."""
    return cast("ActiveModels", context.resources["models"])
