"""The documented CSV format: what a bank brings as its own book."""

import json
from pathlib import Path

import pytest

from deploy.book.checks import steps_by_account
from deploy.book.csv_reader import read_book
from deploy.book.csv_writer import write_book
from deploy.book.records import Kind, Statement
from deploy.book.refusal import BookRefused

BOOK = {
    "customers.csv": 'customer,name\nc1,李伟\nc2,"Smith, John"\n',
    "accounts.csv": "account,currency,opened_on,opening_balance_minor,floor_minor\n"
    "a1,CNY,2020-02-29,5000,\n"
    "a2,EUR,2026-01-02,,-300\n",
    "account_rights.csv": "right,customer,account,role\nr1,c1,a1,owner\nr2,c2,a2,owner\n",
    "transactions.csv": "transaction,account,booking_date,value_date,amount_minor,currency,kind,"
    "balance_after_minor\n"
    "t1,a1,2026-01-02,2026-01-01,-1200,CNY,scan,3800\n"
    "t2,a2,2026-01-03,2026-01-03,-250,EUR,card,-250\n"
    "t3,a1,2026-01-03,2026-01-03,40,CNY,interest,\n",
}
ABOUT = {
    "format": "tongbao-book/1",
    "name": "mine",
    "bank_name": "A bank",
    "currency": "CNY",
    "first_day": "2026-01-01",
    "last_day": "2026-01-31",
}

# file, what stands there, what it becomes, and the whole message
BROKEN = [
    ("transactions.csv", "t1,a1", "t1,a9", "transactions.csv line 2: unknown account a9"),
    ("transactions.csv", "t2,", "t1,", "duplicate transaction id t1, first in transactions.csv"),
    ("transactions.csv", "-250,EUR", "-250,CNY", "currency CNY is not the account's EUR"),
    ("transactions.csv", "-1200", "-12.00", "amount_minor is not a whole number: '-12.00'"),
    ("transactions.csv", "-1200", "9" * 16, "amount_minor is too large"),
    ("transactions.csv", "scan", "swap", "kind is unknown: 'swap' (known: cash_in"),
    ("transactions.csv", "-1200,CNY,scan", "-1200,CNY,cash_in", "cash_in with a negative amount"),
    ("transactions.csv", "interest", "fee", "fee with a positive amount"),
    ("transactions.csv", "2026-01-02,", "2026-02-30,", "booking_date is an impossible date"),
    ("transactions.csv", "2026-01-02,", "2026-02-01,", "is outside the book's days"),
    ("transactions.csv", "t2,a2,2026-01-03", "t2,a2,2026-01-01", "before account a2 was opened"),
    ("transactions.csv", "-1200", "-5001", "takes account a1 to -1, below its floor_minor 0"),
    ("transactions.csv", "balance_after_minor", "balance_after", "unknown columns balance_after"),
    ("transactions.csv", "kind,", "", "header lacks kind"),
    ("transactions.csv", ",3800", "", "has 7 fields instead of 8"),
    ("transactions.csv", "t1,a1", '"t1,a1', "broken row"),
    ("transactions.csv", "t1,", "\n", "transactions.csv line 2: has 0 fields instead of 8"),
    ("accounts.csv", "a2,EUR", "a2,eur", "currency is not a currency code"),
    ("accounts.csv", "a2,EUR", "a 2,EUR", "account is not an id"),
    ("accounts.csv", "-300", "300", "floor_minor is above 0"),
    ("accounts.csv", ",5000,", ",-5000,", "opening_balance_minor is below floor_minor"),
    ("account_rights.csv", "r2,c2", "r2,c3", "unknown customer c3"),
    ("account_rights.csv", "r2,c2,a2", "r2,c1,a1", "already has a right to this account"),
    ("customers.csv", "李伟", " ", "name is empty"),
    ("customers.csv", "李伟", "\x07", "name is not a text"),
    ("customers.csv", "李伟", "x" * 5_000, "line 2: is longer than 4096 bytes"),
]
BROKEN_ABOUT = [
    ("format", "tongbao-book/9", 'is not an object with "format"'),
    ("last_day", "2025-01-01", "first_day is after last_day"),
    ("first_day", 20260101, "must give name"),
    ("rounding_tolerance_minor", -1, "rounding_tolerance_minor is not a whole number"),
    ("rounding_tolerance_minor", 0.1, "rounding_tolerance_minor is not a whole number"),
    ("colour", "red", "has unknown fields colour"),
    ("id_prefix", "a/", "id_prefix is not up to 10"),
    ("left_out", {"a": "b"}, "left_out is not an object of counts"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in BOOK.items():
        (tmp_path / name).write_text(text, "utf-8")
    (tmp_path / "book.json").write_text(json.dumps(ABOUT), "utf-8")
    return tmp_path


class TestCsvBook:
    def test_reads_a_book_by_hand_with_optional_columns_and_files_left_out(
        self, folder: Path
    ) -> None:
        book = read_book(folder)
        assert [c.name for c in book.customers] == ["李伟", "Smith, John"]
        first, second = book.accounts
        assert (first.opening_balance_minor, first.floor_minor) == (5_000, 0)
        assert (second.floor_minor, second.statement) == (-300, Statement.MONTHLY)
        assert [e.kind for e in book.entries] == [Kind.SCAN, Kind.CARD, Kind.INTEREST]
        assert (book.standing_orders, book.cards, book.loans) == ((), (), ())
        steps = steps_by_account(book)
        assert [s.balance_minor for s in steps["a1"]] == [3_800, 3_840]

    def test_reads_what_a_spreadsheet_saves(self, folder: Path) -> None:
        for path in folder.glob("*.csv"):
            path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
        assert len(read_book(folder).entries) == 3

    def test_is_written_as_it_was_read(self, folder: Path, tmp_path: Path) -> None:
        book = read_book(folder)
        write_book(book, tmp_path / "one")
        again = read_book(tmp_path / "one")
        assert again == book
        write_book(again, tmp_path / "two")
        for path in sorted((tmp_path / "one").iterdir()):
            assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()

    def test_is_no_book_until_the_last_file_is_written(self, folder: Path) -> None:
        book = read_book(folder)
        (folder / "transactions.csv").unlink()
        (folder / "transactions.csv").mkdir()
        with pytest.raises(IsADirectoryError):
            write_book(book, folder)
        with pytest.raises(BookRefused, match=r"book.json: cannot be read"):
            read_book(folder)

    @pytest.mark.parametrize(("file", "old", "new", "message"), BROKEN)
    def test_is_refused_with_file_line_and_reason(
        self, folder: Path, file: str, old: str, new: str, message: str
    ) -> None:
        text = (folder / file).read_text("utf-8")
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1), "utf-8")
        with pytest.raises(BookRefused) as refusal:
            read_book(folder)
        lines = [str(finding) for finding in refusal.value.findings]
        assert any(message in line and line.startswith(file) for line in lines), lines

    def test_is_refused_for_an_account_without_an_owner(self, folder: Path) -> None:
        path = folder / "account_rights.csv"
        path.write_text(path.read_text("utf-8").replace("a2,owner", "a2,authorized_user"), "utf-8")
        with pytest.raises(
            BookRefused, match=r"accounts.csv line 3: account a2 has no owners instead of one"
        ):
            read_book(folder)

    @pytest.mark.parametrize(("field", "value", "message"), BROKEN_ABOUT)
    def test_is_refused_for_a_wrong_book_json(
        self, folder: Path, field: str, value: object, message: str
    ) -> None:
        (folder / "book.json").write_text(json.dumps(ABOUT | {field: value}), "utf-8")
        with pytest.raises(BookRefused) as refusal:
            read_book(folder)
        lines = [str(finding) for finding in refusal.value.findings]
        assert any(line.startswith("book.json: ") and message in line for line in lines), lines

    def test_counts_all_that_is_wrong_and_keeps_the_first(self, folder: Path) -> None:
        with (folder / "transactions.csv").open("a") as stream:
            stream.writelines("x\n" for _ in range(1_500))
        with pytest.raises(BookRefused) as refusal:
            read_book(folder)
        assert (refusal.value.count, len(refusal.value.findings)) == (1_500, 1_000)
