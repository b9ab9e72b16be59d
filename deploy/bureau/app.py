"""The HTTP routes of the simulated sources: one for those who ask, a few for whoever breaks it."""

import asyncio
import hmac
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from deploy.bureau.faults import BILLED, Fault, answer
from deploy.bureau.people import SAYS, answers_of
from deploy.bureau.settings import BureauSettings
from shared.contracts.values import Code, CustomerId
from shared.kit import problems
from shared.kit.envelope import Envelope
from shared.kit.problems import NotFound, Unauthenticated

Source = Literal["bureau", "court", "tax", "telecom", "consumption"]

MAX_BODY = 4_096
MAX_CALLS = 512
#: Ids of answered calls that are remembered, so that a repeated one is billed once.
REMEMBERED = 100_000


class Ask(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    request_id: str = Field(pattern=r"^[!-~]{1,64}$")
    customer_id: CustomerId
    purpose: Code


@dataclass(slots=True)
class World:
    """What changes while it runs: faults, and what each bank owes."""

    settings: BureauSettings
    faults: dict[str, Fault] = field(default_factory=lambda: dict.fromkeys(SAYS, Fault()))
    bill: Counter[tuple[str, str]] = field(default_factory=Counter)
    _billed: OrderedDict[tuple[str, str, str], None] = field(default_factory=OrderedDict)

    def charge(self, bank: str, source: str, request_id: str) -> None:
        """One answer more, unless this call was billed before."""
        call = (bank, source, request_id)
        if call in self._billed:
            return
        self._billed[call] = None
        if len(self._billed) > REMEMBERED:
            self._billed.popitem(last=False)
        self.bill[bank, source] += 1


def _matches(given: str, key: SecretStr) -> bool:
    return hmac.compare_digest(given.encode(), key.get_secret_value().encode())


async def _world(request: Request) -> World:
    world: World = request.app.state.world
    return world


In = Annotated[World, Depends(_world)]


async def _bank(world: In, x_api_key: Annotated[str, Header(max_length=200)] = "") -> str:
    """The bank that asks. Every key is compared, so that time tells nothing."""
    keys = world.settings.bureau_keys
    found = [name for name, key in keys.items() if _matches(x_api_key, key)]
    if not found:
        raise Unauthenticated("The API key is not one of ours")
    return found[0]


async def _admin(world: In, authorization: Annotated[str, Header(max_length=300)] = "") -> None:
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() != "bearer" or not _matches(key, world.settings.bureau_admin_key):
        raise Unauthenticated("The admin key is not ours")


def create(settings: BureauSettings) -> FastAPI:
    app = FastAPI(title="Simulated sources", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.world = World(settings)
    problems.install(app)
    app.add_middleware(
        Envelope,
        service="bureau",
        max_body_bytes=MAX_BODY,
        max_concurrency=MAX_CALLS,
        timeout_ms=60_000,
    )
    app.post("/{source}/reports")(report)
    app.get("/admin/faults", dependencies=[Depends(_admin)])(read_faults)
    app.put("/admin/faults/{source}", dependencies=[Depends(_admin)])(set_fault)
    app.delete("/admin/faults", dependencies=[Depends(_admin)], status_code=204)(heal)
    app.get("/admin/bill", dependencies=[Depends(_admin)])(read_bill)
    app.get("/readyz")(ready)
    app.get("/healthz")(ready)
    return app


async def report(
    source: str, body: Ask, world: In, bank: Annotated[str, Depends(_bank)]
) -> Response:
    """What the source knows of a person, after its latency and with its fault."""
    if source not in SAYS:
        raise NotFound("There is no such source")
    fault = world.faults[source]
    await asyncio.sleep(fault.latency_ms / 1000)
    kind = fault.kind if fault.hits(body.request_id) else "none"
    if kind in BILLED:
        world.charge(bank, source, body.request_id)
    content = {
        "source": source,
        "request_id": body.request_id,
        "customer_id": body.customer_id,
        "answers": answers_of(source, body.customer_id, seed=world.settings.bureau_seed),
    }
    return await answer(kind, content)


async def read_faults(world: In) -> dict[str, Fault]:
    return world.faults


async def set_fault(source: Source, body: Fault, world: In) -> Fault:
    """From the next call on."""
    world.faults[source] = body
    return body


async def heal(world: In) -> Response:
    """Everything works again."""
    world.faults |= dict.fromkeys(SAYS, Fault())
    return Response(status_code=204)


async def read_bill(world: In) -> dict[str, dict[str, int]]:
    """Answers that each bank owes for, by source; it begins anew with the process."""
    found: dict[str, dict[str, int]] = {bank: {} for bank in world.settings.bureau_keys}
    for (bank, source), count in world.bill.items():
        found[bank][source] = count
    return found


async def ready() -> dict[str, str]:
    return {"status": "ready"}
