"""A payment from the partner's request to the settled answer, against four empty hops."""

import asyncio
import contextlib
import itertools
import json
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import aiohttp

from deploy.bank.staff import StaffClient
from deploy.bench.chain import HOPS
from deploy.bench.load import BadAnswer, Load, closed_loop, open_loop
from deploy.bench.setting import Setting, service_token
from deploy.local.options import ROOT
from deploy.play.partner import PartnerClient, PartnerIdentity, dpop_proof, new_identity
from shared.kit.clock import new_id

PARTNER = "bench-partner"
CUSTOMERS = 400
#: A customer's twentieth payment in ten minutes goes to review, as a burst.
PAYMENTS_EACH = 18
FUNDS = 10**9
LIMIT = 10**8
AMOUNT = 4_200
CONNECTIONS = (1, 16, 64)
#: Connections that read one payment, for so long; proofs are signed before, more than are used.
READERS = 8
READING_S = 5.0
MOST_READS = 6_000


@dataclass(frozen=True, slots=True)
class Order:
    """One payment, its proof signed beforehand: signing is the partner's work, not the bank's."""

    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Counter:
    """The gateway's payments as a partner sees them."""

    url: str
    identity: PartnerIdentity
    token: str
    consents: Iterator[uuid.UUID]

    def orders(self, count: int) -> list[Order]:
        """Payments ready to be sent within the minute that a proof is good for."""
        return [self._order() for _ in range(count)]

    def _order(self) -> Order:
        proof = dpop_proof(self.identity, method="POST", url=self.url, access_token=self.token)
        body = {
            "consent_id": str(next(self.consents)),
            "creditor": {"account_id": "bench-shop", "name": "Bench shop"},
            "amount_minor": AMOUNT,
            "currency": "CNY",
            "end_to_end_id": "bench",
        }
        headers = {
            "authorization": f"DPoP {self.token}",
            "dpop": proof,
            "idempotency-key": str(new_id()),
            "content-type": "application/json",
        }
        return Order(headers, json.dumps(body).encode())


async def prepare(setting: Setting, *, customers: int = CUSTOMERS) -> Counter:
    """A partner, customers with money, and the consents that they gave, written as the owner.

    How a consent is given on its page is a person's pace, and no part of what is measured.
    """
    identity = new_identity(partner_id=PARTNER, name="Bench partner")
    staff = StaffClient(setting.run_dir, login_name="operator")
    body = {
        "partner_id": PARTNER,
        "name": "Bench partner",
        "jwks": identity.jwks(),
        "redirect_uris": [],
        "rate_limit_per_minute": 1_000_000,
    }
    staff.call("gateway", "POST", "/v1/partners", body=body)
    staff.close()
    await _accounts(setting, customers)
    consents = await _consents(setting, customers)
    partner = PartnerClient(identity, gateway=setting.url("gateway"))
    token = partner.access_token()
    partner.close()
    of_each = itertools.chain.from_iterable(itertools.repeat(consents, PAYMENTS_EACH))
    return Counter(f"{setting.url('gateway')}/v1/payments", identity, token, of_each)


async def _accounts(setting: Setting, customers: int) -> None:
    connection = await setting.connect("ledger")
    try:
        await connection.execute(
            "INSERT INTO accounts SELECT 'payer-' || i, '2011', 'CNY', 'payer-' || i, $2, false,"
            " DATE '2026-01-01', ''::bytea, now() FROM generate_series(1, $1) AS i"
            " UNION ALL SELECT 'bench-shop', '2011', 'CNY', 'bench-shop', 0, false,"
            " DATE '2026-01-01', ''::bytea, now()",
            customers,
            -FUNDS,
        )
        await connection.execute(
            "INSERT INTO balances SELECT account_id FROM accounts"
            " WHERE account_id LIKE 'payer-%' OR account_id = 'bench-shop'"
        )
    finally:
        await connection.close()


async def _consents(setting: Setting, customers: int) -> list[uuid.UUID]:
    ids = [new_id() for _ in range(customers)]
    connection = await setting.connect("gateway")
    try:
        await connection.execute(
            "INSERT INTO payment_consents (consent_id, partner_id, payee_account, payee_name,"
            " currency, limit_minor, used_minor, expires_at, debtor_named, debtor_account,"
            " customer_id, state, code_failures, created_at, updated_at)"
            " SELECT c.id, $2, 'bench-shop', 'Bench shop', 'CNY', $3, 0, $4, true,"
            " 'payer-' || c.n, 'payer-' || c.n, 'authorized', 0, now(), now()"
            " FROM unnest($1::uuid[]) WITH ORDINALITY AS c (id, n)",
            ids,
            PARTNER,
            LIMIT,
            datetime.now(UTC) + timedelta(days=1),
        )
    finally:
        await connection.close()
    return ids


async def pay(counter: Counter, *, connections: int, count: int) -> Load:
    """`count` payments over so many connections, each at once after its answer."""
    waiting = iter(counter.orders(count))
    load = Load()
    loop = asyncio.get_running_loop()
    async with _http(connections) as http:
        began = loop.time()

        async def caller() -> None:
            for order in waiting:
                sent = loop.time()
                try:
                    await _settled(http, counter, order)
                except BadAnswer as answer:
                    load.note_failure(str(answer))
                else:
                    load.latencies.append(loop.time() - sent)

        await asyncio.gather(*(caller() for _ in range(connections)))
        load.seconds = loop.time() - began
    return load


async def pay_at_rate(counter: Counter, *, per_second: float, seconds: float) -> Load:
    waiting = iter(counter.orders(int(per_second * seconds)))
    async with _http(64) as http:
        return await open_loop(
            lambda: _settled(http, counter, next(waiting)),
            per_second=per_second,
            seconds=seconds,
        )


async def _settled(http: aiohttp.ClientSession, counter: Counter, order: Order) -> bool:
    await _pay(http, counter, order)
    return True


async def _pay(http: aiohttp.ClientSession, counter: Counter, order: Order) -> str:
    """The id of a payment that was settled at once. Raises `BadAnswer`."""
    async with http.post(counter.url, headers=order.headers, data=order.body) as answer:
        body = await answer.read()
    found = json.loads(body) if answer.status == 201 else {}
    if found.get("state") != "settled":
        raise _bad(answer.status, body)
    return str(found["payment_id"])


def _bad(status: int, body: bytes) -> BadAnswer:
    return BadAnswer(f"{status} {body[:300].decode(errors='replace')}")


@asynccontextmanager
async def _http(connections: int) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(connector=connector) as http:
        yield http


@contextlib.contextmanager
def bare_chain(first_port: int) -> Iterator[str]:
    """Four empty hops in processes of their own; the address of the first."""
    processes = []
    try:
        for place in reversed(range(HOPS)):
            following = [] if place == HOPS - 1 else [f"http://127.0.0.1:{first_port + place + 1}/"]
            command = [sys.executable, "-m", "deploy.bench.chain", str(first_port + place)]
            quiet = subprocess.DEVNULL  # a hop says loudly that the next one is not there yet
            processes.append(subprocess.Popen([*command, *following], cwd=ROOT, stderr=quiet))
        yield f"http://127.0.0.1:{first_port}/"
    finally:
        for process in processes:
            process.terminate()
            process.wait()


async def chain_rate(url: str, *, connections: int, seconds: float) -> Load:
    """What the empty hops carry, with a body of a payment's size."""
    body = json.dumps({"end_to_end_id": "bench", "amount_minor": AMOUNT, "filler": "x" * 180})
    headers = {"content-type": "application/json"}
    async with _http(connections) as http:
        await _until_it_answers(http, url)

        async def ask() -> bool:
            async with http.post(url, data=body, headers=headers) as answer:
                await answer.read()
                return answer.status == 200

        return await closed_loop(ask, connections=connections, seconds=seconds)


async def _until_it_answers(http: aiohttp.ClientSession, url: str) -> None:
    for _ in range(300):
        with contextlib.suppress(aiohttp.ClientError):
            async with http.post(url, json={"ping": 1}) as answer:
                if answer.status == 200:
                    return
        await asyncio.sleep(0.1)
    raise TimeoutError("the empty hops do not answer")


async def gateway_overhead(setting: Setting, counter: Counter) -> tuple[Load, Load]:
    """Reading one payment: through the gateway, and from payments as the gateway reads it.

    Raises RuntimeError where an answer was not the payment.
    """
    (order,) = counter.orders(1)
    # Payments shows the gateway what belongs to the partner that it names, and nothing without.
    token = service_token(setting, caller="gateway", target="payments", partner_id=PARTNER)
    async with _http(READERS) as http:
        path = f"/{await _pay(http, counter, order)}"
        url = counter.url + path
        direct_url = f"{setting.url('payments')}/v1/payments{path}"
        proofs = iter(
            [
                dpop_proof(counter.identity, method="GET", url=url, access_token=counter.token)
                for _ in range(MOST_READS)
            ]
        )

        async def through() -> bool:
            return await read(url, {"authorization": f"DPoP {counter.token}", "dpop": next(proofs)})

        async def direct() -> bool:
            return await read(direct_url, {"authorization": f"Bearer {token}"})

        async def read(address: str, headers: dict[str, str]) -> bool:
            async with http.get(address, headers=headers) as answer:
                body = await answer.read()
            if answer.status != 200:
                raise _bad(answer.status, body)
            return True

        gateway = await closed_loop(through, connections=READERS, seconds=READING_S)
        payments = await closed_loop(direct, connections=READERS, seconds=READING_S)
    return gateway.all_good("reads through the gateway"), payments.all_good("reads at payments")
