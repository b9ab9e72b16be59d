-- Places a batch of holds in order, each for itself. Arrays run parallel; no id may stand in them
-- twice. Answers a row for each: `placed`; `known` where the same hold is there already; or
-- `hold_exists`, `account_not_found`, `destination_not_found`, `currency_mismatch` with the
-- currency that the account is kept in, `account_frozen`, `insufficient_funds`.
CREATE FUNCTION place_holds(
    hold_ids uuid[], account_ids text[], destination_ids text[], amounts bigint[],
    currencies text[], expiries timestamptz[], hashes bytea[], recorded timestamptz
) RETURNS TABLE (
    outcome text, kept_in text, state text, expires_at timestamptz, transfer_id uuid
) LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    item record;
    known record;
    stored int;
BEGIN
    PERFORM lock_balances(account_ids);
    FOR item IN
        SELECT w.*, a.currency AS of_account, d.currency AS of_destination, a.frozen, a.floor_minor
        FROM unnest(hold_ids, account_ids, destination_ids, amounts, currencies, expiries, hashes)
            WITH ORDINALITY
            AS w (id, account_id, destination_id, amount, currency, until, hash, place)
        LEFT JOIN accounts AS a ON a.account_id = w.account_id
        LEFT JOIN accounts AS d ON d.account_id = w.destination_id
        ORDER BY w.place
    LOOP
        kept_in := NULL;
        state := 'placed';
        expires_at := item.until;
        transfer_id := NULL;
        SELECT h.* INTO known FROM holds AS h WHERE h.hold_id = item.id;
        IF NOT FOUND THEN
            outcome := CASE
                WHEN item.of_account IS NULL THEN 'account_not_found'
                WHEN item.of_destination IS NULL THEN 'destination_not_found'
                WHEN item.of_account <> item.currency OR item.of_destination <> item.currency
                    THEN 'currency_mismatch'
                WHEN item.frozen THEN 'account_frozen'
                WHEN EXISTS (
                    SELECT FROM balances AS b WHERE b.account_id = item.account_id
                        AND b.posted_minor - b.held_minor - item.amount < item.floor_minor
                ) THEN 'insufficient_funds'
            END;
            IF outcome = 'currency_mismatch' THEN
                kept_in := CASE WHEN item.of_account <> item.currency THEN item.of_account
                    ELSE item.of_destination END;
            END IF;
            IF outcome IS NOT NULL THEN
                RETURN NEXT;
                CONTINUE;
            END IF;
            INSERT INTO holds (hold_id, account_id, destination_id, amount_minor, currency, state,
                expires_at, body_hash, recorded_at)
            VALUES (item.id, item.account_id, item.destination_id, item.amount, item.currency,
                'placed', item.until, item.hash, recorded)
            ON CONFLICT DO NOTHING;
            GET DIAGNOSTICS stored = ROW_COUNT;
            IF stored = 1 THEN
                UPDATE balances AS b SET held_minor = b.held_minor + item.amount
                    WHERE b.account_id = item.account_id;
                outcome := 'placed';
                RETURN NEXT;
                CONTINUE;
            END IF;
            -- Another batch has just stored it, over another account than this one's.
            SELECT h.* INTO known FROM holds AS h WHERE h.hold_id = item.id;
        END IF;
        outcome := CASE WHEN known.body_hash = item.hash THEN 'known' ELSE 'hold_exists' END;
        state := known.state;
        expires_at := known.expires_at;
        transfer_id := known.transfer_id;
        RETURN NEXT;
    END LOOP;
END
$$
--;
-- Captures a batch of holds in order, each for itself, and tells of the transfers. Arrays run
-- parallel; no hold and no transfer may stand in them twice. `amounts` is NULL for the whole hold;
-- the last arguments are those of `tell_posted`. Answers a row for each: the hold as it is now and
-- `captured` (now or before, by the same transfer), or `hold_not_found`, `hold_not_open`,
-- `hold_exceeded`, `conflict` (the transfer's id is taken) or a refusal of `post_transfers` with
-- the leg at fault.
CREATE FUNCTION capture_holds(
    hold_ids uuid[], amounts bigint[], ids uuid[], kinds text[], refs text[], hashes bytea[],
    booked_on date, recorded timestamptz,
    event_ids uuid[], traces text[], form text, leg_form text, topic text, said_at text
) RETURNS TABLE (
    outcome text, fault_leg int, hold_id uuid, account_id text, destination_id text,
    amount_minor bigint, currency text, state text, expires_at timestamptz, transfer_id uuid,
    body_hash bytea
) LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    outcomes text[];
    faults int[] := array_fill(NULL::int, ARRAY[cardinality(hold_ids)]);
    due record;
    leg record;
    done record;
    k int;
BEGIN
    -- Holds before balances, each in one order, as whatever ends a hold does.
    PERFORM FROM (SELECT DISTINCT unnest(hold_ids) AS hold_id) AS named
        JOIN holds AS h USING (hold_id) ORDER BY h.hold_id FOR UPDATE OF h;
    PERFORM lock_balances(ARRAY(
        SELECT side.account_id FROM unnest(hold_ids) AS w (id) JOIN holds AS h ON h.hold_id = w.id
        CROSS JOIN LATERAL (VALUES (h.account_id), (h.destination_id)) AS side (account_id)
    ));

    -- What becomes of each, and of those that are open all that posting needs.
    SELECT array_agg(w.found) AS outcomes,
        coalesce(bool_or(w.is_short) FILTER (WHERE w.found IS NULL), false) AS is_short,
        count(*) FILTER (WHERE w.found IS NULL)::int AS size,
        array_agg(w.place) FILTER (WHERE w.found IS NULL) AS places,
        array_agg(w.hold_id) FILTER (WHERE w.found IS NULL) AS hold_ids,
        array_agg(w.account_id) FILTER (WHERE w.found IS NULL) AS account_ids,
        array_agg(w.destination_id) FILTER (WHERE w.found IS NULL) AS destination_ids,
        array_agg(coalesce(w.amount, w.held)) FILTER (WHERE w.found IS NULL) AS moved,
        array_agg(w.currency) FILTER (WHERE w.found IS NULL) AS currencies,
        array_agg(w.id) FILTER (WHERE w.found IS NULL) AS ids,
        array_agg(w.kind) FILTER (WHERE w.found IS NULL) AS kinds,
        array_agg(w.ref) FILTER (WHERE w.found IS NULL) AS refs,
        array_agg(w.hash) FILTER (WHERE w.found IS NULL) AS hashes,
        array_agg(w.event_id) FILTER (WHERE w.found IS NULL) AS event_ids,
        array_agg(w.trace) FILTER (WHERE w.found IS NULL) AS traces
    INTO due
    FROM (
        SELECT u.*, h.account_id, h.destination_id, h.amount_minor AS held, h.currency,
            b.posted_minor - b.held_minor < a.floor_minor AS is_short,
            CASE WHEN h.hold_id IS NULL THEN 'hold_not_found'
                WHEN h.state = 'captured' AND h.transfer_id = u.id THEN 'captured'
                WHEN h.state <> 'placed' OR h.expires_at <= recorded THEN 'hold_not_open'
                WHEN u.amount > h.amount_minor THEN 'hold_exceeded'
            END AS found
        FROM unnest(hold_ids, amounts, ids, kinds, refs, hashes, event_ids, traces)
            WITH ORDINALITY AS u (hold_id, amount, id, kind, ref, hash, event_id, trace, place)
        LEFT JOIN holds AS h ON h.hold_id = u.hold_id
        LEFT JOIN balances AS b ON b.account_id = h.account_id
        LEFT JOIN accounts AS a ON a.account_id = h.account_id
        ORDER BY u.place
    ) AS w;
    outcomes := due.outcomes;
    -- Where holds are covered, each capture leaves its account as available as it was, or more, so
    -- their order does not count. Where a raised floor left an account short, it does.
    IF due.is_short AND cardinality(hold_ids) > 1 THEN
        FOR i IN 1..cardinality(hold_ids) LOOP
            RETURN QUERY SELECT * FROM capture_holds(hold_ids[i:i], amounts[i:i], ids[i:i],
                kinds[i:i], refs[i:i], hashes[i:i], booked_on, recorded,
                event_ids[i:i], traces[i:i], form, leg_form, topic, said_at);
        END LOOP;
        RETURN;
    END IF;

    -- Open ones are freed whole and posted; what posting refuses is reserved again.
    IF due.size > 0 THEN
        WITH ended AS (
            UPDATE holds AS h SET state = 'captured', transfer_id = w.id
            FROM unnest(due.hold_ids, due.ids) AS w (hold_id, id) WHERE h.hold_id = w.hold_id
            RETURNING h.account_id, h.amount_minor
        )
        UPDATE balances AS b SET held_minor = b.held_minor - s.freed
        FROM (
            SELECT e.account_id, sum(e.amount_minor)::bigint AS freed
            FROM ended AS e GROUP BY e.account_id
        ) AS s
        WHERE b.account_id = s.account_id;
        SELECT array_agg(w.nth::int ORDER BY w.nth, l.no) AS of_transfer,
            array_agg(l.account_id ORDER BY w.nth, l.no) AS account_ids,
            array_agg(l.amount ORDER BY w.nth, l.no) AS amounts,
            array_agg(w.currency ORDER BY w.nth, l.no) AS currencies
        INTO leg
        FROM unnest(due.account_ids, due.destination_ids, due.moved, due.currencies)
            WITH ORDINALITY AS w (account_id, destination_id, amount, currency, nth)
        CROSS JOIN LATERAL (VALUES (1, w.account_id, -w.amount), (2, w.destination_id, w.amount))
            AS l (no, account_id, amount);
        done := post_and_tell(due.ids, due.kinds, array_fill(booked_on, ARRAY[due.size]),
            array_fill(booked_on, ARRAY[due.size]), due.refs,
            array_fill(NULL::uuid, ARRAY[due.size]), due.hashes,
            array_fill(2::smallint, ARRAY[due.size]), leg.of_transfer, leg.account_ids,
            leg.amounts, leg.currencies, recorded,
            due.event_ids, due.traces, form, leg_form, topic, said_at);
        FOR i IN 1..due.size LOOP
            k := due.places[i];
            outcomes[k] := CASE WHEN done.outcomes[i] IN ('posted', 'duplicate') THEN 'captured'
                ELSE coalesce(done.codes[i], done.outcomes[i]) END;
            faults[k] := done.fault_legs[i] - 2 * (i - 1);
        END LOOP;
        IF 'refused' = ANY (done.outcomes) OR 'conflict' = ANY (done.outcomes) THEN
            WITH reopened AS (
                UPDATE holds AS h SET state = 'placed', transfer_id = NULL
                FROM unnest(due.hold_ids, done.outcomes) AS w (hold_id, outcome)
                WHERE h.hold_id = w.hold_id AND w.outcome IN ('refused', 'conflict')
                RETURNING h.account_id, h.amount_minor
            )
            UPDATE balances AS b SET held_minor = b.held_minor + s.reserved
            FROM (
                SELECT r.account_id, sum(r.amount_minor)::bigint AS reserved
                FROM reopened AS r GROUP BY r.account_id
            ) AS s
            WHERE b.account_id = s.account_id;
        END IF;
    END IF;
    RETURN QUERY
        SELECT w.outcome, w.fault, h.hold_id, h.account_id, h.destination_id, h.amount_minor,
            h.currency, h.state, h.expires_at, h.transfer_id, h.body_hash
        FROM unnest(outcomes, faults, hold_ids) WITH ORDINALITY AS w (outcome, fault, id, place)
        LEFT JOIN holds AS h ON h.hold_id = w.id ORDER BY w.place;
END
$$
--;
-- Frees what a placed hold reserves; another one stays as it is. Answers the hold as it is now.
CREATE FUNCTION release_hold(wanted uuid) RETURNS SETOF holds LANGUAGE plpgsql AS $$
DECLARE
    freed holds;
BEGIN
    UPDATE holds SET state = 'released' WHERE hold_id = wanted AND state = 'placed'
        RETURNING * INTO freed;
    IF FOUND THEN
        UPDATE balances SET held_minor = held_minor - freed.amount_minor
            WHERE account_id = freed.account_id;
    END IF;
    RETURN QUERY SELECT * FROM holds WHERE hold_id = wanted;
END
$$
--;
-- Lets a hold that is still placed last until then. Answers the hold as it is now.
CREATE FUNCTION extend_hold(wanted uuid, until timestamptz, recorded timestamptz)
RETURNS SETOF holds LANGUAGE plpgsql AS $$
BEGIN
    UPDATE holds SET expires_at = until
        WHERE hold_id = wanted AND state = 'placed' AND expires_at > recorded;
    RETURN QUERY SELECT * FROM holds WHERE hold_id = wanted;
END
$$
