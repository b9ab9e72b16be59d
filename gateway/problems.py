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

#: What the services behind refuse a payment with and the gateway passes on: status and title.
PASSED_ON: Final[dict[str, tuple[int, str]]] = {
    "account_not_found": (404, "There is no such account"),
    "destination_not_found": (404, "The account to be paid does not exist"),
    "account_frozen": (409, "The account is frozen: nothing leaves it"),
    "payment_lapsed": (
        409,
        "The amount was held for this payment, but the payment did not follow in time",
    ),
    "currency_mismatch": (422, "The account is kept in another currency"),
    "insufficient_funds": (422, "The account does not carry this amount"),
    "same_account": (422, "Debtor and creditor are the same account"),
}


def answers(*statuses: int, codes: tuple[str, ...] = ()) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: its statuses, and an example for each code that it may give.

    Raises `KeyError` at start-up for a code that nobody declares.
    """
    found: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        named = [
            *_USUAL.get(status, ()),
            *(code for code in codes if _declared(code)[0] == status),
        ]
        found[status] = {
            "description": "; ".join(_declared(code)[1] for code in named) or "Problem",
            "content": {
                problems.MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/ProblemDocument"},
                    "examples": {code: {"value": _example(code)} for code in named},
                }
            },
        }
    return found


def _declared(code: str) -> tuple[int, str]:
    """Status and title of a code, wherever it is declared."""
    if code in PASSED_ON:
        return PASSED_ON[code]
    return ERRORS[code].status, ERRORS[code].title


def _example(code: str) -> dict[str, Any]:
    status, title = _declared(code)
    document = ProblemDocument(
        type=f"urn:tongbao:problem:{code}",
        title=title,
        status=status,
        detail=title,
        code=code,
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
    )
    return document.model_dump(exclude_none=True)
