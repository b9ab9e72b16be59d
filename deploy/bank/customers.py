"""Commands about customers: who they are, a way to sign in, the code on their phone."""

import argparse
import json
import secrets
from typing import Any

from deploy.bank.staff import Refused, StaffClient
from deploy.local.files import messages_file
from deploy.play.cast import deposits
from shared.kit.money import format_minor

LISTED = 10


def add_commands(commands: Any) -> None:
    listing = commands.add_parser("customers", help="the customers with the most money")
    listing.add_argument("--limit", type=int, default=LISTED)
    listing.set_defaults(run=list_customers)

    giving = commands.add_parser("give-sign-in", help="give a customer a name and a password")
    giving.add_argument("customer_id")
    giving.add_argument("--login-name", help="default: made from the customer's id")
    giving.set_defaults(run=give_sign_in)

    reading = commands.add_parser("code", help="the newest one-time code on a customer's phone")
    reading.add_argument("customer_id", nargs="?", help="default: of any customer")
    reading.set_defaults(run=read_code)


def list_customers(options: argparse.Namespace) -> int:
    staff = StaffClient(options.run_dir, login_name="operator")
    accounts = [one for one in deposits(staff) if one["holder_id"]]
    accounts.sort(key=lambda one: -int(one["balance"]["posted_minor"]))
    for one in accounts[: max(1, options.limit)]:
        balance = format_minor(one["balance"]["posted_minor"], one["currency"])
        frozen = "  frozen" if one["frozen"] else ""
        print(f"{one['holder_id']:<16} {one['account_id']:<24} {balance:>20}{frozen}")
    return 0


def give_sign_in(options: argparse.Namespace) -> int:
    staff = StaffClient(options.run_dir, login_name="operator")
    login_name = options.login_name or f"demo.{options.customer_id}".lower()[:40]
    password = secrets.token_urlsafe(12)
    path = f"/v1/customers/{options.customer_id}/credentials"
    staff.call("identity", "PUT", path, body={"login_name": login_name, "password": password})
    print(f"user name  {login_name}\npassword   {password}")
    return 0


def read_code(options: argparse.Namespace) -> int:
    """Every demo customer's phone is one file, which only its owner can read."""
    file = messages_file(options.run_dir)
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    for line in reversed(lines):
        message = json.loads(line)
        if options.customer_id in {None, message["customer_id"]}:
            print(f"{message['code']}\n{message['zh']}\n{message['en']}")
            return 0
    raise Refused("no message was sent yet")
