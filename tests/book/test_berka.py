"""The converter of the PKDD'99 files."""

from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from deploy.book.berka import convert
from deploy.book.checks import steps_by_account
from deploy.book.csv_reader import read_book
from deploy.book.csv_writer import write_book
from deploy.book.records import Kind, Origin, Role
from deploy.book.refusal import BookRefused
from tests.book.conftest import BerkaFolder

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "berka"

# file, line, what stands there, what it becomes, and words of the reason
BROKEN = [
    ("trans.asc", 3, '1400.10;"";"";"0"', "1400.10", "has 7 fields instead of 10"),
    ("trans.asc", 3, '"VYBER"', '"VYBER', "broken row"),
    ("trans.asc", 3, "2;10;", "1;10;", "duplicate transaction id 1, first in trans.asc line 2"),
    ("trans.asc", 3, "950103", "950231", "date is an impossible date: '950231'"),
    ("trans.asc", 3, "950103", "1995-01-03", "date is not a date YYMMDD"),
    ("trans.asc", 3, "2;10;", "2;99;", "unknown account 99"),
    ("trans.asc", 3, "2;10;", "2;30;", "before account 30 was opened on 1995-03-01"),
    ("trans.asc", 5, "4;20;950103", "4;20;950101", "before account 20 was opened"),
    ("trans.asc", 3, ";100.00;", ";1e2;", "amount is not an amount"),
    ("trans.asc", 3, ";100.00;", ";100.005;", "amount is not an amount"),
    ("trans.asc", 3, ";100.00;", ";-100.00;", "amount is negative"),
    ("trans.asc", 3, "1400.10", "", "balance is not an amount"),
    ("trans.asc", 3, '"VYDAJ"', '"VYDEJ"', "type is unknown: 'VYDEJ'"),
    ("trans.asc", 3, '"VYDAJ"', '"PRIJEM"', "operation 'VYBER' cannot be of type"),
    ("trans.asc", 3, '"VYBER"', '"SEK"', "operation is unknown: 'SEK'"),
    ("trans.asc", 4, '"DUCHOD"', '"DUCH"', "k_symbol is unknown: 'DUCH'"),
    ("trans.asc", 7, '"UROK"', '""', "has no operation"),
    ("trans.asc", 3, "2;10;", ";10;", "trans_id is not an id"),
    ("trans.asc", 1, '"amount"', '"sum"', "header lacks amount"),
    ("account.asc", 3, "20;", "10;", "duplicate account id 10"),
    ("account.asc", 2, "950101", "951301", "impossible date"),
    ("account.asc", 2, "MESICNE", "DENNE", "frequency is unknown"),
    ("account.asc", 2, "10;1;", "10;9;", "unknown district 9"),
    ("client.asc", 2, "706213", "701313", "birth_number is an impossible date"),
    ("client.asc", 3, "2;", "1;", "duplicate client id 1"),
    ("disp.asc", 2, "1;1;10", "1;7;10", "unknown client 7"),
    ("disp.asc", 2, "1;1;10", "1;1;77", "unknown account 77"),
    ("disp.asc", 2, "OWNER", "BOSS", "type is unknown"),
    ("order.asc", 3, "2;30;", "2;31;", "unknown account 31"),
    ("order.asc", 3, "87144583", "0", "account_to is empty"),
    ("loan.asc", 2, "1;10;", "1;11;", "unknown account 11"),
    ("loan.asc", 2, '"B"', '"X"', "status is unknown"),
    ("card.asc", 2, "1;1;", "1;8;", "unknown disposition 8"),
    ("card.asc", 2, "classic", "plastic", "type is unknown"),
]


class TestBerka:
    def test_keeps_what_the_bank_knew_on_its_last_day(self, berka_folder: BerkaFolder) -> None:
        book = convert(berka_folder.path, name="small")
        assert (book.about.first_day, book.about.last_day) == (date(1995, 1, 1), date(1995, 2, 1))
        assert [a.id for a in book.accounts] == ["10", "20"]
        assert [(r.customer, r.account, r.role) for r in book.rights] == [
            ("1", "10", Role.OWNER),
            ("2", "10", Role.AUTHORIZED_USER),
            ("2", "20", Role.OWNER),
        ]
        assert [c.id for c in book.customers] == ["1", "2"]
        assert ([o.id for o in book.standing_orders], [n.id for n in book.loans]) == (["1"], ["1"])
        assert [(c.id, c.customer, c.account) for c in book.cards] == [("1", "1", "10")]
        assert dict(book.about.left_out) == {
            "accounts opened after the last day": 1,
            "rights to accounts not opened": 1,
            "standing orders of accounts not opened": 1,
            "cards issued after the last day": 1,
            "cards on accounts not opened": 1,
            "loans granted after the last day": 1,
        }

    def test_reads_signs_kinds_and_birth_numbers(self, berka_folder: BerkaFolder) -> None:
        book = convert(berka_folder.path, name="small")
        assert [(e.amount_minor, e.kind, e.purpose) for e in book.entries] == [
            (100_000, Kind.CASH_IN, ""),
            (-10_000, Kind.CASH_OUT, ""),
            (50_000, Kind.TRANSFER_IN, "pension"),
            (20_000, Kind.CASH_IN, ""),
            (-25_000, Kind.CASH_OUT, ""),
            (100, Kind.INTEREST, "interest"),
            (-1_460, Kind.FEE, "statement_fee"),
        ]
        assert book.entries[2].counterparty_account == "62457513"
        assert book.entries[1].counterparty_account == ""
        assert book.entries[0].origin == Origin("trans.asc", 2)
        woman, man = book.customers
        assert (woman.birth_date, woman.sex) == (date(1970, 12, 13), "F")
        assert (man.birth_date, man.sex) == (date(1945, 2, 4), "M")

    def test_gives_a_floor_where_the_source_allowed_an_overdraft(
        self, berka_folder: BerkaFolder
    ) -> None:
        book = convert(berka_folder.path, name="small")
        assert {a.id: a.floor_minor for a in book.accounts} == {"10": 0, "20": -5_000}

    def test_is_explained_in_an_order_that_the_files_do_not_have(
        self, berka_folder: BerkaFolder
    ) -> None:
        steps = steps_by_account(convert(berka_folder.path, name="small"))
        assert [(s.entry.id, s.rounding_minor) for s in steps["10"]] == [
            ("1", 0),
            ("3", 0),
            ("2", 10),
            ("7", 0),
        ]

    @pytest.mark.parametrize(("file", "line", "old", "new", "reason"), BROKEN)
    def test_refuses_a_broken_row_with_file_line_and_reason(
        self, berka_folder: BerkaFolder, file: str, line: int, old: str, new: str, reason: str
    ) -> None:
        berka_folder.change(file, line, old, new)
        with pytest.raises(BookRefused) as refusal:
            convert(berka_folder.path, name="small")
        assert any(
            (finding.file, finding.line) == (file, line) and reason in finding.reason
            for finding in refusal.value.findings
        ), [str(finding) for finding in refusal.value.findings]

    def test_names_every_broken_row_at_once(self, berka_folder: BerkaFolder) -> None:
        berka_folder.change("trans.asc", 2, "950101", "950100")
        berka_folder.change("client.asc", 2, '"706213"', "")
        with pytest.raises(BookRefused) as refusal:
            convert(berka_folder.path, name="small")
        assert {(f.file, f.line) for f in refusal.value.findings} == {
            ("client.asc", 2),
            ("trans.asc", 2),
        }

    def test_refuses_a_line_that_is_not_text(self, berka_folder: BerkaFolder) -> None:
        path = berka_folder.path / "trans.asc"
        path.write_bytes(path.read_bytes() + b"\xff\xfe;\r\n")
        with pytest.raises(BookRefused, match=r"trans.asc line 9: line is not UTF-8"):
            convert(berka_folder.path, name="small")

    def test_refuses_a_folder_that_lacks_a_file(self, berka_folder: BerkaFolder) -> None:
        (berka_folder.path / "disp.asc").unlink()
        with pytest.raises(BookRefused, match=r"disp.asc: cannot be read"):
            convert(berka_folder.path, name="small")

    def test_refuses_a_book_without_a_day(self, berka_folder: BerkaFolder) -> None:
        path = berka_folder.path / "trans.asc"
        path.write_bytes(path.read_bytes().split(b"\r\n")[0] + b"\r\n")
        with pytest.raises(BookRefused, match="holds no transactions"):
            convert(berka_folder.path, name="small")

    def test_names_the_original_file_when_the_converted_one_is_wrong(
        self, berka_folder: BerkaFolder, tmp_path: Path
    ) -> None:
        write_book(convert(berka_folder.path, name="small"), tmp_path / "book")
        path = tmp_path / "book" / "transactions.csv"
        path.write_text(path.read_text("utf-8").replace("1995-01-31", "1995-01-32", 1), "utf-8")
        with pytest.raises(BookRefused, match=r"trans.asc line 6: booking_date is an impossible"):
            read_book(tmp_path / "book")


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the PKDD'99 files are not in {REAL}")
class TestRealBook:
    def test_is_explained_to_the_last_row(self, tmp_path: Path) -> None:
        book = convert(REAL, name="berka")
        steps = [step for steps in steps_by_account(book).values() for step in steps]
        roundings = Counter(step.rounding_minor for step in steps)
        assert roundings == {0: 44_966, -10: 1_229, 10: 802}
        assert sum(step.equal for step in steps) == len(steps) == 46_997
        assert not [step for step in steps if step.unexplained]
        assert (len(book.customers), len(book.accounts)) == (5_369, 1_229)
        assert sum((s.entry.balance_after_minor or 0) < 0 for s in steps) == 88
        write_book(book, tmp_path)
        assert read_book(tmp_path) == book

    def test_tells_a_removed_row_by_the_row_after_it(self, tmp_path: Path) -> None:
        for source in REAL.glob("*.asc"):
            (tmp_path / source.name).write_bytes(source.read_bytes())
        path = tmp_path / "trans.asc"
        lines = path.read_bytes().split(b"\r\n")
        removed = next(i for i, row in enumerate(lines) if b";576;9302" in row)
        del lines[removed]
        path.write_bytes(b"\r\n".join(lines))
        steps = steps_by_account(convert(tmp_path, name="cut"))
        unexplained = [s for all_steps in steps.values() for s in all_steps if s.unexplained]
        assert [s.entry.account for s in unexplained] == ["576"]
