"""A customer in a session of the customer's own, at the gateway."""

import uuid
from typing import Any

import httpx

from deploy.play.steps import expect_status

TIMEOUT_S = 15.0


class CustomerClient:
    """Every call raises NotAsExpected where the gateway does not do what was asked."""

    def __init__(self, gateway: str) -> None:
        self._http = httpx.Client(base_url=gateway, timeout=TIMEOUT_S)

    def close(self) -> None:
        self._http.close()

    def sign_in(self, *, login_name: str, password: str) -> None:
        body = {"login_name": login_name, "password": password}
        session = expect_status(self._http.post("/v1/sessions", json=body), 201)
        self._http.headers["Authorization"] = f"Bearer {session['session_token']}"

    def get(self, path: str, **params: str) -> Any:
        return expect_status(self._http.get(path, params=params), 200)

    def put(self, path: str, body: Any) -> Any:
        return expect_status(self._http.put(path, json=body, headers=_key()), 200)

    def post(self, path: str, body: Any, *, status: int = 201) -> Any:
        return expect_status(self._http.post(path, json=body, headers=_key()), status)


def _key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}
