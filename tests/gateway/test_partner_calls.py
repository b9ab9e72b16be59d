"""FAPI 2.0, statements 17 to 21, over HTTP; bounds, limits and problems of every call."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from gateway.problems import PASSED_ON
from services.ledger import domain as ledger
from services.payments import flows as payment_flows
from tests.bank import Bank
from tests.gateway.signing import RSA_KEY, new_key, number, public_jwk
from tests.gateway.support import consent_body, register_partner

PATH = "/v1/payment-consents"


def problem(response: httpx.Response) -> str:
    """The code of a well-formed problem document."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    found = response.json()
    assert found["status"] == response.status_code
    assert found["type"] == f"urn:tongbao:problem:{found['code']}"
    assert found["trace_id"] in response.headers["traceparent"]
    return found["code"]


async def call(partner, *, token=None, proofs=None, scheme="DPoP", **changes):
    """One GET with exactly these headers; `changes` go into the proof."""
    token = partner.token if token is None else token
    if proofs is None:
        proofs = [partner.proof("GET", PATH, **({"token": token} | changes))]
    headers = [("Authorization", f"{scheme} {token}"), *(("DPoP", each) for each in proofs)]
    return await partner.client.get(PATH, headers=headers)


class TestAccessToken:
    @pytest.mark.parametrize("scheme", ["DPoP", "dpop", "DPOP"])
    async def test_counts_in_the_header_whatever_the_case_of_its_scheme(self, partner, scheme):
        assert (await call(partner, scheme=scheme)).status_code == 200

    async def test_is_refused_in_the_query(self, partner):
        response = await partner.client.get(
            f"{PATH}?access_token={partner.token}",
            headers={"DPoP": partner.proof("GET", PATH, token=partner.token)},
        )
        assert response.status_code == 401
        also = await partner.client.get(
            f"{PATH}?access_token={partner.token}", headers=partner.headers("GET", PATH)
        )
        assert also.status_code == 401

    async def test_is_refused_as_bearer_with_or_without_a_proof(self, partner):
        for proofs in (None, []):
            response = await call(partner, scheme="Bearer", proofs=proofs)
            assert response.status_code == 401
            assert problem(response) == "invalid_token"
            assert response.headers["www-authenticate"].startswith("DPoP ")

    async def test_is_refused_without_a_proof(self, partner):
        response = await call(partner, proofs=[])
        assert response.status_code == 401
        assert problem(response) == "invalid_dpop_proof"
        assert 'error="invalid_dpop_proof"' in response.headers["www-authenticate"]

    async def test_is_asked_for_where_there_is_none(self, outside):
        response = await outside.get(PATH)
        assert response.status_code == 401
        assert problem(response) == "invalid_token"
        assert response.headers["www-authenticate"].startswith("DPoP algs=")
        assert "error=" not in response.headers["www-authenticate"]

    async def test_is_refused_twice(self, partner):
        headers = [
            ("Authorization", f"DPoP {partner.token}"),
            ("Authorization", f"DPoP {partner.token}"),
            ("DPoP", partner.proof("GET", PATH, token=partner.token)),
        ]
        assert (await partner.client.get(PATH, headers=headers)).status_code == 401

    async def test_is_refused_when_changed(self, partner):
        head, claims, signature = partner.token.split(".")
        for forged in (
            f"{head}.{claims}.{signature[:-4]}AAAA",
            f"{head}.{claims[:-4]}AAAA.{signature}",
            "x",
            "a.b.c",
            "é",
        ):
            headers = {
                "Authorization": f"DPoP {forged}".encode(),
                "DPoP": partner.proof("GET", PATH, token=forged).encode(),
            }
            response = await partner.client.get(PATH, headers=headers)
            assert response.status_code == 401
            assert problem(response) == "invalid_token"

    async def test_is_refused_with_too_little_scope(self, partner):
        await partner.sign_in(scope="payments")
        response = await partner.get(PATH)
        assert response.status_code == 403
        assert problem(response) == "insufficient_scope"
        assert 'error="insufficient_scope"' in response.headers["www-authenticate"]
        await partner.sign_in(scope="consents")
        assert (await partner.get(PATH)).status_code == 200
        assert problem(await partner.get("/v1/payments")) == "insufficient_scope"

    async def test_is_refused_with_another_key_than_it_is_bound_to(self, partner):
        response = await call(partner, key=new_key())
        assert response.status_code == 401
        assert problem(response) == "invalid_token"


class TestProofOfACall:
    @pytest.mark.parametrize(
        "changes",
        [
            {"header": {"typ": "JWT"}},
            {"absent": "typ"},
            {"header": {"alg": "none"}},
            {"key": RSA_KEY, "header": {"alg": "RS256"}},
            {"absent": "jwk"},
            {"absent": "jti"},
            {"absent": "htm"},
            {"absent": "htu"},
            {"absent": "iat"},
            {"absent": "ath"},
            {"claims": {"htm": "POST"}},
            {"claims": {"htu": "https://elsewhere.example" + PATH}},
            {"claims": {"ath": "x" * 43}},
            {"now": datetime.now(UTC) - timedelta(hours=1)},
            {"now": datetime.now(UTC) + timedelta(hours=1)},
            {"header": {"jwk": public_jwk(new_key())}},
        ],
    )
    async def test_is_refused_when_it_breaks_a_rule(self, partner, changes):
        response = await call(partner, **changes)
        assert response.status_code == 401
        assert problem(response) == "invalid_dpop_proof"

    async def test_is_refused_with_a_private_key_in_it(self, partner):
        secret = number(partner.proof_key.private_numbers().private_value)
        jwk = public_jwk(partner.proof_key) | {"d": secret}
        response = await call(partner, header={"jwk": jwk})
        assert problem(response) == "invalid_dpop_proof"
        assert secret not in response.text

    async def test_is_refused_when_there_are_two(self, partner):
        proofs = [partner.proof("GET", PATH, token=partner.token) for _ in range(2)]
        assert problem(await call(partner, proofs=proofs)) == "invalid_dpop_proof"

    async def test_is_refused_a_second_time(self, partner):
        proofs = [partner.proof("GET", PATH, token=partner.token)]
        assert (await call(partner, proofs=proofs)).status_code == 200
        assert problem(await call(partner, proofs=proofs)) == "invalid_dpop_proof"

    async def test_counts_once_of_many_at_once(self, partner):
        proofs = [partner.proof("GET", PATH, token=partner.token)]
        answers = await asyncio.gather(*(call(partner, proofs=proofs) for _ in range(8)))
        assert sorted(answer.status_code for answer in answers) == [200] + 7 * [401]

    @pytest.mark.parametrize("drift_s", [-9, 9])
    async def test_counts_from_a_clock_that_is_a_little_off(self, partner, drift_s):
        now = datetime.now(UTC) + timedelta(seconds=drift_s)
        assert (await call(partner, now=now)).status_code == 200

    async def test_counts_with_claims_that_are_not_known(self, partner):
        assert (await call(partner, claims={"more": {"deep": [1]}})).status_code == 200

    @pytest.mark.parametrize("suffix", ["?other=1", "#part", "?limit=5#part"])
    async def test_counts_whatever_the_query_and_fragment(self, partner, suffix):
        changes = {"claims": {"htu": partner.origin + PATH + suffix}}
        assert (await call(partner, **changes)).status_code == 200
        response = await partner.client.get(f"{PATH}?limit=5", headers=partner.headers("GET", PATH))
        assert response.status_code == 200

    async def test_counts_whatever_the_case_of_the_scheme(self, partner):
        htu = partner.origin.replace("http", "HTTP") + PATH
        assert (await call(partner, claims={"htu": htu})).status_code == 200


class TestRateLimit:
    async def test_tells_what_is_left_and_refuses_what_is_too_much(
        self, bank: Bank, outside, unique
    ):
        partner = await register_partner(bank, outside, unique, rate_limit_per_minute=3)
        await partner.sign_in()
        answers = [await partner.get(PATH) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[0].headers["ratelimit-policy"] == '"partner";q=3;w=60'
        assert answers[0].headers["ratelimit"].startswith('"partner";r=1;t=')
        assert problem(answers[2]) == "too_many_requests"
        assert int(answers[2].headers["retry-after"]) > 0
        assert "r=0" in answers[2].headers["ratelimit"]

    async def test_is_each_partners_own(self, bank: Bank, outside, unique, partner):
        tired = await register_partner(bank, outside, unique, rate_limit_per_minute=1)
        await tired.sign_in()
        assert (await tired.get(PATH)).status_code == 429
        assert (await partner.get(PATH)).status_code == 200

    async def test_of_zero_lets_nothing_pass(self, bank: Bank, outside, unique):
        partner = await register_partner(bank, outside, unique, rate_limit_per_minute=0)
        assert (await partner.ask_token()).status_code == 429


class TestProblems:
    async def test_name_a_malformed_body(self, partner):
        for body in (b"{", b"", b"[" * 60_000, b'{"a": NaN}', b"\xff"):
            response = await partner.post(PATH, body)
            assert response.status_code in {400, 422}, body
            problem(response)

    async def test_name_a_body_that_is_too_large(self, partner):
        response = await partner.post(PATH, b'{"x": "' + b"x" * 70_000 + b'"}')
        assert response.status_code == 413
        assert problem(response) == "body_too_large"

    async def test_name_a_body_that_is_too_large_and_comes_in_pieces(self, partner):
        async def pieces():
            for _ in range(70):
                yield b"x" * 1_000

        response = await partner.client.post(
            PATH, content=pieces(), headers=partner.headers("POST", PATH)
        )
        assert response.status_code == 413

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"limit_minor": 1.5}, "limit_minor"),
            ({"limit_minor": "5"}, "limit_minor"),
            ({"limit_minor": 0}, "limit_minor"),
            ({"limit_minor": -1}, "limit_minor"),
            ({"limit_minor": 10**16}, "limit_minor"),
            ({"limit_minor": True}, "limit_minor"),
            ({"currency": "cny"}, "currency"),
            ({"payee": {"account_id": "x" * 35, "name": "n"}}, "payee.account_id"),
            ({"payee": {"account_id": "1", "name": " "}}, "payee.name"),
            ({"expires_at": "2030-01-01"}, "expires_at"),
            ({"expires_at": "2026-12-01T00:00:00"}, "expires_at"),
            ({"surprise": 1}, "surprise"),
        ],
    )
    async def test_name_the_field_that_is_wrong(self, partner, fields, field):
        response = await partner.post(PATH, consent_body(**fields))
        assert response.status_code == 422
        assert problem(response) == "invalid_request"
        assert response.json()["errors"][0]["field"] == field

    @pytest.mark.parametrize("key", ["", "x" * 65, "with space", None])
    async def test_name_a_missing_or_malformed_key(self, partner, key):
        headers = partner.headers("POST", PATH)
        if key is not None:
            headers["Idempotency-Key"] = key
        response = await partner.client.post(PATH, json=consent_body(), headers=headers)
        assert response.status_code == 422
        assert response.json()["errors"][0]["field"] == "Idempotency-Key"

    async def test_name_an_unknown_path_and_method(self, outside):
        assert problem(await outside.get("/v1/nothing")) == "not_found"
        assert problem(await outside.delete("/v1/payments")) == "method_not_allowed"


class TestTrace:
    async def test_is_taken_from_the_caller(self, partner):
        trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
        response = await partner.client.get(
            PATH,
            headers=partner.headers("GET", PATH)
            | {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"},
        )
        assert response.headers["traceparent"].split("-")[1] == trace_id

    async def test_is_begun_where_there_is_none(self, outside):
        first = (await outside.get("/")).headers["traceparent"]
        second = (await outside.get("/")).headers["traceparent"]
        assert first.split("-")[1] != second.split("-")[1]


class TestOpenApi:
    async def test_describes_partners_routes_alone(self, outside):
        document = (await outside.get("/v1/openapi.json")).json()
        standard = {path for path in document["paths"] if path.startswith("/open-banking/v4.0/")}
        assert "/open-banking/v4.0/aisp/accounts" in standard
        assert set(document["paths"]) - standard == {
            "/oauth2/par",
            "/oauth2/token",
            "/oauth2/introspect",
            "/oauth2/revoke",
            "/oauth2/register",
            "/oauth2/register/{client_id}",
            "/oauth2/jwks",
            "/.well-known/oauth-authorization-server",
            "/.well-known/openid-configuration",
            "/v1/payment-consents",
            "/v1/payment-consents/{consent_id}",
            "/v1/payment-consents/{consent_id}/revocation",
            "/v1/payments",
            "/v1/payments/{payment_id}",
            "/v1/usage",
            "/v1/webhook-endpoints",
            "/v1/webhook-endpoints/{endpoint_id}",
            "/v1/webhook-endpoints/{endpoint_id}/activation",
            "/v1/webhook-endpoints/{endpoint_id}/deliveries",
            "/v1/webhook-endpoints/{endpoint_id}/deliveries/{message_id}/replay",
            "/v1/webhook-endpoints/{endpoint_id}/replay",
            "/v1/webhook-endpoints/{endpoint_id}/secret-rotation",
            "/v1/webhook-endpoints/{endpoint_id}/test",
        }

    async def test_holds_nothing_of_staff_customers_or_operations(self, outside):
        text = (await outside.get("/v1/openapi.json")).text
        for internal in ("/v1/partners", "/v1/me", "dead-letters", "metrics", "risk_score"):
            assert internal not in text

    async def test_has_an_example_for_every_error_and_a_security_scheme(self, outside):
        document = (await outside.get("/v1/openapi.json")).json()
        assert document["components"]["securitySchemes"]["dpop"]["scheme"] == "DPoP"
        for path, operations in document["paths"].items():
            if not path.startswith("/v1/"):
                continue
            for operation in operations.values():
                assert operation["security"] == [{"dpop": []}]
                assert operation["tags"]
                for status, answer in operation["responses"].items():
                    if status >= "400":
                        examples = answer["content"]["application/problem+json"]["examples"]
                        assert examples, (path, status)
                        for code, example in examples.items():
                            assert example["value"]["code"] == code
                            assert str(example["value"]["status"]) == status

    def test_tells_of_passed_on_refusals_what_their_services_declare(self):
        declared = {
            error.code: (error.status, error.title)
            for error in (
                ledger.AccountNotFound,
                ledger.DestinationNotFound,
                ledger.AccountFrozen,
                ledger.CurrencyMismatch,
                ledger.InsufficientFunds,
                payment_flows.SameAccount,
                payment_flows.PaymentLapsed,
            )
        }
        assert declared == PASSED_ON

    async def test_refers_to_nothing_that_is_missing(self, outside):
        document = (await outside.get("/v1/openapi.json")).json()
        for name in re.findall(r"#/components/schemas/(\w+)", str(document)):
            assert name in document["components"]["schemas"]
