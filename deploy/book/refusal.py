"""Why a book is refused: each finding names the file, the line and the reason."""

from dataclasses import dataclass, field

from deploy.book.records import Origin

KEPT_FINDINGS = 1_000  # beyond these only the number grows: a wholly broken file stays small


def place(origin: Origin) -> str:
    """Where something stands, for people."""
    return f"{origin.file} line {origin.line}" if origin.line else origin.file


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a book; `line` is 0 where the file as a whole is meant."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        """One line for people."""
        return f"{place(Origin(self.file, self.line))}: {self.reason}"


@dataclass(slots=True)
class Findings:
    """Collects findings, so that one run names everything that is wrong."""

    kept: list[Finding] = field(default_factory=list)
    count: int = 0

    def add(self, origin: Origin, reason: str) -> None:
        """Note a finding."""
        self.count += 1
        if len(self.kept) < KEPT_FINDINGS:
            self.kept.append(Finding(origin.file, origin.line, reason))

    def refuse_if_any(self) -> None:
        """Raise `BookRefused` if something was found."""
        if self.count:
            raise BookRefused(self.kept, self.count)


class BookRefused(Exception):
    """The book cannot be used; nothing of it was written or posted."""

    def __init__(self, findings: list[Finding], count: int) -> None:
        """`count` may be larger than the number of findings kept."""
        super().__init__(f"{count} problems, the first: {findings[0]}")
        self.findings = findings
        self.count = count


def refused(file: str, reason: str, *, line: int = 0) -> BookRefused:
    """A refusal with a single finding."""
    return BookRefused([Finding(file, line, reason)], 1)
