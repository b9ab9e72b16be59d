"""Sets up `.venv` for a group of requirements: `python3 deploy/environment.py bank`.

Uses the standard library alone. A second run with the same requirement file does nothing and needs
no network.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".venv"
PROGRAM = FOLDER / "bin" / "python"
#: Groups whose installation contains another's.
CONTAINED_IN = {"bank": ("bank", "dev"), "training": ("training", "dev"), "dev": ("dev",)}


class SetupError(Exception):
    """The environment cannot be made; the text is one clear line."""


def main() -> None:
    group = sys.argv[1] if len(sys.argv) == 2 else ""
    if group not in CONTAINED_IN:
        sys.exit(f"usage: deploy/environment.py {{{','.join(CONTAINED_IN)}}}")
    try:
        prepare(group)
    except SetupError as error:
        sys.exit(f"cannot set up the environment: {error}")


def prepare(group: str) -> None:
    """Make the environment, where it is missing, and install `group` where that has changed."""
    if not _works():
        _create()
    if any(_is_installed(name) for name in CONTAINED_IN[group]):
        return
    requirements = ROOT / "requirements" / f"{group}.txt"
    total = sum(1 for line in requirements.read_text().splitlines() if "==" in line)
    print(
        f"Setting up {total} packages in .venv; this happens once and needs the network", flush=True
    )
    _install(requirements, total)
    _compile()
    _stamp(group).write_text(_digest(group))


def _works() -> bool:
    """Whether the environment's Python starts and is new enough (an upgrade may have taken it)."""
    check = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    try:
        return (
            subprocess.run([PROGRAM, "-c", check], capture_output=True, check=False).returncode == 0
        )
    except OSError:
        return False


def _create() -> None:
    try:
        if FOLDER.exists():
            shutil.rmtree(FOLDER)
        venv.create(FOLDER, with_pip=True, symlinks=os.name != "nt")
    except subprocess.CalledProcessError:
        shutil.rmtree(FOLDER, ignore_errors=True)
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise SetupError(
            f"{sys.executable} has no working venv; on Debian and Ubuntu: "
            f"apt install python{version}-venv"
        ) from None
    except OSError as error:
        raise SetupError(f"{FOLDER}: {error.strerror or error}") from None


def _stamp(group: str) -> Path:
    return FOLDER / f".{group}.sha256"


def _digest(group: str) -> str:
    return hashlib.sha256((ROOT / "requirements" / f"{group}.txt").read_bytes()).hexdigest()


def _is_installed(group: str) -> bool:
    try:
        return _stamp(group).read_text() == _digest(group)
    except OSError:
        return False


def _install(requirements: Path, total: int) -> None:
    command = [str(PROGRAM), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    command += ["--require-hashes", "--requirement", str(requirements)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    last: list[str] = []
    done = 0
    if process.stdout is None:  # pragma: no cover - asked for above
        raise SetupError("pip has no output")
    for line in process.stdout:
        last = [*last, line.strip()][-200:]
        if line.startswith(("Collecting ", "Requirement already satisfied: ")):
            done += 1
            _show(done, total, line.split("==")[0].split()[-1])
        elif line.startswith("Installing collected packages"):
            _show(total, total, "unpacking")
    if sys.stdout.isatty():
        print("\r\033[K", end="", flush=True)
    if process.wait() != 0:
        raise SetupError(_cause(last))


def _compile() -> None:
    """Let numba compile risk's windows and keep that beside them: a start would wait for it."""
    print("  compiling risk's windows", flush=True)
    command = [str(PROGRAM), "-c", "import services.risk.features.compiled"]
    # what goes wrong here is told at the start, by the service that needs it
    subprocess.run(command, cwd=ROOT, capture_output=True, check=False)


def _show(done: int, total: int, name: str) -> None:
    if sys.stdout.isatty():
        print(f"\r\033[K  {done}/{total} {name}", end="", flush=True)
    elif done % 10 == 0 or done == total:
        print(f"  {done}/{total} {name}", flush=True)


def _cause(lines: list[str]) -> str:
    """What pip says: the last line that tells of an error, or the last there is."""
    errors = [line for line in lines if line.startswith("ERROR:")]
    text = " ".join(lines[-20:])
    if "Failed to establish" in text or "Temporary failure" in text or "Connection" in text:
        return "the package index cannot be reached; connect to the network and run it again"
    return errors[-1].removeprefix("ERROR: ") if errors else (lines[-1] if lines else "pip failed")


if __name__ == "__main__":
    main()
