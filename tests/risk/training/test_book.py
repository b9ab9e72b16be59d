"""The real book's loans: only what was known before each was granted."""

import csv
from pathlib import Path

import numpy as np
import pytest

from services.risk.training import book, woe
from services.risk.training.book import BookUnreadable
from services.risk.training.folds import validated
from services.risk.training.report.__main__ import main

REAL = Path(__file__).parents[3].parent / "shared" / "data" / "berka"
HEADS = {
    "account.asc": "account_id;district_id;frequency;date",
    "card.asc": "card_id;disp_id;type;issued",
    "disp.asc": "disp_id;client_id;account_id;type",
    "district.asc": "A1;A11;A13",
    "loan.asc": "loan_id;account_id;date;amount;duration;payments;status",
    "trans.asc": "trans_id;account_id;date;type;operation;amount;balance;k_symbol",
}


def write(folder: Path, **rows: list[str]) -> Path:
    for name, head in HEADS.items():
        own = rows.get(name.removesuffix(".asc"), [])
        (folder / name).write_text("\n".join([head, *own]) + "\n")
    return folder


def small(folder: Path, *, later: bool) -> Path:
    """One loan of 1 July 1993; `later` adds what was booked on its day and after it."""
    rows = ["1;9;930601;PRIJEM;VKLAD;1000.00;1000.00;", "2;9;930615;VYDAJ;;300.00;700.00;"]
    cards = []
    if later:
        rows += ["3;9;930701;VYDAJ;;600.00;100.00;", "4;9;930801;VYDAJ;;1.00;-5.00;SANKC. UROK"]
        cards = ["1;5;classic;930701 00:00:00"]
    return write(
        folder,
        account=["9;1;POPLATEK MESICNE;930501"],
        disp=["5;7;9;OWNER", "6;8;9;DISPONENT"],
        district=["1;9000;2.5"],
        loan=["3;9;930701;12000;12;1000.00;B"],
        trans=rows,
        card=cards,
    )


class TestBook:
    def test_tells_what_an_account_did_before_its_loan(self, tmp_path: Path):
        table = book.read(small(tmp_path, later=False))
        values = {name: float(column[0]) for name, column in table.columns.items()}
        assert table.truth.tolist() == [True]
        assert values["account_age_days"] == 61
        assert (values["balance_least"], values["balance_mean"]) == (700, 850)
        assert (values["second_user"], values["card_before"], values["penalties"]) == (1, 0, 0)
        assert values["income_to_payment"] == pytest.approx(1)

    def test_sees_nothing_of_the_loan_s_day_or_after_it(self, tmp_path: Path):
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
        before = book.read(small(tmp_path / "one", later=False))
        after = book.read(small(tmp_path / "two", later=True))
        for name, column in before.columns.items():
            np.testing.assert_array_equal(column, after.columns[name])

    def test_that_is_not_there_is_one_line_and_writes_nothing(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ):
        with pytest.raises(BookUnreadable, match=r"has no account\.asc"):
            book.read(tmp_path)
        docs = tmp_path / "docs"
        assert main(["--book", str(tmp_path), "--docs", str(docs)]) == 1
        assert capsys.readouterr().err.count("\n") == 1
        assert not docs.exists()

    @pytest.mark.skipif(not REAL.is_dir(), reason=f"the PKDD'99 files are not in {REAL}")
    def test_of_a_real_bank_tells_good_loans_from_bad(self):
        table = book.read(REAL)
        with (REAL / "loan.asc").open() as file:
            statuses = [row["status"] for row in csv.DictReader(file, delimiter=";")]
        assert (len(table.truth), int(table.truth.sum())) == (
            len(statuses),
            sum(status in "BD" for status in statuses),
        )
        how = woe.Binning(most=4)
        found = validated(
            table.columns, table.truth, lambda a, b, c: woe.fit(a, b, how=how).score(c), repeats=1
        )
        assert 0.65 < found.auc.value < 0.85
