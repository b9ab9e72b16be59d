"""Partners who lose patience: they time out, ask twice at once, and ask again under one key."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from random import Random

import aiohttp

from deploy.bench.payment import AMOUNT
from deploy.chaos import answers
from deploy.chaos.answers import Seen
from deploy.play.partner import PartnerClient, PartnerIdentity, dpop_proof
from shared.kit.clock import new_id

CALLERS = 6
#: How long one try waits: from far too short to long enough.
PATIENCE_S = (0.05, 0.3, 1.0, 5.0)
LONG_PATIENCE_S = 10.0
RETRY_S = 0.3
#: How often two tries are sent at once, and how often an answered payment is asked for again.
TWICE, AGAIN_LATER = 0.15, 0.1
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
    #: Answers by status and code, and tries that got none by how they ended.
    seen: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    #: Answers that no partner should get.
    unexpected: list[str] = field(default_factory=list)
    #: Requests under way now, and payments answered so far.
    under_way: int = 0
    answered: int = 0
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
                if self.random.random() < TWICE:
                    tries.append(self._try(http, one))
                await asyncio.gather(*tries)
                if not one.answers:
                    await asyncio.sleep(RETRY_S)
            self.answered += 1
            if self.random.random() < AGAIN_LATER:
                await self._try(http, one)  # whatever it was told, it is told again

    async def _try(self, http: aiohttp.ClientSession, one: Sent) -> None:
        patience = LONG_PATIENCE_S if self.stopping else self.random.choice(PATIENCE_S)
        self.under_way += 1
        try:
            status, seen = await asyncio.wait_for(self._post(http, one), patience)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self.broken[answers.of_break(error)] += 1
            return
        finally:
            self.under_way -= 1
        self._note(seen)
        if status == answers.CREATED:
            one.answers.add(str(seen.content.get("state")))
            one.payment_ids.add(str(seen.content.get("payment_id")))
        elif status == 401:
            self._token = ""
        elif status not in AGAIN:
            self.unexpected.append(f"{seen.name}: {seen.content}"[:300])
            one.answers.add(f"error {status}")

    def _note(self, seen: Seen) -> None:
        self.seen[seen.name] += 1
        if seen.fault:
            self.unexpected.append(seen.fault)

    async def _post(self, http: aiohttp.ClientSession, one: Sent) -> tuple[int, Seen]:
        """The status and the answer. Raises OSError where there is no token to be had now."""
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
            content = await answer.read()
            return answer.status, answers.of_payment(answer.status, answer.headers, content)

    def _fetch_token(self) -> str:
        partner = PartnerClient(self.identity, gateway=self.gateway)
        try:
            answer = partner.fetch_token()
            if answer.is_success:
                return partner.access_token()
        except Exception as error:
            raise ConnectionError("the gateway is away") from error
        finally:
            partner.close()
        self._note(answers.of_problem(answer.status_code, answer.headers, answer.content))
        raise ConnectionError("no token now")
