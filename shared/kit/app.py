"""The app factory: what every service is made of, so that a service adds routes and rules alone.

Roles: `api` serves the routes, `worker` runs relay, consumers and jobs, `all` does both in one
process. Every role answers `/healthz`, `/readyz` and `/metrics`.
"""

import asyncio
import gc
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any

import uvicorn
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from sqlalchemy import text

from shared.contracts.topics import BY_NAME
from shared.kit import leases, logs, outbox, problems
from shared.kit.auth import Authenticator, Caller, KeyRing, allow
from shared.kit.bus.port import Bus
from shared.kit.bus.select import open_bus
from shared.kit.clock import Clock, new_id, utc_now
from shared.kit.consumers import ConsumerLoop, Subscriptions, forget_handled
from shared.kit.database import Database
from shared.kit.envelope import Envelope
from shared.kit.peers import Peer
from shared.kit.server import BoundedProtocol
from shared.kit.settings import Settings

log = logging.getLogger(__name__)

JOB_LEASE_S = 30
#: Objects made beyond those that went, before the collector looks at the youngest.
GC_EVERY = 10_000
RETENTION_EVERY_S = 3_600.0


@dataclass(slots=True)
class Context:
    """What a running service holds. Routes get it as `Ctx`."""

    settings: Settings
    database: Database
    bus: Bus
    authenticator: Authenticator
    clock: Clock
    peers: dict[str, Peer]
    member: str
    relay: outbox.Relay
    consumers: ConsumerLoop | None = None
    #: What a service's own `resources` adds, for example a loaded model.
    resources: dict[str, Any] = field(default_factory=dict)
    #: Named conditions of readiness beyond the database; each is asked by `/readyz`.
    ready: dict[str, Callable[[], bool]] = field(default_factory=dict)

    def published(self) -> None:
        """Call after a commit that wrote events: the relay looks at once."""
        self.relay.wake()


@dataclass(frozen=True, slots=True)
class Job:
    """Work that the worker does every `every_s` seconds, in one process at a time."""

    name: str
    every_s: float
    run: Callable[[Context], Awaitable[object]]


async def context_of(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


Ctx = Annotated[Context, Depends(context_of)]
Resources = Callable[[Context], AbstractAsyncContextManager[None]]


def create_app(
    settings: Settings,
    *,
    routers: Sequence[APIRouter],
    subscriptions: Subscriptions | None = None,
    jobs: Sequence[Job] = (),
    resources: Resources | None = None,
    title: str = "",
    clock: Clock = utc_now,
) -> FastAPI:
    """The service's ASGI app. Nothing is opened before its lifespan begins."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        logs.configure(service=settings.service, log_file=settings.log_file)
        context = _open(settings, subscriptions, clock)
        app.state.context = context
        async with _closing(context):
            if resources is None:
                async with _work(context, jobs):
                    yield
            else:
                async with resources(context), _work(context, jobs):
                    yield

    app = FastAPI(
        title=title or f"Tongbao {settings.service}",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None if settings.service == "gateway" else "/openapi.json",
        redirect_slashes=False,  # an address has one spelling; another one is not found
    )
    problems.install(app)
    served = [health]
    if settings.role != "worker":
        served += [*routers, *([] if subscriptions is None else [dead_letter_routes])]
    for router in served:
        # Not included but taken over: a router inside a router matches every request twice.
        app.router.routes.extend(router.routes)
    app.add_middleware(
        Envelope,
        service=settings.service,
        max_body_bytes=settings.max_body_bytes,
        max_concurrency=settings.max_concurrency,
        timeout_ms=settings.request_timeout_ms,
    )
    return app


def _open(settings: Settings, subscriptions: Subscriptions | None, clock: Clock) -> Context:
    application = f"{settings.service}-{settings.role}"
    member = f"{socket.gethostname()}-{os.getpid()}-{new_id().hex[-8:]}"
    database = Database(
        settings.database_url.get_secret_value(),
        pool_size=settings.database_pool,
        application=application,
    )
    bus = open_bus(settings, application=application)
    authenticator = Authenticator(KeyRing(service=settings.service, keys_dir=settings.keys_dir))
    loop = None
    if subscriptions is not None:
        loop = ConsumerLoop(
            subscriptions=subscriptions, database=database, bus=bus, clock=clock, member=member
        )
    return Context(
        settings=settings,
        database=database,
        bus=bus,
        authenticator=authenticator,
        clock=clock,
        peers={
            name: Peer(name=name, base_url=url, authenticator=authenticator)
            for name, url in settings.peers.items()
        },
        member=member,
        relay=outbox.Relay(
            service=settings.service, database=database, bus=bus, clock=clock, owner=member
        ),
        consumers=loop,
    )


@asynccontextmanager
async def _closing(context: Context) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:  # each is closed, whatever becomes of the others
        stack.push_async_callback(context.database.close)
        stack.push_async_callback(context.bus.close)
        for peer in context.peers.values():
            stack.push_async_callback(peer.close)
        yield


@asynccontextmanager
async def _work(context: Context, jobs: Sequence[Job]) -> AsyncIterator[None]:
    """The worker's tasks, where this role has them."""
    tasks: list[asyncio.Task[None]] = []
    if context.settings.role != "api":
        tasks.append(asyncio.create_task(context.relay.run(), name="relay"))
        if context.consumers is not None:
            tasks.append(asyncio.create_task(context.consumers.run(), name="consumers"))
        retention = Job("retention", RETENTION_EVERY_S, _forget_old)
        for job in (*jobs, retention):
            tasks.append(asyncio.create_task(_repeat(context, job), name=job.name))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                log.error("worker.failed", extra={"cause": type(ended).__name__})


async def _repeat(context: Context, job: Job) -> None:
    try:
        while True:
            try:
                if await _is_mine(context, job):
                    await _run_leased(context, job)
                    context.published()
            except Exception as error:
                log.warning("job.retry", extra={"job": job.name, "cause": type(error).__name__})
            await asyncio.sleep(job.every_s)
    finally:
        await leases.give_back(
            context.database, name=f"job.{job.name}", owner=context.member, now=context.clock()
        )


async def _is_mine(context: Context, job: Job) -> bool:
    async with context.database.transaction() as session:
        return await leases.hold(
            session,
            name=f"job.{job.name}",
            owner=context.member,
            now=context.clock(),
            seconds=JOB_LEASE_S,
        )


async def _run_leased(context: Context, job: Job) -> None:
    """Run the job, and renew its lease as long as it runs."""
    running = asyncio.ensure_future(job.run(context))
    try:
        while not (await asyncio.wait({running}, timeout=JOB_LEASE_S / 3))[0]:
            await _is_mine(context, job)
        await running
    finally:
        running.cancel()


async def _forget_old(context: Context) -> None:
    """Drop what its time has passed of outbox, inbox and this service's own topics."""
    for topic in BY_NAME.values():
        if topic.producers[0] == context.settings.service and topic.retention_days is not None:
            before = context.clock() - timedelta(days=topic.retention_days)
            await context.bus.forget(topic=topic.name, before=before)
    days = context.settings.outbox_retention_days
    for forget in (outbox.forget_published, forget_handled):
        while True:
            async with context.database.transaction() as session:
                gone = await forget(session, now=context.clock(), keep_days=days)
            if gone < outbox.RETENTION_BATCH:
                break


health = APIRouter(include_in_schema=False)


@health.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process runs."""
    return {"status": "ok"}


@health.get("/readyz")
async def readyz(context: Ctx) -> dict[str, str]:
    """The service can do its work: database and its own conditions."""
    async with context.database.transaction() as session:
        await session.execute(text("SELECT 1"))
    missing = [name for name, is_ready in context.ready.items() if not is_ready()]
    if missing:
        raise problems.Unavailable(f"Not ready yet: {', '.join(missing)}")
    return {"status": "ready"}


@health.get("/metrics")
async def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


class Replayed(BaseModel):
    replayed: int
    failed: int


dead_letter_routes = APIRouter(tags=["operators"])


@dead_letter_routes.post("/v1/dead-letters/replay")
async def replay_dead_letters(
    context: Ctx, caller: Annotated[Caller, Depends(allow(roles=("operator", "admin")))]
) -> Replayed:
    """Handle again what consumers could not handle. For operators."""
    if context.consumers is None:
        raise problems.NotFound("This service consumes nothing")
    replayed, failed = await context.consumers.replay()
    context.published()
    log.info("dead_letters.replayed", extra={"replayed": replayed, "staff_id": caller.staff_id})
    return Replayed(replayed=replayed, failed=failed)


def spare_the_collector() -> None:
    """What was made at start stays: no collection has to look through it again and again.

    Requests leave few cycles behind, so collections may be rarer too: together a seventh of the
    CPU of a posting over HTTP.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_EVERY, 20, 50)


def serve(app: FastAPI, settings: Settings) -> None:
    """Run `app` until the process is told to stop; requests under way get five seconds."""
    spare_the_collector()
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,  # nobody asks for the client's address, which a header could forge
        timeout_graceful_shutdown=5,
        # longer than clients keep an idle connection (httpx 5 s), or one reuses it as it closes
        timeout_keep_alive=20,
        http=BoundedProtocol,
        ws="none",
    )
