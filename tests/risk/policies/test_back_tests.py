"""A version against the one in force, over the decisions that were kept."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.risk.policies.back_tests import service as back_tests
from services.risk.policies.back_tests.domain import Kept, Tally
from services.risk.policies.seeds import seed, seed_program
from shared.kit.clock import new_id
from tests.bank import Bank, eventually
from tests.risk.policies.support import content, staff, with_ceiling, write, written
from tests.risk.support import decided, payment


async def finished(client: httpx.AsyncClient, back_test_id: str) -> dict[str, Any]:
    async def done() -> dict[str, Any] | None:
        found = (await client.get(f"/v1/policy-back-tests/{back_test_id}")).json()
        return found if found["state"] != "running" else None

    return dict(await eventually(done))  # type: ignore[call-overload]


class TestBackTest:
    async def test_answers_with_what_would_change_and_the_money_in_it(
        self, bank: Bank, unique: str
    ):
        async with staff(bank, "s-author") as author:
            began = datetime.now(UTC)
            large = [await decided(author, bank, payment(unique, amount_minor=9_500_000))]
            small = [await decided(author, bank, payment(unique)) for _ in range(70)]
            drafted = await written(author, "payment/versions", await with_ceiling(author, 1_000))
            path = f"payment/versions/{drafted['version']}/back-test"
            span = {"since": began.isoformat(), "until": datetime.now(UTC).isoformat()}
            asked = await written(author, path, span)
            told = await finished(author, asked["back_test_id"])
        swap = told["swap_set"]
        assert (told["state"], told["seen"]) == ("done", len(large) + len(small))
        assert (swap["decisions"], swap["unreadable"], swap["differs"]) == (71, 0, 0)
        approved = [it for it in (*large, *small) if it["outcome"] == "approve"]
        moved = next(it for it in swap["counts"] if it["before"] == "approve")
        assert (moved["after"], moved["decisions"]) == ("review", len(approved))
        assert 0 < moved["value_minor"] <= 9_500_000 + 70 * 1250
        example = swap["examples"][0]
        assert example["reasons_after"] == ["amount_over_ceiling"]
        assert example["decision_id"] in {it["decision_id"] for it in approved}

    async def test_takes_the_newest_where_there_are_too_many(self, bank: Bank, unique: str):
        async with staff(bank, "s-author") as author:
            began = datetime.now(UTC)
            for _ in range(5):
                await decided(author, bank, payment(unique))
            version = (await content(author, "payment"))["version"]
            span = {"since": began.isoformat(), "until": datetime.now(UTC).isoformat(), "most": 3}
            asked = await written(author, f"payment/versions/{version}/back-test", span)
            swap = (await finished(author, asked["back_test_id"]))["swap_set"]
        assert swap["decisions"] == 3
        assert all(it["before"] == it["after"] for it in swap["counts"])
        assert swap["examples"] == []

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"until": "2026-01-01T00:00:00"}, "until"),
            ({"until": "2025-01-01T00:00:00Z"}, "until"),
            ({"until": "2028-01-01T00:00:00Z"}, "until"),
            ({"most": 0}, "most"),
            ({"most": 1_000_001}, "most"),
            ({"since": "yesterday"}, "since"),
        ],
    )
    async def test_of_a_wrong_span_is_refused_by_its_field(
        self, bank: Bank, change: dict[str, Any], field: str
    ):
        span = {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"} | change
        async with staff(bank, "s-author") as author:
            refused = await write(author, "payment/versions/2026.1/back-test", span)
            assert refused.status_code == 422
            assert [it["field"] for it in refused.json()["errors"]] == [field]

    async def test_that_nobody_asked_for_is_not_found(self, bank: Bank):
        async with staff(bank, "s-author") as author:
            answer = await author.get(f"/v1/policy-back-tests/{new_id()}")
            assert answer.json()["code"] == "back_test_not_found"

    def test_that_is_silent_for_long_has_died(self):
        now = datetime(2026, 3, 2, tzinfo=UTC)
        row = back_tests.BackTestRow(
            new_id(), "card", "2026.1", "2026.1", now, now, 1, "s", asked_at=now, told_at=now
        )
        assert back_tests.told(row, now=now + timedelta(seconds=60)).state == "running"
        assert back_tests.told(row, now=now + timedelta(seconds=61)).state == "lost"


class TestTally:
    def test_counts_what_cannot_be_read_and_what_was_decided_otherwise(self):
        policy, given = seed_program("payment"), seed("payment").tests["given"]
        tally = Tally()
        kept = [
            Kept(new_id(), "approve", (), None),
            Kept(new_id(), "decline", ("model_score_high",), given),
            Kept(new_id(), "approve", (), given | {"features": {}}),
        ]
        back_tests.rule_again(kept, tally, before=policy, after=policy)
        assert (tally.decisions, tally.unreadable, tally.seen) == (2, 1, 3)
        assert (tally.differs, tally.failed) == (2, 1)
