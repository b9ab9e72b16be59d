"""What Prometheus sees of the watch, from the worker that looks."""

from prometheus_client import Gauge

from services.risk.watch.service import Looked

#: Of fewer the index says more about their number than about drift.
LEAST_SHOWN = 100
ALARMS = Gauge("tongbao_risk_alarms", "Open alarms", ["subject", "measure", "severity"])
SHARES = Gauge(
    "tongbao_risk_share",
    "Share of the decisions of the last hour, by policy in force and outcome",
    ["policy", "outcome"],
)
DRIFT = Gauge(
    "tongbao_risk_drift",
    "Drift of the last day against training, by model in use",
    ["model", "name", "measure"],
)
LATENCY = Gauge("tongbao_risk_decide_p99_seconds", "p99 of deciding, last hour", ["policy"])


def show(looked: Looked) -> None:
    """Set all gauges; a policy or a model that is used no more is gone from them."""
    for gauge in (ALARMS, SHARES, DRIFT, LATENCY):
        gauge.clear()
    for alarm in looked.alarms:
        ALARMS.labels(alarm.subject, alarm.measure, alarm.severity).inc()
    for policy in looked.report.policies:
        window = policy.windows["hour"]
        if not policy.in_force or window.tally.decisions == 0:
            continue
        for outcome in ("approve", "review", "decline"):
            share = window.tally.share(getattr(window.tally, outcome))
            SHARES.labels(policy.policy, outcome).set(share.value)
        LATENCY.labels(policy.policy).set((window.latency_ms(0.99) or 0.0) / 1000)
    for model in looked.report.models:
        for shift in model.shifts["day"] if model.in_use else ():
            if shift.seen >= LEAST_SHOWN:
                DRIFT.labels(model.model, shift.name, "psi").set(shift.psi)
                DRIFT.labels(model.model, shift.name, "ks").set(shift.ks)
