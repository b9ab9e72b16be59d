"""How hot routes answer."""

from fastapi import Response
from pydantic import BaseModel


def written(reply: BaseModel, *, status: int) -> Response:
    """The reply as JSON, written once. It is not validated again: the service has just made it."""
    return Response(reply.model_dump_json(), status_code=status, media_type="application/json")
