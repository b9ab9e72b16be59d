"""Kept decisions come out the same again, and what does not is said."""

import asyncio
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.risk import scorecards, scoring
from services.risk.replays.kept_models import KeptModels
from shared.kit.clock import new_id
from tests.bank import Bank, eventually
from tests.risk.applications.support import application, applied, register
from tests.risk.policies.support import in_force, staff, with_ceiling
from tests.risk.registry.support import no_model_to_load
from tests.risk.replays.support import replay, total
from tests.risk.support import another_risk, decided, payment, ready

#: Sent at once.
BESIDE = 20
THOUSAND = 1_000


async def various(bank: Bank, unique: str, count: int) -> None:
    """So many payments that are approved, reviewed and declined, with and without signals."""
    customers = [f"{unique}{number}" for number in range(20)]
    tokens = {
        name: bank.token("risk", caller="payments", customer_id=f"c-{name}") for name in customers
    }
    numbers = iter(range(count))

    async def sender(client: httpx.AsyncClient) -> None:
        for number in numbers:
            name = customers[number % len(customers)]
            body = payment(
                name,
                amount_minor=(1_250, 99, 6_000_000, 31_000_000)[number % 4],
                currency=("CNY", "CNY", "EUR", "XAF", "JPY")[number % 5],
                creditor_account=f"p-{unique}-{number % 7}",
            )
            if number % 3 == 0:
                body |= {"device_id": f"device-{unique}-{number % 9}", "ip_address": "2001:db8::1"}
            headers = {"authorization": f"Bearer {tokens[name]}"}
            made = await client.post("/v1/decisions", json=body, headers=headers)
            assert made.status_code == 200, made.text

    async with bank.client("risk") as client:
        await asyncio.gather(*(sender(client) for _ in range(BESIDE)))


class TestReplay:
    async def test_of_a_thousand_decisions_gives_the_same_outcomes(self, bank: Bank, unique: str):
        async with bank.client("risk") as client:
            assert (await client.get("/readyz")).status_code == 200
        since = datetime.now(UTC)
        await various(bank, unique, THOUSAND)
        pages = await replay(bank, since=since, until=datetime.now(UTC), limit=300)
        assert [page["seen"] for page in pages] == [300, 300, 300, 100]
        assert [page["differences"] for page in pages] == [[], [], [], []]
        assert total(pages, "equal") == total(pages, "scored") == THOUSAND
        assert all(page["missing_models"] == [] for page in pages)
        assert total(pages, "spent_us") > 0

    async def test_of_applications_gives_the_same_grades_limits_and_prices(
        self, bank: Bank, unique: str
    ):
        await register(bank, f"c-{unique}")
        since, made = datetime.now(UTC), []
        for product in ("loan", "card", "account_opening"):
            for changes in ({}, {"device_id": f"device-{unique}"}):
                made.append(await applied(bank, application(unique, product, **changes), product))
        pages = await replay(bank, since=since, until=datetime.now(UTC))
        assert total(pages, "seen") == total(pages, "equal") == len(made)
        loans = await replay(bank, since=since, product="loan")
        assert (total(loans, "seen"), total(loans, "scored")) == (2, 2)

    async def test_goes_by_the_version_that_decided(self, bank: Bank, unique: str):
        since = datetime.now(UTC)
        async with bank.client("risk") as client, staff(bank, "s-author") as author:
            large = {"amount_minor": 15_000_000}
            before = await decided(client, bank, payment(unique, **large))
            async with in_force(bank, "payment", await with_ceiling(author, 10_000_000)):
                within = await decided(client, bank, payment(unique, **large))
            after = await decided(client, bank, payment(unique, **large))
        assert before["policy"] == after["policy"] != within["policy"]
        assert "amount_over_ceiling" in [reason["code"] for reason in within["reasons"]]
        pages = await replay(bank, since=since, until=datetime.now(UTC))
        assert total(pages, "seen") == total(pages, "equal") == 3

    async def test_of_one_decision_goes_by_its_id(self, bank: Bank, unique: str):
        async with bank.client("risk") as client:
            made = await decided(client, bank, payment(unique))
        async with bank.client("risk", roles=("operator",)) as operator:
            found = await operator.get(f"/v1/decisions/{made['decision_id']}/replay")
            missing = await operator.get(f"/v1/decisions/{new_id()}/replay")
        assert (found.json()["seen"], found.json()["equal"]) == (1, 1)
        assert missing.json()["code"] == "decision_not_found"


class TestFallback:
    async def test_by_the_rules_alone_is_replayed_and_a_model_that_is_gone_is_said(
        self, bank: Bank, unique: str, tmp_path: Path
    ):
        """A process without a model: it decides by rules, and cannot score what others did."""
        since = datetime.now(UTC)
        async with bank.client("risk") as client:
            scored = await decided(client, bank, payment(unique))
        async with (
            no_model_to_load(bank),
            another_risk(bank, ARTIFACTS_DIR=str(tmp_path)) as client,
        ):
            await eventually(lambda: ready(client))
            made = [
                await decided(client, bank, payment(unique, amount_minor=amount))
                for amount in (100, 6_000_000)
            ]
            span = {"since": since.isoformat(), "until": datetime.now(UTC).isoformat()}
            headers = {"authorization": f"Bearer {bank.staff_token(roles=('operator',))}"}
            page = (await client.get("/v1/replays", params=span, headers=headers)).json()
        assert all("model_unavailable" in one["degraded"] for one in made)
        assert (page["seen"], page["equal"], page["scored"]) == (3, 3, 0)
        (gone,) = page["missing_models"]
        assert (gone["model"], gone["decisions"]) == (scored["model"], 1)

    async def test_by_the_scorecard_is_scored_again_by_the_scorecard(
        self, bank: Bank, unique: str, tmp_path: Path
    ):
        artifacts = Path(scoring.__file__).parent / "artifacts"
        shutil.copy(artifacts / "fraud.scorecard.json", tmp_path / "fraud.scorecard.json")
        since = datetime.now(UTC)
        async with (
            no_model_to_load(bank),
            another_risk(bank, ARTIFACTS_DIR=str(tmp_path)) as client,
        ):
            await eventually(lambda: ready(client))
            made = await decided(client, bank, payment(unique))
        assert made["model"] == scorecards.load(artifacts).label
        pages = await replay(bank, since=since, until=datetime.now(UTC))
        assert (total(pages, "equal"), total(pages, "scored")) == (1, 1)


class TestDifference:
    @pytest.mark.parametrize(
        ("answer", "changed"),
        [
            ("outcome", {"outcome": "'decline'"}),
            ("reasons", {"reason_codes": "ARRAY['payee_listed']"}),
            ("trace", {"trace": "ARRAY['payee_listed']"}),
            ("limit_minor", {"limit_minor": "1"}),
            ("degraded", {"degraded": "ARRAY['windows_behind']"}),
            ("score", {"score": "score + 2e-6"}),
            ("policy", {"policy": "'payment-2019.1'"}),
            ("policy", {"policy_sha256": "sha256('another graph')"}),
        ],
    )
    async def test_is_found_in_a_decision_that_was_tampered_with(
        self, bank: Bank, unique: str, answer: str, changed: dict[str, str]
    ):
        async with bank.client("risk") as client:
            made = await decided(client, bank, payment(unique))
        forged = str(new_id())
        await copied(bank, made["decision_id"], changed | {"decision_id": f"'{forged}'::uuid"})
        async with bank.client("risk", roles=("operator",)) as operator:
            page = (await operator.get(f"/v1/decisions/{forged}/replay")).json()
        assert (page["seen"], page["equal"]) == (1, 0)
        assert [one["answer"] for one in page["differences"]] == [answer]

    async def test_in_the_last_bits_of_a_score_is_none(self, bank: Bank, unique: str):
        async with bank.client("risk") as client:
            made = await decided(client, bank, payment(unique))
        forged = str(new_id())
        changed = {"decision_id": f"'{forged}'::uuid", "score": "score + 5e-7"}
        await copied(bank, made["decision_id"], changed)
        async with bank.client("risk", roles=("operator",)) as operator:
            page = (await operator.get(f"/v1/decisions/{forged}/replay")).json()
        assert (page["equal"], page["differences"]) == (1, [])


async def copied(bank: Bank, decision_id: str, changed: dict[str, str]) -> None:
    """A decision as nobody's policy has made it: a copy with other values, past all rules.

    It is old, so that no other test finds it among what was decided just now.
    """
    changed = {"decided_at": "decided_at - interval '300 days'"} | changed
    connection = await bank.connect("risk")
    try:
        found = await connection.fetch(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'decisions'::regclass"
            " AND attnum > 0 AND NOT attisdropped"
        )
        names = [row["attname"] for row in found]
        values = ", ".join(changed.get(name, name) for name in names)
        await connection.execute(
            f"INSERT INTO decisions ({', '.join(names)})"
            f" SELECT {values} FROM decisions WHERE decision_id = $1",
            decision_id,
        )
    finally:
        await connection.close()


class TestRequest:
    @pytest.mark.parametrize(
        ("params", "field"),
        [
            ({"product": "mortgage"}, "product"),
            ({"since": "2026-01-01T00:00:00"}, "since"),
            ({"until": "2026-01-01T00:00:00"}, "until"),
            ({"since": "yesterday"}, "since"),
            ({"limit": 0}, "limit"),
            ({"limit": 1_001}, "limit"),
            ({"before": "2026-01-01T00:00:00_x"}, "before"),
            ({"before": f"2026-01-01T00:00:00_{new_id()}"}, "before"),
        ],
    )
    async def test_is_refused_by_its_field(self, bank: Bank, params: dict[str, Any], field: str):
        async with bank.client("risk", roles=("operator",)) as operator:
            refused = await operator.get("/v1/replays", params=params)
        assert refused.status_code == 422
        assert [error["field"] for error in refused.json()["errors"]] == [field]

    async def test_is_for_operators_alone(self, bank: Bank):
        async with bank.client("risk", roles=("reviewer",)) as reviewer:
            assert (await reviewer.get("/v1/replays")).status_code == 403


class TestKeptModels:
    async def test_finds_a_former_model_in_a_folder_of_its_own(self, tmp_path: Path):
        artifacts = Path(scoring.__file__).parent / "artifacts"
        former = tmp_path / "2025.9"
        former.mkdir()
        for name in ("fraud.onnx", "fraud.json"):
            shutil.copy(artifacts / name, former / name)
        (tmp_path / "broken.json").write_text("[")
        sha256 = bytes.fromhex(json.loads((former / "fraud.json").read_text())["sha256"])
        models = KeptModels(tmp_path)
        found = await models.find(sha256)
        assert found is not None
        assert await models.find(sha256) is found
        assert await models.find(bytes(32)) is None
        assert await KeptModels(tmp_path / "nowhere").find(sha256) is None
        assert await KeptModels(tmp_path / "nowhere").find(sha256, used=[found]) is found

    async def test_finds_a_scorecard(self, tmp_path: Path):
        artifacts = Path(scoring.__file__).parent / "artifacts"
        shutil.copy(artifacts / "fraud.scorecard.json", tmp_path / "fraud.scorecard.json")
        card = scorecards.load(artifacts)
        found = await KeptModels(tmp_path).find(bytes.fromhex(card.sha256))
        assert found is not None
        assert found.label == card.label

    async def test_takes_no_model_whose_file_was_altered(self, tmp_path: Path):
        artifacts = Path(scoring.__file__).parent / "artifacts"
        shutil.copy(artifacts / "fraud.json", tmp_path / "fraud.json")
        altered = bytearray((artifacts / "fraud.onnx").read_bytes())
        altered[len(altered) // 2] ^= 1
        (tmp_path / "fraud.onnx").write_bytes(altered)
        sha256 = bytes.fromhex(json.loads((tmp_path / "fraud.json").read_text())["sha256"])
        assert await KeptModels(tmp_path).find(sha256) is None
