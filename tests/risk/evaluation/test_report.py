"""The page of a comparison: it stands alone, escapes what comes from outside, has two tongues."""

import json
import re

import numpy as np
import pytest

from services.risk.evaluation import NotMeasurable
from services.risk.evaluation.report import Report, Subject, Text, fields, page, subject

KIND = Text("种类", "a kind")


def report() -> Report:
    draw = np.random.default_rng(1)
    truth = draw.random(2_000) < 0.2
    ours, theirs = (1 / (1 + np.exp(2 - draw.normal(apart * truth, 1))) for apart in (1, 2))
    common = {"truth": truth, "share": 0.8, "gain": 1.0, "loss": 5.0, "rounds": 20}
    groups = {"sex": np.where(draw.random(2_000) < 0.4, "f<i>", "m")}
    found = [
        subject("ours", KIND, scores=ours, champion=None, groups=groups, **common),
        subject("<script>alert(1)</script>", KIND, scores=theirs, champion=ours, **common),
        Subject("hangs", KIND, wrong=Text("没有回答", "no answer within 5 s & <b>")),
    ]
    text = Text("标题", "A title")
    return Report(text, text, truth, "ours", 0.8, text, found)


class TestPage:
    def test_escapes_names_and_loads_nothing(self):
        written = page(report())
        assert "<script>alert" not in written
        assert "&lt;script&gt;alert(1)" in written
        assert "f&lt;i&gt;" in written
        assert not re.search(r"(?:src|href)\s*=|url\(|@import|https?://", written)

    def test_says_everything_in_both_languages(self):
        written = page(report())
        assert written.count('lang="zh"') - 1 == written.count('lang="en"')
        assert "no answer within 5 s &amp; &lt;b&gt;" in written
        assert written.count("<svg") >= 4 + 2 + 1

    def test_has_no_curve_where_no_model_could_be_measured(self):
        text = Text("标题", "A title")
        wrong = Subject("one", KIND, wrong=text)
        written = page(Report(text, text, np.array([True, False]), "one", 0.8, text, [wrong]))
        assert "<polyline" not in written
        assert "No model could be measured" in written


class TestFields:
    def test_hold_plain_figures_and_every_interval(self):
        found = json.loads(json.dumps(fields(report()), allow_nan=False))
        ours, theirs, wrong = found["models"]
        assert ours["auc_low"] < ours["auc"] < ours["auc_high"] < theirs["auc"]
        assert theirs["against_champion"]["equal_approval"]["difference"]["high"] < 0
        assert [group["name"] for group in ours["fairness"]["sex"]] == ["m", "f<i>"]
        assert wrong == {"name": "hangs", "kind": "a kind", "wrong": "no answer within 5 s & <b>"}

    def test_are_refused_where_a_score_is_no_probability(self):
        truth = np.array([True, False])
        with pytest.raises(NotMeasurable, match="between 0 and 1"):
            subject("one", KIND, truth=truth, scores=np.array([1.5, 0.2]), champion=None, share=0.8,
                    gain=1.0, loss=5.0)  # fmt: skip
