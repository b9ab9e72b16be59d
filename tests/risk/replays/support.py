"""Replays as an operator asks for them."""

from datetime import datetime
from typing import Any

from tests.bank import Bank


async def replay(bank: Bank, **params: Any) -> list[dict[str, Any]]:
    """All pages of a replay."""
    pages: list[dict[str, Any]] = []
    given = {
        name: value.isoformat() if isinstance(value, datetime) else str(value)
        for name, value in params.items()
    }
    async with bank.client("risk", roles=("operator",)) as operator:
        while True:
            answer = await operator.get("/v1/replays", params=given)
            assert answer.status_code == 200, answer.text
            pages.append(answer.json())
            if pages[-1]["next_before"] is None:
                return pages
            given["before"] = pages[-1]["next_before"]


def total(pages: list[dict[str, Any]], name: str) -> int:
    return sum(page[name] for page in pages)
