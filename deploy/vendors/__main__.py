"""`make compare VENDORS=folder`: writes .run/compare.html and .run/compare.json."""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from deploy.local.options import run_dir_of
from deploy.vendors.judging import DEADLINE_S, MAX_VENDORS, compared
from deploy.vendors.replay import replay
from services.risk.evaluation import NotMeasurable
from services.risk.evaluation.report import fields, page
from services.risk.scoring import ModelRefused

HTML, JSON = "compare.html", "compare.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where the comparison was written, whatever the vendors brought; 2 where it was not."""
    parser = argparse.ArgumentParser(prog="make compare", description=__doc__)
    parser.add_argument("--vendors", default="", help="a folder with a folder for each vendor")
    parser.add_argument("--deadline", type=float, default=DEADLINE_S, help="seconds for each")
    chosen = parser.parse_args(arguments)
    folders = _folders(chosen.vendors)
    if isinstance(folders, str):
        sys.stderr.write(f"compare: {folders}\n")
        return 2
    run_dir, start = run_dir_of(os.environ), time.monotonic()

    def told(text: str) -> None:
        print(f"[{time.monotonic() - start:6.1f} s] {text}", flush=True)

    try:
        report = compared(
            replay(run_dir, told=told), folders, deadline_s=chosen.deadline, told=told
        )
    except (ModelRefused, NotMeasurable) as error:
        sys.stderr.write(f"compare: {error}\n")
        return 2
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / HTML).write_text(page(report), encoding="utf-8")
    outcome = {"source": report.lead.en, **fields(report)}
    (run_dir / JSON).write_text(json.dumps(outcome, ensure_ascii=False, indent=1) + "\n")
    told(f"see {run_dir / HTML}")
    return 0


def _folders(vendors: str) -> list[Path] | str:
    if not vendors:
        return "VENDORS is missing; make compare VENDORS=folder"
    try:
        found = sorted(one for one in Path(vendors).iterdir() if one.is_dir())
    except OSError as error:
        return f"{vendors} cannot be read: {error.strerror}"
    if not found:
        return f"{vendors} holds no folder of a vendor; docs/vendors.md says what belongs there"
    if len(found) > MAX_VENDORS:
        return f"{vendors} holds {len(found)} folders; at most {MAX_VENDORS} are compared"
    return found


if __name__ == "__main__":
    sys.exit(main())
