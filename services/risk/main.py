"""Starts risk: `python -m services.risk.main`, with its settings in the environment."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.risk import api, shadows
from services.risk.applications import api as applications_api
from services.risk.cases import api as cases_api
from services.risk.cases import service as cases
from services.risk.consumers import CASES, Feed, Keeping, feeding
from services.risk.desk import api as desk_api
from services.risk.desk import service as desk
from services.risk.engine import Engine
from services.risk.features import Windows
from services.risk.identifiers import api as identifiers_api
from services.risk.lists import accounts_api
from services.risk.lists import api as lists_api
from services.risk.model_files import load_model, load_scorecard
from services.risk.payments.queue import queueing
from services.risk.policies import api as policies_api
from services.risk.policies.active import ActivePolicies, following
from services.risk.policies.back_tests.service import back_testing
from services.risk.registry import active as registry
from services.risk.registry import api as registry_api
from services.risk.replays import api as replays_api
from services.risk.replays.kept_models import KeptModels
from services.risk.replays.service import Replays
from services.risk.rings.domain import Rings
from services.risk.settings import RiskSettings
from services.risk.sources import api as sources_api
from services.risk.sources import upkeep as sources
from services.risk.watch import api as watch_api
from services.risk.watch import jobs as watch
from shared.kit.app import Context, Job, Resources, create_app, serve

LAPSE_EVERY_S = 30.0


async def lapse_assignments(context: Context) -> None:
    """Put back into the queue what nobody works on any more; forget sessions that are over."""
    async with context.database.transaction() as session:
        await cases.lapse(session, now=context.clock())
        await desk.tidy(session, now=context.clock())


def keeping_of(settings: RiskSettings) -> Keeping | None:
    """Where the windows' snapshot is kept, if it is."""
    if settings.snapshot_dir is None:
        return None
    path = settings.snapshot_dir / "windows.snapshot"
    return Keeping(path, settings.bus, settings.snapshot_every_s)


def resources(settings: RiskSettings) -> Resources:
    """Opens model, policies and windows; `/readyz` waits until the bus is read to its end."""

    @asynccontextmanager
    async def opened(context: Context) -> AsyncIterator[None]:
        if settings.role == "worker":  # decides nothing
            yield
            return
        windows = Windows()
        rings = context.resources["rings"] = Rings()
        feed = Feed(windows=windows, rings=rings, bus=context.bus, keeping=keeping_of(settings))
        policies = context.resources["policies"] = ActivePolicies()
        engine = context.resources["engine"] = Engine(
            policies=policies,
            windows=windows,
            rings=rings,
            windows_age_ms=feed.age_ms,
            model=load_model(settings.artifacts_dir),
            scorecard=load_scorecard(settings.artifacts_dir),
            behind_after_ms=int(settings.windows_behind_after_s * 1000),
            deadline_s=settings.decision_deadline_ms / 1000,
        )
        context.resources["replays"] = Replays(KeptModels(settings.artifacts_dir))
        context.ready["windows"] = lambda: feed.caught_up
        async with (
            feeding(feed),
            registry.following(
                context,
                registry.ActiveModels(engine),
                folder=settings.artifacts_dir,
                every_s=settings.model_check_every_s,
            ),
            shadows.shadowing(context, engine.shadows),
            queueing(context, engine),
            following(context, policies),
            back_testing(context),
            sources.opened(context, settings),
        ):
            yield

    return opened


def build(settings: RiskSettings) -> FastAPI:
    return create_app(
        settings,
        routers=[
            api.router,
            applications_api.router,
            accounts_api.router,
            lists_api.router,
            identifiers_api.router,
            policies_api.router,
            registry_api.router,
            replays_api.router,
            cases_api.router,
            sources_api.router,
            watch_api.router,
            desk_api.router,
        ],
        subscriptions=CASES,
        jobs=[
            Job("lapse-assignments", LAPSE_EVERY_S, lapse_assignments),
            Job("forget-source-answers", sources.FORGET_EVERY_S, sources.forget),
            Job("forget-shadow-scores", shadows.FORGET_EVERY_S, shadows.forget),
            Job("watch", watch.EVERY_S, watch.watch),
        ],
        resources=resources(settings),
    )


if __name__ == "__main__":
    settings = RiskSettings()
    serve(build(settings), settings)
