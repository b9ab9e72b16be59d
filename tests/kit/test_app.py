"""What the app factory makes of a service: roles, readiness, jobs, retention, replay."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from shared.contracts.topics import BY_NAME
from shared.kit import app as kit_app
from shared.kit import outbox
from shared.kit.app import Context, Ctx, Job, create_app
from shared.kit.auth import Authenticator, KeyRing
from shared.kit.bus.port import Bus
from shared.kit.clock import utc_now
from shared.kit.consumers import Subscriptions
from shared.kit.database import Database
from tests.bank import Bank, eventually
from tests.kit.consuming import Handling, consuming
from tests.kit.support import SERVICE, Kit, Stream, Told, everything, numbers

router = APIRouter()


@router.get("/v1/member")
async def member(context: Ctx) -> dict[str, str]:
    return {"member": context.member}


@pytest.fixture(autouse=True)
def kept_logging() -> Iterator[None]:
    """An app that begins takes the logs of its process over; give them back."""
    root = logging.getLogger()
    before = list(root.handlers), root.level
    yield
    root.handlers, level = before
    root.setLevel(level)


@asynccontextmanager
async def running(kit: Kit, *, role: str = "all", **options: Any) -> AsyncIterator[FastAPI]:
    settings = kit.settings.model_copy(update={"role": role})
    app = create_app(settings, routers=[router], **options)
    async with app.router.lifespan_context(app):
        yield app


def client(app: FastAPI, **headers: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://kit", headers=headers)


async def add(database: Database, stream: Stream, count: int) -> None:
    async with database.transaction() as session:
        events = [stream.counted(word="w", number=n) for n in range(count)]
        await outbox.add(session, source=SERVICE, now=utc_now(), events=events)


class TestRole:
    async def test_all_serves_and_publishes(
        self, emptied: Kit, database: Database, stream: Stream, log: Bus
    ):
        async with running(emptied) as app, client(app) as http:
            await add(database, stream, 3)
            await eventually(lambda: everything(log, stream.topic))
            assert (await http.get("/v1/member")).status_code == 200

    async def test_api_publishes_nothing(
        self, emptied: Kit, database: Database, stream: Stream, log: Bus
    ):
        async with running(emptied, role="api") as app, client(app) as http:
            await add(database, stream, 3)
            await asyncio.sleep(5 * outbox.POLL_S)
            assert await everything(log, stream.topic) == []
            assert (await http.get("/v1/member")).status_code == 200

    async def test_worker_serves_health_alone(
        self, emptied: Kit, database: Database, stream: Stream, log: Bus
    ):
        async with running(emptied, role="worker") as app, client(app) as http:
            await add(database, stream, 3)
            await eventually(lambda: everything(log, stream.topic))
            assert (await http.get("/v1/member")).status_code == 404
            for path in ("/healthz", "/readyz", "/metrics"):
                assert (await http.get(path)).status_code == 200


class TestReadiness:
    async def test_waits_for_the_service_s_own_conditions(self, emptied: Kit):
        loaded: list[str] = []

        @asynccontextmanager
        async def resources(context: Context) -> AsyncIterator[None]:
            context.ready["model"] = lambda: bool(loaded)
            yield
            loaded.append("closed")

        async with running(emptied, resources=resources) as app, client(app) as http:
            response = await http.get("/readyz")
            assert response.status_code == 503
            assert "model" in response.json()["detail"]
            loaded.append("model")
            assert (await http.get("/readyz")).status_code == 200
        assert loaded == ["model", "closed"]


class TestJob:
    async def test_runs_again_after_it_failed(self, emptied: Kit):
        runs: list[int] = []

        async def work(_: Context) -> None:
            runs.append(1)
            if len(runs) < 3:
                raise ValueError("not yet")

        async def ran() -> bool:
            return len(runs) >= 4

        async with running(emptied, jobs=[Job("work", 0.02, work)]):
            await eventually(ran)

    async def test_runs_in_one_process_at_a_time_however_long_it_takes(
        self, emptied: Kit, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(kit_app, "JOB_LEASE_S", 1)
        began: list[str] = []
        done = asyncio.Event()

        async def work(context: Context) -> None:
            began.append(context.member)
            await done.wait()

        jobs = [Job("work", 0.05, work)]

        async def has_begun() -> bool:
            return bool(began)

        async with running(emptied, jobs=jobs), running(emptied, jobs=jobs):
            await eventually(has_begun)
            await asyncio.sleep(2.5)  # the lease alone would have run out twice
            assert len(began) == 1
            done.set()

    async def test_under_way_ends_with_the_process(self, emptied: Kit):
        began, ended = asyncio.Event(), asyncio.Event()

        async def work(_: Context) -> None:
            began.set()
            try:
                await asyncio.sleep(60)
            finally:
                ended.set()

        async with running(emptied, jobs=[Job("work", 60, work)]):
            await began.wait()
        await asyncio.wait_for(ended.wait(), 20)


class TestRetention:
    async def test_drops_what_its_time_has_passed_of_outbox_inbox_and_log(
        self, emptied: Kit, bank: Bank, stream: Stream, told: Told, log: Bus
    ):
        BY_NAME[stream.topic] = replace(BY_NAME[stream.topic], retention_days=3)
        await told.publish(log, 6)
        owner = await bank.connect("bus")
        old = "UPDATE log SET at = now() - interval '4 days' WHERE topic = $1 AND value::int < 4"
        await owner.execute(old, stream.topic)
        await owner.close()
        for days in (6, 8):
            age = timedelta(days=days)
            await emptied.rows(
                "INSERT INTO outbox (event_id, topic, key, envelope, created_at, published_at)"
                " SELECT gen_random_uuid(), 't', 'k', '', now(), now() - $1::interval",
                age,
            )
            await emptied.rows(
                "INSERT INTO inbox SELECT 'g', gen_random_uuid(), now() - $1::interval", age
            )

        async def counts() -> list[int]:
            left = [
                len(await emptied.rows(f"SELECT 1 FROM {name}")) for name in ("outbox", "inbox")
            ]
            return [*left, len(await everything(log, stream.topic))]

        async def is_done() -> bool:
            return await counts() == [1, 1, 2]

        assert await counts() == [2, 2, 6]
        async with running(emptied):
            await eventually(is_done)
        assert numbers(await everything(log, stream.topic)) == [4, 5]

    async def test_leaves_topics_that_are_kept_for_good_or_belong_to_others(
        self, emptied: Kit, bank: Bank, stream: Stream, told: Told, log: Bus
    ):
        kept = replace(BY_NAME[stream.topic], producers=("ledger", SERVICE), retention_days=1)
        await told.publish(log, 6)
        owner = await bank.connect("bus")
        await owner.execute(
            "UPDATE log SET at = now() - interval '4 years' WHERE topic = $1", stream.topic
        )
        await owner.close()

        async def has_run() -> bool:  # the inbox comes after the log
            return await emptied.rows("SELECT 1 FROM inbox") == []

        for topic in (BY_NAME[stream.topic], kept):
            BY_NAME[stream.topic] = topic
            await emptied.rows(
                "INSERT INTO inbox SELECT 'g', gen_random_uuid(), now() - interval '9 days'"
            )
            async with running(emptied):
                await eventually(has_run)
            assert len(await everything(log, stream.topic)) == 6


class TestReplayRoute:
    @pytest.fixture
    async def http(self, emptied: Kit, stream: Stream) -> AsyncIterator[httpx.AsyncClient]:
        subscriptions = Subscriptions(stream.group, {stream.counted: Handling().handle})
        async with (
            running(emptied, role="api", subscriptions=subscriptions) as app,
            client(app) as http,
        ):
            yield http

    @staticmethod
    def staff(kit: Kit, roles: Sequence[str]) -> dict[str, str]:
        ring = KeyRing(service="identity", keys_dir=kit.settings.keys_dir)
        token = Authenticator(ring).staff_token(staff_id="s-1", roles=list(roles))
        return {"authorization": f"Bearer {token}"}

    async def test_handles_dead_letters_again(
        self, http: httpx.AsyncClient, emptied: Kit, stream: Stream, database: Database, log: Bus
    ):
        async with consuming(emptied, stream, database, log) as one:
            one.handling.fail("bad", ValueError("no"))
            await one.loop.apply([one.record("bad")])
            for expected in ({"replayed": 1, "failed": 0}, {"replayed": 0, "failed": 0}):
                response = await http.post(
                    "/v1/dead-letters/replay", headers=self.staff(emptied, ["operator"])
                )
                assert response.json() == expected
            assert await one.effects() == ["bad"]

    async def test_is_for_operators(self, http: httpx.AsyncClient, emptied: Kit):
        reviewer = self.staff(emptied, ["reviewer"])
        assert (await http.post("/v1/dead-letters/replay")).status_code == 401
        response = await http.post("/v1/dead-letters/replay", headers=reviewer)
        assert response.status_code == 403
