"""Caps that keep the code readable: lines, functions, files, and the kit's budget."""

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("shared", "services", "gateway", "deploy", "tests")
MAX_LINE = 100
MAX_FILE = 400
MAX_FUNCTION = 60
#: Lines of code, neither blank, nor a comment, nor a docstring: docs/adr/0015-the-kits-budget.md.
KIT_BUDGET = 2_100
ADAPTERS_BUDGET = 800
#: What of `shared/kit/bus` belongs to the kit itself; the rest is adapters.
PORT = {"__init__.py", "port.py", "select.py"}
FORBIDDEN_NAMES = {"utils", "helpers", "common", "core", "manager"}


def sources() -> list[Path]:
    return sorted(
        path
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".sql"} and "__pycache__" not in path.parts
    )


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and length of each function, its decorators and docstring not counted."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node
            yield node.name, (node.end_lineno or 0) - first.lineno + 1


def lines_of_code(path: Path) -> int:
    """Lines that hold code: neither blank, nor only a comment, nor a docstring's."""
    text = path.read_text()
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            docstrings.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    ignored = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in ignored and token.type != tokenize.ENDMARKER:
            code.update(range(token.start[0], token.end[0] + 1))
    return len(code - docstrings)


class TestFile:
    @pytest.mark.parametrize("path", sources(), ids=named)
    def test_stays_within_its_caps(self, path: Path):
        lines = path.read_text().splitlines()
        assert len(lines) <= MAX_FILE, f"{len(lines)} lines"
        too_long = [i for i, line in enumerate(lines, 1) if len(line) > MAX_LINE]
        assert not too_long, f"lines over {MAX_LINE} characters: {too_long}"
        if path.suffix == ".py":
            long = [(name, length) for name, length in functions(path) if length > MAX_FUNCTION]
            assert not long, f"functions over {MAX_FUNCTION} lines: {long}"
            assert path.stem not in FORBIDDEN_NAMES


def budgeted() -> tuple[dict[Path, int], dict[Path, int]]:
    """Lines of code by file: of the kit itself, and of the adapters of its bus."""
    counted = {path: lines_of_code(path) for path in (ROOT / "shared/kit").rglob("*.py")}
    bus = ROOT / "shared/kit/bus"
    adapters = {
        path: lines
        for path, lines in counted.items()
        if bus in path.parents and not (path.parent == bus and path.name in PORT)
    }
    return {path: n for path, n in counted.items() if path not in adapters}, adapters


class TestKit:
    def test_stays_within_its_budget(self):
        kit, _ = budgeted()
        assert sum(kit.values()) <= KIT_BUDGET, sorted(kit.items(), key=lambda item: -item[1])[:5]

    def test_has_adapters_within_theirs(self):
        _, adapters = budgeted()
        assert {path.name for path in adapters} >= {"postgres.py", "kafka.py"}
        assert sum(adapters.values()) <= ADAPTERS_BUDGET, adapters

    def test_counts_code_alone(self, tmp_path: Path):
        sample = tmp_path / "sample.py"
        lines = ['"""Doc.', "", 'More."""', "# why", "x = (", "    1", ")"]
        lines += ["", "", "def f():", '    """D."""', "    return x"]
        sample.write_text("\n".join(lines) + "\n")
        assert lines_of_code(sample) == 5
