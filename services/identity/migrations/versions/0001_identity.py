"""Customers, rights, reference records, credentials, sessions, codes, staff and the audit log."""

from pathlib import Path

from alembic import op

from shared.kit.migrate import create_kit_tables

revision = "0001"
down_revision = None

SQL = Path(__file__).resolve().parents[1] / "sql"


def upgrade() -> None:
    create_kit_tables("identity")
    for statement in (SQL / "0001_tables.sql").read_text().split("\n--;\n"):
        op.execute(statement)
