"""Loading a book into a running bank."""

import asyncio
import csv
import json
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from deploy.book.__main__ import main
from deploy.book.csv_writer import write_book
from deploy.book.postings import transfer_id
from deploy.book.records import Book
from deploy.book.synthetic import synthetic_book
from tests.bank import ROOT, Bank, eventually
from tests.book.conftest import BerkaFolder

REAL = ROOT.parent / "shared" / "data" / "berka"

Capture = pytest.CaptureFixture[str]


async def load(source: Path, run: Path) -> int:
    """The command as a person calls it; it has an event loop of its own."""
    return await asyncio.to_thread(main, ["import", str(source), "--run", str(run)])


def reconciliation(run: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((run / "reconciliation.json").read_text())
    return loaded


def closing(run: Path) -> dict[str, int]:
    with (run / "closing_balances.csv").open() as stream:
        return {row["source_account"]: int(row["balance_minor"]) for row in csv.DictReader(stream)}


async def transfers_of(bank: Bank, prefix: str) -> int:
    connection = await bank.connect("ledger")
    try:
        return int(
            await connection.fetchval(
                "SELECT count(DISTINCT transfer_id) FROM postings WHERE account_id LIKE $1",
                f"{prefix}%",
            )
        )
    finally:
        await connection.close()


@pytest.fixture
def small(berka_folder: BerkaFolder, unique: str) -> BerkaFolder:
    """The small PKDD'99 folder under a name of this test alone, which prefixes its numbers."""
    berka_folder.path = berka_folder.path.rename(berka_folder.path.with_name(unique))
    return berka_folder


@pytest.fixture
def city(unique: str, tmp_path: Path) -> tuple[Book, Path]:
    """A synthetic book of some thousand rows under numbers of this test alone."""
    book = synthetic_book(seed=11, customers=60, days=60)
    about = replace(book.about, name=unique, id_prefix=f"{unique[:9]}-")
    book = replace(book, about=about)
    write_book(book, tmp_path / "city")
    return book, tmp_path / "city"


class TestImport:
    async def test_loads_every_table_where_it_belongs(
        self, bank: Bank, run_folder: Path, small: BerkaFolder
    ) -> None:
        assert await load(small.path, run_folder) == 0
        prefix = f"{small.path.name[:9]}-"
        async with bank.client("identity", roles=("operator",)) as identity:
            customer = (await identity.get(f"/v1/customers/{prefix}1")).json()
            rights = (await identity.get(f"/v1/customers/{prefix}2/account-rights")).json()
            records = (await identity.get(f"/v1/customers/{prefix}1/reference-records")).json()
        assert (customer["full_name"], customer["born_on"]) == ("Client 1", "1970-12-13")
        assert (customer["district"], customer["registered_on"]) == ("Praha", "1995-01-01")
        assert sorted((item["account_id"], item["right"]) for item in rights["items"]) == [
            (f"{prefix}10", "authorized_user"),
            (f"{prefix}20", "owner"),
        ]
        assert [(item["kind"], item["facts"]) for item in records["items"]] == [
            ("card", {"type": "classic", "issued_on": "1995-01-07"}),
            (
                "loan",
                {
                    "granted_on": "1995-01-10",
                    "amount_minor": 9_639_600,
                    "currency": "CZK",
                    "months": 12,
                    "payment_minor": 803_300,
                    "status": "finished_unpaid",
                },
            ),
        ]
        async with bank.client("payments", roles=("operator",)) as payments:
            params = {"debtor_account": f"{prefix}10"}
            orders = (await payments.get("/v1/standing-orders", params=params)).json()["items"]
        assert [(order["amount_minor"], order["active"]) for order in orders] == [(245_200, False)]
        async with bank.client("ledger", roles=("operator",)) as ledger:
            account = (await ledger.get(f"/v1/accounts/{prefix}20")).json()
            missing = await ledger.get(f"/v1/accounts/{prefix}30")
        assert (account["holder_id"], account["opened_on"]) == (f"{prefix}2", "1995-01-02")
        assert (account["floor_minor"], account["balance"]["posted_minor"]) == (-5_000, -4_900)
        assert missing.status_code == 404

    async def test_posts_the_rounding_beside_the_amount_on_the_days_of_the_source(
        self, bank: Bank, run_folder: Path, small: BerkaFolder
    ) -> None:
        assert await load(small.path, run_folder) == 0
        prefix = f"{small.path.name[:9]}-"
        async with bank.client("ledger", roles=("operator",)) as ledger:
            posted = (await ledger.get(f"/v1/transfers/{transfer_id(small.path.name, '2')}")).json()
        assert (posted["booking_date"], posted["value_date"]) == ("1995-01-03", "1995-01-03")
        assert [(leg["account_id"], leg["amount_minor"]) for leg in posted["postings"]] == [
            (f"{prefix}10", -10_000),
            ("bank.cash.CZK", 10_000),
            (f"{prefix}10", 10),
            ("bank.rounding.CZK", -10),
        ]
        assert posted["postings"][2]["balance_minor"] == 140_010

    async def test_reports_what_it_compared(
        self, run_folder: Path, small: BerkaFolder, capsys: Capture
    ) -> None:
        assert await load(small.path, run_folder) == 0
        assert "7 rows, 7 balances equal, 1 roundings, 0 unexplained" in capsys.readouterr().out
        facts = reconciliation(run_folder)
        assert (facts["rows"], facts["balances_equal"], facts["unexplained"]) == (7, 7, 0)
        assert (facts["rounding_postings"], facts["postings"]) == (1, 16)
        assert facts["postings_per_second"] > 0
        assert facts["closing_balances_as_recorded"] == 2
        assert facts["left_out"]["accounts opened after the last day"] == 1
        assert closing(run_folder) == {"10": 138_550, "20": -4_900}
        page = (run_folder / "reconciliation.html").read_text("utf-8")
        HTMLParser().feed(page)
        assert "对账报告" in page
        assert "Every row is explained" in page
        assert "+0.10 CZK" in page
        assert page.count("<rect") >= 3
        assert "http" not in page.split("<body>")[1]
        for name in ("reconciliation.json", "reconciliation.html", "closing_balances.csv"):
            assert (run_folder / name).stat().st_mode & 0o077 == 0

    async def test_changes_nothing_when_it_is_repeated(
        self, bank: Bank, run_folder: Path, small: BerkaFolder
    ) -> None:
        assert await load(small.path, run_folder) == 0
        first, balances = reconciliation(run_folder), closing(run_folder)
        assert await load(small.path, run_folder) == 0
        second = reconciliation(run_folder)
        assert (first["postings_made_now"], second["postings_made_now"]) == (16, 0)
        changes = {"postings_made_now", "posting_seconds", "at"}
        assert {k: v for k, v in first.items() if k not in changes} == {
            k: v for k, v in second.items() if k not in changes
        }
        assert closing(run_folder) == balances
        assert await transfers_of(bank, f"{small.path.name[:9]}-") == 7

    async def test_opens_accounts_with_the_balance_that_they_bring(
        self, bank: Bank, run_folder: Path, city: tuple[Book, Path]
    ) -> None:
        book, folder = city
        assert await load(folder, run_folder) == 0
        facts = reconciliation(run_folder)
        assert facts["balances_equal"] == facts["rows"] == len(book.entries)
        last = {e.account: e.balance_after_minor for e in book.entries}
        assert closing(run_folder) == {
            a.id: last.get(a.id, a.opening_balance_minor) for a in book.accounts
        }
        async with bank.client("ledger", roles=("operator",)) as ledger:
            transit = (await ledger.get("/v1/accounts/bank.transit.CNY")).json()
        assert transit["balance"]["posted_minor"] == 0

    async def test_ends_in_the_same_state_when_it_was_killed_in_the_middle(
        self, bank: Bank, run_folder: Path, city: tuple[Book, Path]
    ) -> None:
        book, folder = city
        prefix = book.about.id_prefix
        brought = sum(account.opening_balance_minor != 0 for account in book.accounts)
        command = ["-m", "deploy.book", "import", str(folder), "--run", str(run_folder)]
        running = await asyncio.create_subprocess_exec(
            sys.executable, *command, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL
        )

        async def began() -> bool:
            return await transfers_of(bank, prefix) > brought

        try:
            await eventually(began, within_s=120, every_s=0.02)
        finally:
            running.kill()
            await running.wait()
        assert not (run_folder / "reconciliation.json").exists()
        assert brought < await transfers_of(bank, prefix) < brought + len(book.entries)
        assert await load(folder, run_folder) == 0
        facts = reconciliation(run_folder)
        assert facts["balances_equal"] == facts["rows"] == len(book.entries)
        assert 0 < facts["postings_made_now"] < facts["postings"] == 2 * len(book.entries)
        assert await transfers_of(bank, prefix) == brought + len(book.entries)
        assert facts["closing_balances_as_recorded"] == len({e.account for e in book.entries})

    async def test_goes_on_when_the_ledger_dies_and_comes_back(
        self, bank: Bank, run_folder: Path, city: tuple[Book, Path]
    ) -> None:
        book, folder = city
        brought = sum(account.opening_balance_minor != 0 for account in book.accounts)
        running = asyncio.create_task(load(folder, run_folder))

        async def began() -> bool:
            return await transfers_of(bank, book.about.id_prefix) > brought

        await eventually(began, within_s=120, every_s=0.02)
        bank.kill("ledger")
        await asyncio.to_thread(bank.start, "ledger")
        assert await running == 0
        assert reconciliation(run_folder)["balances_equal"] == len(book.entries)

    async def test_lists_a_row_that_is_unexplained_and_ends_with_1(
        self, run_folder: Path, small: BerkaFolder, capsys: Capture
    ) -> None:
        small.change("trans.asc", 7, ";1.00;", ";2.00;")
        assert await load(small.path, run_folder) == 1
        facts = reconciliation(run_folder)
        assert (facts["unexplained"], facts["balances_equal"]) == (1, 6)
        (row,) = facts["unexplained_rows"]
        assert (row["transaction"], row["file"], row["line"]) == ("6", "trans.asc", 7)
        assert (row["recorded_minor"], row["ledger_minor"]) == (-4_900, -4_800)
        assert capsys.readouterr().err.startswith("trans.asc line 7: balance -5000 plus amount 200")
        assert closing(run_folder)["20"] == -4_800
        page = (run_folder / "reconciliation.html").read_text("utf-8")
        assert "trans.asc:7" in page
        assert "1 行无法解释" in page

    async def test_posts_nothing_of_a_book_with_a_broken_row(
        self, bank: Bank, run_folder: Path, small: BerkaFolder, capsys: Capture
    ) -> None:
        small.change("trans.asc", 8, "950201", "950229")
        assert await load(small.path, run_folder) == 2
        assert capsys.readouterr().err.splitlines() == [
            "trans.asc line 8: date is an impossible date: '950229'",
            "Refused: 1 problem(s), nothing was done.",
        ]
        async with bank.client("ledger", roles=("operator",)) as ledger:
            account = await ledger.get(f"/v1/accounts/{small.path.name[:9]}-10")
        assert account.status_code == 404
        assert not (run_folder / "reconciliation.json").exists()

    async def test_lists_a_transfer_that_the_ledger_refuses(
        self, bank: Bank, run_folder: Path, small: BerkaFolder
    ) -> None:
        assert await load(small.path, run_folder) == 0
        # The same transaction with another amount, in what claims to be the same book.
        small.change("trans.asc", 8, "14.60;1385.50", "24.60;1375.50")
        assert await load(small.path, run_folder) == 1
        (row,) = reconciliation(run_folder)["unexplained_rows"]
        assert row["transaction"] == "7"
        assert row["reason"] == "the ledger refused it: Another transfer has this id"
        assert closing(run_folder)["10"] == 138_550

    async def test_stops_with_one_line_where_an_account_is_open_on_other_terms(
        self, run_folder: Path, small: BerkaFolder, capsys: Capture
    ) -> None:
        assert await load(small.path, run_folder) == 0
        # A deeper overdraft: the account needs a lower floor than the one it was opened with.
        small.change("trans.asc", 6, "250.00;-50.00", "260.00;-60.00")
        small.change("trans.asc", 7, "-49.00", "-59.00")
        capsys.readouterr()
        assert await load(small.path, run_folder) == 3
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"Stopped: account {small.path.name[:9]}-20 is open in the bank on")

    async def test_stops_with_one_line_where_no_bank_runs(
        self, small: BerkaFolder, tmp_path: Path, capsys: Capture
    ) -> None:
        assert await load(small.path, tmp_path / "nowhere") == 3
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("Stopped: no running bank in")
        assert not (tmp_path / "nowhere").exists()

    async def test_stops_with_one_line_where_the_password_is_wrong(
        self, run_folder: Path, small: BerkaFolder, capsys: Capture
    ) -> None:
        secret = {"login_name": "importer", "password": "not-the-password"}
        (run_folder / "secrets" / "operator.json").write_text(json.dumps(secret))
        assert await load(small.path, run_folder) == 3
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("Stopped: identity refused")


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the PKDD'99 files are not in {REAL}")
class TestImportOfTheRealBook:
    @pytest.mark.timeout(1_200)
    async def test_reproduces_every_recorded_balance(self, run_folder: Path) -> None:
        assert await load(REAL, run_folder) == 0
        facts = reconciliation(run_folder)
        assert (facts["rows"], facts["balances_equal"]) == (46_997, 46_997)
        assert (facts["rounding_postings"], facts["unexplained"]) == (2_031, 0)
        assert facts["postings"] == 2 * 46_997 + 2 * 2_031
        assert facts["closing_balances_as_recorded"] == len(closing(run_folder)) == 1_229
