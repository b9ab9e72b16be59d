"""Steps of a play: each is timed, and says what came of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

import httpx

from deploy.bank.staff import Refused
from deploy.play.consent_page import PageSaidNo

T = TypeVar("T")

#: What comes over the bus is looked for so often.
LOOK_EVERY_S = 0.05

Status = Literal["ok", "failed", "skipped"]


class NotAsExpected(Exception):
    """A step came out otherwise than it has to; the text says how."""


@dataclass(frozen=True, slots=True)
class Step:
    """What came of one step; `latency_ms` is the whole step's, with all of its calls."""

    step: str
    status: Status
    latency_ms: float
    detail: str

    @property
    def as_expected(self) -> bool:
        return self.status == "ok"


def play_steps(
    steps: list[tuple[str, Callable[[], str]]], *, tell: Callable[[Step], None]
) -> list[Step]:
    """Run the steps in order. After one that failed the others are skipped: they build on it."""
    done: list[Step] = []
    for name, act in steps:
        step = _run(name, act) if all(step.as_expected for step in done) else _skipped(name)
        tell(step)
        done.append(step)
    return done


def expect(condition: bool, words: str) -> None:
    if not condition:
        raise NotAsExpected(words)


def wait_for(look: Callable[[], T | None], *, seconds: float, missing: str) -> T:
    """What `look` finds, as soon as it finds something. Raises NotAsExpected with `missing`."""
    until = time.monotonic() + seconds
    while True:
        found = look()
        if found is not None:
            return found
        if time.monotonic() > until:
            raise NotAsExpected(missing)
        time.sleep(LOOK_EVERY_S)


def expect_status(answer: httpx.Response, status: int) -> dict[str, object]:
    """The answer's content, where it has the status that it has to have."""
    content: dict[str, object] = answer.json() if answer.content else {}
    if answer.status_code != status:
        words = content.get("detail") or content.get("error_description") or ""
        code = content.get("code") or content.get("error") or ""
        raise NotAsExpected(f"{answer.status_code} {code} {words}, not {status}")
    return content


def _run(name: str, act: Callable[[], str]) -> Step:
    started = time.perf_counter()
    status: Status = "ok"
    try:
        detail = act()
    except (NotAsExpected, PageSaidNo, Refused) as error:
        status, detail = "failed", str(error)
    except httpx.HTTPError as error:
        status, detail = "failed", f"no answer ({type(error).__name__})"
    except (KeyError, ValueError, TypeError) as error:
        status, detail = "failed", f"an answer is not as expected ({error!r})"
    latency_ms = round((time.perf_counter() - started) * 1000, 1)
    return Step(name, status, latency_ms, " ".join(detail.split()))


def _skipped(name: str) -> Step:
    return Step(name, "skipped", 0.0, "an earlier step failed")
