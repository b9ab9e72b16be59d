-- The accepted transfers of a batch, as a set: all or none. Arrays run parallel; `leg_of` is the
-- place of a leg's transfer in `ids`, and legs come in that order. Answers the place of the first
-- transfer that would take an account below its floor, and then nothing was written; or 0 and the
-- balance after each leg.
CREATE FUNCTION post_set(
    ids uuid[], kinds text[], value_dates date[], booking_dates date[], refs text[],
    reversed uuid[], hashes bytea[], leg_counts smallint[],
    leg_of int[], leg_account text[], leg_amount bigint[], leg_currency text[],
    recorded timestamptz,
    OUT violator int, OUT leg_balances bigint[], OUT leg_holders text[]
) LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    entry_nos bigint[];
BEGIN
    -- The order of the batch is the order of posting: a running sum by account over the legs.
    WITH leg AS (
        SELECT l.*,
            sum(l.amount) OVER account_so_far AS moved,
            row_number() OVER account_so_far AS nth,
            sum(l.amount) OVER transfer_account AS net,
            max(l.pos) OVER transfer_account AS last_pos
        FROM unnest(leg_of, leg_account, leg_amount) WITH ORDINALITY
            AS l (of_transfer, account_id, amount, pos)
        WINDOW account_so_far AS (PARTITION BY l.account_id ORDER BY l.pos),
            transfer_account AS (PARTITION BY l.account_id, l.of_transfer)
    )
    SELECT
        coalesce(min(leg.of_transfer) FILTER (
            WHERE leg.net < 0 AND leg.pos = leg.last_pos AND a.floor_minor IS NOT NULL
                AND b.posted_minor + leg.moved - b.held_minor < a.floor_minor
        ), 0),
        array_agg(b.posted_minor + leg.moved ORDER BY leg.pos),
        array_agg(b.entries + leg.nth ORDER BY leg.pos),
        array_agg(a.holder_id ORDER BY leg.pos)
    INTO violator, leg_balances, entry_nos, leg_holders
    FROM leg JOIN balances AS b USING (account_id) JOIN accounts AS a USING (account_id);
    IF violator > 0 THEN
        RETURN;
    END IF;

    INSERT INTO transfers (transfer_id, kind, value_date, booking_date, recorded_at, reference,
        reverses, leg_count, body_hash)
    SELECT t.id, t.kind, t.value_date, t.booking_date, recorded, t.ref, t.reverses, t.legs, t.hash
    FROM unnest(ids, kinds, value_dates, booking_dates, refs, reversed, leg_counts, hashes)
        AS t (id, kind, value_date, booking_date, ref, reverses, legs, hash);

    INSERT INTO postings (account_id, entry_no, transfer_id, leg_no, amount_minor, currency,
        balance_minor, value_date, booking_date)
    SELECT l.account_id, l.entry_no, ids[l.of_transfer],
        row_number() OVER (PARTITION BY l.of_transfer ORDER BY l.pos),
        l.amount, l.currency, l.balance, value_dates[l.of_transfer], booking_dates[l.of_transfer]
    FROM unnest(leg_of, leg_account, leg_amount, leg_currency, entry_nos, leg_balances)
        WITH ORDINALITY
        AS l (of_transfer, account_id, amount, currency, entry_no, balance, pos);

    UPDATE balances AS b
    SET posted_minor = b.posted_minor + s.net, entries = b.entries + s.entries
    FROM (
        SELECT account_id, sum(amount)::bigint AS net, count(*) AS entries
        FROM unnest(leg_account, leg_amount) AS l (account_id, amount) GROUP BY account_id
    ) AS s
    WHERE b.account_id = s.account_id;
END
$$
--;
-- Posts a batch in order; each transfer stands for itself. Answers, parallel to `ids`, the
-- outcome (`posted`, `duplicate`, `conflict`, `refused`), the refusal's code and the place of the
-- leg at fault; and, parallel to the legs, balances and holders where posted.
CREATE FUNCTION post_transfers(
    ids uuid[], kinds text[], value_dates date[], booking_dates date[], refs text[],
    reversed uuid[], hashes bytea[], leg_counts smallint[],
    leg_of int[], leg_account text[], leg_amount bigint[], leg_currency text[],
    recorded timestamptz,
    OUT outcomes text[], OUT codes text[], OUT fault_legs int[],
    OUT leg_balances bigint[], OUT leg_holders text[]
) LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    size int := cardinality(ids);
    done record;
    part record;
    i int;
    lo int;
    hi int;
BEGIN
    -- In one order, so that two batches never wait for each other in a ring.
    PERFORM FROM balances WHERE account_id = ANY (leg_account) ORDER BY account_id FOR UPDATE;

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
