"""Between which values each feature lies: what is outside came from a mistake, not from life."""

from collections.abc import Mapping
from typing import Final

from services.risk.features.definitions import MEASURES, Kind

Bounds = tuple[float, float]

#: A log of yuan, seconds or hours: e^40 of anything here is more than there is.
_LOG: Final[Bounds] = (0.0, 40.0)
_SECONDS: Final[Bounds] = (0.0, 1e10)
_MINOR: Final[Bounds] = (0.0, 1e19)
_COUNT: Final[Bounds] = (0.0, 1e6)
_SHARE: Final[Bounds] = (0.0, 1.001)
_WAVE: Final[Bounds] = (-1.001, 1.001)

_OF_KIND: Mapping[Kind, Bounds] = {
    "count": _COUNT,
    "small": _COUNT,
    "distinct": _COUNT,
    "sum": _MINOR,
    "mean": _MINOR,
    "sum_log": _LOG,
    "since": _SECONDS,
    "since_log": _LOG,
    "age": _SECONDS,
}

#: By the name of a feature, the least and the most that it may be.
BOUNDS: Mapping[str, Bounds] = {
    **{row.name: _OF_KIND[row.kind] for row in MEASURES},
    "amount_log": _LOG,
    "amount_to_mean_log": (-40.0, 40.0),
    "amount_share_24h": _SHARE,
    "day_share_of_week": _SHARE,
    "hour_sin": _WAVE,
    "hour_cos": _WAVE,
    "payee_new": (0.0, 1.0),
    "payee_known_log_h": _LOG,
    "payee_age_log_h": _LOG,
    "ring_size": _COUNT,
    "ring_shared": _COUNT,
    "ring_fraud_distance": _COUNT,
}
