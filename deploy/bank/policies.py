"""Commands about risk's policies: what is in force, versions, differences, activation, back."""

import argparse
import difflib
import json
from typing import Any

from deploy.bank.staff import StaffClient

PRODUCTS = ["payment", "account_opening", "loan", "card"]


def add_commands(commands: Any) -> None:
    listing = commands.add_parser("policies", help="the policies in force, or a product's versions")
    listing.add_argument("product", nargs="?", choices=PRODUCTS)
    listing.set_defaults(run=list_policies)

    showing = commands.add_parser("policy-show", help="a version's graph and tests")
    showing.add_argument("product", choices=PRODUCTS)
    showing.add_argument("version")
    showing.set_defaults(run=show)

    comparing = commands.add_parser("policy-diff", help="what differs between two versions")
    comparing.add_argument("product", choices=PRODUCTS)
    comparing.add_argument("old")
    comparing.add_argument("new")
    comparing.set_defaults(run=diff)

    activating = commands.add_parser("policy-activate", help="put an approved version in force")
    activating.add_argument("product", choices=PRODUCTS)
    activating.add_argument("version")
    activating.add_argument("--reason", required=True, help="why, for the history")
    activating.set_defaults(run=activate)

    going_back = commands.add_parser("policy-roll-back", help="put the version before in force")
    going_back.add_argument("product", choices=PRODUCTS)
    going_back.add_argument("--reason", required=True, help="why, for the history")
    going_back.set_defaults(run=roll_back)


def list_policies(options: argparse.Namespace) -> int:
    staff = StaffClient(options.run_dir, login_name="operator")
    if options.product is None:
        for one in staff.call("risk", "GET", "/v1/policies")["items"]:
            words = f"  FALLBACK: {one['deciding']} decides" if one["is_fallback"] else ""
            since = f"since {one['activated_at'][:19]} by {one['activated_by']}"
            print(f"{one['product']:<16} {one['version']:<10} {since}{words}")
        return 0
    path = f"/v1/policies/{options.product}/versions"
    for one in staff.call("risk", "GET", path)["items"]:
        print(f"{one['version']:<10} {one['state']:<9} {one['author']:<14} {one['note']}")
    return 0


def show(options: argparse.Namespace) -> int:
    staff = StaffClient(options.run_dir, login_name="operator")
    print("\n".join(_lines(staff, options.product, options.version)))
    return 0


def diff(options: argparse.Namespace) -> int:
    staff = StaffClient(options.run_dir, login_name="operator")
    old, new = (_lines(staff, options.product, it) for it in (options.old, options.new))
    for line in difflib.unified_diff(old, new, options.old, options.new, lineterm="", n=2):
        print(line)
    return 0


def activate(options: argparse.Namespace) -> int:
    path = f"/v1/policies/{options.product}/versions/{options.version}/activation"
    return _put_in_force(options, path)


def roll_back(options: argparse.Namespace) -> int:
    return _put_in_force(options, f"/v1/policies/{options.product}/roll-back")


def _put_in_force(options: argparse.Namespace, path: str) -> int:
    staff = StaffClient(options.run_dir, login_name="operator")
    made = staff.call("risk", "POST", path, body={"reason": options.reason})
    print(f"{made['product']}-{made['version']} is in force; before it: {made['previous']}")
    return 0


def _lines(staff: StaffClient, product: str, version: str) -> list[str]:
    found = staff.call("risk", "GET", f"/v1/policies/{product}/versions/{version}")
    content = {name: found[name] for name in ("graph", "tests")}
    return json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True).splitlines()
