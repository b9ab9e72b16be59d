"""The customer at the consent page, by plain forms: signs in, reads the code, decides."""

import json
import time
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import httpx

TIMEOUT_S = 15.0
CODE_WAIT_S = 10.0


class PageSaidNo(Exception):
    """The page did not lead where it should; the text says what it showed."""


@dataclass(slots=True)
class Form:
    """The first form of a page: where it goes, its hidden fields, the choices it offers."""

    action: str = ""
    hidden: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)


class _FormReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.form: Form | None = None
        self.title = ""
        self.alert = ""
        self._into: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form" and self.form is None:
            self.form = Form(action=found.get("action", ""))
        elif tag == "input" and self.form is not None:
            name, value = found.get("name", ""), found.get("value", "")
            if found.get("type") == "hidden":
                self.form.hidden[name] = value
            elif found.get("type") == "radio":
                self.form.choices.setdefault(name, []).append(value)
        self._into = (
            "title" if tag == "title" else "alert" if found.get("role") == "alert" else None
        )

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - the parser's signature
        self._into = None

    def handle_data(self, data: str) -> None:
        if self._into == "title":
            self.title += data.strip()
        elif self._into == "alert":
            self.alert += data.strip()


class ConsentPage:
    """One customer's browser on one consent."""

    def __init__(self, authorize_url: str, *, traceparent: str | None = None) -> None:
        self._url = authorize_url
        headers = {"traceparent": traceparent} if traceparent else {}
        self._http = httpx.Client(timeout=TIMEOUT_S, follow_redirects=True, headers=headers)

    def close(self) -> None:
        self._http.close()

    def agree(self, *, login_name: str, password: str, account_id: str, messages: Path) -> str:
        """Sign in, read the one-time code from the customer's phone, and agree.

        Returns the title of the last page. Raises PageSaidNo.
        """
        since = _size(messages)
        page = self._read(self._http.get(self._url, params={"lang": "en"}))
        page = self._submit(page, login_name=login_name, password=password)
        if "account_id" not in _form(page).choices:
            raise PageSaidNo(f"no account to choose: {page.alert or page.title}")
        code = _read_code(messages, since=since)
        page = self._submit(page, account_id=account_id, code=code, decision="agree")
        if page.form is not None:
            raise PageSaidNo(page.alert or page.title)
        return page.title

    def _submit(self, page: _FormReader, **fields: str) -> _FormReader:
        form = _form(page)
        answer = self._http.post(urljoin(self._url, form.action), data={**form.hidden, **fields})
        return self._read(answer)

    def _read(self, answer: httpx.Response) -> _FormReader:
        page = _FormReader()
        page.feed(answer.text)
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            raise PageSaidNo(f"{answer.status_code} {page.alert or page.title}".strip())
        return page


def _form(page: _FormReader) -> Form:
    if page.form is None:
        raise PageSaidNo(page.alert or page.title or "the page has no form")
    return page.form


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _read_code(messages: Path, *, since: int) -> str:
    """The code of the newest message after the file's size `since`."""
    until = time.monotonic() + CODE_WAIT_S
    while time.monotonic() < until:
        if _size(messages) > since:
            with messages.open("rb") as stream:
                stream.seek(since)
                lines = [line for line in stream.read().splitlines() if line.endswith(b"}")]
            if lines:
                return str(json.loads(lines[-1])["code"])
        time.sleep(0.05)
    raise PageSaidNo("no message with a code came")
