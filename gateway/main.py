"""Starts the gateway: `python -m gateway.main`, with its settings in the environment."""

from datetime import timedelta

from fastapi import FastAPI

from gateway import openapi, resources
from gateway.applications import api as applications
from gateway.authorization import api as authorization
from gateway.authorization import service as authorizations
from gateway.consents import api as consents
from gateway.consumers import SUBSCRIPTIONS
from gateway.customers import api as customers
from gateway.customers import devices_api
from gateway.grants import api as grants
from gateway.grants import kinds
from gateway.grants import service as grant_service
from gateway.grants.payment import PaymentConsents
from gateway.grants.sharing import Sharing
from gateway.headers import PublicHeaders
from gateway.limits import api as limits
from gateway.limits import service as limit_service
from gateway.oauth import api as oauth
from gateway.oauth import problems as oauth_problems
from gateway.oauth import service as tokens
from gateway.oauth.repository import TIDY_BATCH
from gateway.open_banking import api as open_banking
from gateway.open_banking.access import api as data_access
from gateway.open_banking.access.kind import AccountAccess
from gateway.open_banking.payments import api as domestic_payments
from gateway.open_banking.problems import StandardAnswers
from gateway.pages import api as pages
from gateway.pages import service as page_service
from gateway.partners import api as partners
from gateway.payments import api as payments
from gateway.payments import flows as payment_flows
from gateway.registrations import api as registrations
from gateway.settings import Settings
from gateway.usage import api as usage
from gateway.usage import service as usage_service
from gateway.webhooks import api as webhooks
from gateway.webhooks import flows as webhook_flows
from gateway.webhooks import service as webhook_service
from shared.kit.app import Context, Job, create_app, serve

TIDY_EVERY_S = 30.0
MAX_TIDY_ROUNDS = 100
SWEEP_EVERY_S = 10.0
WEBHOOKS_EVERY_S = 1.0


async def tidy(context: Context) -> None:
    """Forget what time has made useless, a bounded batch a transaction."""
    async with context.database.transaction() as session:
        await page_service.tidy(session, now=context.clock())
        await authorizations.tidy(session, now=context.clock())
        await grant_service.tidy(session, now=context.clock())
        await limit_service.tidy(session, now=context.clock())
        await webhook_service.tidy(session, now=context.clock())
        await usage_service.tidy(session, now=context.clock())
    for _ in range(MAX_TIDY_ROUNDS):
        async with context.database.transaction() as session:
            gone = await tokens.tidy(session, now=context.clock())
        if gone < TIDY_BATCH:
            return


async def sweep(context: Context) -> None:
    """Mend reservations whose payment never answered."""
    older_than = timedelta(seconds=resources.of(context).settings.sweep_after_s)
    await payment_flows.sweep(context, older_than=older_than)


def build(settings: Settings) -> FastAPI:
    kinds.register(Sharing(), PaymentConsents(), AccountAccess())
    app = create_app(
        settings,
        routers=[
            oauth.router,
            authorization.router,
            authorization.pages,
            registrations.router,
            registrations.staff,
            data_access.router,
            data_access.customers,
            open_banking.router,
            domestic_payments.router,
            grants.router,
            consents.router,
            payments.router,
            customers.router,
            devices_api.router,
            applications.router,
            partners.router,
            limits.router,
            webhooks.router,
            usage.router,
            usage.staff,
            pages.router,
            openapi.router,
        ],
        subscriptions=SUBSCRIPTIONS,
        jobs=[
            Job("tidy", TIDY_EVERY_S, tidy),
            Job("sweep", SWEEP_EVERY_S, sweep),
            Job("webhooks", WEBHOOKS_EVERY_S, webhook_flows.send_due),
        ],
        resources=resources.opened,
    )
    oauth_problems.install(app)
    # Around the kit's own layer, whose refusals it words as the standard does.
    app.add_middleware(StandardAnswers)
    # Outermost, so that what the kit itself refuses has these headers too.
    app.add_middleware(PublicHeaders, secure=settings.is_secure)
    return app


if __name__ == "__main__":
    settings = Settings()
    serve(build(settings), settings)
