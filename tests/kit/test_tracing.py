"""What travels with a request: its trace, and what is left of its caller's patience."""

import re

import pytest

from shared.kit import tracing
from tests.kit.running import PATIENCE_MS, Tiny

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01"


class TestTrace:
    async def test_of_the_caller_goes_on_under_a_new_span(self, tiny: Tiny):
        async with tiny.client() as client:
            response = await client.get("/v1/things/a", headers={"traceparent": GOOD})
        version, trace_id, span_id, flags = response.headers["traceparent"].split("-")
        assert (version, trace_id, flags) == ("00", TRACE, "01")
        assert span_id != SPAN
        line = await tiny.logged(event="request", span_id=span_id)
        assert (line["trace_id"], line["parent_id"]) == (TRACE, SPAN)

    @pytest.mark.parametrize(
        "traceparent",
        [
            None,
            "",
            "nonsense",
            GOOD.upper(),
            f"00-{'0' * 32}-{SPAN}-01",
            f"00-{TRACE}-{'0' * 16}-01",
            f"00-{TRACE[:-1]}-{SPAN}-01",
            f"ff-{TRACE}-{SPAN}-01",
            GOOD + "-more",
            "00-" + "a" * 5_000,
        ],
    )
    async def test_that_is_absent_or_invalid_begins_anew(self, tiny: Tiny, traceparent: str | None):
        headers = {} if traceparent is None else {"traceparent": traceparent}
        async with tiny.client() as client:
            responses = [await client.get("/v1/things/a", headers=headers) for _ in range(2)]
        given = [response.headers["traceparent"] for response in responses]
        assert all(re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", value) for value in given)
        traces = {value.split("-")[1] for value in given}
        assert len(traces) == 2
        assert TRACE not in traces


class TestDeadline:
    async def remaining(self, tiny: Tiny, header: str | None) -> float:
        headers = {} if header is None else {tracing.DEADLINE: header}
        async with tiny.client() as client:
            response = await client.get("/v1/patience", headers=headers)
        assert response.status_code == 200
        return float(response.json()["remaining_ms"])

    async def test_of_the_caller_is_kept(self, tiny: Tiny):
        assert 0 <= await self.remaining(tiny, "700") <= 700

    @pytest.mark.parametrize("header", ["999999999", "9" * 6_000, "-5", "1.5", "soon", "", None])
    async def test_is_never_longer_than_the_service_s_own(self, tiny: Tiny, header: str | None):
        assert 700 < await self.remaining(tiny, header) <= PATIENCE_MS

    def test_is_the_shorter_one_of_two(self):
        with tracing.deadline(1_000):
            with tracing.deadline(60_000):
                assert 0 < (tracing.remaining_ms() or 0) <= 1_000
            with tracing.deadline(0):
                assert tracing.remaining_ms() == 0
        assert tracing.remaining_ms() is None
