"""Commands about risk's models: what is registered, register a folder's, roll back."""

import argparse
import json
import time
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deploy.bank.policies import PRODUCTS
from deploy.bank.staff import Refused, StaffClient

VALID_DAYS = 365
WAIT_S = 600.0


def add_commands(commands: Any) -> None:
    command = commands.add_parser("model", help="risk's models: list, register, evaluate, …")
    steps = command.add_subparsers(required=True, metavar="step")

    listing = steps.add_parser("list", help="registered models, and what scores now")
    listing.add_argument("product", nargs="?", choices=PRODUCTS)
    listing.set_defaults(run=list_models)

    registering = steps.add_parser("register", help="register the models of a folder")
    registering.add_argument("folder", type=Path)
    registering.add_argument("--owner", help="who answers for them (default: as they say)")
    registering.add_argument("--note", default="registered from a folder")
    registering.add_argument("--days", type=int, default=VALID_DAYS, help="valid for so long")
    registering.set_defaults(run=register)

    evaluating = steps.add_parser("evaluate", help="run a model over kept decisions; its gates")
    evaluating.add_argument("product", choices=PRODUCTS)
    evaluating.add_argument("label")
    evaluating.set_defaults(run=evaluate)

    for step, path, words in (
        ("challenge", "challenge", "let it score in the champion's shadow"),
        ("withdraw", "withdrawal", "it scores in the shadow no more"),
        ("propose", "proposal", "ask another person to promote it"),
        ("retire", "retirement", "it will not come to anything"),
    ):
        taking = steps.add_parser(step, help=words)
        taking.add_argument("product", choices=PRODUCTS)
        taking.add_argument("label")
        taking.add_argument("--reason", required=True, help="why, for the history")
        taking.set_defaults(run=take, path=path)

    promoting = steps.add_parser("promote", help="as the second person: make it the champion")
    promoting.add_argument("product", choices=PRODUCTS)
    promoting.add_argument("label")
    promoting.add_argument("--reason", required=True, help="why, for the history")
    promoting.add_argument("--waive", action="append", default=[], metavar="GATE",
                           help="a gate that could not be measured, to do without")  # fmt: skip
    promoting.set_defaults(run=promote)

    going_back = steps.add_parser("roll-back", help="the champion before is it again")
    going_back.add_argument("product", choices=PRODUCTS)
    going_back.add_argument("--reason", required=True, help="why, for the history")
    going_back.set_defaults(run=roll_back)


def list_models(options: argparse.Namespace) -> int:
    staff = StaffClient(options.run_dir, login_name="operator")
    for one in staff.call("risk", "GET", "/v1/models-in-use")["items"]:
        if options.product in {None, one["product"]}:
            flags = f"  FLAGGED: {', '.join(one['flags'])}" if one["flags"] else ""
            print(f"{one['product']:<16} scoring {one['scoring'] or '–'}{flags}")
    query = "" if options.product is None else f"?product={options.product}"
    for one in staff.call("risk", "GET", f"/v1/models{query}")["items"]:
        until = (one["valid_until"] or "no end")[:10]
        print(f"{one['product']:<16} {one['label']:<32} {one['state']:<11} until {until}")
    return 0


def register(options: argparse.Namespace) -> int:
    """Every manifest of the folder, with the ONNX file and the reference beside it."""
    paths = [path for path in sorted(options.folder.glob("*.json")) if _is_manifest(path)]
    if not paths:
        raise Refused(f"there is no manifest in {options.folder}")
    staff = StaffClient(options.run_dir, login_name="operator")
    until = datetime.now(UTC) + timedelta(days=options.days)
    for path in paths:
        fields = json.loads(path.read_bytes())
        onnx = path.with_suffix(".onnx")
        reference = path.with_name(f"{path.stem}.reference.json")
        body = {
            "product": fields.get("product", "payment"),
            "manifest": fields,
            "onnx": b64encode(onnx.read_bytes()).decode() if "sha256" in fields else None,
            "reference": json.loads(reference.read_bytes()) if reference.exists() else None,
            "owner": options.owner or fields.get("owner") or "operator",
            "note": options.note,
            "valid_until": until.isoformat(),
        }
        made = staff.call("risk", "POST", "/v1/models", body=body)
        print(f"{made['label']} is registered for {made['product']}: a {made['state']}")
    return 0


def _is_manifest(path: Path) -> bool:
    """What says its own hash; a report or a reference beside it does not."""
    try:
        fields = json.loads(path.read_bytes())
    except ValueError as error:
        raise Refused(f"{path} is not JSON") from error
    return isinstance(fields, dict) and "manifest_sha256" in fields


def evaluate(options: argparse.Namespace) -> int:
    staff = StaffClient(options.run_dir, login_name="operator")
    path = f"/v1/models/{options.product}/{options.label}/evaluation"
    made = staff.call("risk", "POST", path, body={})
    ends = time.monotonic() + WAIT_S
    while made["state"] == "running" and time.monotonic() < ends:
        time.sleep(0.5)
        made = staff.call("risk", "GET", f"/v1/model-evaluations/{made['evaluation_id']}")
    print(f"{made['state']}: {made['seen']} decisions against {made['against']}")
    for gate in made["gates"] or ():
        value = "" if gate["value"] is None else f"{gate['value']:.4g}"
        cause = f"  {gate['cause']}" if gate["cause"] else ""
        print(f"{gate['name']:<10} {gate['state']:<11} {value:>10}{cause}")
    print(f"/desk/back-tests/{made['evaluation_id']}")
    return 0 if made["state"] == "done" else 1


def take(options: argparse.Namespace) -> int:
    staff = StaffClient(options.run_dir, login_name="operator")
    path = f"/v1/models/{options.product}/{options.label}/{options.path}"
    made = staff.call("risk", "POST", path, body={"reason": options.reason})
    print(f"{made['label']} is a {made['state']}")
    return 0


def promote(options: argparse.Namespace) -> int:
    staff = StaffClient(options.run_dir, login_name="reviewer")
    path = f"/v1/models/{options.product}/{options.label}/promotion"
    body = {"reason": options.reason, "waive": options.waive}
    made = staff.call("risk", "POST", path, body=body)
    print(f"{made['label']} is champion; before it: {made['previous']}")
    return 0


def roll_back(options: argparse.Namespace) -> int:
    staff = StaffClient(options.run_dir, login_name="operator")
    path = f"/v1/models/{options.product}/rollback"
    made = staff.call("risk", "POST", path, body={"reason": options.reason})
    print(f"{made['label']} is champion again; before it: {made['previous']}")
    return 0
