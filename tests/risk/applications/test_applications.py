"""What risk promises of applications for an account, a loan or a card, met over HTTP."""

import asyncio
import contextlib
import json
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest

from shared.kit.clock import new_id
from tests.bank import Bank, eventually, free_port
from tests.risk.applications.support import (
    application,
    applied,
    as_customer,
    register,
    send,
    standing,
)
from tests.risk.support import another_risk, decide, payment, record


@pytest.fixture
async def person(bank: Bank, unique: str) -> str:
    """A customer whom identity knows, and the word that makes the customer's ids."""
    await register(bank, f"c-{unique}")
    return unique


async def listed(bank: Bank, kind: str, value: str, *, on: str = "black") -> None:
    body = {"list": on, "kind": kind, "value": value, "reason": "court order"}
    async with bank.client("risk", roles=("operator",)) as operator:
        key = {"Idempotency-Key": new_id().hex}
        added = await operator.post("/v1/list-entries", json=body, headers=key)
        assert added.status_code == 201, added.text


class TestCreditApplication:
    @pytest.mark.parametrize("product", ["loan", "card"])
    async def test_of_which_too_little_is_known_waits_for_a_person(
        self, bank: Bank, person: str, product: str
    ):
        """No outside source may be asked about it."""
        body = application(person, product)
        made = await applied(bank, body, product)
        assert (made["state"], made["product"]) == ("in_review", product)
        assert "credit_unchecked" in [reason["code"] for reason in made["reasons"]]
        assert all(reason["text"]["zh"] and reason["text"]["en"] for reason in made["reasons"])
        assert (made["limit_minor"], made["price_bps"], made["step_up"]) == (None, None, None)
        assert made["can_ask_for_person"] is True
        kept = await record(bank, body["application_id"])
        assert 0 < kept["score"] < 0.1
        assert kept["model"].startswith(f"{product}-scorecard-")
        assert kept["grade"] in {"A", "B", "C"}
        assert kept["features"]["debt_to_income"] == 0.1

    async def test_is_kept_with_all_that_it_rests_on(self, bank: Bank, person: str):
        body = application(person, device_id=f"device-{person}")
        await applied(bank, body)
        kept = await record(bank, body["application_id"])
        assert kept["product"] == "loan"
        assert kept["facts"]["application"] == {
            "age": 35,
            "identity_proven": True,
            "face_match": None,
            "customer_count_30d": 1,
            "device_count_24h": 1,
            "device_customers_30d": 1,
            "requested_minor": 2_000_000,
            "monthly_income_minor": 1_000_000,
            "monthly_debt_minor": 100_000,
            "employed_months": 36,
            "term_months": 12,
        }
        assert kept["facts"]["ring"]["size"] == 1
        assert kept["policy"].startswith("loan-")
        assert len(kept["policy_sha256"]) == 64
        assert any(row.startswith("grade_") for row in kept["trace"])
        # what the scorecard took points for, to be told where a grade declines
        assert isinstance(kept["facts"]["score_reasons"], list)
        assert kept["elapsed_us"] > 0
        assert kept["windows_age_ms"] >= 0
        assert {use["source"] for use in kept["sources"]} == set(kept["facts"]["sources"])
        assert all(use["cost_minor"] >= 0 and use["state"] for use in kept["sources"])

    async def test_of_too_much_debt_is_declined_and_offered_nothing(self, bank: Bank, person: str):
        body = application(person, monthly_debt_minor=900_000)
        made = await applied(bank, body)
        assert (made["state"], made["decided_by"]) == ("declined", "machine")
        assert "debt_burden_high" in [reason["code"] for reason in made["reasons"]]
        assert (made["limit_minor"], made["price_bps"]) == (None, None)

    async def test_of_a_minor_is_declined(self, bank: Bank, unique: str):
        today = datetime.now(UTC).date()
        await register(bank, f"c-{unique}", born_on=date(today.year - 15, 1, 1))
        made = await applied(bank, application(unique))
        assert made["state"] == "declined"
        assert "applicant_too_young" in [reason["code"] for reason in made["reasons"]]

    @pytest.mark.parametrize("kind", ["customer", "device", "phone"])
    async def test_of_somebody_listed_is_declined(self, bank: Bank, person: str, kind: str):
        named = {
            "customer": f"c-{person}",
            "device": f"device-{person}",
            "phone": f"+8613{int(new_id()) % 10**9:09d}",
        }
        await listed(bank, kind, named[kind])
        extra = {"device_id": named["device"], "phone": named["phone"]}
        body = application(person, "account_opening", **extra)
        made = await applied(bank, body, "account_opening")
        assert made["state"] == "declined"
        assert [reason["code"] for reason in made["reasons"]] == ["party_listed"]


class TestAccountApplication:
    async def test_of_a_proven_person_is_approved(self, bank: Bank, person: str):
        made = await applied(bank, application(person, "account_opening"), "account_opening")
        kept = await record(bank, made["application_id"])
        assert made["state"] == "approved", kept
        assert (made["decided_by"], made["reasons"]) == ("machine", [])

    async def test_with_a_weak_match_asks_for_a_video_call(self, bank: Bank, person: str):
        body = application(person, "account_opening", face_match=0.89)
        made = await applied(bank, body, "account_opening")
        assert (made["state"], made["step_up"]) == ("approved", "video_call")

    async def test_that_its_model_doubts_waits_for_a_person(self, bank: Bank, person: str):
        body = application(person, "account_opening", face_match=0.8)
        made = await applied(bank, body, "account_opening")
        assert made["state"] == "in_review"
        assert [reason["code"] for reason in made["reasons"]] == ["identity_checked"]
        assert (await record(bank, body["application_id"]))["model"].startswith("account_opening-")

    async def test_of_a_stranger_is_declined(self, bank: Bank, unique: str):
        made = await applied(bank, application(unique, "account_opening"), "account_opening")
        assert made["state"] == "declined"
        assert "identity_unproven" in [reason["code"] for reason in made["reasons"]]

    async def test_from_a_borrowed_device_waits_for_a_person(self, bank: Bank, unique: str):
        device, made = f"device-{unique}", {}
        for name in ("one", "two", "three"):
            await register(bank, f"c-{name}{unique}")
            body = application(f"{name}{unique}", "account_opening", device_id=device)
            made = await applied(bank, body, "account_opening")
        assert made["state"] == "in_review"
        assert "device_shared" in [reason["code"] for reason in made["reasons"]]
        kept = await record(bank, made["application_id"])
        assert kept["facts"]["ring"]["size"] == 3
        assert kept["facts"]["application"]["device_customers_30d"] == 3

    async def test_that_comes_too_often_waits_for_a_person(self, bank: Bank, person: str):
        made = [
            await applied(bank, application(person, "account_opening"), "account_opening")
            for _ in range(5)
        ]
        assert (made[0]["state"], made[-1]["state"]) == ("approved", "in_review")
        assert "applications_many" in [reason["code"] for reason in made[-1]["reasons"]]


class TestIdempotency:
    async def test_gives_the_same_answer_again_and_one_decision(self, bank: Bank, person: str):
        body = application(person)
        first = await applied(bank, body)
        assert await applied(bank, body) == first
        assert (await record(bank, body["application_id"]))["facts"]["application"][
            "customer_count_30d"
        ] == 1

    async def test_of_two_at_once_keeps_one(self, bank: Bank, person: str):
        body = application(person)
        several = await asyncio.gather(*(applied(bank, body) for _ in range(6)))
        assert all(one == several[0] for one in several)

        async def told() -> list[dict] | None:
            events = await bank.events("risk.decision.v1", key=body["customer_id"])
            return events or None

        (event,) = await eventually(told)  # type: ignore[misc]
        assert event["data"]["product"] == "loan"

    @pytest.mark.parametrize(
        "change",
        [{"requested_minor": 2_000_001}, {"term_months": 24}, {"device_id": "device-other"}],
    )
    async def test_refuses_another_content(self, bank: Bank, person: str, change: dict[str, Any]):
        body = application(person)
        await applied(bank, body)
        refused = await send(bank, body | change)
        assert (refused.status_code, refused.json()["code"]) == (409, "decision_exists")

    async def test_refuses_the_id_of_a_payment_and_notes_nothing(self, bank: Bank, person: str):
        async with bank.client("risk") as client:
            paid = payment(person)
            assert (await decide(client, bank, paid)).status_code == 200
        body = application(person, application_id=paid["decision_id"])
        assert (await send(bank, body)).status_code == 409
        connection = await bank.connect("risk")
        try:
            noted = await connection.fetchval(
                "SELECT count(*) FROM applications WHERE application_id = $1",
                body["application_id"],
            )
        finally:
            await connection.close()
        assert noted == 0

    async def test_without_identity_decides_nothing_until_it_is_sent_again(
        self, bank: Bank, person: str
    ):
        body = application(person)
        nowhere = {"PEERS": json.dumps({"identity": f"http://127.0.0.1:{free_port()}"})}
        token = bank.token("risk", caller="gateway", customer_id=body["customer_id"])
        async with another_risk(bank, **nowhere) as client:
            answer = await client.post(
                "/v1/loan-applications", json=body, headers={"authorization": f"Bearer {token}"}
            )
        assert (answer.status_code, answer.json()["code"]) == (503, "peer_unavailable")
        waiting = await standing(bank, body)
        assert (waiting["state"], waiting["can_ask_for_person"]) == ("received", False)
        made = await applied(bank, body)
        assert made["state"] == "in_review"
        assert made["applied_at"] == waiting["applied_at"]


class TestRefusal:
    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"requested_minor": 0}, "requested_minor"),
            ({"requested_minor": 1.5}, "requested_minor"),
            ({"requested_minor": 10**15 + 1}, "requested_minor"),
            ({"monthly_income_minor": -1}, "monthly_income_minor"),
            ({"currency": "EUR"}, "currency"),
            ({"term_months": 361}, "term_months"),
            ({"employed_months": 901}, "employed_months"),
            ({"face_match": 1.01}, "face_match"),
            ({"face_match": "0.9"}, "face_match"),
            ({"identity_proven": "yes"}, "identity_proven"),
            ({"device_id": "short"}, "device_id"),
            ({"phone": "call me"}, "phone"),
            ({"ip_address": "10.0.0"}, "ip_address"),
            ({"application_id": "1"}, "application_id"),
            ({"score": 0.01}, "score"),
        ],
    )
    async def test_names_the_field(
        self, bank: Bank, unique: str, change: dict[str, Any], field: str
    ):
        refused = await send(bank, application(unique) | change)
        assert refused.status_code == 422
        assert refused.headers["content-type"] == "application/problem+json"
        assert [error["field"] for error in refused.json()["errors"]] == [field]

    async def test_is_given_to_whoever_speaks_for_another(self, bank: Bank, unique: str):
        async with as_customer(bank, f"other-{unique}") as client:
            refused = await client.post("/v1/loan-applications", json=application(unique))
            own = await client.get(f"/v1/customers/c-{unique}/applications")
        assert (refused.status_code, own.status_code) == (403, 403)

    async def test_is_given_to_staff(self, bank: Bank, unique: str):
        async with bank.client("risk", roles=("operator", "reviewer")) as staff:
            refused = await staff.post("/v1/loan-applications", json=application(unique))
        assert refused.status_code == 403


class TestStanding:
    async def test_is_listed_for_its_customer_the_youngest_first(self, bank: Bank, person: str):
        sent = []
        for product in ("loan", "card", "account_opening"):
            body = application(person, product)
            await applied(bank, body, product)
            sent.append(body["application_id"])
        path = f"/v1/customers/c-{person}/applications"
        async with as_customer(bank, f"c-{person}") as client:
            first = (await client.get(path, params={"limit": 2})).json()
            last = (await client.get(path, params={"before": first["next_before"]})).json()
        found = [one["application_id"] for one in (*first["items"], *last["items"])]
        assert found == sent[::-1]
        assert last["next_before"] is None

    async def test_of_another_customer_is_not_found(self, bank: Bank, person: str):
        body = application(person)
        await applied(bank, body)
        path = f"/v1/customers/other-{person}/applications/{body['application_id']}"
        async with as_customer(bank, f"other-{person}") as client:
            missing = await client.get(path)
        assert (missing.status_code, missing.json()["code"]) == (404, "application_not_found")

    async def test_cannot_be_changed_in_the_database(self, bank: Bank, person: str):
        body = application(person)
        await applied(bank, body)
        connection = await bank.connect("risk")
        try:
            for change in ("UPDATE applications SET channel = 'x'", "DELETE FROM applications"):
                with pytest.raises(asyncpg.RestrictViolationError):
                    await connection.execute(change)
        finally:
            await connection.close()


class TestAudit:
    async def test_away_decides_nothing_until_it_is_back(self, bank: Bank, person: str):
        """Credit fails closed: what cannot be kept is not answered."""
        body = application(person)
        await applied(bank, application(person))  # all is ready
        owner = await bank.connect("risk")
        await owner.execute("REVOKE INSERT ON decisions FROM risk")
        try:
            refused = await send(bank, body)
        finally:
            await owner.execute("GRANT INSERT ON decisions TO risk")
        kept = "SELECT count(*) FROM decisions WHERE decision_id = $1"
        opened = "SELECT count(*) FROM cases WHERE decision_id = $1"
        try:
            found = [await owner.fetchval(it, body["application_id"]) for it in (kept, opened)]
        finally:
            await owner.close()
        assert refused.status_code >= 500
        assert "state" not in refused.json()
        assert found == [0, 0]
        assert (await standing(bank, body))["state"] == "received"
        made = await applied(bank, body)
        assert made["state"] == "in_review"

    async def test_whose_database_is_away_is_told_as_such(self, bank: Bank, person: str):
        body = application(person)
        token = bank.token("risk", caller="gateway", customer_id=body["customer_id"])
        with line_to_the_database(bank) as (line, url):
            async with another_risk(bank, DATABASE_URL=url) as client:

                async def ready() -> bool:
                    return (await client.get("/readyz")).status_code == 200

                await eventually(ready)
                await asyncio.to_thread(line.unlink)
                await cut_off(bank)
                headers = {"authorization": f"Bearer {token}"}
                refused = await client.post("/v1/loan-applications", json=body, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        async with as_customer(bank, body["customer_id"]) as client:
            page = (await client.get(f"/v1/customers/{body['customer_id']}/applications")).json()
        assert page["items"] == []


@contextlib.contextmanager
def line_to_the_database(bank: Bank) -> Iterator[tuple[Path, str]]:
    """A socket of one's own that leads to the database until it is unlinked, and its address."""
    server = bank.server
    name = f".s.PGSQL.{server.port}"
    with tempfile.TemporaryDirectory() as folder:
        line = Path(folder, name)
        line.symlink_to(server.socket_dir / name)
        here, there = (f"host={quote(str(it))}" for it in (server.socket_dir, folder))
        yield line, bank.credentials["risk"].dsn.replace(here, there)


async def cut_off(bank: Bank) -> None:
    """End the connections of a process that runs the API alone."""
    connection = await bank.connect("risk", owner=False)
    try:
        ended = await connection.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'risk-api' AND usename = current_user"
        )
    finally:
        await connection.close()
    assert ended
