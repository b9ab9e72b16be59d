"""Errors become RFC 9457 problem documents, all in one place.

A service declares an error beside the code that raises it, as a subclass of `BankError` with a
status and a stable code; the subclass enters `ERRORS`, the one table.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from shared.kit import tracing

MEDIA_TYPE = "application/problem+json"
#: Longest list of field errors in one answer; the first ones are enough to mend the request.
MAX_FIELD_ERRORS = 20

ERRORS: dict[str, type["BankError"]] = {}


class BankError(Exception):
    """An error that a client may see. `detail` must hold no personal data and no secret."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = ""
    title: ClassVar[str] = ""

    def __init__(
        self,
        detail: str = "",
        *,
        field: str | None = None,
        expected: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.field = field
        self.expected = expected
        self.headers = dict(headers or {})

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.code:
            known = ERRORS.setdefault(cls.code, cls)
            if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
                raise TypeError(f"error code {cls.code!r} is declared twice: {known} and {cls}")


class InvalidRequest(BankError):
    status, code, title = 422, "invalid_request", "The request has a field that is not as expected"


class MalformedBody(BankError):
    status, code, title = 400, "malformed_body", "The body is not valid JSON"


class BodyTooLarge(BankError):
    status, code, title = 413, "body_too_large", "The body is larger than this route takes"


class RequestTimeout(BankError):
    status, code, title = 408, "request_timeout", "The request took too long to arrive"


class NotFound(BankError):
    status, code, title = 404, "not_found", "There is no such resource"


class Unauthenticated(BankError):
    status, code, title = 401, "unauthenticated", "The call carries no valid credential"


class Forbidden(BankError):
    status, code, title = 403, "forbidden", "The caller may not do this"


class Conflict(BankError):
    status, code, title = 409, "conflict", "Another content is stored under this id"


class TooManyRequests(BankError):
    status, code, title = 429, "too_many_requests", "Too many requests"


class Unavailable(BankError):
    status, code, title = 503, "unavailable", "A part of the bank is not available; try again"

    def __init__(self, detail: str = "", *, retry_after_s: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_s)})


class FieldError(BaseModel):
    field: str
    expected: str


class ProblemDocument(BaseModel):
    """RFC 9457, with a stable `code`, the fields at fault and the trace to ask about."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldError] = []
    trace_id: str | None = None


def document(
    *, status: int, code: str, title: str, detail: str, errors: Sequence[FieldError] = ()
) -> ProblemDocument:
    trace = tracing.current()
    return ProblemDocument(
        type=f"urn:tongbao:problem:{code}",
        title=title,
        status=status,
        detail=detail,
        code=code,
        errors=list(errors),
        trace_id=trace.trace_id if trace else None,
    )


def of_error(error: BankError) -> ProblemDocument:
    """The document for a bank error."""
    errors = []
    if error.field:
        errors = [FieldError(field=error.field, expected=error.expected or error.detail)]
    return document(
        status=error.status,
        code=error.code,
        title=error.title,
        detail=error.detail,
        errors=errors,
    )


def respond(problem: ProblemDocument, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(
        problem.model_dump(exclude_none=True),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=dict(headers or {}),
    )


def _field_name(location: Sequence[Any]) -> str:
    """`("body", "legs", 0, "amount_minor")` is `legs.0.amount_minor`; a header keeps its name."""
    parts = [str(part) for part in location]
    if parts and parts[0] in {"body", "query", "path", "header", "cookie"}:
        parts = parts[1:]
    return ".".join(parts) or "body"


def of_validation(error: RequestValidationError) -> ProblemDocument:
    """Names each field and what was expected; never repeats what was sent."""
    found = error.errors()
    if any(item["type"] == "json_invalid" for item in found):
        return of_error(MalformedBody("The body is not valid JSON"))
    errors = [
        FieldError(field=_field_name(item["loc"]), expected=str(item["msg"]))
        for item in found[:MAX_FIELD_ERRORS]
    ]
    detail = "; ".join(f"{item.field}: {item.expected}" for item in errors[:3])
    return document(
        status=InvalidRequest.status,
        code=InvalidRequest.code,
        title=InvalidRequest.title,
        detail=detail,
        errors=errors,
    )


async def _on_bank_error(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, BankError):  # pragma: no cover - the signature of Starlette
        raise error
    return respond(of_error(error), error.headers)


async def _on_validation_error(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):  # pragma: no cover
        raise error
    return respond(of_validation(error))


async def _on_http_error(_: Request, error: Exception) -> JSONResponse:
    """What the framework itself refuses: an unknown path, a wrong method."""
    if not isinstance(error, HTTPException):  # pragma: no cover
        raise error
    codes = {400: "malformed_body", 404: "not_found", 405: "method_not_allowed"}
    code = codes.get(error.status_code, "http_error")
    problem = document(
        status=error.status_code, code=code, title=str(error.detail), detail=str(error.detail)
    )
    return respond(problem, error.headers)


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem document."""
    app.add_exception_handler(BankError, _on_bank_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_error)
