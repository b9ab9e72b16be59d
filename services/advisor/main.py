"""Starts the advisor: `python -m services.advisor.main`, with its settings in the environment."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.advisor import api
from services.advisor.data import load_rules
from services.advisor.settings import AdvisorSettings
from shared.kit.app import Context, create_app, serve


@asynccontextmanager
async def resources(context: Context) -> AsyncIterator[None]:
    """The rule files, read once; a wrong one stops the start."""
    context.resources["rules"] = load_rules()
    yield


def build(settings: AdvisorSettings) -> FastAPI:
    return create_app(settings, routers=[api.router], resources=resources)


if __name__ == "__main__":
    settings = AdvisorSettings()
    serve(build(settings), settings)
