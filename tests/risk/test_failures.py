"""What becomes of a decision where something fails: each line of the table in docs/risk.md.

Nothing that fails is silent: the decision is flagged as degraded, with its cause.
"""

import asyncio
import json
import math
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.risk import scoring
from services.risk.domain import Outcome
from services.risk.engine import MAX_MISSING, Engine, scored
from services.risk.features import FRAUD_INPUTS, Windows
from services.risk.features.bounds import BOUNDS
from services.risk.model_files import load_model, reload
from services.risk.policies import seeds
from services.risk.policies.active import ActivePolicies
from services.risk.policies.facts import over
from services.risk.rings.domain import Rings
from services.risk.windows import SeenPayment
from tests.bank import Bank, eventually
from tests.risk.support import another_risk, decided, payment, record
from tests.risk.test_windows import NOON_MS

ARTIFACTS = Path(scoring.__file__).parent / "artifacts"
MODEL = scoring.load(ARTIFACTS)
POLICY = seeds.seed_program("payment")


def calm() -> dict[str, float]:
    """The features of a calm payment of a customer without a history."""
    return Windows().measure(SeenPayment("p1", "c1", "a1", "shop", 1250, NOON_MS))


def ruled(**changes: Any) -> Any:
    """What the payment policy says to a calm payment with changes."""
    return POLICY.ruling(over(seeds.seed("payment").tests["given"], changes))


class TestInputs:
    def test_that_are_missing_take_the_trees_way_for_a_missing_one(self) -> None:
        degraded: list[str] = []
        features = calm()
        without = {name: value for name, value in features.items() if name != "payee_age_log_h"}
        named = features | {"payee_age_log_h": math.nan}
        assert scored(MODEL, without, degraded) == scored(MODEL, named, degraded)
        assert degraded == []

    @pytest.mark.parametrize("value", [math.inf, -math.inf, 1e30, -1.0])
    def test_out_of_range_count_as_missing_and_are_named(self, value: float) -> None:
        degraded: list[str] = []
        features = calm()
        expected = scored(MODEL, features | {"payee_age_log_h": math.nan}, [])
        assert scored(MODEL, features | {"payee_age_log_h": value}, degraded) == expected
        assert degraded == ["out_of_range.payee_age_log_h"]
        ruling = ruled(degraded=degraded, value_minor=5_000_000)
        assert ruling.reason_codes == ("amount_unscored",)

    def test_of_which_too_many_are_missing_send_the_payment_to_review(self) -> None:
        features = calm()
        there = [name for name in FRAUD_INPUTS if not math.isnan(features[name])]
        room = MAX_MISSING - (len(FRAUD_INPUTS) - len(there))
        for count, flags in ((room, []), (room + 1, ["features_missing"])):
            degraded: list[str] = []
            gone = dict.fromkeys(there[:count], math.nan)
            assert scored(MODEL, features | gone, degraded) is not None
            assert degraded == flags
            ruling = ruled(degraded=degraded)
            assert ruling.outcome is (Outcome.REVIEW if flags else Outcome.APPROVE)
            assert list(ruling.reason_codes) == flags

    def test_without_a_history_and_without_a_rate_are_not_too_few(self) -> None:
        degraded: list[str] = []
        features = Windows().measure(SeenPayment("p1", "c1", "a1", "shop", None, NOON_MS))
        assert scored(MODEL, features, degraded) is not None
        assert degraded == []

    def test_have_bounds_each(self) -> None:
        assert set(FRAUD_INPUTS) <= set(BOUNDS)
        for vector in MODEL.manifest.golden:
            if vector.label.startswith("all_"):
                continue
            for name, value in zip(FRAUD_INPUTS, vector.inputs, strict=True):
                least, most = BOUNDS[name]
                assert value is None or least <= value <= most, name


def replaced(path: Path, text: str) -> None:
    """The file with another content, at once, as whoever brings a model does it."""
    part = path.with_suffix(".part")
    part.write_text(text)
    part.replace(path)


async def ready(risk: httpx.AsyncClient) -> bool:
    return (await risk.get("/readyz")).status_code == 200


class TestModel:
    async def test_that_is_bad_at_a_reload_leaves_the_one_before_and_flags_it(
        self, bank: Bank, unique: str, tmp_path: Path
    ) -> None:
        folder = Path(shutil.copytree(ARTIFACTS, tmp_path / "artifacts"))
        sound = (folder / "fraud.json").read_text()
        settings = {"ARTIFACTS_DIR": str(folder), "MODEL_CHECK_EVERY_S": "0.05"}
        async with another_risk(bank, **settings) as risk:

            async def flags_are(*flags: str) -> bool:
                made = await decided(risk, bank, payment(unique))
                assert (made["model"], made["score"] is None) == ("fraud-2026.1", False)
                return made["degraded"] == list(flags)

            await eventually(lambda: ready(risk))
            assert await flags_are()
            # another answer for a golden vector, under a hash that agrees with it
            fields = json.loads(sound)
            fields["golden"][0]["score"] = 0.5
            fields["manifest_sha256"] = scoring.manifest_sha256(fields)
            replaced(folder / "fraud.json", json.dumps(fields))
            await eventually(lambda: flags_are("model_reload_refused"))
            large = await decided(risk, bank, payment(unique, amount_minor=6_000_000))
            assert [reason["code"] for reason in large["reasons"]] == ["amount_unscored"]
            replaced(folder / "fraud.json", sound)
            await eventually(flags_are)
            (folder / "fraud.onnx").unlink()
            await eventually(lambda: flags_are("model_reload_refused"))

    async def test_that_is_sound_takes_over_where_there_was_none(self, tmp_path: Path) -> None:
        engine = Engine(
            policies=ActivePolicies(),
            windows=Windows(),
            rings=Rings(),
            windows_age_ms=lambda: 0,
            model=load_model(tmp_path),
            behind_after_ms=1,
        )
        assert engine.model is None
        await reload(engine, tmp_path)
        assert (engine.model, engine.model_flags) == (None, ())
        await reload(engine, ARTIFACTS)
        assert engine.model is not None
        assert engine.model.label == "fraud-2026.1"


class TestDeadline:
    async def test_passed_while_reading_sends_to_review_at_once_and_for_good(
        self, bank: Bank, unique: str
    ) -> None:
        body = payment(unique)
        async with another_risk(bank, DECISION_DEADLINE_MS="50") as risk:

            async def calm() -> bool:
                return (await decided(risk, bank, payment(unique)))["outcome"] == "approve"

            await eventually(lambda: ready(risk))
            await eventually(calm)
            connection = await bank.connect("risk")
            try:
                async with connection.transaction():
                    await connection.execute("LOCK TABLE list_entries IN ACCESS EXCLUSIVE MODE")
                    made = await decided(risk, bank, body)
                    both = await asyncio.gather(
                        *(decided(risk, bank, payment(unique)) for _ in range(2))
                    )
            finally:
                await connection.close()
            for late in (made, *both):
                assert late["outcome"] == "review"
                assert late["degraded"] == ["deadline_exceeded"]
                assert "deadline_exceeded" in [reason["code"] for reason in late["reasons"]]
            # the list can be read again, and the decision stands
            assert await decided(risk, bank, body) == made
            await eventually(calm)

        async def told() -> list[dict[str, Any]]:
            events = await bank.events("risk.decision.v1", key=f"c-{unique}")
            return [one for one in events if one["data"]["decision_id"] == made["decision_id"]]

        (event,) = await eventually(told)
        assert (event["data"]["outcome"], event["data"]["degraded"]) == ("review", True)
        assert (await record(bank, made["decision_id"]))["facts"]["lists"]["payee"] is None

    async def test_passed_by_the_ruling_itself_leaves_that_without_effect(
        self, bank: Bank, unique: str
    ) -> None:
        async with another_risk(bank, DECISION_DEADLINE_MS="0.001") as risk:
            made = await decided(risk, bank, payment(unique))
            worse = payment(unique, amount_minor=10**15)
            large = await decided(risk, bank, worse)
        assert made["outcome"] == "review"
        assert "deadline_exceeded" in made["degraded"]
        assert [reason["code"] for reason in made["reasons"]] == ["deadline_exceeded"]
        assert large["outcome"] in {"review", "decline"}
        assert "amount_over_ceiling" in [reason["code"] for reason in large["reasons"]]


class TestRule:
    def test_that_fails_leaves_the_others_and_sends_the_payment_to_review(self) -> None:
        ruling = ruled(
            features={"customer_count_10m": None}, lists={"payee": "grey"}, value_minor=20_000_000
        )
        assert ruling.outcome is Outcome.REVIEW
        assert ruling.degraded == ("rule_failed.payment_burst",)
        assert set(ruling.reason_codes) == {"rule_failed", "party_watched", "amount_over_ceiling"}
        declined = ruled(features={"customer_count_10m": None}, lists={"payee": "black"})
        assert declined.outcome is Outcome.DECLINE
