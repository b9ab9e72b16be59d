"""How problems are described in OpenAPI: one example for each code, taken from the one table."""

from typing import Any, Final

from shared.kit import problems
from shared.kit.problems import ERRORS, ProblemDocument

#: What each status means on every route; a route adds the codes of its own.
_USUAL: Final[dict[int, tuple[str, ...]]] = {
    400: ("malformed_body",),
    401: ("invalid_token", "invalid_dpop_proof"),
    403: ("insufficient_scope",),
    413: ("body_too_large",),
    422: ("invalid_request",),
    429: ("too_many_requests",),
    503: ("unavailable",),
}


def answers(*statuses: int, codes: tuple[str, ...] = ()) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: its statuses, and an example for each code that it may give.

    Raises `KeyError` at start-up for a code that nobody declares.
    """
    found: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        named = [
            *_USUAL.get(status, ()),
            *(code for code in codes if ERRORS[code].status == status),
        ]
        found[status] = {
            "description": "; ".join(ERRORS[code].title for code in named) or "Problem",
            "content": {
                problems.MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/ProblemDocument"},
                    "examples": {code: {"value": _example(code)} for code in named},
                }
            },
        }
    return found


def _example(code: str) -> dict[str, Any]:
    error = ERRORS[code]
    document = ProblemDocument(
        type=f"urn:tongbao:problem:{code}",
        title=error.title,
        status=error.status,
        detail=error.title,
        code=code,
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
    )
    return document.model_dump(exclude_none=True)
