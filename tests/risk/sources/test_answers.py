"""What counts as an answer: the right person, source and call, in the form of the table."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from services.risk.sources.answers import known_answers
from services.risk.sources.clients import HttpConnector
from services.risk.sources.port import Question, SourceFailed
from shared.kit.clock import new_id
from tests.risk.sources.support import TLS

GOOD = {"overdue_90d": 0, "monthly_repayments_minor": 50_000, "queries_3m": None}
QUESTION = Question(new_id(), "c-1", "credit")
REPORT: dict[str, Any] = {
    "source": "bureau",
    "request_id": str(QUESTION.call_id),
    "customer_id": "c-1",
    "answers": GOOD,
}


async def asked(body: bytes, *, head: bytes = b"") -> dict[str, Any]:
    """What the connector makes of a source that sends these bytes, whatever it is asked."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        start = head or b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n" % len(body)
        writer.write(start + b"connection: close\r\n\r\n" + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connector = HttpConnector(
        source="bureau", base_url=f"http://127.0.0.1:{port}", api_key="k", tls=TLS
    )
    try:
        return dict(await connector.ask(QUESTION, timeout_s=10))
    finally:
        await connector.close()
        server.close()
        await server.wait_closed()


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    report = json.loads(json.dumps(REPORT))
    change(report)
    return json.dumps(report).encode()


class TestAnswer:
    async def test_is_taken_without_what_nobody_asked_for(self):
        body = changed(lambda r: r["answers"].update(employer="x", diagnosis="y"))
        assert await asked(body) == GOOD

    @pytest.mark.parametrize(
        "change",
        [
            lambda r: r.update(source="court"),
            lambda r: r.update(customer_id="c-2"),
            lambda r: r.update(request_id=str(new_id())),
            lambda r: r.pop("request_id"),
            lambda r: r.update(answers=[]),
            lambda r: r.update(answers=None),
            lambda r: r["answers"].pop("overdue_90d"),
            lambda r: r["answers"].update(overdue_90d="0"),
            lambda r: r["answers"].update(overdue_90d=True),
            lambda r: r["answers"].update(overdue_90d=0.5),
            lambda r: r["answers"].update(overdue_90d=-1),
            lambda r: r["answers"].update(overdue_90d=10**9),
            lambda r: r["answers"].update(monthly_repayments_minor=10**13),
            lambda r: r["answers"].update(queries_3m={}),
            lambda r: r["answers"].update({f"more_{i}": i for i in range(201)}),
        ],
    )
    async def test_that_lies_in_one_place_is_none(self, change: Callable[[dict[str, Any]], object]):
        with pytest.raises(SourceFailed) as failed:
            await asked(changed(change))
        assert (failed.value.cause, failed.value.charged) == ("malformed", True)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"null",
            b"[]",
            b"NaN",
            b"\xff\xfe",
            b"[" * 10_000,
            b'{"source": "bureau"',
            b"<html>",
        ],
        ids=lambda body: f"{len(body)}-bytes",
    )
    async def test_that_is_no_report_is_none(self, body: bytes):
        with pytest.raises(SourceFailed) as failed:
            await asked(body)
        assert failed.value.cause == "malformed"

    @pytest.mark.parametrize(
        ("head", "cause"),
        [
            (b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n", "status"),
            (b"HTTP/1.1 401 Unauthorized\r\n", "refused"),
            (b"HTTP/1.1 429 Too Many Requests\r\n", "status"),
            (b"HTTP/1.1 204 No Content\r\n", "status"),
            (b"HELLO\r\n", "connection"),
            (b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n", "connection"),
            (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 0\r\n", "malformed"),
        ],
    )
    async def test_of_another_protocol_is_none(self, head: bytes, cause: str):
        with pytest.raises(SourceFailed) as failed:
            await asked(b"", head=head)
        assert failed.value.cause == cause

    def test_may_say_that_nothing_is_known(self):
        assert known_answers("court", {"dishonest": None, "open_enforcements": None}) == {
            "dishonest": None,
            "open_enforcements": None,
        }
        assert known_answers("court", {"dishonest": 0, "open_enforcements": None}) is None
