"""The published files of UK Open Banking Read/Write v4.0, and whether an answer is as they say."""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import jsonschema
import pytest

PUBLISHED = Path(__file__).parents[3].parent / "shared" / "standards" / "obie-v4.0"
PREFIX = "/open-banking/v4.0"
FILES = {
    "aisp": "account-info-openapi.json",
    "cbpii": "confirmation-funds-openapi.json",
    "pisp": "payment-initiation-openapi.json",
}
FORMATS = jsonschema.FormatChecker(formats=())


@FORMATS.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@FORMATS.checks("uri", raises=ValueError)
def _is_address(value: object) -> bool:
    return not isinstance(value, str) or bool(urlsplit(value).scheme)


@dataclass
class Standard:
    documents: dict[str, Any]

    def schema_errors(self, part: str, reference: dict[str, Any], body: object) -> list[str]:
        whole = {"components": self.documents[part]["components"], **reference}
        checker = jsonschema.Draft202012Validator(whole, format_checker=FORMATS)
        return [f"{list(it.absolute_path)}: {it.message}" for it in checker.iter_errors(body)]

    def operation(self, method: str, path: str) -> tuple[str, dict[str, Any]] | None:
        """The part and the operation that an address belongs to."""
        part, _, rest = path.removeprefix(PREFIX + "/").partition("/")
        for template, operations in self.documents.get(part, {"paths": {}})["paths"].items():
            pattern = re.sub(r"\{[^}]+\}", "[^/]+", template)
            if re.fullmatch(pattern, "/" + rest) and method.lower() in operations:
                return part, operations[method.lower()]
        return None

    def check(self, answer: httpx.Response, *, among: tuple[int, ...] = ()) -> Any:
        """The document of an answer, which is as published; `among` are statuses beside those."""
        request = answer.request
        path = urlsplit(str(request.url)).path
        assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["x-fapi-interaction-id"])
        found = self.operation(request.method, path)
        if answer.status_code == 204:
            assert not answer.content
            return None
        assert answer.headers["content-type"] == "application/json; charset=utf-8", answer.text
        if found is None or answer.status_code >= 400:
            part = found[0] if found else "aisp"
            if found and answer.status_code not in among:
                assert str(answer.status_code) in found[1]["responses"], answer.text
            reference = {"$ref": "#/components/schemas/OBErrorResponse1"}
            assert answer.json()["Id"] == answer.headers["x-fapi-interaction-id"]
        else:
            part, operation = found
            response = operation["responses"][str(answer.status_code)]["$ref"].split("/")[-1]
            content = self.documents[part]["components"]["responses"][response]["content"]
            reference = content["application/json; charset=utf-8"]["schema"]
        errors = self.schema_errors(part, reference, answer.json())
        assert not errors, f"{request.method} {path}: {errors[:3]} in {answer.text}"
        return answer.json()


def published() -> Standard:
    if not PUBLISHED.is_dir():
        pytest.skip(f"the standard's files are not at {PUBLISHED}")
    return Standard(
        {part: json.loads((PUBLISHED / name).read_text()) for part, name in FILES.items()}
    )
