"""Scores the replay with one vendor's model, in a process of its own that may hang or die.

`python -m deploy.vendors.worker FOLDER ROWS.npy RESULT`: rows are (n, inputs) of 64 bits in the
description's order. Writes RESULT.npy with n scores and RESULT.json with how long single rows took,
or with the one line that says what is wrong.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from deploy.vendors.description import Refused, Vendor, described, model_bytes

#: Address space: what a model of the largest size needs, and not what the machine has.
MEMORY_BYTES: Final = 4 * 1024**3
#: Of processor time; what waits and does not work is ended by the parent's clock.
CPU_S: Final = 120
ONNX_BATCH, HTTP_BATCH = 2_000, 500
ALONE_ONNX, ALONE_HTTP = 300, 50
#: Single rows and batches may differ in the last bits of 32.
SAME: Final = 1e-4
HTTP_TIMEOUT_S: Final = 5.0
MAX_REPLY: Final = 16 * 1024 * 1024

Rows = NDArray[np.float64]
Score = Callable[[Rows], Rows]
_KINDS: Final = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
}


def main() -> None:
    folder, rows_path, result = (Path(argument) for argument in sys.argv[1:4])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    outcome: dict[str, Any]
    try:
        vendor = described(folder)
        scores, taken = scored(folder, vendor, np.load(rows_path))
        np.save(result.with_suffix(".npy"), scores)
        outcome = {"taken_us": taken}
    except Refused as error:
        outcome = {"wrong": str(error)}
    except MemoryError:
        outcome = {"wrong": f"it takes more than {MEMORY_BYTES // 1024**3} GiB of memory"}
    except Exception as error:  # what a foreign file makes a library raise has no common base
        outcome = {"wrong": f"it fails: {_short(error)}"}
    result.with_suffix(".json").write_text(json.dumps(outcome))


def scored(folder: Path, vendor: Vendor, rows: Rows) -> tuple[Rows, list[float]]:
    """Probabilities of n rows and the microseconds of single ones; raises Refused."""
    if vendor.missing is not None:
        rows = np.where(np.isnan(rows), vendor.missing, rows)
    ask, batch, alone = (
        (_onnx(folder, vendor), ONNX_BATCH, ALONE_ONNX)
        if vendor.kind == "onnx"
        else (_http(vendor), HTTP_BATCH, ALONE_HTTP)
    )
    _check_golden(vendor, ask)
    answers = np.concatenate([ask(rows[i : i + batch]) for i in range(0, len(rows), batch)])
    _check(answers)
    taken = _alone(ask, rows[:alone], answers[:alone])
    return (answers if vendor.orientation == "risk" else 1 - answers), taken


def _check(answers: Rows) -> None:
    gone = ~np.isfinite(answers)
    if gone.any():
        place = int(np.argmax(gone))
        raise Refused(f"{int(gone.sum()):,} of {len(answers):,} answers are no numbers, "
                      f"first in row {place + 1}")  # fmt: skip
    outside = (answers < 0) | (answers > 1)
    if outside.any():
        place = int(np.argmax(outside))
        raise Refused(f"{int(outside.sum()):,} of {len(answers):,} answers are no probabilities: "
                      f"row {place + 1} has {answers[place]:.6g}")  # fmt: skip
    if len(answers) > 1 and answers.min() == answers.max():
        raise Refused(f"it answers {answers[0]:.6g} to every row")


def _check_golden(vendor: Vendor, ask: Score) -> None:
    for number, one in enumerate(vendor.golden, 1):
        if len(one.inputs) != len(vendor.features):
            raise Refused(
                f"golden {number} has {len(one.inputs)} inputs, not {len(vendor.features)}"
            )
        row = np.array([[np.nan if value is None else value for value in one.inputs]])
        [answer] = ask(row if vendor.missing is None else np.nan_to_num(row, nan=vendor.missing))
        # negated, so that an answer that is not a number is refused too
        if not abs(answer - one.answer) <= SAME:
            raise Refused(
                f"golden {number} is answered {answer:.6g}, its vendor says {one.answer:.6g}"
            )


def _alone(ask: Score, rows: Rows, expected: Rows) -> list[float]:
    taken = []
    for place in range(len(rows)):
        start = time.perf_counter_ns()
        [answer] = ask(rows[place : place + 1])
        taken.append((time.perf_counter_ns() - start) / 1_000)
        if not abs(answer - expected[place]) <= SAME:
            raise Refused(f"row {place + 1} alone is answered {answer:.6g}, among others "
                          f"{expected[place]:.6g}")  # fmt: skip
    return taken


def _onnx(folder: Path, vendor: Vendor) -> Score:
    import onnxruntime as ort

    content = model_bytes(folder, vendor)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        # from bytes, so that it reaches no other file
        session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises types of its own without a common base
        raise Refused(f"{vendor.file} is no model that runs: {_short(error)}") from error
    feeds = _feeds(session, vendor)
    names = [one.name for one in session.get_outputs()]
    if vendor.output is not None and vendor.output not in names:
        raise Refused(f"the model has no output {vendor.output}; it has {', '.join(names)}")

    def ask(rows: Rows) -> Rows:
        try:
            found = session.run(names, feeds(rows))
        except Exception as error:
            raise Refused(f"the model does not run on our inputs: {_short(error)}") from error
        return _answers(dict(zip(names, found, strict=True)), vendor, len(rows))

    return ask


def _feeds(session: Any, vendor: Vendor) -> Callable[[Rows], dict[str, NDArray[Any]]]:
    """How rows are handed over; Refused where the model takes other inputs than it was said."""
    given = {one.name: one for one in session.get_inputs()}
    kinds = {}
    for name, one in given.items():
        if one.type not in _KINDS:
            raise Refused(f"input {name} takes {one.type}, and our features are numbers")
        kinds[name] = _KINDS[one.type]
    if isinstance(vendor.inputs, dict):
        if set(given) != set(vendor.inputs):
            raise Refused(f"the model takes the inputs {_few(given)}, vendor.json names "
                          f"{_few(vendor.inputs)}")  # fmt: skip
        order = list(vendor.inputs)
        return lambda rows: {
            name: rows[:, [place]].astype(kinds[name]) for place, name in enumerate(order)
        }
    if len(given) != 1:
        raise Refused(f"the model takes {len(given)} inputs ({_few(given)}): vendor.json has to "
                      "name a feature for each")  # fmt: skip
    [(name, one)] = given.items()
    width = one.shape[-1] if len(one.shape) == 2 else None
    if len(one.shape) != 2:
        raise Refused(f"input {name} has {len(one.shape)} dimensions, and rows have two")
    if isinstance(width, int) and width != len(vendor.features):
        raise Refused(f"the model takes {width} inputs, vendor.json names {len(vendor.features)}")
    return lambda rows: {name: rows.astype(kinds[name])}


def _answers(found: dict[str, Any], vendor: Vendor, rows: int) -> Rows:
    """The probabilities among the outputs; a list of dictionaries is a ZipMap's."""
    if vendor.output is not None:
        return _column(found[vendor.output], vendor, rows, vendor.output)
    # a classifier gives labels first: probabilities are the output that holds fractions
    likely = [
        name
        for name, value in found.items()
        if isinstance(value, list) or np.asarray(value).dtype.kind == "f"
    ]
    if len(likely) != 1:
        raise Refused(f"which output holds the score? vendor.json has to say: {_few(found)}")
    return _column(found[likely[0]], vendor, rows, likely[0])


def _column(value: Any, vendor: Vendor, rows: int, name: str) -> Rows:
    if isinstance(value, list):
        if not value or not isinstance(value[0], dict):
            raise Refused(f"output {name} holds no numbers")
        keys = sorted(value[0])
        wanted = keys[-1] if vendor.column is None else keys[min(vendor.column, len(keys) - 1)]
        value = np.array([one[wanted] for one in value], dtype=np.float64)
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise Refused(f"output {name} holds no numbers")
    if array.ndim == 0 or array.shape[0] != rows or array.ndim > 2:
        raise Refused(f"output {name} has the shape {array.shape} for {rows} rows")
    if array.ndim == 2:
        width = array.shape[1]
        column = vendor.column if vendor.column is not None else (0 if width == 1 else 1)
        if column >= width or (width > 2 and vendor.column is None):
            raise Refused(f"output {name} has {width} columns: which one is the score?")
        array = array[:, column]
    return array.astype(np.float64)


def _http(vendor: Vendor) -> Score:
    import httpx

    client = httpx.Client(timeout=HTTP_TIMEOUT_S, follow_redirects=False, trust_env=False)
    features = vendor.features

    def ask(rows: Rows) -> Rows:
        body = {
            "rows": [
                {
                    name: None if np.isnan(value) else float(value)
                    for name, value in zip(features, row, strict=True)
                }
                for row in rows
            ]
        }
        try:
            with client.stream("POST", str(vendor.url), json=body) as reply:
                if reply.status_code != httpx.codes.OK:
                    raise Refused(f"it answers HTTP {reply.status_code}")
                content = _bounded(reply)
        except httpx.TimeoutException as error:
            raise Refused(f"no answer within {HTTP_TIMEOUT_S:g} s") from error
        except httpx.HTTPError as error:
            raise Refused(f"it cannot be asked: {_short(error)}") from error
        return _from_json(content, len(rows))

    return ask


def _bounded(reply: Any) -> bytes:
    """What it sends, in all bounded in size and in time: a trickle is no answer either."""
    content, until = b"", time.monotonic() + HTTP_TIMEOUT_S
    for part in reply.iter_bytes():
        content += part
        if len(content) > MAX_REPLY:
            raise Refused(f"its answer is larger than {MAX_REPLY // 1024**2} MiB")
        if time.monotonic() > until:
            raise Refused(f"no whole answer within {HTTP_TIMEOUT_S:g} s")
    return content


def _from_json(content: bytes, rows: int) -> Rows:
    try:
        scores = json.loads(content)["scores"]
        found = np.array([np.nan if one is None else float(one) for one in scores])
    except (ValueError, TypeError, KeyError) as error:
        raise Refused('its answer is not {"scores": [numbers]}') from error
    if len(found) != rows:
        raise Refused(f"it answers {len(found)} scores to {rows} rows")
    return found


def _few(names: Any) -> str:
    shown = [str(name) for name in list(names)[:6]]
    return ", ".join(shown) + (", …" if len(names) > 6 else "")


def _short(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:200]}…"


if __name__ == "__main__":
    main()
