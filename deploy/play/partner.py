"""A partner's own client: what a third party writes to talk to the gateway, in one file.

`private_key_jwt` (RFC 7523) gets a token that is bound to a key by DPoP (RFC 9449); every call
proves the key again.
"""

import hashlib
import time
import uuid
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

from deploy.local.files import private_folder, read_json, write_json

ALGORITHM = "ES256"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFETIME_S = 60
#: A token is fetched anew when so little of its life is left.
RENEW_BEFORE_S = 30
TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class PartnerIdentity:
    """Who the partner is: an id, and a key that never leaves this machine."""

    partner_id: str
    name: str
    key: ECKey = field(repr=False)

    def jwks(self) -> dict[str, Any]:
        """The public half, as it is registered at the bank."""
        public = {**self.key.as_dict(private=False), "alg": ALGORITHM, "use": "sig"}
        return {"keys": [public]}


def new_identity(*, partner_id: str, name: str) -> PartnerIdentity:
    key = ECKey.generate_key("P-256", {"kid": f"{partner_id}.{uuid.uuid4().hex[:8]}"})
    return PartnerIdentity(partner_id=partner_id, name=name, key=key)


def identity_file(run_dir: Path, partner_id: str) -> Path:
    return run_dir / "partners" / f"{partner_id}.json"


def save_identity(run_dir: Path, identity: PartnerIdentity) -> Path:
    """Keep the private key in the run folder, for its owner alone."""
    private_folder(run_dir / "partners")
    file = identity_file(run_dir, identity.partner_id)
    content = {
        "partner_id": identity.partner_id,
        "name": identity.name,
        "key": identity.key.as_dict(private=True),
    }
    write_json(file, content)
    return file


def load_identity(run_dir: Path, partner_id: str) -> PartnerIdentity | None:
    """The stored partner, or None where there is none."""
    found = read_json(identity_file(run_dir, partner_id))
    if found is None:
        return None
    return PartnerIdentity(
        partner_id=str(found["partner_id"]),
        name=str(found["name"]),
        key=ECKey.import_key(found["key"]),
    )


def client_assertion(identity: PartnerIdentity, *, issuer: str) -> str:
    """Proves who asks for a token; `aud` is the issuer as a single string, as FAPI 2.0 has it."""
    now = int(time.time())
    claims = {
        "iss": identity.partner_id,
        "sub": identity.partner_id,
        "aud": issuer,
        "iat": now,
        "exp": now + ASSERTION_LIFETIME_S,
        "jti": uuid.uuid4().hex,
    }
    header = {"alg": ALGORITHM, "kid": str(identity.key.kid)}
    return jwt.encode(header, claims, identity.key, algorithms=[ALGORITHM])


def dpop_proof(
    identity: PartnerIdentity, *, method: str, url: str, access_token: str | None = None
) -> str:
    """Proves for one request that the caller holds the key; `url` without query."""
    claims: dict[str, Any] = {
        "jti": uuid.uuid4().hex,
        "htm": method,
        "htu": url,
        "iat": int(time.time()),
    }
    if access_token is not None:
        digest = hashlib.sha256(access_token.encode()).digest()
        claims["ath"] = urlsafe_b64encode(digest).rstrip(b"=").decode()
    public = {name: identity.key.as_dict(private=False)[name] for name in ("kty", "crv", "x", "y")}
    header = {"typ": "dpop+jwt", "alg": ALGORITHM, "jwk": public}
    return jwt.encode(header, claims, identity.key, algorithms=[ALGORITHM])


class PartnerClient:
    """Calls the gateway as one partner. An answer of any status is returned, not raised."""

    def __init__(self, identity: PartnerIdentity, *, gateway: str) -> None:
        self.identity = identity
        self._gateway = gateway
        self._http = httpx.Client(base_url=gateway, timeout=TIMEOUT_S)
        self._token: tuple[str, float] | None = None

    def close(self) -> None:
        self._http.close()

    def fetch_token(self) -> httpx.Response:
        """Ask for a token and keep it for the calls that follow."""
        url = f"{self._gateway}/oauth2/token"
        answer = self._http.post(
            url,
            data={
                "grant_type": "client_credentials",
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": client_assertion(self.identity, issuer=self._gateway),
                "scope": "consents payments",
            },
            headers={"DPoP": dpop_proof(self.identity, method="POST", url=url)},
        )
        if answer.status_code == httpx.codes.OK:
            body = answer.json()
            self._token = (body["access_token"], time.monotonic() + body["expires_in"])
        return answer

    def access_token(self) -> str:
        """A token with some life left. Raises httpx.HTTPStatusError where there is none to get."""
        if self._token is None or self._token[1] - time.monotonic() < RENEW_BEFORE_S:
            self.fetch_token().raise_for_status()
        if self._token is None:  # pragma: no cover - the line above raises
            raise httpx.InvalidURL("no token")
        return self._token[0]

    def send(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: dict[str, str] | None = None,
        idempotency_key: str | None = None,
        traceparent: str | None = None,
    ) -> httpx.Response:
        token = self.access_token()
        proof = dpop_proof(
            self.identity, method=method, url=self._gateway + path, access_token=token
        )
        headers = {"Authorization": f"DPoP {token}", "DPoP": proof}
        if idempotency_key:
            headers["Idempotency-Key"] = idempotency_key
        if traceparent:
            headers["traceparent"] = traceparent
        return self._http.request(method, path, json=body, params=params, headers=headers)
