"""The files of the documented CSV format and their columns (`docs/book-format.md`)."""

from dataclasses import dataclass

FORMAT = "tongbao-book/1"
ABOUT = "book.json"
LABELS = "fraud_labels.csv"
ORIGIN_COLUMNS = ("source_file", "source_line")


@dataclass(frozen=True, slots=True)
class Table:
    """One file of the format."""

    file: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    may_be_absent: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, in the order in which they are written."""
        return (*self.required, *self.optional, *ORIGIN_COLUMNS)


CUSTOMERS = Table("customers.csv", ("customer", "name"), ("birth_date", "sex", "region"))
ACCOUNTS = Table(
    "accounts.csv",
    ("account", "currency", "opened_on"),
    ("opening_balance_minor", "floor_minor", "statement", "region"),
)
RIGHTS = Table("account_rights.csv", ("right", "customer", "account", "role"))
ENTRIES = Table(
    "transactions.csv",
    ("transaction", "account", "booking_date", "value_date", "amount_minor", "currency", "kind"),
    ("purpose", "counterparty_bank", "counterparty_account", "balance_after_minor"),
)
ORDERS = Table(
    "standing_orders.csv",
    ("order", "account", "amount_minor", "currency", "counterparty_bank", "counterparty_account"),
    ("purpose",),
    may_be_absent=True,
)
CARDS = Table("cards.csv", ("card", "customer", "account", "type", "issued_on"), (), True)
LOANS = Table(
    "loans.csv",
    (
        "loan",
        "account",
        "granted_on",
        "amount_minor",
        "currency",
        "months",
        "payment_minor",
        "status",
    ),
    (),
    may_be_absent=True,
)
