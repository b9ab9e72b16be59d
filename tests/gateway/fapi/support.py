"""A client and a browser as FAPI 2.0 has them, made by hand: nothing comes from the gateway."""

import html
import json
import re
import secrets
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.bank import Bank
from tests.gateway.customers import Customer
from tests.gateway.signing import Private, alg_of, assertion, b64, new_key, proof, public_jwk, sign
from tests.gateway.support import ASSERTION_TYPE, PASSWORD, register_partner, staff

CALLBACK = "https://app.example/callback?tenant=1"
ACCOUNTS = "/open-banking/v4.0/aisp/accounts"


def claims_of(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    return json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def header_of(token: str) -> dict[str, Any]:
    part = token.split(".", maxsplit=1)[0]
    return json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))


@dataclass(frozen=True)
class In:
    """A moment so many seconds from when the test runs: parameters are made long before."""

    seconds: int

    def moment(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.seconds)


def timed(values: dict[str, Any]) -> dict[str, Any]:
    """The values with each `In` as a NumericDate."""
    return {
        name: int(value.moment().timestamp()) if isinstance(value, In) else value
        for name, value in values.items()
    }


@dataclass
class App:
    """A registered client with a key for its assertions and another for its proofs."""

    client_id: str
    origin: str
    http: httpx.AsyncClient
    key: Private = field(default_factory=new_key)
    proof_key: Private = field(default_factory=new_key)
    redirect_uri: str = CALLBACK
    verifier: str = ""
    token: str = ""
    nonce: str | None = None

    def credentials(self, **changes: Any) -> dict[str, str]:
        if isinstance(changes.get("now"), In):
            changes["now"] = changes["now"].moment()
        made = assertion(self.key, client_id=self.client_id, issuer=self.origin, **changes)
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": made}

    def proof(self, method: str, path: str, **changes: Any) -> str:
        key = changes.pop("key", self.proof_key)
        claims = changes.pop("claims", {})
        if isinstance(changes.get("now"), In):
            changes["now"] = changes["now"].moment()
        if self.nonce is not None:
            claims = {"nonce": self.nonce} | claims
        return proof(key, method=method, url=self.origin + path, claims=claims, **changes)

    def parameters(self, **changes: Any) -> dict[str, Any]:
        """A good request with a verifier of its own; None leaves a parameter out."""
        self.verifier = secrets.token_urlsafe(48)
        whole = {
            "client_id": self.client_id,
            "response_type": "code",
            "redirect_uri": self.redirect_uri,
            "scope": "openid accounts",
            "state": secrets.token_urlsafe(8),
            "nonce": secrets.token_urlsafe(8),
            "code_challenge": b64(sha256(self.verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in (whole | changes).items() if value is not None}

    def request_object(self, *, key: Private | None = None, **changes: Any) -> str:
        """A signed request; the changes override its header (`header`) and claims."""
        header = changes.pop("header", {})
        own = {"iss": self.client_id, "aud": self.origin, "nbf": In(0), "exp": In(300)}
        claims = timed(own | self.parameters(**changes))
        claims = {name: value for name, value in claims.items() if value != "absent"}
        return sign(key or self.key, {"alg": alg_of(key or self.key)} | header, claims)

    async def push(
        self,
        parameters: dict[str, Any] | None = None,
        *,
        proofs: list[str] | None = None,
        credentials: dict[str, str] | None = None,
        **changes: Any,
    ) -> httpx.Response:
        given = parameters if parameters is not None else self.parameters(**changes)
        who = credentials if credentials is not None else self.credentials()
        headers = [("DPoP", one) for one in proofs or []]
        return await self.http.post("/oauth2/par", data=given | who, headers=headers)

    async def pushed(self, parameters: dict[str, Any] | None = None, **changes: Any) -> str:
        answer = await self.push(parameters, **changes)
        assert answer.status_code == 201, answer.text
        return answer.json()["request_uri"]

    async def ask_token(self, *, proofs: list[str] | None = None, **form: Any) -> httpx.Response:
        given = self.credentials() | form
        given = {name: value for name, value in given.items() if value is not None}
        told = proofs if proofs is not None else [self.proof("POST", "/oauth2/token")]
        headers = [("DPoP", one) for one in told]
        return await self.http.post("/oauth2/token", data=given, headers=headers)

    async def exchange(self, code: str, **changes: Any) -> httpx.Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
        }
        return await self.ask_token(**(form | changes))

    async def tokens(self, code: str, **changes: Any) -> dict[str, Any]:
        answer = await self.exchange(code, **changes)
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["access_token"]
        return answer.json()

    async def call(
        self, path: str = ACCOUNTS, *, token: str | None = None, **changes: Any
    ) -> httpx.Response:
        presented = token or self.token
        headers = {
            "Authorization": f"DPoP {presented}",
            "DPoP": self.proof("GET", path, token=presented),
        } | changes.pop("headers", {})
        return await self.http.get(path, headers=headers, **changes)


@dataclass
class Window:
    """A customer's browser on the authorization page, as far as forms and cookies go."""

    app: App
    request_uri: str
    client: httpx.AsyncClient
    last: httpx.Response | None = None
    lang: str = "en"

    async def open(self, **query: str) -> httpx.Response:
        given = {"client_id": self.app.client_id, "request_uri": self.request_uri}
        self.last = await self.client.get(
            "/oauth2/authorize", params=given | {"lang": self.lang} | query
        )
        return self.last

    def hidden(self, name: str) -> str:
        assert self.last is not None
        found = re.search(rf'name="{name}" value="([^"]*)"', self.last.text)
        assert found, self.last.text
        return html.unescape(found[1])

    async def submit(self, step: str, **fields: Any) -> httpx.Response:
        names = ("csrf", "client_id", "request_uri")
        given = {name: self.hidden(name) for name in names if name not in fields} | fields
        answer = await self.client.post(
            f"/oauth2/authorize/{step}?lang={self.lang}", data=given, follow_redirects=False
        )
        if answer.headers.get("location", "").startswith("/"):
            assert answer.status_code == 303
            self.last = await self.client.get(answer.headers["location"])
        elif answer.headers.get("content-type", "").startswith("text/html"):
            self.last = answer
        return answer

    async def sign_in(self, customer: Customer, password: str = PASSWORD) -> httpx.Response:
        await self.open()
        return await self.submit(
            "sign-in", login_name=customer.login_name, password=password, decision="sign_in"
        )

    async def approve(self, *accounts: str, **fields: Any) -> httpx.Response:
        return await self.submit(
            "decision", account_id=list(accounts), decision="approve", **fields
        )

    async def deny(self) -> httpx.Response:
        return await self.submit("decision", decision="deny")


def answer_of(response: httpx.Response, redirect_uri: str = CALLBACK) -> dict[str, str]:
    """The authorization response: a 303 to the registered address, its own query kept."""
    assert response.status_code == 303, response.text
    found, wanted = urlsplit(response.headers["location"]), urlsplit(redirect_uri)
    assert (found.scheme, found.netloc, found.path) == (wanted.scheme, wanted.netloc, wanted.path)
    assert not found.fragment
    answer = {name: values[0] for name, values in parse_qs(found.query).items()}
    for name, values in parse_qs(wanted.query).items():
        assert answer.pop(name) == values[0]
    return answer


async def new_app(bank: Bank, http: httpx.AsyncClient, client_id: str, **fields: Any) -> App:
    """A client of a partner of its own."""
    app = App(client_id=client_id, origin=str(http.base_url).rstrip("/"), http=http)
    app.key = fields.pop("key", app.key)
    partner = f"p-{client_id}"
    await register_partner(bank, http, partner, name="App House Ltd")
    body = {
        "client_id": client_id,
        "name": "Budget App",
        "jwks": {"keys": [public_jwk(app.key) | {"kid": "k1"}]},
        "redirect_uris": [CALLBACK],
    } | fields
    made = await http.post(f"/v1/partners/{partner}/clients", json=body, headers=staff(bank))
    assert made.status_code == 201, made.text
    return app


async def authorized(app: App, customer: Customer, **changes: Any) -> dict[str, str]:
    """The whole way to a code: pushed, signed in, approved; the authorization response."""
    request_uri = await app.pushed(**changes)
    async with httpx.AsyncClient(base_url=app.origin, timeout=30) as client:
        window = Window(app, request_uri, client)
        signed_in = await window.sign_in(customer)
        assert signed_in.status_code == 303, signed_in.text
        return answer_of(await window.approve(customer.account_id))
