"""Each vendor's model in a process of its own, and what comes of it as a line of the report."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from deploy.local.options import ROOT
from deploy.vendors.description import Refused, Vendor, described
from deploy.vendors.replay import Replay
from services.risk.evaluation import NotMeasurable, bad_rate, middle_of
from services.risk.evaluation.report import Report, Subject, Text, subject
from services.risk.features import FEATURE_NAMES

DEADLINE_S: Final = 120.0
MAX_VENDORS: Final = 50
WORKER: Final = ("-m", "deploy.vendors.worker")
#: What an honest payment brings of its amount; a fraud that is approved costs all of it.
MARGIN: Final = 0.002
_TIMED: Final = 400
_KINDS: Final = {
    "onnx": Text("供应商 ONNX 文件", "a vendor's ONNX file"),
    "http": Text("供应商 HTTP 评分服务", "a vendor's HTTP scorer"),
}
_UNKNOWN: Final = Text("供应商", "a vendor")


def compared(
    replay: Replay,
    folders: Sequence[Path],
    *,
    deadline_s: float = DEADLINE_S,
    told: Callable[[str], None],
) -> Report:
    """The champion first, then a line for each folder, whatever it holds."""
    ours = _champion(replay)
    if ours.scores is None:
        raise NotMeasurable("the champion has no scores")
    share = _share(replay, ours.scores)
    first = subject(
        ours.name,
        ours.kind,
        truth=replay.truth,
        scores=ours.scores,
        champion=None,
        share=share,
        gain=replay.amounts * MARGIN,
        loss=replay.amounts,
        groups=replay.groups(),
        score_us=ours.score_us,
    )
    subjects = [first]
    for folder in folders:
        start = time.monotonic()
        found = _judged(folder, replay, ours.scores, share, deadline_s, subjects)
        subjects.append(found)
        said = found.wrong.en if found.wrong else f"AUC {found.measured.auc.value:.4f}" if (
            found.measured) else ""  # fmt: skip
        told(f"{folder.name}: {said} ({time.monotonic() - start:.1f} s)")
    return Report(
        title=Text("供应商模型比较", "Vendors' models beside ours"),
        lead=Text(f"同一批已标注付款上的比较。数据:{replay.source.zh}",
                  f"All models over the same labelled payments: {replay.source.en}"),
        truth=replay.truth,
        champion=first.name,
        share=share,
        worth=Text("诚实付款通过收益为金额的 0.2%,欺诈付款通过损失全额;单位:元。",
                   "An honest payment that is approved brings 0.2% of its amount, a fraud costs "
                   "all of it; in yuan."),
        subjects=subjects,
        facts=[
            (Text("付款笔数", "Payments"), f"{len(replay.truth):,}"),
            (Text("欺诈", "Fraud"), f"{int(replay.truth.sum()):,} ({replay.truth.mean():.2%})"),
            (Text("冠军模型 SHA-256", "SHA-256 of the champion"), replay.champion.sha256[:16]),
        ],
        notes=NOTES,
    )  # fmt: skip


NOTES: Final = (
    Text("每个供应商模型在独立进程中运行,内存 4 GiB、限时;出错只影响自己的一行。",
         "Each vendor's model runs in a process of its own, bounded in memory and time; what goes "
         "wrong spoils its own line alone."),
    Text("单笔评分:ONNX 为进程内一次调用;HTTP 含网络往返。",
         "One score is one call within the process for ONNX, and a round trip for HTTP."),
)  # fmt: skip


def _champion(replay: Replay) -> Subject:
    model = replay.champion
    names = [feature.name for feature in model.manifest.features]
    rows = replay.of(names).astype(np.float32)
    taken = []
    for row in rows[:_TIMED]:
        start = time.perf_counter_ns()
        model.score_vector(row.tolist())
        taken.append((time.perf_counter_ns() - start) / 1_000)
    return Subject(
        name=model.label,
        kind=Text("本行冠军模型", "the bank's champion"),
        scores=model.score_all(rows),
        score_us=middle_of(np.array(taken)),
    )


def _share(replay: Replay, scores: NDArray[np.float64]) -> float:
    """As many are approved as the champion's own threshold for review approves."""
    share = float((scores < replay.champion.thresholds.review).mean())
    return min(max(share, 0.5), 0.9995)


def _judged(
    folder: Path,
    replay: Replay,
    champion: NDArray[np.float64],
    share: float,
    deadline_s: float,
    before: Sequence[Subject],
) -> Subject:
    name, kind = folder.name, _UNKNOWN
    try:
        vendor = described(folder)
        name, kind = vendor.name, _KINDS[vendor.kind]
        if any(one.name == name for one in before):
            name = f"{name} ({folder.name})"
        strange = [one for one in vendor.features if one not in FEATURE_NAMES]
        if strange:
            raise Refused(
                f"there is no feature {strange[0]}; docs/vendors.md lists those there are"
            )
        scores, taken = _asked(folder, vendor, replay, deadline_s)
        return subject(
            name, kind, truth=replay.truth, scores=scores, champion=champion, share=share,
            gain=replay.amounts * MARGIN, loss=replay.amounts, groups=replay.groups(),
            score_us=middle_of(taken), told=_told(vendor, replay, scores),
        )  # fmt: skip
    except (Refused, NotMeasurable) as error:
        return Subject(name, kind, wrong=Text(f"{error}", f"{error}"), told={"folder": folder.name})


def _told(vendor: Vendor, replay: Replay, scores: NDArray[np.float64]) -> dict[str, object]:
    found: dict[str, object] = {"whole": "sha256" if vendor.sha256 else "not told"}
    if vendor.threshold is not None:
        kept = scores < vendor.threshold
        found["at_threshold"] = {
            "threshold": vendor.threshold,
            "approved": float(kept.mean()),
            "bad_rate": bad_rate(replay.truth, kept).value if kept.any() else None,
        }
    return found


def _asked(
    folder: Path, vendor: Vendor, replay: Replay, deadline_s: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores and microseconds from the worker; Refused with what it said, or how it ended."""
    with tempfile.TemporaryDirectory(prefix="vendor-") as at:
        rows, result = Path(at) / "rows.npy", Path(at) / "result"
        np.save(rows, replay.of(vendor.features))
        _run([str(folder.resolve()), str(rows), str(result)], deadline_s)
        try:
            outcome = json.loads(result.with_suffix(".json").read_bytes())
            if "wrong" in outcome:
                raise Refused(str(outcome["wrong"]))
            scores = np.load(result.with_suffix(".npy"), allow_pickle=False)
            taken = np.asarray(outcome["taken_us"], dtype=np.float64)
        except (OSError, ValueError, KeyError) as error:
            raise Refused("its process left no answer") from error
    if scores.shape != replay.truth.shape:
        raise Refused(f"its process left {scores.shape} scores for {len(replay.truth)} payments")
    return np.asarray(scores, dtype=np.float64), taken


def _run(arguments: list[str], deadline_s: float) -> None:
    command = [sys.executable, *WORKER, *arguments]
    # nothing of the bank's own settings and secrets goes to where foreign files are read
    environment = {"PATH": os.defpath, "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1",
                   "OPENBLAS_NUM_THREADS": "1"}  # fmt: skip
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        code = process.wait(deadline_s)
    except subprocess.TimeoutExpired:
        raise Refused(f"it was ended after {deadline_s:g} s: it hangs or is too slow") from None
    finally:
        # what it started ends with it
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if code in {-signal.SIGXCPU, -signal.SIGKILL}:
        raise Refused("it took more processor time or memory than it may")
    if code < 0:
        raise Refused(f"it crashed ({signal.Signals(-code).name})")
    if code:
        raise Refused(f"its process ended with {code}")
