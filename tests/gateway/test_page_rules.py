from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pages import domain
from gateway.pages.texts import texts

CONSENT = UUID(int=7)
NAMES = st.text(min_size=1, max_size=140)


class TestMessageOfACode:
    @given(NAMES, NAMES, st.integers(1, 10**15))
    def test_always_fits_and_always_tells_the_amount(self, partner, payee, limit):
        told = domain.code_messages(
            partner_name=partner, payee_name=payee, limit_minor=limit, currency="CNY"
        )
        for message in told:
            assert len(message) <= 300
            assert "\n" not in message
            assert domain.format_minor(limit, "CNY") in message


class TestResultAddress:
    @pytest.mark.parametrize("uri", ["https://s.example/back", "https://s.example/b?x=1&y=%20"])
    def test_keeps_what_the_partner_registered(self, uri):
        url = domain.result_url(uri, consent_id=CONSENT, state="authorized")
        before, after = urlsplit(uri), urlsplit(url)
        assert (after.scheme, after.netloc, after.path) == (
            before.scheme,
            before.netloc,
            before.path,
        )
        result = {"consent_id": [str(CONSENT)], "state": ["authorized"]}
        assert parse_qs(after.query) == parse_qs(before.query) | result


class TestCsrfToken:
    @given(st.text(min_size=1, max_size=50), st.text(max_size=80))
    def test_holds_for_its_cookie_and_consent_alone(self, cookie, other):
        token = domain.csrf_token(cookie, consent_id=CONSENT)
        assert domain.is_csrf_token(token, cookie=cookie, consent_id=CONSENT)
        assert not domain.is_csrf_token(token, cookie=cookie + "x", consent_id=CONSENT)
        assert not domain.is_csrf_token(token, cookie=cookie, consent_id=UUID(int=8))
        if other != token:
            assert not domain.is_csrf_token(other, cookie=cookie, consent_id=CONSENT)


class TestAccountNumber:
    def test_is_shown_in_fours_where_it_is_all_digits(self):
        assert domain.grouped("6217000100000001") == "6217 0001 0000 0001"
        assert domain.grouped("CZ65-0800") == "CZ65-0800"


class TestTime:
    def test_is_chinas_in_both_languages(self):
        moment = datetime(2026, 1, 31, 20, 5, tzinfo=UTC)
        assert (
            domain.shown_time(moment, lang="en") == "1 February 2026, 04:05 (China Standard Time)"
        )
        assert domain.shown_time(moment, lang="zh").startswith("2026年2月1日 04:05")


class TestTexts:
    def test_exist_in_both_languages_with_the_same_blanks(self):
        chinese, english = texts("zh"), texts("en")
        assert chinese.keys() == english.keys()
        for name in chinese:
            assert chinese[name]
            assert english[name]
            assert chinese[name].count("{left}") == english[name].count("{left}")
