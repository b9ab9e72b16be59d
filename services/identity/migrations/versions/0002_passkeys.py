"""Passkeys of customers with their challenges; sessions that can be told apart by device."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"

SQL = Path(__file__).resolve().parents[1] / "sql"


def upgrade() -> None:
    for statement in (SQL / "0002_passkeys.sql").read_text().split("\n--;\n"):
        op.execute(statement)
