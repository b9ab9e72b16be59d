"""The outside sources: how they do, and, where they are the simulated ones, how they are broken."""

import argparse
from typing import Any, get_args

import httpx

from deploy.bank.staff import Refused, StaffClient
from deploy.bureau.faults import Kind
from deploy.bureau.people import SAYS
from deploy.local.files import read_json
from deploy.local.outside import secrets_file
from shared.kit.money import format_minor

TIMEOUT_S = 5.0


def add_commands(commands: Any) -> None:
    showing = commands.add_parser("sources", help="the outside sources, and what they cost")
    showing.set_defaults(run=show)
    breaking = commands.add_parser(
        "source-fault", help="make a simulated source fail from now on; `none` mends it"
    )
    breaking.add_argument("source", choices=[*SAYS])
    breaking.add_argument("kind", choices=get_args(Kind))
    breaking.add_argument("--latency-ms", type=int, default=0)
    breaking.add_argument(
        "--share-percent", type=int, default=100, help="of the calls that it hits"
    )
    breaking.set_defaults(run=break_source)


def show(options: argparse.Namespace) -> int:
    staff = StaffClient(options.run_dir, login_name="operator")
    try:
        found = staff.call("risk", "GET", "/v1/sources")
    finally:
        staff.close()
    for item in found["items"]:
        day = item["last_day"]
        state = item["breaker"] if item["is_configured"] else "not configured"
        cost = format_minor(day["cost_minor"], item["currency"])
        print(
            f"{item['source']:<12} {state:<15} {day['calls']:>5} calls {day['cached']:>5} cached "
            f"{day['stale']:>5} aged {day['unsure']:>3} unsure {cost:>14} in 24 h"
        )
    return 0


def break_source(options: argparse.Namespace) -> int:
    """Raises Refused: there are no simulated sources here, or they do not take it."""
    programs = (read_json(options.run_dir / "bank.json") or {}).get("programs", [])
    ports = [int(one["port"]) for one in programs if one["name"] == "bureau"]
    key = (read_json(secrets_file(options.run_dir)) or {}).get("admin_key")
    if not ports or not key:
        raise Refused(f"no simulated sources run in {options.run_dir}")
    body = {
        "kind": options.kind,
        "latency_ms": options.latency_ms,
        "share_percent": options.share_percent,
    }
    answer = httpx.put(
        f"http://127.0.0.1:{ports[0]}/admin/faults/{options.source}",
        json=body,
        headers={"authorization": f"Bearer {key}"},
        timeout=TIMEOUT_S,
    )
    if not answer.is_success:
        raise Refused(str(answer.json().get("detail", answer.status_code)))
    print(f"{options.source}: {answer.text}")
    return 0
