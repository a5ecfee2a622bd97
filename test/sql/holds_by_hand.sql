-- That nothing is held of a key is known without looking, until something is,
-- whoever puts it there.
\set ON_ERROR_STOP on
SELECT limit_type FROM usage_set_limit('robots_total', 10, usage_type => 'robot', kind => 'counter', alignment => 'none');
CREATE FUNCTION regress_hold(user_id text, amount bigint, account_id text DEFAULT NULL) RETURNS void LANGUAGE sql AS
$$ INSERT INTO usage_holds (hold_id, user_id, usage_type, amount, bucket_start, expires_at, account_id, account_bucket_start)
	VALUES ('by-hand-' || user_id, user_id, 'robot', amount, usage_now(), usage_now() + interval '1 hour', account_id, usage_now()) $$;
VACUUM FULL usage_holds;
DELETE FROM usage_holds;
VACUUM FULL usage_holds;
SELECT pg_relation_size('usage_holds');

SELECT current FROM usage_consume('ann', 'robot');
SELECT current FROM usage_consume('ann', 'robot');
SELECT current FROM usage_check('bob', 'robot');
SELECT current FROM usage_check('bob', 'robot');
SELECT current FROM usage_check('boss', 'robot');

-- a hold that the functions take
SELECT current FROM usage_hold('ann', 'robot', 5, hold_id => 'robot-1');
SELECT allowed, current FROM usage_consume('ann', 'robot', 4);
SELECT current FROM usage_check('ann', 'robot', 0);
SELECT usage_release('robot-1');
SELECT allowed, current FROM usage_consume('ann', 'robot', 4);

-- holds that are gone leave nothing to be looked at
DELETE FROM usage_holds;
VACUUM FULL usage_holds;
SELECT current FROM usage_consume('ann', 'robot');
SELECT current FROM usage_check('bob', 'robot');
SELECT current FROM usage_check('boss', 'robot');

-- one that is put there by hand counts, for the account too
SELECT regress_hold('bob', 8, 'boss');
SELECT current FROM usage_check('bob', 'robot', 0);
SELECT allowed FROM usage_consume('bob', 'robot', 3);
SELECT current FROM usage_check('boss', 'robot', 0);
UPDATE usage_holds SET user_id = 'ann' WHERE user_id = 'bob';
SELECT current FROM usage_check('ann', 'robot', 0);
UPDATE usage_holds SET user_id = 'bob', account_id = NULL WHERE user_id = 'ann';

-- who has emptied the table, and takes that back, has told nobody
BEGIN;
TRUNCATE usage_holds;
SELECT current FROM usage_check('bob', 'robot', 0);
SELECT current FROM usage_consume('bob', 'robot');
ROLLBACK;
SELECT current FROM usage_check('bob', 'robot', 0);
SELECT allowed FROM usage_consume('bob', 'robot', 3);
TRUNCATE usage_holds;
SELECT current FROM usage_consume('bob', 'robot');

-- what comes while the trigger is off is seen as well, and when it is on again
ALTER TABLE usage_holds DISABLE TRIGGER counted;
SELECT current FROM usage_check('bob', 'robot', 0);
SELECT current FROM usage_check('bob', 'robot', 0);
SELECT regress_hold('bob', 4);
SELECT current FROM usage_check('bob', 'robot', 0);
ALTER TABLE usage_holds ENABLE ALWAYS TRIGGER counted;
SELECT current FROM usage_check('bob', 'robot', 0);
SELECT allowed FROM usage_consume('bob', 'robot', 6);

-- so it does under a relaxed limit
SELECT limit_type FROM usage_set_limit('robots_total', 10, usage_type => 'robot', kind => 'counter', alignment => 'none', durability => 'relaxed');
SELECT current FROM usage_consume('cat', 'robot');
SELECT current FROM usage_consume('cat', 'robot');
SELECT regress_hold('cat', 8);
SELECT allowed FROM usage_consume('cat', 'robot');

DROP FUNCTION regress_hold(text, bigint, text);
DELETE FROM usage_limits_config WHERE limit_type = 'robots_total';
SELECT count(*) >= 0 AS maintained FROM usage_maintain();
DELETE FROM usage_holds;
DELETE FROM usage_counters WHERE usage_type = 'robot';
DELETE FROM usage_events WHERE event_type = 'robot';
