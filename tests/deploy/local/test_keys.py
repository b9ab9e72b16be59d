"""Keys of internal calls in a local bank."""

import json
import os
import time
from pathlib import Path

from deploy.local.files import keys_folder
from deploy.local.keys import HOLDERS, ROTATE_AFTER_S, prepare_keys, rotate_keys
from shared.kit.auth import Authenticator, KeyRing


def kids(run_dir: Path, holder: str) -> list[str]:
    ring = json.loads((keys_folder(run_dir, holder) / f"{holder}.json").read_text())
    return [key["kid"] for key in ring["keys"]]


class TestPrepareKeys:
    def test_lets_every_service_know_every_other(self, tmp_path: Path) -> None:
        prepare_keys(tmp_path)
        rings = {
            name: KeyRing(service=name, keys_dir=keys_folder(tmp_path, name)) for name in HOLDERS
        }
        token = Authenticator(rings["payments"]).token(audience="ledger", partner_id="p")
        caller = Authenticator(rings["ledger"]).verify(token)
        assert (caller.service, caller.partner_id) == ("payments", "p")

    def test_keeps_them_until_they_are_old(self, tmp_path: Path) -> None:
        prepare_keys(tmp_path)
        first = kids(tmp_path, "ledger")
        prepare_keys(tmp_path)
        assert kids(tmp_path, "ledger") == first
        old = time.time() - ROTATE_AFTER_S - 1
        os.utime(tmp_path / "keys" / "public.json", (old, old))
        prepare_keys(tmp_path)
        assert kids(tmp_path, "ledger")[0] != first[0]
        assert kids(tmp_path, "ledger")[1] == first[0]


class TestRotateKeys:
    def test_leaves_tokens_of_a_moment_ago_valid(self, tmp_path: Path) -> None:
        prepare_keys(tmp_path)
        payments = Authenticator(
            KeyRing(service="payments", keys_dir=keys_folder(tmp_path, "payments"))
        )
        ledger = Authenticator(KeyRing(service="ledger", keys_dir=keys_folder(tmp_path, "ledger")))
        token = payments.token(audience="ledger")
        serial = rotate_keys(tmp_path)
        assert ledger.verify(token).service == "payments"
        assert kids(tmp_path, "payments")[0] == f"payments.{serial}"
        newer = payments.token(audience="ledger", customer_id="c")
        assert ledger.verify(newer).customer_id == "c"
