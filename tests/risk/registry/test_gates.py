"""The gates before a model decides: what passes, what fails, and what could not be measured."""

from dataclasses import replace

import pytest

from services.risk.registry.domain import (
    AUC_MARGIN,
    GATES,
    LEAST_DECISIONS,
    LEAST_OF_CLASS,
    NEVER_WAIVED,
    PSI_BOUND,
    Gate,
    Measures,
    Papers,
    gates_of,
    refused_by,
)

PAPERS = Papers(
    worst=0.0,
    outside=0,
    trained_worst=1e-7,
    trained_rows=20_000,
    unknown=(),
    has_data=True,
    has_owner=True,
)
MEASURES = Measures(
    decisions=10_000,
    bad=100,
    good=5_000,
    psi=0.02,
    psi_of="of_training",
    auc_by=(0.01, 0.0, 0.02),
    ks_by=(0.02, -0.01, 0.05),
    changed=100,
)


def gates(papers: Papers = PAPERS, measures: Measures = MEASURES, **more: bool) -> dict[str, Gate]:
    found = gates_of(papers, measures, is_in_time=more.get("is_in_time", True))
    return {gate.name: gate for gate in found}


class TestGates:
    def test_of_a_good_model_all_pass(self):
        assert list(gates()) == list(GATES)
        assert {gate.state for gate in gates().values()} == {"passed"}

    @pytest.mark.parametrize(
        ("changed", "name", "cause"),
        [
            ({"worst": 2e-6}, "parity", "batch_differs"),
            ({"worst": float("nan")}, "parity", "batch_differs"),
            ({"outside": 1}, "parity", "scores_outside"),
            ({"trained_worst": 2e-5}, "parity", "training_differs"),
            ({"trained_rows": 9_999.0}, "parity", "training_differs"),
            ({"unknown": ["shoe_size"]}, "features", "unknown"),
            ({"has_data": False}, "data", "no_data"),
            ({"has_owner": False}, "data", "no_owner"),
        ],
    )
    def test_close_where_the_papers_are_wrong(self, changed: dict, name: str, cause: str):
        found = gates(replace(PAPERS, **changed))
        assert (found[name].state, found[name].cause) == ("failed", cause)
        assert {gate.name for gate in found.values() if gate.state != "passed"} == {name}

    def test_close_outside_the_validity(self):
        assert gates(is_in_time=False)["validity"].state == "failed"

    @pytest.mark.parametrize(
        ("changed", "name", "state", "cause"),
        [
            ({"psi": PSI_BOUND}, "psi", "failed", "of_training"),
            ({"psi": None}, "psi", "unmeasured", "few_decisions"),
            (
                {"decisions": LEAST_DECISIONS - 1, "changed": 0},
                "psi",
                "unmeasured",
                "few_decisions",
            ),
            ({"bad": LEAST_OF_CLASS - 1}, "auc", "unmeasured", "few_labels"),
            ({"auc_by": (-0.05, -0.06, -0.02)}, "auc", "failed", "worse"),
            ({"auc_by": (-0.02, -0.05, 0.01)}, "auc", "unmeasured", "interval_wide"),
            ({"auc_by": (-0.005, -AUC_MARGIN, 0.0)}, "auc", "passed", None),
            ({"ks_by": (-0.1, -0.2, -0.06)}, "ks", "failed", "worse"),
            ({"failed": 1}, "back_test", "failed", "rules_failed"),
            ({"changed": 2_001}, "back_test", "failed", "changes_many"),
            ({"changed": 2_000}, "back_test", "passed", None),
        ],
    )
    def test_measure_what_the_decisions_say(
        self, changed: dict, name: str, state: str, cause: str | None
    ):
        found = gates(measures=replace(MEASURES, **changed))[name]
        assert (found.state, found.cause) == (state, cause)

    def test_of_a_first_champion_ask_for_more_than_chance(self):
        alone = replace(
            MEASURES, has_champion=False, auc_by=(0.2, 0.15, 0.25), ks_by=(0.3, 0.2, 0.4)
        )
        assert gates(measures=alone)["auc"].state == "passed"
        weak = replace(alone, auc_by=(0.02, 0.0, 0.04))
        assert gates(measures=weak)["auc"].state == "failed"


class TestRefusal:
    def test_is_none_where_all_pass(self):
        assert not refused_by([gate.kept() for gate in gates().values()], waived=[])

    def test_of_an_unmeasured_gate_ends_where_it_is_waived(self):
        few = gates(measures=replace(MEASURES, bad=0, auc_by=None, ks_by=None))
        kept = [gate.kept() for gate in few.values()]
        assert refused_by(kept, waived=[]).unmeasured == ["ks", "auc"]
        assert refused_by(kept, waived=["auc"]).unmeasured == ["ks"]
        assert not refused_by(kept, waived=["auc", "ks"])

    @pytest.mark.parametrize("name", GATES)
    def test_of_a_failed_gate_stays_whatever_is_waived(self, name: str):
        kept = [gate.kept() | ({"state": "failed"} if gate.name == name else {})
                for gate in gates().values()]  # fmt: skip
        assert refused_by(kept, waived=list(GATES)).failed == [name]

    @pytest.mark.parametrize("name", sorted(NEVER_WAIVED))
    def test_of_the_papers_is_never_waived_even_where_they_were_not_looked_at(self, name: str):
        kept = [gate.kept() for gate in gates().values() if gate.name != name]
        assert refused_by(kept, waived=list(GATES)).unmeasured == [name]
