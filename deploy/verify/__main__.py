"""`make verify`: checks a running or stopped bank from outside, and ends non-zero on a breach."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import asyncpg

from deploy import kafka, postgres
from deploy.local.bus import OWN, bus_environment, bus_of, close_bus, open_bus
from deploy.local.options import LocalError
from deploy.postgres import PostgresError, Server
from deploy.verify.checks import GRACE, MAX_LISTED, Check, Connections, Finding, all_checks
from deploy.verify.event_log import EventLog, PostgresLog
from shared.contracts.topics import BY_NAME, SERVICES

REPORT = "verify.json"
#: Services that are connected may be writing while the checker reads.
SERVICES_CONNECTED = "SELECT count(*) > 0 FROM pg_stat_activity WHERE usename = ANY ($1)"


async def _open(stack: AsyncExitStack, server: Server) -> Connections:
    """A read-only connection to each database."""
    connections = {}
    for name in (*SERVICES, "bus"):
        url = postgres.auditor_dsn(server, name).replace("postgresql+asyncpg://", "postgresql://")
        connection = await asyncpg.connect(url, timeout=10, command_timeout=600)
        stack.push_async_callback(connection.close)
        connections[name] = connection
    return connections


async def _log(stack: AsyncExitStack, at: Connections, run_dir: Path) -> EventLog:
    """The log of events, wherever this bank has it."""
    told = bus_environment(run_dir, url="")
    if told.get("BUS") != "kafka":
        return PostgresLog(at["bus"])
    from deploy.verify.kafka_log import KafkaLog

    log = KafkaLog(told, topics=list(BY_NAME), groups=SERVICES)
    stack.push_async_callback(log.close)
    return log


async def _look(check: Check, at: Connections, *, patient: bool) -> Finding:
    """Run a check; in a running bank a breach is looked at again once its rows have aged.

    Databases are read one after the other, so what was written in between looks like a breach.
    """
    finding = await check(at)
    if not finding.breaches or not patient:
        return finding
    await asyncio.sleep(GRACE.total_seconds() + 1)
    again = await check(at)
    lasting = tuple(sorted(set(finding.breaches) & set(again.breaches)))
    return Finding(again.name, again.counted, lasting)


async def verify(server: Server) -> list[Finding]:
    """All findings, printed as they come."""
    findings = []
    async with AsyncExitStack() as stack:
        at = await _open(stack, server)
        running = await at["bus"].fetchval(SERVICES_CONNECTED, list(SERVICES))
        log = await _log(stack, at, server.run_dir)
        for check in all_checks(SERVICES, log, running=running):
            finding = await _look(check, at, patient=running)
            findings.append(finding)
            _print(finding)
    return findings


def _print(finding: Finding) -> None:
    verdict = f"{len(finding.breaches)} BREACHES" if finding.breaches else "holds"
    print(f"{finding.name:<42} {finding.counted:>10,}  {verdict}", flush=True)
    for breach in finding.breaches[:MAX_LISTED]:
        print(f"    {breach}")
    if len(finding.breaches) > MAX_LISTED:
        print(f"    and {len(finding.breaches) - MAX_LISTED} more")


def _write(path: Path, findings: Sequence[Finding]) -> None:
    report = [
        {"name": f.name, "counted": f.counted, "breaches": list(f.breaches)} for f in findings
    ]
    path.write_text(json.dumps(report, indent=1) + "\n")


@contextmanager
def _bus(run_dir: Path) -> Iterator[None]:
    """The bank's own broker, where it has one, runs while the block does."""
    stopped = bus_of(run_dir).kind == OWN and kafka.alive(run_dir) is None
    if stopped:
        open_bus(run_dir, bus_of(run_dir), say=lambda words: print(words, flush=True))
    try:
        yield
    finally:
        if stopped:
            close_bus(run_dir)


def _server(run_dir: Path) -> tuple[Server, bool]:
    """The bank's database server, and whether it ran already."""
    found = postgres.running(run_dir)
    if found is not None:
        return found, True
    if not (run_dir / "secrets").is_dir():
        raise PostgresError(f"there is no bank in {run_dir}: start one with `make demo`")
    return postgres.start(run_dir), False


def main() -> None:
    parser = argparse.ArgumentParser(prog="verify", description=__doc__)
    parser.add_argument(
        "--run",
        type=Path,
        default=Path(os.environ.get("RUN_DIR") or ".run"),
        help="the bank's folder",
    )
    run_dir = parser.parse_args().run.resolve()
    try:
        server, running = _server(run_dir)
        try:
            with _bus(run_dir):
                findings = asyncio.run(verify(server))
        finally:
            if not running:
                postgres.stop(server)
    except (PostgresError, LocalError, asyncpg.PostgresError, OSError) as error:
        sys.exit(f"verify: {' '.join(str(error).split())}")
    _write(run_dir / REPORT, findings)
    breaches = sum(len(finding.breaches) for finding in findings)
    if breaches:
        sys.exit(f"verify: {breaches} breaches")
    print("Every check holds.")


if __name__ == "__main__":
    main()
