-- A counter's row is added to without a statement, unless something hangs on
-- the table that only a statement heeds.
\set ON_ERROR_STOP on
SELECT limit_type FROM usage_set_limit('widgets_daily', 1000000, usage_type => 'widget', kind => 'counter', period => '1 day', alignment => 'calendar');
CREATE VIEW widgets AS SELECT user_id, slot, amount, tokens_used, events FROM usage_counters WHERE usage_type = 'widget';

-- the second is an update
SELECT allowed FROM usage_consume('ann', 'widget', 2);
SELECT allowed FROM usage_consume('ann', 'widget', 3, tokens_used => 7);
SELECT * FROM widgets;

-- so is what comes after whatever may have moved the row
VACUUM FULL usage_counters;
SELECT current FROM usage_consume('ann', 'widget');
SELECT current FROM usage_consume('ann', 'widget');
DELETE FROM usage_counters WHERE usage_type = 'widget';
SELECT current FROM usage_consume('ann', 'widget');
SELECT current FROM usage_consume('ann', 'widget');
BEGIN;
CREATE TEMP TABLE kept AS SELECT * FROM usage_counters;
TRUNCATE usage_counters;
INSERT INTO usage_counters SELECT * FROM kept ORDER BY user_id DESC;
COMMIT;
SELECT current FROM usage_consume('ann', 'widget');
SELECT current FROM usage_consume('ann', 'widget');
UPDATE usage_counters SET user_id = 'bob' WHERE user_id = 'ann' AND usage_type = 'widget';
SELECT current FROM usage_consume('ann', 'widget');
SELECT current FROM usage_consume('ann', 'widget');
SELECT current FROM usage_consume('bob', 'widget');
SELECT * FROM widgets ORDER BY user_id;

-- another's row may be where it was
VACUUM FULL usage_counters;
SELECT current FROM usage_consume('zed', 'widget');
SELECT current FROM usage_consume('abe', 'widget');
SELECT current FROM usage_consume('zed', 'widget');
SELECT current FROM usage_consume('abe', 'widget');
CLUSTER usage_counters USING usage_counters_pkey;
ALTER TABLE usage_counters SET WITHOUT CLUSTER;
SELECT current FROM usage_consume('abe', 'widget');
SELECT user_id, amount FROM widgets WHERE user_id IN ('abe', 'zed') ORDER BY user_id;
DELETE FROM usage_counters WHERE user_id IN ('abe', 'zed');

-- many versions of it, which do not fit into one page, are found by the index
DO $$ BEGIN FOR i IN 1 .. 500 LOOP PERFORM usage_consume('ann', 'widget'); COMMIT; END LOOP; END $$;
SET enable_seqscan = off;
SELECT amount FROM usage_counters WHERE user_id = 'ann' AND usage_type = 'widget';
RESET enable_seqscan;
SELECT count(*) FROM widgets;

SELECT count(usage_track('full-' || n, 'widget')) FROM generate_series(1, 200) n;
ALTER TABLE usage_counters SET (fillfactor = 100);
VACUUM FULL usage_counters;
SELECT count(*) FROM generate_series(1, 100) n, usage_consume('full-' || n, 'widget') c WHERE c.current = 2;
ALTER TABLE usage_counters SET (fillfactor = 70);
SET enable_seqscan = off;
SELECT count(*) FROM generate_series(1, 100) n, usage_counters c WHERE c.user_id = 'full-' || n AND c.usage_type = 'widget' AND c.amount = 2;
RESET enable_seqscan;
DELETE FROM usage_counters WHERE user_id LIKE 'full-%';

-- a trigger of the administrator's fires
CREATE FUNCTION regress_counter_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE NOTICE '% % %', TG_WHEN, TG_OP, coalesce(NEW.amount::text, 'statement');
	RETURN NEW;
END $$;
CREATE TRIGGER note_before BEFORE UPDATE ON usage_counters FOR EACH ROW EXECUTE FUNCTION regress_counter_note();
SELECT allowed FROM usage_consume('ann', 'widget');
DROP TRIGGER note_before ON usage_counters;
CREATE TRIGGER note_after AFTER UPDATE ON usage_counters FOR EACH STATEMENT EXECUTE FUNCTION regress_counter_note();
SELECT allowed FROM usage_consume('ann', 'widget');
DROP TRIGGER note_after ON usage_counters;
-- one on INSERT is fired by an INSERT ... ON CONFLICT, whatever that does
SELECT allowed FROM usage_consume('eve', 'widget');
CREATE TRIGGER note_insert BEFORE INSERT ON usage_counters FOR EACH ROW EXECUTE FUNCTION regress_counter_note();
SELECT allowed FROM usage_consume('eve', 'widget');
DROP TRIGGER note_insert ON usage_counters;
DROP FUNCTION regress_counter_note();

-- a constraint and an index of his hold
ALTER TABLE usage_counters ADD CONSTRAINT few CHECK (usage_type <> 'widget' OR amount < 505);
\set ON_ERROR_STOP off
\set VERBOSITY sqlstate
SELECT allowed FROM usage_consume('ann', 'widget', 10);
\set VERBOSITY default
\set ON_ERROR_STOP on
ALTER TABLE usage_counters DROP CONSTRAINT few;
CREATE INDEX regress_amount ON usage_counters (amount) WHERE usage_type = 'widget';
SELECT allowed FROM usage_consume('ann', 'widget', 10);
SET enable_seqscan = off;
SELECT user_id, amount FROM usage_counters WHERE usage_type = 'widget' AND amount > 500;
RESET enable_seqscan;
DROP INDEX regress_amount;

-- a sum that would overflow is an error, and nothing is lost
UPDATE usage_counters SET tokens_used = 9223372036854775800 WHERE user_id = 'ann' AND usage_type = 'widget';
\set ON_ERROR_STOP off
\set VERBOSITY sqlstate
SELECT allowed FROM usage_consume('ann', 'widget', tokens_used => 100);
\set VERBOSITY default
\set ON_ERROR_STOP on
SELECT amount, tokens_used FROM widgets WHERE user_id = 'ann';

-- savepoints, and two calls in one transaction, are one change of the row
UPDATE usage_counters SET tokens_used = 0 WHERE user_id = 'ann' AND usage_type = 'widget';
BEGIN;
SELECT current FROM usage_consume('ann', 'widget', 2);
SAVEPOINT a;
SELECT current FROM usage_consume('ann', 'widget', 4);
ROLLBACK TO a;
SELECT current FROM usage_consume('ann', 'widget', 8);
COMMIT;
SELECT amount FROM widgets WHERE user_id = 'ann';

DROP VIEW widgets;
DROP TABLE kept;
DELETE FROM usage_counters WHERE usage_type = 'widget';
DELETE FROM usage_events WHERE event_type = 'widget';
DELETE FROM usage_limits_config WHERE limit_type = 'widgets_daily';
