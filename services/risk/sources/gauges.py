"""What Prometheus sees of the sources, from each process that asks."""

from prometheus_client import Counter, Gauge

USES = Counter(
    "tongbao_risk_source_uses",
    "Sources that decisions asked for, by what became of them",
    ["source", "state"],
)
COST = Counter("tongbao_risk_source_cost_minor", "What answers cost, in fen of CNY", ["source"])
BREAKER_OPEN = Gauge(
    "tongbao_risk_source_breaker_open", "1 while no call goes out, by this process", ["source"]
)
