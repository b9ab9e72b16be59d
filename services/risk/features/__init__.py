"""Features of a payment: what they are (`definitions`) and how they are measured (`measuring`)."""

from services.risk.features.definitions import (
    FEATURE_NAMES,
    FEATURES,
    FRAUD_INPUTS,
    HOUR_MS,
    MEAN_SPAN_MS,
    MINUTE_MS,
    SECOND_MS,
    SMALL_MINOR,
    Feature,
)
from services.risk.features.measuring import LOCAL_OFFSET_MS, Windows

__all__ = [
    "FEATURES",
    "FEATURE_NAMES",
    "FRAUD_INPUTS",
    "HOUR_MS",
    "LOCAL_OFFSET_MS",
    "MEAN_SPAN_MS",
    "MINUTE_MS",
    "SECOND_MS",
    "SMALL_MINOR",
    "Feature",
    "Windows",
]
