"""The synthetic city."""

from datetime import date
from pathlib import Path

import pytest

from deploy.book.checks import steps_by_account
from deploy.book.csv_reader import read_book
from deploy.book.csv_writer import write_book
from deploy.book.records import Book, Kind
from deploy.book.synthetic import synthetic_book


def written(folder: Path, book: Book) -> dict[str, bytes]:
    write_book(book, folder)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def city() -> Book:
    return synthetic_book(seed=7, customers=60, days=60)


class TestSyntheticBook:
    def test_is_the_same_byte_for_byte_for_the_same_seed_and_size(
        self, city: Book, tmp_path: Path
    ) -> None:
        again = synthetic_book(seed=7, customers=60, days=60)
        assert written(tmp_path / "one", city) == written(tmp_path / "two", again)

    def test_differs_for_another_seed_and_grows_with_its_size(self, city: Book) -> None:
        assert synthetic_book(seed=8, customers=60, days=60).entries != city.entries
        larger = synthetic_book(seed=7, customers=120, days=60)
        assert len(larger.entries) > 1.5 * len(city.entries)

    def test_passes_the_checks_of_any_book(self, city: Book, tmp_path: Path) -> None:
        write_book(city, tmp_path)
        book = read_book(tmp_path)
        steps = [step for steps in steps_by_account(book).values() for step in steps]
        assert len(steps) == len(city.entries)
        assert all(step.equal and not step.rounding_minor for step in steps)

    def test_holds_salaries_rents_shops_cash_and_interest(self, city: Book) -> None:
        assert {entry.kind for entry in city.entries} >= {
            Kind.SCAN,
            Kind.CARD,
            Kind.CASH_IN,
            Kind.CASH_OUT,
            Kind.TRANSFER_IN,
            Kind.TRANSFER_OUT,
            Kind.FEE,
        }
        assert {e.purpose for e in city.entries} >= {"salary", "rent", "gift", "takings"}
        quarter_end = synthetic_book(seed=7, customers=5, days=1, first_day=date(2026, 9, 21))
        assert any(e.kind is Kind.INTEREST for e in quarter_end.entries)

    def test_labels_the_entries_of_its_frauds(self, city: Book) -> None:
        entries = {entry.id for entry in city.entries}
        assert {label[0] for label in city.fraud_labels} <= entries
        assert {label[1] for label in city.fraud_labels} >= {"card_testing", "structuring"}

    def test_moves_no_money_between_its_accounts_that_only_one_of_them_shows(
        self, city: Book
    ) -> None:
        own = {account.id for account in city.accounts}
        between = [e.amount_minor for e in city.entries if e.counterparty_account in own]
        takings = [e.amount_minor for e in city.entries if e.purpose == "takings"]
        assert between
        assert takings
        assert sum(between) + sum(takings) == 0
