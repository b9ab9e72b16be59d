"""What the tests of identity say again and again."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from tests.bank import ROOT, Bank, free_port

PASSWORD = "correct horse battery"
BULK = "/v1/customers/bulk"


def customer(customer_id: str, **fields: Any) -> dict[str, Any]:
    return {
        "customer_id": customer_id,
        "full_name": "王小明",
        "registered_on": "2026-01-05",
    } | fields


async def register(client: httpx.AsyncClient, *items: dict[str, Any]) -> dict[str, Any]:
    response = await client.post(BULK, json={"customers": list(items)})
    assert response.status_code == 200, response.text
    return response.json()


async def customer_who_signs_in(
    client: httpx.AsyncClient, name: str, *, password: str = PASSWORD
) -> str:
    """Register a customer `c-<name>` with the login name `<name>`; the customer's id."""
    customer_id = f"c-{name}"
    await register(client, customer(customer_id))
    response = await client.put(
        f"/v1/customers/{customer_id}/credentials",
        json={"login_name": name, "password": password},
    )
    assert response.status_code == 204, response.text
    return customer_id


async def sign_in(client: httpx.AsyncClient, name: str, password: str = PASSWORD) -> httpx.Response:
    return await client.post(
        "/v1/customers/sign-ins", json={"login_name": name, "password": password}
    )


def challenge(customer_id: str, **fields: Any) -> dict[str, Any]:
    return {
        "customer_id": customer_id,
        "purpose": "consent.approve",
        "subject": "consent-1",
        "message_zh": "您将允许付款 12.00 元。",
        "message_en": "You are about to allow a payment of 12.00 CNY.",
    } | fields


async def send_code(
    client: httpx.AsyncClient, bank: Bank, customer_id: str, **fields: Any
) -> tuple[str, str]:
    """Have a code sent; the challenge's id, and the code as it stands on the customer's phone."""
    response = await client.post("/v1/one-time-codes", json=challenge(customer_id, **fields))
    assert response.status_code == 201, response.text
    challenge_id = response.json()["challenge_id"]
    return challenge_id, message(bank, challenge_id)["code"]


def message(bank: Bank, challenge_id: str) -> dict[str, Any]:
    lines = [json.loads(line) for line in bank.messages().read_text().splitlines()]
    (found,) = [line for line in lines if line["challenge_id"] == challenge_id]
    return found


def tried(customer_id: str, code: str, **fields: Any) -> dict[str, Any]:
    return {
        "customer_id": customer_id,
        "purpose": "consent.approve",
        "subject": "consent-1",
        "code": code,
    } | fields


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


def bootstrap(bank: Bank, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command that registers the first member of staff."""
    environment = {"PATH": os.defpath, "DATABASE_URL": bank.credentials["identity"].dsn}
    return subprocess.run(
        [sys.executable, "-m", "services.identity.bootstrap", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,  # the machine may be busy
        check=False,
    )


@contextmanager
def another_identity(bank: Bank, **settings: str | None) -> Iterator[str]:
    """A second process on the same database, with other settings; its base URL."""
    bank.start("identity")
    port = free_port()
    environment = bank.settings("identity") | {
        "PORT": str(port),
        "ROLE": "api",
        "LOG_FILE": str(bank.folder / "logs" / f"identity-{port}.jsonl"),
    }
    for name, value in settings.items():
        environment.pop(name, None)
        if value is not None:
            environment[name] = value
    process = subprocess.Popen(
        [sys.executable, "-m", "services.identity.main"], cwd=ROOT, env=environment
    )
    url = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(transport=httpx.HTTPTransport(retries=0)) as client:
            _wait_ready(process, client, url)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _wait_ready(process: "subprocess.Popen[bytes]", client: httpx.Client, url: str) -> None:
    for _ in range(600):
        assert process.poll() is None, "the second identity ended"
        try:
            if client.get(f"{url}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the second identity is not ready")
