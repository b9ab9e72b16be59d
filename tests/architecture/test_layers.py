"""Who may import whom: kept by import-linter from the rules in pyproject.toml; and the style."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

COMMANDS = {
    "imports keep the layers": [
        "-c",
        "from importlinter.cli import lint_imports_command as c; c()",
    ],
    "types are strict": ["-m", "mypy"],
    "lint is clean": ["-m", "ruff", "check", "."],
    "format is the formatter's": ["-m", "ruff", "format", "--check", "."],
}


class TestCode:
    @pytest.mark.parametrize("promise", COMMANDS)
    def test_keeps_the_house_style(self, promise: str):
        done = subprocess.run(
            [sys.executable, *COMMANDS[promise]],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
