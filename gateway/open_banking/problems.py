"""Errors of the standard's own paths: `OBErrorResponse1` in place of a problem document."""

from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from gateway.open_banking.api import PREFIX
from shared.kit import problems, tracing
from shared.kit.problems import BankError

#: The standard's word for what went wrong (OBExternalStatusReason1Code): an unspecified error.
#: What is meant stands in `Code`, by our own stable code.
UNSPECIFIED: Final = "U000"


async def on_bank_error(request: Request, error: Exception) -> JSONResponse:
    """Renders a `BankError` as the path's standard says."""
    if not isinstance(error, BankError):  # pragma: no cover - Starlette's signature
        raise error
    if not request.url.path.startswith(PREFIX):
        return problems.respond(problems.of_error(error), error.headers)
    return JSONResponse(document(error), status_code=error.status, headers=error.headers)


def document(error: BankError) -> dict[str, object]:
    """`OBErrorResponse1`, with the trace as its reference."""
    trace = tracing.current()
    found: dict[str, object] = {
        "Code": f"{error.status} {error.code}"[:40],
        "Message": error.title,
        "Errors": [{"ErrorCode": UNSPECIFIED, "Message": error.detail[:500]}],
    }
    if trace is not None:
        found["Id"] = trace.trace_id
    return found


def install(app: FastAPI) -> None:
    app.add_exception_handler(BankError, on_bank_error)
