"""Settings of `make demo`."""

from pathlib import Path

import pytest

from deploy.local.options import LocalError, read_options


class TestReadOptions:
    def test_has_defaults_for_all(self) -> None:
        options = read_options({})
        assert options.port == 8080
        assert options.book is None
        assert not options.once
        assert not options.split
        assert options.run_dir.name == ".run"

    def test_takes_an_empty_word_as_not_set(self) -> None:
        """`make` hands on every variable, also those that nobody set."""
        unset = dict.fromkeys(("PORT", "BOOK", "SEED", "CUSTOMERS", "ONCE", "ROLES"), "")
        assert read_options(unset) == read_options({})

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("PORT", "80"),
            ("PORT", "70000"),
            ("PORT", "-1"),
            ("PORT", "８０８０"),
            ("SEED", "1.5"),
            ("CUSTOMERS", "1"),
            ("CUSTOMERS", "many"),
            ("ONCE", "yes"),
            ("ROLES", "apart"),
            ("BOOK", "no/such/folder"),
        ],
    )
    def test_names_the_setting_that_is_wrong(self, name: str, value: str) -> None:
        with pytest.raises(LocalError, match=f"^{name}={value}"):
            read_options({name: value})

    def test_takes_a_book_beside_the_checkout(self, tmp_path: Path) -> None:
        assert read_options({"BOOK": str(tmp_path)}).book == tmp_path
