"""`python -m deploy.bank`: an operator's commands for the bank that runs on this machine."""

import argparse
import os
import sys

import httpx

from deploy.bank import (
    accounts,
    customers,
    models,
    partners,
    plans,
    policies,
    replays,
    reviews,
    sources,
    upkeep,
)
from deploy.bank.staff import Refused
from deploy.local.options import LocalError, run_dir_of
from deploy.play.consent_page import PageSaidNo
from deploy.play.steps import NotAsExpected
from deploy.postgres.errors import PostgresError


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0 done, 1 not done (with one line that says why), 2 not understood."""
    options = _parser().parse_args(arguments)
    options.run_dir = run_dir_of(os.environ)
    try:
        code: int = options.run(options)
    except (Refused, LocalError, NotAsExpected, PageSaidNo, PostgresError) as error:
        print(f"bank: {error}", file=sys.stderr)
        return 1
    except (OSError, httpx.HTTPError) as error:
        print(f"bank: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bank",
        description="Operator's commands for the bank that runs on this machine.",
        epilog='As `make bank ARGS="…"`, or as `.venv/bin/python -m deploy.bank …`.',
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    for part in (
        partners,
        plans,
        customers,
        reviews,
        accounts,
        policies,
        models,
        replays,
        sources,
        upkeep,
    ):
        part.add_commands(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
