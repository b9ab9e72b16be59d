"""The image file: what is in an image, who runs in it, and that its commands find their code."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from deploy.local.programs import BY_NAME
from shared.contracts.topics import SERVICES
from shared.kit.app import health
from tests.architecture.test_alone import install_alone
from tests.platform.tools import IMAGES, ROOT, image_environment, instructions

BASES = [rest for name, rest in instructions() if name == "FROM"]


def expanded(text: str, arguments: dict[str, str]) -> str:
    for _ in range(2):  # a default may name another argument
        for name, value in arguments.items():
            text = text.replace(f"${{{name}}}", value)
    return text


def arguments_of(image: str) -> dict[str, str]:
    """The build's arguments with the file's own defaults."""
    defaults = [
        rest.split("=", 1) for name, rest in instructions() if name == "ARG" and "=" in rest
    ]
    return dict(defaults) | IMAGES[image]


def ignored() -> tuple[set[str], list[str]]:
    """What the build context has, and what it leaves out of that."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    lines = [line for line in lines if line and not line.startswith("#")]
    assert lines[0] == "*", "the context is a list of what is in it"
    kept = {line[1:] for line in lines if line.startswith("!")}
    return kept, [line for line in lines[1:] if not line.startswith("!")]


def copied(image: str, target: Path) -> Path:
    """The image's working folder, as the COPY lines make it from the build context."""
    kept, left_out = ignored()
    for name, rest in instructions():
        if name != "COPY" or rest.startswith("--from"):
            continue
        source, place = expanded(rest, arguments_of(image)).split()
        assert source.startswith(tuple(kept)), f"{source} is not in the build context"
        if place.startswith("/"):
            assert (ROOT / source).is_file()
            continue

        def leave_out(folder: str, names: list[str]) -> set[str]:
            here = Path(folder).relative_to(ROOT)
            patterns = [p.removeprefix("**/") if p.startswith("**/") else p for p in left_out]
            return {n for n in names for p in patterns if Path(n).match(p) or str(here / n) == p}

        shutil.copytree(ROOT / source, target / place, ignore=leave_out)
    return target


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """For each image the working folder alone, with nothing else of the bank beside it.

    That a service's locked packages are enough is `tests/architecture/test_alone.py`'s.
    """
    return {image: copied(image, tmp_path_factory.mktemp("image")) for image in IMAGES}


def run(folder: Path, *command: str, packages: Path | None = None) -> CompletedProcess[str]:
    """Python in the image's working folder; with `packages` alone, or with all that is here."""
    alone = ["-S"] if packages else []
    path = os.pathsep.join([str(folder), *([str(packages)] if packages else [])])
    return subprocess.run(
        [sys.executable, *alone, *command],
        cwd=folder,
        env={"PYTHONPATH": path, "PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class TestImage:
    def test_stands_on_a_small_python_of_a_fixed_version(self):
        assert BASES[0] == "python:${PYTHON} AS packages"
        assert BASES[1:] == ["python:${PYTHON}"]
        version, _, kind = arguments_of("tongbao/ledger")["PYTHON"].partition("-")
        assert version.split(".") >= ["3", "11"]
        assert kind.startswith("slim")

    def test_installs_what_is_locked_by_hash_and_builds_nothing(self):
        commands = [rest for name, rest in instructions() if name == "RUN"]
        install = next(command for command in commands if " install " in command)
        assert "--require-hashes" in install
        assert "--only-binary=:all:" in install
        assert ("COPY", "requirements/${SERVICE}.txt /requirements.txt") in list(instructions())

    def test_runs_as_a_number_that_is_not_root(self):
        users = [rest for name, rest in instructions() if name == "USER"]
        assert users == ["10001:10001"]
        after = [name for name, _ in instructions()]
        assert {"RUN", "COPY"}.isdisjoint(after[after.index("USER") :])

    def test_asks_its_own_readiness(self):
        check = next(rest for name, rest in instructions() if name == "HEALTHCHECK")
        command = json.loads(check[check.index("[") :])
        assert command[:2] == ["python", "-c"]
        asked = command[2].split("c.request('GET', '")[1].split("'")[0]
        assert asked in {route.path for route in health.routes}
        assert "os.environ['PORT']" in command[2]
        compile(command[2], "health", "exec")

    def test_listens_where_it_says(self):
        exposed = next(rest for name, rest in instructions() if name == "EXPOSE")
        assert image_environment()["PORT"] == exposed
        assert image_environment()["HOST"] == "0.0.0.0"

    @pytest.mark.parametrize("image", IMAGES)
    def test_has_a_lock(self, image: str):
        assert (ROOT / f"requirements/{IMAGES[image]['SERVICE']}.txt").is_file()

    @pytest.mark.parametrize("service", SERVICES)
    def test_holds_its_own_code_alone(self, folders: dict[str, Path], service: str):
        app = folders[f"tongbao/{service}"]
        tops = {str(path.relative_to(app)) for path in (*app.iterdir(), *app.glob("services/*"))}
        own = {"gateway"} if service == "gateway" else {"services", f"services/{service}"}
        assert tops == {"shared"} | own
        assert not list(app.rglob("training"))

    @pytest.mark.parametrize("service", SERVICES)
    def test_starts_with_its_own_code(self, folders: dict[str, Path], service: str):
        # Its settings are missing: it gets as far as asking for them, with all its imports done.
        module = BY_NAME[service].module
        done = run(folders[f"tongbao/{service}"], "-m", module)
        assert done.returncode != 0
        assert "database_url" in done.stderr
        assert "ModuleNotFoundError" not in done.stderr

    @pytest.mark.parametrize("service", SERVICES)
    def test_migrates_with_its_own_code(self, folders: dict[str, Path], service: str):
        done = run(folders[f"tongbao/{service}"], "-m", "shared.kit.migrate", service)
        assert done.stderr.startswith("usage: DATABASE_URL=")
        app = folders[f"tongbao/{service}"]
        assert list(app.glob("**/migrations/versions/0001_*.py"))

    def test_of_identity_registers_staff(self, folders: dict[str, Path]):
        done = run(folders["tongbao/identity"], "-m", "services.identity.bootstrap", "--help")
        assert done.returncode == 0, done.stderr

    def test_of_provision_needs_its_own_code_and_packages_alone(
        self, folders: dict[str, Path], tmp_path: Path
    ):
        packages = tmp_path / "packages"
        packages.mkdir()
        install_alone("provision", packages)
        command = ["-m", "deploy.provision", "secrets", str(tmp_path / "made"), "--server=db:5432"]
        done = run(folders["tongbao/provision"], *command, packages=packages)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "made/ledger/database_url").is_file()

    def test_of_the_simulated_sources_needs_its_own_code_and_packages_alone(
        self, folders: dict[str, Path], tmp_path: Path
    ):
        packages = tmp_path / "packages"
        packages.mkdir()
        install_alone("provision", packages)
        # Its keys are missing: it gets as far as asking for them, with all its imports done.
        done = run(folders["tongbao/bureau"], "-m", "deploy.bureau", packages=packages)
        assert done.returncode != 0
        assert done.stderr.startswith("bureau: BUREAU_KEYS")
