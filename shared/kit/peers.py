"""Calls to other services: one pooled client per target, a deadline on every call."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from pydantic import BaseModel

from shared.kit import tracing
from shared.kit.auth import Authenticator
from shared.kit.problems import BankError, ProblemDocument, Unavailable

ReplyT = TypeVar("ReplyT", bound=BaseModel)

MAX_CONNECTIONS = 100
CONNECT_TIMEOUT_S = 1.0
#: Headers of a refusal that the client is told too.
PASSED_ON = {"retry-after"}
NO_HEADERS: Mapping[str, str] = {}


class PeerRefused(BankError):
    """Another service's problem, passed on with its own status and code."""

    code = "peer_refused"
    title = "Another part of the bank refused"

    def __init__(self, problem: ProblemDocument, headers: Mapping[str, str] = NO_HEADERS) -> None:
        first = problem.errors[0] if problem.errors else None
        super().__init__(
            problem.detail,
            field=first.field if first else None,
            expected=first.expected if first else None,
            headers={name: value for name, value in headers.items() if name in PASSED_ON},
        )
        self.problem = problem
        # Instance attributes shadow the class's: the client sees the refusing service's own.
        self.status, self.code, self.title = (  # type: ignore[misc]
            problem.status,
            problem.code,
            problem.title,
        )


class PeerUnavailable(Unavailable):
    """No answer in time, or none at all: whether the call took effect is not known."""

    code = "peer_unavailable"


@dataclass(frozen=True, slots=True)
class OnBehalfOf:
    """Whom a call is made for; the internal token names them."""

    partner_id: str | None = None
    customer_id: str | None = None


NOBODY = OnBehalfOf()


class Peer:
    """One other service. Every method may raise `PeerRefused` and `PeerUnavailable`."""

    def __init__(self, *, name: str, base_url: str, authenticator: Authenticator) -> None:
        self.name = name
        self._authenticator = authenticator
        self._base_url = base_url.rstrip("/")
        # The transport alone: what a client adds to it, redirects, cookies, proxies from the
        # environment, is not wanted between services and costs more than the call.
        self._transport = AiohttpTransport(
            limits=httpx.Limits(
                max_connections=MAX_CONNECTIONS,
                max_keepalive_connections=MAX_CONNECTIONS,
                keepalive_expiry=4.0,  # below the servers' own, or a reused one may be closed
            )
        )

    async def close(self) -> None:
        await self._transport.aclose()

    async def call(
        self,
        method: str,
        path: str,
        *,
        reply: type[ReplyT],
        timeout_ms: float,
        body: BaseModel | None = None,
        params: dict[str, str] | None = None,
        behalf: OnBehalfOf = NOBODY,
        idempotency_key: str | None = None,
    ) -> ReplyT:
        """Send one request and read its answer as `reply`.

        Waits `timeout_ms`, or what is left of the running request's deadline if that is less.
        """
        content = await self.send(
            method,
            path,
            timeout_ms=timeout_ms,
            content=body.model_dump_json().encode() if body is not None else None,
            params=params,
            behalf=behalf,
            idempotency_key=idempotency_key,
        )
        try:
            return reply.model_validate_json(content)
        except ValueError as error:
            raise PeerUnavailable(f"{self.name} gave an answer of another form") from error

    async def send(
        self,
        method: str,
        path: str,
        *,
        timeout_ms: float,
        content: bytes | None = None,
        params: dict[str, str] | None = None,
        behalf: OnBehalfOf = NOBODY,
        idempotency_key: str | None = None,
    ) -> bytes:
        """As `call`, with raw bytes on both sides."""
        left = tracing.remaining_ms()
        wait_ms = timeout_ms if left is None else min(timeout_ms, left)
        if wait_ms <= 0:
            raise PeerUnavailable(f"No time is left to ask {self.name}")
        wait_s = wait_ms / 1000
        timeout = httpx.Timeout(wait_s, connect=min(CONNECT_TIMEOUT_S, wait_s))
        request = httpx.Request(
            method,
            self._base_url + path,
            content=content,
            params=params,
            headers=self._headers(behalf, idempotency_key, wait_ms, has_body=content is not None),
            extensions={"timeout": timeout.as_dict()},
        )
        try:
            # The transport's own timeout is one of each read: an answer that drips never ends.
            async with asyncio.timeout(wait_s):
                response = await self._transport.handle_async_request(request)
                try:
                    await response.aread()
                finally:
                    await response.aclose()
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
            raise PeerUnavailable(f"{self.name} did not answer") from error
        if not response.is_success:
            raise self._refusal(response)
        return response.content

    def _headers(
        self, behalf: OnBehalfOf, idempotency_key: str | None, wait_ms: float, *, has_body: bool
    ) -> dict[str, str]:
        token = self._authenticator.token(
            audience=self.name, partner_id=behalf.partner_id, customer_id=behalf.customer_id
        )
        headers = {"authorization": f"Bearer {token}", tracing.DEADLINE: str(int(wait_ms))}
        trace = tracing.current()
        if trace:
            headers[tracing.TRACEPARENT] = trace.traceparent()
        if idempotency_key:
            headers["idempotency-key"] = idempotency_key
        if has_body:
            headers["content-type"] = "application/json"
        return headers

    def _refusal(self, response: httpx.Response) -> BankError:
        if not response.is_client_error:
            return PeerUnavailable(f"{self.name} answered {response.status_code}")
        try:
            problem = ProblemDocument.model_validate_json(response.content)
        except ValueError:
            return PeerUnavailable(f"{self.name} answered {response.status_code} without a problem")
        return PeerRefused(problem, response.headers)
