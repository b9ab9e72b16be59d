"""A neighbourhood drawn as lines and circles, which a page holds as inline SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin
from typing import Literal

#: More would be a tangle that nobody reads.
MAX_NODES = 24
WIDTH, HEIGHT = 640, 420
_RADIUS = 160


@dataclass(frozen=True, slots=True)
class Node:
    """A customer or an identifier that customers share. The first one is in the middle."""

    name: str
    kind: Literal["customer", "account", "device", "ip_address", "payee", "merchant"]
    is_fraud: bool = False


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """`edges` are pairs of places in `nodes`."""

    nodes: Sequence[Node]
    edges: Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Drawn:
    """Where everything stands, for the template."""

    circles: Sequence[tuple[float, float, Node]]
    lines: Sequence[tuple[float, float, float, float]]
    hidden: int
    width: int = WIDTH
    height: int = HEIGHT


def drawn(found: Neighbourhood) -> Drawn:
    """The first node in the middle, the others around it."""
    nodes = found.nodes[:MAX_NODES]
    places = [_place(place, len(nodes)) for place in range(len(nodes))]
    lines = [
        (*places[one], *places[other])
        for one, other in found.edges
        if one < len(nodes) and other < len(nodes)
    ]
    circles = [(x, y, node) for (x, y), node in zip(places, nodes, strict=True)]
    return Drawn(circles=circles, lines=lines, hidden=len(found.nodes) - len(nodes))


def _place(place: int, count: int) -> tuple[float, float]:
    if place == 0:
        return WIDTH / 2, HEIGHT / 2
    angle = 2 * pi * (place - 1) / max(1, count - 1) - pi / 2
    return (
        round(WIDTH / 2 + 1.4 * _RADIUS * cos(angle), 1),
        round(HEIGHT / 2 + _RADIUS * sin(angle), 1),
    )
