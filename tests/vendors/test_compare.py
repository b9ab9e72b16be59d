"""Vendors' models beside ours: one of another library, and every way in which one can be wrong."""

import hashlib
import json
import re
import threading
import time
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from deploy.local.options import ROOT
from deploy.vendors import judging
from deploy.vendors.__main__ import main
from deploy.vendors.replay import ARTIFACTS, Replay, _own, city
from services.risk import scoring
from services.risk.evaluation.report import Subject, Text, fields, page
from services.risk.features import FRAUD_INPUTS
from services.risk.training.simulation import Size
from tests.bank import Bank

INPUTS = list(FRAUD_INPUTS)
PAGE = ROOT / "docs/vendors.md"


def quiet(text: str) -> None:
    """Nobody reads what is told."""


@pytest.fixture(scope="module")
def replay() -> Replay:
    features, truth = city(seed=5, size=Size(customers=150, days=28), told=quiet, warm_days=7)
    return Replay(features, truth, scoring.load(ARTIFACTS), Text("城市", "a city"))


@pytest.fixture(scope="module")
def acme(replay: Replay, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the page for vendors makes one, with LightGBM."""
    example = re.search(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert example
    names: dict[str, Any] = {}
    exec(example[1], names)
    folder = tmp_path_factory.mktemp("vendors") / "acme"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names["bring"](folder, replay.of(INPUTS).astype(np.float32), replay.truth, INPUTS)
    return folder


@pytest.fixture(scope="module")
def lightgbm(acme: Path) -> bytes:
    return (acme / "model.onnx").read_bytes()


def described(folder: Path, content: bytes | None = None, **fields: object) -> Path:
    folder.mkdir()
    told = {"name": folder.name, "kind": "onnx", "inputs": INPUTS} | fields
    (folder / "vendor.json").write_text(json.dumps(told))
    if content is not None:
        (folder / "model.onnx").write_bytes(content)
    return folder


def graph(
    *nodes: object,
    kind: int = TensorProto.FLOAT,
    held: tuple[object, ...] = (),
    is_typed: bool = True,
) -> bytes:
    """A model by hand: `x` in, `score` out."""
    score = helper.make_tensor_value_info("score", TensorProto.FLOAT, None)
    if not is_typed:
        score = helper.make_empty_tensor_value_info("score")
    made = helper.make_graph(
        list(nodes),
        "hand",
        [helper.make_tensor_value_info("x", kind, ["n", len(INPUTS)])],
        [score],
        initializer=list(held),
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return bytes(helper.make_model(made, opset_imports=opsets, ir_version=8).SerializeToString())


def endless() -> bytes:
    """A loop that goes on as long as a 64-bit number counts."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Add", ["was", "was"], ["is"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("was", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("is", TensorProto.FLOAT, None),
        ],
    )
    return graph(
        helper.make_node("Loop", ["most", "go", "x"], ["score"], body=body),
        held=(
            helper.make_tensor("most", TensorProto.INT64, [], [2**62]),
            helper.make_tensor("go", TensorProto.BOOL, [], [True]),
        ),
    )


class Scorer(BaseHTTPRequestHandler):
    """A vendor's scorer; the path says how it behaves."""

    def do_POST(self) -> None:
        rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["rows"]
        if self.path == "/slow":
            time.sleep(30)
        scores = [1 / (1 + np.exp(3 - 2 * (row["payee_new"] or 0))) for row in rows]
        if self.path == "/short":
            scores = scores[1:]
        body = json.dumps({"scores": scores}).encode()
        self.send_response(500 if self.path == "/broken" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def scorer() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Scorer)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def line(replay: Replay, folder: Path, *, deadline_s: float = 60) -> Subject:
    ours, found = judging.compared(replay, [folder], deadline_s=deadline_s, told=quiet).subjects
    assert ours.measured is not None
    return found


class TestVendor:
    def test_of_another_library_is_measured_beside_ours(
        self, replay: Replay, acme: Path, scorer: str, tmp_path: Path
    ):
        web = described(tmp_path / "web", kind="http", inputs=["payee_new"], url=f"{scorer}/")
        broken = described(tmp_path / "zzz", b"nonsense")
        report = judging.compared(replay, [acme, web, broken], told=quiet)
        ours, theirs, http, wrong = fields(report)["models"]
        assert theirs["auc_low"] < theirs["auc"] <= theirs["auc_high"]
        assert theirs["auc"] > 0.9
        assert theirs["against_champion"]["equal_approval"]["challenger_bad_rate"]["value"] < 0.05
        assert theirs["at_threshold"]["approved"] > 0.9
        assert set(theirs["fairness"]) == {"hour", "customer"}
        assert 0.5 < http["auc"] < ours["auc"]
        assert http["score_us"] > theirs["score_us"] > 0
        assert "no model that runs" in wrong["wrong"]
        assert page(report).count('class="wrong"') == 1

    def test_that_scores_safety_is_turned_around(self, replay: Replay, tmp_path: Path):
        score = helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1], keepdims=1)
        content = graph(score, helper.make_node("Sigmoid", ["mean"], ["score"]))
        asked = {"inputs": INPUTS, "missing": 0}
        risk = line(replay, described(tmp_path / "risk", content, **asked))
        safe = line(replay, described(tmp_path / "safe", content, orientation="safety", **asked))
        assert risk.measured is not None
        assert safe.measured is not None
        assert safe.measured.auc.value == pytest.approx(1 - risk.measured.auc.value, abs=1e-6)

    def test_may_answer_in_dictionaries(self, replay: Replay, tmp_path: Path):
        sigmoid = helper.make_node("Sigmoid", ["x"], ["all"])
        narrow = helper.make_node("Gather", ["all", "two"], ["pair"], axis=1)
        zipped = helper.make_node(
            "ZipMap", ["pair"], ["score"], domain="ai.onnx.ml", classlabels_int64s=[0, 1]
        )
        two = helper.make_tensor("two", TensorProto.INT64, [2], [0, INPUTS.index("payee_new")])
        plain = line(replay, described(tmp_path / "plain", graph(
            sigmoid, helper.make_node("Gather", ["all", "two"], ["score"], axis=1), held=(two,)
        ), missing=0))  # fmt: skip
        content = graph(sigmoid, narrow, zipped, held=(two,), is_typed=False)
        mapped = line(replay, described(tmp_path / "mapped", content, missing=0))
        assert plain.measured is not None
        assert mapped.measured is not None
        assert mapped.measured.auc == plain.measured.auc

    def test_with_one_bit_flipped_is_told_by_its_sha256_or_its_golden_rows(
        self, replay: Replay, lightgbm: bytes, tmp_path: Path
    ):
        # a leaf's weight: the file still loads, and answers otherwise
        place = lightgbm.index(b"base_values") if b"base_values" in lightgbm else len(lightgbm) // 2
        altered = bytearray(lightgbm)
        altered[place] ^= 1
        sha256 = hashlib.sha256(lightgbm).hexdigest()
        found = line(replay, described(tmp_path / "bit", bytes(altered), sha256=sha256))
        assert found.wrong is not None
        assert "was altered" in found.wrong.en
        golden = [{"inputs": [None] * len(INPUTS), "answer": 0.987654}]
        found = line(replay, described(tmp_path / "golden", lightgbm, golden=golden))
        assert found.wrong is not None
        assert "golden 1 is answered" in found.wrong.en

    @pytest.mark.parametrize(
        ("content", "told", "cause"),
        [
            pytest.param(
                graph(helper.make_node("Log", ["x"], ["all"]),
                      helper.make_node("ReduceMean", ["all"], ["score"], axes=[1], keepdims=0)),
                {}, "are no numbers, first in row", id="NaN",
            ),
            pytest.param(
                graph(helper.make_node("ReduceSum", ["x", "one"], ["score"], keepdims=0),
                      held=(helper.make_tensor("one", TensorProto.INT64, [1], [1]),)),
                {"missing": 0}, "are no probabilities", id="points",
            ),
            pytest.param(
                graph(helper.make_node("ReduceMean", ["x"], ["score"], axes=[0], keepdims=0)),
                {"missing": 0}, "has the shape", id="shape",
            ),
            pytest.param(
                graph(helper.make_node("Cast", ["x"], ["score"], to=1), kind=TensorProto.STRING),
                {}, "our features are numbers", id="type",
            ),
            pytest.param(
                graph(helper.make_node("Identity", ["x"], ["score"])),
                {"inputs": INPUTS[1:]}, "vendor.json names", id="count",
            ),
            pytest.param(
                graph(helper.make_node("Identity", ["x"], ["score"])),
                {"inputs": {"amount": "amount_log"}}, "the model takes the inputs x", id="names",
            ),
        ],
    )  # fmt: skip
    def test_that_lies_spoils_its_own_line(
        self, replay: Replay, content: bytes, told: dict, cause: str, tmp_path: Path
    ):
        found = line(replay, described(tmp_path / "liar", content, **told))
        assert found.wrong is not None
        assert cause in found.wrong.en

    def test_that_hangs_is_ended(self, replay: Replay, tmp_path: Path):
        found = line(replay, described(tmp_path / "loop", endless(), missing=0), deadline_s=5)
        assert found.wrong is not None
        assert "ended after 5 s" in found.wrong.en

    def test_that_crashes_spoils_its_own_line(
        self, replay: Replay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(judging, "WORKER", ("-c", "import ctypes; ctypes.string_at(0)"))
        found = line(replay, described(tmp_path / "crash", b"any"))
        assert found.wrong is not None
        assert "crashed (SIGSEGV)" in found.wrong.en

    @pytest.mark.parametrize(
        ("path", "cause"),
        [("broken", "HTTP 500"), ("short", "scores to"), ("slow", "no answer within")],
    )
    def test_over_http_that_fails_spoils_its_own_line(
        self, replay: Replay, scorer: str, path: str, cause: str, tmp_path: Path
    ):
        url = f"{scorer}/{path}"
        told = {"kind": "http", "inputs": ["payee_new"], "url": url}
        found = line(replay, described(tmp_path / path, **told))
        assert found.wrong is not None
        assert cause in found.wrong.en

    @pytest.mark.parametrize(
        ("told", "cause"),
        [
            ({"inputs": ["moon"]}, "no feature moon"),
            ({"inputs": []}, "inputs"),
            ({"kind": "http"}, "needs a url"),
            ({"file": "../other/model.onnx"}, "plain name"),
            ({"colour": "red"}, "colour"),
            ({}, "model.onnx cannot be read"),
        ],
    )
    def test_with_a_wrong_description_is_told_what_is_wrong(
        self,
        replay: Replay,
        told: dict,
        cause: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ):
        if told:
            monkeypatch.setattr(judging, "WORKER", ("-c", "raise SystemExit(3)"))
        found = line(replay, described(tmp_path / "wrong", **told))
        assert found.wrong is not None
        assert cause in found.wrong.en


class TestReplay:
    def test_asks_the_bank_that_runs_and_says_what_it_has(self, bank: Bank):
        bank.start("risk")
        found, champion, cause = _own(bank.folder)
        assert found is None
        assert re.match(r"the bank has \d+ labelled payments, \d+ of them fraud", cause)
        assert champion is not None
        assert champion.manifest.product == "payment"

    def test_says_that_no_bank_runs(self, tmp_path: Path):
        assert _own(tmp_path) == (None, None, "no bank is running")


class TestCommand:
    @pytest.mark.parametrize("vendors", ["", "/nowhere/at/all", "{empty}"])
    def test_says_in_one_line_what_is_missing(
        self, vendors: str, tmp_path: Path, capsys: pytest.CaptureFixture
    ):
        assert main(["--vendors", vendors.replace("{empty}", str(tmp_path))]) == 2
        assert capsys.readouterr().err.count("\n") == 1
