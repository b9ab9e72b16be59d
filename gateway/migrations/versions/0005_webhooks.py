"""Webhooks: where partners are told what happens, every message on its way, and counts of calls."""

from alembic import op

revision = "0005"
down_revision = "0004"

STATEMENTS = (
    """
    CREATE TABLE webhook_endpoints (
        endpoint_id uuid PRIMARY KEY,
        partner_id text NOT NULL REFERENCES partners,
        url text NOT NULL,
        form text NOT NULL CHECK (form IN ('standard', 'ob_event')),
        event_types text[] NOT NULL,
        secret text NOT NULL,
        previous_secret text,
        previous_until timestamptz,
        rotation_key text,
        state text NOT NULL CHECK (state IN ('active', 'disabled')),
        disabled_reason text,
        failing_since timestamptz,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX webhook_endpoints_of_partner ON webhook_endpoints (partner_id, endpoint_id)",
    """
    CREATE TABLE webhook_deliveries (
        endpoint_id uuid NOT NULL REFERENCES webhook_endpoints ON DELETE CASCADE,
        message_id uuid NOT NULL,
        event_type text NOT NULL,
        data text NOT NULL,
        at timestamptz NOT NULL,
        state text NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed')),
        attempts int NOT NULL,
        next_at timestamptz NOT NULL,
        give_up_at timestamptz NOT NULL,
        last_status int,
        last_error text,
        delivered_at timestamptz,
        PRIMARY KEY (endpoint_id, message_id)
    )
    """,
    """
    CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, next_at)
    WHERE state = 'waiting'
    """,
    "CREATE INDEX webhook_deliveries_at ON webhook_deliveries (at)",
    """
    CREATE TABLE call_counts (
        day date NOT NULL,
        partner_id text NOT NULL,
        endpoint text NOT NULL,
        status_class int NOT NULL CHECK (status_class BETWEEN 1 AND 5),
        calls bigint NOT NULL CHECK (calls > 0),
        PRIMARY KEY (partner_id, day, endpoint, status_class)
    )
    """,
    # The least that the service needs at run time.
    """
    GRANT SELECT, INSERT, DELETE, UPDATE (url, event_types, secret, previous_secret, previous_until,
        rotation_key, state, disabled_reason, failing_since, updated_at)
        ON webhook_endpoints TO gateway
    """,
    """
    GRANT SELECT, INSERT, DELETE, UPDATE (state, attempts, next_at, give_up_at, last_status,
        last_error, delivered_at)
        ON webhook_deliveries TO gateway
    """,
    "GRANT SELECT, INSERT, UPDATE (calls), DELETE ON call_counts TO gateway",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
