"""A member of staff at the bank's own APIs: signs in at identity, then calls any service."""

import time
import uuid
from pathlib import Path
from typing import Any

import httpx

from deploy.local.files import read_json
from deploy.local.staff import member_of

TIMEOUT_S = 15.0
RENEW_BEFORE_S = 60.0
TOKEN_LIFETIME_S = 15 * 60


class Refused(Exception):
    """The bank did not do what was asked; the text is one clear line."""

    def __init__(self, words: str, *, code: str = "") -> None:
        super().__init__(words)
        self.code = code


class StaffClient:
    """Calls services as one member of staff of the bank in `run_dir`.

    Raises Refused where no bank runs there, or where the member's secret is missing.
    """

    def __init__(self, run_dir: Path, *, login_name: str) -> None:
        self.services = services_of(run_dir)
        member = member_of(run_dir, login_name)
        if member is None:
            raise Refused(
                f"there is no {run_dir}/secrets/{login_name}.json; was this bank started?"
            )
        self._member = member
        self._http = httpx.Client(timeout=TIMEOUT_S)
        self._token = ""
        self._renew_at = 0.0

    def close(self) -> None:
        self._http.close()

    @property
    def staff_id(self) -> str:
        return self._member.staff_id

    def token(self) -> str:
        """A token that names this member and the roles. Raises Refused."""
        if time.monotonic() > self._renew_at:
            body = {"login_name": self._member.login_name, "password": self._member.password}
            answer = self._send("identity", "POST", "/v1/staff/sign-ins", body=body)
            self._token = str(_content(answer)["token"])
            self._renew_at = time.monotonic() + TOKEN_LIFETIME_S - RENEW_BEFORE_S
        return self._token

    def call(
        self,
        service: str,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: dict[str, str] | None = None,
        idempotency_key: str | None = None,
        traceparent: str | None = None,
    ) -> Any:
        """The answer's content; None for 204. Raises Refused with the service's own words."""
        headers = {"Authorization": f"Bearer {self.token()}"}
        if method != "GET":
            headers["Idempotency-Key"] = idempotency_key or str(uuid.uuid4())
        if traceparent:
            headers["traceparent"] = traceparent
        answer = self._send(service, method, path, body=body, params=params, headers=headers)
        return _content(answer)

    def _send(
        self,
        service: str,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        if service not in self.services:
            raise Refused(f"there is no service {service}; there are {', '.join(self.services)}")
        url = self.services[service] + path
        try:
            return self._http.request(method, url, json=body, params=params, headers=headers)
        except httpx.HTTPError as error:
            raise Refused(f"{service} does not answer ({type(error).__name__})") from error


def services_of(run_dir: Path) -> dict[str, str]:
    """The base URL of each service of the bank that runs in `run_dir`. Raises Refused."""
    bank = read_json(run_dir / "bank.json")
    if bank is None or bank.get("state") not in {"starting", "ready"}:
        raise Refused(f"no bank runs in {run_dir}; start it with make demo")
    return {str(name): str(url) for name, url in bank["services"].items()}


def _content(answer: httpx.Response) -> Any:
    if answer.status_code == httpx.codes.NO_CONTENT:
        return None
    try:
        content = answer.json()
    except ValueError:
        content = {}
    if answer.status_code >= httpx.codes.BAD_REQUEST:
        found = content if isinstance(content, dict) else {}
        words = str(found.get("detail") or f"status {answer.status_code}")
        code = str(found.get("code") or "")
        raise Refused(f"{code or 'refused'}: {words}", code=code)
    return content
