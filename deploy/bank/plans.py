"""Commands about limits of partners: plans, who is under which, and counted calls."""

import argparse
from typing import Any
from urllib.parse import quote

from deploy.bank.staff import Refused, StaffClient


def add_commands(commands: Any) -> None:
    listing = commands.add_parser("plans", help="the plans of limits that partners are under")
    listing.set_defaults(run=list_plans)

    setting = commands.add_parser("plan-set", help="make or change a plan; it binds the next call")
    setting.add_argument("plan")
    setting.add_argument("--per-partner", type=_limit, metavar="N", help="calls a minute, or none")
    setting.add_argument("--per-consent", type=_limit, metavar="N", help="calls a minute, or none")
    setting.add_argument("--per-day", type=_limit, metavar="N", help="calls a day, or none")
    setting.add_argument(
        "--per-endpoint",
        action="append",
        default=[],
        metavar="'METHOD /path=N'",
        help="calls a minute at one route, for example 'POST /v1/payments=60'",
    )
    setting.add_argument("--reason", required=True, help="why, for the audit log")
    setting.set_defaults(run=set_plan)

    giving = commands.add_parser("partner-plan", help="put a partner under a plan, or under none")
    giving.add_argument("partner_id")
    giving.add_argument("plan", help="the plan's name, or none")
    giving.add_argument("--reason", required=True, help="why, for the audit log")
    giving.set_defaults(run=give_plan)

    counting = commands.add_parser("usage", help="calls of partners, counted by route and answer")
    counting.add_argument("--partner", metavar="ID")
    counting.add_argument("--from-day", metavar="YYYY-MM-DD")
    counting.add_argument("--to-day", metavar="YYYY-MM-DD")
    counting.set_defaults(run=usage)


def list_plans(options: argparse.Namespace) -> int:
    staff = StaffClient(options.run_dir, login_name="operator")
    for one in staff.call("gateway", "GET", "/v1/plans?limit=200")["items"]:
        print(
            f"{one['plan']}: partner {_words(one['per_partner_per_minute'])},"
            f" consent {_words(one['per_consent_per_minute'])} a minute;"
            f" {_words(one['calls_per_day'])} a day"
        )
        for endpoint, limit in sorted(one["per_endpoint_per_minute"].items()):
            print(f"  {endpoint}: {limit} a minute")
    return 0


def set_plan(options: argparse.Namespace) -> int:
    body = {
        "per_partner_per_minute": options.per_partner,
        "per_consent_per_minute": options.per_consent,
        "calls_per_day": options.per_day,
        "per_endpoint_per_minute": dict(_endpoint(text) for text in options.per_endpoint),
        "reason": options.reason,
    }
    staff = StaffClient(options.run_dir, login_name="operator")
    stored = staff.call("gateway", "PUT", f"/v1/plans/{quote(options.plan, safe='')}", body=body)
    print(f"plan {stored['plan']} is in force")
    return 0


def give_plan(options: argparse.Namespace) -> int:
    plan = None if options.plan == "none" else options.plan
    staff = StaffClient(options.run_dir, login_name="operator")
    path = f"/v1/partners/{quote(options.partner_id, safe='')}/plan"
    staff.call("gateway", "PUT", path, body={"plan": plan, "reason": options.reason})
    print(f"partner {options.partner_id} is under {plan or 'no plan'}")
    return 0


def usage(options: argparse.Namespace) -> int:
    asked = {
        "partner_id": options.partner,
        "from_day": options.from_day,
        "to_day": options.to_day,
    }
    query = "&".join(f"{name}={quote(value)}" for name, value in asked.items() if value)
    staff = StaffClient(options.run_dir, login_name="operator")
    for one in staff.call("gateway", "GET", f"/v1/partner-usage?{query}")["items"]:
        print(
            f"{one['day']}  {one['partner_id']}  {one['endpoint']}"
            f"  {one['status_class']}xx  {one['calls']}"
        )
    return 0


def _limit(text: str) -> int | None:
    if text == "none":
        return None
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is neither a number nor none") from error


def _endpoint(text: str) -> tuple[str, int]:
    name, separator, limit = text.rpartition("=")
    if not separator or not limit.isdigit():
        raise Refused(f"{text} is not METHOD /path=N")
    return name, int(limit)


def _words(limit: int | None) -> str:
    return "without limit" if limit is None else str(limit)
