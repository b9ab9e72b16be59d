"""Payments through gateway, payments, risk and ledger, as a partner meets them."""

import asyncio
import json
from uuid import UUID, uuid4

import httpx
import pytest

from tests.bank import Bank, eventually
from tests.gateway.customers import authorized_consent, new_consent, new_customer
from tests.gateway.support import Partner, register_partner
from tests.ledger.support import balance, open_account

PATH = "/v1/payments"


def payment(consent, **fields):
    return {
        "consent_id": consent["consent_id"],
        "amount_minor": 1_250,
        "currency": "CNY",
        "creditor": consent["payee"],
        "end_to_end_id": "order-1",
    } | fields


async def until_paid(partner: Partner, body, key: str) -> httpx.Response:
    """Asks again with the same key until there is an answer, as a partner is told to."""

    async def answered():
        response = await partner.post(PATH, body, key=key)
        if response.status_code == 503:
            assert int(response.headers["retry-after"]) >= 1
            return None
        return response

    return await eventually(answered, within_s=120, every_s=0.3)


async def used(partner: Partner, consent) -> int:
    read = await partner.get(f"/v1/payment-consents/{consent['consent_id']}")
    return read.json()["used_minor"]


async def posted(bank: Bank, account_id: str) -> int:
    async with bank.client("ledger", roles=("operator",)) as ledger:
        return (await balance(ledger, account_id))["posted_minor"]


async def claims(bank: Bank, consent) -> list:
    connection = await bank.connect("gateway")
    try:
        return await connection.fetch(
            "SELECT * FROM payment_claims WHERE consent_id = $1", UUID(consent["consent_id"])
        )
    finally:
        await connection.close()


@pytest.fixture
async def consent(bank: Bank, shop, customer):
    return await authorized_consent(bank, shop, customer)


class TestPayment:
    async def test_answers_with_an_outcome_and_can_be_read_and_listed(
        self, bank: Bank, shop, customer, consent
    ):
        made = await shop.post(PATH, payment(consent, remittance="two teas"))
        assert made.status_code == 201, made.text
        answer = made.json()
        assert answer["state"] in {"settled", "rejected", "in_review"}
        assert answer["amount_minor"] == 1_250
        assert answer["remittance"] == "two teas"
        assert answer["trace_id"] in made.headers["traceparent"]
        read = await shop.get(f"{PATH}/{answer['payment_id']}")
        assert read.status_code == 200
        assert read.json()["payment_id"] == answer["payment_id"]
        listed = (await shop.get(PATH)).json()["items"]
        assert [item["payment_id"] for item in listed] == [answer["payment_id"]]

    async def test_moves_the_money_and_uses_up_the_consent(
        self, bank: Bank, shop, customer, consent
    ):
        made = (await shop.post(PATH, payment(consent))).json()
        assert made["state"] == "settled", made
        assert await posted(bank, customer.account_id) == 100_000 - 1_250
        assert await posted(bank, customer.payee_id) == 1_250
        assert await used(shop, consent) == 1_250

    async def test_tells_the_partner_nothing_that_is_the_customers(
        self, bank: Bank, shop, customer, consent
    ):
        text = (await shop.post(PATH, payment(consent))).text
        text += (await shop.get(PATH)).text
        for secret in (customer.customer_id, customer.account_id, "risk_score"):
            assert secret not in text

    async def test_answers_the_same_key_with_the_same_bytes_and_pays_once(
        self, bank: Bank, shop, customer, consent
    ):
        key, body = uuid4().hex, payment(consent)
        first = await shop.post(PATH, body, key=key)
        # White space and the order of the fields are not the body.
        spread = json.dumps(dict(reversed(body.items())), indent=3).encode()
        again = await shop.post(PATH, spread, key=key)
        assert again.status_code == first.status_code == 201
        assert again.content == first.content
        assert await posted(bank, customer.payee_id) == 1_250
        assert await used(shop, consent) == 1_250

    async def test_refuses_another_body_under_the_same_key(
        self, bank: Bank, shop, customer, consent
    ):
        key = uuid4().hex
        await shop.post(PATH, payment(consent), key=key)
        other = await shop.post(PATH, payment(consent, amount_minor=1), key=key)
        assert other.status_code == 422
        assert other.json()["code"] == "idempotency_key_reused"
        assert await used(shop, consent) == 1_250

    async def test_sent_many_times_at_once_has_one_effect_and_one_answer(
        self, bank: Bank, shop, customer, consent
    ):
        key, body = uuid4().hex, payment(consent)
        answers = await asyncio.gather(*(shop.post(PATH, body, key=key) for _ in range(8)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
        assert await posted(bank, customer.payee_id) == 1_250
        assert await used(shop, consent) == 1_250

    async def test_has_a_key_of_each_partner(self, bank: Bank, shop, customer, consent, unique):
        other = await register_partner(bank, shop.client, f"o-{unique}")
        await other.sign_in()
        own = await authorized_consent(bank, other, customer)
        key = uuid4().hex
        first = await shop.post(PATH, payment(consent), key=key)
        second = await other.post(PATH, payment(own), key=key)
        assert first.json()["payment_id"] != second.json()["payment_id"]

    async def test_is_not_found_by_another_partner(
        self, bank: Bank, shop, customer, consent, unique
    ):
        made = (await shop.post(PATH, payment(consent))).json()
        other = await (await register_partner(bank, shop.client, f"o-{unique}")).sign_in()
        hidden = await other.get(f"{PATH}/{made['payment_id']}")
        assert hidden.status_code == 404
        assert hidden.json()["code"] == "payment_not_found"
        assert (await other.get(PATH)).json()["items"] == []
        borrowed = await other.post(PATH, payment(consent))
        assert borrowed.status_code == 404
        assert borrowed.json()["code"] == "consent_not_found"

    async def test_is_one_trace_from_the_gateway_to_the_ledger(
        self, bank: Bank, shop, customer, consent
    ):
        made = await shop.post(PATH, payment(consent))
        trace_id = made.json()["trace_id"]

        async def everywhere():
            return all(
                trace_id in bank.log(service).read_text()
                for service in ("gateway", "payments", "risk", "ledger")
            )

        assert await eventually(everywhere)


class TestRefusedPayment:
    @pytest.mark.parametrize(
        ("fields", "status", "code"),
        [
            ({"currency": "EUR"}, 422, "consent_currency_mismatch"),
            ({"amount_minor": 10_001}, 422, "consent_limit_exceeded"),
            ({"amount_minor": -1}, 422, "invalid_request"),
            ({"amount_minor": 0}, 422, "invalid_request"),
            ({"amount_minor": 12.5}, 422, "invalid_request"),
            ({"amount_minor": "12"}, 422, "invalid_request"),
            ({"creditor": {"account_id": "else", "name": "x"}}, 422, "consent_payee_mismatch"),
            ({"end_to_end_id": "x" * 36}, 422, "invalid_request"),
            ({"surprise": 1}, 422, "invalid_request"),
        ],
    )
    async def test_leaves_nothing_behind_and_its_key_free(
        self, bank: Bank, shop, customer, consent, fields, status, code
    ):
        key = uuid4().hex
        refused = await shop.post(PATH, payment(consent, **fields), key=key)
        assert refused.status_code == status, refused.text
        assert refused.json()["code"] == code
        assert await used(shop, consent) == 0
        assert await claims(bank, consent) == []
        assert (await shop.get(PATH)).json()["items"] == []
        assert (await shop.post(PATH, payment(consent), key=key)).status_code == 201

    async def test_without_funds_is_the_ledgers_own_word(self, bank: Bank, shop, customer):
        consent = await authorized_consent(bank, shop, customer, limit_minor=1_000_000)
        key = uuid4().hex
        refused = await shop.post(PATH, payment(consent, amount_minor=100_001), key=key)
        assert refused.status_code == 422
        assert refused.json()["code"] == "insufficient_funds"
        assert refused.headers["content-type"] == "application/problem+json"
        assert await used(shop, consent) == 0
        assert await claims(bank, consent) == []
        assert (await shop.get(PATH)).json()["items"] == []
        async with bank.client("ledger", roles=("operator",)) as ledger:
            assert (await balance(ledger, customer.account_id))["held_minor"] == 0
        # The refusal is not stored: the same request is tried again, not answered from memory.
        again = await shop.post(PATH, payment(consent, amount_minor=100_001), key=key)
        assert again.json()["code"] == "insufficient_funds"

    async def test_to_an_account_that_is_not_there_is_refused(self, bank: Bank, shop, customer):
        customer.payee_id = "nowhere"
        consent = await authorized_consent(bank, shop, customer)
        refused = await shop.post(PATH, payment(consent))
        assert refused.status_code == 404
        assert refused.json()["code"] == "destination_not_found"
        assert await claims(bank, consent) == []

    async def test_to_an_account_in_another_currency_is_refused(
        self, bank: Bank, shop, customer, unique
    ):
        customer.payee_id = f"eur-{unique}"
        async with bank.client("ledger", roles=("operator",)) as ledger:
            await open_account(ledger, customer.payee_id, currency="EUR")
        consent = await authorized_consent(bank, shop, customer)
        refused = await shop.post(PATH, payment(consent))
        assert refused.status_code == 422
        assert refused.json()["code"] == "currency_mismatch"
        assert await claims(bank, consent) == []

    async def test_under_a_revoked_consent_is_refused_and_an_accepted_answer_stays(
        self, bank: Bank, shop, customer, consent
    ):
        key = uuid4().hex
        first = await shop.post(PATH, payment(consent), key=key)
        await shop.post(f"/v1/payment-consents/{consent['consent_id']}/revocation")
        refused = await shop.post(PATH, payment(consent))
        assert refused.status_code == 403
        assert refused.json()["code"] == "consent_not_authorized"
        assert (await shop.post(PATH, payment(consent), key=key)).content == first.content

    async def test_is_refused_without_a_token_for_payments(self, shop, consent):
        await shop.sign_in(scope="consents")
        refused = await shop.post(PATH, payment(consent))
        assert refused.status_code == 403
        assert refused.json()["code"] == "insufficient_scope"


class TestConsentLimit:
    async def test_holds_for_payments_that_come_at_once(self, bank: Bank, shop, customer, consent):
        answers = await asyncio.gather(
            *(shop.post(PATH, payment(consent, amount_minor=3_000)) for _ in range(6))
        )
        codes = sorted(answer.status_code for answer in answers)
        assert codes == [201] * 3 + [422] * 3
        refused = [answer.json() for answer in answers if answer.status_code == 422]
        assert {problem["code"] for problem in refused} == {"consent_limit_exceeded"}
        states = [answer.json()["state"] for answer in answers if answer.status_code == 201]
        kept = sum(state != "rejected" for state in states)
        assert await used(shop, consent) == 3_000 * kept

    async def test_counts_all_payments_together(self, bank: Bank, shop, customer, consent):
        assert (await shop.post(PATH, payment(consent, amount_minor=9_999))).status_code == 201
        over = await shop.post(PATH, payment(consent, amount_minor=2))
        assert over.json()["code"] == "consent_limit_exceeded"
        assert over.json()["errors"][0]["expected"] == "at most 1 minor units"


class TestBalance:
    async def test_that_carries_one_of_64_payments_at_once_settles_exactly_one(
        self, bank: Bank, shop, unique
    ):
        customer = await new_customer(bank, f"one{unique}"[:14], funds=5_000)
        consent = await authorized_consent(bank, shop, customer, limit_minor=10**9)
        answers = await asyncio.gather(
            *(
                until_paid(shop, payment(consent, amount_minor=5_000), uuid4().hex)
                for _ in range(64)
            )
        )
        outcomes = [answer.json().get("state") or answer.json()["code"] for answer in answers]
        taken = [outcome for outcome in outcomes if outcome in {"settled", "in_review"}]
        assert len(taken) == 1, outcomes
        assert set(outcomes) <= {"settled", "in_review", "rejected", "insufficient_funds"}
        assert await used(shop, consent) == 5_000


class TestUnauthorizedConsent:
    async def test_pays_nothing_while_the_customer_has_not_agreed(self, bank: Bank, shop, customer):
        consent = await new_consent(shop, customer)
        refused = await shop.post(PATH, payment(consent))
        assert refused.status_code == 403
        assert await posted(bank, customer.payee_id) == 0
