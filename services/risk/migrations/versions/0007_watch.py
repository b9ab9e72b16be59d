"""The watch: decisions counted as they come, what they are compared with, limits and alarms."""

from alembic import op

revision = "0007"
down_revision = "0006"

STATEMENTS = (
    # How far decisions of a product, or labels, are counted.
    """
    CREATE TABLE watch_places (
        name text PRIMARY KEY,
        at timestamptz NOT NULL,
        decision_id uuid,
        position bigint,
        CHECK ((decision_id IS NULL) <> (position IS NULL))
    )
    """,
    """
    CREATE TABLE watch_counts (
        product text NOT NULL,
        slot timestamptz NOT NULL,
        policy text NOT NULL,
        model text NOT NULL,
        outcome text NOT NULL,
        decisions bigint NOT NULL,
        degraded bigint NOT NULL,
        failed bigint NOT NULL,
        alerts bigint NOT NULL,
        PRIMARY KEY (product, slot, policy, model, outcome)
    )
    """,
    """
    CREATE TABLE watch_bins (
        subject text NOT NULL,
        slot timestamptz NOT NULL,
        measure text NOT NULL,
        bin integer NOT NULL,
        decisions bigint NOT NULL,
        PRIMARY KEY (subject, slot, measure, bin)
    )
    """,
    """
    CREATE TABLE watch_labels (
        product text NOT NULL,
        slot timestamptz NOT NULL,
        policy text NOT NULL,
        model text NOT NULL,
        label text NOT NULL,
        decisions bigint NOT NULL,
        PRIMARY KEY (product, slot, policy, model, label)
    )
    """,
    """
    CREATE TABLE watch_references (
        model text NOT NULL,
        name text NOT NULL,
        model_sha256 bytea NOT NULL CHECK (length(model_sha256) = 32),
        edges double precision[] NOT NULL,
        counts bigint[] NOT NULL CHECK (cardinality(counts) = cardinality(edges) + 2),
        PRIMARY KEY (model, name)
    )
    """,
    # Old histograms are dropped by it.
    "CREATE INDEX watch_bins_in_time ON watch_bins (slot)",
    # What operators changed; the defaults stand in the code.
    """
    CREATE TABLE watch_limits (
        measure text NOT NULL,
        product text NOT NULL,
        span text NOT NULL CHECK (span IN ('hour', 'day', 'week')),
        warning double precision NOT NULL CHECK (warning > 0),
        critical double precision CHECK (critical >= warning),
        least integer NOT NULL CHECK (least > 0),
        changed_by text NOT NULL,
        reason text NOT NULL,
        changed_at timestamptz NOT NULL,
        PRIMARY KEY (measure, product)
    )
    """,
    """
    CREATE TABLE watch_guards (
        product text PRIMARY KEY,
        is_on boolean NOT NULL,
        hours integer NOT NULL CHECK (hours BETWEEN 1 AND 720),
        least integer NOT NULL CHECK (least > 0),
        rise double precision NOT NULL CHECK (rise > 0 AND rise <= 1),
        decline_rate double precision NOT NULL CHECK (decline_rate > 0 AND decline_rate <= 1),
        review_rate double precision NOT NULL CHECK (review_rate > 0 AND review_rate <= 1),
        failed_share double precision NOT NULL CHECK (failed_share > 0 AND failed_share <= 1),
        changed_by text NOT NULL,
        reason text NOT NULL,
        changed_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE watch_alarms (
        alarm_id uuid PRIMARY KEY,
        kind text NOT NULL CHECK (kind IN ('policy', 'model')),
        subject text NOT NULL,
        product text NOT NULL,
        measure text NOT NULL,
        name text NOT NULL,
        span text NOT NULL,
        severity text NOT NULL CHECK (severity IN ('warning', 'critical')),
        value double precision NOT NULL,
        peak double precision NOT NULL,
        bound double precision NOT NULL,
        seen bigint NOT NULL,
        opened_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        closed_at timestamptz,
        closed_why text,
        acknowledged_by text,
        acknowledged_at timestamptz,
        note text,
        CHECK ((closed_at IS NULL) = (closed_why IS NULL)),
        CHECK ((acknowledged_by IS NULL) = (acknowledged_at IS NULL))
    )
    """,
    """
    CREATE UNIQUE INDEX watch_alarms_open ON watch_alarms (subject, measure, name)
        WHERE closed_at IS NULL
    """,
    "CREATE INDEX watch_alarms_in_time ON watch_alarms (opened_at, alarm_id)",
    # One for each activation at the most, whatever comes.
    """
    CREATE TABLE watch_roll_backs (
        activation_id bigint PRIMARY KEY REFERENCES policy_activations,
        product text NOT NULL,
        version text NOT NULL,
        back_to text NOT NULL,
        measure text NOT NULL,
        value double precision NOT NULL,
        bound double precision NOT NULL,
        seen bigint NOT NULL,
        made_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TRIGGER watch_roll_backs_never_change BEFORE UPDATE OR DELETE ON watch_roll_backs
        FOR EACH ROW EXECUTE FUNCTION refuse_policy_history()
    """,
    """
    GRANT SELECT, INSERT, UPDATE, DELETE
        ON watch_places, watch_counts, watch_bins, watch_labels, watch_references TO risk
    """,
    "GRANT SELECT, INSERT, UPDATE ON watch_limits, watch_guards TO risk",
    "GRANT SELECT, INSERT ON watch_alarms, watch_roll_backs TO risk",
    """
    GRANT UPDATE (severity, value, peak, bound, seen, updated_at, closed_at, closed_why,
        acknowledged_by, acknowledged_at, note) ON watch_alarms TO risk
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
