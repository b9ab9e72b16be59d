from hypothesis import given
from hypothesis import strategies as st

from gateway.limits.domain import headers, take


class TestBucket:
    def test_lets_a_burst_of_one_minute_pass_and_no_more(self):
        bucket = None
        for _ in range(5):
            verdict = take(bucket, limit_per_minute=5, now_s=0)
            assert verdict.allowed
            bucket = verdict.bucket
        refused = take(bucket, limit_per_minute=5, now_s=0)
        assert not refused.allowed
        assert refused.retry_after_s == 12
        assert refused.remaining == 0

    def test_lets_the_next_pass_after_the_time_that_it_told(self):
        empty = take(None, limit_per_minute=1, now_s=0).bucket
        wait = take(empty, limit_per_minute=1, now_s=0).retry_after_s
        assert take(empty, limit_per_minute=1, now_s=wait).allowed

    def test_lets_nothing_pass_under_a_limit_of_zero(self):
        verdict = take(None, limit_per_minute=0, now_s=0)
        assert not verdict.allowed
        assert headers(verdict)["Retry-After"] == "60"

    def test_obeys_a_changed_limit_at_once(self):
        full = take(None, limit_per_minute=100, now_s=0).bucket
        assert take(full, limit_per_minute=2, now_s=0).remaining == 1

    def test_is_not_fooled_by_a_clock_that_goes_back(self):
        empty = take(None, limit_per_minute=1, now_s=100).bucket
        assert not take(empty, limit_per_minute=1, now_s=0).allowed

    def test_tells_what_is_left(self):
        told = headers(take(None, limit_per_minute=60, now_s=0))
        assert told == {
            "RateLimit-Policy": '"partner";q=60;w=60',
            "RateLimit": '"partner";r=59;t=1',
        }

    @given(st.integers(1, 600), st.lists(st.floats(0, 5), min_size=1, max_size=200))
    def test_never_passes_more_than_a_burst_and_the_rate(self, limit, gaps):
        bucket, now, passed = None, 0.0, 0
        for gap in gaps:
            now += gap
            verdict = take(bucket, limit_per_minute=limit, now_s=now)
            bucket, passed = verdict.bucket, passed + verdict.allowed
        assert passed <= limit + now * limit / 60 + 1e-6
