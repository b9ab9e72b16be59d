"""A customer's ring drawn as lines and shapes, which a page holds as inline SVG.

The customer is in the middle. Around it, step by step, are the identifiers that it uses, who
shares them, and theirs: a tree of shortest ways, whose branches get the room that their ends need.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin
from typing import Final, Literal

from services.risk.rings.domain import Node as RingNode
from services.risk.rings.domain import Rings

#: More would be a tangle that nobody reads.
MAX_NODES: Final = 24
WIDTH: Final = 720
HEIGHT: Final = 520
_MARGIN_X: Final = 90
_MARGIN_Y: Final = 46
#: Of an identifier, people see the end alone: enough to tell two apart.
_SHOWN: Final = 4
_LONG: Final = 13
_ENDS: Final = 5

Kind = Literal["customer", "device", "phone", "card"]


@dataclass(frozen=True, slots=True)
class Node:
    """A customer or an identifier. `name` is what people may see of it."""

    name: str
    kind: Kind
    is_fraud: bool = False
    #: Of a customer, to look for its cases.
    customer_id: str | None = None


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """The first node is the customer; `edges` are pairs of places in `nodes`, the nearer first.
    `hidden` more are not shown.
    """

    nodes: Sequence[Node]
    edges: Sequence[tuple[int, int]]
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class Drawn:
    """Where everything stands, for the template, and the edges in words for who sees no picture."""

    shapes: Sequence[tuple[float, float, Node]]
    lines: Sequence[tuple[float, float, float, float]]
    pairs: Sequence[tuple[Node, Node]]
    hidden: int
    width: int = WIDTH
    height: int = HEIGHT


def neighbourhood(rings: Rings, customer_id: str, *, now_ms: int) -> Neighbourhood | None:
    """What is around the customer now; None where it is known by no identifier."""
    found = rings.nearby(customer_id, most=MAX_NODES, now_ms=now_ms)
    if len(found.nodes) == 1:
        return None
    nodes = [_node(node, is_fraud=place in found.fraud) for place, node in enumerate(found.nodes)]
    return Neighbourhood(nodes=nodes, edges=found.edges, hidden=found.hidden)


def _node(node: RingNode, *, is_fraud: bool) -> Node:
    if isinstance(node, str):
        short = node if len(node) <= _LONG else f"{node[:_ENDS]}…{node[-_ENDS:]}"
        return Node(short, "customer", is_fraud, customer_id=node)
    kind, value = node
    known: Kind = "phone" if kind == "phone" else "card" if kind == "card" else "device"
    return Node(f"····{value[-_SHOWN:]}", known, is_fraud)


def drawn(found: Neighbourhood) -> Drawn:
    """The first node in the middle, each step further out than the one before."""
    parents = _parents(found)
    children: dict[int, list[int]] = {place: [] for place in range(len(found.nodes))}
    for place, parent in parents.items():
        children[parent].append(place)
    depths = {0: 0}
    for place, parent in parents.items():
        depths[place] = depths[parent] + 1
    ends = _ends(children, len(found.nodes))
    places = _places(children, depths, ends)
    return Drawn(
        shapes=[(*places[place], node) for place, node in enumerate(found.nodes)],
        lines=[(*places[one], *places[other]) for one, other in found.edges],
        pairs=[(found.nodes[one], found.nodes[other]) for one, other in found.edges],
        hidden=found.hidden,
    )


def _parents(found: Neighbourhood) -> dict[int, int]:
    """By place the nearer neighbour through which it was found; in the order of places."""
    parents: dict[int, int] = {}
    for one, other in found.edges:
        parents.setdefault(other, one)
    return dict(sorted(parents.items()))


def _ends(children: dict[int, list[int]], count: int) -> dict[int, int]:
    """How many ends each branch has; a child has a higher place than its parent."""
    ends: dict[int, int] = {}
    for place in reversed(range(count)):
        ends[place] = sum(ends[child] for child in children[place]) or 1
    return ends


def _places(
    children: dict[int, list[int]], depths: dict[int, int], ends: dict[int, int]
) -> dict[int, tuple[float, float]]:
    deepest = max(depths.values()) or 1
    out_x, out_y = WIDTH / 2 - _MARGIN_X, HEIGHT / 2 - _MARGIN_Y
    places = {0: (WIDTH / 2, HEIGHT / 2)}
    waiting = [(0, -pi / 2, 2 * pi)]
    while waiting:
        place, start, room = waiting.pop()
        for child in children[place]:
            part = room * ends[child] / ends[place]
            angle, share = start + part / 2, (depths[child] / deepest) ** 0.8
            x, y = WIDTH / 2 + out_x * share * cos(angle), HEIGHT / 2 + out_y * share * sin(angle)
            places[child] = (round(x, 1), round(y, 1))
            waiting.append((child, start, part))
            start += part
    return places
