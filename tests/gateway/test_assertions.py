"""FAPI 2.0, statements 4 and 5: what a client assertion must say."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.tokens.assertions import claimed_client, import_key_set, verify_assertion
from gateway.tokens.jose import Refused
from tests.gateway.signing import RSA_KEY, assertion, b64, new_key, number, public_jwk

NOW = datetime(2026, 11, 3, 8, 0, tzinfo=UTC)
ISSUER = "https://bank.example"
KEY = new_key()


def made(key=KEY, **changes):
    return assertion(key, **({"client_id": "p-shop", "issuer": ISSUER, "now": NOW} | changes))


def verified(text, *keys):
    jwks = {"keys": [public_jwk(key) | {"kid": str(i)} for i, key in enumerate(keys or (KEY,))]}
    return verify_assertion(
        text, client_id="p-shop", keys=import_key_set(jwks), issuer=ISSUER, now=NOW
    )


class TestClientAssertion:
    @pytest.mark.parametrize("kind", ["PS256", "ES256", "Ed25519"])
    def test_holds_for_every_algorithm(self, kind):
        key = new_key(kind)
        assert verified(made(key), key).client_id == "p-shop"

    def test_says_whose_it_is_before_it_is_checked(self):
        assert claimed_client(made()) == "p-shop"

    def test_holds_under_any_registered_key_when_it_names_none(self):
        assert verified(made(), new_key(), new_key("Ed25519"), KEY).jti

    def test_holds_under_the_key_that_it_names(self):
        assert verified(made(header={"kid": "1"}), new_key(), KEY).jti

    @pytest.mark.parametrize("kid", ["0", "9", 7])
    def test_is_refused_under_a_key_that_it_does_not_name(self, kid):
        with pytest.raises(Refused):
            verified(made(header={"kid": kid}), new_key(), KEY)

    @pytest.mark.parametrize("aud", [[ISSUER], [ISSUER, "x"], ISSUER + "/", None, 7, {}])
    def test_is_refused_unless_the_audience_is_the_issuer_as_text(self, aud):
        with pytest.raises(Refused, match="aud"):
            verified(made(claims={"aud": aud}))

    @pytest.mark.parametrize("endpoint", ["/oauth2/token", "/oauth2/par"])
    def test_is_refused_when_the_audience_is_an_endpoint(self, endpoint):
        with pytest.raises(Refused, match="aud"):
            verified(made(claims={"aud": ISSUER + endpoint}))

    @pytest.mark.parametrize("absent", ["iss", "sub", "aud", "exp", "jti", "alg"])
    def test_is_refused_without(self, absent):
        with pytest.raises(Refused):
            verified(made(absent=absent))

    @pytest.mark.parametrize("claim", ["iss", "sub"])
    def test_is_refused_when_it_speaks_of_another_client(self, claim):
        with pytest.raises(Refused, match="iss and sub"):
            verified(made(claims={claim: "p-other"}))

    @pytest.mark.parametrize("alg", ["none", "RS256", "HS256"])
    def test_is_refused_under_an_algorithm_outside_the_profile(self, alg):
        with pytest.raises(Refused, match="alg"):
            verified(made(RSA_KEY, header={"alg": alg}), RSA_KEY)

    def test_is_refused_when_another_key_signed_it(self):
        with pytest.raises(Refused, match="signature"):
            verified(made(new_key()))

    @pytest.mark.parametrize("ahead_s", [0, -1, -3600, 611, 10 * 365 * 86400])
    def test_is_refused_when_expired_or_good_for_too_long(self, ahead_s):
        exp = int(NOW.timestamp()) + ahead_s
        with pytest.raises(Refused):
            verified(made(claims={"exp": exp}))

    @pytest.mark.parametrize("claim", ["iat", "nbf"])
    @pytest.mark.parametrize("ahead_s", [0, 8, 10])
    def test_holds_for_a_clock_that_runs_a_little_fast(self, claim, ahead_s):
        assert verified(made(claims={claim: int(NOW.timestamp()) + ahead_s})).jti

    @pytest.mark.parametrize("claim", ["iat", "nbf"])
    @pytest.mark.parametrize("ahead_s", [61, 3600])
    def test_is_refused_from_the_future(self, claim, ahead_s):
        with pytest.raises(Refused, match="future"):
            verified(made(claims={claim: int(NOW.timestamp()) + ahead_s}))

    def test_is_remembered_beyond_its_expiry(self):
        assert verified(made()).kept_until > NOW + timedelta(seconds=60)


class TestKeySet:
    def test_takes_public_keys_of_each_algorithm(self):
        keys = [new_key(kind) for kind in ("PS256", "ES256", "Ed25519")]
        jwks = {"keys": [public_jwk(key) | {"kid": f"k{i}"} for i, key in enumerate(keys)]}
        assert [key.kid for key in import_key_set(jwks)] == ["k0", "k1", "k2"]

    def test_takes_one_key_without_a_name(self):
        assert import_key_set({"keys": [public_jwk(KEY)]})[0].kid is None

    @pytest.mark.parametrize("kids", [("a", "a"), (None, None)])
    def test_refuses_keys_that_cannot_be_told_apart(self, kids):
        jwks = {"keys": [public_jwk(new_key()) | ({"kid": k} if k else {}) for k in kids]}
        with pytest.raises(Refused, match="kid"):
            import_key_set(jwks)

    @pytest.mark.parametrize("jwks", [{}, {"keys": []}, {"keys": {}}, {"keys": ["x"]}])
    def test_refuses_what_is_no_key_set(self, jwks):
        with pytest.raises(Refused):
            import_key_set(jwks)

    def test_refuses_too_many_keys(self):
        jwks = {"keys": [public_jwk(KEY) | {"kid": str(i)} for i in range(11)]}
        with pytest.raises(Refused, match="1 to 10"):
            import_key_set(jwks)

    def test_refuses_a_private_key_and_says_where(self):
        private = public_jwk(KEY) | {"d": number(KEY.private_numbers().private_value)}
        with pytest.raises(Refused, match=r"keys\[0\] holds private members \(d\)"):
            import_key_set({"keys": [private]})

    def test_refuses_a_shared_secret(self):
        with pytest.raises(Refused):
            import_key_set({"keys": [{"kty": "oct", "k": b64(b"0" * 32)}]})

    def test_refuses_a_short_rsa_key(self):
        short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
        with pytest.raises(Refused, match="2048"):
            import_key_set({"keys": [public_jwk(short)]})

    @pytest.mark.parametrize("extra", [{"alg": "RS256"}, {"alg": "ES384"}, {"use": "enc"}])
    def test_refuses_a_key_for_another_purpose(self, extra):
        with pytest.raises(Refused):
            import_key_set({"keys": [public_jwk(KEY) | extra]})

    @pytest.mark.parametrize("kty", ["RSA", "EC", "OKP"])
    @pytest.mark.parametrize("value", ["AA", "!!", "", 7, None])
    def test_refuses_a_broken_key(self, kty, value):
        broken = {"kty": kty, "crv": "P-256", "n": value, "e": value, "x": value, "y": value}
        with pytest.raises(Refused):
            import_key_set({"keys": [broken]})
