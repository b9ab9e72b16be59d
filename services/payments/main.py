"""Starts payments: `python -m services.payments.main`, with its settings in the environment."""

from fastapi import FastAPI

from services.payments import api, flows
from services.payments.consumers import SUBSCRIPTIONS
from services.payments.settings import PaymentsSettings
from shared.kit.app import Job, create_app, serve
from shared.kit.clock import Clock, utc_now


def build(settings: PaymentsSettings, *, clock: Clock = utc_now) -> FastAPI:
    return create_app(
        settings,
        routers=[api.router],
        subscriptions=SUBSCRIPTIONS,
        jobs=[Job("resume-due", settings.resume_every_s, flows.resume_due)],
        clock=clock,
    )


if __name__ == "__main__":
    settings = PaymentsSettings()
    serve(build(settings), settings)
