"""A PKDD'99 folder small enough to break by hand, and a bank to load books into."""

import json
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bank import ROOT, Bank

LOGIN_NAME = "importer"

FILES = {
    "district.asc": [
        "A1;A2;A3;A4;A5;A6;A7;A8;A9;A10;A11;A12;A13;A14;A15;A16",
        '1;"Praha";"Prague";1;0;0;0;1;1;100.0;1;0.29;0.43;1;1;1',
    ],
    "client.asc": [
        '"client_id";"birth_number";"district_id"',
        '1;"706213";1',
        '2;"450204";1',
    ],
    "account.asc": [
        '"account_id";"district_id";"frequency";"date"',
        '10;1;"POPLATEK MESICNE";950101',
        '20;1;"POPLATEK TYDNE";950102',
        '30;1;"POPLATEK PO OBRATU";950301',
    ],
    "disp.asc": [
        '"disp_id";"client_id";"account_id";"type"',
        '1;1;10;"OWNER"',
        '2;2;10;"DISPONENT"',
        '3;2;20;"OWNER"',
        '4;2;30;"OWNER"',
    ],
    "trans.asc": [
        (
            '"trans_id";"account_id";"date";"type";"operation";"amount";"balance";'
            '"k_symbol";"bank";"account"'
        ),
        '1;10;950101;"PRIJEM";"VKLAD";1000.00;1000.00;"";;',
        # Booked as 3 then 2: only so does each balance follow from the one before.
        '2;10;950103;"VYDAJ";"VYBER";100.00;1400.10;"";"";"0"',
        '3;10;950103;"PRIJEM";"PREVOD Z UCTU";500.00;1500.00;"DUCHOD";"YZ";"62457513"',
        '4;20;950103;"PRIJEM";"VKLAD";200.00;200.00;"";;',
        '5;20;950131;"VYDAJ";"VYBER";250.00;-50.00;" ";"";"0"',
        '6;20;950131;"PRIJEM";"";1.00;-49.00;"UROK";;',
        '7;10;950201;"VYDAJ";"VYBER";14.60;1385.50;"SLUZBY";;',
    ],
    "order.asc": [
        '"order_id";"account_id";"bank_to";"account_to";"amount";"k_symbol"',
        '1;10;"YZ";"87144583";2452.00;"SIPO"',
        '2;30;"YZ";"87144583";2452.00;" "',
    ],
    "loan.asc": [
        '"loan_id";"account_id";"date";"amount";"duration";"payments";"status"',
        '1;10;950110;96396;12;8033.00;"B"',
        '2;10;960110;96396;12;8033.00;"C"',
    ],
    "card.asc": [
        '"card_id";"disp_id";"type";"issued"',
        '1;1;"classic";950107 00:00:00',
        '2;1;"gold";960107 00:00:00',
        '3;4;"gold";950307 00:00:00',
    ],
}


class BerkaFolder:
    """A folder with the files above, whose lines a test may change."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for name, lines in FILES.items():
            (path / name).write_bytes("\r\n".join([*lines, ""]).encode())

    def change(self, file: str, line: int, old: str, new: str) -> None:
        """Replaces text in one line (from 1) of a file."""
        lines = (self.path / file).read_bytes().decode().split("\r\n")
        assert old in lines[line - 1]
        lines[line - 1] = lines[line - 1].replace(old, new)
        (self.path / file).write_bytes("\r\n".join(lines).encode())

    def add(self, file: str, row: str) -> int:
        """Appends a row; returns its line."""
        content = (self.path / file).read_bytes() + row.encode() + b"\r\n"
        (self.path / file).write_bytes(content)
        return content.count(b"\r\n")


@pytest.fixture
def berka_folder(tmp_path: Path) -> BerkaFolder:
    folder = tmp_path / "small"
    folder.mkdir()
    return BerkaFolder(folder)


@pytest.fixture(scope="session")
def operator(bank: Bank) -> str:
    """The password of an operator who may sign in at the bank's identity."""
    password = secrets.token_urlsafe(18)
    for service in ("identity", "ledger", "payments"):
        bank.start(service)
    file = bank.folder / "operator-password"
    file.write_text(password)
    command = [sys.executable, "-m", "services.identity.bootstrap", "--staff-id", "s-importer"]
    command += ["--login-name", LOGIN_NAME, "--roles", "operator", "--password-file", str(file)]
    subprocess.run(command, cwd=ROOT, env=bank.settings("identity"), check=True)
    return password


@pytest.fixture
def run_folder(bank: Bank, operator: str, tmp_path: Path) -> Path:
    """The folder that a running bank leaves for its operator's programs."""
    run = tmp_path / "run"
    (run / "secrets").mkdir(parents=True)
    services = {name: bank.url(name) for name in ("identity", "ledger", "payments")}
    (run / "bank.json").write_text(json.dumps({"services": services}))
    secret = {"login_name": LOGIN_NAME, "password": operator}
    (run / "secrets" / "operator.json").write_text(json.dumps(secret))
    return run
