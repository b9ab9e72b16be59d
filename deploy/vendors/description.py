"""What a vendor says of its model: `vendor.json` in a folder of its own, docs/vendors.md."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

FILE: Final = "vendor.json"
MAX_DESCRIPTION: Final = 256 * 1024
MAX_MODEL: Final = 256 * 1024 * 1024

Name = Annotated[str, Field(min_length=1, max_length=120)]


class Refused(Exception):
    """What a vendor brought cannot be used; the text is one clear line."""


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Golden(Record):
    """Inputs in the order of `inputs`, null for a missing one, and the model's own answer."""

    inputs: Annotated[list[float | None], Field(max_length=1_000)]
    answer: float


class Vendor(Record):
    """`inputs` are our features in the model's order, in one array; or, where the model has an
    input for each, the name of each with the feature it takes.

    `orientation` is `risk` where a higher answer is worse, and `safety` where it is better.
    """

    name: Name
    kind: Literal["onnx", "http"]
    inputs: (
        Annotated[list[Name], Field(min_length=1, max_length=1_000)]
        | Annotated[dict[Name, Name], Field(min_length=1, max_length=1_000)]
    )
    orientation: Literal["risk", "safety"] = "risk"
    missing: float | None = None
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    file: Name = "model.onnx"
    sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")] | None = None
    output: Name | None = None
    column: Annotated[int, Field(ge=0, le=10_000)] | None = None
    url: Annotated[str, Field(pattern=r"^https?://", max_length=2_000)] | None = None
    golden: Annotated[list[Golden], Field(max_length=100)] = []

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.kind == "http" and self.url is None:
            raise ValueError("a model of kind http needs a url")
        if self.kind == "http" and isinstance(self.inputs, dict):
            raise ValueError("a model of kind http takes a list of inputs")
        if Path(self.file).name != self.file:
            raise ValueError("file is a plain name within the vendor's folder")
        return self

    @property
    def features(self) -> list[str]:
        """Our features in the order in which they are handed over."""
        return list(self.inputs.values()) if isinstance(self.inputs, dict) else list(self.inputs)


def described(folder: Path) -> Vendor:
    """What the folder's description says; raises Refused with what is wrong."""
    path = folder / FILE
    try:
        if path.stat().st_size > MAX_DESCRIPTION:
            raise Refused(f"{FILE} is too large")
        return Vendor.model_validate(json.loads(path.read_bytes()))
    except OSError as error:
        raise Refused(f"{FILE} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refused(f"{FILE}: {where + ': ' if where else ''}{first['msg']}") from error
    except ValueError as error:
        raise Refused(f"{FILE} is not JSON: {error}") from error


def model_bytes(folder: Path, vendor: Vendor) -> bytes:
    """The model's file, whole where the vendor said its SHA-256; raises Refused."""
    path = folder / vendor.file
    try:
        if path.stat().st_size > MAX_MODEL:
            raise Refused(f"{vendor.file} is larger than {MAX_MODEL // 1024**2} MiB")
        content = path.read_bytes()
    except OSError as error:
        raise Refused(f"{vendor.file} cannot be read: {error.strerror}") from error
    found = hashlib.sha256(content).hexdigest()
    if vendor.sha256 is not None and found != vendor.sha256.lower():
        raise Refused(f"{vendor.file} was altered: its SHA-256 is {found[:16]}…, and vendor.json "
                      f"says {vendor.sha256[:16]}…")  # fmt: skip
    return content
