"""Two clients for outside programs, and the one file with which such a program finds the bank."""

import hashlib
import json
import secrets
from pathlib import Path
from typing import Any

from joserfc.jwk import RSAKey

from deploy.bank.staff import StaffClient
from deploy.local.files import messages_file, private_folder, read_json, write_json
from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.people import prepare_customer

PARTNER_ID = "sandbox"
PARTNER_NAME = "Sandbox Partner 沙箱机构"
NUMBERS = (1, 2)
RSA_BITS = 2048
SCOPE = "openid accounts"
RESOURCE_PATH = "/open-banking/v4.0/aisp/accounts"


def sandbox_file(run_dir: Path) -> Path:
    return run_dir / "sandbox.json"


def prepare_sandbox(options: SandboxOptions) -> Path:
    """Registers clients and customer in the running bank; the file that tells of them.

    The same settings give the same clients again. Raises Refused.
    """
    run_dir = options.bank.run_dir
    staff = StaffClient(run_dir, login_name="operator")
    try:
        keys = _keys(run_dir)
        _register_partner(staff, keys)
        clients = [_register_client(staff, key, options) for key in keys]
        kept = (read_json(sandbox_file(run_dir)) or {}).get("customer", {})
        password = str(kept.get("password") or secrets.token_urlsafe(12))
        customer = prepare_customer(staff, password=password)
    finally:
        staff.close()
    issuer = options.issuer
    content = {
        "issuer": issuer,
        "discovery": f"{issuer}/.well-known/openid-configuration",
        "oauth_metadata": f"{issuer}/.well-known/oauth-authorization-server",
        "clients": clients,
        "customer": customer,
        "resource": {"method": "GET", "url": issuer + RESOURCE_PATH},
        "phone": str(messages_file(run_dir)),
    }
    write_json(sandbox_file(run_dir), content)
    return sandbox_file(run_dir)


def _keys(run_dir: Path) -> list[dict[str, Any]]:
    """The clients' private keys, made once and kept for their owner alone."""
    file = private_folder(run_dir / "partners") / f"{PARTNER_ID}.json"
    kept = read_json(file)
    if kept is None:
        kept = {"keys": [_new_key(number) for number in NUMBERS]}
        write_json(file, kept)
    keys: list[dict[str, Any]] = kept["keys"]
    return keys


def _new_key(number: int) -> dict[str, Any]:
    key = RSAKey.generate_key(RSA_BITS)
    private = key.as_dict(private=True)
    kid = f"{PARTNER_ID}-{number}-{key.thumbprint()[:8]}"
    return {**private, "kid": kid, "alg": "PS256", "use": "sig"}


def _public(key: dict[str, Any]) -> dict[str, Any]:
    return {name: key[name] for name in ("kty", "n", "e", "kid", "alg", "use")}


def _register_partner(staff: StaffClient, keys: list[dict[str, Any]]) -> None:
    body = {
        "partner_id": PARTNER_ID,
        "name": PARTNER_NAME,
        "jwks": {"keys": [_public(keys[0])]},
        "redirect_uris": [],
        # A suite of conformance tests calls often.
        "rate_limit_per_minute": 6_000,
    }
    staff.call("gateway", "POST", "/v1/partners", body=body)


def _register_client(
    staff: StaffClient, key: dict[str, Any], options: SandboxOptions
) -> dict[str, Any]:
    number = key["kid"].split("-")[1]
    body = {
        "name": f"Sandbox App {number}",
        "jwks": {"keys": [_public(key)]},
        "redirect_uris": list(options.redirect_uris),
        "signed_requests": options.signed_requests,
    }
    # Another content is another client: what is registered is not changed behind a partner.
    content = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:8]
    client_id = f"{PARTNER_ID}-{number}-{content}"
    path = f"/v1/partners/{PARTNER_ID}/clients"
    made = staff.call("gateway", "POST", path, body=body | {"client_id": client_id})
    return {
        "client_id": client_id,
        "jwks": {"keys": [key]},
        "scope": SCOPE,
        "redirect_uris": list(options.redirect_uris),
        "metadata": made["metadata"],
    }
