"""Starts the advisor: `python -m services.advisor.main`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.advisor import api
from services.advisor.data import load_rules
from services.advisor.settings import Settings
from shared.kit.app import Context, create_app, serve
from shared.kit.clock import Clock, utc_now


@asynccontextmanager
async def resources(context: Context) -> AsyncIterator[None]:
    """The rule files, read once; a wrong one stops the start."""
    context.resources["rules"] = load_rules()
    yield


def create(settings: Settings, *, clock: Clock = utc_now) -> FastAPI:
    return create_app(settings, routers=[api.router], resources=resources, clock=clock)


def main() -> None:
    settings = Settings()
    serve(create(settings), settings)


if __name__ == "__main__":
    main()
