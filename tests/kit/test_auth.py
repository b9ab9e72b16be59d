"""Internal tokens: who may speak for whom, for how long, and how keys come and go."""

import json
import os
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey

from shared.kit import auth
from shared.kit.auth import Authenticator, Caller, KeyRing, write_keys
from shared.kit.problems import Unauthenticated

SERVICES = ("ledger", "payments", "identity")


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    write_keys(folder, SERVICES, serial="1")
    return folder


def of(service: str, keys: Path) -> Authenticator:
    return Authenticator(KeyRing(service=service, keys_dir=keys))


def private(keys: Path, service: str) -> OKPKey:
    return OKPKey.import_key(json.loads((keys / f"{service}.json").read_text())["keys"][0])


def signed(keys: Path, by: str, **claims: object) -> str:
    """A token as `by` can sign it, whatever it claims."""
    key = private(keys, by)
    now = int(time.time())
    stated = {"iss": by, "aud": "ledger", "iat": now, "exp": now + 60} | claims
    header = {"alg": auth.ALGORITHM, "kid": key.kid}
    return jwt.encode(header, stated, key, algorithms=[auth.ALGORITHM])


def encoded(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


class TestToken:
    def test_names_caller_partner_and_customer(self, keys: Path):
        token = of("payments", keys).token(audience="ledger", partner_id="p-1", customer_id="c-1")
        assert of("ledger", keys).verify(token) == Caller("payments", "p-1", "c-1")

    def test_of_staff_names_them_and_their_roles(self, keys: Path):
        token = of("identity", keys).staff_token(staff_id="s-1", roles=["operator"])
        for service in ("ledger", "payments"):
            caller = of(service, keys).verify(token)
            assert caller == Caller("staff", staff_id="s-1", roles=("operator",))

    def test_is_used_again_while_it_is_young(self, keys: Path):
        payments = of("payments", keys)
        first = payments.token(audience="ledger", customer_id="c-1")
        assert payments.token(audience="ledger", customer_id="c-1") == first
        assert payments.token(audience="ledger", customer_id="c-2") != first

    def test_for_another_service_is_refused(self, keys: Path):
        token = of("payments", keys).token(audience="risk")
        with pytest.raises(Unauthenticated):
            of("ledger", keys).verify(token)

    def test_that_claims_another_issuer_is_refused(self, keys: Path):
        for claimed in ("identity", "ledger", "payment", "", None, ["payments"]):
            with pytest.raises(Unauthenticated):
                of("ledger", keys).verify(signed(keys, "payments", iss=claimed))

    def test_of_staff_by_another_service_gives_no_rights(self, keys: Path):
        for audience in (auth.STAFF_AUDIENCE, ["ledger", auth.STAFF_AUDIENCE]):
            token = signed(keys, "payments", aud=audience, staff="s-1", roles=["admin"])
            with pytest.raises(Unauthenticated):
                of("ledger", keys).verify(token)
        token = signed(keys, "payments", staff="s-1", roles=["admin"])
        assert of("ledger", keys).verify(token) == Caller("payments")

    def test_that_is_altered_is_refused(self, keys: Path):
        token = of("payments", keys).token(audience="ledger", customer_id="c-1")
        header, claims, signature = token.split(".")
        decoded = json.loads(urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        altered = encoded(decoded | {"customer": "c-2"})
        ledger = of("ledger", keys)
        ledger.verify(token)
        for forged in (
            f"{header}.{altered}.{signature}",
            f"{header}.{claims}.{signature[:-4]}AAAA",
        ):
            with pytest.raises(Unauthenticated):
                ledger.verify(forged)

    @pytest.mark.parametrize("expires", [-6, -3_600, "soon", None, 1e20])
    def test_that_has_expired_or_says_no_time_is_refused(self, keys: Path, expires: object):
        claimed = int(time.time()) + expires if isinstance(expires, int) else expires
        with pytest.raises(Unauthenticated):
            of("ledger", keys).verify(signed(keys, "payments", exp=claimed))

    def test_expires_though_it_was_seen_before(self, keys: Path, monkeypatch: pytest.MonkeyPatch):
        ledger = of("ledger", keys)
        token = of("payments", keys).token(audience="ledger")
        ledger.verify(token)
        later = time.time() + auth.LIFETIME_S + auth.LEEWAY_S + 1
        monkeypatch.setattr(auth.time, "time", lambda: later)
        with pytest.raises(Unauthenticated):
            ledger.verify(token)

    def test_without_a_signature_is_refused(self, keys: Path):
        kid = str(private(keys, "payments").kid)
        now = int(time.time())
        claims = encoded({"iss": "payments", "aud": "ledger", "exp": now + 60})
        for algorithm in ("none", "None", "HS256", auth.ALGORITHM):
            header = encoded({"alg": algorithm, "kid": kid})
            for signature in ("", "AAAA"):
                with pytest.raises(Unauthenticated):
                    of("ledger", keys).verify(f"{header}.{claims}.{signature}")

    def test_signed_with_a_public_key_as_a_secret_is_refused(self, keys: Path):
        public = json.loads((keys / "public.json").read_text())["keys"]
        key = next(key for key in public if key["kid"].startswith("payments."))
        secret = OctKey.import_key(urlsafe_b64decode(key["x"] + "=="))
        claims = {"iss": "payments", "aud": "ledger", "exp": int(time.time()) + 60}
        header = {"alg": "HS256", "kid": key["kid"]}
        with pytest.raises(Unauthenticated):
            of("ledger", keys).verify(jwt.encode(header, claims, secret, algorithms=["HS256"]))

    @pytest.mark.parametrize(
        "token",
        [
            "",
            ".",
            "..",
            "a.b.c",
            "é.b.c",
            f"{encoded([])}.e30.AA",
            f"{encoded('kid')}.e30.AA",
            f"{encoded({'kid': ['payments.1']})}.e30.AA",
            f"{encoded({'kid': 'payments.1'})}.e30.AA",
            f"{encoded({'alg': 'Ed25519', 'kid': 'payments.1'})}.e30",
            urlsafe_b64encode(b"[" * 3_000).decode() + ".e30.AA",
            urlsafe_b64encode(b"9" * 6_000).decode() + ".e30.AA",
            "A" * 60_000,
        ],
        ids=lambda token: token[:20],
    )
    def test_that_is_none_is_refused_without_a_failure(self, keys: Path, token: str):
        with pytest.raises(Unauthenticated):
            of("ledger", keys).verify(token)


class TestRotation:
    def test_keeps_tokens_of_the_key_before(self, keys: Path):
        payments, ledger = of("payments", keys), of("ledger", keys)
        old = payments.token(audience="ledger")
        write_keys(keys, SERVICES, serial="2")
        assert ledger.verify(old) == Caller("payments")
        assert of("ledger", keys).verify(old) == Caller("payments")

    def test_takes_new_tokens_at_once_everywhere(self, keys: Path):
        ledger = of("ledger", keys)
        ledger.verify(of("payments", keys).token(audience="ledger"))  # the old file is read
        write_keys(keys, SERVICES, serial="2")
        new = of("payments", keys).token(audience="ledger")
        assert ledger.verify(new) == Caller("payments")

    def test_signs_with_the_new_key_at_once(self, keys: Path):
        payments = of("payments", keys)
        old = payments.token(audience="ledger")
        write_keys(keys, SERVICES, serial="2")
        new = payments.token(audience="ledger")
        assert new != old
        assert jwt.decode(new, private(keys, "payments"), algorithms=[auth.ALGORITHM])

    def test_refuses_what_a_removed_key_signed_though_it_was_seen_before(
        self, keys: Path, monkeypatch: pytest.MonkeyPatch
    ):
        ledger = of("ledger", keys)
        old = of("payments", keys).token(audience="ledger")
        ledger.verify(old)
        for serial in ("2", "3"):
            write_keys(keys, SERVICES, serial=serial)
        later = time.monotonic() + 2  # the file is looked at once a second
        monkeypatch.setattr(auth.time, "monotonic", lambda: later)
        with pytest.raises(Unauthenticated):
            ledger.verify(old)

    def test_refuses_a_key_that_another_of_the_same_name_replaced(
        self, keys: Path, monkeypatch: pytest.MonkeyPatch
    ):
        ledger = of("ledger", keys)
        old = of("payments", keys).token(audience="ledger")
        ledger.verify(old)
        write_keys(keys, SERVICES, serial="1", keep=1)
        later = time.monotonic() + 2
        monkeypatch.setattr(auth.time, "monotonic", lambda: later)
        with pytest.raises(Unauthenticated):
            ledger.verify(old)

    def test_publishes_before_it_signs(self, keys: Path, monkeypatch: pytest.MonkeyPatch):
        written: list[str] = []
        replace = Path.replace

        def noting(self: Path, target: Path) -> Path:
            written.append(Path(target).name)
            return replace(self, target)

        monkeypatch.setattr(Path, "replace", noting)
        write_keys(keys, SERVICES, serial="2")
        assert written[0] == "public.json"
        assert sorted(written[1:]) == sorted(f"{service}.json" for service in SERVICES)


class TestKeyFiles:
    def test_are_their_owners_alone(self, tmp_path: Path):
        before = os.umask(0)
        try:
            write_keys(tmp_path / "keys", SERVICES, serial="1")
        finally:
            os.umask(before)
        assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
        files = list((tmp_path / "keys").iterdir())
        assert len(files) == 1 + len(SERVICES)
        assert {path.stat().st_mode & 0o777 for path in files} == {0o600}

    def test_stay_so_where_a_draft_of_a_killed_rotation_lies(self, keys: Path):
        for name in ("public", "ledger"):
            draft = keys / f"{name}.new"
            draft.write_text("half")
            draft.chmod(0o644)
        write_keys(keys, SERVICES, serial="2")
        assert {path.stat().st_mode & 0o777 for path in keys.iterdir()} == {0o600}

    def test_publish_no_private_half(self, keys: Path):
        assert all(set(key) & {"d", "k"} == set() for key in public_keys(keys))

    def test_keep_as_many_keys_as_they_are_told(self, keys: Path):
        for serial in ("2", "3", "4"):
            write_keys(keys, SERVICES, serial=serial)
        assert sorted(key["kid"] for key in public_keys(keys)) == sorted(
            f"{service}.{serial}" for service in SERVICES for serial in ("3", "4")
        )


def public_keys(keys: Path) -> list[dict[str, str]]:
    return json.loads((keys / "public.json").read_text())["keys"]
