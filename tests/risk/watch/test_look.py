"""A look opens alarms for what is wrong, closes them when it is over, and tells both."""

import json
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from services.risk.watch import gauges
from services.risk.watch.service import Looked
from tests.risk.watch.support import POLICY, REFERENCE, Watched, decision, drawn, scored, spread

HOUR = timedelta(hours=1)
MODEL = REFERENCE.model


def found(looked: Looked) -> dict[tuple[str, str], str]:
    """Severity of the open alarms by measure and feature."""
    return {(alarm.measure, alarm.name): alarm.severity for alarm in looked.alarms}


async def told(watched: Watched, event: str) -> list[dict[str, Any]]:
    """Events of this test's own time that wait to be published."""
    rows = await watched.sql(
        "SELECT envelope FROM outbox WHERE topic = 'risk.alarm.v1' AND created_at >= $1"
        " AND created_at < $2 ORDER BY position",
        watched.now - 2 * HOUR,
        watched.now + timedelta(days=20),
    )
    envelopes = [json.loads(row["envelope"]) for row in rows]
    return [one["data"] for one in envelopes if one["type"] == event]


def gauge(name: str, /, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


class TestLook:
    async def test_shows_itself_to_prometheus(self, watched: Watched):
        rows = drawn(REFERENCE, 600, seed=9)
        moments = spread(watched.now, len(rows))
        outcomes = ["decline" if place % 2 else "approve" for place in range(len(rows))]
        await watched.decide(
            [
                scored(at, score=s, features=f, outcome=word)
                for at, (s, f), word in zip(moments, rows, outcomes, strict=True)
            ]
        )
        gauges.show(await watched.counted_and_looked())
        assert gauge("tongbao_risk_share", policy=POLICY, outcome="decline") == 0.5
        alarm = {"subject": POLICY, "measure": "decline_rate", "severity": "critical"}
        assert gauge("tongbao_risk_alarms", **alarm) == 1
        psi = gauge("tongbao_risk_drift", model=MODEL, name="score", measure="psi")
        assert psi is not None
        assert psi < 0.1
        p99 = gauge("tongbao_risk_decide_p99_seconds", policy=POLICY)
        assert p99 == pytest.approx(0.0002, rel=0.3)

    async def test_of_what_is_used_no_more_closes_its_alarms(self, watched: Watched):
        await watched.decide([decision(at, outcome="decline") for at in spread(watched.now, 300)])
        assert found(await watched.counted_and_looked())
        await watched.sql("UPDATE watch_alarms SET subject = 'payment-2025.9'"
                          " WHERE closed_at IS NULL AND measure = 'decline_rate'")  # fmt: skip
        await watched.look()
        (cleared,) = await told(watched, "AlarmCleared")
        assert (cleared["subject"], cleared["why"]) == ("payment-2025.9", "not_in_use")


class TestDrift:
    async def test_is_not_found_where_there_is_none(self, watched: Watched):
        rows = drawn(REFERENCE, 2_000, seed=3)
        moments = spread(watched.now, len(rows))
        await watched.decide(
            [scored(at, score=s, features=f) for at, (s, f) in zip(moments, rows, strict=True)]
        )
        looked = await watched.counted_and_looked()
        assert [key for key in found(looked) if key[0].endswith(("psi", "ks"))] == []
        (model,) = looked.report.models
        assert len(model.shifts["day"]) == 1 + len(REFERENCE.features)
        assert {shift.seen for shift in model.shifts["day"]} == {2_000}

    async def test_is_found_in_the_feature_that_drifts_and_in_the_score(self, watched: Watched):
        rows = drawn(REFERENCE, 1_000, seed=4)
        moments = spread(watched.now, len(rows))
        moved = [
            scored(at, score=min(1.0, 3 * s + 0.01), features=f | {"amount_log": 15.0})
            for at, (s, f) in zip(moments, rows, strict=True)
        ]
        await watched.decide(moved)
        alarms = found(await watched.counted_and_looked())
        drifting = {key: severity for key, severity in alarms.items() if "_psi" in key[0]}
        assert drifting == {
            ("score_psi", ""): "critical",
            ("feature_psi", "amount_log"): "warning",
        }
        assert alarms["score_ks", ""] == "critical"
        assert alarms["feature_ks", "amount_log"] == "warning"

    async def test_is_found_where_values_go_missing(self, watched: Watched):
        rows = drawn(REFERENCE, 1_000, seed=5)
        name = "payee_age_log_h"
        gone = [(s, f | {name: None} if place % 2 else f) for place, (s, f) in enumerate(rows)]
        moments = spread(watched.now, len(rows))
        await watched.decide(
            [scored(at, score=s, features=f) for at, (s, f) in zip(moments, gone, strict=True)]
        )
        looked = await watched.counted_and_looked()
        assert ("feature_psi", name) in found(looked)
        (shift,) = (one for one in looked.report.models[0].shifts["day"] if one.name == name)
        assert (shift.missing.hits, shift.missing_before.hits) == (500, 0)

    async def test_says_nothing_of_few(self, watched: Watched):
        rows = drawn(REFERENCE, 100, seed=6)
        moments = spread(watched.now, len(rows))
        await watched.decide(
            [scored(at, score=1.0, features=f) for at, (_, f) in zip(moments, rows, strict=True)]
        )
        alarms = found(await watched.counted_and_looked())
        assert [key for key in alarms if "psi" in key[0] or "ks" in key[0]] == []


class TestRates:
    async def test_alarm_when_they_rise_and_rest_when_it_is_over(self, watched: Watched):
        calm = [decision(watched.now - timedelta(days=2))] * 6_000
        await watched.decide(calm)
        moments = spread(watched.now, 400)
        bad = {"outcome": "decline", "degraded": ["windows_behind"], "elapsed_us": 80_000}
        await watched.decide([decision(at, **bad) for at in moments[:200]])
        await watched.decide([decision(at) for at in moments[200:]])
        looked = await watched.counted_and_looked()
        assert found(looked) == {
            ("approval_moved", ""): "critical",
            ("alert_rate", ""): "critical",
            ("decline_rate", ""): "critical",
            ("degraded_share", ""): "critical",
            ("latency_p99_ms", ""): "critical",
        }
        raised = await told(watched, "AlarmRaised")
        assert {event["measure"] for event in raised} == {key[0] for key in found(looked)}
        (rate,) = (event for event in raised if event["measure"] == "decline_rate")
        assert (rate["value"], rate["limit"], rate["seen"]) == (0.5, 0.3, 400)

        watched.now += 2 * HOUR  # the bad hour has left the window
        await watched.decide([decision(at) for at in spread(watched.now, 400)])
        assert found(await watched.counted_and_looked()) == {}
        cleared = await told(watched, "AlarmCleared")
        assert {event["why"] for event in cleared} == {"below"}
        assert len(cleared) == 5

    async def test_are_told_once_while_they_stay(self, watched: Watched):
        await watched.decide([decision(at, outcome="decline") for at in spread(watched.now, 300)])
        await watched.counted_and_looked()
        before = await watched.alarms()
        await watched.look(later=timedelta(minutes=5))
        after = await watched.alarms()
        assert [one.alarm_id for one in before] == [one.alarm_id for one in after]
        assert {one.updated_at - one.opened_at for one in after} == {timedelta(minutes=5)}
        assert len(await told(watched, "AlarmRaised")) == len(before)

    async def test_hold_while_nothing_is_decided(self, watched: Watched):
        await watched.decide([decision(at, outcome="decline") for at in spread(watched.now, 300)])
        open_now = found(await watched.counted_and_looked())
        assert open_now
        assert found(await watched.look(later=5 * HOUR)) == open_now

    async def test_of_approval_move_against_the_days_before(self, watched: Watched):
        earlier = [watched.now - timedelta(days=2)] * 1_000
        await watched.decide([decision(at) for at in earlier])
        moments = spread(watched.now, 500)
        await watched.decide(
            [decision(at, outcome="review" if i % 10 == 0 else "approve")
             for i, at in enumerate(moments)]
        )  # fmt: skip
        looked = await watched.counted_and_looked()
        assert found(looked)["approval_moved", ""] == "warning"
        (policy,) = (one for one in looked.report.policies if one.policy == "payment-2026.1")
        assert policy.reference_of == "before_window"
        assert policy.reference is not None
        assert policy.reference.approve == 1_000

    @pytest.mark.parametrize("limit", [0.6, 0.01])
    async def test_follow_a_limit_that_an_operator_changed(self, watched: Watched, limit: float):
        await watched.sql(
            "INSERT INTO watch_limits VALUES"
            " ('decline_rate', '', 'hour', $1, NULL, 10, 's-operator', 'a test', now())",
            limit,
        )
        moments = spread(watched.now, 200)
        outcomes = ["decline" if place % 3 == 0 else "approve" for place in range(200)]
        await watched.decide(
            [decision(at, outcome=word) for at, word in zip(moments, outcomes, strict=True)]
        )
        alarms = found(await watched.counted_and_looked())
        assert (("decline_rate", "") in alarms) == (limit < 0.3)
