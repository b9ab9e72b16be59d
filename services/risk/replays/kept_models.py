"""Models by the SHA-256 of their file, as decisions name them: the one in use and former ones.

Former models are read from the artifacts folder and the folders in it, each with its manifest
beside it. They pass the same checks as one that decides.
"""

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from services.risk import scoring
from services.risk.scoring import FraudModel, ModelRefused

log = logging.getLogger(__name__)

#: Models that are held at once: each is some megabytes.
MOST = 4


class KeptModels:
    """Loads a model once; None for one that is not there any more, or not whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: OrderedDict[bytes, FraudModel] = OrderedDict()

    async def find(self, sha256: bytes, *, used: FraudModel | None = None) -> FraudModel | None:
        """The model of that file; `used` is the one that decides now."""
        if used is not None and used.manifest.sha256 == sha256.hex():
            return used
        if sha256 not in self._known:
            # reading and checking take a tenth of a second, in which others decide
            model = await asyncio.to_thread(self._read, sha256.hex())
            if model is None:
                return None
            self._known[sha256] = model
            if len(self._known) > MOST:
                self._known.popitem(last=False)
        self._known.move_to_end(sha256)
        return self._known[sha256]

    def _read(self, sha256: str) -> FraudModel | None:
        for manifest in self._manifests():
            try:
                named = json.loads(manifest.read_bytes()).get("sha256")
                if named == sha256:
                    return scoring.load(manifest.parent, name=manifest.stem)
            except (OSError, ValueError, AttributeError, ModelRefused) as error:
                log.warning("replay.model_refused", extra={"cause": type(error).__name__})
        return None

    def _manifests(self) -> Iterator[Path]:
        yield from sorted(self._folder.glob("*.json"))
        yield from sorted(self._folder.glob("*/*.json"))
