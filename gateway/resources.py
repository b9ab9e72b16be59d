"""What the gateway holds while it runs, beside the kit's context."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gateway.limits.service import Limiter
from gateway.oauth.keys import SharedSecrets, TokenKeys
from gateway.settings import Settings
from gateway.tokens.nonces import Nonces
from gateway.usage.service import Meter
from shared.kit.app import Context


@dataclass(frozen=True, slots=True)
class GatewayResources:
    settings: Settings
    token_keys: TokenKeys = field(default_factory=TokenKeys)
    shared_secrets: SharedSecrets = field(default_factory=SharedSecrets)
    limiter: Limiter = field(default_factory=Limiter)
    meter: Meter = field(default_factory=Meter)

    async def nonces(self, context: Context) -> Nonces:
        """The nonces of proofs, alike in every replica."""
        secret = await self.shared_secrets.get(context.database, name="dpop-nonce")
        return Nonces(secret, required=self.settings.dpop_nonce == "required")

    async def subject_secret(self, context: Context) -> bytes:
        """What makes a customer's identifier for a partner."""
        return await self.shared_secrets.get(context.database, name="subject")


@asynccontextmanager
async def opened(context: Context) -> AsyncIterator[None]:
    """Puts the resources into the context for as long as the service runs."""
    if not isinstance(context.settings, Settings):
        raise TypeError("the gateway runs with its own settings")
    own = GatewayResources(settings=context.settings)
    context.resources["gateway"] = own
    counting = asyncio.create_task(own.meter.run(context.database), name="usage")
    try:
        yield
    finally:
        counting.cancel()
        await asyncio.gather(counting, return_exceptions=True)
        await own.meter.flush(context.database)


def of(context: Context) -> GatewayResources:
    resources: GatewayResources = context.resources["gateway"]
    return resources
