"""`make lab DATA=file.csv LABEL=column OUT=folder`: the model lab from the command line."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from services.risk.evaluation.report import Severity
from services.risk.training.lab.reading import Refused
from services.risk.training.lab.run import Wanted, run

USAGE = "make lab DATA=file.csv LABEL=column OUT=folder [POSITIVE=value GROUP=column KEEP=column]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the report and the models; 2 where something is missing or of no use."""
    chosen = _parser().parse_args(arguments)
    gone = [name for name in ("data", "label", "out") if not getattr(chosen, name)]
    if gone:
        return _refused(f"{' and '.join(name.upper() for name in gone)} missing; {USAGE}")
    start = time.monotonic()

    def told(text: str) -> None:
        print(f"[{time.monotonic() - start:6.1f} s] {text}", flush=True)

    wanted = Wanted(
        data=Path(chosen.data),
        label=chosen.label,
        out=Path(chosen.out),
        positive=chosen.positive or None,
        groups=chosen.group,
        keep=chosen.keep,
        share=chosen.share,
        gain=chosen.gain,
        loss=chosen.loss,
        product=chosen.product,
        owner=chosen.owner,
    )
    if not 0 < wanted.share < 1:
        return _refused("--share lies between 0 and 1")
    try:
        report = run(wanted, told=told)
    except Refused as error:
        return _refused(str(error))
    except OSError as error:
        return _refused(f"{error.filename or wanted.out}: {error.strerror}")
    for one in report.findings:
        if one.severity is not Severity.NOTED:
            print(
                f"  {one.severity.value.replace('_', ' ')}: {one.column or 'table'}: {one.text.en}"
            )
    for subject in report.subjects:
        if subject.measured is None:
            print(f"  {subject.name:10} {subject.wrong.en if subject.wrong else ''}")
            continue
        auc = subject.measured.auc
        print(
            f"  {subject.name:10} AUC {auc.value:.4f} [{auc.low:.4f}, {auc.high:.4f}]  "
            f"KS {subject.measured.ks.value:.3f}  Brier {subject.measured.brier.value:.4f}"
        )
    told(f"see {wanted.out / 'report.html'}")
    return 0 if any(one.measured for one in report.subjects) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make lab", description=__doc__)
    parser.add_argument("--data", default="")
    parser.add_argument("--label", default="")
    parser.add_argument("--out", default="")
    parser.add_argument("--positive", default="", help="the label's bad value")
    parser.add_argument("--group", action="append", default=[], help="compare groups by a column")
    parser.add_argument("--keep", action="append", default=[], help="a column that is no leak")
    parser.add_argument("--share", type=float, default=0.8, help="approved where models compare")
    parser.add_argument("--gain", type=float, default=1.0, help="of a good row that is approved")
    parser.add_argument("--loss", type=float, default=5.0, help="of a bad row that is approved")
    parser.add_argument("--product", default="loan")
    parser.add_argument("--owner", default="model-lab")
    return parser


def _refused(cause: str) -> int:
    sys.stderr.write(f"lab: {cause}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
