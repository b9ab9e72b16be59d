"""A way to the database that a test can cut and mend, without touching the server of the others."""

import asyncio
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote


class Proxy:
    """Passes bytes between its own socket and that of the server in `dsn`."""

    def __init__(self, dsn: str) -> None:
        host = re.search(r"host=([^&]+)", dsn)
        port = re.search(r"port=(\d+)", dsn)
        assert host, "the test server is met by a Unix socket"
        assert port
        self._server = Path(unquote(host[1])) / f".s.PGSQL.{port[1]}"
        # A socket's path may have 107 bytes, which pytest's own folders come close to.
        self._folder = tempfile.TemporaryDirectory(prefix="kit-")
        self._socket = Path(self._folder.name) / self._server.name
        self._host = host[1]
        self._listening: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    def through(self, dsn: str) -> str:
        """The same address by way of this proxy."""
        return dsn.replace(f"host={self._host}", f"host={quote(self._folder.name)}")

    async def mend(self) -> None:
        self._listening = await asyncio.start_unix_server(self._pass, self._socket)

    async def cut(self) -> None:
        """Break every connection and take no new ones."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None
        self._socket.unlink(missing_ok=True)
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def close(self) -> None:
        await self.cut()
        self._folder.cleanup()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            server_reader, server_writer = await asyncio.open_unix_connection(self._server)
            self._writers |= {writer, server_writer}
            await asyncio.gather(
                self._pump(reader, server_writer), self._pump(server_reader, writer)
            )

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        self._writers.discard(writer)
        writer.close()
