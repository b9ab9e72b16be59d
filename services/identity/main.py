"""Starts identity: `python -m services.identity.main`, with its settings in the environment."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.identity import api
from services.identity.codes import api as codes_api
from services.identity.codes import service as codes
from services.identity.codes.clients import messenger_of
from services.identity.consumers import SUBSCRIPTIONS
from services.identity.passkeys import api as passkeys_api
from services.identity.passkeys import service as passkeys
from services.identity.settings import IdentitySettings
from services.identity.sign_in import api as sign_in_api
from services.identity.sign_in import service as sign_in
from services.identity.sign_in.passwords import PasswordHasher
from shared.kit.app import Context, Job, create_app, serve

FORGET_EVERY_S = 600.0


async def forget_old(context: Context) -> None:
    """Delete attempts, sessions, codes and challenges of no use, a bounded batch a transaction."""
    for forget in (sign_in.forget_old, codes.forget_old, passkeys.forget_old):
        while True:
            async with context.database.transaction() as session:
                gone = await forget(session, now=context.clock())
            if not gone:
                break


def build(settings: IdentitySettings) -> FastAPI:
    @asynccontextmanager
    async def resources(context: Context) -> AsyncIterator[None]:
        passwords = PasswordHasher()
        context.resources["passwords"] = passwords
        context.resources["messenger"] = messenger_of(settings.messages_file)
        try:
            yield
        finally:
            passwords.close()

    return create_app(
        settings,
        routers=[api.router, sign_in_api.router, codes_api.router, passkeys_api.router],
        subscriptions=SUBSCRIPTIONS,
        jobs=[Job("forget-old", FORGET_EVERY_S, forget_old)],
        resources=resources,
    )


if __name__ == "__main__":
    settings = IdentitySettings()
    serve(build(settings), settings)
