"""What every event is: a frozen model with a topic and a key, carried in a CloudEvents envelope."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

#: CloudEvents 1.0, https://github.com/cloudevents/spec
SPEC_VERSION = "1.0"


class Event(BaseModel):
    """Something that happened, in the past tense. Subclasses name their topic and their key.

    A reader ignores fields that a newer producer adds; a producer only ever adds optional ones.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    topic: ClassVar[str]
    example: ClassVar[dict[str, Any]]

    def key(self) -> str:
        """Events with the same key keep their order."""
        raise NotImplementedError


class Envelope(BaseModel):
    """The CloudEvents attributes around one event's data."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: str = SPEC_VERSION
    id: UUID
    source: str
    type: str
    time: datetime
    subject: str
    traceparent: str | None = None
    data: dict[str, Any]
