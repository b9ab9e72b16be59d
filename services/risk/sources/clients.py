"""The connector that speaks HTTP: one question, one bounded answer, one deadline."""

import asyncio
import ssl
from collections.abc import Mapping

import httpx

from services.risk.sources.answers import Report, known_answers
from services.risk.sources.port import Question, SourceFailed
from shared.contracts.http.risk_sources import Source

#: A report is a few hundred bytes; whoever sends more is not who we think.
MAX_ANSWER = 16 * 1024
MAX_CONNECTIONS = 20


class HttpConnector:
    """A source that answers `POST <base_url>/reports`, known by an API key."""

    def __init__(self, *, source: Source, base_url: str, api_key: str, tls: ssl.SSLContext) -> None:
        self._source = source
        self._url = f"{base_url.rstrip('/')}/reports"
        self._client = httpx.AsyncClient(
            headers={"x-api-key": api_key, "accept-encoding": "identity"},
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS, keepalive_expiry=4.0),
            follow_redirects=False,  # the key goes nowhere but to the address in the settings
            trust_env=False,
            verify=tls,
        )

    async def ask(self, question: Question, *, timeout_s: float) -> Mapping[str, object]:
        """See `Connector.ask`."""
        try:
            # the client's own bounds are for each read: an answer that drips would never end
            async with asyncio.timeout(timeout_s):
                content = await self._content(question, timeout_s)
        except SourceFailed:
            raise
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            # nothing has reached the source yet
            raise SourceFailed("connection", charged=False) from error
        except (TimeoutError, httpx.TimeoutException) as error:
            raise SourceFailed("timeout", charged=None) from error
        except (httpx.HTTPError, OSError) as error:
            raise SourceFailed("connection", charged=None) from error
        return self._read(content, question)

    async def _content(self, question: Question, timeout_s: float) -> bytes:
        body = {
            "request_id": str(question.call_id),
            "customer_id": question.customer_id,
            "purpose": question.purpose,
        }
        async with self._client.stream("POST", self._url, json=body, timeout=timeout_s) as response:
            if response.status_code in {401, 403}:
                raise SourceFailed("refused", charged=False)
            if response.status_code != 200:
                raise SourceFailed("status", charged=False)
            found = bytearray()
            async for part in response.aiter_raw():
                found += part
                if len(found) > MAX_ANSWER:
                    raise SourceFailed("too_large", charged=True)
        return bytes(found)

    def _read(self, content: bytes, question: Question) -> Mapping[str, object]:
        try:
            report = Report.model_validate_json(content)
        except ValueError as error:
            raise SourceFailed("malformed", charged=True) from error
        named = (report.source, report.request_id, report.customer_id)
        answers = known_answers(self._source, report.answers)
        if named != (self._source, str(question.call_id), question.customer_id) or answers is None:
            raise SourceFailed("malformed", charged=True)
        return answers

    async def close(self) -> None:
        await self._client.aclose()
