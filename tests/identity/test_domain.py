"""The rules of identity, held for whatever may come."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity.codes.domain import (
    CODE_LIFETIME,
    CODE_TRIES,
    CODE_WINDOW,
    CodeTry,
    CodeVerdict,
    OneTimeCode,
    after_try,
    code_wait_s,
    format_code,
    hash_code,
    try_code,
)
from services.identity.domain import BadPlace, Entry, LogPlace, fingerprint, read_batch, read_place
from services.identity.sign_in.domain import (
    FAILURE_MEMORY,
    FREE_FAILURES,
    LONGEST_LOCK,
    SESSION_IDLE,
    SESSION_LIFETIME,
    TOUCH_EVERY,
    Attempts,
    SignInSession,
    charge_attempt,
    is_live,
    lock_after,
    lock_wait_s,
    use_session,
)

NOW = datetime(2026, 1, 5, 2, 0, tzinfo=UTC)
KEY = b"k" * 32
CHALLENGE = UUID("01890000-0000-7000-8000-000000000001")

codes = st.integers(0, 999_999).map(format_code)
words = st.text("abcxyz.", min_size=1, max_size=8)
spans = st.timedeltas(min_value=timedelta(), max_value=timedelta(days=3))


def sent_code(code: str = "012345", **changes: object) -> OneTimeCode:
    fields: dict[str, object] = {
        "challenge_id": CHALLENGE,
        "customer_id": "c-1",
        "purpose": "consent.approve",
        "subject": "consent-1",
        "code_hash": hash_code(key=KEY, challenge_id=CHALLENGE, code=code),
        "sent_at": NOW,
    }
    return OneTimeCode(**(fields | changes))  # type: ignore[arg-type]


def tried_code(code: str = "012345", **changes: str) -> CodeTry:
    fields = {"customer_id": "c-1", "purpose": "consent.approve", "subject": "consent-1"}
    return CodeTry(**(fields | {"code": code} | changes))


class TestOneTimeCode:
    @given(code=codes, after=st.timedeltas(timedelta(), CODE_LIFETIME - timedelta(microseconds=1)))
    def test_is_verified_by_its_own_digits_within_its_life(
        self, code: str, after: timedelta
    ) -> None:
        verdict = try_code(sent_code(code), tried_code(code), key=KEY, now=NOW + after)
        assert verdict is CodeVerdict.VERIFIED

    @given(code=codes, other=codes)
    def test_is_verified_by_no_other_digits(self, code: str, other: str) -> None:
        verdict = try_code(sent_code(code), tried_code(other), key=KEY, now=NOW)
        assert (verdict is CodeVerdict.VERIFIED) == (code == other)

    @given(field=st.sampled_from(["customer_id", "purpose", "subject"]), word=words)
    def test_counts_only_for_its_customer_purpose_and_subject(self, field: str, word: str) -> None:
        verdict = try_code(sent_code(), tried_code(**{field: word}), key=KEY, now=NOW)
        assert verdict is CodeVerdict.WRONG

    @given(late=spans)
    def test_expires_after_five_minutes(self, late: timedelta) -> None:
        now = NOW + timedelta(minutes=5) + late
        assert try_code(sent_code(), tried_code(), key=KEY, now=now) is CodeVerdict.EXPIRED

    @given(tries=st.lists(st.booleans(), max_size=20))
    def test_is_verified_once_and_within_five_tries(self, tries: list[bool]) -> None:
        kept = sent_code()
        verdicts = []
        for right in tries:
            tried = tried_code() if right else tried_code("999999")
            verdict = try_code(kept, tried, key=KEY, now=NOW)
            kept = after_try(kept, verdict, now=NOW)
            verdicts.append(verdict)
        expected = True in tries[:CODE_TRIES]
        assert verdicts.count(CodeVerdict.VERIFIED) == int(expected)
        assert verdicts.count(CodeVerdict.WRONG) <= CODE_TRIES
        assert not expected or verdicts[tries.index(True)] is CodeVerdict.VERIFIED

    def test_is_worthless_under_another_key(self) -> None:
        verdict = try_code(sent_code(), tried_code(), key=b"x" * 32, now=NOW)
        assert verdict is CodeVerdict.WRONG

    @given(number=st.integers(0, 999_999))
    def test_has_six_digits(self, number: int) -> None:
        assert len(format_code(number)) == 6
        assert int(format_code(number)) == number


class TestCodeLimit:
    @given(
        gaps=st.lists(st.integers(0, 400), max_size=60),
        allowed=st.integers(1, 8),
    )
    def test_never_sends_more_than_allowed_within_a_window(
        self, gaps: list[int], allowed: int
    ) -> None:
        now = NOW
        sent: list[datetime] = []
        for gap in gaps:
            now += timedelta(seconds=gap)
            if code_wait_s(sent, allowed=allowed, now=now) is None:
                sent.append(now)
        for first, beyond in zip(sent, sent[allowed:], strict=False):
            assert beyond - first >= CODE_WINDOW

    @given(ages=st.lists(st.integers(0, 900), min_size=1, max_size=20), allowed=st.integers(1, 8))
    def test_tells_a_wait_after_which_it_sends(self, ages: list[int], allowed: int) -> None:
        sent = [NOW - timedelta(seconds=age) for age in ages]
        wait = code_wait_s(sent, allowed=allowed, now=NOW)
        if wait is not None:
            assert 0 < wait <= CODE_WINDOW.total_seconds()
            later = NOW + timedelta(seconds=wait)
            assert code_wait_s(sent, allowed=allowed, now=later) is None


class TestLockOut:
    def test_starts_with_the_fifth_failure(self) -> None:
        attempts = Attempts()
        waits = []
        for _ in range(FREE_FAILURES):
            waits.append(lock_wait_s(attempts, now=NOW))
            attempts = charge_attempt(attempts, now=NOW)
        assert waits == [None] * FREE_FAILURES
        assert lock_wait_s(attempts, now=NOW) == 30

    @given(failures=st.integers(FREE_FAILURES, 1_000_000))
    def test_doubles_up_to_its_bound(self, failures: int) -> None:
        assert lock_after(failures + 1) == min(lock_after(failures) * 2, LONGEST_LOCK)

    @given(gaps=st.lists(st.integers(0, 20_000), max_size=200))
    def test_bounds_the_guesses_of_a_day(self, gaps: list[int]) -> None:
        attempts = Attempts()
        now = NOW
        looked_at: list[datetime] = []
        for gap in gaps:
            now += timedelta(seconds=gap)
            if lock_wait_s(attempts, now=now) is None:
                attempts = charge_attempt(attempts, now=now)
                looked_at.append(now)
        for first in looked_at:
            day = [at for at in looked_at if first <= at < first + timedelta(days=1)]
            assert len(day) <= 40

    @given(late=spans)
    def test_forgets_failures_of_another_day(self, late: timedelta) -> None:
        attempts = Attempts(failures=30, last_at=NOW, locked_until=NOW + LONGEST_LOCK)
        again = charge_attempt(attempts, now=NOW + FAILURE_MEMORY + late)
        assert again.failures == 1
        assert again.locked_until is None

    @given(failures=st.integers(0, 100))
    def test_is_over_after_the_wait_it_tells(self, failures: int) -> None:
        attempts = charge_attempt(Attempts(failures=failures, last_at=NOW), now=NOW)
        wait = lock_wait_s(attempts, now=NOW)
        later = NOW + timedelta(seconds=wait or 0)
        assert lock_wait_s(attempts, now=later) is None


class TestSignInSession:
    @given(gaps=st.lists(st.integers(0, 2_000), max_size=60))
    def test_lives_no_longer_than_its_idle_and_absolute_ends(self, gaps: list[int]) -> None:
        session = SignInSession(customer_id="c-1", started_at=NOW, last_used_at=NOW)
        now = used = NOW
        for gap in gaps:
            now += timedelta(seconds=gap)
            live = is_live(session, now=now)
            if now - NOW >= SESSION_LIFETIME or now - used >= SESSION_IDLE:
                assert not live
            elif now - used < SESSION_IDLE - TOUCH_EVERY:
                assert live
            if not live:
                break
            session = use_session(session, now=now)
            used = now

    def test_is_kept_alive_by_use(self) -> None:
        session = SignInSession(customer_id="c-1", started_at=NOW, last_used_at=NOW)
        half_way = NOW + SESSION_IDLE - timedelta(minutes=1)
        session = use_session(session, now=half_way)
        assert is_live(session, now=NOW + SESSION_IDLE + timedelta(minutes=10))

    def test_is_over_once_ended(self) -> None:
        ended = SignInSession(customer_id="c-1", started_at=NOW, last_used_at=NOW, ended_at=NOW)
        assert not is_live(ended, now=NOW)


class TestLogPlace:
    @given(at=st.datetimes(timezones=st.just(UTC)), event_id=st.uuids())
    def test_is_read_as_it_was_written(self, at: datetime, event_id: UUID) -> None:
        place = LogPlace(at, event_id)
        assert read_place(place.written()) == place

    @given(st.text(max_size=60))
    def test_is_refused_where_it_is_none(self, text: str) -> None:
        with pytest.raises(BadPlace):
            read_place(text)


class TestBatch:
    @given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([b"1", b"2"]))))
    def test_is_refused_exactly_when_a_key_is_told_two_ways(
        self, items: list[tuple[str, bytes]]
    ) -> None:
        batch = read_batch([Entry(key, content) for key, content in items])
        two_ways = {key for key, _ in items if len({c for k, c in items if k == key}) > 1}
        if two_ways:
            assert batch.conflict in two_ways
        else:
            keys = [items[place][0] for place in batch.places]
            assert keys == sorted({key for key, _ in items})

    @given(st.dictionaries(words, st.one_of(st.integers(), words, st.none()), max_size=6))
    def test_fingerprint_does_not_depend_on_the_order(self, content: dict[str, object]) -> None:
        assert fingerprint(content) == fingerprint(dict(reversed(content.items())))

    @given(
        st.dictionaries(words, st.integers(), max_size=4),
        st.dictionaries(words, st.integers(), max_size=4),
    )
    def test_fingerprint_tells_contents_apart(
        self, one: dict[str, object], other: dict[str, object]
    ) -> None:
        assert (fingerprint(one) == fingerprint(other)) == (one == other)
