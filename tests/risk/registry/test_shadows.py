"""What challengers score beside the decisions."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import text

from services.risk import shadows
from services.risk.features import Windows
from services.risk.registry.contents import read
from services.risk.scoring import FraudModel
from services.risk.shadows import MOST_WAITING, Scores, Seen, Shadows, scored_by
from services.risk.windows import SeenPayment
from shared.kit.app import Context
from shared.kit.clock import new_id
from shared.kit.database import Database
from tests.risk.registry.support import content

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)


def features(count: int) -> list[dict[str, float | None]]:
    windows, found = Windows(), []
    for number in range(count):
        payment = SeenPayment(
            f"p{number}", f"c{number % 3}", "a1", f"shop{number % 5}", 100 + 991 * number,
            1_767_240_000_000 + number * 60_000,
        )  # fmt: skip
        measured = windows.measure(payment)
        found.append({name: None if it != it else it for name, it in measured.items()})
    return found


class TestScores:
    def test_are_those_that_the_model_gives_one_by_one(self):
        model = read(content("rival"))
        seen = [Seen(new_id(), one) for one in features(70)]
        found = scored_by(model, seen)
        assert found.label == "rival-1"
        assert list(found.ids) == [one.decision_id for one in seen]
        for one, score in zip(seen, found.scores, strict=True):
            named = {name: float("nan") if it is None else it for name, it in one.features.items()}
            assert score == pytest.approx(model.scored(named).score, abs=1e-6)

    def test_of_a_challenger_that_fails_are_none_and_spoil_nothing(self):
        class Broken(FraudModel):
            def scored_all(self, many: Any) -> Any:
                raise RuntimeError(len(many))

        model = cast("FraudModel", read(content("broken")))
        broken = Broken(model.manifest, cast("bytes", content("broken").onnx))
        found = scored_by(broken, [Seen(new_id(), one) for one in features(2)])
        assert list(found.scores) == [None, None]

    async def test_are_kept_apart_and_dropped_when_they_are_old(self, database: Database):
        ids = [new_id(), new_id()]
        async with database.statement() as session:
            await shadows.store(session, [Scores("x", ids, [0.5, None])], now=NOW)
        for now, left in ((NOW + timedelta(days=89), 2), (NOW + timedelta(days=91), 0)):
            context = SimpleNamespace(database=database, clock=lambda now=now: now)
            await shadows.forget(cast("Context", context))
            async with database.transaction() as session:
                found = await session.execute(
                    text("SELECT count(*) FROM shadow_scores WHERE label = 'x'")
                )
                assert found.scalar_one() == left


class TestWaiting:
    def test_holds_nothing_without_a_challenger_and_a_bounded_number_with_one(self):
        waiting = Shadows()
        waiting.note("payment", new_id(), {})
        assert waiting.taken() == {}
        waiting.challengers = {"payment": [read(content("one"))]}
        for _ in range(MOST_WAITING + 10):
            waiting.note("payment", new_id(), {})
        taken = 0
        while part := waiting.taken():
            taken += sum(map(len, part.values()))
        assert taken == MOST_WAITING
