from datetime import UTC, datetime, timedelta

import pytest

from gateway.tokens.access import (
    KEEP_PERIOD,
    SIGNING_PERIOD,
    TOKEN_LIFETIME,
    check_token,
    issue_token,
    new_signing_key,
    signing_key,
)
from gateway.tokens.jose import Refused
from tests.gateway.signing import new_key, public_jwk, sign

NOW = datetime(2026, 11, 3, 8, 0, tzinfo=UTC)
ISSUER = "https://bank.example"
KEY = new_signing_key(now=NOW)


def issued(key=KEY, **changes):
    arguments = {
        "issuer": ISSUER,
        "client_id": "p-shop",
        "scopes": ("payments",),
        "thumbprint": "thumb",
        "token_id": "t1",
        "now": NOW,
    }
    return issue_token(key=key, **(arguments | changes))


def checked(token, *, now=NOW, keys=(KEY,)):
    known = {key.kid: key.public() for key in keys}
    return check_token(token, keys=known, issuer=ISSUER, now=now)


class TestAccessToken:
    def test_says_who_may_do_what_with_which_key(self):
        grant = checked(issued())
        assert grant.client_id == "p-shop"
        assert grant.scopes == {"payments"}
        assert grant.thumbprint == "thumb"
        assert grant.expires_at == NOW + TOKEN_LIFETIME

    @pytest.mark.parametrize("late_s", [0, 1, 3600])
    def test_expires(self, late_s):
        with pytest.raises(Refused, match="expired"):
            checked(issued(), now=NOW + TOKEN_LIFETIME + timedelta(seconds=late_s))

    def test_holds_to_its_last_second(self):
        assert checked(issued(), now=NOW + TOKEN_LIFETIME - timedelta(seconds=1)).token_id == "t1"

    def test_is_refused_from_a_key_that_is_not_known(self):
        with pytest.raises(Refused, match="not signed here"):
            checked(issued(new_signing_key(now=NOW)))

    def test_is_refused_from_a_stranger_who_borrows_the_name_of_a_key(self):
        stranger = new_key("Ed25519")
        header = {"typ": "at+jwt", "alg": "Ed25519", "kid": KEY.kid, "jwk": public_jwk(stranger)}
        with pytest.raises(Refused, match="signature"):
            checked(sign(stranger, header, {"iss": ISSUER, "aud": ISSUER}))

    def test_is_refused_from_another_issuer(self):
        with pytest.raises(Refused, match="another place"):
            checked(issued(issuer="https://other.example"))

    def test_is_no_other_kind_of_token(self):
        header, claims, signature = issued().split(".")
        with pytest.raises(Refused):
            checked(f"{claims}.{header}.{signature}")

    @pytest.mark.parametrize("token", ["", "a.b.c", "x", "é"])
    def test_is_refused_when_malformed(self, token):
        with pytest.raises(Refused):
            checked(token)


class TestSigningKey:
    def test_shows_no_private_half(self):
        assert set(KEY.jwk()) == {"kty", "crv", "x", "kid", "alg", "use"}

    def test_has_a_name_of_its_own(self):
        assert new_signing_key(now=NOW).kid != new_signing_key(now=NOW).kid

    def test_is_the_youngest_that_may_still_sign(self):
        older = new_signing_key(now=NOW - timedelta(hours=1))
        assert signing_key([older, KEY], now=NOW) == KEY

    def test_gives_way_after_its_period(self):
        assert signing_key([KEY], now=NOW + SIGNING_PERIOD) is None

    def test_is_kept_longer_than_any_token_that_it_signed(self):
        assert KEEP_PERIOD >= SIGNING_PERIOD + TOKEN_LIFETIME
