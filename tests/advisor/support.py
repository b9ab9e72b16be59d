"""What the advisor's tests say again and again."""

from contextlib import asynccontextmanager
from typing import Any

import httpx

from services.advisor.data import load_rules
from shared.kit.clock import new_id
from tests.bank import Bank

QUESTIONNAIRE = load_rules().current


def answers(place: int, **changed: str) -> dict[str, str]:
    """To every item the option at `place`, 0 the most cautious and -1 the most adventurous."""
    return {item.item_id: item.options[place].option_id for item in QUESTIONNAIRE.items} | changed


def assessment(customer_id: str, place: int = -1, **changed: str) -> dict[str, Any]:
    return {
        "assessment_id": str(new_id()),
        "customer_id": customer_id,
        "questionnaire_version": QUESTIONNAIRE.version,
        "answers": answers(place, **changed),
    }


def own_session(bank: Bank, customer_id: str) -> httpx.AsyncClient:
    """The customer's own session, as the gateway forwards it."""
    return bank.client("advisor", caller="gateway", customer_id=customer_id)


async def complete(
    advisor: httpx.AsyncClient, body: dict[str, Any], key: str | None = None
) -> httpx.Response:
    headers = {"Idempotency-Key": key or str(new_id())}
    return await advisor.post("/v1/assessments", json=body, headers=headers)


@asynccontextmanager
async def sql(bank: Bank, *, owner: bool = True):
    """Plain SQL on the advisor's database."""
    connection = await bank.connect("advisor", owner=owner)
    try:
        yield connection
    finally:
        await connection.close()


#: A second assessment like the customer's first, on another day.
COPY_TO_DAY = """
INSERT INTO assessments (assessment_id, customer_id, questionnaire_version, rules_sha256, answers,
    score, risk_class, grade, lowest_class, reasons, assessed_on, valid_until, completed_at)
SELECT gen_random_uuid(), customer_id, questionnaire_version, rules_sha256, answers, score,
    risk_class, grade, lowest_class, reasons, $2, $3, completed_at
FROM assessments WHERE customer_id = $1 ORDER BY position LIMIT 1
"""
