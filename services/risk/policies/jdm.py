"""The parts of JDM, zen-engine's JSON Decision Model, that a policy is written in.

Decision tables, and an expression node of thresholds, between one input and one output. Positions
and other marks of the editor are left alone. No functions, switches or sub-decisions: JavaScript
has no bounds, and a policy has to be readable as tables.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from services.risk.policies.domain import PolicyRefused

MAX_NODES = 20
MAX_EDGES = 60
MAX_ROWS = 200
MAX_COLUMNS = 12
MAX_THRESHOLDS = 100
MAX_CELL = 500

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Cell = Annotated[str, StringConstraints(max_length=MAX_CELL)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Edge(_Part):
    source: Id = Field(alias="sourceId")
    target: Id = Field(alias="targetId")


class Column(_Part):
    id: Id
    field: Cell | None = None


class TableContent(_Part):
    hit_policy: Literal["first", "collect"] = Field(alias="hitPolicy")
    inputs: Annotated[list[Column], Field(min_length=1, max_length=MAX_COLUMNS)]
    outputs: Annotated[list[Column], Field(min_length=1, max_length=2)]
    rules: Annotated[list[dict[str, Cell]], Field(min_length=1, max_length=MAX_ROWS)]
    pass_through: bool = Field(default=False, alias="passThrough")
    input_field: None = Field(default=None, alias="inputField")
    output_path: Cell | None = Field(default=None, alias="outputPath")
    execution_mode: Literal["single"] = Field(default="single", alias="executionMode")


class Assignment(_Part):
    key: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
    value: Cell


class ExpressionContent(_Part):
    expressions: Annotated[list[Assignment], Field(max_length=MAX_THRESHOLDS)]
    # what follows reads the facts as well
    pass_through: Literal[True] = Field(alias="passThrough")
    input_field: None = Field(default=None, alias="inputField")
    output_path: None = Field(default=None, alias="outputPath")
    execution_mode: Literal["single"] = Field(default="single", alias="executionMode")


class InputNode(_Part):
    id: Id
    type: Literal["inputNode"]


class OutputNode(_Part):
    id: Id
    type: Literal["outputNode"]


class TableNode(_Part):
    id: Id
    type: Literal["decisionTableNode"]
    content: TableContent


class ExpressionNode(_Part):
    id: Id
    type: Literal["expressionNode"]
    content: ExpressionContent


Node = Annotated[InputNode | OutputNode | TableNode | ExpressionNode, Field(discriminator="type")]
_TYPES = {"inputNode", "outputNode", "decisionTableNode", "expressionNode"}


class Jdm(_Part):
    nodes: Annotated[list[Node], Field(min_length=3, max_length=MAX_NODES)]
    edges: Annotated[list[Edge], Field(min_length=2, max_length=MAX_EDGES)]


def parse(graph: Mapping[str, Any], *, field: str = "graph") -> Jdm:
    """The graph in its parts, connected from input to output. Raises PolicyRefused."""
    try:
        jdm = Jdm.model_validate(graph)
    except ValidationError as error:
        raise refused(error, field=field) from None
    _check_connected(jdm, field)
    return jdm


def refused(error: ValidationError, *, field: str) -> PolicyRefused:
    """What pydantic found first, as the field where it was."""
    found = error.errors()[0]
    path = [str(part) for part in found["loc"] if part not in _TYPES]
    return PolicyRefused(".".join([field, *path]), str(found["msg"]))


def _check_connected(jdm: Jdm, field: str) -> None:
    ids = [node.id for node in jdm.nodes]
    for i, name in enumerate(ids):
        if name in ids[:i]:
            raise PolicyRefused(f"{field}.nodes.{i}.id", "an id of its own")
    for i, edge in enumerate(jdm.edges):
        for end, name in (("sourceId", edge.source), ("targetId", edge.target)):
            if name not in ids:
                raise PolicyRefused(f"{field}.edges.{i}.{end}", "the id of a node")
    forward = _reached(jdm, _only(jdm, "inputNode", field), back=False)
    back = _reached(jdm, _only(jdm, "outputNode", field), back=True)
    for i, name in enumerate(ids):
        if name not in forward or name not in back:
            raise PolicyRefused(f"{field}.nodes.{i}", "a node between the input and the output")
    if _has_circle(jdm):
        raise PolicyRefused(f"{field}.edges", "no way in a circle")


def _only(jdm: Jdm, kind: str, field: str) -> str:
    found = [node.id for node in jdm.nodes if node.type == kind]
    if len(found) != 1:
        raise PolicyRefused(f"{field}.nodes", f"exactly one {kind}")
    return found[0]


def _reached(jdm: Jdm, start: str, *, back: bool) -> set[str]:
    reached, open_ids = {start}, [start]
    while open_ids:
        here = open_ids.pop()
        for edge in jdm.edges:
            one, other = (edge.target, edge.source) if back else (edge.source, edge.target)
            if one == here and other not in reached:
                reached.add(other)
                open_ids.append(other)
    return reached


def _has_circle(jdm: Jdm) -> bool:
    left = {node.id for node in jdm.nodes}
    while left:
        heads = left - {edge.target for edge in jdm.edges if edge.source in left}
        if not heads:
            return True
        left -= heads
    return False
