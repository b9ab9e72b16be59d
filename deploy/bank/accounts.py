"""Commands about accounts: nothing leaves a frozen one, and credits still arrive."""

import argparse
from typing import Any

from deploy.bank.staff import StaffClient


def add_commands(commands: Any) -> None:
    for action, words in (
        ("freeze", "stop debits of an account"),
        ("unfreeze", "allow them again"),
    ):
        command = commands.add_parser(action, help=words)
        command.add_argument("account_id")
        command.add_argument("--reason", required=True, help="why, for the audit log")
        command.set_defaults(run=set_frozen, action=action)


def set_frozen(options: argparse.Namespace) -> int:
    staff = StaffClient(options.run_dir, login_name="operator")
    path = f"/v1/accounts/{options.account_id}/{options.action}"
    account = staff.call("ledger", "POST", path, body={"reason": options.reason})
    print(f"account {account['account_id']} is {'frozen' if account['frozen'] else 'free'}")
    return 0
