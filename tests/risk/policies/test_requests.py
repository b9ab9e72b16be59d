"""What the routes of policies refuse, each by the field at fault."""

from typing import Any

import pytest

from tests.bank import Bank
from tests.risk.policies.support import content, staff, write


class TestDraft:
    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "note"),
            ({"note": " "}, "note"),
            ({"note": "x", "graph": {}}, "graph.nodes"),
            ({"note": "x", "graph": {"nodes": 5, "edges": []}}, "graph.nodes"),
            ({"note": "x", "graph": {}, "thresholds": {"burst_count": 3}}, "graph"),
            ({"note": "x", "graph": "all"}, "graph"),
            ({"note": "x", "graph": {"a": "b" * 300_000}}, "graph"),
            ({"note": "x", "tests": {"cases": []}}, "tests.cases"),
            ({"note": "x", "tests": {}}, "tests.cases"),
            ({"note": "x", "thresholds": {"nothing": 1}}, "thresholds.nothing"),
            ({"note": "x", "thresholds": {"Burst Count": 1}}, "thresholds.Burst Count.[key]"),
            (
                {"note": "x", "thresholds": {"burst_count": "features.nobody"}},
                "graph.nodes.1.content.expressions.5.value",
            ),
            ({"note": "x", "version": "2026.7"}, "version"),
        ],
    )
    async def test_with_a_wrong_field_is_refused_by_its_name(
        self, bank: Bank, body: dict[str, Any], field: str
    ):
        async with staff(bank, "s-author") as author:
            refused = await write(author, "payment/versions", body or {"graph": None})
            assert refused.status_code == 422, refused.text
            assert refused.json()["errors"][0]["field"] == field

    async def test_with_a_price_that_reads_more_than_the_grade_is_refused(self, bank: Bank):
        async with staff(bank, "s-author") as author:
            graph = (await content(author, "loan"))["graph"]
            prices = next(it for it in graph["nodes"] if it["id"] == "price_bps")
            prices["content"]["rules"][0]["when"] = "application.age > 60"
            refused = await write(author, "loan/versions", {"note": "by age", "graph": graph})
        assert refused.status_code == 422
        (error,) = refused.json()["errors"]
        index = graph["nodes"].index(prices)
        assert error["field"] == f"graph.nodes.{index}.content.rules.0.when"
        assert "the grade alone" in error["expected"]

    async def test_takes_a_score_threshold_in_place_of_the_model_s(self, bank: Bank):
        async with staff(bank, "s-author") as author:
            body = {"note": "own threshold", "thresholds": {"score_review_from": 0.35}}
            drafted = (await write(author, "payment/versions", body)).json()
        assert drafted["thresholds"]["score_review_from"] == "0.35"
        assert drafted["thresholds"]["score_decline_from"] == "model.decline_from"


class TestPath:
    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("mortgage/versions", 422),
            ("loan/versions/latest", 422),
            ("loan/versions/2026.999999", 404),
            ("loan/versions?limit=0", 422),
            ("loan/activations?before=0", 422),
        ],
    )
    async def test_that_leads_nowhere_is_answered_with_a_problem(
        self, bank: Bank, path: str, status: int
    ):
        async with staff(bank, "s-author") as author:
            answer = await author.get(f"/v1/policies/{path}")
        assert answer.status_code == status
        assert answer.json()["code"] in {"invalid_request", "policy_version_not_found"}

    async def test_is_for_staff_alone(self, bank: Bank):
        async with bank.client("risk", caller="payments") as payments:
            assert (await payments.get("/v1/policies")).status_code == 403
        async with bank.client("risk") as nobody:
            assert (await nobody.get("/v1/policies")).status_code == 401

    async def test_pages_through_versions_the_newest_first(self, bank: Bank):
        async with staff(bank, "s-author") as author:
            for _ in range(3):
                await write(author, "card/versions", {"note": "a page"})
            path = "/v1/policies/card/versions"
            whole = (await author.get(path, params={"limit": 200})).json()["items"]
            first = (await author.get(path, params={"limit": 2})).json()["items"]
            last = first[-1]["version"]
            then = (await author.get(path, params={"limit": 2, "before": last})).json()["items"]
        assert first + then == whole[:4]
        assert len({it["version"] for it in whole}) == len(whole)
