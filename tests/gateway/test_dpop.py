"""FAPI 2.0, statements 19 to 21 of the gateway's rules, on the proof itself."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from gateway.tokens.dpop import Proof, normalized, verify_proof
from gateway.tokens.jose import Refused
from tests.gateway.signing import (
    RSA_KEY,
    b64,
    new_key,
    number,
    proof,
    public_jwk,
    thumbprint,
)

NOW = datetime(2026, 11, 3, 8, 0, tzinfo=UTC)
URL = "https://bank.example/v1/payments"
TOKEN = "header.claims.signature"
KEY = new_key()


def verified(header: str, *, url: str = URL, token: str | None = TOKEN) -> Proof:
    return verify_proof([header], method="POST", url=url, access_token=token, now=NOW)


def made(key=KEY, **changes) -> str:
    arguments = {"method": "POST", "url": URL, "now": NOW, "token": TOKEN} | changes
    return proof(key, **arguments)


class TestProof:
    @pytest.mark.parametrize("kind", ["PS256", "ES256", "Ed25519"])
    def test_holds_for_every_algorithm_and_names_its_key(self, kind):
        key = new_key(kind)
        assert verified(made(key)).thumbprint == thumbprint(key)

    def test_may_call_ed25519_by_its_older_name(self):
        key = new_key("Ed25519")
        assert verified(made(key, header={"alg": "EdDSA"})).thumbprint == thumbprint(key)

    def test_needs_no_token_hash_where_no_token_is_presented(self):
        assert verified(made(token=None), token=None).jti

    @pytest.mark.parametrize("headers", [[], ["two", "headers"]])
    def test_must_be_one_header(self, headers):
        with pytest.raises(Refused, match="exactly one"):
            verify_proof(headers, method="POST", url=URL, access_token=TOKEN, now=NOW)

    def test_is_refused_twice_in_one_request_even_if_both_hold(self):
        with pytest.raises(Refused, match="exactly one"):
            verify_proof([made(), made()], method="POST", url=URL, access_token=TOKEN, now=NOW)

    @pytest.mark.parametrize(
        "header",
        ["", "x", "a.b", "a.b.c", "a.b.c.d", "é.é.é", "bm8.bm8.bm8", "x" * 9000, "[].[].[]"],
    )
    def test_is_refused_when_malformed(self, header):
        with pytest.raises(Refused):
            verified(header)

    @pytest.mark.parametrize("typ", ["JWT", "at+jwt", "", None, 7])
    def test_is_refused_with_another_type(self, typ):
        with pytest.raises(Refused, match="typ"):
            verified(made(header={"typ": typ}))

    @pytest.mark.parametrize("absent", ["typ", "jwk", "jti", "htm", "htu", "iat", "ath", "alg"])
    def test_is_refused_without(self, absent):
        with pytest.raises(Refused):
            verified(made(absent=absent))

    def test_is_refused_with_alg_none(self):
        with pytest.raises(Refused, match="alg"):
            verified(made(header={"alg": "none"}))

    def test_is_refused_with_rs256_though_the_signature_is_right(self):
        with pytest.raises(Refused, match="alg"):
            verified(made(RSA_KEY, header={"alg": "RS256"}))

    def test_is_refused_with_an_algorithm_of_another_key_type(self):
        with pytest.raises(Refused, match="fit"):
            verified(made(header={"alg": "PS256"}))

    def test_is_refused_with_a_symmetric_key(self):
        jwk = {"kty": "oct", "k": b64(b"0" * 32)}
        with pytest.raises(Refused):
            verified(made(header={"alg": "HS256", "jwk": jwk}))

    def test_is_refused_with_a_private_key_in_it(self):
        private = public_jwk(KEY) | {"d": number(KEY.private_numbers().private_value)}
        with pytest.raises(Refused, match="private"):
            verified(made(header={"jwk": private}))

    def test_is_refused_when_another_key_signed_it(self):
        with pytest.raises(Refused, match="signature"):
            verified(made(header={"jwk": public_jwk(new_key())}))

    def test_is_refused_when_a_claim_was_changed_after_signing(self):
        head, _, signature = made().split(".")
        claims = made().split(".")[1]
        with pytest.raises(Refused, match="signature"):
            verified(f"{head}.{claims}.{signature}")

    def test_is_refused_with_critical_parameters(self):
        with pytest.raises(Refused, match="critical"):
            verified(made(header={"crit": ["exp"], "exp": 1}))

    def test_is_refused_with_a_short_rsa_key(self):
        short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
        with pytest.raises(Refused, match="bits"):
            verified(made(short))

    def test_is_refused_with_another_curve(self):
        point = ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers()
        jwk = {
            "kty": "EC",
            "crv": "P-384",
            "x": b64(point.x.to_bytes(48)),
            "y": b64(point.y.to_bytes(48)),
        }
        with pytest.raises(Refused, match="P-256"):
            verified(made(header={"jwk": jwk}))

    def test_is_refused_with_a_point_off_the_curve(self):
        jwk = public_jwk(KEY) | {"y": b64(b"\x01" * 32)}
        with pytest.raises(Refused):
            verified(made(header={"jwk": jwk}))

    @pytest.mark.parametrize("htm", ["GET", "post", "", None])
    def test_is_refused_for_another_method(self, htm):
        with pytest.raises(Refused, match="htm"):
            verified(made(claims={"htm": htm}))

    @pytest.mark.parametrize(
        "htu",
        [
            "https://bank.example/v1/payments/1",
            "https://bank.example/v1/Payments",
            "https://bank.example/v1/payments/",
            "http://bank.example/v1/payments",
            "https://bank.example:8443/v1/payments",
            "https://evil.example/v1/payments",
            "https://user@bank.example/v1/payments",
            "https://bank.example/v1%2Fpayments",
            "/v1/payments",
            "https://[/v1/payments",
            "",
            7,
        ],
    )
    def test_is_refused_for_another_url(self, htu):
        with pytest.raises(Refused, match="htu"):
            verified(made(claims={"htu": htu}))

    @pytest.mark.parametrize(
        "htu",
        [
            URL + "?page=2",
            URL + "#part",
            "HTTPS://BANK.example/v1/payments",
            "https://bank.example:443/v1/payments",
            "https://bank.example/v1/p%61yments",
        ],
    )
    def test_holds_for_another_spelling_of_the_same_url(self, htu):
        assert verified(made(claims={"htu": htu})).jti

    def test_holds_for_a_request_with_a_query(self):
        assert verified(made(), url=URL + "?limit=5").jti

    @pytest.mark.parametrize("ath", ["", TOKEN, b64(b"0" * 32), 7])
    def test_is_refused_for_another_token(self, ath):
        with pytest.raises(Refused, match="ath"):
            verified(made(claims={"ath": ath}))

    @pytest.mark.parametrize("drift_s", [-60, -10, 0, 10])
    def test_holds_within_the_window(self, drift_s):
        assert verified(made(now=NOW + timedelta(seconds=drift_s))).jti

    @pytest.mark.parametrize("drift_s", [-3600, -61, 11, 61, 3600])
    def test_is_refused_outside_the_window(self, drift_s):
        with pytest.raises(Refused, match="iat"):
            verified(made(now=NOW + timedelta(seconds=drift_s)))

    @pytest.mark.parametrize("iat", ["1", True, float("inf"), 10**400, [], {}])
    def test_is_refused_with_a_time_that_is_no_number(self, iat):
        with pytest.raises(Refused):
            verified(made(claims={"iat": iat}))

    def test_holds_with_claims_that_are_not_known(self):
        assert verified(made(claims={"nonce": "n", "more": {"deep": []}})).jti

    @pytest.mark.parametrize("jti", ["", 7, None, ["a"]])
    def test_is_refused_with_an_identifier_that_is_no_text(self, jti):
        with pytest.raises(Refused, match="jti"):
            verified(made(claims={"jti": jti}))

    @given(st.integers(-60, 10))
    def test_is_remembered_until_it_is_too_old_by_itself(self, drift_s):
        iat = NOW + timedelta(seconds=drift_s)
        held = verified(made(now=iat))
        with pytest.raises(Refused, match="past"):
            verify_proof(
                [made(now=iat)],
                method="POST",
                url=URL,
                access_token=TOKEN,
                now=held.kept_until + timedelta(seconds=1),
            )

    @given(st.text(max_size=300))
    def test_never_breaks_on_any_text(self, text):
        with pytest.raises(Refused):
            verified(text)


class TestNormalizedUrl:
    @given(st.sampled_from(["/a%7eb", "/a~b", "/a%7Eb"]))
    def test_has_one_spelling_of_unreserved_characters(self, path):
        assert normalized("https://h" + path) == "https://h:443/a~b"

    def test_keeps_an_encoded_slash_apart_from_a_real_one(self):
        assert normalized("https://h/a%2fb") == "https://h:443/a%2Fb" != normalized("https://h/a/b")
