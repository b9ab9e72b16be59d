"""The command line of books, as a person or a script meets it."""

from pathlib import Path

import pytest

from deploy.book.__main__ import main
from tests.book.conftest import BerkaFolder

Capture = pytest.CaptureFixture[str]


class TestBookCommand:
    def test_converts_and_checks(
        self, berka_folder: BerkaFolder, tmp_path: Path, capsys: Capture
    ) -> None:
        out = tmp_path / "book"
        assert main(["convert", "--from", "berka", str(berka_folder.path), "--out", str(out)]) == 0
        assert "1 left out: accounts opened after the last day" in capsys.readouterr().out
        assert main(["check", str(out)]) == 0
        printed = capsys.readouterr()
        assert "7 of 7 transactions carry a recorded balance" in printed.out
        assert "0 unexplained" in printed.out
        assert printed.err == ""

    def test_writes_the_same_bytes_twice(self, berka_folder: BerkaFolder, tmp_path: Path) -> None:
        for name in ("one", "two"):
            out = str(tmp_path / name)
            assert main(["convert", "--from", "berka", str(berka_folder.path), "--out", out]) == 0
        for path in (tmp_path / "one").iterdir():
            assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()

    def test_makes_a_synthetic_book(self, tmp_path: Path, capsys: Capture) -> None:
        out = str(tmp_path / "city")
        arguments = ["--seed", "3", "--customers", "20", "--days", "10"]
        assert main(["synthetic", "--out", out, *arguments]) == 0
        assert main(["check", out]) == 0
        assert "0 unexplained" in capsys.readouterr().out

    def test_ends_with_1_and_names_the_row_that_is_unexplained(
        self, berka_folder: BerkaFolder, capsys: Capture
    ) -> None:
        berka_folder.change("trans.asc", 8, "14.60", "15.60")
        assert main(["check", str(berka_folder.path)]) == 1
        printed = capsys.readouterr()
        assert "1 unexplained" in printed.out
        assert printed.err.startswith("trans.asc line 8: balance 140010 plus amount -1560")

    def test_prints_one_line_for_each_problem_and_writes_nothing(
        self, berka_folder: BerkaFolder, tmp_path: Path, capsys: Capture
    ) -> None:
        berka_folder.change("trans.asc", 3, "950103", "950230")
        out = tmp_path / "book"
        code = main(["convert", "--from", "berka", str(berka_folder.path), "--out", str(out)])
        assert code == 2
        assert capsys.readouterr().err.splitlines() == [
            "trans.asc line 3: date is an impossible date: '950230'",
            "Refused: 1 problem(s), nothing was done.",
        ]
        assert not out.exists()

    def test_prints_the_first_twenty_problems_and_their_number(
        self, berka_folder: BerkaFolder, capsys: Capture
    ) -> None:
        for _ in range(30):
            berka_folder.add("trans.asc", "broken")
        assert main(["check", str(berka_folder.path)]) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 21
        assert lines[-1] == "Refused: 30 problem(s), nothing was done."

    def test_says_so_where_there_is_no_book(self, tmp_path: Path, capsys: Capture) -> None:
        assert main(["check", str(tmp_path / "nothing")]) == 2
        assert "nothing: is not a folder" in capsys.readouterr().err
        assert main(["check", str(tmp_path)]) == 2
        assert capsys.readouterr().err.startswith("book.json: cannot be read: No such file")
