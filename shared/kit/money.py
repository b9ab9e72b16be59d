"""Currencies and how people write amounts. Inside the bank an amount is an integer."""

#: Decimal places of the currencies that the bank keeps accounts in (ISO 4217, table A.1).
EXPONENTS: dict[str, int] = {
    "CNY": 2,
    "CZK": 2,
    "EUR": 2,
    "GBP": 2,
    "HKD": 2,
    "JPY": 0,
    "USD": 2,
}


def format_minor(amount_minor: int, currency: str) -> str:
    """Write an amount for people: `format_minor(-123456, "CNY")` is `-1,234.56 CNY`."""
    exponent = EXPONENTS.get(currency, 2)
    sign = "-" if amount_minor < 0 else ""
    whole, rest = divmod(abs(amount_minor), 10**exponent)
    decimals = f".{rest:0{exponent}d}" if exponent else ""
    return f"{sign}{whole:,}{decimals} {currency}"
