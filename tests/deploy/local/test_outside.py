"""The simulated outside world of a local bank, and who knows which of its keys."""

import json
from pathlib import Path

from deploy.bureau.settings import BureauSettings
from deploy.local.environments import environment_of
from deploy.local.options import Options
from deploy.local.outside import prepare_outside, secrets_file
from deploy.local.programs import Program, programs_of
from deploy.postgres import ServiceCredentials
from services.risk.settings import RiskSettings
from shared.contracts.topics import SERVICES

PORT = 9_000


def environments(run_dir: Path) -> dict[str, dict[str, str]]:
    options = Options(
        run_dir=run_dir, port=PORT, book=None, seed=1, customers=10, once=True, split=False
    )
    dsn = "postgresql+asyncpg://x@localhost/x"
    nobody = ServiceCredentials("x", "x_owner", "", dsn, "x", "", dsn)
    credentials = dict.fromkeys((*SERVICES, "bus"), nobody)
    programs: list[Program] = programs_of(port=PORT, split=False)
    return {
        one.name: environment_of(one, options=options, credentials=credentials) for one in programs
    }


class TestOutside:
    def test_is_asked_by_risk_with_a_key_that_it_knows(self, tmp_path: Path) -> None:
        prepare_outside(tmp_path)
        found = environments(tmp_path)
        risk, bureau = found["risk"], found["bureau"]
        asked = RiskSettings(
            database_url=risk["DATABASE_URL"],  # type: ignore[arg-type]
            keys_dir=tmp_path,
            source_urls=json.loads(risk["SOURCE_URLS"]),
            source_keys=json.loads(risk["SOURCE_KEYS"]),
        )
        known = BureauSettings(
            bureau_keys=json.loads(bureau["BUREAU_KEYS"]),
            bureau_admin_key=bureau["BUREAU_ADMIN_KEY"],  # type: ignore[arg-type]
            port=int(bureau["PORT"]),
        )
        assert {key.get_secret_value() for key in asked.source_keys.values()} == {
            key.get_secret_value() for key in known.bureau_keys.values()
        }
        assert set(map(str, asked.source_urls.values())) == {
            f"http://127.0.0.1:{known.port}/{source}" for source in asked.source_urls
        }

    def test_keeps_its_keys_to_itself_and_risk(self, tmp_path: Path) -> None:
        prepare_outside(tmp_path)
        keys = json.loads(secrets_file(tmp_path).read_text())
        for name, environment in environments(tmp_path).items():
            said = json.dumps(environment)
            assert (keys["bank_key"] in said) == (name in {"risk", "bureau"}), name
            assert (keys["admin_key"] in said) == (name == "bureau"), name
        assert secrets_file(tmp_path).stat().st_mode & 0o077 == 0

    def test_keeps_its_keys_and_mends_a_damaged_file(self, tmp_path: Path) -> None:
        prepare_outside(tmp_path)
        first = secrets_file(tmp_path).read_text()
        prepare_outside(tmp_path)
        assert secrets_file(tmp_path).read_text() == first
        kept = json.loads(first)["admin_key"]
        secrets_file(tmp_path).write_text(json.dumps({"admin_key": kept}))
        prepare_outside(tmp_path)
        mended = json.loads(secrets_file(tmp_path).read_text())
        assert mended["admin_key"] == kept
        assert len(mended["bank_key"]) > 24
