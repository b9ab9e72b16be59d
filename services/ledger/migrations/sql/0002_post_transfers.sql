-- Plans are pinned where a call enters: each join is a nested loop over an index, for a batch of
-- one as for a thousand, and no statement is planned anew for the arrays of the next call.
ALTER FUNCTION post_set RESET ALL
--;
-- The guards look rows up by their keys. A plan made while the journal was new and small would read
-- all of it for each transfer, until statistics come.
ALTER FUNCTION check_new_postings SET enable_seqscan = off SET enable_hashjoin = off
    SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan
--;
ALTER FUNCTION check_transfer_has_legs SET enable_seqscan = off
    SET plan_cache_mode = force_generic_plan
--;
-- Locks in one order, so that two batches never wait for each other in a ring. A join and not
-- `= ANY`: who has waited for a row checks it again, and would compare it with every number.
CREATE FUNCTION lock_balances(account_ids text[]) RETURNS void LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM FROM (SELECT DISTINCT unnest(account_ids) AS account_id) AS named
        JOIN balances AS b USING (account_id) ORDER BY b.account_id FOR UPDATE OF b;
END
$$
--;
-- As before, but for the locks and the pinned plans.
CREATE OR REPLACE FUNCTION post_transfers(
    ids uuid[], kinds text[], value_dates date[], booking_dates date[], refs text[],
    reversed uuid[], hashes bytea[], leg_counts smallint[],
    leg_of int[], leg_account text[], leg_amount bigint[], leg_currency text[],
    recorded timestamptz,
    OUT outcomes text[], OUT codes text[], OUT fault_legs int[],
    OUT leg_balances bigint[], OUT leg_holders text[]
) LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    size int := cardinality(ids);
    done record;
    part record;
    i int;
    lo int;
    hi int;
BEGIN
    PERFORM lock_balances(leg_account);

    SELECT
        array_agg(CASE WHEN t.transfer_id IS NULL THEN NULL
            WHEN t.body_hash = w.hash THEN 'duplicate' ELSE 'conflict' END ORDER BY w.place)
    INTO outcomes
    FROM unnest(ids, hashes) WITH ORDINALITY AS w (id, hash, place)
    LEFT JOIN transfers AS t ON t.transfer_id = w.id;
    codes := array_fill(NULL::text, ARRAY[size]);
    fault_legs := array_fill(NULL::int, ARRAY[size]);
    leg_balances := array_fill(NULL::bigint, ARRAY[cardinality(leg_of)]);
    leg_holders := array_fill(NULL::text, ARRAY[cardinality(leg_of)]);

    -- What no balance can change: an account that is not there, not in this currency, frozen.
    FOR part IN
        SELECT DISTINCT ON (l.of_transfer) l.of_transfer, l.pos,
            CASE WHEN a.account_id IS NULL THEN 'account_not_found'
                WHEN a.currency <> l.currency THEN 'currency_mismatch'
                ELSE 'account_frozen' END AS code
        FROM unnest(leg_of, leg_account, leg_amount, leg_currency) WITH ORDINALITY
            AS l (of_transfer, account_id, amount, currency, pos)
        LEFT JOIN accounts AS a USING (account_id)
        WHERE a.account_id IS NULL OR a.currency <> l.currency OR (a.frozen AND l.amount < 0)
        ORDER BY l.of_transfer, l.pos
    LOOP
        IF outcomes[part.of_transfer] IS NULL THEN
            outcomes[part.of_transfer] := 'refused';
            codes[part.of_transfer] := part.code;
            fault_legs[part.of_transfer] := part.pos;
        END IF;
    END LOOP;

    IF array_position(outcomes, 'refused') IS NULL
        AND array_position(outcomes, 'duplicate') IS NULL
        AND array_position(outcomes, 'conflict') IS NULL
    THEN
        done := post_set(ids, kinds, value_dates, booking_dates, refs, reversed, hashes,
            leg_counts, leg_of, leg_account, leg_amount, leg_currency, recorded);
        IF done.violator = 0 THEN
            outcomes := array_fill('posted'::text, ARRAY[size]);
            leg_balances := done.leg_balances;
            leg_holders := done.leg_holders;
            RETURN;
        END IF;
    END IF;

    -- One by one, in order: the same result as the set would have, with a reason for each.
    hi := 0;
    FOR i IN 1..size LOOP
        lo := hi + 1;
        hi := hi + leg_counts[i];
        CONTINUE WHEN outcomes[i] IS NOT NULL;
        done := post_set(ids[i:i], kinds[i:i], value_dates[i:i], booking_dates[i:i], refs[i:i],
            reversed[i:i], hashes[i:i], leg_counts[i:i], array_fill(1, ARRAY[leg_counts[i]::int]),
            leg_account[lo:hi], leg_amount[lo:hi], leg_currency[lo:hi], recorded);
        IF done.violator = 0 THEN
            outcomes[i] := 'posted';
            leg_balances[lo:hi] := done.leg_balances;
            leg_holders[lo:hi] := done.leg_holders;
        ELSE
            outcomes[i] := 'refused';
            codes[i] := 'insufficient_funds';
        END IF;
    END LOOP;
END
$$
--;
-- Of the few reversals alone; NULLs cost every other transfer an entry.
CREATE UNIQUE INDEX transfers_reversed_once ON transfers (reverses) WHERE reverses IS NOT NULL
--;
ALTER TABLE transfers DROP CONSTRAINT transfers_reverses_key
--;
-- Tells of what was posted, in the same transaction. Arrays run parallel as in `post_transfers`.
-- The event's words come from the one model of it (see `services/ledger/events.py`): `form` is an
-- envelope and `leg_form` a leg, as patterns of `format`, with what they leave open in this order:
-- event id, transfer id, kind, value date, booking date, reversed transfer, trace, time, legs; and
-- account, holder, amount, currency, balance. `said_at` is `recorded` as JSON.
CREATE FUNCTION tell_posted(
    outcomes text[], ids uuid[], kinds text[], value_dates date[], booking_dates date[],
    reversed uuid[], leg_of int[], leg_account text[], leg_amount bigint[], leg_currency text[],
    leg_balances bigint[], leg_holders text[], recorded timestamptz,
    event_ids uuid[], traces text[], form text, leg_form text, topic text, said_at text
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    legs text[];
BEGIN
    legs := ARRAY(
        SELECT string_agg(
            format(leg_form, to_json(l.account_id), coalesce(to_json(l.holder_id)::text, 'null'),
                l.amount, to_json(l.currency), l.balance),
            ',' ORDER BY l.pos
        )
        FROM unnest(leg_of, leg_account, leg_holders, leg_amount, leg_currency, leg_balances)
            WITH ORDINALITY
            AS l (of_transfer, account_id, holder_id, amount, currency, balance, pos)
        GROUP BY l.of_transfer ORDER BY l.of_transfer
    );
    INSERT INTO outbox (event_id, topic, key, envelope, created_at)
    SELECT t.event_id, tell_posted.topic, t.id::text,
        format(form, to_json(t.event_id), to_json(t.id), to_json(t.kind), to_json(t.value_date),
            to_json(t.booking_date), coalesce(to_json(t.reverses)::text, 'null'),
            coalesce(to_json(t.trace)::text, 'null'), said_at, t.legs),
        recorded
    FROM unnest(outcomes, ids, kinds, value_dates, booking_dates, reversed, event_ids, traces, legs)
        WITH ORDINALITY
        AS t (outcome, id, kind, value_date, booking_date, reverses, event_id, trace, legs, place)
    WHERE t.outcome = 'posted'
    ORDER BY t.place;
END
$$
--;
-- `post_transfers`, and the events of what it posted: one call a batch, which needs no transaction
-- around it.
CREATE FUNCTION post_and_tell(
    ids uuid[], kinds text[], value_dates date[], booking_dates date[], refs text[],
    reversed uuid[], hashes bytea[], leg_counts smallint[],
    leg_of int[], leg_account text[], leg_amount bigint[], leg_currency text[],
    recorded timestamptz,
    event_ids uuid[], traces text[], form text, leg_form text, topic text, said_at text,
    OUT outcomes text[], OUT codes text[], OUT fault_legs int[],
    OUT leg_balances bigint[], OUT leg_holders text[]
) LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    SELECT p.* INTO outcomes, codes, fault_legs, leg_balances, leg_holders
    FROM post_transfers(ids, kinds, value_dates, booking_dates, refs, reversed, hashes,
        leg_counts, leg_of, leg_account, leg_amount, leg_currency, recorded) AS p;
    PERFORM tell_posted(outcomes, ids, kinds, value_dates, booking_dates, reversed, leg_of,
        leg_account, leg_amount, leg_currency, leg_balances, leg_holders, recorded,
        event_ids, traces, form, leg_form, topic, said_at);
END
$$
