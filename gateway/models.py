"""The gateway's tables. Every sub-domain writes its own alone."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()


def _timestamp(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


partners = Table(
    "partners",
    metadata,
    Column("partner_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("jwks", JSONB, nullable=False),
    Column("redirect_uris", JSONB, nullable=False),
    Column("rate_limit_per_minute", Integer, nullable=False),
    Column("state", Text, nullable=False),
    _timestamp("created_at"),
    _timestamp("updated_at"),
)

#: What may be used once: the `jti` of client assertions and proofs, hashed with its owner.
used_ids = Table(
    "used_ids",
    metadata,
    Column("id_hash", LargeBinary, primary_key=True),
    _timestamp("kept_until"),
    Index("used_ids_kept_until", "kept_until"),
)

#: Public halves of the keys that sign access tokens. A private half never leaves its process.
token_keys = Table(
    "token_keys",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("jwk", JSONB, nullable=False),
    _timestamp("created_at"),
)

payment_consents = Table(
    "payment_consents",
    metadata,
    Column("consent_id", Uuid, primary_key=True),
    Column("partner_id", Text, ForeignKey("partners.partner_id"), nullable=False),
    Column("payee_account", Text, nullable=False),
    Column("payee_name", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("limit_minor", BigInteger, nullable=False),
    Column("used_minor", BigInteger, nullable=False),
    _timestamp("expires_at"),
    Column("debtor_account", Text),
    Column("debtor_named", Boolean, nullable=False),
    Column("redirect_uri", Text),
    Column("state", Text, nullable=False),
    Column("customer_id", Text),
    Column("code_failures", Integer, nullable=False),
    _timestamp("created_at"),
    _timestamp("updated_at"),
    Index("payment_consents_partner", "partner_id", "consent_id"),
    Index(
        "payment_consents_customer",
        "customer_id",
        "consent_id",
        postgresql_where=text("customer_id IS NOT NULL"),
    ),
)

#: Customers who signed in on the consent page, each for one consent.
page_sessions = Table(
    "page_sessions",
    metadata,
    Column("session_hash", LargeBinary, primary_key=True),
    Column("consent_id", Uuid, ForeignKey("payment_consents.consent_id"), nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("challenge_id", Uuid),
    _timestamp("expires_at"),
    Index("page_sessions_expires_at", "expires_at"),
)

#: The first sight of a payment's idempotency key, its reservation and, in the end, its answer.
payment_claims = Table(
    "payment_claims",
    metadata,
    Column("payment_id", Uuid, primary_key=True),
    Column("partner_id", Text, ForeignKey("partners.partner_id"), nullable=False),
    Column("idempotency_key", Text, nullable=False),
    Column("body_hash", LargeBinary, nullable=False),
    Column(
        "consent_id",
        Uuid,
        ForeignKey("payment_consents.consent_id", deferrable=True, initially="DEFERRED"),
        nullable=False,
    ),
    Column("amount_minor", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    _timestamp("attempt_until", nullable=True),
    Column("attempts", Integer, nullable=False),
    Column("reply", LargeBinary),
    _timestamp("created_at"),
    _timestamp("checked_at"),
    UniqueConstraint("partner_id", "idempotency_key", name="payment_claims_key"),
    Index(
        "payment_claims_open",
        "checked_at",
        postgresql_where=text("state = 'reserved'"),
    ),
)
