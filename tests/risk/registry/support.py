"""Models for the registry: made of the release's own, so that none has to be trained here."""

import contextlib
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from services.risk import scorecards, scoring
from services.risk.registry.contents import Content
from services.risk.scorecards import Card
from services.risk.scoring import manifest_sha256
from shared.kit.clock import new_id
from tests.bank import Bank

ARTIFACTS = Path(scoring.__file__).parent / "artifacts"
WHY = {"reason": "the test says so"}
DATA = {"source": "a test", "rows": 1_000, "bad": 10, "sha256": "0" * 64}


def fields_of(name: str, **changes: Any) -> dict[str, Any]:
    """The manifest of the release's fraud model under another name, with papers."""
    fields = json.loads((ARTIFACTS / "fraud.json").read_bytes())
    fields |= {"name": name, "version": "1", "owner": "tests", "data": DATA} | changes
    return sealed(fields)


def sealed(fields: dict[str, Any]) -> dict[str, Any]:
    return fields | {"manifest_sha256": manifest_sha256(fields)}


def onnx() -> bytes:
    return (ARTIFACTS / "fraud.onnx").read_bytes()


def content(name: str, **changes: Any) -> Content:
    return Content(json.dumps(fields_of(name, **changes)).encode(), onnx())


def card_fields(name: str, *, shift: int = 0, **changes: Any) -> dict[str, Any]:
    """The release's fraud scorecard with other points: another model of the same inputs."""
    fields = json.loads((ARTIFACTS / "fraud.scorecard.json").read_bytes())
    fields |= {"name": name, "version": "1", "owner": "tests", "data": DATA}
    fields["base_points"] += shift
    fields |= changes
    card = scorecards.Scorecard(Card.model_validate(sealed(fields)))
    names = card.inputs
    for vector in fields["golden"]:
        inputs = [float("nan") if it is None else it for it in vector["inputs"]]
        vector["score"] = card.scored(dict(zip(names, inputs, strict=True))).score
    return sealed(fields)


def body_of(manifest: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A request to register the model; with the release's ONNX file where it needs one."""
    body: dict[str, Any] = {
        "product": "payment",
        "manifest": manifest,
        "owner": "model risk",
        "note": "a test",
        "valid_until": (datetime.now(UTC) + timedelta(days=90)).isoformat(),
    }
    if "sha256" in manifest:
        body["onnx"] = b64encode(onnx()).decode()
    return body | changes


async def write(
    client: httpx.AsyncClient, path: str, body: dict[str, Any] | None = None, key: str | None = None
) -> httpx.Response:
    headers = {"idempotency-key": key or new_id().hex}
    return await client.post(f"/v1/{path}", json=body or WHY, headers=headers)


async def written(
    client: httpx.AsyncClient, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    response = await write(client, path, body)
    assert response.status_code in {200, 201, 202}, response.text
    return dict(response.json())


@contextlib.asynccontextmanager
async def bytes_changed(dsn: str, label: str, *, at: int = 1_000) -> AsyncIterator[None]:
    """One bit of the model's file is another one in the database within the block.

    The database's own guard has to be taken away for that: no role of the bank could.
    """
    flip = "UPDATE models SET onnx = set_byte(onnx, $2, get_byte(onnx, $2) # 1) WHERE label = $1"
    connection = await asyncpg.connect(dsn)
    try:
        for statement in ("DISABLE", "ENABLE"):
            await connection.execute(f"ALTER TABLE models {statement} TRIGGER models_stay")
            if statement == "DISABLE":
                await connection.execute(flip, label, at)
        yield
        await connection.execute("ALTER TABLE models DISABLE TRIGGER models_stay")
        await connection.execute(flip, label, at)
        await connection.execute("ALTER TABLE models ENABLE TRIGGER models_stay")
    finally:
        await connection.close()


async def in_use(client: httpx.AsyncClient, product: str = "payment") -> dict[str, Any]:
    items = (await client.get("/v1/models-in-use")).json()["items"]
    return next(dict(one) for one in items if one["product"] == product)


def owner_dsn(bank: Bank) -> str:
    return bank.credentials["risk"].owner_dsn.replace("+asyncpg", "")


def seed_label() -> str:
    """The label of the release's champion for payments."""
    fields = json.loads((ARTIFACTS / "fraud.json").read_bytes())
    return f"{fields['name']}-{fields['version']}"


@contextlib.asynccontextmanager
async def no_model_to_load(bank: Bank) -> AsyncIterator[None]:
    """A process that starts within the block, without files of its own, finds no sound model."""
    bank.start("risk")  # which plants the release's models
    async with bytes_changed(owner_dsn(bank), seed_label()):
        yield
