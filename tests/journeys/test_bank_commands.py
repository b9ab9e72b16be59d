"""The operator's commands against a running bank, and what they say when they cannot."""

import json
import shlex
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.journeys.demo import Demo, run_module


def account_of(demo: Demo) -> str:
    return demo.bank("customers", "--limit", "1").stdout.split()[1]


def said(done: subprocess.CompletedProcess[str]) -> str:
    """What a command that failed told: one line, and no traceback."""
    assert done.returncode == 1, done.stdout
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("bank: ")
    return done.stderr


class TestCurl:
    def test_prints_a_call_that_the_gateway_takes_once(self, demo: Demo) -> None:
        printed = demo.bank("curl", "GET", "/v1/payments?limit=2").stdout
        first, second = _send(printed), _send(printed)
        assert first.status_code == 200
        assert len(first.json()["items"]) == 2
        assert (second.status_code, second.json()["code"]) == (401, "invalid_dpop_proof")

    def test_of_an_unknown_partner_is_refused(self, demo: Demo) -> None:
        assert "no partner nobody" in said(
            demo.bank("curl", "GET", "/v1/payments", "--partner", "nobody")
        )


class TestRegisterPartner:
    def test_keeps_the_key_for_its_owner_and_can_be_repeated(self, demo: Demo) -> None:
        for _ in range(2):
            done = demo.bank("register-partner", "acme", "--name", "Acme 商城")
            assert done.returncode == 0, done.stderr
        file = demo.run_dir / "partners" / "acme.json"
        assert file.stat().st_mode & 0o777 == 0o600
        printed = demo.bank("curl", "GET", "/v1/payments", "--partner", "acme").stdout
        assert _send(printed).json()["items"] == []

    def test_refuses_a_private_key_in_place_of_a_public_one(
        self, demo: Demo, tmp_path: Path
    ) -> None:
        private = json.loads((demo.run_dir / "partners" / "demo-travel.json").read_text())["key"]
        file = tmp_path / "jwks.json"
        file.write_text(json.dumps({"keys": [private]}))
        assert "private key" in said(demo.bank("register-partner", "leaky", "--jwks", str(file)))


class TestFreeze:
    def test_of_an_account_and_its_end_are_in_the_audit_log(self, demo: Demo) -> None:
        account = account_of(demo)
        assert demo.bank("freeze", account, "--reason", "court order").returncode == 0
        assert demo.bank("unfreeze", account, "--reason", "lifted").returncode == 0
        log = demo.bank("audit", "--limit", "50").stdout
        assert "court order" in log
        assert "lifted" in log

    def test_of_an_unknown_account_is_refused(self, demo: Demo) -> None:
        assert "account_not_found" in said(demo.bank("freeze", "nobody", "--reason", "x"))


class TestPlans:
    def test_are_made_given_to_a_partner_and_its_usage_read(self, demo: Demo) -> None:
        limits = ["--per-partner", "600", "--per-consent", "60", "--per-day", "100000"]
        limits += ["--per-endpoint", "POST /v1/payments=60", "--reason", "new plan"]
        assert demo.bank("plan-set", "basic", *limits).returncode == 0
        given = demo.bank("partner-plan", "demo-travel", "basic", "--reason", "contract 17")
        assert given.returncode == 0, given.stderr
        assert "basic" in demo.bank("plans").stdout
        assert demo.bank("partner-plan", "demo-travel", "none", "--reason", "x").returncode == 0
        assert demo.bank("usage", "--partner", "demo-travel").returncode == 0
        assert "plan_not_found" in said(
            demo.bank("partner-plan", "demo-travel", "nothing", "--reason", "x")
        )


class TestReview:
    def test_of_an_unknown_payment_is_refused(self, demo: Demo) -> None:
        payment = "01890a5d-ac96-774b-bcce-b302099a8057"
        assert "not_found" in said(demo.bank("review", payment, "approve", "--reason", "x"))


class TestPolicies:
    def test_are_listed_shown_and_compared(self, demo: Demo) -> None:
        listed = demo.bank("policies").stdout.splitlines()
        assert {line.split()[0] for line in listed} == {
            "payment",
            "account_opening",
            "loan",
            "card",
        }
        assert "2026.1" in demo.bank("policies", "loan").stdout
        assert "ceiling_minor" in demo.bank("policy-show", "payment", "2026.1").stdout
        same = demo.bank("policy-diff", "payment", "2026.1", "2026.1")
        assert (same.returncode, same.stdout) == (0, "")

    def test_do_not_go_back_behind_the_first_nor_come_into_force_unapproved(
        self, demo: Demo
    ) -> None:
        back = demo.bank("policy-roll-back", "card", "--reason", "x")
        assert "nothing_before" in said(back)
        active = demo.bank("policy-activate", "card", "2026.1", "--reason", "x")
        assert "policy_state" in said(active)


class TestSources:
    def test_are_shown_broken_and_mended(self, demo: Demo) -> None:
        shown = demo.bank("sources").stdout.splitlines()
        assert len(shown) == 5
        assert all("closed" in line for line in shown)
        broken = demo.bank("source-fault", "court", "error", "--share-percent", "50")
        assert (broken.returncode, '"share_percent":50' in broken.stdout) == (0, True)
        assert demo.bank("source-fault", "court", "none").returncode == 0
        refused = demo.bank("source-fault", "court", "silent", "--share-percent", "101")
        assert "share_percent" in said(refused)


class TestReplay:
    def test_of_past_decisions_gives_the_same(self, demo: Demo) -> None:
        done = demo.bank("replay", "--last", "100")
        assert done.returncode == 0, done.stdout + done.stderr
        *progress, summary = done.stdout.splitlines()
        assert progress
        seen, equal = (int(summary.split()[place]) for place in (0, 2))
        assert 0 < seen == equal <= 100
        loans = demo.bank("replay", "--product", "loan", "--since", "2026-01-01T00:00Z")
        assert loans.returncode == 0, loans.stderr
        assert int(loans.stdout.splitlines()[-1].split()[0]) >= 1

    def test_of_one_that_is_not_there_is_refused(self, demo: Demo) -> None:
        unknown = "01890a5d-ac96-774b-bcce-b302099a8057"
        assert "decision_not_found" in said(demo.bank("replay", "--id", unknown))

    @pytest.mark.parametrize("wrong", [["--last", "0"], ["--since", "2026-01-01"], ["--id"]])
    def test_that_is_not_understood_says_so(self, demo: Demo, wrong: list[str]) -> None:
        done = demo.bank("replay", *wrong)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


class TestUpkeep:
    def test_rotates_keys_under_a_running_bank(self, demo: Demo) -> None:
        keys = demo.run_dir / "keys" / "gateway" / "gateway.json"
        before = json.loads(keys.read_text())["keys"][0]["kid"]
        assert demo.bank("rotate-keys").returncode == 0
        assert json.loads(keys.read_text())["keys"][0]["kid"] != before
        printed = demo.bank("curl", "GET", "/v1/payments").stdout
        assert _send(printed).status_code == 200

    def test_rebuilds_profiles(self, demo: Demo) -> None:
        done = demo.bank("rebuild-profiles")
        assert done.returncode == 0, done.stderr
        assert int(done.stdout.split()[-2]) > 0

    def test_replays_dead_letters_where_there_are_none(self, demo: Demo) -> None:
        assert demo.bank("replay-dead-letters", "profiles").stdout == (
            "profiles: 0 handled, 0 failed again\n"
        )
        assert "handles no events" in said(demo.bank("replay-dead-letters", "ledger"))


class TestBank:
    @pytest.mark.parametrize("command", [["audit"], ["customers"], ["rotate-keys"]])
    def test_that_does_not_run_is_told_in_one_line(
        self, tmp_path: Path, command: list[str]
    ) -> None:
        done = run_module("deploy.bank", *command, RUN_DIR=str(tmp_path))
        assert "no bank runs" in said(done)

    def test_reads_the_code_on_a_customers_phone(self, demo: Demo) -> None:
        words = demo.bank("code").stdout.splitlines()
        assert words[0].isdigit()
        assert words[0] in words[1]

    def test_gives_a_customer_a_way_to_sign_in(self, demo: Demo) -> None:
        customer = demo.bank("customers", "--limit", "1").stdout.split()[0]
        name, password = (
            line.split()[-1] for line in demo.bank("give-sign-in", customer).stdout.splitlines()
        )
        body = {"login_name": name, "password": password}
        answer = httpx.post(f"{demo.gateway}/v1/sessions", json=body)
        assert (answer.status_code, answer.json()["customer_id"]) == (201, customer)


def _send(printed: str) -> httpx.Response:
    """Do what the printed curl command says."""
    words = shlex.split(printed.replace("\\\n", " "))
    assert words[0] == "curl"
    headers = [words[at + 1] for at, word in enumerate(words) if word == "-H"]
    method = words[words.index("-X") + 1]
    url = next(word for word in words if word.startswith("http://"))
    return httpx.request(method, url, headers=dict(header.split(": ", 1) for header in headers))
