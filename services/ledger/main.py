"""Starts the ledger: `python -m services.ledger.main`, with its settings in the environment."""

from fastapi import FastAPI

from services.ledger import api
from services.ledger.holds import api as holds_api
from services.ledger.holds import service as holds
from services.ledger.queues import queues
from services.ledger.settings import LedgerSettings
from shared.kit.app import Context, Job, create_app, serve


async def expire_holds(context: Context) -> None:
    """Free what overdue holds reserve, a bounded batch a transaction."""
    while True:
        async with context.database.transaction() as session:
            expired = await holds.expire(session, now=context.clock())
        if expired < holds.EXPIRE_BATCH:
            return


def build(settings: LedgerSettings) -> FastAPI:
    return create_app(
        settings,
        routers=[holds_api.router, api.router],
        jobs=[Job("expire-holds", settings.expire_holds_every_s, expire_holds)],
        resources=queues,
    )


if __name__ == "__main__":
    settings = LedgerSettings()
    serve(build(settings), settings)
