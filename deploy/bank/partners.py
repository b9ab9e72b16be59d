"""Commands about partners: register one, and print a signed call for curl."""

import argparse
import json
import shlex
import uuid
from pathlib import Path
from typing import Any

import httpx

from deploy.bank.staff import Refused, StaffClient, services_of
from deploy.play.partner import (
    PartnerClient,
    PartnerIdentity,
    dpop_proof,
    load_identity,
    new_identity,
    save_identity,
)
from deploy.play.trace import new_traceparent

WRITES = {"POST", "PUT", "PATCH", "DELETE"}


def add_commands(commands: Any) -> None:
    registering = commands.add_parser(
        "register-partner", help="register a third party, with a new key or with its own"
    )
    registering.add_argument("partner_id")
    registering.add_argument("--name", help="as customers see it (default: the id)")
    registering.add_argument("--redirect-uri", action="append", default=[], metavar="URI")
    registering.add_argument(
        "--jwks", type=Path, metavar="FILE", help="the partner's own public keys"
    )
    registering.set_defaults(run=register)

    calling = commands.add_parser(
        "curl", help="print a ready-to-paste signed call; it is good once, for a minute"
    )
    calling.add_argument("method", choices=["GET", "POST", "PUT", "DELETE"])
    calling.add_argument("path", help="for example /v1/payments?limit=5")
    calling.add_argument("--body", type=_json, help="JSON to send")
    calling.add_argument("--key", help="idempotency key (default: a new one)")
    calling.add_argument("--partner", default="demo-travel", help="default: %(default)s")
    calling.set_defaults(run=curl)


def register(options: argparse.Namespace) -> int:
    """With a key made here the private half stays in the run folder, for its owner alone."""
    identity = load_identity(options.run_dir, options.partner_id)
    if options.jwks is not None:
        jwks = _key_set(options.jwks)
    else:
        if identity is None:
            name = options.name or options.partner_id
            identity = new_identity(partner_id=options.partner_id, name=name)
        jwks = identity.jwks()
    staff = StaffClient(options.run_dir, login_name="operator")
    body = {
        "partner_id": options.partner_id,
        "name": options.name or (identity.name if identity else options.partner_id),
        "jwks": jwks,
        "redirect_uris": options.redirect_uri,
    }
    # Kept before it is registered: a key that the bank knows and nobody holds would be of no use.
    kept = save_identity(options.run_dir, identity) if identity and not options.jwks else None
    registered = staff.call("gateway", "POST", "/v1/partners", body=body)
    print(f"partner {registered['partner_id']} is registered")
    if kept is not None:
        print(f"its private key: {kept}")
    return 0


def curl(options: argparse.Namespace) -> int:
    gateway = services_of(options.run_dir)["gateway"]
    identity = load_identity(options.run_dir, options.partner)
    if identity is None:
        raise Refused(
            f"there is no partner {options.partner} here; bank register-partner makes one"
        )
    print(signed_curl(identity, gateway=gateway, options=options))
    return 0


def signed_curl(identity: PartnerIdentity, *, gateway: str, options: argparse.Namespace) -> str:
    """A command line for a POSIX shell."""
    if not options.path.startswith("/"):
        raise Refused(f"a path begins with a slash, and {options.path} does not")
    client = PartnerClient(identity, gateway=gateway)
    try:
        token = client.access_token()
    except httpx.HTTPStatusError as error:
        words = error.response.json().get("error_description", "no reason given")
        raise Refused(f"the gateway gives {identity.partner_id} no token: {words}") from error
    finally:
        client.close()
    url = gateway + options.path
    proof = dpop_proof(
        identity, method=options.method, url=url.partition("?")[0], access_token=token
    )
    headers = {
        "Authorization": f"DPoP {token}",
        "DPoP": proof,
        "traceparent": new_traceparent(),
    }
    if options.method in WRITES:
        headers["Idempotency-Key"] = options.key or str(uuid.uuid4())
    parts = [f"curl -sS -X {options.method} {shlex.quote(url)}"]
    parts += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in headers.items()]
    if options.body is not None:
        body = json.dumps(options.body, ensure_ascii=False)
        parts += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(body)}"]
    return " \\\n  ".join(parts)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from error


def _key_set(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Refused(f"{file} is not JSON") from error
    if not isinstance(found, dict):
        raise Refused(f"{file} holds no key set")
    keys: dict[str, Any] = found if "keys" in found else {"keys": [found]}
    if any("d" in key for key in keys["keys"]):
        raise Refused(f"{file} holds a private key; send the public half alone")
    return keys
