"""The description of what partners may call, and nothing else."""

from typing import Any

from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi

from gateway.authorization.api import router as authorization
from gateway.consents.api import router as consents
from gateway.oauth.api import router as oauth
from gateway.open_banking.access.api import router as data_access
from gateway.open_banking.api import router as open_banking
from gateway.open_banking.domain import PREFIX as OPEN_BANKING
from gateway.open_banking.payments.api import router as domestic_payments
from gateway.payments.api import router as payments
from gateway.registrations.api import router as registrations
from gateway.usage.api import router as usage
from gateway.webhooks.api import router as webhooks
from shared.kit.problems import ProblemDocument

router = APIRouter(include_in_schema=False)

PARTNER_ROUTERS = (oauth, authorization, registrations, consents, payments, webhooks, usage)
STANDARD_ROUTERS = (data_access, open_banking, domestic_payments)

DESCRIPTION = """
Open banking at Tongbao. Get an access token with a signed client assertion (`private_key_jwt`)
and a DPoP proof, create a payment consent, send the customer to its `authorize_url`, then pay.

- Send `Authorization: DPoP <token>` and a fresh `DPoP` proof with `ath` on every call.
- Amounts are whole minor units (fen, cent). Writes take an `Idempotency-Key`.
- Errors are problem documents (RFC 9457) with a stable `code`; the token endpoint answers as
  RFC 6749 says. Quote `trace_id`, or the `traceparent` header of any answer, in a question.
- `RateLimit` tells how many calls are left; after a 429 wait for `Retry-After`.
"""


@router.get("/v1/openapi.json")
async def describe() -> dict[str, Any]:
    return DOCUMENT


def document() -> dict[str, Any]:
    """OpenAPI 3.1 of the partners' routes."""
    found = get_openapi(
        title="Tongbao open banking",
        version="1.0.0",
        description=DESCRIPTION.strip(),
        routes=[route for part in (*PARTNER_ROUTERS, *STANDARD_ROUTERS) for route in part.routes],
        tags=[
            {"name": "tokens", "description": "Client authentication and access tokens"},
            {"name": "registration", "description": "Clients with a software statement"},
            {"name": "payment consents", "description": "What a customer allows you"},
            {"name": "payments", "description": "Payments under a consent"},
            {"name": "webhooks", "description": "Being told what happens, by Standard Webhooks"},
            {"name": "usage", "description": "Your calls, counted"},
            {"name": "open banking", "description": "UK Open Banking Read/Write v4.0"},
        ],
    )
    components = found.setdefault("components", {})
    components.setdefault("schemas", {})["ProblemDocument"] = _problem_schema()
    components["schemas"].pop("HTTPValidationError", None)
    components["schemas"].pop("ValidationError", None)
    components["securitySchemes"] = {
        "dpop": {
            "type": "http",
            "scheme": "DPoP",
            "description": "A DPoP-bound access token (RFC 9449), with a proof in `DPoP`",
        }
    }
    for path, operations in found["paths"].items():
        for operation in operations.values():
            if path.startswith(OPEN_BANKING):  # there it is a 400 in the standard's own form
                operation["responses"].pop("422", None)
            if path.startswith(("/v1/", OPEN_BANKING)):
                operation["security"] = [{"dpop": []}]
                operation.setdefault("parameters", []).append(_PROOF)
            else:
                operation["security"] = []
    return found


_PROOF = {
    "name": "DPoP",
    "in": "header",
    "required": True,
    "schema": {"type": "string"},
    "description": "A proof for this method and URL, with `ath` of the token (RFC 9449)",
}


def _problem_schema() -> dict[str, Any]:
    schema = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    inner = schema.pop("$defs", {})
    field = inner.get("FieldError", {"type": "object"})
    schema["properties"]["errors"]["items"] = field
    return schema


DOCUMENT = document()
