"""The waterfall of a trace, put together from logs."""

import json
from datetime import datetime, timedelta
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from deploy.console.app import ticks
from deploy.console.traces import Span, rows_of, spans_of

BEGIN = datetime(2026, 3, 1, 12, 0, 0)  # noqa: DTZ001 - logs tell local time
TRACE = "0af7651916cd43dd8448eb211c80319c"


def span(name: str, *, parent: str | None = None, at_ms: float = 0, ms: float = 1) -> Span:
    return Span(
        service="ledger",
        name=name,
        kind="request",
        start=BEGIN + timedelta(milliseconds=at_ms),
        duration_ms=ms,
        status=200,
        span_id=name,
        parent_id=parent,
    )


@st.composite
def traces(draw: st.DrawFn) -> list[Span]:
    """Spans whose causes are earlier ones, unknown ones, or none."""
    found: list[Span] = []
    for number in range(draw(st.integers(1, 20))):
        parents = [None, "unknown", *(one.name for one in found)]
        found.append(
            span(
                str(number),
                parent=draw(st.sampled_from(parents)),
                at_ms=draw(st.floats(0, 5_000)),
                ms=draw(st.floats(0, 5_000)),
            )
        )
    return draw(st.permutations(found))


class TestRowsOf:
    @given(spans=traces())
    def test_shows_every_span_once_below_its_cause(self, spans: list[Span]) -> None:
        rows, _ = rows_of(spans)
        assert sorted(row.span.name for row in rows) == sorted(one.name for one in spans)
        place = {row.span.span_id: at for at, row in enumerate(rows)}
        for row in rows:
            parent = row.span.parent_id
            if parent in place:
                above = rows[place[parent]]
                assert place[parent] < place[row.span.span_id]
                assert row.depth == above.depth + 1
            else:
                assert row.depth == 0

    @given(spans=traces())
    @example(spans=[span("0", ms=1.3125)])
    def test_draws_every_bar_inside_the_whole(self, spans: list[Span]) -> None:
        rows, total_ms = rows_of(spans)
        assert total_ms >= 1
        for row in rows:
            assert 0 <= row.left <= 1
            assert row.left + row.width <= 1 + 1e-6

    def test_ends_where_two_spans_name_each_other_as_cause(self) -> None:
        rows, _ = rows_of([span("a", parent="b"), span("b", parent="a"), span("c")])
        assert [row.span.name for row in rows] == ["c"]

    def test_is_empty_without_spans(self) -> None:
        assert rows_of([]) == ([], 0.0)


class TestSpansOf:
    def test_reads_requests_and_events_and_passes_over_the_rest(self, tmp_path: Path) -> None:
        common = {"at": "2026-03-01 12:00:00,250", "trace_id": TRACE, "span_id": "s"}
        request = {"event": "request", "service": "ledger", "method": "POST", "route": "/v1/holds"}
        lines = [
            json.dumps(common | request | {"status": 201, "duration_ms": 250.0}),
            json.dumps(
                common | {"event": "event", "service": "profiles", "kind": "PaymentSettled"}
            ),
            json.dumps(common | {"event": "relay.retry", "service": "ledger"}),
            json.dumps(common | request | {"trace_id": "another"}),
            f'{{"trace_id": "{TRACE}", "event": "request"}}',
            f"half a line {TRACE}",
        ]
        (tmp_path / "ledger.jsonl").write_text("\n".join(lines))
        found = spans_of(tmp_path, TRACE)
        assert [(one.service, one.name) for one in found] == [
            ("ledger", "POST /v1/holds"),
            ("profiles", "PaymentSettled"),
        ]
        assert found[0].start == BEGIN


class TestTicks:
    @given(total_ms=st.floats(1, 10_000_000))
    def test_are_few_and_inside(self, total_ms: float) -> None:
        found = ticks(total_ms)
        assert 1 <= len(found) <= 8
        assert all(0 <= at <= 1 for at, _ in found)
