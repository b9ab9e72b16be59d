"""Commands about payments: list them, and decide one that is in review."""

import argparse
from typing import Any

from deploy.bank.staff import StaffClient
from shared.kit.money import format_minor

STATES = ["received", "approved", "settled", "rejected", "in_review"]


def add_commands(commands: Any) -> None:
    listing = commands.add_parser("payments", help="the youngest payments")
    listing.add_argument("--state", choices=STATES)
    listing.add_argument("--limit", type=int, default=20)
    listing.set_defaults(run=list_payments)

    reviewing = commands.add_parser("review", help="approve or decline a payment in review")
    reviewing.add_argument("payment_id")
    reviewing.add_argument("outcome", choices=["approve", "decline"])
    reviewing.add_argument("--reason", required=True, help="why, for the audit log")
    reviewing.set_defaults(run=review)


def list_payments(options: argparse.Namespace) -> int:
    staff = StaffClient(options.run_dir, login_name="operator")
    params = {"limit": str(options.limit)} | ({"state": options.state} if options.state else {})
    for one in staff.call("payments", "GET", "/v1/payments", params=params)["items"]:
        amount = format_minor(one["amount_minor"], one["currency"])
        reasons = ", ".join(one["reason_codes"])
        print(f"{one['payment_id']}  {one['state']:<9} {amount:>18}  {reasons}")
    return 0


def review(options: argparse.Namespace) -> int:
    staff = StaffClient(options.run_dir, login_name="reviewer")
    path = f"/v1/payments/{options.payment_id}/review"
    body = {"outcome": options.outcome, "reason": options.reason}
    reviewed = staff.call("payments", "POST", path, body=body)
    print(f"payment {reviewed['payment_id']} is {reviewed['state']}")
    return 0
