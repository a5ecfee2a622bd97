-- Large numbers: 2^31 and 10^15 work and add up, more in one call is refused,
-- and a sum that would be out of range is an error that leaves nothing.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2025-03-12 10:30:00+00';
\set SHOW_CONTEXT never
\set VERBOSITY terse
\set decision 'allowed, reason, limit_type, requested, current, "limit", remaining'
INSERT INTO usage_limits_config (limit_type, usage_type, measure, free_tier_limit) VALUES
	('bytes_daily', 'bytes', 'amount', 9223372036854775807), ('bytes_monthly', 'bytes', 'amount', -1),
	('bytes_tokens_daily', 'bytes', 'tokens', 9223372036854775807), ('trillions_daily', 'trillion', 'amount', 2000000000000000);

INSERT INTO usage_types (usage_type, log_events) VALUES ('silent', false);

-- Past 2^31 and 2^32, tracked and consumed, in every measure.
SELECT :decision FROM usage_consume('big-1', 'bytes', 2147483647, tokens_used => 2147483647);
SELECT :decision FROM usage_consume('big-1', 'bytes', 1, tokens_used => 1);
SELECT :decision FROM usage_consume('big-1', 'bytes', 2147483648, tokens_used => 2147483648);
SELECT usage_track('big-1', 'bytes', 4294967296, tokens_used => 4294967296, credits_used => 4294967296, duration_ms => 4294967296) > 0 AS tracked;
SELECT amount, tokens_used, credits_used, duration_ms FROM usage_counters WHERE user_id = 'big-1';
SELECT count FROM user_usage WHERE user_id = 'big-1';
SELECT limit_type, current, "limit", remaining, percent_used FROM usage_status('big-1') WHERE usage_type = 'bytes';

-- 10^15 adds up, exactly.
SELECT :decision FROM usage_consume('big-2', 'trillion', 1000000000000000);
SELECT :decision FROM usage_consume('big-2', 'trillion', 1000000000000000);
SELECT :decision FROM usage_consume('big-2', 'trillion', 1);
SELECT count(usage_track('big-2', 'trillion', 1000000000000000)) FROM generate_series(1, 98);
SELECT count FROM user_usage WHERE user_id = 'big-2';
SELECT :decision FROM usage_check_limit('big-2', 'trillions_daily', 1000000000000000);

-- More in one call is 22023, whichever the measure and the function.
CREATE FUNCTION pg_temp.outcome(expression text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE 'SELECT ' || expression;
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ': ' || SQLERRM;
END $$;
SELECT e, pg_temp.outcome(e) FROM unnest(ARRAY[
	$$usage_track('big-3', 'bytes', 1000000000000001)$$, $$usage_track('big-3', 'bytes', tokens_used => 1000000000000001)$$,
	$$usage_track('big-3', 'bytes', credits_used => 1000000000000001)$$, $$usage_track('big-3', 'bytes', duration_ms => 1000000000000001)$$,
	$$usage_track('big-3', 'bytes', 9223372036854775807)$$, $$usage_track('big-3', 'bytes', 9223372036854775808)$$,
	$$usage_consume('big-3', 'bytes', 1000000000000001)$$, $$usage_consume('big-3', 'bytes', tokens_used => 1000000000000001)$$,
	$$usage_enforce('big-3', 'bytes', 1000000000000001)$$, $$usage_check('big-3', 'bytes', 1000000000000001)$$,
	$$usage_check_limit('big-3', 'bytes_daily', 1000000000000001)$$,
	$$usage_adjust('big-3', 'bytes', 1000000000000001)$$, $$usage_adjust('big-3', 'bytes', -1000000000000001)$$,
	$$usage_adjust('big-3', 'bytes', -9223372036854775808)$$,
	$$usage_set_gauge('big-3', 'free_text', 1000000000000001)$$, $$usage_refund(1, 1000000000000001)$$,
	$$usage_consume_many('big-3', '{"bytes": 1000000000000001}')$$,
	$$usage_consume_many('big-3', '[{"usage_type": "free_text", "amount": 1000000000000000}, {"usage_type": "free_text", "amount": 1}]')$$,
	$$usage_consume_many('big-3', '[{"usage_type": "bytes", "credits_used": 1000000000000000}, {"usage_type": "bytes", "credits_used": 1}]')$$
]) WITH ORDINALITY AS t(e, n) ORDER BY n;
SELECT count(*) FROM usage_counters WHERE user_id = 'big-3';

-- A counter close to the end of bigint.
INSERT INTO usage_counters (user_id, usage_type, bucket_start, amount, events) VALUES
	('big-4', 'bytes', '2025-03-12 00:00:00+00', 9223372036854775800, 1);
SELECT :decision FROM usage_check('big-4', 'bytes', 7);
SELECT :decision FROM usage_check('big-4', 'bytes', 8);
SELECT :decision FROM usage_consume('big-4', 'bytes', 8);
SELECT usage_track('big-4', 'bytes', 8);
SELECT usage_adjust('big-4', 'bytes', 8);
SELECT amount, events FROM usage_counters WHERE user_id = 'big-4';
SELECT count(*) FROM usage_events WHERE user_id = 'big-4';
SELECT :decision FROM usage_consume('big-4', 'bytes', 7);
SELECT :decision FROM usage_consume('big-4', 'bytes', 1);
SELECT :decision FROM usage_consume('big-4', 'bytes', 0);
-- unlimited, the error is the same
INSERT INTO usage_counters (user_id, usage_type, bucket_start, amount, events) VALUES
	('big-5', 'free_text', '2025-03-12 00:00:00+00', 9223372036854775807, 1);
SELECT usage_consume('big-5', 'free_text', 1);
SELECT count FROM user_usage WHERE user_id = 'big-5';

-- Sums over rows that are out of range together stay at the end of it: full, not negative.
INSERT INTO usage_counters (user_id, usage_type, bucket_start, event_subtype, amount, tokens_used) VALUES
	('big-6', 'bytes', '2025-03-12 00:00:00+00', 'a', 9223372036854775807, 9223372036854775807),
	('big-6', 'bytes', '2025-03-12 00:00:00+00', 'b', 9223372036854775807, 9223372036854775807);
SELECT :decision FROM usage_check_limit('big-6', 'bytes_daily');
SELECT limit_type, current, remaining, percent_used FROM usage_status('big-6') WHERE usage_type = 'bytes';
SELECT :decision FROM usage_check('big-6', 'bytes', 1);
INSERT INTO usage_counters (user_id, usage_type, bucket_start, event_subtype, amount) VALUES
	('big-7', 'storage_mb', '2025-03-12 00:00:00+00', 'a', -9223372036854775808), ('big-7', 'storage_mb', '2025-03-12 00:00:00+00', 'b', -9223372036854775808);
SELECT :decision FROM usage_check_limit('big-7', 'storage_mb', 1000);
SELECT :decision FROM usage_check_limit('big-7', 'storage_mb', 500);

-- Inside one transaction sums are checked as they grow.
BEGIN;
SELECT count(usage_track('big-8', 'free_text', 1000000000000000)) FROM generate_series(1, 9223);
SELECT current FROM usage_check('big-8', 'free_text');
SAVEPOINT s;
SELECT usage_track('big-8', 'free_text', 1000000000000000);
ROLLBACK TO s;
SELECT usage_track('big-8', 'free_text', 372036854775807) > 0 AS tracked;
COMMIT;
SELECT count FROM user_usage WHERE user_id = 'big-8';
SELECT usage_track('big-8', 'free_text', 1);
SELECT count FROM user_usage WHERE user_id = 'big-8';
-- So are what is added and what is taken back, each by itself.
BEGIN;
DO $$ BEGIN
	FOR n IN 1 .. 9224 LOOP
		PERFORM usage_adjust('big-9', 'silent', 1000000000000000);
		PERFORM usage_adjust('big-9', 'silent', -1000000000000000);
	END LOOP;
END $$;
ROLLBACK;
SELECT count FROM user_usage WHERE user_id = 'big-9';

DELETE FROM usage_limits_config WHERE usage_type IN ('bytes', 'trillion');
DELETE FROM usage_counters WHERE user_id IN ('big-6', 'big-7');
DELETE FROM usage_types WHERE usage_type = 'silent';
