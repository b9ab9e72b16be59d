"""Windows against a naive recount of the whole history."""

import math

from hypothesis import given
from hypothesis import strategies as st

from services.risk.features import (
    FEATURE_NAMES,
    HOUR_MS,
    MEAN_SPAN_MS,
    MINUTE_MS,
    SMALL_MINOR,
    Windows,
)
from services.risk.windows import DAY_MS, Limits, SeenPayment, Window

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
            )
        )
    again = draw(st.lists(st.sampled_from(payments), max_size=5))
    return draw(st.permutations(payments + again))


def _close(found: float, expected: float) -> bool:
    if math.isnan(expected):
        return math.isnan(found)
    return math.isclose(found, expected, rel_tol=1e-12, abs_tol=1e-12)


def recount(payment: SeenPayment, arrived: list[SeenPayment]) -> dict[str, float]:
    """Every feature from the definition: filters over all that has arrived, no data structure."""
    at = payment.at_ms
    known = {entry.payment_id: entry for entry in arrived}
    past = [entry for entry in known.values() if entry.at_ms <= at]

    def within(span_ms: int, **same: str) -> list[SeenPayment]:
        return [
            entry
            for entry in past
            if entry.at_ms > at - span_ms
            and all(getattr(entry, name) == value for name, value in same.items())
        ]

    def paid(entries: list[SeenPayment]) -> int:
        return sum(entry.value_minor or 0 for entry in entries)

    mine = {"customer_id": payment.customer_id}
    values: dict[str, float] = {}
    for entity, same in (
        ("customer", mine),
        ("account", {"account_id": payment.account_id}),
        ("payee", {"payee_id": payment.payee_id}),
    ):
        for name, span_ms in (("1h", HOUR_MS), ("24h", 24 * HOUR_MS), ("7d", 168 * HOUR_MS)):
            entries = within(span_ms, **same)
            values[f"{entity}_count_{name}"] = len(entries)
            values[f"{entity}_sum_log_{name}"] = math.log1p(paid(entries) / 100)
    day, month = within(DAY_MS, **mine), within(MEAN_SPAN_MS, **mine)
    others = [entry for entry in month if entry.payment_id != payment.payment_id]
    value = payment.value_minor
    mean = paid(others) / len(others) if others else 0
    has_ratio = value is not None and value > 0
    values["amount_log"] = math.nan if value is None else math.log1p(value / 100)
    values["amount_to_mean_log"] = math.log(value / mean) if has_ratio and mean else math.nan
    is_summed = value is not None and paid(day) > 0
    values["amount_share_24h"] = value / paid(day) if is_summed else math.nan
    week = paid(within(7 * DAY_MS, **mine))
    values["day_share_of_week"] = paid(day) / week if value is not None and week else math.nan
    hours = ((at + 8 * HOUR_MS) % DAY_MS) / HOUR_MS
    values["hour_sin"] = math.sin(hours / 24 * 2 * math.pi)
    values["hour_cos"] = math.cos(hours / 24 * 2 * math.pi)
    to_payee = [entry for entry in past if entry.payee_id == payment.payee_id]
    by_me = [entry for entry in to_payee if entry.customer_id == payment.customer_id]
    before = [e for e in by_me if (e.at_ms, e.payment_id) < (at, payment.payment_id)]
    values["payee_new"] = 0 if before else 1
    values["payee_known_log_h"] = math.log1p((at - min(e.at_ms for e in by_me)) / HOUR_MS)
    values["payee_age_log_h"] = math.log1p((at - min(e.at_ms for e in to_payee)) / HOUR_MS)
    fan_in = within(DAY_MS, payee_id=payment.payee_id)
    values["payee_fan_in_24h"] = len({entry.customer_id for entry in fan_in})
    values["customer_payees_24h"] = len({entry.payee_id for entry in day})
    values["customer_count_10m"] = len(within(10 * MINUTE_MS, **mine))
    hour = within(HOUR_MS, **mine)
    values["customer_small_1h"] = sum(
        1 for e in hour if e.value_minor is not None and e.value_minor < 1_000
    )
    rest = [e for e in past if e.customer_id == payment.customer_id and e != payment]
    last = max((entry.at_ms for entry in rest), default=None)
    values["since_last_log_s"] = math.nan if last is None else math.log1p((at - last) / 1_000)
    return values


def assert_same(found: dict[str, float], expected: dict[str, float]) -> None:
    assert set(found) == set(expected) == set(FEATURE_NAMES)
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
        window = Window(size=cap, horizon_ms=400 * DAY_MS)
        for payment in arrivals:
            window.add(payment)
        newest = sorted({(entry.at_ms, entry.payment_id, entry) for entry in arrivals}, key=_order)
        kept = [entry for *_, entry in newest][-cap:]
        assert len(window) <= cap
        tally = window.tally(until_ms=NOON_MS + 400 * DAY_MS, span_ms=800 * DAY_MS)
        assert tally == (len(kept), sum(entry.value_minor or 0 for entry in kept))

    def test_forget_what_lies_beyond_horizon_and_lateness(self) -> None:
        windows = Windows(Limits(lateness_ms=DAY_MS))
        for day in range(200):
            windows.observe(SeenPayment(f"p{day}", "c1", "a1", "x", 1, NOON_MS + day * DAY_MS))
        customer = windows._customers["c1"].window
        assert len(customer) == MEAN_SPAN_MS // DAY_MS + 1
        assert len(windows._accounts["a1"]) == 8

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
        assert windows.size() == {"customer": 3, "account": 3, "payee": 3}
        for i in range(5):
            windows.observe(SeenPayment(f"q{i}", "c5", "a5", f"x{i}", 1, NOON_MS + i))
        assert len(windows._customers["c5"].payees) == 2
        assert "c3" in windows._customers
        assert "c2" not in windows._customers

    def test_give_finite_or_missing_values_to_a_payment_too_late_for_them(self) -> None:
        windows = Windows(Limits(entries=2))
        for i in range(4):
            windows.observe(SeenPayment(f"p{i}", "c1", "a1", "x", 500, NOON_MS + i))
        late = windows.measure(SeenPayment("late", "c1", "a1", "x", 700, NOON_MS - 60 * DAY_MS))
        assert all(math.isfinite(value) or math.isnan(value) for value in late.values())
        assert late["amount_share_24h"] == 1


def _order(entry: tuple[int, str, SeenPayment]) -> tuple[int, str]:
    return entry[0], entry[1]
