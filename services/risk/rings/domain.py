"""Rings: customers who share strong identifiers, such as a device. Pure: no clock, no I/O.

Only strong identifiers glue; an IP address would glue strangers. One that more than `glue`
customers share (a device in a branch) glues no more and is counted instead. Components are kept
online by union-find with path compression and union by size (Tarjan, 1975). Union-find cannot
part what it has joined, so `rebuilt` makes the components anew from the kept edges, without the
identifiers that have grown past the cap since.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

Identifier = tuple[str, str]
"""Kind and value: `("device", "a3f1…")`."""
Node = str | Identifier
"""A customer, or an identifier."""

#: A cause that does not lapse.
FOR_GOOD: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Caps:
    """`glue` customers of one identifier are joined, `counted` are counted, `kept` edges held.

    A search for known fraud goes `steps` edges far and looks at `visited` nodes at the most.
    """

    glue: int = 8
    counted: int = 1_000
    kept: int = 2_000_000
    steps: int = 6
    visited: int = 256


@dataclass(frozen=True, slots=True)
class Ring:
    """What a customer's ring shows. `fraud_distance` counts edges: 0 is the customer itself, 1
    an identifier of its own, 2 somebody who shares it; None where the search found nothing.
    `shared` is the number of customers on the customer's most shared identifier.
    """

    size: int
    fraud_distance: int | None
    shared: int


@dataclass(frozen=True, slots=True)
class Nearby:
    """Who is around a customer: `nodes` from near to far, the customer first; `edges` are pairs
    of places in them, `fraud` the places of who is known fraud. `hidden` more were left out.
    """

    nodes: tuple[Node, ...]
    edges: tuple[tuple[int, int], ...]
    fraud: frozenset[int]
    hidden: int


class Components:
    """Union-find over customers."""

    __slots__ = ("_parents", "_sizes")

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}
        self._sizes: dict[str, int] = {}

    def root(self, customer: str) -> str:
        parents, root = self._parents, customer
        while (above := parents.get(root, root)) != root:
            root = above
        while (above := parents.get(customer, customer)) != root:
            parents[customer] = root
            customer = above
        return root

    def size(self, customer: str) -> int:
        return self._sizes.get(self.root(customer), 1)

    def join(self, one: str, other: str) -> None:
        larger, smaller = self.root(one), self.root(other)
        if larger == smaller:
            return
        if self._sizes.get(larger, 1) < self._sizes.get(smaller, 1):
            larger, smaller = smaller, larger
        self._parents[smaller] = larger
        self._sizes[larger] = self._sizes.get(larger, 1) + self._sizes.pop(smaller, 1)


class Rings:
    """The edges between customers and identifiers, their components, and who is known fraud."""

    def __init__(self, caps: Caps | None = None) -> None:
        self.caps = caps or Caps()
        self.clear()

    def clear(self) -> None:
        """As if nothing had been linked or flagged."""
        self._customers: dict[Identifier, list[str]] = {}
        self._identifiers: dict[str, list[Identifier]] = {}
        self._components = Components()
        #: The components that a rebuilding makes, while it does.
        self._fresh: Components | None = None
        #: Until when each cause counts, in milliseconds since 1970.
        self._fraud: dict[Node, dict[str, int]] = {}
        self._edges = 0

    def __len__(self) -> int:
        return self._edges

    def link(self, customer: str, identifier: Identifier) -> bool:
        """The customer uses the identifier; False where that was known, or nothing more is kept."""
        sharing = self._customers.get(identifier)
        if sharing is None:
            if self._edges >= self.caps.kept:
                return False
            sharing = self._customers[identifier] = []
        elif (
            customer in sharing
            or len(sharing) >= self.caps.counted
            or self._edges >= self.caps.kept
        ):
            return False
        sharing.append(customer)
        self._identifiers.setdefault(customer, []).append(identifier)
        self._edges += 1
        if 1 < len(sharing) <= self.caps.glue:
            self._components.join(sharing[0], customer)
            if self._fresh is not None:
                self._fresh.join(sharing[0], customer)
        return True

    def flag(self, node: Node, *, cause: str, is_fraud: bool, until_ms: int = FOR_GOOD) -> None:
        """A customer or an identifier is known fraud for a cause, until then; or for that cause
        no longer.
        """
        if is_fraud:
            self._fraud.setdefault(node, {})[cause] = until_ms
        elif node in self._fraud:
            self._fraud[node].pop(cause, None)
            if not self._fraud[node]:
                del self._fraud[node]

    def flags(self) -> Iterator[tuple[Node, str, int]]:
        """Who is known fraud, with each cause and until when it counts."""
        for node, causes in self._fraud.items():
            for cause, until_ms in sorted(causes.items()):
                yield node, cause, until_ms

    def ring(self, customer: str, *, now_ms: int = 0) -> Ring:
        """The customer's ring with who counts as known fraud at that time."""
        known = self._identifiers.get(customer, ())
        return Ring(
            size=self._components.size(customer),
            fraud_distance=self._distance(customer, now_ms),
            shared=max((len(self._customers[one]) for one in known), default=0),
        )

    def nearby(self, customer: str, *, most: int, now_ms: int = 0) -> Nearby:
        """The customer's ring as far as `most` nodes go, for people to look at.

        An identifier that too many share is shown and not followed.
        """
        places: dict[Node, int] = {customer: 0}
        edges: dict[tuple[int, int], None] = {}
        left_out: set[Node] = set()
        waiting: deque[Node] = deque([customer])
        while waiting:
            node = waiting.popleft()
            for near in self._near(node):
                if near not in places:
                    if len(places) >= most:
                        left_out.add(near)
                        continue
                    places[near] = len(places)
                    waiting.append(near)
                one, other = sorted((places[node], places[near]))
                edges[one, other] = None
        return Nearby(
            nodes=tuple(places),
            edges=tuple(edges),
            fraud=frozenset(
                place for node, place in places.items() if self._is_fraud(node, now_ms)
            ),
            hidden=len(left_out),
        )

    def edges(self) -> Iterator[tuple[str, Identifier]]:
        """All edges, each identifier's in the order in which they came."""
        for identifier, customers in self._customers.items():
            for customer in customers:
                yield customer, identifier

    def rebuilt(self, every: int = 2_000) -> Iterator[int]:
        """Makes the components anew in steps; what is linked meanwhile is joined in both."""
        fresh = self._fresh = Components()
        for done, customers in enumerate(list(self._customers.values())):
            if len(customers) <= self.caps.glue:
                for customer in customers[1:]:
                    fresh.join(customers[0], customer)
            if done % every == every - 1:
                yield done
        self._components, self._fresh = fresh, None

    def _is_fraud(self, node: Node, now_ms: int) -> bool:
        causes = self._fraud.get(node)
        return causes is not None and any(until_ms > now_ms for until_ms in causes.values())

    def _distance(self, customer: str, now_ms: int) -> int | None:
        """Breadth first, so that the first one found is the nearest."""
        if not self._fraud:
            return None
        seen: set[Node] = {customer}
        waiting: deque[tuple[Node, int]] = deque([(customer, 0)])
        while waiting:
            node, steps = waiting.popleft()
            if node in self._fraud and self._is_fraud(node, now_ms):
                return steps
            if steps >= self.caps.steps:
                continue
            for near in self._near(node):
                if near not in seen and len(seen) < self.caps.visited:
                    seen.add(near)
                    waiting.append((near, steps + 1))
        return None

    def _near(self, node: Node) -> list[str] | list[Identifier]:
        if isinstance(node, str):
            return self._identifiers.get(node, [])
        sharing = self._customers.get(node, [])
        return sharing if len(sharing) <= self.caps.glue else []
