"""Models and scorecards by their SHA-256, as decisions name them: those in use and former ones.

Former ones are read from the registry, and from the artifacts folder and the folders in it, a
model with its manifest beside it. They pass the same checks as those that decide.
"""

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path

from services.risk import scorecards, scoring
from services.risk.registry import contents
from services.risk.registry import repository as registry
from services.risk.scorecards import Scorer
from services.risk.scoring import ModelRefused
from shared.kit.database import AnySession

log = logging.getLogger(__name__)

#: Models that are held at once: each is some megabytes.
MOST = 4


class KeptModels:
    """Loads a model once; None for one that is not there any more, or not whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: OrderedDict[bytes, Scorer] = OrderedDict()

    async def find(
        self,
        sha256: bytes,
        *,
        used: Sequence[Scorer] = (),
        session: AnySession | None = None,
    ) -> Scorer | None:
        """What has that hash; `used` are those that decide now. Without a session it is looked
        for in the folders alone.
        """
        for one in used:
            if one.sha256 == sha256.hex():
                return one
        if sha256 not in self._known:
            # reading and checking take a tenth of a second, in which others decide
            model = None if session is None else await self._registered(session, sha256)
            if model is None:
                model = await asyncio.to_thread(self._read, sha256.hex())
            if model is None:
                return None
            self._known[sha256] = model
            if len(self._known) > MOST:
                self._known.popitem(last=False)
        self._known.move_to_end(sha256)
        return self._known[sha256]

    async def _registered(self, session: AnySession, sha256: bytes) -> Scorer | None:
        content = await registry.content_by_sha256(session, sha256)
        try:
            return None if content is None else await asyncio.to_thread(contents.read, content)
        except ModelRefused as error:
            log.warning("replay.model_refused", extra={"cause": type(error).__name__})
            return None

    def _read(self, sha256: str) -> Scorer | None:
        for manifest in self._manifests():
            try:
                fields = json.loads(manifest.read_bytes())
                if fields.get("sha256") == sha256:
                    return scoring.load(manifest.parent, name=manifest.stem)
                # a scorecard is all in its own file
                if "sha256" not in fields and fields.get("manifest_sha256") == sha256:
                    return scorecards.load(manifest.parent, name=manifest.stem)
            except (OSError, ValueError, AttributeError, ModelRefused) as error:
                log.warning("replay.model_refused", extra={"cause": type(error).__name__})
        return None

    def _manifests(self) -> Iterator[Path]:
        yield from sorted(self._folder.glob("*.json"))
        yield from sorted(self._folder.glob("*/*.json"))
