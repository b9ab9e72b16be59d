"""Windows against a naive recount of the whole history."""

import math
from fractions import Fraction
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from services.risk.features import (
    FEATURE_NAMES,
    HOUR_MS,
    MEAN_SPAN_MS,
    SMALL_MINOR,
    Windows,
)
from services.risk.features.definitions import FIELDS, MEASURES, RING, SPANS, SPANS_MS, Measure
from services.risk.windows import DAY_MS, Limits, SeenPayment, mark_of

NOON_MS = 1_767_240_000_000
NO_LATENESS_LIMIT = Limits(lateness_ms=400 * DAY_MS)

#: Times that fall on the edges of windows as often as between them.
moments = st.one_of(
    st.integers(0, 20 * DAY_MS),
    st.sampled_from(
        [
            base + edge
            for base in (0, DAY_MS)
            for edge in (0, 1, HOUR_MS - 1, HOUR_MS, DAY_MS, DAY_MS + 1, 7 * DAY_MS, MEAN_SPAN_MS)
        ]
    ),
)


@st.composite
def histories(draw: st.DrawFn, max_size: int = 30) -> list[SeenPayment]:
    """Payments in the order of their arrival: any order of time, some of them twice."""
    count = draw(st.integers(1, max_size))
    payments = []
    for i in range(count):
        customer = draw(st.sampled_from(["c1", "c2", "c3"]))
        payments.append(
            SeenPayment(
                payment_id=f"p{i:03d}",
                customer_id=customer,
                account_id=draw(st.sampled_from([f"{customer}-a", f"{customer}-b", "joint"])),
                payee_id=draw(st.sampled_from(["x", "y", "z", "c1-a"])),
                value_minor=draw(
                    st.one_of(
                        st.none(),
                        st.sampled_from([0, 1, SMALL_MINOR - 1, SMALL_MINOR, 10**17]),
                        st.integers(1, 10**7),
                    )
                ),
                at_ms=NOON_MS + draw(moments),
                device_id=draw(st.sampled_from([None, "phone", "laptop", customer])),
                ip_address=draw(st.sampled_from([None, "192.0.2.1", "192.0.2.2"])),
                merchant_id=draw(st.sampled_from([None, "m1", "m2"])),
            )
        )
    again = draw(st.lists(st.sampled_from(payments), max_size=5))
    return draw(st.permutations(payments + again))


def _close(found: float, expected: float) -> bool:
    if math.isnan(expected):
        return math.isnan(found)
    return math.isclose(found, expected, rel_tol=1e-12, abs_tol=1e-12)


def place(payment: SeenPayment) -> tuple[int, int]:
    return payment.at_ms, mark_of(payment.payment_id)


def one(row: Measure, payment: SeenPayment, past: list[SeenPayment]) -> float:
    """One row of the table by its definition: filters over all that was made until then."""
    at, attribute = payment.at_ms, FIELDS[row.entity]
    key = getattr(payment, attribute)
    if key is None:
        return math.nan
    mine = [entry for entry in past if getattr(entry, attribute) == key]
    within = [entry for entry in mine if entry.at_ms > at - row.span_ms]
    paid = sum(entry.value_minor or 0 for entry in within)
    longest = SPANS_MS[SPANS[row.entity][-1]]
    others = [
        entry.at_ms
        for entry in mine
        if entry.payment_id != payment.payment_id and entry.at_ms > at - longest
    ]
    match row.kind:
        case "count":
            return len(within)
        case "sum":
            return paid
        case "sum_log":
            return math.log1p(paid / 100)
        case "mean":
            return math.floor(Fraction(paid, len(within)) + Fraction(1, 2))
        case "small":
            return sum(1 for e in within if e.value_minor is not None and e.value_minor < 1_000)
        case "distinct":
            assert row.field is not None
            return len({getattr(entry, FIELDS[row.field]) for entry in within} - {None})
        case "since":
            return (at - max(others)) // 1_000 if others else math.nan
        case "since_log":
            return math.log1p((at - max(others)) / 1_000) if others else math.nan
        case "age":
            return (at - min(entry.at_ms for entry in mine)) // 1_000


def recount(payment: SeenPayment, arrived: list[SeenPayment]) -> dict[str, float]:
    """Every feature from the definition: filters over all that has arrived, no data structure."""
    at = payment.at_ms
    known = {entry.payment_id: entry for entry in arrived}
    past = [entry for entry in known.values() if entry.at_ms <= at]
    values: dict[str, float] = {row.name: one(row, payment, past) for row in MEASURES}
    mine = [entry for entry in past if entry.customer_id == payment.customer_id]

    def paid(span_ms: int) -> int:
        return sum(entry.value_minor or 0 for entry in mine if entry.at_ms > at - span_ms)

    month = [entry for entry in mine if entry.at_ms > at - MEAN_SPAN_MS]
    others = [entry.value_minor or 0 for entry in month if entry.payment_id != payment.payment_id]
    value = payment.value_minor
    mean = sum(others) / len(others) if others else 0
    has_ratio = value is not None and value > 0
    values["amount_log"] = math.nan if value is None else math.log1p(value / 100)
    values["amount_to_mean_log"] = math.log(value / mean) if has_ratio and mean else math.nan
    day, week = paid(DAY_MS), paid(7 * DAY_MS)
    values["amount_share_24h"] = value / day if value is not None and day else math.nan
    values["day_share_of_week"] = day / week if value is not None and week else math.nan
    hours = ((at + 8 * HOUR_MS) % DAY_MS) / HOUR_MS
    values["hour_sin"] = math.sin(hours / 24 * 2 * math.pi)
    values["hour_cos"] = math.cos(hours / 24 * 2 * math.pi)
    to_payee = [entry for entry in past if entry.payee_id == payment.payee_id]
    by_me = [entry for entry in to_payee if entry.customer_id == payment.customer_id]
    values["payee_new"] = 0 if any(place(e) < place(payment) for e in by_me) else 1
    values["payee_known_log_h"] = math.log1p((at - min(e.at_ms for e in by_me)) / HOUR_MS)
    values["payee_age_log_h"] = math.log1p((at - min(e.at_ms for e in to_payee)) / HOUR_MS)
    return values


#: What the rings add to it.
RING_NAMES = {feature.name for feature in RING}


def assert_same(found: dict[str, float], expected: dict[str, float]) -> None:
    assert set(found) == set(expected) == set(FEATURE_NAMES) - RING_NAMES
    differing = {n: (found[n], expected[n]) for n in found if not _close(found[n], expected[n])}
    assert not differing


class TestWindows:
    @given(arrivals=histories())
    def test_equal_a_recount_of_all_that_arrived_in_any_order(
        self, arrivals: list[SeenPayment]
    ) -> None:
        windows = Windows(NO_LATENESS_LIMIT)
        for i, payment in enumerate(arrivals):
            assert_same(windows.measure(payment), recount(payment, arrivals[: i + 1]))

    @given(arrivals=histories())
    def test_reach_the_same_values_by_every_order_of_arrival(
        self, arrivals: list[SeenPayment]
    ) -> None:
        one, other = Windows(), Windows()
        for payment in arrivals:
            one.observe(payment)
        for payment in sorted(arrivals, key=lambda entry: entry.payment_id):
            other.observe(payment)
        newest = max(arrivals, key=lambda entry: (entry.at_ms, entry.payment_id))
        assert_same(one.measure(newest), other.measure(newest))

    @given(arrivals=histories(), data=st.data())
    def test_count_a_payment_once_from_decision_and_bus(
        self, arrivals: list[SeenPayment], data: st.DataObject
    ) -> None:
        once, twice = Windows(), Windows()
        for payment in arrivals:
            once.observe(payment)
            twice.measure(payment)
            twice.observe(data.draw(st.sampled_from(arrivals[: arrivals.index(payment) + 1])))
        last = arrivals[-1]
        assert_same(once.measure(last), twice.measure(last))

    @given(arrivals=histories(), data=st.data())
    def test_never_look_past_the_time_of_the_payment(
        self, arrivals: list[SeenPayment], data: st.DataObject
    ) -> None:
        payment = data.draw(st.sampled_from(arrivals))
        all_of_it, past_of_it = Windows(NO_LATENESS_LIMIT), Windows(NO_LATENESS_LIMIT)
        for entry in arrivals:
            all_of_it.observe(entry)
            if entry.at_ms <= payment.at_ms:
                past_of_it.observe(entry)
        assert_same(all_of_it.measure(payment), past_of_it.measure(payment))

    def test_show_the_second_of_two_quick_payments_the_first(self) -> None:
        windows = Windows()
        first = SeenPayment("p1", "c1", "a1", "x", 100, NOON_MS)
        second = SeenPayment("p2", "c1", "a1", "x", 100, NOON_MS)
        assert windows.measure(first)["customer_count_10m"] == 1
        assert windows.measure(second)["customer_count_10m"] == 2

    @given(arrivals=histories(max_size=40))
    def test_past_their_cap_count_the_newest_entries(self, arrivals: list[SeenPayment]) -> None:
        cap = 5
        windows = Windows(Limits(entries=cap, lateness_ms=400 * DAY_MS))
        for entry in arrivals:
            windows.observe(entry)
        mine = {place(entry): entry for entry in arrivals if entry.customer_id == "c1"}
        kept = [entry for _, entry in sorted(mine.items())][-cap:]
        assert windows.held("customer", "c1") == (len(kept) or None)
        if kept and kept[0].at_ms > kept[-1].at_ms - MEAN_SPAN_MS:
            found = windows.measure(kept[-1])
            assert found["customer_count_30d"] == len(kept)
            paid = sum(one.value_minor or 0 for one in kept)
            assert _close(found["customer_sum_minor_30d"], paid)

    @settings(max_examples=10)
    @given(draw=st.randoms(use_true_random=False), entries=st.sampled_from([3, 64, 500]))
    def test_of_a_crowded_key_count_what_a_look_at_each_entry_would(
        self, draw: Random, entries: int
    ) -> None:
        windows, at = Windows(Limits(entries=entries)), NOON_MS
        seen: list[tuple[int, int, str, int]] = []
        for number in range(entries * 2):
            at += draw.choice([0, 1, 60_000, HOUR_MS])
            made, who = at - draw.choice([0, 0, 0, HOUR_MS, 30 * HOUR_MS]), f"c{draw.randrange(9)}"
            paid = SeenPayment(f"p{number}", who, who, "shop", draw.randrange(10**9), made)
            found = windows.measure(paid)
            seen = sorted([*seen, (*place(paid), who, paid.value_minor or 0)])
            seen = [one for one in seen if one[0] > seen[-1][0] - 8 * DAY_MS][-entries:]
            for span, name in ((DAY_MS, "payee_fan_in_24h"), (7 * DAY_MS, "payee_customers_7d")):
                within = [one for one in seen if made - span < one[0] <= made]
                assert found[name] == len({one[2] for one in within})
            assert found["payee_sum_minor_7d"] == sum(one[3] for one in within)
        assert windows.held("payee", "shop") == len(seen)

    @given(arrivals=histories(), data=st.data())
    def test_take_what_is_late_by_no_more_than_their_lateness(
        self, arrivals: list[SeenPayment], data: st.DataObject
    ) -> None:
        lateness = 2 * DAY_MS
        windows, newest, taken = Windows(Limits(lateness_ms=lateness)), 0, []
        for entry in arrivals:
            if entry.at_ms < newest - lateness:
                continue
            newest = max(newest, entry.at_ms)
            taken.append(entry)
            assert_same(windows.measure(entry), recount(entry, taken))

    def test_without_device_address_and_merchant_have_no_values_of_them(self) -> None:
        values = Windows().measure(SeenPayment("p1", "c1", "a1", "x", 100, NOON_MS))
        missing = {name for name, value in values.items() if math.isnan(value)}
        of_partner = {row.name for row in MEASURES if row.entity in {"device", "ip", "merchant"}}
        assert of_partner < missing
        assert values["customer_devices_7d"] == values["customer_ips_24h"] == 0

    def test_forget_what_lies_beyond_horizon_and_lateness(self) -> None:
        windows = Windows(Limits(lateness_ms=DAY_MS))
        for day in range(200):
            windows.observe(SeenPayment(f"p{day}", "c1", "a1", "x", 1, NOON_MS + day * DAY_MS))
        assert windows.held("customer", "c1") == MEAN_SPAN_MS // DAY_MS + 1
        assert windows.held("account", "a1") == 8

    def test_remember_a_payee_longer_than_any_window(self) -> None:
        windows = Windows()
        windows.observe(SeenPayment("p1", "c1", "a1", "x", 100, NOON_MS))
        late = SeenPayment("p2", "c1", "a1", "x", 100, NOON_MS + 300 * DAY_MS)
        values = windows.measure(late)
        assert values["payee_new"] == 0
        assert values["customer_count_7d"] == 1

    def test_hold_no_more_keys_than_allowed_and_drop_the_longest_untouched(self) -> None:
        windows = Windows(Limits(keys=3, payees=2))
        for i in range(6):
            windows.observe(SeenPayment(f"p{i}", f"c{i}", f"a{i}", f"x{i}", 1, NOON_MS + i))
        assert windows.size() == dict.fromkeys(FIELDS, 0) | {
            "customer": 3,
            "account": 3,
            "payee": 3,
        }
        assert [windows.held("customer", f"c{i}") for i in (2, 3, 5)] == [None, 1, 1]
        for i in range(5):
            windows.observe(SeenPayment(f"q{i}", "c5", "a5", f"x{i}", 1, NOON_MS + i))
        # of the payees the one that was not paid for longest is a stranger again
        for payee, is_new in (("x4", 0), ("x3", 0), ("x1", 1)):
            again = SeenPayment(f"again-{payee}", "c5", "a5", payee, 1, NOON_MS + 9)
            assert windows.measure(again)["payee_new"] == is_new

    def test_give_finite_or_missing_values_to_a_payment_too_late_for_them(self) -> None:
        windows = Windows(Limits(entries=2))
        for i in range(4):
            windows.observe(SeenPayment(f"p{i}", "c1", "a1", "x", 500, NOON_MS + i))
        late = windows.measure(SeenPayment("late", "c1", "a1", "x", 700, NOON_MS - 60 * DAY_MS))
        assert all(math.isfinite(value) or math.isnan(value) for value in late.values())
        assert late["amount_share_24h"] == 1
