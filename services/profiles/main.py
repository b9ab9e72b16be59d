"""Starts profiles: `python -m services.profiles.main`, with its settings in the environment."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.profiles import api
from services.profiles.consumers import SUBSCRIPTIONS
from services.profiles.data import load_rules
from services.profiles.settings import ProfilesSettings
from shared.kit.app import Context, create_app, serve


@asynccontextmanager
async def resources(context: Context) -> AsyncIterator[None]:
    """The rule files, read once; a wrong one stops the start."""
    context.resources["rules"] = load_rules()
    yield


def build(settings: ProfilesSettings) -> FastAPI:
    return create_app(
        settings,
        routers=[api.router],
        subscriptions=SUBSCRIPTIONS,
        resources=resources,
    )


if __name__ == "__main__":
    settings = ProfilesSettings()
    serve(build(settings), settings)
