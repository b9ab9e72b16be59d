"""Calls to a running bank's services, as a member of staff signed in at identity."""

import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

import httpx
from httpx_aiohttp import AiohttpTransport
from pydantic import BaseModel, SecretStr, ValidationError

from shared.contracts.http.identity import StaffToken
from shared.kit.problems import ProblemDocument

ReplyT = TypeVar("ReplyT", bound=BaseModel)

TIMEOUT_S = 60.0
CONNECTIONS = 16
# A service that is being restarted answers again soon; all calls may be repeated.
TRIES = 8
FIRST_WAIT_S = 0.25
RENEW_TOKEN_S = 300.0


class BankRefused(Exception):
    """A service refused a call, or did not answer; the text is one line for people."""

    def __init__(self, text: str, *, code: str = "") -> None:
        """`code` is the problem's stable code, empty if there was no problem document."""
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class BankAccess:
    """Where the services are, and with what an operator signs in."""

    urls: dict[str, str]
    login_name: str
    password: SecretStr


def read_access(run: Path) -> BankAccess:
    """What a bank leaves in its run folder; raises `BankRefused` if there is none."""
    try:
        bank = json.loads((run / "bank.json").read_text("utf-8"))
        secret = json.loads((run / "secrets" / "operator.json").read_text("utf-8"))
        return BankAccess(
            urls={str(name): str(url) for name, url in bank["services"].items()},
            login_name=str(secret["login_name"]),
            password=SecretStr(str(secret["password"])),
        )
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise BankRefused(
            f"no running bank in {run}: {type(error).__name__} {error}; start it with `make demo`"
        ) from error


class BankClient:
    """One pooled client; signs in when first needed and again before the token ends."""

    def __init__(self, access: BankAccess) -> None:
        """Opens nothing yet; use it with `async with`."""
        self._access = access
        self._token = ""
        self._signed_in_at = 0.0
        self._signing_in = asyncio.Lock()
        self._client = httpx.AsyncClient(
            transport=AiohttpTransport(limits=httpx.Limits(max_connections=CONNECTIONS)),
            timeout=TIMEOUT_S,
        )

    async def __aenter__(self) -> Self:
        """The client itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closes all connections."""
        await self._client.aclose()

    async def call(
        self,
        service: str,
        method: str,
        path: str,
        *,
        reply: type[ReplyT],
        body: BaseModel | None = None,
        params: dict[str, str] | None = None,
    ) -> ReplyT:
        """One call and its answer. Raises `BankRefused`."""
        token = await self._bearer()
        content = body.model_dump_json().encode() if body is not None else None
        response = await self._send(
            service, method, path, content=content, params=params, token=token
        )
        try:
            return reply.model_validate_json(response.content)
        except ValidationError as error:
            raise BankRefused(f"{service} answered something else than expected") from error

    async def _bearer(self) -> str:
        async with self._signing_in:
            if time.monotonic() - self._signed_in_at > RENEW_TOKEN_S or not self._token:
                secret = {
                    "login_name": self._access.login_name,
                    "password": self._access.password.get_secret_value(),
                }
                response = await self._send(
                    "identity", "POST", "/v1/staff/sign-ins", content=json.dumps(secret).encode()
                )
                self._token = StaffToken.model_validate_json(response.content).token
                self._signed_in_at = time.monotonic()
            return self._token

    async def _send(
        self,
        service: str,
        method: str,
        path: str,
        *,
        content: bytes | None,
        params: dict[str, str] | None = None,
        token: str = "",
    ) -> httpx.Response:
        if service not in self._access.urls:
            raise BankRefused(f"the bank has no service {service}")
        headers = {"content-type": "application/json"} if content is not None else {}
        headers |= {"authorization": f"Bearer {token}"} if token else {}
        wait_s, cause = FIRST_WAIT_S, ""
        for attempt in range(TRIES):
            if attempt:
                await asyncio.sleep(wait_s)
                wait_s *= 2
            try:
                response = await self._client.request(
                    method,
                    self._access.urls[service] + path,
                    content=content,
                    params=params,
                    headers=headers,
                )
            except httpx.TransportError as error:
                cause = type(error).__name__
                continue
            if response.status_code < 500:
                return _checked(service, response)
            cause = f"status {response.status_code}"
        raise BankRefused(f"{service} does not answer ({cause})")


def _checked(service: str, response: httpx.Response) -> httpx.Response:
    if response.status_code < 400:
        return response
    try:
        problem = ProblemDocument.model_validate_json(response.content)
    except ValueError:
        raise BankRefused(f"{service} answered {response.status_code}") from None
    field = f" ({problem.errors[0].field})" if problem.errors else ""
    raise BankRefused(f"{service} refused: {problem.detail}{field}", code=problem.code)
