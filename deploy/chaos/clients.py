"""Partners who lose patience: they time out, ask twice at once, and ask again under one key."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from random import Random

import aiohttp

from deploy.bench.payment import AMOUNT
from deploy.play.partner import PartnerClient, PartnerIdentity, dpop_proof
from shared.kit.clock import new_id

CALLERS = 6
#: How long one try waits: from far too short to long enough.
PATIENCE_S = (0.05, 0.3, 1.0, 5.0)
RETRY_S = 0.3
#: Which answers a client may get while parts of the bank are being killed: asked again.
AGAIN = {401, 429, 503}


@dataclass(slots=True)
class Sent:
    """One payment as its partner knows it: the key, and the answers that came."""

    key: str
    consent_id: str
    answers: set[str] = field(default_factory=set)
    payment_ids: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Clients:
    """All partners' callers, over one gateway."""

    gateway: str
    identity: PartnerIdentity
    consents: list[str]
    random: Random
    sent: list[Sent] = field(default_factory=list)
    tries: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    stopping: bool = False
    _token: str = ""

    async def run(self) -> None:
        """Pay until `stopping`, then until each payment that was begun has its answer."""
        connector = aiohttp.TCPConnector(limit=4 * CALLERS)
        async with aiohttp.ClientSession(connector=connector) as http:
            await asyncio.gather(*(self._caller(http) for _ in range(CALLERS)))

    async def _caller(self, http: aiohttp.ClientSession) -> None:
        while not self.stopping and len(self.sent) < len(self.consents):
            one = Sent(key=str(new_id()), consent_id=self.consents[len(self.sent)])
            self.sent.append(one)
            while not one.answers:
                tries = [self._try(http, one)]
                if self.random.random() < 0.15:
                    tries.append(self._try(http, one))
                await asyncio.gather(*tries)
                if not one.answers:
                    await asyncio.sleep(RETRY_S)

    async def _try(self, http: aiohttp.ClientSession, one: Sent) -> None:
        patience = 10.0 if self.stopping else self.random.choice(PATIENCE_S)
        try:
            status, body = await asyncio.wait_for(self._post(http, one), patience)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self.tries[type(error).__name__] += 1
            return
        self.tries[str(status)] += 1
        if status == 201:
            payment = json.loads(body)
            one.answers.add(str(payment["state"]))
            one.payment_ids.add(str(payment["payment_id"]))
        elif status == 401:
            self._token = ""
        elif status not in AGAIN:
            self.unexpected.append(f"{status} {body[:300].decode(errors='replace')}")
            one.answers.add(f"error {status}")

    async def _post(self, http: aiohttp.ClientSession, one: Sent) -> tuple[int, bytes]:
        if not self._token:
            self._token = await asyncio.to_thread(self._fetch_token)
        url = f"{self.gateway}/v1/payments"
        body = {
            "consent_id": one.consent_id,
            "creditor": {"account_id": "bench-shop", "name": "Bench shop"},
            "amount_minor": AMOUNT,
            "currency": "CNY",
            "end_to_end_id": "chaos",
        }
        headers = {
            "authorization": f"DPoP {self._token}",
            "dpop": dpop_proof(self.identity, method="POST", url=url, access_token=self._token),
            "idempotency-key": one.key,
        }
        async with http.post(url, json=body, headers=headers) as answer:
            if answer.status == 503 and "Retry-After" not in answer.headers:
                self.unexpected.append("503 without Retry-After")
            return answer.status, await answer.read()

    def _fetch_token(self) -> str:
        """Raises OSError where the gateway is away just now."""
        partner = PartnerClient(self.identity, gateway=self.gateway)
        try:
            return partner.access_token()
        except Exception as error:
            raise OSError("no token now") from error
        finally:
            partner.close()
