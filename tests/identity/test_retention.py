"""What no longer counts is deleted, and nothing else."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from services.identity.codes import service as codes
from services.identity.sign_in import service as sign_ins
from shared.kit.database import Database
from tests.bank import Bank
from tests.identity.support import customer_who_signs_in, send_code, sign_in, tried

VERIFICATION = "/v1/sessions/verification"


@pytest.fixture
async def database(bank: Bank) -> AsyncIterator[Database]:
    """Identity's own database under its run-time role: the rights must do for it."""
    opened = Database(bank.credentials["identity"].dsn, pool_size=1, application="test")
    yield opened
    await opened.close()


async def open_session(client: httpx.AsyncClient, name: str) -> dict[str, str]:
    return {"session_token": (await sign_in(client, name)).json()["session_token"]}


class TestRetention:
    async def test_keeps_what_still_counts(
        self, bank: Bank, unique: str, database: Database
    ) -> None:
        async with (
            bank.client("identity", roles=("operator",)) as operator,
            bank.client("identity", caller="gateway") as client,
        ):
            customer_id = await customer_who_signs_in(operator, unique)
            session_body = await open_session(client, unique)
            challenge_id, code = await send_code(client, bank, customer_id)
            for _ in range(5):
                await sign_in(client, unique, "wrong password!")
            async with database.transaction() as session:
                now = datetime.now(UTC)
                await sign_ins.forget_old(session, now=now)
                await codes.forget_old(session, now=now)
            assert (await sign_in(client, unique)).status_code == 429
            assert (await client.post(VERIFICATION, json=session_body)).status_code == 200
            verified = await client.post(
                f"/v1/one-time-codes/{challenge_id}/verification", json=tried(customer_id, code)
            )
            assert verified.status_code == 200

    async def test_deletes_what_is_a_day_old_and_then_finds_nothing(
        self, bank: Bank, unique: str, database: Database
    ) -> None:
        long_ago = datetime(1990, 1, 1, tzinfo=UTC)
        async with bank.client("identity", roles=("operator",)) as operator:
            customer_id = await customer_who_signs_in(operator, unique)
        owner = await bank.connect("identity")
        try:
            await owner.execute(
                "INSERT INTO sign_in_attempts (realm, name_hash, failures, last_at)"
                " VALUES ('customer', $1, 7, $2)",
                unique.encode(),
                long_ago,
            )
            await owner.execute(
                "INSERT INTO sign_in_sessions VALUES ($1, $2, $3, $3)",
                unique.encode(),
                customer_id,
                long_ago,
            )
            await owner.execute(
                "INSERT INTO one_time_codes VALUES (gen_random_uuid(), $1, 'p', 's', $2, $3, 0)",
                customer_id,
                b"hash",
                long_ago,
            )
        finally:
            await owner.close()
        then = long_ago + timedelta(days=2)
        async with database.transaction() as session:
            assert await sign_ins.forget_old(session, now=then) == 2
            assert await codes.forget_old(session, now=then) == 1
            assert await sign_ins.forget_old(session, now=then) == 0
            assert await codes.forget_old(session, now=then) == 0
