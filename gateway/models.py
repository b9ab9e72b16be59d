"""The gateway's tables. Every sub-domain writes its own alone."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
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
    Column("plan", Text, ForeignKey("plans.plan")),
)

#: Limits that partners are under: null for no limit, 0 for no call at all.
plans = Table(
    "plans",
    metadata,
    Column("plan", Text, primary_key=True),
    Column("per_partner_per_minute", Integer),
    Column("per_consent_per_minute", Integer),
    Column("per_endpoint_per_minute", JSONB, nullable=False),
    Column("calls_per_day", Integer),
    _timestamp("updated_at"),
)

#: How far each limit is used; `take_call` (migration 0004) writes it.
call_rates = Table(
    "call_rates",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("full_at_s", Double, nullable=False),
    Column("day", Date, nullable=False),
    Column("calls", Integer, nullable=False),
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

#: The software of a partner that asks for tokens; a partner has one or several.
clients = Table(
    "clients",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("partner_id", Text, ForeignKey("partners.partner_id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("jwks", JSONB, nullable=False),
    Column("redirect_uris", JSONB, nullable=False),
    Column("scopes", JSONB, nullable=False),
    Column("id_token_alg", Text, nullable=False),
    Column("response_alg", Text, nullable=False),
    Column("introspection_alg", Text, nullable=False),
    Column("signed_requests", Boolean, nullable=False),
    Column("dpop_nonce", Boolean, nullable=False),
    Column("software_id", Text),
    Column("registration_token_hash", LargeBinary),
    Column("state", Text, nullable=False),
    _timestamp("created_at"),
    _timestamp("updated_at"),
    Index("clients_of_partner", "partner_id", "client_id"),
)

#: Directories whose statements about software count, with the keys that sign them.
software_issuers = Table(
    "software_issuers",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("jwks", JSONB, nullable=False),
    _timestamp("created_at"),
)

#: Authorization requests that clients pushed (RFC 9126), by the hash of what names them.
pushed_requests = Table(
    "pushed_requests",
    metadata,
    Column("request_hash", LargeBinary, primary_key=True),
    Column("client_id", Text, ForeignKey("clients.client_id"), nullable=False),
    Column("request", JSONB, nullable=False),
    _timestamp("expires_at"),
    _timestamp("used_at", nullable=True),
    Index("pushed_requests_expires_at", "expires_at"),
)

#: Customers who signed in on the authorization page, each for one request.
authorization_sessions = Table(
    "authorization_sessions",
    metadata,
    Column("session_hash", LargeBinary, primary_key=True),
    Column(
        "request_hash",
        LargeBinary,
        ForeignKey("pushed_requests.request_hash", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("customer_id", Text, nullable=False),
    Column("method", Text, nullable=False),
    _timestamp("signed_in_at"),
    Column("challenge_id", Uuid),
    _timestamp("expires_at"),
    Index("authorization_sessions_expires_at", "expires_at"),
    Index("authorization_sessions_request", "request_hash"),
)

#: What a customer allowed a client: tokens live by it and die with it.
grants = Table(
    "grants",
    metadata,
    Column("grant_id", Uuid, primary_key=True),
    Column("client_id", Text, ForeignKey("clients.client_id"), nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("scopes", JSONB, nullable=False),
    Column("consent_kind", Text),
    Column("consent_id", Text),
    Column("accounts", JSONB, nullable=False),
    Column("acr", Text, nullable=False),
    _timestamp("authenticated_at"),
    Column("state", Text, nullable=False),
    _timestamp("created_at"),
    _timestamp("expires_at"),
    _timestamp("last_used_at", nullable=True),
    Index("grants_of_customer", "customer_id", "grant_id"),
    Index("grants_of_client", "client_id", "grant_id"),
    Index(
        "grants_of_consent",
        "consent_kind",
        "consent_id",
        postgresql_where=text("consent_id IS NOT NULL"),
    ),
)

#: Codes that lead a client from the browser's redirect to its tokens, once.
authorization_codes = Table(
    "authorization_codes",
    metadata,
    Column("code_hash", LargeBinary, primary_key=True),
    Column("grant_id", Uuid, ForeignKey("grants.grant_id"), nullable=False),
    Column("client_id", Text, ForeignKey("clients.client_id"), nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("code_challenge", Text, nullable=False),
    Column("dpop_jkt", Text),
    Column("nonce", Text),
    Column("intent_id", Text),
    _timestamp("expires_at"),
    _timestamp("used_at", nullable=True),
    Index("authorization_codes_expires_at", "expires_at"),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("grant_id", Uuid, ForeignKey("grants.grant_id"), nullable=False),
    Column("client_id", Text, ForeignKey("clients.client_id"), nullable=False),
    _timestamp("created_at"),
    Index("refresh_tokens_of_grant", "grant_id"),
)

#: What all replicas must know alike: it makes nonces and the subjects of customers.
shared_secrets = Table(
    "shared_secrets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("secret", LargeBinary, nullable=False),
)

#: What customers let clients see, in the words of UK Open Banking.
data_access_consents = Table(
    "data_access_consents",
    metadata,
    Column("consent_id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("client_id", Text, ForeignKey("clients.client_id"), nullable=False),
    Column("request", JSONB, nullable=False),
    Column("state", Text, nullable=False),
    Column("customer_id", Text),
    Column("accounts", JSONB, nullable=False),
    _timestamp("expires_at", nullable=True),
    _timestamp("created_at"),
    _timestamp("updated_at"),
    Index(
        "data_access_consents_of_customer",
        "customer_id",
        "consent_id",
        postgresql_where=text("customer_id IS NOT NULL"),
    ),
)

#: Who looked when; never changed, never deleted.
data_accesses = Table(
    "data_accesses",
    metadata,
    Column("access_id", Uuid, primary_key=True),
    Column("grant_id", Uuid, ForeignKey("grants.grant_id"), nullable=False),
    Column("consent_id", Uuid, ForeignKey("data_access_consents.consent_id")),
    Column("client_id", Text, ForeignKey("clients.client_id"), nullable=False),
    Column("resource", Text, nullable=False),
    Column("account_id", Text),
    Column("interaction_id", Text, nullable=False),
    _timestamp("at"),
    Index(
        "data_accesses_of_consent",
        "consent_id",
        "access_id",
        postgresql_where=text("consent_id IS NOT NULL"),
    ),
    Index("data_accesses_of_grant", "grant_id", "access_id"),
)

#: The standard's words around one of the bank's own payment consents.
domestic_payment_consents = Table(
    "domestic_payment_consents",
    metadata,
    Column("consent_id", Uuid, ForeignKey("payment_consents.consent_id"), primary_key=True),
    Column("client_id", Text, ForeignKey("clients.client_id"), nullable=False),
    Column("request", JSONB, nullable=False),
    Column("payment_id", Uuid, unique=True),
    _timestamp("created_at"),
)

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("endpoint_id", Uuid, primary_key=True),
    Column("partner_id", Text, ForeignKey("partners.partner_id"), nullable=False),
    Column("url", Text, nullable=False),
    Column("form", Text, nullable=False),
    Column("event_types", ARRAY(Text), nullable=False),
    Column("secret", Text, nullable=False),
    Column("previous_secret", Text),
    _timestamp("previous_until", nullable=True),
    Column("rotation_key", Text),
    Column("state", Text, nullable=False),
    Column("disabled_reason", Text),
    _timestamp("failing_since", nullable=True),
    _timestamp("created_at"),
    _timestamp("updated_at"),
    Index("webhook_endpoints_of_partner", "partner_id", "endpoint_id"),
)

#: One row for each message and endpoint: the schedule of its tries, and what became of them.
webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column(
        "endpoint_id",
        Uuid,
        ForeignKey("webhook_endpoints.endpoint_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("message_id", Uuid, primary_key=True),
    Column("event_type", Text, nullable=False),
    Column("data", Text, nullable=False),
    _timestamp("at"),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    _timestamp("next_at"),
    _timestamp("give_up_at"),
    Column("last_status", Integer),
    Column("last_error", Text),
    _timestamp("delivered_at", nullable=True),
    Index(
        "webhook_deliveries_due",
        "endpoint_id",
        "next_at",
        postgresql_where=text("state = 'waiting'"),
    ),
    Index("webhook_deliveries_at", "at"),
)

#: Calls of partners by day, route and kind of answer.
call_counts = Table(
    "call_counts",
    metadata,
    Column("partner_id", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("endpoint", Text, primary_key=True),
    Column("status_class", Integer, primary_key=True),
    Column("calls", BigInteger, nullable=False),
)
