"""The tables as statements name them; the migrations make them. Secrets are stored as hashes."""

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData()

customers = Table(
    "customers",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("full_name", Text),
    Column("born_on", Date),
    Column("district", Text),
    Column("phone", Text),
    Column("registered_on", Date),
    Column("content_hash", LargeBinary),
    Column("recorded_at", DateTime(timezone=True)),
)

account_rights = Table(
    "account_rights",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("customer_id", Text, primary_key=True),
    Column("right", Text),
    Column("granted_at", DateTime(timezone=True)),
)

reference_records = Table(
    "reference_records",
    metadata,
    Column("record_id", Text, primary_key=True),
    Column("customer_id", Text),
    Column("account_id", Text),
    Column("kind", Text),
    Column("facts", JSONB),
    Column("content_hash", LargeBinary),
    Column("recorded_at", DateTime(timezone=True)),
)

customer_credentials = Table(
    "customer_credentials",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("login_name", Text),
    Column("password_hash", Text),
    Column("set_at", DateTime(timezone=True)),
)

staff = Table(
    "staff",
    metadata,
    Column("staff_id", Text, primary_key=True),
    Column("login_name", Text),
    Column("password_hash", Text),
    Column("roles", ARRAY(Text)),
    Column("registered_at", DateTime(timezone=True)),
)

sign_in_attempts = Table(
    "sign_in_attempts",
    metadata,
    Column("realm", Text, primary_key=True),
    Column("name_hash", LargeBinary, primary_key=True),
    Column("failures", Integer),
    Column("last_at", DateTime(timezone=True)),
    Column("locked_until", DateTime(timezone=True)),
)

sign_in_sessions = Table(
    "sign_in_sessions",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("customer_id", Text),
    Column("started_at", DateTime(timezone=True)),
    Column("last_used_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
    Column("session_id", Uuid),
    Column("device", Text),
)

passkeys = Table(
    "passkeys",
    metadata,
    Column("credential_id", LargeBinary, primary_key=True),
    Column("customer_id", Text),
    Column("public_key", LargeBinary),
    Column("sign_count", BigInteger),
    Column("name", Text),
    Column("created_at", DateTime(timezone=True)),
    Column("last_used_at", DateTime(timezone=True)),
)

passkey_challenges = Table(
    "passkey_challenges",
    metadata,
    Column("challenge_id", Uuid, primary_key=True),
    Column("customer_id", Text),
    Column("purpose", Text),
    Column("nonce", LargeBinary),
    Column("expires_at", DateTime(timezone=True)),
    Column("used_at", DateTime(timezone=True)),
)

one_time_codes = Table(
    "one_time_codes",
    metadata,
    Column("challenge_id", Uuid, primary_key=True),
    Column("customer_id", Text),
    Column("purpose", Text),
    Column("subject", Text),
    Column("code_hash", LargeBinary),
    Column("sent_at", DateTime(timezone=True)),
    Column("tries", Integer),
    Column("verified_at", DateTime(timezone=True)),
)

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("service", Text),
    Column("staff_id", Text),
    Column("action", Text),
    Column("subject", Text),
    Column("reason", Text),
    Column("at", DateTime(timezone=True)),
    Column("recorded_at", DateTime(timezone=True)),
)
