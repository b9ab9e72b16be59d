"""A partner, a customer and a browser, as the gateway meets them from outside."""

import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from tests.bank import PEERS, ROOT, Bank, free_port
from tests.gateway.signing import Private, assertion, new_key, proof, public_jwk

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PASSWORD = "correct horse battery"


@dataclass
class Partner:
    """A third party with a key for its client assertions and another for its proofs."""

    partner_id: str
    origin: str
    client: httpx.AsyncClient
    key: Private = field(default_factory=new_key)
    proof_key: Private = field(default_factory=new_key)
    token: str = ""

    def assertion(self, **changes: Any) -> str:
        return assertion(self.key, client_id=self.partner_id, issuer=self.origin, **changes)

    def proof(self, method: str, path: str, **changes: Any) -> str:
        key = changes.pop("key", self.proof_key)
        return proof(key, method=method, url=self.origin + path, **changes)

    async def ask_token(
        self,
        *,
        proof_headers: list[str] | None = None,
        absent: str | None = None,
        **fields: str,
    ) -> httpx.Response:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": fields.pop("client_assertion", None) or self.assertion(),
        } | fields
        form.pop(absent or "", None)
        proofs = proof_headers
        if proofs is None:
            proofs = [self.proof("POST", "/oauth2/token")]
        headers = [("DPoP", value) for value in proofs]
        return await self.client.post("/oauth2/token", data=form, headers=headers)

    async def sign_in(self, **fields: str) -> "Partner":
        response = await self.ask_token(**fields)
        assert response.status_code == 200, response.text
        self.token = response.json()["access_token"]
        return self

    def headers(self, method: str, path: str, **extra: str) -> dict[str, str]:
        header = self.proof(method, path.partition("?")[0], token=self.token)
        return {"Authorization": f"DPoP {self.token}", "DPoP": header} | extra

    async def get(self, path: str) -> httpx.Response:
        return await self.client.get(path, headers=self.headers("GET", path))

    async def post(
        self, path: str, body: Any = None, *, key: str | None = None, **extra: str
    ) -> httpx.Response:
        headers = self.headers("POST", path, **extra)
        headers["Idempotency-Key"] = key or uuid4().hex
        if isinstance(body, bytes):
            headers["Content-Type"] = "application/json"
            return await self.client.post(path, content=body, headers=headers)
        return await self.client.post(path, json=body, headers=headers)


@contextlib.contextmanager
def gateway_process(
    bank: Bank,
    *,
    peers: dict[str, str] | None = None,
    host: str = "127.0.0.1",
    **environment: str,
) -> Iterator[str]:
    """One more gateway on the bank's database, with other peers or settings; its URL."""
    port = free_port()
    url = f"http://{host}:{port}"
    for name in PEERS:  # a service that is started later will be where its peers look for it
        bank.ports.setdefault(name, free_port())
    given = {"PORT": str(port), "PUBLIC_URL": url}
    if peers is not None:
        given["PEERS"] = json.dumps(peers)
    out_path = bank.folder / f"gateway-{port}.out"
    with out_path.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway.main"],
            cwd=ROOT,
            env=bank.settings("gateway") | given | environment,
            stdout=out,
            stderr=out,
        )
    try:
        until = time.monotonic() + 180
        while True:
            assert process.poll() is None, out_path.read_text()[-3000:]
            assert time.monotonic() < until, out_path.read_text()[-3000:]
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2).status_code == 200:
                    break
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(20)


async def register_partner(
    bank: Bank, client: httpx.AsyncClient, partner_id: str, **fields: Any
) -> Partner:
    """A partner that staff has let in; it has no token yet."""
    partner = Partner(partner_id=partner_id, origin=str(client.base_url).rstrip("/"), client=client)
    partner.key = fields.pop("key", partner.key)
    body = {
        "partner_id": partner_id,
        "name": "Corner Shop",
        "jwks": {"keys": [public_jwk(partner.key)]},
        "redirect_uris": ["https://shop.example/back"],
        "rate_limit_per_minute": 10_000,
    } | fields
    response = await client.post("/v1/partners", json=body, headers=staff(bank))
    assert response.status_code == 201, response.text
    return partner


def staff(bank: Bank, *roles: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {bank.staff_token(roles=roles or ('operator',))}"}


def consent_body(**fields: Any) -> dict[str, Any]:
    return {
        "payee": {"account_id": "6217000100000002", "name": "Corner Shop"},
        "currency": "CNY",
        "limit_minor": 10_000,
        "expires_at": (datetime.now(UTC) + timedelta(days=30)).isoformat(),
    } | fields


def hidden_field(html: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', html)
    assert found, html
    return found[1]
