"""Prometheus metrics that every service has; `/metrics` shows them."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Histogram(
    "tongbao_request_seconds",
    "Time from the first byte of a request to the last of its answer",
    ["service", "route", "method", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
EVENTS_PUBLISHED = Counter("tongbao_events_published", "Outbox rows put on the bus", ["service"])
EVENTS_HANDLED = Counter(
    "tongbao_events_handled", "Events by what became of them", ["service", "event", "outcome"]
)
OUTBOX_WAITING = Gauge("tongbao_outbox_waiting", "Outbox rows seen in the last round", ["service"])
