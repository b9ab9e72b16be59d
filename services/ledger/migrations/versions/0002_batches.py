"""Holds in batches, and events that the database itself writes: one call a batch."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"

SQL = Path(__file__).resolve().parents[1] / "sql"


def upgrade() -> None:
    for name in ("0002_post_transfers.sql", "0002_holds.sql"):
        for statement in (SQL / name).read_text().split("\n--;\n"):
            op.execute(statement)
