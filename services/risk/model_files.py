"""The files that a process begins with: the release's model and its scorecard.

From the first look into the registry on, that is what says which model scores. The scorecard is
what scores where none can.
"""

import logging
from pathlib import Path

from services.risk import scorecards, scoring
from services.risk.scorecards import Scorecard
from services.risk.scoring import FraudModel, ModelRefused

log = logging.getLogger(__name__)


def load_model(folder: Path) -> FraudModel | None:
    """The checked model; None, told in the log, where it may not be used."""
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
