"""A stream of payments with the killing in it, and what must be true once it is over."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from deploy.bench import payment
from deploy.bench.setting import Setting
from deploy.chaos.answers import HALF
from deploy.chaos.clients import CALLERS, Clients, Sent
from deploy.chaos.victims import Victim
from deploy.local.bus import bus_environment
from gateway.consumers import SUBSCRIPTIONS as GATEWAY
from services.identity.consumers import SUBSCRIPTIONS as IDENTITY
from services.payments.consumers import SUBSCRIPTIONS as PAYMENTS
from services.profiles.consumers import SUBSCRIPTIONS as PROFILES
from services.risk.cases.consumers import SUBSCRIPTIONS as RISK
from shared.contracts.topics import SERVICES
from shared.kit.bus.port import Bus
from shared.kit.bus.select import open_bus
from shared.kit.settings import Settings

FIRST_KILL_S = 3.0
BETWEEN_KILLS_S = (2.0, 6.0)
#: Each pays eighteen times at the most; the callers together pay some twenty times a second.
CUSTOMERS_PER_S = 2.5
ANSWERS_WITHIN_S = 180.0
QUIET_WITHIN_S = 120.0
#: A part that died is started again after half a second; on a busy machine that takes its time.
PAYS_AGAIN_WITHIN_S = 90.0
#: Every group that consumes. Risk reads without one: each replica of it counts all.
CONSUMERS = (GATEWAY, IDENTITY, PAYMENTS, PROFILES, RISK)
MOST_LISTED = 20


@dataclass(slots=True)
class Outcome:
    """What was done and what was found; `wrong` must be empty."""

    bus: str
    killed: dict[str, int] = field(default_factory=dict)
    #: Requests that were under way when each of them died, the fewest.
    under_way: int = 0
    answers: dict[str, int] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)
    payments: int = 0
    states: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def note_kill(self, victim: Victim, *, under_way: int) -> None:
        self.under_way = min(self.under_way, under_way) if self.killed else under_way
        self.killed[victim.name] = self.killed.get(victim.name, 0) + 1
        print(f"  killed {victim.name}, {under_way} requests under way", flush=True)


async def storm(
    setting: Setting,
    outcome: Outcome,
    *,
    victims: list[Victim],
    seconds: float | None,
    random: Random,
) -> list[Sent]:
    """Pay and kill, each victim once or for so long at random; what the partners were told."""
    # So many that the stream does not end before the killing does.
    customers = max(payment.CUSTOMERS, int(CUSTOMERS_PER_S * (seconds or 0)))
    counter = await payment.prepare(setting, customers=customers)
    clients = Clients(
        gateway=setting.url("gateway"),
        identity=counter.identity,
        consents=[str(consent) for consent in counter.consents],
        # Their own, so that a seed gives the same order of deaths whatever the clients do.
        random=Random(random.random()),  # noqa: S311 - a client's patience is no secret
    )
    paying = asyncio.create_task(clients.run())
    if seconds is None:
        await _kill_in_turn(victims, clients, outcome)
    else:
        await _kill_at_random(victims, clients, outcome, seconds=seconds, random=random)
    await asyncio.sleep(FIRST_KILL_S)
    if paying.done():
        outcome.wrong.append("the stream of payments ended before the killing did")
    clients.stopping = True
    done, _ = await asyncio.wait([paying], timeout=ANSWERS_WITHIN_S)
    if not done:
        paying.cancel()
        without = sum(not one.answers for one in clients.sent)
        outcome.wrong.append(f"{without} payments got no answer in {ANSWERS_WITHIN_S:.0f} s")
    else:
        paying.result()
    outcome.answers = dict(clients.seen.most_common())
    outcome.broken = dict(clients.broken.most_common())
    outcome.wrong += clients.unexpected[:MOST_LISTED]
    # The gateway's own death may cut an answer that it had begun; nothing else may.
    if clients.broken[HALF] > outcome.killed.get("gateway", 0):
        outcome.wrong.append(f"{clients.broken[HALF]} answers ended in the middle")
    return clients.sent


async def _kill_in_turn(victims: list[Victim], clients: Clients, outcome: Outcome) -> None:
    """Each role once, in the middle of the stream: the next when payments are answered again."""
    for victim in victims:
        if not await _answered_more(clients):
            after = ", ".join(outcome.killed) or "the start"
            outcome.wrong.append(f"nothing was paid in {PAYS_AGAIN_WITHIN_S:.0f} s after {after}")
        await _kill_under_way(victim, clients, outcome)


async def _kill_under_way(victim: Victim, clients: Clients, outcome: Outcome) -> None:
    """As soon as somebody plays the role and there are requests under way."""
    until = time.monotonic() + PAYS_AGAIN_WITHIN_S
    while time.monotonic() < until:
        under_way = clients.under_way
        if under_way and await asyncio.to_thread(victim.kill):
            outcome.note_kill(victim, under_way=under_way)
            return
        await asyncio.sleep(0.01)
    outcome.wrong.append(f"{victim.name} was not there to be killed under requests")


async def _answered_more(clients: Clients) -> bool:
    """True once as many payments were answered anew as there are callers; False if none came."""
    before = clients.answered
    until = time.monotonic() + PAYS_AGAIN_WITHIN_S
    while clients.answered < before + CALLERS:
        if time.monotonic() > until:
            return clients.answered > before
        await asyncio.sleep(0.05)
    return True


async def _kill_at_random(
    victims: list[Victim], clients: Clients, outcome: Outcome, *, seconds: float, random: Random
) -> None:
    until = time.monotonic() + seconds
    await asyncio.sleep(FIRST_KILL_S)
    while time.monotonic() < until:
        victim = random.choice(victims)
        under_way = clients.under_way
        if await asyncio.to_thread(victim.kill):
            outcome.note_kill(victim, under_way=under_way)
        await asyncio.sleep(random.uniform(*BETWEEN_KILLS_S))


async def become_quiet(setting: Setting, outcome: Outcome) -> None:
    """Wait until nothing is under way: no payment, no event unpublished, none unconsumed."""
    until = time.monotonic() + QUIET_WITHIN_S
    bus = _bus(setting)
    try:
        while open_work := await _open_work(setting, bus):
            if time.monotonic() > until:
                outcome.wrong.append(f"after {QUIET_WITHIN_S:.0f} s there is still {open_work}")
                return
            await asyncio.sleep(0.5)
    finally:
        await bus.close()


async def _open_work(setting: Setting, bus: Bus) -> str:
    """What is still under way, in words; nothing where all is done."""
    for service in SERVICES:
        connection = await setting.connect(service)
        try:
            waiting = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
            if number := await connection.fetchval(waiting):
                return f"{service}: {number} events that nobody published"
            if service == "payments":
                under_way = "SELECT count(*) FROM payments WHERE state IN ('received', 'approved')"
                if number := await connection.fetchval(under_way):
                    return f"{number} payments without an end"
        finally:
            await connection.close()
    try:
        for one in CONSUMERS:
            if number := await bus.lag(group=one.group, topics=one.topics()):
                return f"{one.group}: {number} events that it did not consume"
    except Exception as error:  # a broker that was killed last is still starting
        return f"a bus that does not answer ({type(error).__name__})"
    return ""


def _bus(setting: Setting) -> Bus:
    told = bus_environment(setting.run_dir, url=setting.credentials["bus"].dsn)
    settings = Settings.model_validate(
        {
            "service": "chaos",
            "database_url": setting.credentials["profiles"].dsn,
            "keys_dir": setting.keys_dir("profiles"),
            "bus": "postgres",
            **{name.lower(): value for name, value in told.items()},
        }
    )
    return open_bus(settings, application="chaos")


async def compare(setting: Setting, sent: list[Sent], outcome: Outcome) -> None:
    """What the partners were told against what the bank has."""
    connection = await setting.connect("payments")
    rows = await connection.fetch("SELECT payment_id, state FROM payments")
    await connection.close()
    states = {str(row["payment_id"]): row["state"] for row in rows}
    told: set[str] = set()
    for one in sent:
        if len(one.payment_ids) > 1 or len(one.answers) > 1:
            outcome.wrong.append(f"key {one.key}: {one.payment_ids} told as {one.answers}")
        for payment_id, answer in zip(sorted(one.payment_ids), sorted(one.answers), strict=False):
            if payment_id in told:
                outcome.wrong.append(f"payment {payment_id} is told for two keys")
            told.add(payment_id)
            if states.get(payment_id) != answer:
                outcome.wrong.append(
                    f"payment {payment_id}: told {answer}, stored {states.get(payment_id)}"
                )
    outcome.wrong += [f"payment {found} that nobody was told of" for found in set(states) - told]
    outcome.payments = len(told)
    outcome.states = dict(Counter(states.values()))
