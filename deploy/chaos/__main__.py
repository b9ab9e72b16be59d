"""`make chaos`: a stream of payments while parts of the bank are killed; then the books are read.

Every payment that a partner was told of must be there exactly once, every answer must have its
form, and every check of `deploy.verify` must hold. Ends non-zero where one does not. On
`BUS=kafka` the bank has a broker of its own, which is killed too.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from random import Random

from deploy.bench.setting import setting_of
from deploy.chaos.storm import Outcome, become_quiet, compare, storm
from deploy.chaos.victims import Victim, victims_of
from deploy.local.bank import reset_bank, running_bank
from deploy.local.bus import bus_of
from deploy.local.options import LocalError, Options, read_options
from deploy.verify.__main__ import verify

RUN_DIR = ".run/chaos"
PORT = "19080"


def chaos(
    options: Options, *, seconds: float | None, seed: int, names: list[str] | None
) -> Outcome:
    """One storm over a bank of its own.

    Raises LocalError: the bank does not start, or has no part of one of the names.
    """
    reset_bank(options.run_dir)
    began = time.monotonic()
    with running_bank(options, say=lambda words: print(f"  {words}", flush=True)) as bank:
        setting = setting_of(bank)
        victims = _chosen(victims_of(bank), names)
        outcome = Outcome(bus=bus_of(options.run_dir).kind)

        async def work() -> None:
            random = Random(seed)  # noqa: S311 - which part dies next is no secret
            sent = await storm(setting, outcome, victims=victims, seconds=seconds, random=random)
            await become_quiet(setting, outcome)
            await compare(setting, sent, outcome)
            for finding in await verify(setting.server):
                outcome.wrong += finding.breaches

        asyncio.run(work())
    outcome.seconds = round(time.monotonic() - began, 1)
    return outcome


def _chosen(victims: list[Victim], names: list[str] | None) -> list[Victim]:
    known = {victim.name: victim for victim in victims}
    unknown = set(names or ()) - set(known)
    if unknown:
        raise LocalError(f"no part is called {', '.join(sorted(unknown))}: {', '.join(known)}")
    return victims if names is None else [known[name] for name in names]


def main() -> None:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, help="kill at random for so long")
    parser.add_argument("--seed", type=int, default=1, help="which order of deaths")
    parser.add_argument("--only", nargs="+", metavar="PART", help="kill these alone")
    parser.add_argument("--run", default=RUN_DIR, help="the folder of the bank that suffers")
    parser.add_argument("--port", default=PORT, help="its first port")
    parser.add_argument("--report", type=Path, default=Path(".run/chaos.json"))
    arguments = parser.parse_args()
    environment = {"RUN_DIR": arguments.run, "PORT": arguments.port, "ROLES": "split"}
    try:
        options = read_options(environment | {"BUS": os.environ.get("BUS", "")})
        outcome = chaos(
            options, seconds=arguments.seconds, seed=arguments.seed, names=arguments.only
        )
    except LocalError as error:
        sys.exit(f"chaos: {error}")
    arguments.report.parent.mkdir(parents=True, exist_ok=True)
    arguments.report.write_text(json.dumps(asdict(outcome), indent=1) + "\n")
    _tell(outcome)
    if outcome.wrong:
        sys.exit(f"chaos: {len(outcome.wrong)} things are wrong")
    print("Every accepted payment is present exactly once, and every check holds.")


def _tell(outcome: Outcome) -> None:
    print(f"the bus: {outcome.bus}")
    print(f"killed: {_counts(dict(sorted(outcome.killed.items())))}")
    print(f"answers: {_counts(outcome.answers)}")
    print(f"without an answer: {_counts(outcome.broken)}")
    print(f"{outcome.payments} payments: {_counts(outcome.states)}")
    for line in outcome.wrong[:30]:
        print(f"  WRONG {line}")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}x" for name, count in counts.items()) or "none"


if __name__ == "__main__":
    main()
