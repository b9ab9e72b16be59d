"""Chart, accounts, balances, transfers, postings and holds, with the rules that guard them."""

from pathlib import Path

from alembic import op

from shared.kit.migrate import create_kit_tables

revision = "0001"
down_revision = None

SQL = Path(__file__).resolve().parents[1] / "sql"


def upgrade() -> None:
    create_kit_tables("ledger")
    for name in ("0001_tables.sql", "0001_guards.sql", "0001_post_transfers.sql"):
        for statement in (SQL / name).read_text().split("\n--;\n"):
            op.execute(statement)
