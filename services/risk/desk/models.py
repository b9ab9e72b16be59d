"""The desk's sessions: the cookie's hash, who it is and until when; no token, no password."""

from sqlalchemy import Column, DateTime, LargeBinary, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY

from services.risk.models import metadata

desk_sessions = Table(
    "desk_sessions",
    metadata,
    Column("session_hash", LargeBinary, primary_key=True),
    Column("staff_id", Text, nullable=False),
    Column("roles", ARRAY(Text), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)
