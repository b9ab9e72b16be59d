"""What a call to another service promises: an answer, its refusal, or `PeerUnavailable` in time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import BaseModel

from shared.kit import tracing
from shared.kit.peers import OnBehalfOf, Peer, PeerRefused, PeerUnavailable
from tests.kit.running import MAX_CONCURRENCY, Tiny

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Patience(BaseModel):
    remaining_ms: float


class Thing(BaseModel):
    name: str
    count: int = 0


class Named(BaseModel):
    service: str
    customer_id: str | None


@asynccontextmanager
async def peer_at(tiny: Tiny, url: str) -> AsyncIterator[Peer]:
    peer = Peer(name="kit", base_url=url, authenticator=tiny.authenticator("payments"))
    try:
        yield peer
    finally:
        await peer.close()


@pytest.fixture
async def peer(tiny: Tiny) -> AsyncIterator[Peer]:
    async with peer_at(tiny, tiny.url) as made:
        yield made


@asynccontextmanager
async def broken_peer(tiny: Tiny, answer: Answer) -> AsyncIterator[Peer]:
    """A peer that answers a request with whatever bytes `answer` writes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            await answer(writer)
            await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with peer_at(tiny, f"http://127.0.0.1:{port}") as peer:
        yield peer
    server.close()


class TestCall:
    async def test_names_the_caller_and_whom_it_is_for(self, peer: Peer):
        found = await peer.call(
            "GET",
            "/v1/caller",
            reply=Named,
            timeout_ms=5_000,
            behalf=OnBehalfOf(customer_id="c-1"),
        )
        assert found == Named(service="payments", customer_id="c-1")

    async def test_sends_and_reads_models(self, peer: Peer):
        sent = Thing(name="通宝", count=5)
        found = await peer.call("POST", "/v1/things", reply=Thing, timeout_ms=5_000, body=sent)
        assert found == sent

    async def test_belongs_to_the_running_trace(self, peer: Peer, tiny: Tiny):
        with tracing.span(None) as trace:
            await peer.send("GET", "/v1/things/a", timeout_ms=5_000)
        line = await tiny.logged(event="request", trace_id=trace.trace_id)
        assert line["parent_id"] == trace.span_id

    async def test_passes_on_what_is_left_of_the_deadline(self, peer: Peer):
        async def asked(timeout_ms: float) -> float:
            found = await peer.call("GET", "/v1/patience", reply=Patience, timeout_ms=timeout_ms)
            return found.remaining_ms

        assert 0 < await asked(1_500) <= 1_500
        with tracing.deadline(1_200):
            assert 0 < await asked(60_000) <= 1_200


class TestRefusal:
    async def test_is_passed_on_with_its_own_words(self, peer: Peer):
        with pytest.raises(PeerRefused) as refused:
            await peer.send("POST", "/v1/things", timeout_ms=5_000, content=b'{"count": 1}')
        error = refused.value
        assert (error.status, error.code, error.field) == (422, "invalid_request", "name")

    async def test_of_a_route_is_a_refusal(self, peer: Peer):
        with pytest.raises(PeerRefused) as refused:
            await peer.send("GET", "/v1/nothing", timeout_ms=5_000)
        assert (refused.value.status, refused.value.code) == (404, "not_found")

    async def test_changes_no_other(self, peer: Peer):
        with pytest.raises(PeerRefused):
            await peer.send("GET", "/v1/nothing", timeout_ms=5_000)
        assert (PeerRefused.status, PeerRefused.code) == (400, "peer_refused")


class TestUnavailable:
    async def test_is_a_peer_that_is_not_there(self, tiny: Tiny):
        async with peer_at(tiny, "http://127.0.0.1:1") as peer:
            with pytest.raises(PeerUnavailable) as unavailable:
                await peer.send("GET", "/v1/things/a", timeout_ms=5_000)
        assert unavailable.value.headers == {"Retry-After": "1"}

    async def test_is_a_peer_that_failed(self, peer: Peer):
        with pytest.raises(PeerUnavailable) as unavailable:
            await peer.send("GET", "/v1/failure/13800138000", timeout_ms=5_000)
        assert "13800138000" not in str(unavailable.value)

    async def test_is_a_peer_that_has_too_much_to_do(self, peer: Peer, tmp_path: Path):
        until = tmp_path / "until"
        held = [
            asyncio.create_task(
                peer.send("GET", "/v1/hold", timeout_ms=60_000, params={"until": str(until)})
            )
            for _ in range(MAX_CONCURRENCY + 4)
        ]
        refused, pending = set(), set(held)
        while len(refused) < 4:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            refused |= done
        assert all(isinstance(call.exception(), PeerUnavailable) for call in refused)
        until.touch()
        await asyncio.gather(*pending)

    async def test_is_a_peer_that_is_late(self, peer: Peer, tiny: Tiny, tmp_path: Path):
        until = {"until": str(tmp_path / "until")}
        with tracing.span(None) as trace:
            with tracing.deadline(200), pytest.raises(PeerUnavailable):
                await peer.send("GET", "/v1/hold", timeout_ms=60_000, params=until)
            (tmp_path / "until").touch()
        await tiny.logged(event="request", trace_id=trace.trace_id)

    async def test_is_any_peer_when_no_time_is_left(self, peer: Peer):
        with tracing.deadline(0), pytest.raises(PeerUnavailable, match="No time is left"):
            await peer.send("GET", "/v1/things/a", timeout_ms=5_000)

    async def test_is_a_peer_whose_answer_never_ends(self, tiny: Tiny):
        async def dribble(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)

        async with broken_peer(tiny, dribble) as peer:
            with pytest.raises(PeerUnavailable):
                async with asyncio.timeout(20):
                    await peer.send("GET", "/", timeout_ms=300)

    @pytest.mark.parametrize(
        "answer",
        [
            b"",
            b"nonsense\r\n\r\n",
            b"HTTP/1.1 2000 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n[1, 2, 3]",
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
            b"HTTP/1.1 307 Moved\r\nlocation: /else\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nnone",
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnone",
        ],
    )
    async def test_is_a_peer_that_cannot_be_understood(self, tiny: Tiny, answer: bytes):
        async def write(writer: asyncio.StreamWriter) -> None:
            writer.write(answer)

        async with broken_peer(tiny, write) as peer:
            with pytest.raises(PeerUnavailable):
                await peer.call("GET", "/", reply=Thing, timeout_ms=5_000)
