"""docs/risk-sources.md says what the table of sources says."""

import re

from services.risk.sources.domain import PURPOSE_WORDS, TERMS
from shared.kit.money import format_minor
from tests.bank import ROOT

PAGE = (ROOT / "docs/risk-sources.md").read_text(encoding="utf-8")


class TestPage:
    def test_has_the_terms_of_every_source(self):
        rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE)
        shown = {name: [cell.strip() for cell in rest.split("|")] for name, rest in rows}
        assert {name for name in shown if name in TERMS} == set(TERMS)
        for source, terms in TERMS.items():
            answers, purposes, consent, valid, kept, timeout, price = shown[source]
            assert re.findall(r"`(\w+)`", answers) == list(terms.answers)
            assert purposes.replace(" ", "_").split(",_") == list(terms.purposes)
            assert consent.startswith("yes") == terms.needs_consent
            assert int(valid.split()[0]) == terms.valid_for.days
            assert int(kept.split()[0]) == terms.usable_for.days
            assert timeout == f"{terms.timeout_ms} ms"
            assert price == format_minor(terms.price_minor, "CNY")

    def test_names_no_purpose_that_is_not_there(self):
        for terms in TERMS.values():
            assert set(terms.purposes) <= set(PURPOSE_WORDS)
