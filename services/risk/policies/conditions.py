"""Conditions of the plain kind as one Python function, beside the engine that defines them. Pure.

Most conditions compare facts with numbers, words and null. Handing their facts to the engine and
asking it takes longer than the windows and the model of a payment together. So these are written
out in Python, under the engine's own meaning: whatever could differ there, a fact that is missing,
of another type or beyond its numbers, is not decided here, and neither is a condition of any
other kind. `tests/risk/policies/test_conditions.py` holds both to the same answers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from services.risk.policies.expressions import tokens
from services.risk.policies.facts import Facts

Conditions: TypeAlias = Callable[[Facts], list[bool]]
"""Whether each condition holds; raises where the engine has to be asked."""

#: Larger numbers may leave the engine's decimals.
_MOST: Final = "1e18"
_ORDER: Final = frozenset({"<", "<=", ">", ">="})
_EQUAL: Final = {"==": "==", "!=": "!="}


class Undecided(Exception):
    """The engine has to be asked."""


class _OtherKind(Exception):
    """The condition is not of the plain kind."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of source; `fact` is the name where it is a fact alone."""

    kind: str
    source: str
    fact: str = ""


@dataclass(slots=True)
class _Facts:
    """The facts of all conditions: a local name for each, and how it is used."""

    names: dict[str, str] = field(default_factory=dict)
    numbers: set[str] = field(default_factory=set)
    lists: set[str] = field(default_factory=set)

    def local(self, name: str) -> str:
        return self.names.setdefault(name, f"fact_{len(self.names)}")


def plain(texts: Sequence[str]) -> Conditions | None:
    """The function for conditions, thresholds filled in; None where one is of another kind."""
    facts = _Facts()
    try:
        found = [_Reader(text, facts).whole() for text in texts]
    except _OtherKind:
        return None
    lines = ["def holds(facts):", *_read(facts), f"return [{', '.join(found)}]"]
    names: dict[str, Any] = {"Undecided": Undecided}
    # the source is this module's own: of a condition only names and literals that it knows
    exec(compile("\n    ".join(lines), "<conditions of a policy>", "exec"), names)  # noqa: S102
    return names["holds"]  # type: ignore[no-any-return]


def _read(facts: _Facts) -> list[str]:
    """Each fact into its local: null for NaN; a number is one, and within bounds."""
    lines: list[str] = []
    groups: dict[str, str] = {}
    for name, local in facts.names.items():
        group, _, rest = name.rpartition(".")
        if not group:
            lines.append(f"{local} = facts[{name!r}]")
        else:
            if group not in groups:
                groups[group] = f"group_{len(groups)}"
                lines.append(f"{groups[group]} = facts[{group!r}]")
            lines.append(f"{local} = {groups[group]}[{rest!r}]")
        if name in facts.numbers:
            lines += [
                f"kind = {local}.__class__",
                "if kind is float or kind is int:",
                f"    if not -{_MOST} < {local} < {_MOST}:",
                f"        if {local} == {local}: raise Undecided",
                f"        {local} = None",
                f"elif {local} is not None: raise Undecided",
            ]
        elif name in facts.lists:
            lines.append(f"if {local}.__class__ is not list: raise Undecided")
        else:
            lines.append(
                f"if {local} is not None and {local}.__class__ is not str: raise Undecided"
            )
    return lines


class _Reader:
    """Reads one condition by descent: `or` and `and` side by side need brackets here."""

    def __init__(self, text: str, facts: _Facts) -> None:
        self._tokens = [(kind, token) for kind, token, _ in tokens(text, "when")]
        self._at = 0
        self._facts = facts

    def whole(self) -> str:
        found = self._joined()
        if self._at != len(self._tokens) or found.kind != "condition":
            raise _OtherKind
        return found.source

    def _next(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise _OtherKind
        self._at += 1
        return self._tokens[self._at - 1]

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _joined(self) -> _Part:
        first = self._compared()
        word = self._peek()
        if word not in {"and", "or"}:
            return first
        parts = [first]
        while self._peek() == word:
            self._next()
            parts.append(self._compared())
        if any(part.kind != "condition" for part in parts) or self._peek() in {"and", "or"}:
            raise _OtherKind
        return _Part("condition", f"({f' {word} '.join(part.source for part in parts)})")

    def _compared(self) -> _Part:
        left = self._operand()
        sign = self._peek()
        if sign == "in":
            self._next()
            return self._within(left)
        if sign in _ORDER:
            self._next()
            return self._ordered(left, sign, self._operand())
        if sign in _EQUAL:
            self._next()
            return self._equal(left, sign, self._operand())
        return left

    def _ordered(self, left: _Part, sign: str, right: _Part) -> _Part:
        for part in (left, right):
            if part.kind == "fact":
                self._facts.numbers.add(part.fact)
            elif part.kind != "number":
                raise _OtherKind
        # an order with null raises in Python, as it fails in the engine
        return _Part("condition", f"({left.source} {sign} {right.source})")

    def _equal(self, left: _Part, sign: str, right: _Part) -> _Part:
        if left.kind != "fact" or right.kind not in {"text", "null"}:
            raise _OtherKind
        if right.kind == "null":
            word = "is" if sign == "==" else "is not"
            return _Part("condition", f"({left.source} {word} None)")
        return _Part("condition", f"({left.source} {sign} {right.source})")

    def _within(self, left: _Part) -> _Part:
        if left.kind != "text" or self._next()[1] != "[":
            raise _OtherKind
        found: list[str] = []
        while True:
            part = self._operand()
            if part.kind not in {"fact", "text"}:
                raise _OtherKind
            found.append(part.source)
            _, sign = self._next()
            if sign == "]":
                return _Part("condition", f"({left.source} in ({', '.join(found)},))")
            if sign != ",":
                raise _OtherKind

    def _operand(self) -> _Part:
        kind, word = self._next()
        if kind == "number":
            return _Part("number", word)
        if kind == "text":
            return _Part("text", repr(word[1:-1]))
        if word == "(":
            inner = self._joined()
            if self._next()[1] != ")":
                raise _OtherKind
            return inner
        if word == "null":
            return _Part("null", "None")
        if word == "len":
            return self._length()
        if kind != "name" or word in {"true", "false", "not", "in", "and", "or"}:
            raise _OtherKind
        if self._peek() == "(" or word.count(".") > 1:  # a function, or what a source said
            raise _OtherKind
        return _Part("fact", self._facts.local(word), word)

    def _length(self) -> _Part:
        opened, inner, closed = self._next()[1], self._operand(), self._next()[1]
        if (opened, closed) != ("(", ")") or inner.kind != "fact":
            raise _OtherKind
        self._facts.lists.add(inner.fact)
        return _Part("number", f"len({inner.source})")
