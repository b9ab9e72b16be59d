"""The pages hold: links lead somewhere, records have their form, commands exist and are run."""

import re
from pathlib import Path

import pytest

from gateway.consents.api import CreatePaymentConsent
from gateway.payments.views import CreatePayment
from tests.docs.pages import (
    FENCE,
    ROOT,
    anchor,
    anchors,
    code_spans,
    commands,
    links,
    named,
    pages,
    whole_lines,
)

RECORDS = sorted((ROOT / "docs/adr").glob("*.md"))
HEADINGS = ["Context", "Decision", "Consequences", "Alternatives"]

#: Each command that a page's block tells people to type, and what runs it: a test or CI.
RUN_BY = {
    "make demo": ("tests/journeys/demo.py", "deploy.local"),
    "make sandbox": ("tests/journeys/test_sandbox.py", '"deploy.sandbox"'),
    "make reset": ("tests/journeys/demo.py", '"deploy.local", "reset"'),
    "make test": (".ci/run", "make test"),
    "make check": ("tests/architecture/test_layers.py", "mypy"),
    "make lab": ("tests/risk/lab/test_lab.py", "training.lab"),
    "make compare": ("tests/vendors/test_compare.py", "deploy.vendors"),
    "make verify": ("tests/verify/test_verify.py", "deploy.verify"),
    "make bank": ("tests/journeys/demo.py", "deploy.bank"),
    "alias bank=": ("tests/journeys/demo.py", "deploy.bank"),
    "bank customers": ("tests/journeys/test_bank_commands.py", '"customers"'),
    "bank curl": ("tests/journeys/test_bank_commands.py", '"curl"'),
    "bank give-sign-in": ("tests/journeys/test_bank_commands.py", '"give-sign-in"'),
    "bank code": ("tests/journeys/test_bank_commands.py", '"code"'),
    "bank plan-set": ("tests/journeys/test_bank_commands.py", '"plan-set"'),
    "bank plans": ("tests/journeys/test_bank_commands.py", '"plans"'),
    "bank partner-plan": ("tests/journeys/test_bank_commands.py", '"partner-plan"'),
    "bank usage": ("tests/journeys/test_bank_commands.py", '"usage"'),
    "python -m services.risk.training": (
        "tests/risk/test_training.py",
        '"services.risk.training.fraud"',
    ),
    "python -m deploy.book check": ("tests/book/test_command.py", '"check"'),
    "python -m deploy.book convert": ("tests/book/test_command.py", '"convert"'),
    "python -m deploy.book import": ("tests/book/test_import.py", '"deploy.book", "import"'),
    "python -m deploy.book synthetic": ("tests/book/test_command.py", '"synthetic"'),
}


def targets() -> set[str]:
    """The Makefile's targets that `make help` lists."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):.*## ", text, re.MULTILINE))


def named_targets(page: Path) -> set[str]:
    """Every `make …` of a page's commands and code spans."""
    said = [*commands(page), *code_spans(page)]
    return {word for line in said for word in re.findall(r"\bmake ([a-z][a-z-]*)", line)}


class TestPage:
    @pytest.mark.parametrize("page", pages(), ids=named)
    def test_links_to_what_is_there(self, page: Path) -> None:
        missing = [link.target for link in links(page) if not link.file.exists()]
        assert missing == []

    @pytest.mark.parametrize("page", pages(), ids=named)
    def test_links_to_headings_that_are_there(self, page: Path) -> None:
        to_headings = [link for link in links(page) if link.heading and link.file.suffix == ".md"]
        missing = [link.target for link in to_headings if link.heading not in anchors(link.file)]
        assert missing == []

    @pytest.mark.parametrize("page", pages(), ids=named)
    def test_names_targets_that_the_makefile_has(self, page: Path) -> None:
        assert named_targets(page) <= targets()

    @pytest.mark.parametrize("page", pages(), ids=named)
    def test_shows_commands_that_a_test_or_ci_runs(self, page: Path) -> None:
        unknown = [line for line in commands(page) if not line.startswith(tuple(RUN_BY))]
        assert unknown == []


class TestRecord:
    @pytest.mark.parametrize("record", RECORDS, ids=named)
    def test_has_a_title_a_status_and_the_four_headings(self, record: Path) -> None:
        text = record.read_text(encoding="utf-8")
        number = record.name[:4]
        assert re.match(rf"# {number}\. .+\n\nStatus: (accepted|superseded by \d{{4}})\n", text)
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS

    @pytest.mark.parametrize("record", RECORDS, ids=named)
    def test_has_250_to_400_words(self, record: Path) -> None:
        assert 250 <= len(record.read_text(encoding="utf-8").split()) <= 400

    def test_is_in_the_list_of_the_architecture_page(self) -> None:
        listed = {link.file: link.target for link in links(ROOT / "docs/architecture.md")}
        assert [named(record) for record in RECORDS if record not in listed] == []

    def test_has_a_number_of_its_own(self) -> None:
        numbers = [record.name[:4] for record in RECORDS]
        assert numbers == [f"{number:04d}" for number in range(1, len(RECORDS) + 1)]


class TestCommandTable:
    @pytest.mark.parametrize("command", RUN_BY)
    def test_names_what_runs_the_command(self, command: str) -> None:
        file, words = RUN_BY[command]
        assert words in (ROOT / file).read_text(encoding="utf-8")

    @pytest.mark.parametrize("command", RUN_BY)
    def test_holds_no_command_that_no_page_shows(self, command: str) -> None:
        shown = [line for page in pages() for line in commands(page)]
        assert any(line.startswith(command) for line in shown)


class TestReadme:
    def test_shows_the_two_commands_first(self) -> None:
        blocks = FENCE.findall((ROOT / "README.md").read_text(encoding="utf-8"))
        assert blocks[0] == ("sh", "make demo\nmake test\n")

    def test_begins_in_chinese_too(self) -> None:
        opening = (ROOT / "README.md").read_text(encoding="utf-8")[:400]
        assert len(re.findall(r"[一-鿿]", opening)) > 100

    def test_pays_with_a_body_that_the_gateway_takes(self) -> None:
        bodies = [
            re.search(r"--body '(.+?)'", line)
            for line in commands(ROOT / "README.md")
            if "--body" in line
        ]
        consent, payment = (body[1] for body in bodies if body)
        assert CreatePaymentConsent.model_validate_json(consent).limit_minor == 50_000
        known = payment.replace("CONSENT_ID", "01a20c5b-528f-7343-9c7f-1acdffeb8d25")
        assert CreatePayment.model_validate_json(known).amount_minor == 1_280


class TestReading:
    def test_joins_a_command_that_goes_on(self) -> None:
        block = "one \\\n  two\nthree '{\n  \"a\": 1}' | sh\n# a comment\nfour\n"
        assert list(whole_lines(block)) == ["one  two", "three '{ \"a\": 1}' | sh", "four"]

    @pytest.mark.parametrize(
        ("title", "name"),
        [("House style", "house-style"), ("The `Bus` port, 2", "the-bus-port-2")],
    )
    def test_names_headings_as_code_hosts_do(self, title: str, name: str) -> None:
        assert anchor(title) == name
