"""The simulated sources themselves: who may ask, who may break them, and that they never change."""

import re
import subprocess
import sys
from typing import Any

import httpx
import pytest

from deploy.bureau.people import SAYS, answers_of, person_of
from tests.bank import ROOT
from tests.risk.sources.support import ADMIN_KEY, ALL, BANK_KEY, SEED, Outside

ASK: dict[str, Any] = {"request_id": "r-1", "customer_id": "c-1", "purpose": "credit"}


def ask(outside: Outside, source: str, key: str = BANK_KEY, **changes: Any) -> httpx.Response:
    return httpx.post(
        f"{outside.url}/{source}/reports",
        json=ASK | changes,
        headers={"x-api-key": key},
        verify=False,
    )


class TestSimulatedSource:
    def test_says_the_same_of_a_person_in_any_process(self, outside: Outside):
        assert set(SAYS) == set(ALL)
        for source in ALL:
            found = ask(outside, source).json()
            assert found["answers"] == answers_of(source, "c-1", seed=SEED)
            assert (found["source"], found["customer_id"]) == (source, "c-1")

    def test_says_otherwise_with_another_seed(self):
        people = [f"c-{i}" for i in range(20)]
        assert [person_of(one, seed=1) for one in people] != [
            person_of(one, seed=2) for one in people
        ]

    def test_knows_people_of_every_kind(self):
        people = [person_of(f"c-{i}", seed=SEED) for i in range(2_000)]
        for kind in ("is_known", "is_dishonest", "overdue", "has_own_number"):
            share = sum(bool(getattr(one, kind)) for one in people) / len(people)
            assert 0.005 < share < 0.995, kind

    @pytest.mark.parametrize("key", ["", "x", BANK_KEY[:-1], BANK_KEY + "x", ADMIN_KEY])
    def test_answers_no_bank_that_it_does_not_know(self, outside: Outside, key: str):
        refused = ask(outside, "court", key)
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")

    def test_bills_an_answer_once(self, outside: Outside):
        before = outside.bill().get("court", 0)
        for _ in range(3):
            assert ask(outside, "court", request_id=f"r-{before}-once").status_code == 200
        assert outside.bill()["court"] == before + 1

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    @pytest.mark.parametrize("key", ["x", BANK_KEY])
    def test_is_broken_by_nobody_without_the_admin_key(
        self, outside: Outside, method: str, key: str
    ):
        path = "/admin/faults/court" if method == "PUT" else "/admin/faults"
        refused = httpx.request(
            method,
            outside.url + path,
            headers={"authorization": f"Bearer {key}"},
            json={"kind": "silent"} if method == "PUT" else None,
            verify=False,
        )
        assert refused.status_code == 401
        assert ask(outside, "court").status_code == 200

    def test_fails_in_the_share_that_was_asked_for(self, outside: Outside):
        outside.break_("court", kind="error", share_percent=50)
        found = [ask(outside, "court", request_id=f"r-{i}").status_code for i in range(40)]
        assert set(found) == {200, 500}
        # the same call fails again
        assert ask(outside, "court", request_id="r-0").status_code == found[0]

    @pytest.mark.parametrize(
        ("source", "changes", "status"),
        [
            ("horoscope", {}, 404),
            ("court", {"customer_id": "a b"}, 422),
            ("court", {"request_id": ""}, 422),
            ("court", {"more": 1}, 422),
        ],
    )
    def test_refuses_what_it_does_not_understand(
        self, outside: Outside, source: str, changes: dict[str, Any], status: int
    ):
        assert ask(outside, source, **changes).status_code == status

    def test_does_not_start_with_weak_keys(self, outside: Outside):
        weak = {"BUREAU_KEYS": '{"tongbao": "secret"}', "BUREAU_ADMIN_KEY": "admin"}
        done = subprocess.run(
            [sys.executable, "-m", "deploy.bureau"],
            cwd=ROOT,
            env=outside.environment() | weak,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode != 0
        assert {"BUREAU_KEYS.tongbao", "BUREAU_ADMIN_KEY"} <= set(
            re.findall(r"[\w.]+", done.stderr)
        )
        assert "secret" not in done.stderr
        assert "Traceback" not in done.stderr
