"""Opens the connectors of a process, and deletes what may not be kept any longer."""

import ssl
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from services.risk.settings import RiskSettings
from services.risk.sources import gauges, repository
from services.risk.sources.breakers import Breaker
from services.risk.sources.clients import HttpConnector
from services.risk.sources.domain import TERMS
from services.risk.sources.port import Connector
from services.risk.sources.service import Sources
from shared.contracts.http.risk_sources import Source
from shared.kit.app import Context

FORGET_EVERY_S = 60.0


def connectors_of(settings: RiskSettings) -> dict[Source, Connector]:
    """A connector for each source that the settings name."""
    if not settings.source_urls:
        return {}
    tls = ssl.create_default_context()  # reads the system's authorities: once is enough
    return {
        source: HttpConnector(
            source=source,
            base_url=str(url),
            api_key=settings.source_keys[source].get_secret_value(),
            tls=tls,
        )
        for source, url in settings.source_urls.items()
    }


@asynccontextmanager
async def opened(context: Context, settings: RiskSettings) -> AsyncIterator[None]:
    """`context.resources["sources"]`, for as long as the block runs."""
    async with AsyncExitStack() as stack:
        connectors = connectors_of(settings)
        for connector in connectors.values():
            stack.push_async_callback(connector.close)
        breakers = {source: Breaker(settings.source_breaker_open_s) for source in TERMS}
        for source, breaker in breakers.items():
            gauges.BREAKER_OPEN.labels(source).set_function(partial(_is_open, breaker))
        context.resources["sources"] = Sources(
            connectors=connectors,
            breakers=breakers,
            deadline_ms=settings.sources_deadline_ms,
            timeouts_ms=settings.source_timeouts_ms,
        )
        yield


def _is_open(breaker: Breaker) -> float:
    return float(breaker.state(time.monotonic()) == "open")


async def forget(context: Context) -> None:
    """Delete answers that are too old to be used, or whose consent has ended by itself."""
    gone = repository.DELETE_BATCH
    while gone == repository.DELETE_BATCH:
        async with context.database.transaction() as session:
            gone = await repository.forget_old(session, now=context.clock())
