"""`requests-oauth2client`, which knows nothing of this bank, goes the whole way."""

import asyncio
import json
import re
import stat
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import requests
from requests_oauth2client import OAuth2AccessTokenAuth, OAuth2Client, PrivateKeyJwt
from requests_oauth2client.dpop import MissingDPoPNonce

from deploy.local.options import LocalError
from deploy.sandbox.options import read_sandbox_options
from deploy.sandbox.registering import prepare_sandbox
from tests.bank import Bank
from tests.gateway.support import PASSWORD

REDIRECT_URIS = "http://127.0.0.1:8765/callback,https://suite.example/test/a/callback"


@pytest.fixture(scope="module")
async def sandbox(bank: Bank, fapi_gateway: str, tmp_path_factory) -> dict[str, Any]:
    """`.run/sandbox.json` of the running bank, as `make sandbox` writes it."""
    run_dir: Path = tmp_path_factory.mktemp("sandbox")
    (run_dir / "secrets").mkdir()
    member = {"staff_id": "s-sandbox", "login_name": "sandbox-staff", "password": PASSWORD}
    roles = ["admin", "operator"]
    async with bank.client("identity", roles=("admin",)) as identity:
        made = await identity.post("/v1/staff", json=member | {"roles": roles})
        assert made.status_code == 201, made.text
    secret = run_dir / "secrets/operator.json"
    secret.write_text(json.dumps(member | {"roles": roles}))
    services = {name: bank.url(name) for name in ("identity", "ledger")}
    services["gateway"] = fapi_gateway
    (run_dir / "bank.json").write_text(json.dumps({"state": "ready", "services": services}))
    options = read_sandbox_options(
        {
            "RUN_DIR": str(run_dir),
            "PUBLIC_URL": fapi_gateway,
            "REDIRECT_URIS": REDIRECT_URIS,
        }
    )
    file = await asyncio.to_thread(prepare_sandbox, options)
    first = json.loads(file.read_text())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    # Asked again it is the same again: clients, keys and password stay.
    again = await asyncio.to_thread(prepare_sandbox, options)
    assert json.loads(again.read_text()) == first
    return first


def outside(
    sandbox: dict[str, Any], number: int, session: requests.Session
) -> tuple[OAuth2Client, str]:
    """A client made of the sandbox's file alone, and the address it is sent back to."""
    found = requests.get(sandbox["discovery"], timeout=30).json()
    told = sandbox["clients"][number]
    names = ("token_endpoint", "authorization_endpoint", "revocation_endpoint", "jwks_uri")
    names += ("introspection_endpoint", "pushed_authorization_request_endpoint")
    client = OAuth2Client(
        **{name: found[name] for name in names},
        issuer=found["issuer"],
        redirect_uri=told["redirect_uris"][0],
        # Its assertions name the endpoint unless told otherwise, which FAPI 2.0 refuses.
        auth=PrivateKeyJwt(
            told["client_id"], told["jwks"]["keys"][0], alg="PS256", aud=found["issuer"]
        ),
        id_token_signed_response_alg="PS256",
        authorization_response_iss_parameter_supported=True,
        dpop_bound_access_tokens=True,
        session=session,
        testing=True,
    )
    client.update_authorization_server_public_keys()
    return client, told["scope"]


def fields(page: str) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page)
    return {name: unescape(value) for name, value in found}


def decided(url: str, sandbox: dict[str, Any]) -> str:
    """A customer with a browser: signs in, chooses both accounts, agrees; where that leads."""
    customer = sandbox["customer"]
    with requests.Session() as browser:
        page = browser.get(url, timeout=30)
        own = fields(page.text) | {
            "login_name": customer["login_name"],
            "password": customer["password"],
            "decision": "sign_in",
        }
        page = browser.post(f"{sandbox['issuer']}/oauth2/authorize/sign-in", data=own, timeout=30)
        own = fields(page.text) | {"account_id": customer["accounts"], "decision": "approve"}
        at = f"{sandbox['issuer']}/oauth2/authorize/decision"
        answer = browser.post(at, data=own, allow_redirects=False, timeout=30)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


class TestOutsideClient:
    @pytest.mark.parametrize("number", [0, 1])
    async def test_goes_the_whole_way_with_the_one_file(self, sandbox, number: int):
        def flow() -> tuple[dict[str, Any], Any]:
            with requests.Session() as session:
                return with_session(session)

        def with_session(session: requests.Session) -> tuple[dict[str, Any], Any]:
            client, scope = outside(sandbox, number, session)
            asked = client.authorization_request(scope=scope)
            pushed = client.pushed_authorization_request(asked)
            answered = asked.validate_callback(decided(str(pushed), sandbox))
            # Its own validation cannot copy a token that is bound by DPoP, so it is done here.
            token = client.authorization_code(answered, validate=False)
            key = client.authorization_server_jwks.get_jwk_by_kid(token.id_token.kid)
            token.id_token.verify(key, alg="PS256")
            assert token.id_token.nonce == asked.nonce
            resource = sandbox["resource"]
            read = requests.request(
                resource["method"],
                resource["url"],
                auth=OAuth2AccessTokenAuth(client, token),
                timeout=30,
            )
            assert read.status_code == 200, read.text
            fresh = client.refresh_token(token)
            again = requests.get(resource["url"], auth=fresh, timeout=30)
            assert again.json() == read.json()
            client.revoke_access_token(fresh)
            # It takes every refusal of a DPoP token for the wish for a nonce.
            with pytest.raises(MissingDPoPNonce) as ended:
                requests.get(resource["url"], auth=fresh, timeout=30)
            assert ended.value.response.status_code == 401
            ended.value.response.close()
            return read.json(), token

        document, token = await asyncio.to_thread(flow)
        listed = {account["AccountId"] for account in document["Data"]["Account"]}
        assert listed == set(sandbox["customer"]["accounts"])
        assert token.id_token.issuer == sandbox["issuer"]


class TestSandboxOptions:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("PUBLIC_URL", "bank.example"),
            ("PUBLIC_URL", "https://bank.example/"),
            ("PUBLIC_URL", "ftp://bank.example"),
            ("REDIRECT_URIS", " , "),
            ("DPOP_NONCE", "always"),
            ("SIGNED_REQUESTS", "yes"),
            ("PORT", "80"),
        ],
    )
    def test_name_the_setting_that_is_wrong(self, name: str, value: str):
        with pytest.raises(LocalError, match=f"^{name}={re.escape(value)}"):
            read_sandbox_options({name: value})
