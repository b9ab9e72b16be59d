"""Payments to decide on, calls as payments would make them, events as it would publish them."""

import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from shared.contracts.events.envelope import Envelope
from shared.contracts.events.payments import PaymentReceived
from shared.contracts.events.risk import DecisionLabelled
from shared.kit.bus.port import Message
from shared.kit.bus.postgres import PostgresBus
from shared.kit.clock import new_id
from tests.bank import ROOT, Bank, eventually, free_port

#: Noon in the bank's own time, so that no rule for the night applies.
NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)


def payment(unique: str, **changes: Any) -> dict[str, Any]:
    """A calm payment of the customer `c-<unique>`."""
    body = {
        "decision_id": str(new_id()),
        "customer_id": f"c-{unique}",
        "debtor_account": f"a-{unique}",
        "creditor_account": f"shop-{unique}",
        "amount_minor": 1250,
        "currency": "CNY",
        "channel": "open_api",
        "at": NOON.isoformat(),
    }
    return body | changes


async def decide(client: httpx.AsyncClient, bank: Bank, body: dict[str, Any]) -> httpx.Response:
    """Ask as payments does: for the customer of the body."""
    token = bank.token("risk", caller="payments", customer_id=body["customer_id"])
    return await client.post(
        "/v1/decisions", json=body, headers={"authorization": f"Bearer {token}"}
    )


async def decided(client: httpx.AsyncClient, bank: Bank, body: dict[str, Any]) -> dict[str, Any]:
    response = await decide(client, bank, body)
    assert response.status_code == 200, response.text
    return dict(response.json())


async def record(bank: Bank, decision_id: str) -> dict[str, Any]:
    """The decision as it is kept, as a reviewer reads it."""
    async with bank.client("risk", roles=("reviewer",)) as reviewer:
        response = await reviewer.get(f"/v1/decisions/{decision_id}")
        assert response.status_code == 200, response.text
        return dict(response.json())


async def ring_of(bank: Bank, made: dict) -> dict:
    """What the decision saw of its customer's ring."""
    connection = await bank.connect("risk")
    try:
        found = await connection.fetchval(
            "SELECT facts ->> 'ring' FROM decisions WHERE decision_id = $1", made["decision_id"]
        )
    finally:
        await connection.close()
    return json.loads(found)


def received(body: dict[str, Any]) -> PaymentReceived:
    """The event that payments tells of the payment in `body`."""
    return PaymentReceived(
        payment_id=UUID(body["decision_id"]),
        customer_id=body["customer_id"],
        partner_id=None,
        debtor_account=body["debtor_account"],
        creditor_account=body["creditor_account"],
        amount_minor=body["amount_minor"],
        currency=body["currency"],
        channel=body["channel"],
        at=datetime.fromisoformat(body["at"]),
    )


def message(event: PaymentReceived | DecisionLabelled) -> Message:
    envelope = Envelope(
        id=new_id(),
        source="payments",
        type=type(event).__name__,
        time=event.at,
        subject=event.key(),
        data=event.model_dump(mode="json"),
    )
    return Message(event.topic, event.key(), envelope.id, envelope.model_dump_json())


async def publish(bank: Bank, bodies: list[dict[str, Any]]) -> None:
    """Put the payments on the bus, as another replica's decisions would find them there."""
    bus = PostgresBus(bank.credentials["bus"].dsn, application="test")
    try:
        await bus.publish([message(received(body)) for body in bodies])
    finally:
        await bus.close()


async def publish_and_wait(
    client: httpx.AsyncClient, bank: Bank, unique: str, bodies: list[dict[str, Any]]
) -> None:
    """Publish, and wait until risk has counted them.

    The order on the bus is by key, so each debtor account pays a payee of its own last; a
    prober's decision shows when that payment has arrived.
    """
    accounts = sorted({body["debtor_account"] for body in bodies})
    marks = {account: f"mark-{new_id().hex[:12]}" for account in accounts}
    last = [
        payment(unique, customer_id=f"m-{unique}", debtor_account=account, creditor_account=mark)
        for account, mark in marks.items()
    ]
    await publish(bank, bodies + last)
    for mark in marks.values():

        async def arrived(mark: str = mark) -> bool:
            probe = payment(unique, customer_id=f"probe-{unique}", creditor_account=mark)
            made = await decided(client, bank, probe | {"debtor_account": f"probe-{unique}"})
            features = (await record(bank, made["decision_id"]))["features"]
            return bool(features["payee_fan_in_24h"] == 2)

        await eventually(arrived)


def _start(bank: Bank, port: int, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    settings = bank.settings("risk") | {"PORT": str(port), "ROLE": "api"} | environment
    with (bank.folder / "another-risk.out").open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "services.risk.main"],
            cwd=ROOT,
            env=settings | {"LOG_FILE": str(bank.folder / "another-risk.jsonl")},
            stdout=out,
            stderr=out,
        )


@contextlib.asynccontextmanager
async def another_risk(bank: Bank, **environment: str) -> AsyncIterator[httpx.AsyncClient]:
    """One more process of the API over the same database, with other settings."""
    bank.start("risk")
    port = free_port()
    process = _start(bank, port, environment)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:

            async def alive() -> bool:
                assert process.poll() is None, (bank.folder / "another-risk.out").read_text()
                with contextlib.suppress(httpx.HTTPError):
                    return (await client.get("/healthz")).status_code == 200
                return False

            await eventually(alive, within_s=60)
            yield client
    finally:
        process.terminate()
        process.wait(15)


async def ready(risk: httpx.AsyncClient) -> bool:
    return (await risk.get("/readyz")).status_code == 200


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)
