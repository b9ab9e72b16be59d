"""What the gateway holds while it runs, beside the kit's context."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gateway.limits.service import Limiter
from gateway.oauth.service import TokenKeys
from gateway.settings import Settings
from shared.kit.app import Context


@dataclass(frozen=True, slots=True)
class GatewayResources:
    settings: Settings
    token_keys: TokenKeys = field(default_factory=TokenKeys)
    limiter: Limiter = field(default_factory=Limiter)


@asynccontextmanager
async def opened(context: Context) -> AsyncIterator[None]:
    """Puts the resources into the context for as long as the service runs."""
    if not isinstance(context.settings, Settings):
        raise TypeError("the gateway runs with its own settings")
    context.resources["gateway"] = GatewayResources(settings=context.settings)
    yield


def of(context: Context) -> GatewayResources:
    resources: GatewayResources = context.resources["gateway"]
    return resources
