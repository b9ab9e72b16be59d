"""How the endpoints of OAuth answer what they refuse: RFC 6749, 5.2, not a problem document."""

from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from gateway.oauth.domain import OAuthError
from shared.contracts.values import Reply


class OAuthProblem(Reply):
    """RFC 6749, 5.2."""

    error: str
    error_description: str


OAUTH_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": OAuthProblem, "description": "The request or the proof does not hold"},
    401: {"model": OAuthProblem, "description": "The client is not authenticated"},
    429: {"model": OAuthProblem, "description": "Too many requests"},
}


async def on_oauth_error(_: Request, error: Exception) -> JSONResponse:
    """Renders an `OAuthError` as RFC 6749 says, in place of a problem document."""
    if not isinstance(error, OAuthError):  # pragma: no cover - Starlette's signature
        raise error
    return JSONResponse(
        {"error": error.error, "error_description": plain(error.detail)},
        status_code=error.status,
        headers=error.headers,
    )


def plain(text: str) -> str:
    """Only what RFC 6749 (5.2) lets stand in a description."""
    return "".join(c if " " <= c <= "~" and c not in '"\\' else "?" for c in text)


def install(app: FastAPI) -> None:
    app.add_exception_handler(OAuthError, on_oauth_error)
