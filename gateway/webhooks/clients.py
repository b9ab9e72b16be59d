"""Calls to partners' webhook endpoints: to public addresses alone, bounded in time and size."""

import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from ipaddress import ip_address

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from gateway.webhooks.domain import Answer, WebhookUrlRefused, check_url, may_call, retry_after_s

TIMEOUT = aiohttp.ClientTimeout(total=10, sock_connect=5)
MAX_CONNECTIONS = 64
USER_AGENT = "Tongbao-Webhooks/1"


class AddressRefused(OSError):
    """The name leads to where no webhook may go."""


class PublicResolver(AbstractResolver):
    """Looks a name up once and hands out what may be called.

    The connection goes to the very addresses that were looked at, so a name cannot answer
    otherwise the second time (DNS rebinding). One address that may not be called spoils the name.
    """

    def __init__(self, *, to_loopback: bool, behind: AbstractResolver | None = None) -> None:
        self._to_loopback = to_loopback
        self._behind = behind or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._behind.resolve(host, port, family)
        for one in found:
            address = ip_address(one["host"].partition("%")[0])
            if not may_call(address, to_loopback=self._to_loopback):
                raise AddressRefused("the name leads to an address that is not public")
        return found

    async def close(self) -> None:
        await self._behind.close()


@asynccontextmanager
async def opened(*, to_loopback: bool) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(
        resolver=PublicResolver(to_loopback=to_loopback),
        use_dns_cache=False,
        force_close=True,
        limit=MAX_CONNECTIONS,
    )
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=TIMEOUT,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    ) as session:
        yield session


async def post(
    session: aiohttp.ClientSession,
    *,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    to_loopback: bool,
    now: datetime,
) -> Answer:
    """One try. The answer's body is not read, and no redirect is followed."""
    try:
        # A literal address is never looked up, so it is looked at here, at every try.
        check_url(url, to_loopback=to_loopback)
        async with session.post(
            url, data=body, headers={**headers, "User-Agent": USER_AGENT}, allow_redirects=False
        ) as response:
            asked = retry_after_s(response.headers.get("Retry-After"), now=now)
            return Answer(response.status, None, asked)
    except (WebhookUrlRefused, TimeoutError, OSError, aiohttp.ClientError, ValueError) as error:
        return Answer(None, _why(error))


def _why(error: Exception) -> str:
    """One word for what went wrong; the errors' own words may repeat what the partner sent."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        refused = isinstance(error.os_error, AddressRefused)
        return "address_refused" if refused else "name_not_found"
    for kinds, word in _WORDS:
        if isinstance(error, kinds):
            return word
    return "answer_malformed"


#: The first that fits counts: several are kinds of others.
_WORDS: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((WebhookUrlRefused, AddressRefused), "address_refused"),
    ((TimeoutError,), "timeout"),
    ((ssl.SSLError, aiohttp.ClientSSLError), "tls_failed"),
    ((aiohttp.ClientConnectionError, OSError), "connection_failed"),
)
