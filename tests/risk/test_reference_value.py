"""The scale to which amounts of every currency are brought."""

from services.risk.domain import reference_value_minor


class TestReferenceValue:
    def test_brings_amounts_to_fen(self):
        assert reference_value_minor(12_345, "CNY") == 12_345
        assert reference_value_minor(100, "USD") == 710
        assert reference_value_minor(1_000, "JPY") == 4_700
        assert reference_value_minor(1, "CZK") == 0
        assert reference_value_minor(10**15, "EUR") == 8_200_000_000_000_000

    def test_is_missing_without_a_rate(self):
        assert reference_value_minor(100, "XXX") is None
        assert reference_value_minor(0, "CNY") == 0
