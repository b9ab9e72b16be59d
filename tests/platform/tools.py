"""Programs that check what no engine runs here, and what the files mean to them."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from shared.contracts.topics import SERVICES
from shared.kit.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
#: The loader of Docker Compose itself; it carries the schema of the Compose specification.
COMPOSE = "github.com/compose-spec/compose-go/v2/cmd@v2.16.2"
HOW = "`.ci/run` installs it"


def go_program(name: str) -> str | None:
    """A program that `go install` left, on the path or in Go's own folder."""
    found = shutil.which(name)
    if found or shutil.which("go") is None:
        return found
    asked = subprocess.check_output(["go", "env", "GOBIN", "GOPATH"], text=True)
    own, path = asked.splitlines()
    return shutil.which(name, path=own or str(Path(path) / "bin"))


@cache
def built(folder: str) -> list[dict]:
    """What `kustomize build` makes of a folder; skips where there is no kustomize."""
    kustomize = go_program("kustomize")
    if kustomize is None:
        pytest.skip(f"there is no kustomize; {HOW}")
    done = subprocess.run(
        [kustomize, "build", ROOT / folder], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def loaded(*files: Path) -> subprocess.CompletedProcess[str]:
    """Compose files as Compose reads them, as JSON; skips where there is no Go."""
    if shutil.which("go") is None:
        pytest.skip(f"there is no Go to build Compose's loader with; {HOW}")
    return subprocess.run(
        ["go", "run", COMPOSE, "-format", "json", *files],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name not in {"PORT", "VERSION"}},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


@cache
def compose(*files: str) -> dict:
    done = loaded(*(ROOT / file for file in files))
    assert done.returncode == 0, done.stderr
    model: dict = json.loads(done.stdout)
    return model


def package(service: str) -> str:
    return "gateway" if service == "gateway" else f"services.{service}"


def settings_class(service: str) -> type[Settings]:
    """The service's own settings: the subclass that fixes the service's name."""
    module = import_module(f"{package(service)}.settings")
    for found in vars(module).values():
        if not isinstance(found, type) or not issubclass(found, Settings):
            continue
        if found.model_fields["service"].default == service:
            return found
    raise AssertionError(f"{service} has no settings")


def settings_of(service: str, environment: dict[str, str], *, secrets: Path) -> Settings:
    """The settings that a container gets: its environment, and its secrets as files.

    Fails for a variable that is not a setting: a mistyped one would be ignored in silence.
    """
    kind = settings_class(service)
    known = {name.upper() for name in kind.model_fields} | READ_BY_OTHERS
    assert set(environment) <= known, set(environment) - known
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.lower() in kind.model_fields:
                patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        return kind(_secrets_dir=secrets)


#: Variables that are no settings: of the driver, of Python, and the kit's own for secrets.
READ_BY_OTHERS = {
    "HOME",
    "OMP_NUM_THREADS",
    "NUMBA_CPU_NAME",
    "PATH",
    "PGSSLMODE",
    "PGSSLROOTCERT",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONUNBUFFERED",
    "SECRETS_DIR",
}


def instructions() -> Iterator[tuple[str, str]]:
    """The Dockerfile's instructions, lines joined and comments left out."""
    text = (ROOT / "deploy/Dockerfile").read_text()
    lines = [
        line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, _, rest = line.partition(" ")
        yield name, " ".join(rest.split())


def image_environment() -> dict[str, str]:
    """The variables that every image sets."""
    pairs = [pair for name, rest in instructions() if name == "ENV" for pair in rest.split()]
    return dict(pair.split("=", 1) for pair in pairs)


def image_of(service: str) -> dict[str, str]:
    """The build's arguments for a service's image."""
    return {"SERVICE": service} | ({"CODE": "gateway"} if service == "gateway" else {})


IMAGES = {f"tongbao/{service}": image_of(service) for service in SERVICES} | {
    "tongbao/provision": {"SERVICE": "provision", "CODE": "deploy/provision"},
    "tongbao/bureau": {"SERVICE": "provision", "CODE": "deploy/bureau"},
}
