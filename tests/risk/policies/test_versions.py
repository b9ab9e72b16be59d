"""A version's way into force, and back, met over HTTP."""

import asyncio

import asyncpg
import pytest

from tests.bank import Bank, eventually
from tests.risk.policies.support import (
    active,
    content,
    in_force,
    put_in_force,
    staff,
    with_ceiling,
    write,
    written,
)
from tests.risk.support import another_risk, decided, payment, record


class TestVersion:
    async def test_decides_from_its_activation_on_and_is_named_by_the_decision(
        self, bank: Bank, unique: str
    ):
        async with staff(bank, "s-author") as author:
            before = (await active(author, "payment"))["version"]
            body = await with_ceiling(author, 6_000_000)
            calm = payment(unique, amount_minor=6_000_000)
            assert (await decided(author, bank, calm))["outcome"] != "decline"
            async with in_force(bank, "payment", body) as version:
                made = await decided(author, bank, payment(unique, amount_minor=6_000_000))
                assert made["policy"] == f"payment-{version}"
                assert "amount_over_ceiling" in [it["code"] for it in made["reasons"]]
                kept = await record(bank, made["decision_id"])
                assert "amount_over_ceiling" in kept["trace"]
                assert kept["facts"]["value_minor"] == 6_000_000
                assert (await active(author, "payment"))["version"] == version
            made = await decided(author, bank, payment(unique, amount_minor=6_000_000))
            assert made["policy"] == f"payment-{before}"
            assert "amount_over_ceiling" not in [it["code"] for it in made["reasons"]]

    async def test_decides_in_every_replica_from_the_next_decision_on(
        self, bank: Bank, unique: str
    ):
        async with staff(bank, "s-author") as author, another_risk(bank) as other:
            body = await with_ceiling(author, 7_000_000)
            await decided(other, bank, payment(unique))
            for _ in range(3):
                async with in_force(bank, "payment", body) as version:
                    answers = await asyncio.gather(
                        *(decided(one, bank, payment(unique)) for one in (other, author) * 3)
                    )
                    assert {made["policy"] for made in answers} == {f"payment-{version}"}

    async def test_needs_a_second_person(self, bank: Bank):
        async with staff(bank, "s-author") as author, staff(bank, "s-second") as second:
            drafted = await written(author, "card/versions", {"note": "four eyes"})
            path = f"card/versions/{drafted['version']}"
            assert (await write(second, f"{path}/proposal")).json()["code"] == "four_eyes"
            assert (await write(second, f"{path}/approval")).json()["code"] == "policy_state"
            await written(author, f"{path}/proposal")
            refused = await write(author, f"{path}/approval")
            assert (refused.status_code, refused.json()["code"]) == (403, "four_eyes")
            assert (await write(author, f"{path}/activation")).json()["code"] == "policy_state"
            approved = await written(second, f"{path}/approval")
            assert approved["approved_by"] == "s-second"

    async def test_may_be_approved_by_a_reviewer_and_drafted_by_none(self, bank: Bank):
        async with (
            staff(bank, "s-author") as author,
            staff(bank, "s-looker", roles=("reviewer",)) as reviewer,
        ):
            drafted = await written(author, "card/versions", {"note": "by a reviewer"})
            path = f"card/versions/{drafted['version']}"
            await written(author, f"{path}/proposal")
            refused = await write(reviewer, "card/versions", {"note": "mine"})
            assert refused.status_code == 403
            assert (await write(reviewer, "card/roll-back")).status_code == 403
            assert (await written(reviewer, f"{path}/approval"))["state"] == "approved"

    async def test_that_is_rejected_ends_there(self, bank: Bank):
        async with staff(bank, "s-author") as author, staff(bank, "s-second") as second:
            drafted = await written(author, "card/versions", {"note": "not good"})
            path = f"card/versions/{drafted['version']}"
            await written(author, f"{path}/proposal")
            assert (await write(author, f"{path}/rejection")).json()["code"] == "four_eyes"
            assert (await written(second, f"{path}/rejection"))["state"] == "rejected"
            for step in ("proposal", "approval", "activation"):
                assert (await write(second, f"{path}/{step}")).status_code in {403, 409}

    async def test_whose_tests_fail_is_not_proposed(self, bank: Bank):
        async with staff(bank, "s-author") as author:
            body = {"note": "much too low", "thresholds": {"ceiling_minor": 1_000}}
            drafted = await written(author, "payment/versions", body)
            path = f"payment/versions/{drafted['version']}"
            report = await written(author, f"{path}/tests")
            assert not report["passed"]
            failing = [case for case in report["cases"] if not case["passed"]]
            assert failing[0]["name"] == "a calm payment"
            assert failing[0]["differences"][0]["found"] == "review"
            refused = await write(author, f"{path}/proposal")
            assert (refused.status_code, refused.json()["code"]) == (422, "policy_tests_failed")
            index = [case["passed"] for case in report["cases"]].index(False)
            assert refused.json()["errors"][0]["field"] == f"tests.cases.{index}"
            mended = await author.put(
                f"/v1/policies/{path}", json=await with_ceiling(author, 9_000_000)
            )
            assert mended.status_code == 200, mended.text
            assert (await written(author, f"{path}/proposal"))["state"] == "proposed"
            late = await author.put(
                f"/v1/policies/{path}", json=await with_ceiling(author, 9_000_000)
            )
            assert late.json()["code"] == "policy_state"

    async def test_without_a_case_for_each_row_is_not_proposed(self, bank: Bank):
        async with staff(bank, "s-author") as author:
            tests = (await content(author, "card"))["tests"]
            fewer = [case for case in tests["cases"] if case["name"] != "grade C"]
            body = {"note": "one case less", "tests": tests | {"cases": fewer}}
            drafted = await written(author, "card/versions", body)
            path = f"card/versions/{drafted['version']}"
            assert (await written(author, f"{path}/tests"))["unproven"] == [
                "grade_c",
                "limit_c",
                "price_c",
            ]
            refused = await write(author, f"{path}/proposal")
            assert refused.json()["code"] == "policy_tests_failed"

    async def test_is_tried_on_facts_without_being_kept(self, bank: Bank):
        async with staff(bank, "s-author") as author:
            whole = await content(author, "loan")
            path = f"loan/versions/{whole['version']}/rulings"
            facts = whole["tests"]["given"]
            ruling = await written(author, path, {"facts": facts})
            assert (ruling["outcome"], ruling["grade"]) == ("approve", "A")
            assert (ruling["limit_minor"], ruling["price_bps"]) == (12_000_000, 435)
            assert whole["needs"] == ["bureau", "consumption", "court", "tax", "telecom"]

    async def test_is_drafted_once_for_one_key(self, bank: Bank, unique: str):
        async with staff(bank, "s-author") as author:
            answers = [
                await author.post(
                    "/v1/policies/card/versions",
                    json={"note": "once"},
                    headers={"idempotency-key": f"draft-{unique}"},
                )
                for _ in range(2)
            ]
            assert answers[0].status_code == 201
            assert answers[0].json() == answers[1].json()

    async def test_drafted_by_eight_at_once_has_a_number_of_its_own(self, bank: Bank):
        async with staff(bank, "s-author") as author:
            drafted = await asyncio.gather(
                *(written(author, "card/versions", {"note": "at once"}) for _ in range(8))
            )
        assert len({one["version"] for one in drafted}) == 8


class TestHistory:
    async def test_tells_who_put_what_in_force_and_why_and_so_does_the_audit_log(self, bank: Bank):
        async with staff(bank, "s-author") as author:
            first = (await active(author, "account_opening"))["version"]
            version = await put_in_force(bank, "account_opening", {})
            await written(author, "account_opening/roll-back", {"reason": "too strict"})
            page = (await author.get("/v1/policies/account_opening/activations")).json()["items"]
            assert [(it["version"], it["action"], it["previous"]) for it in page[:2]] == [
                (first, "roll_back", version),
                (version, "activate", first),
            ]
            assert page[0]["reason"] == "too strict"
            assert page[0]["activated_by"] == "s-author"

        async def told() -> set[str] | None:
            events = await bank.events("identity.audit.v1")
            subject = f"account_opening-{version}"
            found = {it["data"]["action"] for it in events if it["data"]["subject"] == subject}
            steps = {"draft", "propose", "approve", "activate"}
            return found if found >= {f"policy.{step}" for step in steps} else None

        await eventually(told)

    async def test_goes_back_version_by_version_and_not_to_and_fro(self, bank: Bank):
        async with staff(bank, "s-author") as author:
            first = (await active(author, "loan"))["version"]
            second = await put_in_force(bank, "loan", {})
            await put_in_force(bank, "loan", {})
            assert (await written(author, "loan/roll-back"))["version"] == second
            assert (await written(author, "loan/roll-back"))["version"] == first
            refused = await write(author, "loan/roll-back")
            assert (refused.status_code, refused.json()["code"]) == (409, "nothing_before")
            assert (await active(author, "loan"))["version"] == first

    async def test_and_what_was_proposed_cannot_be_changed_in_the_database(self, bank: Bank):
        version = await put_in_force(bank, "card", {})
        async with staff(bank, "s-author") as author:
            await written(author, "card/roll-back")
        as_risk, as_owner = await bank.connect("risk", owner=False), await bank.connect("risk")
        of = f"WHERE product = 'card' AND version = '{version}'"
        try:
            for statement in (
                f"UPDATE policy_versions SET graph = '{{}}' {of}",
                f"UPDATE policy_versions SET tests = '{{}}' {of}",
                f"UPDATE policy_versions SET approved_by = 's-author' {of}",
                f"UPDATE policy_versions SET state = 'draft', approved_by = NULL {of}",
            ):
                with pytest.raises(asyncpg.PostgresError) as refused:
                    await as_risk.execute(statement)
                assert isinstance(refused.value, asyncpg.IntegrityConstraintViolationError)
            for statement in (
                f"DELETE FROM policy_versions {of}",
                "UPDATE policy_activations SET reason = 'x'",
                "DELETE FROM policy_activations",
                "TRUNCATE policy_activations CASCADE",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await as_risk.execute(statement)
                with pytest.raises(asyncpg.RestrictViolationError):
                    await as_owner.execute(statement)
        finally:
            await as_risk.close()
            await as_owner.close()
