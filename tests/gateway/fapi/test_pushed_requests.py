"""FAPI 2.0, statements 4, 5, 8 to 10, 12, 13 and 16, at the pushed-request endpoint."""

import json
import secrets
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.gateway.fapi.support import App, In
from tests.gateway.signing import new_key, thumbprint


def refused(answer: httpx.Response, error: str = "invalid_request") -> None:
    assert answer.json()["error"] == error, answer.text
    assert answer.status_code == (401 if error == "invalid_client" else 400)
    assert answer.headers["cache-control"] == "no-store"


class TestPushedRequest:
    async def test_is_answered_with_a_name_for_a_short_time(self, app: App):
        answer = await app.push()
        assert answer.status_code == 201
        assert 5 <= answer.json()["expires_in"] < 600
        prefix, name = answer.json()["request_uri"].rsplit(":", 1)
        assert prefix == "urn:ietf:params:oauth:request_uri"
        assert len(name) >= 43

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    async def test_is_posted_and_nothing_else(self, app: App, method: str):
        answer = await app.http.request(method, "/oauth2/par", params=app.parameters())
        assert answer.status_code == 405

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"response_type": None}, "invalid_request"),
            ({"response_type": "token"}, "unsupported_response_type"),
            ({"response_type": "code id_token"}, "unsupported_response_type"),
            ({"response_mode": "fragment"}, "invalid_request"),
            ({"redirect_uri": None}, "invalid_request"),
            ({"redirect_uri": "https://app.example/callback"}, "invalid_request"),
            ({"redirect_uri": "https://app.example/callback?tenant=1&x=2"}, "invalid_request"),
            ({"redirect_uri": "https://evil.example/callback?tenant=1"}, "invalid_request"),
            ({"redirect_uri": "http://app.example/callback?tenant=1"}, "invalid_request"),
            ({"code_challenge": None}, "invalid_request"),
            ({"code_challenge_method": None}, "invalid_request"),
            ({"code_challenge_method": "plain"}, "invalid_request"),
            ({"code_challenge": "short"}, "invalid_request"),
            ({"scope": None}, "invalid_scope"),
            ({"scope": "openid everything"}, "invalid_scope"),
            ({"scope": "consents"}, "invalid_scope"),
            ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"),
            ({"client_id": "other-fapi"}, "invalid_client"),
            ({"prompt": "none"}, "invalid_request"),
            ({"dpop_jkt": "not-a-thumbprint"}, "invalid_request"),
            ({"claims": "[1"}, "invalid_request"),
            ({"scope": "payments"}, "invalid_request"),
            ({"openbanking_intent_id": "nobody-made-this"}, "invalid_request"),
            ({"state": "x" * 3_000}, "invalid_request"),
        ],
    )
    async def test_is_refused_where_it_breaks_a_rule(self, app: App, changes, error):
        refused(await app.push(**changes), error)

    @pytest.mark.parametrize(
        "changes",
        [
            {"state": None, "nonce": None},
            {"nonce": secrets.token_hex(32), "state": "s" * 1_000},
            {"scope": "accounts openid"},
            {"response_mode": "jwt"},
            {"ui_locales": "en zh-CN", "prompt": "login consent", "max_age": "10"},
            {"claims": json.dumps({"id_token": {"acr": {"essential": True}}})},
            {"unknown_parameter": "is ignored"},
        ],
    )
    async def test_is_taken_with_or_without_what_is_free(self, app: App, changes):
        assert (await app.push(**changes)).status_code == 201

    @pytest.mark.parametrize(
        "changes",
        [
            {"claims": {"aud": ["ISSUER"]}},
            {"claims": {"aud": "ISSUER/oauth2/token"}},
            {"claims": {"aud": "ISSUER/oauth2/par"}},
            {"absent": "sub"},
            {"header": {"alg": "none"}},
            {"now": In(-300)},
            {"now": In(62)},
        ],
    )
    async def test_needs_an_assertion_for_this_bank_alone(self, app: App, changes):
        text = json.dumps(changes.get("claims", {})).replace("ISSUER", app.origin)
        made = app.credentials(**(changes | {"claims": json.loads(text)}))
        refused(await app.push(credentials=made), "invalid_client")

    async def test_takes_an_assertion_of_a_clock_that_runs_a_little_fast(self, app: App):
        late = datetime.now(UTC) + timedelta(seconds=8)
        made = app.credentials(now=late, claims={"nbf": int(late.timestamp())})
        assert (await app.push(credentials=made)).status_code == 201
        refused(await app.push(credentials=made), "invalid_client")  # its id is used up

    async def test_needs_an_assertion_and_its_clients_own_key(self, app: App, other: App):
        refused(await app.push(credentials={}), "invalid_client")
        refused(await app.push(credentials=other.credentials()), "invalid_client")
        refused(await app.push(credentials={"client_secret": "x"}), "invalid_client")

    async def test_refuses_rs256_though_the_signature_is_right(self, other: App):
        made = other.credentials(header={"alg": "RS256"})
        refused(await other.push(credentials=made), "invalid_client")

    async def test_names_the_key_that_its_proof_has(self, app: App):
        key = new_key()
        proofs = [app.proof("POST", "/oauth2/par", key=key)]
        answer = await app.push(proofs=proofs, dpop_jkt=thumbprint(key))
        assert answer.status_code == 201, answer.text
        proofs = [app.proof("POST", "/oauth2/par", key=key)]
        refused(await app.push(proofs=proofs, dpop_jkt=thumbprint(new_key())))
        proofs = [app.proof("POST", "/oauth2/token", key=key)]
        refused(await app.push(proofs=proofs), "invalid_dpop_proof")

    async def test_is_no_way_around_the_page_for_a_suspended_form(self, app: App):
        answer = await app.http.post("/oauth2/par", json=app.parameters())
        refused(answer)
        twice = {"scope": ["openid", "accounts"]} | app.credentials()
        refused(await app.http.post("/oauth2/par", data=twice))
