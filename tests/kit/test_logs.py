"""What the logs hold: a line a request with its trace, and nothing of a person or a secret."""

import asyncio
import gc
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.kit import logs, tracing
from tests.kit.running import Tiny

PHONE = "13800138000"


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[Path]:
    """Every log of this process goes there, and its rotations beside it, for one test."""
    root = logging.getLogger()
    before = list(root.handlers), root.level
    folder = tmp_path / "logs"
    umask = os.umask(0)
    try:
        logs.configure(service="kit", log_file=folder / "kit.jsonl")
        yield folder / "kit.jsonl"
    finally:
        os.umask(umask)
        for handler in root.handlers:
            handler.close()
        root.handlers, level = before
        root.setLevel(level)


def said(path: Path) -> str:
    return path.read_text()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said(path).splitlines()]


class TestLine:
    def test_is_one_json_object_with_what_it_was_given(self, log_file: Path):
        logging.getLogger("a.b").info("thing.made", extra={"thing_id": 'a "b"\n通宝 \ud800'})
        (line,) = lines(log_file)
        assert line.pop("at")
        assert line == {
            "level": "INFO",
            "name": "a.b",
            "event": "thing.made",
            "service": "kit",
            "thing_id": 'a "b"\n通宝 \ud800',
        }

    def test_has_the_running_trace_unless_it_names_another(self, log_file: Path):
        log = logging.getLogger("a")
        log.info("before")
        with tracing.span(None) as trace:
            log.info("during")
            log.info("other", extra={"trace_id": "of-another"})
        before, during, other = lines(log_file)
        assert "trace_id" not in before
        assert (during["trace_id"], during["span_id"]) == (trace.trace_id, trace.span_id)
        assert other["trace_id"] == "of-another"

    def test_of_an_exception_tells_where_and_not_what(self, log_file: Path):
        try:
            raise ValueError(f"no row for {PHONE}") from KeyError(PHONE)
        except ValueError:
            logging.getLogger("a").exception("it.failed")
            logging.getLogger("a").warning("it.failed", exc_info=True)
        assert PHONE not in said(log_file)
        for line in lines(log_file):
            assert line["cause"] == "ValueError"
            assert "test_logs.py" in line["frames"]

    async def test_of_a_task_that_nobody_awaits_tells_where_and_not_what(self, log_file: Path):
        async def fail() -> None:
            raise ValueError(f"no row for {PHONE}")

        task = asyncio.create_task(fail())
        await asyncio.wait({task})
        del task
        gc.collect()
        (line,) = [line for line in lines(log_file) if line["name"] == "asyncio"]
        assert line["cause"] == "ValueError"
        assert PHONE not in said(log_file)


class TestFile:
    def test_and_its_rotations_are_their_owners_alone(
        self, monkeypatch: pytest.MonkeyPatch, log_file: Path
    ):
        logging.getLogger().handlers[0].maxBytes = 2_000
        for n in range(60):
            logging.getLogger("a").info("line", extra={"number": n})
        files = sorted(log_file.parent.iterdir())
        assert [path.name for path in files] == ["kit.jsonl", "kit.jsonl.1", "kit.jsonl.2"]
        assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
        assert lines(log_file)[-1]["number"] == 59


class TestRequest:
    async def test_leaves_a_line_without_anything_that_it_carried(self, tiny: Tiny):
        secrets = [f"{PHONE}{n}" for n in range(6)]
        headers = {"authorization": f"Bearer {secrets[0]}", "x-name": secrets[1]}
        with tracing.span(None) as trace:
            headers |= {"traceparent": trace.traceparent(), "idempotency-key": secrets[2]}
            async with tiny.client(headers=headers, cookies={"session": secrets[3]}) as client:
                await client.get(f"/v1/things/{secrets[4]}?note={secrets[5]}")
                await client.post("/v1/things", json={"name": secrets[0]})
                await client.post("/v1/things", json={"name": 5, "note": secrets[1]})
                await client.get(f"/v1/failure/{secrets[2]}")
                await client.get(f"/v1/{secrets[3]}")
                await client.get("/v1/caller")
        await tiny.logged(event="request", trace_id=trace.trace_id, route="/v1/caller")
        text = said(tiny.log_file)
        assert not [secret for secret in secrets if secret in text]
        told = [
            (line["method"], line["route"], line["status"])
            for line in lines(tiny.log_file)
            if line["event"] == "request" and line["trace_id"] == trace.trace_id
        ]
        assert told == [
            ("GET", "/v1/things/{thing_id}", 200),
            ("POST", "/v1/things", 200),
            ("POST", "/v1/things", 422),
            ("GET", "/v1/failure/{phone}", 500),
            ("GET", "unmatched", 404),
            ("GET", "/v1/caller", 401),
        ]

    async def test_line_has_span_parent_and_duration(self, tiny: Tiny):
        with tracing.span(None) as trace:
            async with tiny.client(headers={"traceparent": trace.traceparent()}) as client:
                await client.get("/v1/things/a")
        line = await tiny.logged(event="request", trace_id=trace.trace_id)
        assert line["parent_id"] == trace.span_id
        assert line["span_id"] not in {None, trace.span_id}
        assert line["duration_ms"] > 0
        assert line["service"] == "kit"

    async def test_for_health_is_not_worth_a_line(self, tiny: Tiny):
        with tracing.span(None) as trace:
            async with tiny.client(headers={"traceparent": trace.traceparent()}) as client:
                for path in ("/healthz", "/metrics", "/v1/things/a"):
                    await client.get(path)
        await tiny.logged(event="request", trace_id=trace.trace_id, route="/v1/things/{thing_id}")
        routes = [
            line["route"] for line in lines(tiny.log_file) if line.get("trace_id") == trace.trace_id
        ]
        assert routes == ["/v1/things/{thing_id}"]

    async def test_that_breaks_after_its_answer_began_tells_where_and_not_what(self, tiny: Tiny):
        async with tiny.client() as client:
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get(f"/v1/late-failure/{PHONE}")
        line = await tiny.logged(name="uvicorn.error", cause="RuntimeError")
        assert "tiny.py" in line["frames"]
        assert PHONE not in said(tiny.log_file)

    async def test_has_metrics_by_route_and_known_methods(self, tiny: Tiny):
        async with tiny.client() as client:
            await client.get(f"/v1/things/{PHONE}")
            await client.request("PROPFIND", f"/v1/things/{PHONE}")
            metrics = (await client.get("/metrics")).text
        assert PHONE not in metrics
        assert 'method="GET",route="/v1/things/{thing_id}",service="kit",status="200"' in metrics
        assert 'method="other",route="/v1/things/{thing_id}",service="kit",status="405"' in metrics
