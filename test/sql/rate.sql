-- Rate limits: so many units a period, so many at once; the generic cell rate
-- algorithm.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET intervalstyle = 'postgres';
-- where usage_events is in use, partitions are left for the next run
SET client_min_messages = warning;
\set SHOW_CONTEXT never
\set decision 'allowed, reason, limit_type, requested, current, "limit", remaining, reset_at, retry_after'
CREATE FUNCTION pg_temp.clock(at timestamptz) RETURNS void LANGUAGE sql AS
	$$ SELECT set_config('usage_limits.test_clock', at::text, false) $$;
CREATE FUNCTION pg_temp.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	EXECUTE statement;
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' / ', SQLSTATE || ': ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;

-- The period is the name's, or any; there are no windows, so no alignment.
SELECT limit_type, usage_type, kind, period, alignment, burst FROM usage_set_limit('dials_hourly', 100, kind => 'rate');
SELECT limit_type, usage_type, kind, period, alignment, burst FROM usage_set_limit('pings', 3, usage_type => 'ping', kind => 'rate', period => '1 second', burst => 5);
SELECT c, pg_temp.try(format('SELECT usage_set_limit(''odd_rate'', 1, kind => ''rate'', %s)', c)) FROM unnest(ARRAY[
	'period => NULL', 'period => ''0''', 'period => ''-1 second''', 'period => ''101 years''', 'period => ''1 month -1 day''',
	'period => ''1 second'', burst => 0', 'period => ''1 second'', burst => -1']) AS c;
SELECT c, pg_temp.try(format('SELECT usage_set_limit(''odd_rate'', 1, kind => ''rate'', %s)', c)) FROM unnest(ARRAY[
	'period => ''1 microsecond''', 'period => ''100 years''', 'period => ''1 month 3 days 02:00:00.5''', 'period => ''1 day'', alignment => ''calendar''']) AS c;
SELECT period, alignment FROM usage_limits_config WHERE limit_type = 'odd_rate';
DELETE FROM usage_limits_config WHERE limit_type = 'odd_rate';

-- A hundred an hour: all at once, then one every 36 seconds.
SELECT pg_temp.clock('2025-03-12 10:00:00+00');
SELECT :decision FROM usage_consume('rate-1', 'dial', 2);
SELECT count(*) > 0 AS flushed FROM usage_maintain();
SELECT user_id, limit_type, arrival_at, fraction, units, period, updated_at FROM usage_rates WHERE user_id = 'rate-1';
SELECT :decision FROM usage_consume('rate-1', 'dial', 98);
-- denied: reset_at is the instant at which it would fit, retry_after the seconds to it, rounded up, and neither moves but with time
SELECT :decision FROM usage_consume('rate-1', 'dial');
SELECT :decision FROM usage_consume('rate-1', 'dial', 100);
SELECT :decision FROM usage_consume('rate-1', 'dial', 101);
SELECT pg_temp.clock('2025-03-12 10:00:35.000001+00');
SELECT :decision FROM usage_consume('rate-1', 'dial');
SELECT pg_temp.clock('2025-03-12 10:00:35.999999+00');
SELECT :decision FROM usage_consume('rate-1', 'dial');
SELECT pg_temp.clock('2025-03-12 10:00:36+00');
SELECT :decision FROM usage_check('rate-1', 'dial');
SELECT :decision FROM usage_consume('rate-1', 'dial');
SELECT :decision FROM usage_consume('rate-1', 'dial');
-- half a unit that has left is no unit
SELECT pg_temp.clock('2025-03-12 10:01:30+00');
SELECT :decision FROM usage_consume('rate-1', 'dial', 2);
SELECT :decision FROM usage_consume('rate-1', 'dial', 0);
-- when all has left, there is nothing to reset
SELECT pg_temp.clock('2025-03-12 11:00:36+00');
SELECT :decision FROM usage_check('rate-1', 'dial', 0);
SELECT limit_type, kind, period, allowed, current, "limit", remaining, percent_used, reset_at FROM usage_status('rate-1') WHERE usage_type = 'dial';
SELECT :decision FROM usage_consume('rate-1', 'dial', 25);
SELECT limit_type, kind, period, allowed, current, "limit", remaining, percent_used, reset_at FROM usage_status('rate-1') WHERE usage_type = 'dial';
SELECT * FROM usage_explain('rate-1', 'dial', 80);
SELECT usage_summary('rate-1') -> 'dials' AS dials, usage_summary('rate-1') #>> '{limits,dials_hourly,kind}' AS kind;
SELECT :decision FROM usage_check_limit('rate-1', 'dials_hourly', 76);

-- Three a second, five at once.  A third of a second is no whole number of
-- microseconds: the capacity is there to the last unit all the same.
SELECT pg_temp.clock('2025-03-12 10:00:00+00');
SELECT :decision FROM usage_consume('rate-1', 'ping', 5);
SELECT :decision FROM usage_consume('rate-1', 'ping');
SELECT pg_temp.clock('2025-03-12 10:00:01.666666+00');
SELECT :decision FROM usage_check('rate-1', 'ping', 5);
SELECT pg_temp.clock('2025-03-12 10:00:01.666667+00');
DO $$ BEGIN FOR n IN 1..5 LOOP PERFORM usage_enforce('rate-1', 'ping'); END LOOP; END $$;
SELECT :decision FROM usage_check('rate-1', 'ping', 0);
SELECT usage_enforce('rate-1', 'ping');

-- Any rates and requests: the same answers as the algorithm in exact numbers.
CREATE FUNCTION pg_temp.wrong(value bigint, period interval, burst bigint, steps int, OUT steps_done bigint, OUT denied bigint, OUT wrong bigint) LANGUAGE plpgsql AS $$
DECLARE
	at timestamptz := '2025-03-12 10:00:00+00';
	step numeric := extract(epoch FROM period) * 1000000 / value;
	capacity numeric := coalesce(burst, value);
	-- microseconds from the beginning
	now numeric := 0;
	arrival numeric := 0;
	asked bigint;
	start numeric;
	fits boolean;
	d usage_decision;
BEGIN
	DELETE FROM usage_limits_config WHERE limit_type = 'model_rate';
	PERFORM usage_set_limit('model_rate', value, usage_type => 'model', kind => 'rate', period => period, burst => burst);
	DELETE FROM usage_rates WHERE limit_type = 'model_rate';
	steps_done := 0; denied := 0; wrong := 0;
	FOR i IN 1..steps LOOP
		-- mostly about as fast as it is admitted
		now := now + trunc((step * capacity * random() ^ 3)::numeric);
		asked := greatest(1, (capacity * random() ^ 4)::bigint);
		PERFORM pg_temp.clock(at + make_interval(secs => trunc(now / 1000000)::float8) + (now % 1000000)::bigint * interval '1 microsecond');
		d := usage_consume('model', 'model', asked);
		start := greatest(arrival, now);
		fits := start + asked * step - now <= capacity * step + 0.0000001;
		IF fits THEN
			arrival := start + asked * step;
		ELSE
			denied := denied + 1;
			wrong := wrong + (d.retry_after IS DISTINCT FROM least(2147483647, ceil(ceil(start + asked * step - capacity * step - 0.0000001 - now) / 1000000))::int)::int;
		END IF;
		steps_done := steps_done + 1;
		wrong := wrong + (d.allowed <> fits)::int
			+ (d.current <> ceil(greatest(arrival - now, 0) / step - 0.0000001))::int
			+ (d.remaining <> greatest(capacity - ceil(greatest(arrival - now, 0) / step - 0.0000001), 0))::int;
	END LOOP;
END $$;
SELECT setseed(0.25);
INSERT INTO usage_types (usage_type, log_events) VALUES ('model', false);
SELECT v.*, w.steps_done, w.denied > 10 AS many_denied, w.denied < steps_done - 10 AS many_admitted, w.wrong FROM (VALUES
	(1::bigint, interval '1 second', NULL::bigint), (3, '1 second', NULL), (7, '1 second', 20), (100, '1 hour', 10), (1000, '1 minute', 1000), (1, '1 day', 1),
	(11, '1 month', 3), (1000000, '1 second', NULL), (9999991, '1 second', 50), (13, '00:00:00.000007', 1000000), (1000000000000000, '1 day', NULL), (3, '30000 days', 2), (999999937, '3 days 01:00:00.000001', 12345)
) AS v(value, period, burst), pg_temp.wrong(value, period, burst, 400) AS w;
DELETE FROM usage_limits_config WHERE limit_type = 'model_rate';

-- A changed rate or burst keeps the units used.
SELECT pg_temp.clock('2025-03-12 12:00:00+00');
SELECT :decision FROM usage_consume('rate-2', 'dial', 2);
SELECT free_tier_limit FROM usage_set_limit('dials_hourly', 10);
SELECT :decision FROM usage_check_limit('rate-2', 'dials_hourly', 0);
SELECT :decision FROM usage_consume('rate-2', 'dial');
-- a lowered capacity never makes what remains negative
SELECT free_tier_limit, burst FROM usage_set_limit('dials_hourly', 10, burst => 2);
SELECT :decision FROM usage_consume('rate-2', 'dial');
-- a raised one is there at once
SELECT free_tier_limit, burst FROM usage_set_limit('dials_hourly', 10, burst => 4);
SELECT :decision FROM usage_consume('rate-2', 'dial');
SELECT :decision FROM usage_consume('rate-2', 'dial');
-- a raised rate too: what was used leaves at it, from when it was used
SELECT pg_temp.clock('2025-03-12 12:00:05+00');
SELECT :decision FROM usage_consume('rate-2', 'dial');
SELECT free_tier_limit, burst FROM usage_set_limit('dials_hourly', 1000);
SELECT :decision FROM usage_consume('rate-2', 'dial');
SELECT :decision FROM usage_consume('rate-2', 'dial');
-- another period, the same rate
SELECT free_tier_limit, period FROM usage_set_limit('dials_hourly', 24000, period => '1 day');
SELECT :decision FROM usage_check('rate-2', 'dial');
-- what had been used before the rate was lowered leaves as it would have, until more is used
SELECT free_tier_limit, period, burst FROM usage_set_limit('dials_hourly', 3600, period => '1 hour', burst => 3600);
SELECT :decision FROM usage_consume('rate-3', 'dial', 3600);
SELECT pg_temp.clock('2025-03-12 12:30:05+00');
SELECT free_tier_limit FROM usage_set_limit('dials_hourly', 60);
SELECT :decision FROM usage_check('rate-3', 'dial', 1900);
SELECT :decision FROM usage_consume('rate-3', 'dial', 1800);
SELECT :decision FROM usage_check('rate-3', 'dial', 1);

-- Tiers, overrides and their times are those of any limit.
SELECT burst FROM usage_set_limit('pings', 3, burst => 5);
SELECT tier FROM usage_set_tier('rate-4', 'pro');
SELECT pro_tier_limit FROM usage_set_limit('pings', 30, tier => 'pro');
SELECT limit_value FROM usage_set_override('pings', 300, user_id => 'rate-4', starts_at => '2025-03-12 13:00:00+00');
SELECT pg_temp.clock('2025-03-12 12:59:59.9+00');
SELECT :decision FROM usage_consume('rate-4', 'ping', 5);
SELECT :decision FROM usage_consume('rate-4', 'ping', 4);
SELECT pg_temp.clock('2025-03-12 13:00:00+00');
SELECT :decision FROM usage_consume('rate-4', 'ping', 4);

-- All or nothing: a limit that denies leaves the others as they were, and a
-- rate that denies leaves the counters.
SELECT limit_type FROM usage_set_limit('pings_daily', 4);
SELECT :decision FROM usage_consume('rate-5', 'ping', 5);
SELECT count(*) FROM usage_rates WHERE user_id = 'rate-5';
SELECT :decision FROM usage_consume('rate-5', 'ping', 3);
SELECT :decision FROM usage_consume('rate-5', 'ping', 2);
SELECT current, remaining FROM usage_check_limit('rate-5', 'pings', 0);
DELETE FROM usage_limits_config WHERE limit_type = 'pings_daily';
SELECT limit_type FROM usage_set_limit('pings_monthly', 1000);
SELECT :decision FROM usage_consume('rate-5', 'ping', 3);
SELECT current FROM usage_check_limit('rate-5', 'pings_monthly', 0);
DELETE FROM usage_limits_config WHERE limit_type = 'pings_monthly';
-- several types in one call
SELECT limit_type FROM usage_set_limit('mails_daily', 1);
SELECT :decision FROM usage_consume_many('rate-6', '{"ping": 2, "mail": 2}');
SELECT count(*) FROM usage_rates WHERE user_id = 'rate-6';
SELECT :decision FROM usage_consume_many('rate-6', '[{"usage_type": "ping", "amount": 2}, {"usage_type": "mail"}, {"usage_type": "ping", "amount": 1}]');
SELECT current FROM usage_check_limit('rate-6', 'pings', 0);
SELECT :decision FROM usage_consume_many('rate-6', '{"ping": 3}');

-- By the table it is part of the transaction, and of the savepoint; in shared memory a request was one.
BEGIN;
SELECT current FROM usage_consume('rate-7', 'ping', 2);
SAVEPOINT s;
SELECT current FROM usage_consume('rate-7', 'ping', 2);
ROLLBACK TO s;
SELECT current FROM usage_consume('rate-7', 'ping', 1);
COMMIT;
SELECT current FROM usage_check('rate-7', 'ping', 0);
BEGIN;
SELECT current FROM usage_consume('rate-7', 'ping', 1);
ROLLBACK;
SELECT current FROM usage_check('rate-7', 'ping', 0);
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT current FROM usage_consume('rate-7', 'ping', 1);
SELECT current FROM usage_consume('rate-7', 'ping', 1);
COMMIT;
BEGIN READ ONLY;
SELECT current FROM usage_check('rate-7', 'ping', 0);
SELECT usage_consume('rate-7', 'ping', 1);
ROLLBACK;

-- Who has changed a limit decides by it, and nobody else feels that.
SELECT current, remaining FROM usage_consume('rate-15', 'ping', 4);
BEGIN;
SELECT free_tier_limit FROM usage_set_limit('pings', 1000000, burst => 1000000);
SELECT current, remaining FROM usage_consume('rate-15', 'ping', 1000);
SAVEPOINT s;
SELECT current, remaining FROM usage_consume('rate-15', 'ping', 1000);
ROLLBACK TO s;
SELECT current, remaining FROM usage_check('rate-15', 'ping', 0);
ROLLBACK;
SELECT current, remaining FROM usage_check('rate-15', 'ping', 0);
BEGIN;
SELECT free_tier_limit FROM usage_set_limit('pings', 3, burst => 6);
SELECT current, remaining FROM usage_consume('rate-15', 'ping', 1);
COMMIT;
SELECT current, remaining FROM usage_check('rate-15', 'ping', 0);
SELECT free_tier_limit FROM usage_set_limit('pings', 3, burst => 5);
BEGIN;
DELETE FROM usage_rates WHERE user_id = 'rate-15';
SELECT current, remaining FROM usage_check('rate-15', 'ping', 0);
SELECT current, remaining FROM usage_consume('rate-15', 'ping', 1);
ROLLBACK;
SELECT current, remaining FROM usage_check('rate-15', 'ping', 0);
BEGIN;
DELETE FROM usage_rates WHERE user_id = 'rate-15';
SELECT current, remaining FROM usage_consume('rate-15', 'ping', 1);
COMMIT;
SELECT current, remaining FROM usage_consume('rate-15', 'ping', 1);

-- Tokens, one subtype; and what is unlimited, blocked, soft, or only seen.
SELECT limit_type FROM usage_set_limit('chat_tokens', 1000, usage_type => 'chat', measure => 'tokens', kind => 'rate', period => '1 minute');
SELECT limit_type FROM usage_set_limit('chat_large', 1, usage_type => 'chat', event_subtype => 'large', kind => 'rate', period => '1 minute');
SELECT :decision FROM usage_consume('rate-8', 'chat', tokens_used => 400);
SELECT :decision FROM usage_consume('rate-8', 'chat', event_subtype => 'large', tokens_used => 400);
SELECT :decision FROM usage_consume('rate-8', 'chat', event_subtype => 'large', tokens_used => 100);
SELECT :decision FROM usage_consume('rate-8', 'chat', event_subtype => 'small', tokens_used => 300);
SELECT limit_type, current, remaining FROM usage_status('rate-8') WHERE usage_type = 'chat';
SELECT free_tier_limit FROM usage_set_limit('chat_tokens', -1);
SELECT :decision FROM usage_consume('rate-8', 'chat', tokens_used => 4000);
SELECT free_tier_limit FROM usage_set_limit('chat_tokens', 0, burst => 10);
SELECT :decision FROM usage_consume('rate-8', 'chat', tokens_used => 1);
SELECT free_tier_limit, enforcement FROM usage_set_limit('chat_tokens', 100, enforcement => 'soft', burst => 100);
SELECT :decision FROM usage_consume('rate-9', 'chat', tokens_used => 250);
SELECT :decision FROM usage_consume('rate-9', 'chat', tokens_used => 250);
SELECT enforcement FROM usage_set_limit('chat_tokens', 100, enforcement => 'shadow');
SELECT :decision FROM usage_consume('rate-9', 'chat', tokens_used => 1);
SET usage_limits.enforcement = off;
SELECT :decision FROM usage_consume('rate-9', 'chat', tokens_used => 1);
RESET usage_limits.enforcement;
SELECT enforcement FROM usage_set_limit('chat_tokens', 100, enforcement => 'hard');
SELECT :decision FROM usage_consume('rate-9', 'chat', tokens_used => 1);

-- It counts what asks it: not what is only recorded, nor what becomes of it.
SELECT usage_track('rate-10', 'ping', 4) > 0 AS tracked;
SELECT current, event_id AS event FROM usage_consume('rate-10', 'ping', 2) \gset
SELECT current, remaining FROM usage_check_limit('rate-10', 'pings', 0);
SELECT allowed, limit_type, current FROM usage_refund(:event);
SELECT allowed, limit_type, current FROM usage_adjust('rate-10', 'ping', -3);
SELECT current, remaining FROM usage_check_limit('rate-10', 'pings', 0);
-- the same request again is no request
SELECT current FROM usage_consume('rate-10', 'ping', idempotency_key => 'k1');
SELECT current FROM usage_consume('rate-10', 'ping', idempotency_key => 'k1');
SELECT current, remaining FROM usage_check_limit('rate-10', 'pings', 0);
-- a reset lets it begin anew, also within an instant, and rolls back like anything else
BEGIN;
SELECT limit_type, current, remaining FROM usage_reset('rate-10', 'ping');
SELECT current, remaining FROM usage_consume('rate-10', 'ping', 1);
ROLLBACK;
SELECT current, remaining FROM usage_check_limit('rate-10', 'pings', 0);
SELECT limit_type, current, remaining FROM usage_reset('rate-10', 'ping');
SELECT current, remaining FROM usage_consume('rate-10', 'ping', 1);
SELECT current, remaining FROM usage_consume('rate-10', 'ping', 1);
SELECT limit_type, current, remaining FROM usage_reset('rate-10', 'ping');

-- A clock that was set back gives nothing away, and takes nothing.
SELECT current, remaining FROM usage_consume('rate-11', 'ping', 4);
SELECT pg_temp.clock('2025-03-12 12:00:00+00');
SELECT :decision FROM usage_consume('rate-11', 'ping', 1);
SELECT :decision FROM usage_consume('rate-11', 'ping', 1);
SELECT pg_temp.clock('2025-03-12 13:00:00.4+00');
SELECT :decision FROM usage_consume('rate-11', 'ping', 1);

-- An administrator's own rows count; one that makes no sense is none.
SELECT pg_temp.clock('2025-03-12 14:00:00+00');
SELECT count(*) > 0 AS flushed FROM usage_maintain();
UPDATE usage_rates SET arrival_at = '2025-03-12 14:00:01+00', updated_at = '2025-03-12 13:59:59+00' WHERE user_id = 'rate-11';
SELECT :decision FROM usage_consume('rate-11', 'ping', 3);
CREATE FUNCTION pg_temp.with_row(assignments text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('UPDATE usage_rates SET %s WHERE user_id = ''rate-11''', assignments);
	RETURN (SELECT d.current FROM usage_check('rate-11', 'ping', 0) d);
END $$;
SELECT a, pg_temp.with_row(a) AS current FROM unnest(ARRAY['units = 0', 'units = 3, period = ''-1 second''', 'period = ''1 mon''', 'period = ''1 day''',
	'period = ''1 second'', fraction = -1', 'fraction = 3', 'fraction = 2', 'arrival_at = ''infinity''', 'arrival_at = ''-infinity''', 'arrival_at = ''2025-03-12 14:00:01+00'', updated_at = ''infinity''', 'updated_at = ''2025-03-12 13:00:00+00''']) AS a;
DELETE FROM usage_rates WHERE user_id = 'rate-11';
SELECT current FROM usage_consume('rate-11', 'ping', 2);

SELECT count(*) > 0 AS flushed FROM usage_maintain();

-- As much as there can be: nothing overflows.
SELECT limit_type FROM usage_set_limit('huge', 9223372036854775807, usage_type => 'huge', kind => 'rate', period => '100 years', burst => 9223372036854775807);
SELECT :decision FROM usage_consume('rate-12', 'huge', 1000000000000000);
SELECT :decision FROM usage_consume('rate-12', 'huge', 1000000000000000);
SELECT limit_type FROM usage_set_limit('huge', 1, burst => 1000000000000000);
SELECT :decision FROM usage_consume('rate-12', 'huge', 1000000000000000);
SELECT :decision FROM usage_consume('rate-13', 'huge', 1000000000000000);
SELECT :decision FROM usage_consume('rate-13', 'huge', 1);
SELECT limit_type FROM usage_set_limit('huge', 9223372036854775807, period => '1 microsecond');
SELECT :decision FROM usage_consume('rate-13', 'huge', 1);
SELECT pg_temp.clock('294276-12-31 23:59:59.999999+00');
SELECT :decision FROM usage_check('rate-13', 'huge', 1);
SELECT :decision FROM usage_check('rate-14', 'huge', 1);
SELECT pg_temp.clock('2025-03-14 12:00:00+00');

-- One kind becomes another.
SELECT kind, period, alignment FROM usage_set_limit('pings', 5, kind => 'counter');
SELECT kind, period, alignment FROM usage_set_limit('pings_2', 5, usage_type => 'ping', kind => 'counter', period => '1 day');
SELECT kind, period, alignment FROM usage_set_limit('pings_2', 5, kind => 'rate');
SELECT kind, period, alignment FROM usage_set_limit('pings_2', 5, alignment => 'none');
SELECT kind, period, alignment FROM usage_set_limit('pings_2', 5, kind => 'counter');
UPDATE usage_limits_config SET kind = 'rate' WHERE limit_type = 'pings_2' RETURNING kind, period, alignment;
-- durability is of what is counted beside it, and where there is nothing else of all rates
SELECT durability FROM usage_set_limit('dials_total', 1000000, kind => 'counter', durability => 'relaxed');
SELECT limit_type, kind, durability FROM usage_limits_config WHERE usage_type = 'dial' ORDER BY 1;

-- What has left for a day is forgotten.
SELECT count(*) > 5 AS some FROM usage_rates;
SELECT count > 5 AS some FROM usage_maintain() WHERE what = 'rates forgotten';
SELECT user_id FROM usage_rates WHERE user_id LIKE 'rate-%';

RESET usage_limits.test_clock;
DELETE FROM usage_limits_config WHERE kind = 'rate' OR usage_type IN ('ping', 'dial', 'mail');
DELETE FROM usage_rates;
DELETE FROM usage_types WHERE usage_type = 'model';
