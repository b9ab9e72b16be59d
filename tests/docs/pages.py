"""The project's pages for people, and what can be read off them without a browser."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHELLS = {"sh", "bash", "console", "shell"}
PROGRAMS = ("make ", "python", "bank ", ".venv/", "curl ", "git ")
LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)\)")


def pages() -> list[Path]:
    """Every page that is written by hand: those at the top, and those below `docs`."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@dataclass(frozen=True, slots=True)
class Link:
    """A link to a place in the repository: a file or folder, and perhaps a heading in it."""

    page: Path
    target: str

    @property
    def file(self) -> Path:
        path = self.target.partition("#")[0]
        return (self.page.parent / path).resolve() if path else self.page

    @property
    def heading(self) -> str:
        return self.target.partition("#")[2]


def links(page: Path) -> Iterator[Link]:
    """The page's links, those to other sites left out."""
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in LINK.findall(prose):
        if not re.match(r"[a-z][a-z0-9+.-]*:", target):
            yield Link(page, target)


def anchors(page: Path) -> set[str]:
    """The names under which a reader's browser finds the page's headings."""
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    return {anchor(title) for title in re.findall(r"^#+ (.+)$", prose, re.MULTILINE)}


def anchor(title: str) -> str:
    """As code hosts make it: lower case, no punctuation, hyphens for spaces."""
    words = [
        letter
        for letter in title.strip().lower()
        if letter in " -_" or unicodedata.category(letter)[0] in "LN"
    ]
    return "".join(words).replace(" ", "-")


def commands(page: Path) -> Iterator[str]:
    """The command lines of the page's shell blocks; one that goes on over lines is one.

    A block that names no language is one of commands where its first line begins with a program.
    """
    for language, block in FENCE.findall(page.read_text(encoding="utf-8")):
        if language in SHELLS or (not language and block.startswith(PROGRAMS)):
            yield from whole_lines(block)


def whole_lines(block: str) -> Iterator[str]:
    """Joins lines while a single quote is open or the line ends in a backslash; no comments."""
    line = ""
    for part in re.sub(r"(^|\s)#.*$", "", block, flags=re.MULTILINE).splitlines():
        line = f"{line.removesuffix(chr(92))} {part.strip()}".strip()
        if line.count("'") % 2 == 0 and not line.endswith("\\"):
            if line:
                yield line
            line = ""
    if line:
        yield line


def code_spans(page: Path) -> list[str]:
    """What stands between backquotes in the prose."""
    return re.findall(r"`([^`\n]+)`", FENCE.sub("", page.read_text(encoding="utf-8")))
