"""The part of zen's expression language that a policy may use, and what an expression reads.

Conditions over facts, arithmetic, lists and a few functions: no loops over made-up ranges, no
clock, no chance, so that the same facts always give the same ruling within a bounded time. Pure.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import zen

from services.risk.policies.domain import PolicyRefused

MAX_EXPRESSION = 500
#: Far deeper than anybody writes, far shallower than the parser's stack.
MAX_DEPTH = 20

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<text>"[^"\\\n]*"|'[^'\\\n]*')
      | (?P<number>\d+(?:\.\d+)?)
      | (?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)
      | (?P<sign>>=|<=|==|!=|[-+*/%<>()\[\],?:])""",
    re.VERBOSE | re.ASCII,
)
_WORDS = frozenset({"and", "or", "not", "in", "true", "false", "null"})
FUNCTIONS = frozenset(
    {"abs", "ceil", "contains", "endsWith", "floor", "len", "max", "min", "round", "startsWith"}
)
_LITERAL_TEXT = re.compile(r'"([A-Za-z0-9_]{1,64})"')
_LITERAL_NUMBER = re.compile(r"-?\d{1,18}(?:\.\d{1,12})?")


@dataclass(frozen=True, slots=True)
class Expression:
    """`text` as the engine takes it, thresholds filled in; `reads` the facts in it."""

    text: str
    reads: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Scope:
    """What the names of an expression may stand for."""

    field: str
    thresholds: Mapping[str, str]
    is_fact: Callable[[str], bool]

    def named(self, name: str, *, is_call: bool) -> tuple[str, str | None]:
        """What the engine gets for a name, and the fact that is read by it, if one is."""
        if is_call:
            if name not in FUNCTIONS:
                known = ", ".join(sorted(FUNCTIONS))
                raise PolicyRefused(self.field, f"only these functions: {known}")
            return name, None
        if self.is_fact(name):
            return name, name
        value = self.thresholds.get(name)
        if value is not None and is_number_literal(value):
            return f"({value})", None
        # a threshold must not bring in a fact that may not be read here
        if value is not None and self.is_fact(value):
            return value, value
        words = f"known facts and thresholds alone; {name} is neither"
        raise PolicyRefused(self.field, words)


def expression(
    text: str, *, field: str, thresholds: Mapping[str, str], is_fact: Callable[[str], bool]
) -> Expression:
    """Reads one expression. Raises PolicyRefused with `field` where it is not allowed."""
    if len(text) > MAX_EXPRESSION:
        raise PolicyRefused(field, f"at most {MAX_EXPRESSION} characters")
    scope = _Scope(field, thresholds, is_fact)
    parts: list[str] = []
    reads: set[str] = set()
    for kind, token, is_call in tokens(text, field):
        if kind != "name" or token in _WORDS:
            parts.append(token)
            continue
        part, fact = scope.named(token, is_call=is_call)
        parts.append(part)
        if fact is not None:
            reads.add(fact)
    whole = " ".join(parts)
    wrong = zen.validate_expression(whole) if whole else {"source": "nothing is there"}
    if wrong is not None:
        raise PolicyRefused(field, f"an expression that can be read: {wrong['source']}"[:200])
    return Expression(whole, frozenset(reads))


def text_literal(cell: str) -> str | None:
    """The word in quotes that a cell is; None where it is something else."""
    found = _LITERAL_TEXT.fullmatch(cell.strip())
    return found[1] if found else None


def is_number_literal(cell: str) -> bool:
    return _LITERAL_NUMBER.fullmatch(cell.strip()) is not None


def tokens(text: str, field: str) -> list[tuple[str, str, bool]]:
    """Kind and text of each token, and whether it is a function's name before its bracket."""
    found: list[tuple[str, str]] = []
    at = depth = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise PolicyRefused(field, f"no {text[at]!r} outside of quotes")
        at = match.end()
        if match.lastgroup != "space":
            found.append((str(match.lastgroup), match[0]))
        depth += (match[0] in {"(", "["}) - (match[0] in {")", "]"})
        if depth > MAX_DEPTH:
            raise PolicyRefused(field, f"brackets at most {MAX_DEPTH} deep")
    following = [token for _, token in found[1:]] + [""]
    return [
        (kind, token, kind == "name" and after == "(" and token not in _WORDS)
        for (kind, token), after in zip(found, following, strict=True)
    ]
