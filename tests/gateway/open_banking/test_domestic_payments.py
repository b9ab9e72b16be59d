"""Domestic payments of UK Open Banking v4.0: signed, idempotent, once for each consent."""

import json
import time
from base64 import urlsafe_b64decode
from typing import Any
from uuid import uuid4

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.bank import Bank
from tests.gateway.customers import Customer, code_of
from tests.gateway.fapi.support import App, Window, answer_of, new_app
from tests.gateway.open_banking.standard import Standard
from tests.gateway.open_banking.support import own_token
from tests.gateway.signing import alg_of, b64, new_key, raw_signature
from tests.ledger.support import balance

CONSENTS = "/open-banking/v4.0/pisp/domestic-payment-consents"
PAYMENTS = "/open-banking/v4.0/pisp/domestic-payments"
CLAIM = "http://openbanking.org.uk/"


def detached(app: App, body: bytes, **changes: Any) -> str:
    """`changes` override the header; None leaves a parameter out; `key` signs."""
    key = changes.pop("key", app.key)
    claims = {f"{CLAIM}iat": int(time.time()), f"{CLAIM}iss": app.client_id, f"{CLAIM}tan": "x"}
    header = {"alg": alg_of(key), "kid": "k1", "crit": list(claims), **claims} | changes
    header = {name: value for name, value in header.items() if value is not None}
    head = b64(json.dumps(header).encode())
    payload = body if header.get("b64") is False else b64(body).encode()
    signature = raw_signature(key, header.get("alg", alg_of(key)), head.encode() + b"." + payload)
    return f"{head}..{b64(signature)}"


async def write(
    app: App, path: str, body: Any, *, token: str, key: str | None = None, **headers: Any
) -> httpx.Response:
    content = json.dumps(body).encode()
    told = {
        "Authorization": f"DPoP {token}",
        "DPoP": app.proof("POST", path, token=token),
        "Content-Type": "application/json",
        "x-idempotency-key": key or uuid4().hex,
        "x-jws-signature": detached(app, content),
    } | headers
    told = {name: value for name, value in told.items() if value is not None}
    return await app.http.post(path, content=content, headers=told)


async def read(app: App, path: str, token: str) -> httpx.Response:
    told = {"Authorization": f"DPoP {token}", "DPoP": app.proof("GET", path, token=token)}
    return await app.http.get(path, headers=told)


def order(customer: Customer, amount: str = "12.30", **initiation: Any) -> dict[str, Any]:
    return {
        "Data": {
            "Initiation": {
                "InstructionIdentification": "I-1",
                "EndToEndIdentification": "E2E-1",
                "InstructedAmount": {"Amount": amount, "Currency": "CNY"},
                "CreditorAccount": {
                    "SchemeName": "CN.Tongbao.AccountNumber",
                    "Identification": customer.payee_id,
                    "Name": "Corner Shop",
                },
                "RemittanceInformation": {"Unstructured": ["Invoice 7"]},
            }
            | initiation
        },
        "Risk": {"PaymentContextCode": "TransferToThirdParty"},
    }


@pytest.fixture(scope="module")
async def payer(bank: Bank, http: httpx.AsyncClient) -> App:
    return await new_app(bank, http, "payer-obie")


async def authorized(
    bank: Bank, app: App, customer: Customer, body: dict[str, Any], standard: Standard
) -> str:
    """The consent's id; the app then holds the customer's token for it."""
    token = await own_token(app, "payments")
    asked = standard.check(await write(app, CONSENTS, body, token=token))
    assert asked["Data"]["Status"] == "AWAU"
    consent_id = asked["Data"]["ConsentId"]
    request_uri = await app.pushed(scope="payments", openbanking_intent_id=consent_id)
    async with httpx.AsyncClient(base_url=app.origin, timeout=30) as browser:
        window = Window(app, request_uri, browser)
        assert (await window.sign_in(customer)).status_code == 303
        for words in ("Corner Shop", customer.payee_id):
            assert words in window.last.text
        code = code_of(bank, customer.customer_id)["code"]
        answer = answer_of(await window.approve(customer.account_id, code=code))
    await app.tokens(answer["code"])
    return consent_id


class TestPayment:
    async def test_moves_the_money_once_and_says_so_as_published(
        self, bank: Bank, standard: Standard, payer: App, customer: Customer
    ):
        body = order(customer)
        consent_id = await authorized(bank, payer, customer, body, standard)
        token = await own_token(payer, "payments")
        held = standard.check(await read(payer, f"{CONSENTS}/{consent_id}", token))
        assert held["Data"]["Status"] == "AUTH"
        funds = await read(payer, f"{CONSENTS}/{consent_id}/funds-confirmation", payer.token)
        assert standard.check(funds)["Data"]["FundsAvailableResult"]["FundsAvailable"] is True
        async with bank.client("ledger", roles=("operator",)) as ledger:
            before = (await balance(ledger, customer.account_id))["posted_minor"]
            pay = {**body, "Data": {**body["Data"], "ConsentId": consent_id}}
            first = await write(payer, PAYMENTS, pay, token=payer.token, key="pay-once")
            paid = standard.check(first)
            assert first.status_code == 201
            assert paid["Data"]["Status"] in {"ACSC", "PDNG"}, paid
            again = await write(payer, PAYMENTS, pay, token=payer.token, key="pay-once")
            assert standard.check(again)["Data"] == paid["Data"]
            other = await write(payer, PAYMENTS, pay, token=payer.token, key="pay-twice")
            assert other.status_code == 400
            assert standard.check(other)["Errors"][0]["ErrorCode"] == "U009"
            after = await balance(ledger, customer.account_id)
            assert after["posted_minor"] - after["held_minor"] == before - 1_230
        path = f"{PAYMENTS}/{paid['Data']['DomesticPaymentId']}"
        assert standard.check(await read(payer, path, token))["Data"]["ConsentId"] == consent_id
        assert (
            standard.check(await read(payer, f"{CONSENTS}/{consent_id}", token))["Data"]["Status"]
            == "COND"
        )
        nobodys = await read(payer, f"{PAYMENTS}/{uuid4()}", token)
        assert standard.check(nobodys)["Errors"][0]["ErrorCode"] == "U011"

    async def test_is_the_one_that_was_consented_to(
        self, bank: Bank, standard: Standard, payer: App, customer: Customer
    ):
        body = order(customer, "5")
        consent_id = await authorized(bank, payer, customer, body, standard)
        more = order(customer, "50")
        elsewhere = order(
            customer,
            "5",
            CreditorAccount=body["Data"]["Initiation"]["CreditorAccount"] | {"Name": "Other Shop"},
        )
        risk = body | {"Risk": {}}
        for changed, place in (
            (more, "InstructedAmount"),
            (elsewhere, "CreditorAccount"),
            (risk, "Risk"),
        ):
            asked = {**changed, "Data": {**changed["Data"], "ConsentId": consent_id}}
            refused = await write(payer, PAYMENTS, asked, token=payer.token)
            assert refused.status_code == 400
            error = standard.check(refused)["Errors"][0]
            assert error["ErrorCode"] == "U008"
            assert place in error["Path"]
        strange = {**body, "Data": {**body["Data"], "ConsentId": str(uuid4())}}
        answer = await write(payer, PAYMENTS, strange, token=payer.token)
        assert standard.check(answer)["Errors"][0]["Path"] == "Data.ConsentId"

    async def test_that_the_account_does_not_carry_leaves_nothing(
        self, bank: Bank, standard: Standard, payer: App, customer: Customer
    ):
        body = order(customer, "9000000.00")
        consent_id = await authorized(bank, payer, customer, body, standard)
        funds = await read(payer, f"{CONSENTS}/{consent_id}/funds-confirmation", payer.token)
        assert standard.check(funds)["Data"]["FundsAvailableResult"]["FundsAvailable"] is False
        asked = {**body, "Data": {**body["Data"], "ConsentId": consent_id}}
        refused = await write(payer, PAYMENTS, asked, token=payer.token)
        assert refused.status_code == 400
        assert standard.check(refused)["Errors"][0]["ErrorCode"] == "AM04"
        token = await own_token(payer, "payments")
        held = standard.check(await read(payer, f"{CONSENTS}/{consent_id}", token))
        assert held["Data"]["Status"] == "AUTH"


class TestConsent:
    async def test_is_one_for_its_key_and_refuses_what_the_bank_does_not_pay(
        self, standard: Standard, payer: App, customer: Customer
    ):
        token = await own_token(payer, "payments")
        body, key = order(customer), uuid4().hex
        first = standard.check(await write(payer, CONSENTS, body, token=token, key=key))
        again = standard.check(await write(payer, CONSENTS, body, token=token, key=key))
        assert first["Data"]["ConsentId"] == again["Data"]["ConsentId"]
        other = await write(payer, CONSENTS, order(customer, "1"), token=token, key=key)
        assert other.status_code == 400
        cases = [
            (order(customer, "1.234"), "U002", "Amount"),
            (order(customer, "0.00"), "U002", "Amount"),
            (order(customer, CreditorAgent={"Identification": "X"}), "U005", "CreditorAgent"),
            (
                order(
                    customer, DebtorAccount={"SchemeName": "UK.OBIE.IBAN", "Identification": "1"}
                ),
                "U027",
                "SchemeName",
            ),
        ]
        for refused, code, place in cases:
            answer = await write(payer, CONSENTS, refused, token=token)
            assert answer.status_code == 400, answer.text
            error = standard.check(answer)["Errors"][0]
            assert (error["ErrorCode"], error["Path"].rsplit(".", 1)[-1]) == (code, place)
        keyless = await write(payer, CONSENTS, body, token=token, **{"x-idempotency-key": None})
        assert standard.check(keyless)["Errors"][0]["ErrorCode"] == "U007"


class TestSignature:
    async def test_is_the_clients_own_over_the_very_bytes(
        self, standard: Standard, payer: App, customer: Customer
    ):
        token = await own_token(payer, "payments")
        body = order(customer)
        content = json.dumps(body).encode()
        critical = [f"{CLAIM}iat", f"{CLAIM}iss", f"{CLAIM}tan"]
        good = detached(payer, content)
        cases = [
            (None, "U019"),
            ("x", "U018"),
            (good.replace("..", f".{b64(content)}."), "U018"),
            (detached(payer, content + b" "), "U015"),
            (detached(payer, content, key=new_key()), "U015"),
            (detached(payer, content, kid=None), "U017"),
            (detached(payer, content, kid="k2"), "U016"),
            (detached(payer, content, alg="none"), "U016"),
            (detached(payer, content, crit=critical[:2]), "U016"),
            (detached(payer, content, crit=[*critical, "exp"], exp=1), "U016"),
            (detached(payer, content, b64=False), "U016"),
            (detached(payer, content, **{f"{CLAIM}iss": "other"}), "U016"),
            (detached(payer, content, **{f"{CLAIM}tan": None}), "U017"),
            (detached(payer, content, **{f"{CLAIM}iat": int(time.time()) + 600}), "U016"),
            (detached(payer, content, **{f"{CLAIM}iat": int(time.time()) - 7200}), "U016"),
        ]
        for signature, code in cases:
            answer = await write(
                payer, CONSENTS, body, token=token, **{"x-jws-signature": signature}
            )
            assert answer.status_code == 400, (signature, answer.text)
            assert standard.check(answer)["Errors"][0]["ErrorCode"] == code, signature
        unencoded = detached(payer, content, b64=False, crit=[*critical, "b64"])
        answer = await write(payer, CONSENTS, body, token=token, **{"x-jws-signature": unencoded})
        assert answer.status_code == 201, answer.text

    async def test_of_the_bank_covers_its_answers(self, payer: App, customer: Customer):
        token = await own_token(payer, "payments")
        answer = await write(payer, CONSENTS, order(customer), token=token)
        head, payload, signature = answer.headers["x-jws-signature"].split(".")
        assert payload == ""
        header = json.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))
        keys = (await payer.http.get("/oauth2/jwks")).json()["keys"]
        jwk = next(key for key in keys if key["kid"] == header["kid"])
        n, e = (int.from_bytes(urlsafe_b64decode(jwk[part] + "==")) for part in ("n", "e"))
        rsa.RSAPublicNumbers(e, n).public_key().verify(
            urlsafe_b64decode(signature + "=="),
            f"{head}.{b64(answer.content)}".encode(),
            padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32),
            hashes.SHA256(),
        )
