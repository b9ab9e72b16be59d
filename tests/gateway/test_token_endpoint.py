"""FAPI 2.0, statements 2 to 5, over HTTP; RFC 6749 and 9449 for the answers."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import requests
from requests_oauth2client import OAuth2Client, PrivateKeyJwt

from tests.bank import Bank
from tests.gateway.signing import RSA_KEY, b64, new_key, public_jwk, thumbprint
from tests.gateway.support import gateway_process, register_partner


def error_of(response: httpx.Response) -> str:
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert set(response.json()) == {"error", "error_description"}
    return response.json()["error"]


class TestTokenEndpoint:
    @pytest.mark.parametrize("kind", ["PS256", "ES256", "Ed25519"])
    async def test_gives_a_token_bound_to_the_key_of_the_proof(
        self, bank: Bank, outside, unique, kind
    ):
        partner = await register_partner(bank, outside, unique, key=new_key(kind))
        partner.proof_key = new_key(kind)
        response = await partner.ask_token()
        assert response.status_code == 200, response.text
        token = response.json()
        assert token["token_type"] == "DPoP"
        assert token["expires_in"] == 300
        assert token["scope"] == "consents payments"
        assert response.headers["cache-control"] == "no-store"
        claims = requests_claims(token["access_token"])
        assert claims["cnf"] == {"jkt": thumbprint(partner.proof_key)}
        assert claims["iss"] == claims["aud"] == partner.origin
        assert claims["client_id"] == claims["sub"] == unique

    async def test_gives_no_more_than_the_scope_that_was_asked_for(self, partner):
        response = await partner.ask_token(scope="consents")
        assert response.json()["scope"] == "consents"
        assert error_of(await partner.ask_token(scope="consents everything")) == "invalid_scope"

    async def test_gives_no_token_without_a_proof(self, partner):
        response = await partner.ask_token(proof_headers=[])
        assert response.status_code == 400
        assert error_of(response) == "invalid_request"

    async def test_gives_no_token_with_two_proofs_or_a_wrong_one(self, partner):
        path = "/oauth2/token"
        good = [partner.proof("POST", path), partner.proof("POST", path)]
        assert error_of(await partner.ask_token(proof_headers=good)) == "invalid_dpop_proof"
        wrong = [partner.proof("POST", "/oauth2/other")]
        assert error_of(await partner.ask_token(proof_headers=wrong)) == "invalid_dpop_proof"

    async def test_takes_a_proof_once(self, partner):
        proof = [partner.proof("POST", "/oauth2/token")]
        assert (await partner.ask_token(proof_headers=proof)).status_code == 200
        assert error_of(await partner.ask_token(proof_headers=proof)) == "invalid_dpop_proof"

    async def test_takes_a_client_assertion_once(self, partner):
        assertion = partner.assertion()
        assert (await partner.ask_token(client_assertion=assertion)).status_code == 200
        again = await partner.ask_token(client_assertion=assertion)
        assert again.status_code == 401
        assert error_of(again) == "invalid_client"

    async def test_takes_one_of_many_at_once_with_the_same_assertion(self, partner):
        assertion = partner.assertion()
        answers = await asyncio.gather(
            *(partner.ask_token(client_assertion=assertion) for _ in range(8))
        )
        assert sorted(answer.status_code for answer in answers) == [200] + 7 * [401]

    @pytest.mark.parametrize(
        "changes",
        [
            {"claims": {"aud": ["ISSUER"]}},
            {"claims": {"aud": "ISSUER/oauth2/token"}},
            {"claims": {"aud": "ISSUER/oauth2/par"}},
            {"claims": {"aud": "ISSUER/"}},
            {"absent": "sub"},
            {"absent": "iss"},
            {"absent": "exp"},
            {"absent": "jti"},
            {"claims": {"iss": "somebody"}},
            {"now": datetime.now(UTC) - timedelta(minutes=5)},
            {"claims": {"exp": 4102444800}},
            {"claims": {"nbf": 4102444800}},
            {"header": {"alg": "none"}},
        ],
    )
    async def test_refuses_an_assertion_that_breaks_a_rule(self, partner, changes):
        claims = changes.get("claims", {})
        if isinstance(claims.get("aud"), list):
            claims = {"aud": [partner.origin]}
        elif isinstance(claims.get("aud"), str):
            claims = {"aud": claims["aud"].replace("ISSUER", partner.origin)}
        assertion = partner.assertion(**(changes | ({"claims": claims} if claims else {})))
        response = await partner.ask_token(client_assertion=assertion)
        assert response.status_code == 401
        assert error_of(response) == "invalid_client"

    async def test_refuses_rs256_though_the_signature_is_right(self, bank: Bank, outside, unique):
        partner = await register_partner(bank, outside, unique, key=RSA_KEY)
        response = await partner.ask_token(
            client_assertion=partner.assertion(header={"alg": "RS256"})
        )
        assert error_of(response) == "invalid_client"

    @pytest.mark.parametrize(("ahead_s", "status"), [(8, 200), (62, 401)])
    async def test_tolerates_a_clock_that_runs_a_little_fast(self, partner, ahead_s, status):
        late = datetime.now(UTC) + timedelta(seconds=ahead_s)
        assertion = partner.assertion(now=late, claims={"nbf": int(late.timestamp())})
        assert (await partner.ask_token(client_assertion=assertion)).status_code == status

    async def test_refuses_an_unknown_client_in_the_words_for_a_known_one(self, partner):
        partner.partner_id = "p-nobody"
        unknown = await partner.ask_token()
        assert error_of(unknown) == "invalid_client"
        assert "p-nobody" not in unknown.text

    async def test_refuses_a_client_id_that_names_another(self, partner):
        assert error_of(await partner.ask_token(client_id="p-other")) == "invalid_client"
        assert (await partner.ask_token(client_id=partner.partner_id)).status_code == 200

    @pytest.mark.parametrize("grant", ["password", "implicit", "urn:x", "x"])
    async def test_knows_no_other_grant(self, partner, grant):
        response = await partner.ask_token(grant_type=grant)
        assert response.status_code == 400
        assert error_of(response) == "unsupported_grant_type"

    @pytest.mark.parametrize(
        "body", [b"", b"\xff", b"grant_type", b"a=%zz%", b"x=1&" * 30, b"a=1&a=2"]
    )
    async def test_refuses_a_body_that_is_no_form(self, outside, body):
        response = await outside.post(
            "/oauth2/token",
            content=body,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        assert response.status_code == 400
        assert error_of(response) == "invalid_request"

    async def test_refuses_json_and_repeated_fields(self, outside, partner):
        as_json = await outside.post("/oauth2/token", json={"grant_type": "client_credentials"})
        assert error_of(as_json) == "invalid_request"

    async def test_knows_no_client_secret(self, outside):
        response = await outside.post(
            "/oauth2/token",
            data={"grant_type": "client_credentials", "client_id": "x", "client_secret": "y"},
        )
        assert error_of(response) == "invalid_client"

    async def test_limits_tokens_as_calls(self, bank: Bank, outside, unique):
        partner = await register_partner(bank, outside, unique, rate_limit_per_minute=2)
        answers = [await partner.ask_token() for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert int(answers[2].headers["retry-after"]) > 0

    async def test_remembers_assertions_and_proofs_after_a_restart(
        self, bank: Bank, outside, unique
    ):
        with gateway_process(bank) as url:
            async with httpx.AsyncClient(base_url=url) as client:
                partner = await register_partner(bank, client, unique)
                assertion, proof = partner.assertion(), partner.proof("POST", "/oauth2/token")
                first = await partner.ask_token(client_assertion=assertion, proof_headers=[proof])
                assert first.status_code == 200
        with gateway_process(bank, PUBLIC_URL=url) as again_url:
            async with httpx.AsyncClient(base_url=again_url) as client:
                partner.client = client
                reused = await partner.ask_token(client_assertion=assertion)
                assert error_of(reused) == "invalid_client"
                replayed = await partner.ask_token(proof_headers=[proof])
                assert error_of(replayed) == "invalid_dpop_proof"
                # What the first process signed still counts: its public key outlived it.
                partner.token = first.json()["access_token"]
                assert (await partner.get("/v1/payment-consents")).status_code == 200


class TestMetadata:
    async def test_tells_what_exists_and_no_more(self, outside, lone_gateway):
        found = (await outside.get("/.well-known/oauth-authorization-server")).json()
        assert found["issuer"] == lone_gateway
        assert found["token_endpoint"] == f"{lone_gateway}/oauth2/token"
        assert (await outside.get("/.well-known/openid-configuration")).json() == found
        assert set(found["grant_types_supported"]) == {
            "authorization_code",
            "refresh_token",
            "client_credentials",
        }
        assert found["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
        allowed = {"PS256", "ES256", "Ed25519", "EdDSA"}
        assert set(found["token_endpoint_auth_signing_alg_values_supported"]) == allowed
        assert set(found["dpop_signing_alg_values_supported"]) == allowed
        assert found["response_types_supported"] == ["code"]
        assert found["code_challenge_methods_supported"] == ["S256"]
        assert found["require_pushed_authorization_requests"] is True
        assert found["authorization_response_iss_parameter_supported"] is True

    async def test_shows_public_keys_alone_under_names_of_their_own(self, outside, partner):
        keys = (await outside.get("/oauth2/jwks")).json()["keys"]
        assert keys
        assert len({key["kid"] for key in keys}) == len(keys)
        assert all("d" not in key for key in keys)


class TestOutsideClient:
    """`requests-oauth2client`, a library that knows nothing of this bank."""

    @pytest.mark.parametrize(("kind", "alg"), [("ES256", "ES256"), ("PS256", "PS256")])
    async def test_gets_a_token_and_calls_with_it(self, bank: Bank, outside, unique, kind, alg):
        key = new_key(kind)
        partner = await register_partner(bank, outside, unique, key=key)
        client = OAuth2Client(
            token_endpoint=f"{partner.origin}/oauth2/token",
            auth=PrivateKeyJwt(
                unique, private_jwk(key) | {"kid": "1"}, alg=alg, aud=partner.origin
            ),
            dpop_bound_access_tokens=True,
            testing=True,
        )

        def call() -> requests.Response:
            token = client.client_credentials()
            return requests.get(
                f"{partner.origin}/v1/payment-consents?limit=1", auth=token, timeout=30
            )

        response = await asyncio.to_thread(call)
        assert response.status_code == 200
        assert response.json()["items"] == []


def requests_claims(token: str) -> dict:
    import json
    from base64 import urlsafe_b64decode

    part = token.split(".")[1]
    return json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def private_jwk(key) -> dict:
    numbers = key.private_numbers()
    if hasattr(numbers, "private_value"):
        return public_jwk(key) | {"d": b64(numbers.private_value.to_bytes(32))}

    def num(value: int) -> str:
        return b64(value.to_bytes((value.bit_length() + 7) // 8))

    return public_jwk(key) | {
        "d": num(numbers.d),
        "p": num(numbers.p),
        "q": num(numbers.q),
        "dp": num(numbers.dmp1),
        "dq": num(numbers.dmq1),
        "qi": num(numbers.iqmp),
    }
