-- What nobody may store, whichever program writes: an unbalanced transfer, a transfer without
-- its legs, a leg in another currency than its account's, a change of what was posted.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% are never changed: reverse the transfer instead', TG_TABLE_NAME
        USING ERRCODE = 'TB002';
END
$$
--;
CREATE TRIGGER transfers_are_final BEFORE UPDATE OR DELETE ON transfers
    FOR EACH ROW EXECUTE FUNCTION refuse_change()
--;
CREATE TRIGGER postings_are_final BEFORE UPDATE OR DELETE ON postings
    FOR EACH ROW EXECUTE FUNCTION refuse_change()
--;
CREATE TRIGGER transfers_stay BEFORE TRUNCATE ON transfers
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
--;
CREATE TRIGGER postings_stay BEFORE TRUNCATE ON postings
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
--;
-- All legs of a transfer come in one statement: as many as the transfer says, numbered from 1,
-- each in its account's currency, zero in sum by currency. Later ones find their numbers taken.
CREATE FUNCTION check_new_postings() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong text;
BEGIN
    SELECT format('transfer %s does not balance in %s', transfer_id, currency) INTO wrong
        FROM added GROUP BY transfer_id, currency HAVING sum(amount_minor) <> 0 LIMIT 1;
    IF wrong IS NULL THEN
        SELECT format('transfer %s has %s legs here, not its own number', n.transfer_id, n.legs)
            INTO wrong
            FROM (
                SELECT transfer_id, count(*) AS legs, min(leg_no) AS lowest, max(leg_no) AS highest
                FROM added GROUP BY transfer_id
            ) AS n
            LEFT JOIN transfers AS t USING (transfer_id)
            WHERE t.leg_count IS DISTINCT FROM n.legs OR n.lowest <> 1 OR n.highest <> n.legs
            LIMIT 1;
    END IF;
    IF wrong IS NULL THEN
        SELECT format('account %s keeps no %s', p.account_id, p.currency) INTO wrong
            FROM added AS p LEFT JOIN accounts AS a USING (account_id)
            WHERE a.currency IS DISTINCT FROM p.currency LIMIT 1;
    END IF;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION '%', wrong USING ERRCODE = 'TB003';
    END IF;
    RETURN NULL;
END
$$
--;
CREATE TRIGGER postings_balance AFTER INSERT ON postings
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION check_new_postings()
--;
CREATE FUNCTION check_transfer_has_legs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM postings WHERE transfer_id = NEW.transfer_id) THEN
        RAISE EXCEPTION 'transfer % has no legs', NEW.transfer_id USING ERRCODE = 'TB003';
    END IF;
    RETURN NULL;
END
$$
--;
CREATE CONSTRAINT TRIGGER transfers_have_legs AFTER INSERT ON transfers
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_transfer_has_legs()
