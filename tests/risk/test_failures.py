"""What becomes of a decision where something fails: each line of the table in docs/risk.md.

Nothing that fails is silent: the decision is flagged as degraded, with its cause.
"""

import asyncio
import math
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from services.risk import scoring
from services.risk.domain import Outcome
from services.risk.engine import MAX_MISSING, Engine, graded, scored
from services.risk.features import FRAUD_INPUTS, Windows
from services.risk.features.bounds import BOUNDS
from services.risk.features.definitions import SPANS_MS
from services.risk.model_files import load_scorecard
from services.risk.policies import seeds
from services.risk.policies.active import ActivePolicies
from services.risk.policies.facts import over
from services.risk.rings.domain import Rings
from services.risk.windows import DAY_MS, Limits, SeenPayment
from tests.bank import ROOT, Bank, eventually, free_port
from tests.payments.test_with_risk import pay
from tests.payments.test_with_risk import payment as payment_of
from tests.risk.registry.support import no_model_to_load
from tests.risk.support import another_risk, decided, payment, ready, record
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


class TestModel:
    async def test_that_is_bad_at_the_start_leaves_rules_and_scorecard_and_they_say_so(
        self, bank: Bank, unique: str, tmp_path: Path
    ):
        spoiled = Path(shutil.copytree(ARTIFACTS, tmp_path / "artifacts"))
        content = bytearray((spoiled / "fraud.onnx").read_bytes())
        content[len(content) // 2] ^= 1
        (spoiled / "fraud.onnx").write_bytes(content)
        async with (
            no_model_to_load(bank),
            another_risk(bank, ARTIFACTS_DIR=str(spoiled)) as risk,
        ):
            await eventually(lambda: ready(risk))
            made = await decided(risk, bank, payment(unique))
            large = await decided(risk, bank, payment(unique, amount_minor=6_000_000))
            token = {"authorization": f"Bearer {bank.staff_token()}"}
            card = await risk.get("/v1/model", headers=token)
        fallback = load_scorecard(ARTIFACTS)
        assert fallback is not None
        assert (made["outcome"], made["model"]) == ("approve", fallback.label)
        assert 0 < made["score"] < 0.1
        assert made["degraded"] == ["model_unavailable"]
        assert "amount_unscored" in [reason["code"] for reason in large["reasons"]]
        assert large["outcome"] == "review"
        assert (card.status_code, card.json()["code"]) == (404, "model_unavailable")

        async def told() -> list[bool]:
            events = await bank.events("risk.decision.v1", key=f"c-{unique}")
            return [event["data"]["degraded"] for event in events]

        assert (await eventually(told))[0] is True

    def test_that_raises_leaves_the_rules_alone(self) -> None:
        class Broken(scoring.FraudModel):
            def scored(self, features: Mapping[str, float]) -> scoring.Scored:
                raise RuntimeError(len(features))

        degraded: list[str] = []
        content = (ARTIFACTS / "fraud.onnx").read_bytes()
        assert scored(Broken(MODEL.manifest, content), calm(), degraded) is None
        assert degraded == ["model_failed"]
        ruling = ruled(degraded=degraded, score=None, value_minor=5_000_000)
        assert ruling.reason_codes == ("amount_unscored",)

    def test_that_is_away_with_its_scorecard_too_leaves_the_rules_alone(
        self, tmp_path: Path
    ) -> None:
        bare = Engine(
            policies=ActivePolicies(),
            windows=Windows(),
            rings=Rings(),
            windows_age_ms=lambda: 0,
            model=None,
            behind_after_ms=1,
            scorecard=load_scorecard(tmp_path),
        )
        degraded: list[str] = []
        assert graded(bare, calm(), degraded) == (None, None)
        assert degraded == ["model_unavailable"]


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
                assert "deadline_exceeded" in late["degraded"]
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


class TestBus:
    async def test_away_leaves_decisions_flagged_with_its_age_and_the_rules_stricter(
        self, bank: Bank, unique: str
    ):
        away = f"postgresql://nobody@127.0.0.1:{free_port()}/bus"
        async with another_risk(bank, BUS_URL=away) as risk:
            ready = await risk.get("/readyz")
            made = await decided(risk, bank, payment(unique))
            large = await decided(risk, bank, payment(unique, amount_minor=6_000_000))
        assert ready.status_code == 503
        assert "windows" in ready.json()["detail"]
        assert made["degraded"] == ["windows_behind"]
        assert made["score"] is not None
        assert (await record(bank, made["decision_id"]))["windows_age_ms"] is None
        assert large["outcome"] == "review"
        assert [reason["code"] for reason in large["reasons"]] == ["amount_unscored"]


class TestEvent:
    def test_out_of_order_counts_where_it_belongs_and_is_forgotten_past_the_bound(self) -> None:
        limits = Limits()
        longest = max(SPANS_MS.values())
        windows, day = Windows(limits), DAY_MS
        for i, at_ms in enumerate(
            (NOON_MS, NOON_MS - day, NOON_MS - longest - limits.lateness_ms - day)
        ):
            windows.observe(SeenPayment(f"p{i}", "c1", "a1", "shop", 100, at_ms))
        found = windows.measure(SeenPayment("now", "c1", "a1", "shop", 100, NOON_MS + 1))
        # the day before counts within its week; what is too late for any window is let go
        assert found["customer_count_24h"] == 2
        assert found["customer_count_7d"] == 3
        assert windows.held("customer", "c1") == 3


class TestRequest:
    async def test_that_comes_again_gets_the_kept_decision_whatever_changed_meanwhile(
        self, bank: Bank, unique: str
    ) -> None:
        body = payment(unique)
        async with bank.client("risk", roles=("operator",)) as staff:
            first = await decided(staff, bank, body)
            entry = {"list": "black", "kind": "account", "value": body["creditor_account"]}
            headers = {"idempotency-key": f"k-{unique}"}
            listed = await staff.post(
                "/v1/list-entries", json=entry | {"reason": "since then"}, headers=headers
            )
            assert listed.status_code == 201
            assert await decided(staff, bank, body) == first
            assert (await decided(staff, bank, payment(unique)))["outcome"] == "decline"
        assert first["outcome"] == "approve"


class TestAudit:
    async def test_away_decides_nothing_and_the_payment_goes_to_a_person(
        self, bank: Bank, unique: str
    ) -> None:
        body = await payment_of(bank, unique, funds=1_000)
        owner = await bank.connect("risk")
        try:
            await owner.execute("REVOKE INSERT ON decisions FROM risk")
            try:
                (waiting,) = await pay(bank, body)
            finally:
                await owner.execute("GRANT INSERT ON decisions TO risk")
            found = "SELECT count(*) FROM decisions WHERE decision_id = $1"
            assert await owner.fetchval(found, body["payment_id"]) == 0
        finally:
            await owner.close()
        assert waiting.json()["state"] == "in_review"
        assert waiting.json()["reason_codes"] == ["risk_unavailable"]

        async def opened() -> bool:
            async with bank.client("risk", roles=("reviewer",)) as reviewer:
                found = await reviewer.get(f"/v1/cases/{body['payment_id']}")
            return found.status_code == 200 and bool(found.json()["case"]["review_until"])

        await eventually(opened)
        async with bank.client("risk") as risk:
            again = await decided(risk, bank, payment(unique, customer_id=body["customer_id"]))
        assert again["outcome"] == "approve"


class TestPage:
    def test_names_a_test_for_every_failure(self) -> None:
        tests = ROOT / "tests/risk"
        there: set[str] = set()
        for path in tests.rglob("test_*.py"):
            name = ""
            for line in path.read_text().splitlines():
                if found := re.match(r"class (\w+)", line):
                    name = found[1]
                elif found := re.match(r"    (?:async )?def (test_\w+)", line):
                    there.add(f"{name}.{found[1]}")
        page = (ROOT / "docs/risk.md").read_text()
        section = page.partition("## When something fails")[2].partition("## ")[0]
        rows = [line.split("|") for line in section.splitlines() if line.startswith("| ")][1:]
        assert len(rows) >= 15
        for row in rows:
            named = re.findall(r"`(\w+\.test_\w+)`", row[-2])
            assert named or "](#" in row[-2], row
            assert set(named) <= there, row
