"""A model's way through the registry, over HTTP: registered, in the shadow, promoted, back."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.bank import Bank, eventually
from tests.risk.policies.support import staff
from tests.risk.registry.support import (
    body_of,
    card_fields,
    fields_of,
    in_use,
    onnx,
    sealed,
    seed_label,
    write,
    written,
)
from tests.risk.support import decided, payment, record

EVERY_WAIVED = {"waive": ["psi", "ks", "auc", "back_test"]}


async def evaluated(client: httpx.AsyncClient, path: str, **asked: Any) -> dict[str, Any]:
    begun = await written(client, f"{path}/evaluation", asked or {"most": 2_000})

    async def done() -> dict[str, Any] | None:
        found = (await client.get(f"/v1/model-evaluations/{begun['evaluation_id']}")).json()
        return found if found["state"] != "running" else None

    return dict(await eventually(done))  # type: ignore[call-overload]


async def scoring(bank: Bank, unique: str, label: str) -> dict[str, Any]:
    """The first decision that this model makes."""
    async with bank.client("risk") as client:

        async def by_it() -> dict[str, Any] | None:
            made = await decided(client, bank, payment(unique))
            return made if made["model"] == label else None

        return dict(await eventually(by_it))  # type: ignore[call-overload]


class TestRegistration:
    async def test_takes_in_a_model_once(self, bank: Bank, unique: str):
        body = body_of(fields_of(f"once-{unique}"))
        async with staff(bank, "s-author") as author:
            first = await write(author, "models", body, key=f"k-{unique}")
            again = await write(author, "models", body, key=f"k-{unique}")
            other = await write(author, "models", body)
            detail = (await author.get(f"/v1/models/payment/once-{unique}-1")).json()
        assert first.status_code == 201, first.text
        assert again.json() == first.json()
        assert other.json()["code"] == "model_exists"
        assert (detail["state"], detail["owner"]) == ("candidate", "model risk")
        assert detail["registered_by"] == "s-author"
        assert detail["data"]["rows"] == 1_000
        assert (detail["checks"]["worst"], detail["checks"]["outside"]) == (0.0, 0)

    @pytest.mark.parametrize(
        ("changes", "field", "words"),
        [
            ({"onnx": b64encode(onnx()[:-1] + b"x").decode()}, "onnx", "SHA-256"),
            ({"onnx": None}, "manifest", "not a manifest"),
            ({"manifest": {"name": "x"}}, "manifest", "not a manifest"),
            ({"valid_until": "2020-01-01T00:00:00Z"}, "valid_until", "ahead"),
            ({"valid_until": "2040-01-01T00:00:00Z"}, "valid_until", "days"),
            ({"valid_until": "2027-01-01T00:00:00"}, "valid_until", "offset"),
            ({"product": "loan"}, "manifest.product", "loan"),
            ({"reference": {}}, "reference", "no reference"),
        ],
    )
    async def test_of_what_may_not_be_used_is_refused_by_its_field(
        self, bank: Bank, unique: str, changes: dict[str, Any], field: str, words: str
    ):
        body = body_of(fields_of(f"bad-{unique}")) | changes
        async with staff(bank, "s-author") as author:
            refused = await write(author, "models", body)
        assert refused.status_code == 422, refused.text
        (error,) = refused.json()["errors"]
        assert error["field"] == field
        assert words in error["expected"]

    async def test_of_an_altered_manifest_or_another_answer_is_refused(
        self, bank: Bank, unique: str
    ):
        altered = fields_of(f"alt-{unique}") | {"trained_on": "elsewhere"}
        liar = fields_of(f"liar-{unique}")
        liar["golden"][0]["score"] = 0.5
        async with staff(bank, "s-author") as author:
            for manifest, words in ((altered, "altered"), (sealed(liar), "golden vector")):
                refused = await write(author, "models", body_of(manifest))
                assert refused.json()["code"] == "model_refused", refused.text
                assert words in refused.json()["errors"][0]["expected"]

    async def test_needs_an_operator(self, bank: Bank, unique: str):
        async with staff(bank, "s-reviewer", roles=("reviewer",)) as reviewer:
            refused = await write(reviewer, "models", body_of(fields_of(f"no-{unique}")))
            listed = await reviewer.get("/v1/models", params={"product": "payment"})
        assert refused.status_code == 403
        assert seed_label() in {one["label"] for one in listed.json()["items"]}


class TestWay:
    async def test_of_a_model_leads_through_shadow_and_gates_to_champion_and_back(
        self, bank: Bank, unique: str
    ):
        label = f"way-{unique}-1"
        path = f"models/payment/{label}"
        async with (
            staff(bank, "s-author") as author,
            staff(bank, "s-second", roles=("reviewer",)) as second,
        ):
            began = datetime.now(UTC)
            await written(author, "models", body_of(card_fields(f"way-{unique}", shift=2)))
            await written(author, f"{path}/challenge")
            made = await self._in_shadow(bank, author, unique, label)
            early = await write(author, f"{path}/proposal")
            assert early.json()["code"] == "model_not_evaluated"
            span = {"since": began.isoformat(), "until": datetime.now(UTC).isoformat()}
            found = await evaluated(author, path, **span)
            assert (found["state"], found["against"]) == ("done", seed_label())
            assert found["seen"] >= 1
            assert found["swap_set"]["decisions"] == found["seen"]
            states = {gate["name"]: gate["state"] for gate in found["gates"]}
            assert states["parity"] == states["features"] == states["data"] == "passed"
            assert states["auc"] == states["back_test"] == "unmeasured"
            await self._promoted(author, second, path)
            after = await scoring(bank, unique, label)
            assert after["degraded"] == []
            key = f"back-{unique}"
            back = await write(author, "models/payment/rollback", key=key)
            same = await write(author, "models/payment/rollback", key=key)
            assert back.json() == same.json()
            assert (back.json()["label"], back.json()["previous"]) == (seed_label(), label)
            assert (await scoring(bank, unique, seed_label()))["degraded"] == []
            nothing = await write(author, "models/payment/rollback")
            assert nothing.json()["code"] == "no_model_before"
            history = (await author.get("/v1/models/payment/changes")).json()["items"]
        steps = [one["action"] for one in history if one["label"] == label]
        assert steps == ["promote", "propose", "challenge", "register"]
        # what the model decided meanwhile is replayed by it, though it is retired
        async with staff(bank, "s-author") as author:
            replay = (await author.get(f"/v1/decisions/{after['decision_id']}/replay")).json()
        assert (replay["equal"], replay["scored"]) == (1, 1)
        assert made["model"] == seed_label()

        async def audited() -> set[str]:
            events = await bank.events("identity.audit.v1")
            return {one["data"]["action"] for one in events if one["data"]["subject"] == label}

        async def all_told() -> bool:
            told = await audited()
            return {"model.register", "model.challenge", "model.propose", "model.promote"} <= told

        await eventually(all_told)

    async def _promoted(
        self, author: httpx.AsyncClient, second: httpx.AsyncClient, path: str
    ) -> None:
        """Proposed by one, promoted by another who names what could not be measured."""
        await written(author, f"{path}/proposal")
        mine = await write(author, f"{path}/promotion", {"reason": "mine"} | EVERY_WAIVED)
        assert mine.json()["code"] == "four_eyes"
        bare = await write(second, f"{path}/promotion", {"reason": "no gate named"})
        assert bare.json()["code"] == "gates_closed"
        assert "auc was not measured" in bare.json()["errors"][0]["expected"]
        done = await written(
            second, f"{path}/promotion", {"reason": "a new bank has no labels"} | EVERY_WAIVED
        )
        assert (done["action"], done["previous"]) == ("promote", seed_label())
        assert "auc" in done["waived"]

    async def _in_shadow(
        self, bank: Bank, author: httpx.AsyncClient, unique: str, label: str
    ) -> dict[str, Any]:
        """A decision that the challenger has scored too, apart from it."""

        async def challenges() -> bool:
            return label in (await in_use(author))["challengers"]

        await eventually(challenges)
        made = await decided(author, bank, payment(unique))
        connection = await bank.connect("risk")
        try:

            async def stored() -> float | None:
                found = await connection.fetchval(
                    "SELECT score FROM shadow_scores WHERE label = $1 AND decision_id = $2",
                    label,
                    made["decision_id"],
                )
                return None if found is None else float(found)

            shadow = await eventually(stored)
        finally:
            await connection.close()
        kept = await record(bank, made["decision_id"])
        assert 0 < float(shadow) < 1  # type: ignore[arg-type]
        assert float(shadow) != kept["score"]  # type: ignore[arg-type]
        assert kept["model"] == seed_label()
        assert label not in str(kept)
        return made


class TestStep:
    async def test_out_of_order_is_refused(self, bank: Bank, unique: str):
        path = f"models/payment/step-{unique}-1"
        async with staff(bank, "s-author") as author:
            missing = await write(author, f"{path}/challenge")
            await written(author, "models", body_of(card_fields(f"step-{unique}")))
            codes = [
                (await write(author, f"{path}/{step}", body)).json()["code"]
                for step, body in (
                    ("withdrawal", None),
                    ("rejection", None),
                    ("promotion", {"reason": "at once"}),
                    ("proposal", None),
                )
            ]
            elsewhere = await author.get(f"/v1/models/loan/step-{unique}-1")
            await written(author, f"{path}/retirement")
            gone = await write(author, f"{path}/challenge")
        assert missing.json()["code"] == "model_not_found"
        assert codes == ["model_state", "model_state", "model_state", "model_not_evaluated"]
        assert elsewhere.json()["code"] == "model_not_found"
        assert gone.json()["code"] == "model_state"

    async def test_of_a_model_without_papers_ends_at_its_gates(self, bank: Bank, unique: str):
        path = f"models/payment/bare-{unique}-1"
        manifest = card_fields(f"bare-{unique}", data=None, owner=None)
        async with staff(bank, "s-author") as author:
            await written(author, "models", body_of(manifest))
            found = await evaluated(author, path)
            refused = await write(author, f"{path}/proposal")
        assert {gate["name"]: gate["cause"] for gate in found["gates"]}["data"] == "no_owner"
        assert refused.json()["code"] == "gates_closed"
        assert "data failed" in refused.json()["errors"][0]["expected"]

    async def test_before_its_time_is_refused(self, bank: Bank, unique: str):
        begins = datetime.now(UTC) + timedelta(days=1)
        body = body_of(card_fields(f"soon-{unique}"), valid_from=begins.isoformat())
        async with staff(bank, "s-author") as author:
            await written(author, "models", body)
            refused = await write(author, f"models/payment/soon-{unique}-1/challenge")
        assert refused.json()["code"] == "model_not_valid"
