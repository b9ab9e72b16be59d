"""The stage of the tests: payments and a real ledger, with wires between them that can be cut."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from deploy.postgres import provision, start, stop
from shared.contracts.topics import SERVICES
from shared.kit.auth import write_keys
from shared.kit.clock import new_id
from shared.kit.migrate import migrate
from tests.bank import Bank
from tests.ledger.support import balance, fund, open_account
from tests.payments.peers import Ledger, Risk

DATABASES = ("ledger", "payments", "bus")


class BankWithoutRisk(Bank):
    """Starts everything but risk, for which the test itself speaks."""

    def start(self, service: str) -> str:
        if service == "risk":
            self.ports["risk"] = 1
            return "nowhere"
        return super().start(service)


@contextlib.contextmanager
def opened_bank(folder: Path) -> Iterator[BankWithoutRisk]:
    server = start(folder, settings={"max_connections": "100"})
    try:
        credentials = provision(server, DATABASES)

        async def migrate_all() -> None:
            for name in DATABASES:
                await migrate(name=name, url=credentials[name].owner_dsn)

        asyncio.run(migrate_all())
        write_keys(folder / "keys", SERVICES, serial="1")
        bank = BankWithoutRisk(folder=folder, server=server, credentials=credentials)
        try:
            yield bank
        finally:
            bank.stop_services()
    finally:
        stop(server)


@dataclass
class Accounts:
    """Two accounts and whom the debtor's belongs to."""

    debtor: str
    creditor: str
    customer: str
    partner: str = "p-shop"

    def body(self, **fields: Any) -> dict[str, Any]:
        """A payment of 100 minor units from one to the other."""
        return {
            "payment_id": str(new_id()),
            "customer_id": self.customer,
            "partner_id": self.partner,
            "debtor_account": self.debtor,
            "creditor": {"account_id": self.creditor, "name": "王小明"},
            "amount_minor": 100,
            "currency": "CNY",
            "end_to_end_id": "invoice-1",
        } | fields


@dataclass
class Stage:
    bank: BankWithoutRisk
    ledger: Ledger
    risk: Risk

    async def accounts(self, unique: str, *, funds: int = 1_000) -> Accounts:
        found = Accounts(f"d-{unique}", f"c-{unique}", f"cust-{unique}")
        async with self.bank.client("ledger", roles=("operator",)) as ledger:
            await open_account(ledger, found.debtor, holder_id=found.customer)
            await open_account(ledger, found.creditor)
            if funds:
                await fund(ledger, found.debtor, funds)
        return found

    def gateway(self, body: dict[str, Any]) -> httpx.AsyncClient:
        """The gateway, for the customer and partner whom the body names."""
        return self.bank.client(
            "payments",
            caller="gateway",
            customer_id=body["customer_id"],
            partner_id=body.get("partner_id"),
        )

    async def pay(self, body: dict[str, Any], **headers: str) -> httpx.Response:
        async with self.gateway(body) as client:
            return await self.post(client, body, **headers)

    async def post(
        self, client: httpx.AsyncClient, body: dict[str, Any], **headers: str
    ) -> httpx.Response:
        key = {"Idempotency-Key": body["payment_id"]} | headers
        return await client.post("/v1/payments", json=body, headers=key)

    async def review(
        self, payment_id: str, outcome: str, *, roles: tuple[str, ...] = ("reviewer",)
    ) -> httpx.Response:
        async with self.bank.client("payments", roles=roles) as client:
            body = {"outcome": outcome, "reason": "called the customer"}
            return await client.post(f"/v1/payments/{payment_id}/review", json=body)

    async def balance(self, account: str) -> dict[str, Any]:
        async with self.bank.client("ledger", roles=("operator",)) as ledger:
            return await balance(ledger, account)

    async def sql(self, database: str, statement: str, *values: Any) -> list[Any]:
        """Plain SQL as the owner: what is stored, and how time is made to pass."""
        connection = await self.bank.connect(database)
        try:
            return await connection.fetch(statement, *values)
        finally:
            await connection.close()

    async def state(self, payment_id: str) -> str | None:
        statement = "SELECT state FROM payments WHERE payment_id = $1"
        found = await self.sql("payments", statement, payment_id)
        return found[0]["state"] if found else None

    async def ended(self, payment_id: str) -> str | None:
        state = await self.state(payment_id)
        return state if state in {"settled", "rejected"} else None

    async def hold(self, payment_id: str) -> Any | None:
        found = await self.sql("ledger", "SELECT * FROM holds WHERE hold_id = $1", payment_id)
        return found[0] if found else None

    async def told(self, payment_id: str) -> list[str]:
        """The kinds of event about the payment, oldest first."""
        rows = await self.sql(
            "payments",
            "SELECT envelope FROM outbox WHERE strpos(envelope, $1) > 0 ORDER BY position",
            payment_id,
        )
        found = [json.loads(row["envelope"]) for row in rows]
        return [item["type"] for item in found if item["data"].get("payment_id") == payment_id]

    async def time_passes(self) -> None:
        """Whatever is due some day is due now."""
        await self.sql(
            "payments",
            "UPDATE payments SET due_at = now() WHERE due_at IS NOT NULL AND state <> 'in_review'",
        )

    async def restart(self) -> None:
        """The next process, after the leases of the dead one have run out."""
        await asyncio.to_thread(self.bank.start, "payments")
        await self.sql("payments", "DELETE FROM leases")
        await self.time_passes()

    async def kill(self) -> None:
        self.bank.kill("payments")
