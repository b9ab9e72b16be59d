"""`make chaos`: a stream of payments while parts of the bank are killed; then the books are read.

Every payment that a partner was told of must be there exactly once, and every check of
`deploy.verify` must hold. Ends non-zero where one does not.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from deploy.bench import payment
from deploy.bench.setting import Setting, setting_of
from deploy.chaos.clients import Clients, Sent
from deploy.chaos.victims import Victim, victims_of
from deploy.local.bank import Bank, reset_bank, running_bank
from deploy.local.options import LocalError, read_options
from deploy.verify.__main__ import verify
from shared.contracts.topics import SERVICES

FIRST_KILL_S = 3.0
BETWEEN_KILLS_S = (2.0, 6.0)
ANSWERS_WITHIN_S = 180.0
QUIET_WITHIN_S = 120.0


@dataclass(slots=True)
class Outcome:
    """What was done and what was found; `wrong` must be empty."""

    killed: Counter[str] = field(default_factory=Counter)
    tries: dict[str, int] = field(default_factory=dict)
    payments: int = 0
    states: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0


async def _kill_in_turn(victims: list[Victim], outcome: Outcome) -> None:
    """Each role once, the next one when the last was killed in the middle of the stream."""
    await asyncio.sleep(FIRST_KILL_S)
    for victim in victims:
        while not await asyncio.to_thread(victim.kill):  # noqa: ASYNC110 - deaths are no events
            await asyncio.sleep(0.2)
        _tell(victim, outcome)
        await asyncio.sleep(BETWEEN_KILLS_S[0])


async def _kill_at_random(
    victims: list[Victim], outcome: Outcome, *, seconds: float, random: Random
) -> None:
    until = time.monotonic() + seconds
    await asyncio.sleep(FIRST_KILL_S)
    while time.monotonic() < until:
        victim = random.choice(victims)
        if await asyncio.to_thread(victim.kill):
            _tell(victim, outcome)
        await asyncio.sleep(random.uniform(*BETWEEN_KILLS_S))


def _tell(victim: Victim, outcome: Outcome) -> None:
    outcome.killed[victim.name] += 1
    print(f"  killed {victim.name}", flush=True)


async def _storm(
    bank: Bank, setting: Setting, outcome: Outcome, *, seconds: float | None, random: Random
) -> list[Sent]:
    """The stream with the killing in it; what the partners were told."""
    counter = await payment.prepare(setting)
    clients = Clients(
        gateway=setting.url("gateway"),
        identity=counter.identity,
        consents=[str(consent) for consent in counter.consents],
        random=random,
    )
    victims = victims_of(bank)
    paying = asyncio.create_task(clients.run())
    if seconds is None:
        await _kill_in_turn(victims, outcome)
    else:
        await _kill_at_random(victims, outcome, seconds=seconds, random=random)
    await asyncio.sleep(FIRST_KILL_S)
    clients.stopping = True
    done, _ = await asyncio.wait([paying], timeout=ANSWERS_WITHIN_S)
    if not done:
        paying.cancel()
        without = sum(not one.answers for one in clients.sent)
        outcome.wrong.append(f"{without} payments got no answer in {ANSWERS_WITHIN_S:.0f} s")
    else:
        paying.result()
    outcome.tries = dict(clients.tries.most_common())
    outcome.wrong += clients.unexpected[:20]
    return clients.sent


async def _quiet(setting: Setting) -> None:
    """Until nothing is under way: no payment between its states, no event unpublished."""
    until = time.monotonic() + QUIET_WITHIN_S
    while time.monotonic() < until:
        open_work = 0
        for service in SERVICES:
            connection = await setting.connect(service)
            waiting = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
            open_work += await connection.fetchval(waiting)
            if service == "payments":
                under_way = "SELECT count(*) FROM payments WHERE state IN ('received', 'approved')"
                open_work += await connection.fetchval(under_way)
            await connection.close()
        if not open_work:
            return
        await asyncio.sleep(0.5)


async def _compare(setting: Setting, sent: list[Sent], outcome: Outcome) -> None:
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
            told.add(payment_id)
            if states.get(payment_id) != answer:
                outcome.wrong.append(
                    f"payment {payment_id}: told {answer}, stored {states.get(payment_id)}"
                )
    outcome.wrong += [f"payment {found} that nobody was told of" for found in set(states) - told]
    outcome.payments = len(told)
    outcome.states = dict(Counter(states.values()))


def chaos(*, seconds: float | None, seed: int) -> Outcome:
    """One storm over a bank of its own. Raises LocalError where the bank does not start."""
    outcome = Outcome()
    options = read_options({"RUN_DIR": ".run/chaos", "PORT": "19080", "ROLES": "split"})
    reset_bank(options.run_dir)
    began = time.monotonic()
    with running_bank(options, say=lambda words: print(f"  {words}", flush=True)) as bank:
        setting = setting_of(bank)

        async def work() -> None:
            random = Random(seed)  # noqa: S311 - which part dies next is no secret
            sent = await _storm(bank, setting, outcome, seconds=seconds, random=random)
            await _quiet(setting)
            await _compare(setting, sent, outcome)
            for finding in await verify(setting.server):
                outcome.wrong += finding.breaches

        asyncio.run(work())
    outcome.seconds = round(time.monotonic() - began, 1)
    return outcome


def main() -> None:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, help="kill at random for so long")
    parser.add_argument("--seed", type=int, default=1, help="which order of deaths")
    parser.add_argument("--report", type=Path, default=Path(".run/chaos.json"))
    arguments = parser.parse_args()
    try:
        outcome = chaos(seconds=arguments.seconds, seed=arguments.seed)
    except LocalError as error:
        sys.exit(f"chaos: {error}")
    report = {
        "killed": dict(outcome.killed),
        "tries": outcome.tries,
        "payments": outcome.payments,
        "states": outcome.states,
        "wrong": outcome.wrong,
        "seconds": outcome.seconds,
    }
    arguments.report.parent.mkdir(parents=True, exist_ok=True)
    arguments.report.write_text(json.dumps(report, indent=1) + "\n")
    print(f"killed: {', '.join(f'{n} {c}x' for n, c in sorted(outcome.killed.items()))}")
    print(f"clients saw: {', '.join(f'{n} {c}x' for n, c in outcome.tries.items())}")
    print(f"{outcome.payments} payments: {outcome.states}")
    if outcome.wrong:
        for line in outcome.wrong[:30]:
            print(f"  WRONG {line}")
        sys.exit(f"chaos: {len(outcome.wrong)} things are wrong")
    print("Every accepted payment is present exactly once, and every check holds.")


if __name__ == "__main__":
    main()
