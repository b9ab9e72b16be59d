"""What the server bounds before a request is one, and how it ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import pytest
import uvicorn
from fastapi import FastAPI

from shared.kit import server
from shared.kit.server import MAX_HEAD_BYTES, BoundedProtocol
from tests.bank import eventually, free_port
from tests.kit.running import Tiny

HEAD = b"GET /v1/things/a HTTP/1.1\r\nhost: kit\r\n"


async def connect(tiny: Tiny) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address = urlsplit(tiny.url)
    return await asyncio.open_connection(address.hostname, address.port)


async def answer(tiny: Tiny, *parts: bytes) -> bytes:
    """The first bytes of the answer to these parts, sent one after another."""
    reader, writer = await connect(tiny)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return await asyncio.wait_for(reader.read(15), 20)
    finally:
        writer.close()


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    """A server with the kit's protocol in this process; its port."""
    config = uvicorn.Config(
        FastAPI(), port=free_port(), log_config=None, http=BoundedProtocol, ws="none"
    )
    running = uvicorn.Server(config)
    task = asyncio.create_task(running._serve())  # without the handlers of signals

    async def is_started() -> bool:
        return running.started

    await eventually(is_started)
    yield config.port
    running.should_exit = True
    await task


class TestHead:
    async def test_of_a_bounded_size_is_taken(self, tiny: Tiny):
        headers = b"".join(b"x-%d: %s\r\n" % (n, b"a" * 1_000) for n in range(40))
        assert await answer(tiny, HEAD, headers, b"\r\n") == b"HTTP/1.1 200 OK"

    @pytest.mark.parametrize(
        "part", [b"x: " + b"a" * 65_000, b"x: " + b"a" * 999 + b"\r\n"], ids=["one", "many"]
    )
    async def test_without_an_end_is_refused(self, monkeypatch: pytest.MonkeyPatch, part: bytes):
        monkeypatch.setattr(server, "HEAD_TIMEOUT_S", 600)  # it is not the time that ends it
        async with serving() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(HEAD + part * (3 * MAX_HEAD_BYTES // len(part)))
            # The server closes with bytes unread, so its answer may not get through.
            with suppress(ConnectionError):
                said = await asyncio.wait_for(reader.read(), 20)
                assert said.startswith(b"HTTP/1.1 400") or said == b""
            writer.close()

    async def test_after_another_on_a_connection_is_bounded_anew(self, tiny: Tiny):
        reader, writer = await connect(tiny)
        try:
            for _ in range(5):
                writer.write(HEAD + b"x: " + b"a" * 30_000 + b"\r\n\r\n")
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
                await reader.readuntil(b"}")
        finally:
            writer.close()

    async def test_that_never_ends_is_not_waited_for(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(server, "HEAD_TIMEOUT_S", 0.2)
        async with serving() as port:
            for part in (b"", HEAD, HEAD + b"\r\n" + HEAD):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(part)
                await asyncio.wait_for(reader.read(), 20)  # to its end: the server closes
                writer.close()


class TestUpgrade:
    async def test_to_a_websocket_is_not_made(self, tiny: Tiny):
        upgrade = b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
        key = b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        assert await answer(tiny, HEAD, upgrade, key) == b"HTTP/1.1 200 OK"
