"""Plans of limits, and how far each limit is used: one for all replicas, read by every call."""

from alembic import op

revision = "0004"
down_revision = "0003"

STATEMENTS = (
    # Null is no limit; 0 lets nothing pass.
    """
    CREATE TABLE plans (
        plan text PRIMARY KEY,
        per_partner_per_minute int CHECK (per_partner_per_minute >= 0),
        per_consent_per_minute int CHECK (per_consent_per_minute >= 0),
        per_endpoint_per_minute jsonb NOT NULL,
        calls_per_day int CHECK (calls_per_day >= 0),
        updated_at timestamptz NOT NULL
    )
    """,
    "ALTER TABLE partners ADD COLUMN plan text REFERENCES plans",
    # One row a limit, changed in place again and again: half of each page is left free for that.
    """
    CREATE TABLE call_rates (
        owner text PRIMARY KEY,
        full_at_s double precision NOT NULL,
        day date NOT NULL,
        calls int NOT NULL
    ) WITH (fillfactor = 50)
    """,
    # The generic cell rate algorithm over every limit of a call, in the order of gateway/limits/
    # domain.NAMES. Each limit's row is charged and then looked at; where one refuses, all is taken
    # back. Rows are locked in this order by everybody, so two calls cannot wait for each other.
    """
    CREATE FUNCTION take_call(
        may boolean, of_partner text, of_consent text, of_endpoint text,
        at_s double precision, today date,
        OUT refused text, OUT limits int[], OUT standing double precision[]
    ) LANGUAGE plpgsql AS $$
    DECLARE
        names text[] := ARRAY['partner', 'consent', 'endpoint', 'day'];
        owners text[] := ARRAY[
            'partner ' || of_partner, 'consent ' || of_consent,
            'endpoint ' || of_partner || ' ' || of_endpoint
        ];
        last int := 0;
        whole_at_s double precision;
        calls_today int;
    BEGIN
        standing := ARRAY[at_s, at_s, at_s, 0];
        IF NOT may THEN
            limits := ARRAY[NULL, NULL, NULL, NULL];
            RETURN;
        END IF;
        SELECT ARRAY[
                least(p.rate_limit_per_minute, l.per_partner_per_minute),
                CASE WHEN of_consent IS NOT NULL THEN l.per_consent_per_minute END,
                (l.per_endpoint_per_minute ->> of_endpoint)::int,
                l.calls_per_day
            ]
            INTO limits
            FROM partners p LEFT JOIN plans l ON l.plan = p.plan
            WHERE p.partner_id = of_partner;
        FOR i IN 1..4 LOOP
            IF limits[i] = 0 THEN
                refused := names[i];
                RETURN;
            END IF;
        END LOOP;
        FOR i IN 1..3 LOOP
            CONTINUE WHEN limits[i] IS NULL;
            INSERT INTO call_rates AS r (owner, full_at_s, day, calls)
                VALUES (owners[i], at_s + 60.0 / limits[i], today, 1)
                ON CONFLICT (owner) DO UPDATE SET
                    full_at_s = greatest(r.full_at_s, at_s) + 60.0 / limits[i],
                    calls = CASE WHEN r.day >= today THEN r.calls + 1 ELSE 1 END,
                    day = greatest(r.day, today)
                RETURNING r.full_at_s, r.calls INTO whole_at_s, calls_today;
            last := i;
            standing[i] := whole_at_s;
            IF i = 1 THEN
                standing[4] := calls_today;
                IF calls_today > limits[4] THEN
                    refused := 'day';
                END IF;
            END IF;
            IF whole_at_s > at_s + 60.0005 THEN
                refused := names[i];
            END IF;
            EXIT WHEN refused IS NOT NULL;
        END LOOP;
        IF refused IS NOT NULL THEN
            FOR i IN 1..last LOOP
                CONTINUE WHEN limits[i] IS NULL;
                UPDATE call_rates AS r
                    SET full_at_s = r.full_at_s - 60.0 / limits[i], calls = r.calls - 1
                    WHERE r.owner = owners[i];
                standing[i] := standing[i] - 60.0 / limits[i];
            END LOOP;
            standing[4] := standing[4] - 1;
        END IF;
    END
    $$
    """,
    # The least that the service needs at run time.
    """
    GRANT SELECT, INSERT, UPDATE (per_partner_per_minute, per_consent_per_minute,
        per_endpoint_per_minute, calls_per_day, updated_at)
        ON plans TO gateway
    """,
    "GRANT UPDATE (plan) ON partners TO gateway",
    "GRANT SELECT, INSERT, UPDATE (full_at_s, day, calls), DELETE ON call_rates TO gateway",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
