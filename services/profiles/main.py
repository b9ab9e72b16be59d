"""Starts profiles: `python -m services.profiles.main`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.profiles import api
from services.profiles.consumers import SUBSCRIPTIONS
from services.profiles.data import load_rules
from services.profiles.settings import Settings
from shared.kit.app import Context, create_app, serve
from shared.kit.clock import Clock, utc_now


@asynccontextmanager
async def resources(context: Context) -> AsyncIterator[None]:
    """The rule files, read once; a wrong one stops the start."""
    context.resources["rules"] = load_rules()
    yield


def create(settings: Settings, *, clock: Clock = utc_now) -> FastAPI:
    return create_app(
        settings,
        routers=[api.router],
        subscriptions=SUBSCRIPTIONS,
        resources=resources,
        clock=clock,
    )


def main() -> None:
    settings = Settings()
    serve(create(settings), settings)


if __name__ == "__main__":
    main()
