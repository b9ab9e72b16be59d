"""The model's files: read at start, and again whenever they change.

A changed model is checked as at start, beside the decisions. A sound one takes over with the
next decision; where it is not, the one before goes on, and decisions are flagged.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from services.risk import scorecards, scoring
from services.risk.engine import Engine
from services.risk.scorecards import Scorecard
from services.risk.scoring import FraudModel, ModelRefused

log = logging.getLogger(__name__)

#: The flag of decisions by the model before, since the newer files may not be used.
KEPT: Final = "model_reload_refused"
_FILES: Final = ("fraud.onnx", "fraud.json")

#: What a change of the files shows in; None for one that is not there.
_Stamp = tuple[tuple[int, int, int] | None, ...]


def load_model(folder: Path) -> FraudModel | None:
    """The checked model; None, told in the log, where it may not be used: the scorecard scores."""
    try:
        return scoring.load(folder)
    except ModelRefused as error:
        log.error("model.refused", extra={"cause": str(error)})  # noqa: TRY400 - cause suffices
        return None


def load_scorecard(folder: Path) -> Scorecard | None:
    """The checked scorecard; None, told in the log, where it may not be used."""
    try:
        return scorecards.load(folder)
    except ModelRefused as error:
        log.error("scorecard.refused", extra={"cause": str(error)})  # noqa: TRY400 - as above
        return None


@asynccontextmanager
async def following_files(engine: Engine, folder: Path, *, every_s: float) -> AsyncIterator[None]:
    """Looks after the files beside the block."""
    task = asyncio.create_task(_follow(engine, folder, every_s), name="model")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _follow(engine: Engine, folder: Path, every_s: float) -> None:
    loaded = seen = _stamp(folder)
    while True:
        await asyncio.sleep(every_s)
        found = _stamp(folder)
        # two files are written one after the other: what changed a moment ago may change again
        if found != loaded and found == seen:
            loaded = found
            await reload(engine, folder)
        seen = found


async def reload(engine: Engine, folder: Path) -> None:
    """Decide by the files as they are now, if they may be used."""
    try:
        model = await asyncio.to_thread(scoring.load, folder)
    except ModelRefused as error:
        log.error("model.refused", extra={"cause": str(error)})  # noqa: TRY400 - cause suffices
        engine.model_flags = () if engine.model is None else (KEPT,)
        return
    engine.model, engine.model_flags = model, ()
    log.info("model.active", extra={"model": model.label, "sha256": model.manifest.sha256})


def _stamp(folder: Path) -> _Stamp:
    return tuple(_stamp_of(folder / name) for name in _FILES)


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
