-- Usage is part of the transaction: what rolls back was never used.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2031-05-14 10:00:00+00';
\set SHOW_CONTEXT never

SELECT limit_type, usage_type, free_tier_limit FROM usage_set_limit('tx_daily', 10);

-- For a user: what is committed, what the transaction itself sees, the event rows.
CREATE FUNCTION pg_temp.usage_of(who text, OUT committed bigint, OUT own bigint, OUT events bigint) LANGUAGE sql AS $$
	SELECT coalesce((SELECT sum(count) FROM user_usage WHERE user_id = who), 0)::bigint,
		(SELECT current FROM usage_check_limit(who, 'tx_daily')),
		(SELECT count(*) FROM usage_events WHERE user_id = who)
$$;

-- A transaction sees its own usage at once; the view shows it once it is committed.
BEGIN;
SELECT allowed, current, remaining FROM usage_consume('tx-1', 'tx', 4);
SELECT usage_track('tx-1', 'tx', 2) > 0 AS tracked;
SELECT * FROM pg_temp.usage_of('tx-1');
COMMIT;
SELECT * FROM pg_temp.usage_of('tx-1');
SELECT slot, amount, events FROM usage_counters WHERE user_id = 'tx-1';

-- A transaction that rolls back, or fails, gives all back.
BEGIN;
SELECT allowed, current, remaining FROM usage_consume('tx-1', 'tx', 4);
SELECT allowed, reason, current, remaining FROM usage_consume('tx-1', 'tx', 1);
ROLLBACK;
SELECT * FROM pg_temp.usage_of('tx-1');
BEGIN;
SELECT allowed, current, remaining FROM usage_consume('tx-1', 'tx', 4);
SELECT current FROM usage_enforce('tx-1', 'tx', 1);
COMMIT;
SELECT * FROM pg_temp.usage_of('tx-1');

-- Savepoints: what is rolled back to is given back, what is released belongs to the level above.
BEGIN;
SELECT current FROM usage_consume('tx-2', 'tx', 1);
SAVEPOINT a;
SELECT current FROM usage_consume('tx-2', 'tx', 2);
SAVEPOINT b;
SELECT current FROM usage_consume('tx-2', 'tx', 7);
SELECT allowed, reason, current FROM usage_consume('tx-2', 'tx', 1);
ROLLBACK TO b;
SELECT * FROM pg_temp.usage_of('tx-2');
SELECT current FROM usage_consume('tx-2', 'tx', 3);
RELEASE b;
SELECT * FROM pg_temp.usage_of('tx-2');
ROLLBACK TO a;
SELECT * FROM pg_temp.usage_of('tx-2');
SAVEPOINT c;
SAVEPOINT d;
SELECT current FROM usage_consume('tx-2', 'tx', 5);
RELEASE d;
RELEASE c;
-- the same savepoint twice
SAVEPOINT e;
SELECT current FROM usage_consume('tx-2', 'tx', 1);
ROLLBACK TO e;
SELECT current FROM usage_consume('tx-2', 'tx', 2);
ROLLBACK TO e;
SELECT current FROM usage_consume('tx-2', 'tx', 3);
COMMIT;
SELECT * FROM pg_temp.usage_of('tx-2');
SELECT array_agg(amount ORDER BY id) FROM usage_events WHERE user_id = 'tx-2';

-- An error is caught by a savepoint, and what was used before it stays.
BEGIN;
SELECT current FROM usage_consume('tx-3', 'tx', 8);
SAVEPOINT s;
SELECT current FROM usage_enforce('tx-3', 'tx', 3);
ROLLBACK TO s;
SELECT current FROM usage_enforce('tx-3', 'tx', 2);
COMMIT;
SELECT * FROM pg_temp.usage_of('tx-3');

-- Blocks of PL/pgSQL that catch errors, one in the other.
DO $$
DECLARE
	now_used bigint;
BEGIN
	PERFORM usage_enforce('tx-4', 'tx', 1);
	BEGIN
		PERFORM usage_enforce('tx-4', 'tx', 2);
		BEGIN
			PERFORM usage_enforce('tx-4', 'tx', 7);
			PERFORM usage_enforce('tx-4', 'tx', 1);
		EXCEPTION WHEN SQLSTATE 'PT429' THEN
			SELECT current INTO now_used FROM usage_check_limit('tx-4', 'tx_daily');
			RAISE NOTICE 'inner: %, used %', SQLERRM, now_used;
		END;
		PERFORM usage_enforce('tx-4', 'tx', 6);
		PERFORM 1 / 0;
	EXCEPTION WHEN division_by_zero THEN
		SELECT current INTO now_used FROM usage_check_limit('tx-4', 'tx_daily');
		RAISE NOTICE 'outer: %, used %', SQLERRM, now_used;
	END;
	PERFORM usage_enforce('tx-4', 'tx', 3);
END $$;
SELECT * FROM pg_temp.usage_of('tx-4');

-- As many blocks as you like, each with something taken and given back.
DO $$
BEGIN
	FOR i IN 1..200 LOOP
		BEGIN
			PERFORM usage_enforce('tx-5', 'tx', 10 - (i - 1) / 20);
			RAISE EXCEPTION 'no';
		EXCEPTION WHEN raise_exception THEN
			NULL;
		END;
		IF i % 20 = 0 THEN
			PERFORM usage_enforce('tx-5', 'tx', 1);
		END IF;
	END LOOP;
END $$;
SELECT * FROM pg_temp.usage_of('tx-5');

-- An idempotency key is forgotten with the request that it came with.
BEGIN;
SAVEPOINT s;
SELECT allowed, current FROM usage_consume('tx-6', 'tx', 10, idempotency_key => 'k');
ROLLBACK TO s;
SELECT allowed, current FROM usage_consume('tx-6', 'tx', 3, idempotency_key => 'k');
SELECT allowed, current FROM usage_consume('tx-6', 'tx', 3, idempotency_key => 'k');
COMMIT;
SELECT allowed, current FROM usage_consume('tx-6', 'tx', 3, idempotency_key => 'k');
SELECT * FROM pg_temp.usage_of('tx-6');

-- What is used is given back by hand within the transaction too; a rolled-back refund is none.
BEGIN;
SELECT event_id, current FROM usage_consume('tx-7', 'tx', 10) \gset
SELECT current FROM usage_refund(:event_id, 4);
SELECT current FROM usage_consume('tx-7', 'tx', 4);
SAVEPOINT s;
SELECT current FROM usage_refund(:event_id, 6);
ROLLBACK TO s;
SELECT current FROM usage_refund(:event_id, 1);
SELECT current FROM usage_adjust('tx-7', 'tx', -9);
COMMIT;
SELECT * FROM pg_temp.usage_of('tx-7');
-- five are left; the message names the event
\set VERBOSITY sqlstate
SELECT current FROM usage_refund(:event_id, 6);
\set VERBOSITY default

-- So is a reset.
BEGIN;
SELECT current FROM usage_consume('tx-8', 'tx', 10);
COMMIT;
SET usage_limits.test_clock = '2031-05-14 10:00:01+00';
BEGIN;
SAVEPOINT s;
SELECT count(*) FROM usage_reset('tx-8', 'tx');
SELECT allowed, current FROM usage_consume('tx-8', 'tx', 9);
ROLLBACK TO s;
SELECT allowed, current FROM usage_consume('tx-8', 'tx', 9);
COMMIT;
SELECT * FROM pg_temp.usage_of('tx-8');

-- A deferred constraint trigger that consumes does so when the transaction commits.
CREATE TABLE tx_jobs (owner text, units bigint);
CREATE FUNCTION tx_enforce() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM usage_enforce(new.owner, 'tx', new.units);
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER enforce AFTER INSERT ON tx_jobs
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tx_enforce();
BEGIN;
SELECT current FROM usage_consume('tx-9', 'tx', 1);
INSERT INTO tx_jobs VALUES ('tx-9', 4), ('tx-9', 5);
SELECT * FROM pg_temp.usage_of('tx-9');
COMMIT;
SELECT * FROM pg_temp.usage_of('tx-9');
-- one that is denied takes the transaction with it
BEGIN;
SELECT current FROM usage_consume('tx-10', 'tx', 1);
INSERT INTO tx_jobs VALUES ('tx-10', 4), ('tx-10', 6);
COMMIT;
SELECT * FROM pg_temp.usage_of('tx-10');
SELECT * FROM tx_jobs WHERE owner = 'tx-10';
-- in the middle of a transaction, where it is asked for
BEGIN;
INSERT INTO tx_jobs VALUES ('tx-10', 10);
SAVEPOINT s;
SET CONSTRAINTS ALL IMMEDIATE;
SELECT * FROM pg_temp.usage_of('tx-10');
INSERT INTO tx_jobs VALUES ('tx-10', 1);
ROLLBACK TO s;
SELECT * FROM pg_temp.usage_of('tx-10');
COMMIT;
SELECT * FROM pg_temp.usage_of('tx-10');
DROP TABLE tx_jobs;
DROP FUNCTION tx_enforce();

-- Procedures that end transactions.
CREATE PROCEDURE pg_temp.work(who text) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1..6 LOOP
		PERFORM usage_enforce(who, 'tx', 2);
		IF i % 2 = 0 THEN
			ROLLBACK;
		ELSE
			COMMIT;
		END IF;
	END LOOP;
	PERFORM usage_enforce(who, 'tx', 3);
	COMMIT AND CHAIN;
	PERFORM usage_enforce(who, 'tx', 1);
END $$;
CALL pg_temp.work('tx-11');
SELECT * FROM pg_temp.usage_of('tx-11');
SELECT array_agg(amount ORDER BY id) FROM usage_events WHERE user_id = 'tx-11';

-- A cursor WITH HOLD runs its query to the end when the transaction commits.
BEGIN;
DECLARE held CURSOR WITH HOLD FOR
	SELECT n, d.allowed, d.current FROM generate_series(1, 4) n, LATERAL usage_consume('tx-12', 'tx', 3 + 0 * n) d;
FETCH 1 FROM held;
SELECT * FROM pg_temp.usage_of('tx-12');
COMMIT;
SELECT * FROM pg_temp.usage_of('tx-12');
FETCH ALL FROM held;
CLOSE held;
-- and not at all when it rolls back
BEGIN;
DECLARE held CURSOR WITH HOLD FOR SELECT current FROM usage_consume('tx-13', 'tx', 3);
FETCH 1 FROM held;
ROLLBACK;
SELECT * FROM pg_temp.usage_of('tx-13');

-- A transaction that becomes read only keeps what it used before, and uses nothing more.
BEGIN;
SELECT current FROM usage_consume('tx-14', 'tx', 3);
SET TRANSACTION READ ONLY;
SELECT allowed, current FROM usage_check('tx-14', 'tx', 7);
SAVEPOINT s;
SELECT current FROM usage_consume('tx-14', 'tx', 3);
ROLLBACK TO s;
SELECT usage_track('tx-14', 'tx', 3);
ROLLBACK TO s;
COMMIT;
SELECT * FROM pg_temp.usage_of('tx-14');
-- a subtransaction that was read only
BEGIN;
SAVEPOINT s;
SET TRANSACTION READ ONLY;
SELECT allowed, current FROM usage_check('tx-14', 'tx', 7);
ROLLBACK TO s;
SELECT current FROM usage_consume('tx-14', 'tx', 4);
COMMIT;
SELECT * FROM pg_temp.usage_of('tx-14');

-- A transaction's own changes of limits, tiers and overrides count for it at once, and are gone when rolled back.
SELECT current FROM usage_consume('tx-15', 'tx', 10);
BEGIN;
SAVEPOINT s;
SELECT pro_tier_limit FROM usage_set_limit('tx_daily', 20, tier => 'pro');
SELECT tier FROM usage_set_tier('tx-15', 'pro');
SELECT allowed, current, "limit" FROM usage_consume('tx-15', 'tx', 5);
SELECT tier, "limit", source FROM usage_status('tx-15') WHERE limit_type = 'tx_daily';
ROLLBACK TO s;
SELECT tier, "limit", source FROM usage_status('tx-15') WHERE limit_type = 'tx_daily';
SELECT allowed, current, "limit" FROM usage_consume('tx-15', 'tx', 1);
UPDATE usage_limits_config SET free_tier_limit = 11 WHERE limit_type = 'tx_daily';
SELECT allowed, current, "limit" FROM usage_consume('tx-15', 'tx', 1);
ROLLBACK TO s;
SELECT allowed, current, "limit" FROM usage_consume('tx-15', 'tx', 1);
SELECT limit_value FROM usage_set_override('tx_daily', 12, user_id => 'tx-15');
SELECT allowed, current, "limit" FROM usage_consume('tx-15', 'tx', 2);
ROLLBACK TO s;
SELECT allowed, current, "limit" FROM usage_consume('tx-15', 'tx', 1);
SELECT limit_value FROM usage_set_override('tx_daily', 13, tier => 'free');
SELECT allowed, current, "limit" FROM usage_consume('tx-15', 'tx', 3);
ROLLBACK TO s;
SELECT allowed, current, "limit" FROM usage_consume('tx-15', 'tx', 1);
UPDATE usage_limits_config SET is_active = false WHERE limit_type = 'tx_daily';
SELECT allowed, reason, current, "limit" FROM usage_consume('tx-15', 'tx', 1);
ROLLBACK TO s;
DELETE FROM usage_limits_config WHERE limit_type = 'tx_daily';
SELECT allowed, reason, current, "limit" FROM usage_consume('tx-15', 'tx', 1);
ROLLBACK TO s;
SELECT limit_type FROM usage_set_limit('tx_monthly', 9);
SELECT allowed, limit_type, current, "limit" FROM usage_check('tx-15', 'tx', 1);
SELECT allowed, limit_type, current, "limit" FROM usage_consume('tx-15b', 'tx', 10);
ROLLBACK TO s;
SELECT allowed, limit_type, current, "limit" FROM usage_consume('tx-15b', 'tx', 10);
INSERT INTO usage_types (usage_type, log_events) VALUES ('tx', false);
SELECT usage_track('tx-15', 'tx');
ROLLBACK TO s;
SELECT usage_track('tx-15', 'tx') > 0 AS tracked;
COMMIT;
SELECT * FROM pg_temp.usage_of('tx-15');
SELECT count(*) FROM user_subscriptions WHERE user_id LIKE 'tx-%';

-- An administrator's own change of usage_counters counts when it is committed, for him too.
SELECT allowed, current FROM usage_consume('tx-15b', 'tx', 10);
BEGIN;
DELETE FROM usage_counters WHERE user_id = 'tx-15b';
SELECT allowed, current FROM usage_consume('tx-15b', 'tx', 1);
COMMIT;
SELECT allowed, current FROM usage_consume('tx-15b', 'tx', 1);
BEGIN;
UPDATE usage_counters SET amount = 10 WHERE user_id = 'tx-15b';
SELECT allowed, current FROM usage_consume('tx-15b', 'tx', 2);
COMMIT;
SELECT sum(count) FROM user_usage WHERE user_id = 'tx-15b';
SELECT allowed, current FROM usage_consume('tx-15b', 'tx', 1);
BEGIN;
DELETE FROM usage_counters WHERE user_id = 'tx-15b';
ROLLBACK;
SELECT allowed, current FROM usage_consume('tx-15b', 'tx', 1);

-- At the other isolation levels.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT current FROM usage_consume('tx-16', 'tx', 3);
SAVEPOINT s;
SELECT current FROM usage_consume('tx-16', 'tx', 7);
ROLLBACK TO s;
SELECT current FROM usage_consume('tx-16', 'tx', 1);
COMMIT;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM pg_temp.usage_of('tx-16');
SELECT current FROM usage_consume('tx-16', 'tx', 2);
SELECT allowed, current FROM usage_consume('tx-16', 'tx', 5);
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT current FROM usage_consume('tx-16', 'tx', 4);
SELECT allowed, current FROM usage_consume('tx-16', 'tx', 3);
SAVEPOINT s;
SELECT current FROM usage_enforce('tx-16', 'tx', 3);
ROLLBACK TO s;
SELECT current FROM usage_enforce('tx-16', 'tx', 2);
COMMIT;
SELECT * FROM pg_temp.usage_of('tx-16');
-- the row that such a transaction writes is its own
SELECT count(*), sum(amount), count(*) FILTER (WHERE slot <> 0) AS apart FROM usage_counters WHERE user_id = 'tx-16';
BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE;
SELECT * FROM pg_temp.usage_of('tx-16');
SELECT current FROM usage_consume('tx-16', 'tx', 0);
ROLLBACK;

-- Prepared transactions: pending usage counts for others, until they end.
BEGIN;
SELECT current FROM usage_consume('tx-17', 'tx', 4);
SAVEPOINT s;
SELECT current FROM usage_consume('tx-17', 'tx', 3);
ROLLBACK TO s;
SELECT current FROM usage_consume('tx-17', 'tx', 2);
PREPARE TRANSACTION 'tx-17';
SELECT sum(count) FROM user_usage WHERE user_id = 'tx-17';
SELECT current FROM usage_consume('tx-17b', 'tx', 1);
COMMIT PREPARED 'tx-17';
SELECT * FROM pg_temp.usage_of('tx-17');
BEGIN;
SELECT current FROM usage_consume('tx-17', 'tx', 4);
PREPARE TRANSACTION 'tx-17';
-- who would have to know how it ends waits for it, as for any lock
SET lock_timeout = '100ms';
SELECT allowed FROM usage_consume('tx-17', 'tx', 1);
-- a track never waits
SELECT usage_track('tx-17', 'tx', 1) > 0 AS tracked;
RESET lock_timeout;
ROLLBACK PREPARED 'tx-17';
SELECT * FROM pg_temp.usage_of('tx-17');
SELECT allowed, current FROM usage_consume('tx-17', 'tx', 3);
SELECT allowed, current FROM usage_consume('tx-17', 'tx', 1);
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT current FROM usage_consume('tx-18', 'tx', 10);
PREPARE TRANSACTION 'tx-18';
COMMIT PREPARED 'tx-18';
SELECT allowed, current FROM usage_consume('tx-18', 'tx', 1);

-- A trigger on what is written may use more, of the same key and of others, which is written as well.
CREATE FUNCTION tx_more() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	track text := format('SELECT %I.usage_track($1, ''tx'', $2)', TG_TABLE_SCHEMA);
BEGIN
	EXECUTE track USING 'tx-20b', 2::bigint;
	IF NEW.amount < 3 THEN
		EXECUTE track USING NEW.user_id, 1::bigint;
	END IF;
	-- at the end of a block, a server with assertions has no rollback to a savepoint
	IF NEW.amount = 1 THEN
		BEGIN
			EXECUTE track USING 'tx-20c', 5::bigint;
			RAISE 'never mind';
		EXCEPTION WHEN raise_exception THEN
			NULL;
		END;
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER tx_more AFTER INSERT OR UPDATE ON usage_counters FOR EACH ROW WHEN (NEW.user_id = 'tx-20') EXECUTE FUNCTION tx_more();
SELECT usage_track('tx-20', 'tx', 1) > 0 AS tracked;
BEGIN;
SELECT allowed, current FROM usage_consume('tx-20', 'tx', 1);
PREPARE TRANSACTION 'tx-20';
COMMIT PREPARED 'tx-20';
DROP FUNCTION tx_more CASCADE;
SELECT user_id, sum(amount) FROM usage_counters WHERE user_id ~ '^tx-20' GROUP BY user_id ORDER BY user_id;
SELECT user_id, current FROM unnest('{tx-20,tx-20b,tx-20c}'::text[]) user_id, usage_check_limit(user_id, 'tx_daily');

-- Event rows and counters agree for every user of this file.
SELECT e.user_id FROM usage_events e WHERE e.user_id ~ '^tx-' AND e.user_id <> 'tx-15b' GROUP BY e.user_id
HAVING sum(e.amount) FILTER (WHERE e.operation <> 'reset') IS DISTINCT FROM
	(SELECT sum(c.amount) FROM usage_counters c WHERE c.user_id = e.user_id);
SELECT count(*) > 0 AS locks FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();

DELETE FROM usage_limits_config WHERE limit_type = 'tx_daily';
