"""Rings against components that are searched anew, and their caps."""

from hypothesis import given
from hypothesis import strategies as st

from services.risk.rings.domain import Caps, Identifier, Rings

CUSTOMERS = [f"c{i}" for i in range(8)]
DEVICES: list[Identifier] = [("device", f"d{i}") for i in range(6)]
edges_st = st.lists(st.tuples(st.sampled_from(CUSTOMERS), st.sampled_from(DEVICES)), max_size=24)


def naive(edges: list[tuple[str, Identifier]], *, glue: int, start: str) -> dict[object, int]:
    """Distances from `start` over the identifiers that few enough share: a flood, no union."""
    near: dict[object, set[object]] = {}
    sharing = {d: {c for c, e in edges if e == d} for _, d in edges}
    for customer, device in edges:
        near.setdefault(customer, set()).add(device)
        if len(sharing[device]) <= glue:
            near.setdefault(device, set()).add(customer)
    found: dict[object, int] = {start: 0}
    reached: set[object] = {start}
    while reached:
        steps = {b for a in reached for b in near.get(a, ())} - set(found)
        found |= dict.fromkeys(steps, max(found.values()) + 1)
        reached = steps
    return found


def members(found: dict[object, int]) -> int:
    return sum(1 for node in found if isinstance(node, str))


class TestRings:
    @given(edges=edges_st)
    def test_have_the_sizes_of_components_searched_anew(
        self, edges: list[tuple[str, Identifier]]
    ) -> None:
        rings = Rings()
        for place, (customer, device) in enumerate(edges):
            known = (customer, device) in edges[:place]
            assert rings.link(customer, device) is not known
            assert rings.link(customer, device) is False
        assert len(rings) == len(set(edges))
        for customer in CUSTOMERS:
            expected = members(naive(edges, glue=len(CUSTOMERS), start=customer))
            assert rings.ring(customer).size == expected

    @given(edges=edges_st, glue=st.integers(1, 4))
    def test_built_anew_leave_out_identifiers_that_too_many_share(
        self, edges: list[tuple[str, Identifier]], glue: int
    ) -> None:
        rings = Rings(Caps(glue=glue))
        for customer, device in edges:
            rings.link(customer, device)
        for customer in CUSTOMERS:
            assert rings.ring(customer).size >= members(naive(edges, glue=glue, start=customer))
        for _ in rings.rebuilt(every=1):
            pass
        for customer in CUSTOMERS:
            assert rings.ring(customer).size == members(naive(edges, glue=glue, start=customer))

    @given(edges=edges_st, more=edges_st, glue=st.integers(1, 4))
    def test_keep_what_is_linked_while_they_are_built_anew(
        self, edges: list[tuple[str, Identifier]], more: list[tuple[str, Identifier]], glue: int
    ) -> None:
        rings, late = Rings(Caps(glue=glue)), list(more)
        for customer, device in edges:
            rings.link(customer, device)
        for _ in rings.rebuilt(every=1):
            if late:
                rings.link(*late.pop())
        for customer, device in late:
            rings.link(customer, device)
        told = list(rings.edges())
        for customer in CUSTOMERS:
            least = members(naive(told, glue=glue, start=customer))
            assert rings.ring(customer).size >= least

    @given(edges=edges_st, fraud=st.sets(st.sampled_from([*CUSTOMERS, *DEVICES])))
    def test_are_as_far_from_fraud_as_the_shortest_way(
        self, edges: list[tuple[str, Identifier]], fraud: set[str | Identifier]
    ) -> None:
        caps = Caps(glue=3, steps=4)
        rings = Rings(caps)
        for customer, device in edges:
            rings.link(customer, device)
        for node in fraud:
            rings.flag(node, cause="one", is_fraud=True)
            rings.flag(node, cause="two", is_fraud=True)
            rings.flag(node, cause="two", is_fraud=False)
        for customer in CUSTOMERS:
            ways = naive(edges, glue=caps.glue, start=customer)
            known = [ways[node] for node in fraud if ways.get(node, 99) <= caps.steps]
            assert rings.ring(customer).fraud_distance == min(known, default=None)
        for node in fraud:
            rings.flag(node, cause="one", is_fraud=False)
        assert {rings.ring(c).fraud_distance for c in CUSTOMERS} == {None}

    def test_count_who_shares_an_identifier_past_the_cap_that_glues(self) -> None:
        rings = Rings(Caps(glue=3, counted=10))
        for i in range(20):
            rings.link(f"c{i}", ("device", "branch"))
        assert rings.ring("c0").shared == 10
        assert rings.ring("c9").size == 1
        assert rings.ring("c19").shared == 0

    def test_hold_no_more_edges_than_allowed(self) -> None:
        rings = Rings(Caps(kept=5))
        taken = [rings.link(f"c{i}", ("device", f"d{i % 2}")) for i in range(9)]
        assert taken == [True] * 5 + [False] * 4
        assert len(rings) == 5

    def test_know_fraud_until_its_cause_lapses(self) -> None:
        rings = Rings()
        for customer in ("c0", "c1"):
            rings.link(customer, ("device", "d"))
        rings.flag("c1", cause="list", is_fraud=True, until_ms=1_000)
        assert rings.ring("c0", now_ms=999).fraud_distance == 2
        assert rings.ring("c0", now_ms=1_000).fraud_distance is None
        rings.flag("c1", cause="label", is_fraud=True)
        rings.flag("c1", cause="list", is_fraud=False)
        assert rings.ring("c0", now_ms=1_000).fraud_distance == 2


class TestNearby:
    @given(edges=edges_st, fraud=st.sampled_from([*CUSTOMERS, *DEVICES]), most=st.integers(1, 14))
    def test_shows_the_nearest_and_says_how_many_are_hidden(
        self, edges: list[tuple[str, Identifier]], fraud: str | Identifier, most: int
    ) -> None:
        rings = Rings(Caps(glue=3))
        for customer, device in edges:
            rings.link(customer, device)
        rings.flag(fraud, cause="one", is_fraud=True)
        ways = naive(edges, glue=3, start="c0")
        found = rings.nearby("c0", most=most)
        assert found.nodes[0] == "c0"
        assert len(set(found.nodes)) == len(found.nodes) == min(most, len(ways))
        steps = [ways[node] for node in found.nodes]
        assert steps == sorted(ways.values())[:most]
        assert (found.hidden > 0) is (len(ways) > most)
        assert {found.nodes[place] for place in found.fraud} == {fraud} & set(found.nodes)
        shown = {(c, d) for c, d in edges if c in found.nodes and d in found.nodes}
        drawn = {
            (one, other) if isinstance(one, str) else (other, one)
            for one, other in ((found.nodes[a], found.nodes[b]) for a, b in found.edges)
        }
        # what is past the cap is not followed, so some of its edges stay undrawn
        assert drawn <= shown
        assert len(drawn) >= len(found.nodes) - 1
