"""Payments that arrive at once share the statements that read and store; each stays its own."""

import asyncio
from collections import Counter

from shared.kit.clock import new_id
from tests.bank import Bank
from tests.risk.support import decide, decided, payment, record

MANY = 60
#: Above the ceiling of the payment policy: a person decides.
REVIEWED_MINOR = 25_000_000


async def _cases(bank: Bank, ids: list[str]) -> Counter[str]:
    connection = await bank.connect("risk")
    try:
        rows = await connection.fetch(
            "SELECT decision_id FROM cases WHERE decision_id = ANY($1::uuid[])", ids
        )
    finally:
        await connection.close()
    return Counter(str(row["decision_id"]) for row in rows)


class TestTogether:
    async def test_each_is_decided_as_it_would_be_alone(self, bank: Bank, unique: str):
        listed = f"crook-{unique}"
        bodies = [
            payment(f"{unique}-{number}", **changes)
            for number, changes in enumerate(
                [{}, {"amount_minor": REVIEWED_MINOR}, {"creditor_account": listed}] * (MANY // 3)
            )
        ]
        async with bank.client("risk") as risk:
            async with bank.client("risk", roles=("operator",)) as operator:
                answer = await operator.post(
                    "/v1/listed-accounts",
                    json={"account_id": listed, "reason": "told by the police"},
                    headers={"idempotency-key": unique},
                )
                assert answer.status_code == 201
            made = await asyncio.gather(*(decided(risk, bank, body) for body in bodies))
            again = await asyncio.gather(*(decided(risk, bank, body) for body in bodies))
        assert [one["decision_id"] for one in made] == [body["decision_id"] for body in bodies]
        assert [one["outcome"] for one in made] == ["approve", "review", "decline"] * (MANY // 3)
        assert again == made
        reviewed = [one["decision_id"] for one in made if one["outcome"] == "review"]
        assert await _cases(bank, [one["decision_id"] for one in made]) == Counter(reviewed)
        for one in made[:6]:
            kept = await record(bank, one["decision_id"])
            assert {name: kept[name] for name in one} == one
            assert kept["facts"]["lists"]["customer"] is None
            assert len(kept["policy_sha256"]) == 64

    async def test_the_same_one_twice_is_made_once(self, bank: Bank, unique: str):
        body = payment(unique)
        async with bank.client("risk") as risk:
            made = await asyncio.gather(*(decided(risk, bank, body) for _ in range(20)))
        assert all(one == made[0] for one in made)

    async def test_another_payment_under_a_kept_id_is_refused_alone(self, bank: Bank, unique: str):
        kept = [payment(f"{unique}-{number}") for number in range(5)]
        async with bank.client("risk") as risk:
            await asyncio.gather(*(decided(risk, bank, body) for body in kept))
            asked = [body | {"amount_minor": 9_999} for body in kept]
            asked += [payment(f"{unique}-{number}") for number in range(5, 25)]
            answers = await asyncio.gather(*(decide(risk, bank, body) for body in asked))
        assert Counter(answer.status_code for answer in answers) == {409: 5, 200: 20}
        assert {answer.json()["code"] for answer in answers[:5]} == {"decision_exists"}

    async def test_each_event_is_told_once_with_its_own_trace(self, bank: Bank, unique: str):
        traces = {f"c-{unique}-{number}": new_id().hex for number in range(20)}
        async with bank.client("risk") as risk:

            async def ask(number: int) -> None:
                body = payment(f"{unique}-{number}")
                customer = body["customer_id"]
                token = bank.token("risk", caller="payments", customer_id=customer)
                headers = {
                    "authorization": f"Bearer {token}",
                    "traceparent": f"00-{traces[customer]}-00f067aa0ba902b7-01",
                }
                answer = await risk.post("/v1/decisions", json=body, headers=headers)
                assert answer.status_code == 200

            await asyncio.gather(*(ask(number) for number in range(20)))
        connection = await bank.connect("risk")
        try:
            rows = await connection.fetch(
                "SELECT key, envelope::json ->> 'traceparent' AS trace FROM outbox"
                " WHERE key = ANY($1::text[])",
                list(traces),
            )
        finally:
            await connection.close()
        told = {row["key"]: row["trace"].split("-")[1] for row in rows}
        assert len(rows) == 20
        assert told == traces
