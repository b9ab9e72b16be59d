"""What happens to a payment when something dies between two steps."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest

from gateway.consumers import SUBSCRIPTIONS
from gateway.main import build
from gateway.payments import flows
from gateway.settings import Settings
from shared.contracts.events.payments import PaymentRejected
from shared.kit.app import Context
from shared.kit.consumers import Delivery
from tests.bank import PEERS, Bank, eventually
from tests.gateway.customers import authorized_consent
from tests.gateway.support import Partner, free_port, gateway_process, register_partner
from tests.gateway.test_payments import PATH, claims, payment, posted, until_paid, used
from tests.gateway.unsteady import UnsteadyLine, unsteady_line


@pytest.fixture(scope="module")
def line(bank: Bank, whole_bank: str):
    with unsteady_line(bank.url("payments")) as found:
        yield found


@pytest.fixture(scope="module")
def unsteady_gateway(bank: Bank, line: UnsteadyLine):
    """A gateway whose line to payments fails on demand, and that waits for 1.5 s at most."""
    peers = {peer: bank.url(peer) for peer in PEERS["gateway"]} | {"payments": line.url}
    with gateway_process(bank, peers=peers, PAYMENT_DEADLINE_MS="1500") as url:
        yield url


@pytest.fixture
async def buyer(bank: Bank, unsteady_gateway: str, line: UnsteadyLine, unique: str):
    line.mode = "pass"
    async with httpx.AsyncClient(base_url=unsteady_gateway, timeout=30) as client:
        yield await (await register_partner(bank, client, f"p-{unique}")).sign_in()
    line.mode = "pass"


@pytest.fixture
async def consent(bank: Bank, buyer: Partner, customer):
    return await authorized_consent(bank, buyer, customer)


@contextlib.asynccontextmanager
async def inside(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Context]:
    """The gateway's own context in this process: to run its sweep when the test wants it."""
    for name, value in bank.settings("gateway").items():
        monkeypatch.setenv(name, value)
    # This process keeps the handlers that the test runner gave it.
    monkeypatch.setattr("shared.kit.logs.configure", lambda **_: None)
    app = build(Settings(role="api"))
    async with app.router.lifespan_context(app):
        yield app.state.context


class TestPaymentWithoutAnAnswer:
    async def test_is_told_to_come_again_and_completes_with_the_same_key(
        self, bank: Bank, buyer, customer, consent, line
    ):
        for mode in ("break", "hang", "lose"):
            key, body = uuid4().hex, payment(consent, amount_minor=100)
            line.mode = mode
            first = await buyer.post(PATH, body, key=key)
            assert first.status_code == 503, mode
            assert first.json()["code"] == "payment_pending"
            line.mode = "pass"
            done = await until_paid(buyer, body, key)
            assert done.status_code == 201
            assert done.json()["state"] == "settled"
            assert (await buyer.post(PATH, body, key=key)).content == done.content
        assert await posted(bank, customer.payee_id) == 300
        assert await used(buyer, consent) == 300

    async def test_completes_at_once_where_the_failure_was_an_answer(self, buyer, consent, line):
        key, body = uuid4().hex, payment(consent)
        line.mode = "break"
        assert (await buyer.post(PATH, body, key=key)).status_code == 503
        line.mode, before = "pass", line.calls
        second = await buyer.post(PATH, body, key=key)
        assert line.calls == before + 1
        assert second.status_code == 201 or (await until_paid(buyer, body, key)).status_code == 201

    async def test_is_not_asked_for_twice_while_the_first_may_still_be_at_work(
        self, buyer, consent, line
    ):
        key, body = uuid4().hex, payment(consent)
        line.mode, before = "hang", line.calls
        answers = await asyncio.gather(*(buyer.post(PATH, body, key=key) for _ in range(4)))
        assert {answer.status_code for answer in answers} == {503}
        assert line.calls == before + 1

    async def test_keeps_its_amount_reserved_and_its_key_taken(self, bank, buyer, consent, line):
        key, body = uuid4().hex, payment(consent, amount_minor=9_000)
        line.mode = "hang"
        assert (await buyer.post(PATH, body, key=key)).status_code == 503
        assert await used(buyer, consent) == 9_000
        line.mode = "pass"
        over = await buyer.post(PATH, payment(consent, amount_minor=1_001))
        assert over.json()["code"] == "consent_limit_exceeded"
        other = await buyer.post(PATH, payment(consent, amount_minor=1), key=key)
        assert other.json()["code"] == "idempotency_key_reused"

    async def test_is_not_begun_anew_after_its_consent_was_revoked(
        self, bank: Bank, buyer, customer, consent, line
    ):
        key, body = uuid4().hex, payment(consent)
        line.mode = "break"
        assert (await buyer.post(PATH, body, key=key)).status_code == 503
        line.mode = "pass"
        await buyer.post(f"/v1/payment-consents/{consent['consent_id']}/revocation")
        refused = await buyer.post(PATH, body, key=key)
        assert refused.status_code == 403
        assert refused.json()["code"] == "consent_not_authorized"
        assert await claims(bank, consent) == []
        assert await posted(bank, customer.payee_id) == 0

    async def test_that_had_its_effect_is_told_so_after_its_consent_was_revoked(
        self, bank: Bank, buyer, customer, consent, line
    ):
        key, body = uuid4().hex, payment(consent)
        line.mode = "lose"
        assert (await buyer.post(PATH, body, key=key)).status_code == 503
        line.mode = "pass"
        await buyer.post(f"/v1/payment-consents/{consent['consent_id']}/revocation")
        done = await until_paid(buyer, body, key)
        assert done.status_code == 201
        assert await posted(bank, customer.payee_id) == 1_250

    async def test_is_answered_503_where_nobody_listens_and_completes_elsewhere(
        self, bank: Bank, buyer, customer, consent, whole_bank
    ):
        key, body = uuid4().hex, payment(consent)
        peers = {"payments": f"http://127.0.0.1:{free_port()}"}
        with gateway_process(bank, peers=peers, PUBLIC_URL=buyer.origin) as url:
            async with httpx.AsyncClient(base_url=url, timeout=30) as client:
                steady, buyer.client = buyer.client, client
                down = await buyer.post(PATH, body, key=key)
                buyer.client = steady
        assert down.status_code == 503
        assert down.headers["retry-after"] == "2"
        assert (await until_paid(buyer, body, key)).status_code == 201
        assert await posted(bank, customer.payee_id) == 1_250


class TestSweep:
    async def test_frees_what_never_became_a_payment(
        self, bank: Bank, buyer, consent, line, monkeypatch
    ):
        line.mode = "hang"
        await buyer.post(PATH, payment(consent), key=uuid4().hex)
        assert await used(buyer, consent) == 1_250
        async with inside(bank, monkeypatch) as context:

            async def swept():
                await flows.sweep(context, older_than=timedelta(0))
                return await claims(bank, consent) == []

            assert await eventually(swept, every_s=0.3)
        assert await used(buyer, consent) == 0

    async def test_confirms_what_became_a_payment_without_an_answer(
        self, bank: Bank, buyer, customer, consent, line, monkeypatch
    ):
        key, body = uuid4().hex, payment(consent)
        line.mode = "lose"
        await buyer.post(PATH, body, key=key)
        async with inside(bank, monkeypatch) as context:

            async def swept():
                await flows.sweep(context, older_than=timedelta(0))
                (claim,) = await claims(bank, consent)
                return claim["state"] == "confirmed"

            assert await eventually(swept, every_s=0.3)
        assert await used(buyer, consent) == 1_250
        line.mode = "pass"
        assert (await until_paid(buyer, body, key)).status_code == 201
        assert await posted(bank, customer.payee_id) == 1_250

    async def test_leaves_an_attempt_that_is_under_way(
        self, bank: Bank, buyer, consent, line, monkeypatch
    ):
        line.mode = "hang"
        attempt = asyncio.create_task(buyer.post(PATH, payment(consent), key=uuid4().hex))

        async def claimed():
            return await claims(bank, consent)

        await eventually(claimed)
        async with inside(bank, monkeypatch) as context:
            await flows.sweep(context, older_than=timedelta(0))
        assert len(await claims(bank, consent)) == 1
        await attempt


class TestReservation:
    async def test_of_a_payment_in_review_is_freed_by_the_word_of_a_reviewer(
        self, bank: Bank, buyer, customer, consent
    ):
        bank.kill("risk")
        try:
            made = await until_paid(buyer, payment(consent), uuid4().hex)
        finally:
            bank.start("risk")
        assert made.json()["state"] == "in_review"
        assert made.json()["reason_codes"] == ["risk_unavailable"]
        assert await used(buyer, consent) == 1_250
        async with bank.client("payments", roles=("reviewer",)) as reviewer:
            said = await reviewer.post(
                f"/v1/payments/{made.json()['payment_id']}/review",
                json={"outcome": "decline", "reason": "test"},
            )
            assert said.status_code == 200, said.text

        async def freed():
            return await used(buyer, consent) == 0

        assert await eventually(freed)
        read = await buyer.get(f"{PATH}/{made.json()['payment_id']}")
        assert read.json()["state"] == "rejected"

    async def test_that_is_confirmed_is_not_freed_by_a_word_that_comes_late(
        self, bank: Bank, buyer, customer, consent, monkeypatch
    ):
        made = (await until_paid(buyer, payment(consent), uuid4().hex)).json()
        told = {
            **PaymentRejected.example,
            "payment_id": made["payment_id"],
            "debtor_account": customer.account_id,
        }
        late = Delivery(uuid4(), datetime.now(UTC), PaymentRejected.model_validate(told))
        async with inside(bank, monkeypatch) as context:
            for _ in range(2):
                async with context.database.transaction() as session:
                    await SUBSCRIPTIONS.handlers[PaymentRejected](session, [late])
        assert await used(buyer, consent) == 1_250
