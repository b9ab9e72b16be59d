"""`make sandbox` where a bank runs already: its clients, and what it says when it cannot."""

import json

import httpx

from tests.journeys.demo import Demo, run_module


class TestSandbox:
    def test_registers_in_the_running_bank_and_writes_one_file(self, demo: Demo) -> None:
        settings = {"RUN_DIR": str(demo.run_dir), "PORT": str(demo.port)}
        done = run_module("deploy.sandbox", REDIRECT_URIS="https://suite.example/cb", **settings)
        assert done.returncode == 0, done.stderr
        file = demo.run_dir / "sandbox.json"
        assert file.stat().st_mode & 0o777 == 0o600
        told = json.loads(file.read_text())
        found = httpx.get(told["discovery"]).json()
        assert found["issuer"] == told["issuer"] == demo.gateway
        assert len({client["client_id"] for client in told["clients"]}) == 2
        assert told["clients"][0]["redirect_uris"] == ["https://suite.example/cb"]
        body = {name: told["customer"][name] for name in ("login_name", "password")}
        assert httpx.post(f"{demo.gateway}/v1/sessions", json=body).status_code == 201

    def test_says_in_one_line_what_stands_in_its_way(self, demo: Demo) -> None:
        settings = {"RUN_DIR": str(demo.run_dir), "PORT": str(demo.port)}
        for words, more in (
            ("redirect_uri_refused", {"REDIRECT_URIS": "http://suite.example/cb"}),
            ("this bank runs as", {"PUBLIC_URL": "https://bank.example"}),
            ("PUBLIC_URL=bank is not", {"PUBLIC_URL": "bank"}),
        ):
            done = run_module("deploy.sandbox", **settings, **more)
            assert done.returncode == 1
            assert done.stderr.count("\n") == 1, done.stderr
            assert words in done.stderr
