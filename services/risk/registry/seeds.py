"""The models that come with the release: a new bank's first champions.

They lie in the folder of artifacts: `fraud.json` with its ONNX file for payments, and for the
other products a folder of that name with `champion.json`, perhaps `challenger.json`, which scores
beside it, and candidates under any other name.
"""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from services.risk.policies.domain import PRODUCTS, Product
from services.risk.registry import repository
from services.risk.registry.contents import Content, checks_of, described
from services.risk.registry.domain import State
from services.risk.registry.repository import ChangeRow, ModelRow
from services.risk.scoring import Described, ModelRefused, content_of
from shared.kit.database import Session

log = logging.getLogger(__name__)

#: Who stands as registrar and as promoter of what the release brings.
AUTHOR, APPROVER = "release", "release-review"
OWNER: Final = "release"
_PAYMENT: Final = "fraud"
_REFERENCE: Final = ".reference"
_STATES: Final[dict[str, State]] = {"champion": "champion", "challenger": "challenger"}


@dataclass(frozen=True, slots=True)
class Packaged:
    """A model of the release whose manifest can be read."""

    product: Product
    state: State
    content: Content
    described: Described
    reference: bytes | None


def packaged(folder: Path) -> list[Packaged]:
    """The models of the folder. One that cannot be read is told in the log, and left out."""
    return [one for product in PRODUCTS for one in _of_product(folder, product)]


def _of_product(folder: Path, product: Product) -> Iterator[Packaged]:
    states: dict[Path, State] = {}
    if product == "payment":
        states[folder / f"{_PAYMENT}.json"] = "champion"
    for path in sorted((folder / product).glob("*.json")):
        if not path.stem.endswith(_REFERENCE):
            states[path] = _STATES.get(path.stem, "candidate")
    for path, state in states.items():
        try:
            yield _read(path, product, state)
        except ModelRefused as error:
            cause = str(error)
            log.error("model.refused", extra={"file": path.name, "cause": cause})  # noqa: TRY400


def _read(path: Path, product: Product, state: State) -> Packaged:
    manifest, beside = content_of(path), path.with_suffix(".onnx")
    # a scorecard is all in its own file
    content = Content(manifest, content_of(beside) if b'"features"' in manifest else None)
    says = described(content)
    if says.product != product:
        raise ModelRefused(f"{path.name} is of {says.product}, and lies with {product}")
    reference = path.with_name(f"{path.stem}{_REFERENCE}.json")
    return Packaged(
        product=product,
        state=state,
        content=content,
        described=says,
        reference=reference.read_bytes() if reference.exists() else None,
    )


async def plant(session: Session, *, folder: Path, now: datetime) -> None:
    """Register what the release brings and the registry has not; a product that never had a
    champion gets one.
    """
    began: dict[str, bool] = {}
    for one in await asyncio.to_thread(packaged, folder):
        label = one.described.label
        await repository.lock(session, one.product)
        if one.product not in began:
            began[one.product] = await _has_begun(session, one.product)
        known = await repository.model(session, label)
        if known is not None:
            if one.content.sha256 != known.sha256:
                log.error("model.label_taken", extra={"model": label})
            continue
        try:
            checks = await asyncio.to_thread(checks_of, one.content)
        except ModelRefused as error:
            log.error("model.refused", extra={"model": label, "cause": str(error)})  # noqa: TRY400
            continue
        # what a bank has decided on is not changed by a release
        row = _row(one, checks, state="candidate" if began[one.product] else one.state, now=now)
        await repository.insert_model(session, row, content=one.content, reference=one.reference)
        action = "seed" if row.state == "champion" else "register"
        change = ChangeRow(one.product, label, action, None, AUTHOR, row.note, now)
        await repository.insert_change(session, change)


async def _has_begun(session: Session, product: Product) -> bool:
    actions = ("seed", "promote", "roll_back")
    return await repository.last_change(session, product=product, actions=actions) is not None


def _row(one: Packaged, checks: dict[str, object], *, state: State, now: datetime) -> ModelRow:
    says, is_champion = one.described, state == "champion"
    return ModelRow(
        label=says.label,
        product=one.product,
        kind=one.content.kind,
        sha256=one.content.sha256,
        checks=checks,
        owner=says.owner or OWNER,
        note="Comes with the release",
        valid_from=now,
        valid_until=None,
        state=state,
        registered_by=AUTHOR,
        registered_at=now,
        promoted_by=APPROVER if is_champion else None,
        promoted_at=now if is_champion else None,
    )
