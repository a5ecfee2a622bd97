-- Corrections: usage_adjust, usage_refund, usage_set_gauge, usage_reset.  No
-- limit refuses them, none brings usage below 0, each leaves an event.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2025-03-12 10:30:00+00';
\set SHOW_CONTEXT never
\set decision 'allowed, reason, usage_type, limit_type, requested, current, "limit", remaining, reset_at, event_id IS NOT NULL AS event'
\set event 'operation, event_subtype, amount, tokens_used, credits_used, duration_ms, status, error_message, metadata, created_at, bucket_start, refund_of IS NOT NULL AS refund'

-- The outcome of a refund that is refused; ids differ from run to run.
CREATE FUNCTION pg_temp.refund(event_id bigint, amount bigint DEFAULT NULL, user_id text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	PERFORM usage_refund(event_id, amount, user_id);
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(' / ', SQLSTATE || ': ' || replace(SQLERRM, event_id::text, 'N'), nullif(detail, ''));
END $$;

-- usage_adjust: up, beyond the limit too, and down, booked now.
SELECT :decision FROM usage_adjust('fix-1', 'export', 2, 'forgotten');
SELECT :decision FROM usage_adjust('fix-1', 'export', 3, 'it''s "x"', 'mp4', '{"by": "x''y"}');
SELECT :decision FROM usage_consume('fix-1', 'export');
SELECT :decision FROM usage_adjust('fix-1', 'export', -4, 'too much');
SELECT :decision FROM usage_consume('fix-1', 'export', 2);
SELECT :decision FROM usage_adjust('fix-1', 'export', 0);
SELECT :event FROM usage_events WHERE user_id = 'fix-1' ORDER BY id;
SELECT event_subtype, amount, events FROM usage_counters WHERE user_id = 'fix-1' ORDER BY event_subtype;
SELECT count, metadata FROM user_usage WHERE user_id = 'fix-1';
-- not below 0 in any window that contains now: 3 are left of today's
SELECT usage_adjust('fix-1', 'export', -4);
SELECT :decision FROM usage_adjust('fix-1', 'export', -3);
SELECT usage_adjust('fix-1', 'export', -1);
-- what was used on other days is not today's to take from
SELECT usage_track('fix-2', 'export', 5, occurred_at => '2025-03-11 10:00:00+00') > 0 AS tracked;
SELECT usage_adjust('fix-2', 'export', -1);
SELECT :decision FROM usage_check_limit('fix-2', 'exports_monthly');
-- a type without limits: not below 0 since ever
SELECT usage_track('fix-3', 'free_text', 5, occurred_at => '2024-03-11 10:00:00+00') > 0 AS tracked;
SELECT usage_adjust('fix-3', 'free_text', -6);
SELECT :decision FROM usage_adjust('fix-3', 'free_text', -5);
SELECT usage_adjust('fix-3', 'free_text', -1);
-- a limit on a subtype is looked at for that subtype
INSERT INTO usage_limits_config (limit_type, usage_type, event_subtype, free_tier_limit) VALUES
	('prints_daily', 'print', NULL, 10), ('prints_a4_daily', 'print', 'a4', 10);
SELECT allowed FROM usage_consume('fix-4', 'print', 2, 'a4');
SELECT allowed FROM usage_consume('fix-4', 'print', 3, 'a3');
SELECT usage_adjust('fix-4', 'print', -3, event_subtype => 'a4');
SELECT :decision FROM usage_adjust('fix-4', 'print', -2, event_subtype => 'a4');
SELECT :decision FROM usage_adjust('fix-4', 'print', -3, event_subtype => 'a3');
DELETE FROM usage_limits_config WHERE usage_type = 'print';
-- what the transaction itself has used can be taken back
BEGIN;
SELECT allowed FROM usage_consume('fix-5', 'export', 3);
SELECT :decision FROM usage_adjust('fix-5', 'export', -2);
SELECT :decision FROM usage_consume('fix-5', 'export', 2);
COMMIT;
SELECT count FROM user_usage WHERE user_id = 'fix-5';

-- A gauge is a level: what is given back is free at once, at any time.
SELECT :decision FROM usage_consume('fix-6', 'project_create', 5);
SELECT :decision FROM usage_consume('fix-6', 'project_create');
SET usage_limits.test_clock = '2025-06-01 10:30:00+00';
SELECT :decision FROM usage_consume('fix-6', 'project_create');
SELECT :decision FROM usage_adjust('fix-6', 'project_create', -2, 'deleted');
SELECT :decision FROM usage_consume('fix-6', 'project_create', 2);
SELECT :decision FROM usage_adjust('fix-6', 'project_create', -5);
SELECT usage_adjust('fix-6', 'project_create', -1);
SELECT bucket_start, amount FROM usage_counters WHERE user_id = 'fix-6' ORDER BY bucket_start;
SELECT usage_date, count FROM user_usage WHERE user_id = 'fix-6' ORDER BY usage_date;
SET usage_limits.test_clock = '2025-03-12 10:30:00+00';

-- usage_set_gauge sets the level, whatever it was and whatever the limit.
SELECT :decision FROM usage_set_gauge('fix-7', 'storage_mb', 300);
SELECT :decision FROM usage_consume('fix-7', 'storage_mb', 201);
SELECT :decision FROM usage_consume('fix-7', 'storage_mb', 200);
SELECT :decision FROM usage_set_gauge('fix-7', 'storage_mb', 700);
SELECT :decision FROM usage_consume('fix-7', 'storage_mb', 1);
SELECT :decision FROM usage_set_gauge('fix-7', 'storage_mb', 0);
SELECT :decision FROM usage_set_gauge('fix-7', 'storage_mb', 0);
SELECT :event FROM usage_events WHERE user_id = 'fix-7' ORDER BY id;
-- over days, subtypes and inside one transaction
SELECT usage_track('fix-8', 'storage_mb', 40, 'images', occurred_at => '2025-01-01 00:00:00+00') > 0 AS tracked;
SELECT usage_track('fix-8', 'storage_mb', 50, 'videos') > 0 AS tracked;
BEGIN;
SELECT allowed FROM usage_consume('fix-8', 'storage_mb', 5);
SELECT :decision FROM usage_set_gauge('fix-8', 'storage_mb', 20);
SAVEPOINT s;
SELECT current FROM usage_set_gauge('fix-8', 'storage_mb', 499);
ROLLBACK TO s;
SELECT :decision FROM usage_consume('fix-8', 'storage_mb', 480);
COMMIT;
SELECT sum(amount) FROM usage_counters WHERE user_id = 'fix-8';
-- a type without limits may be anything, a counter is no level
SELECT :decision FROM usage_set_gauge('fix-9', 'free_text', 7);
SELECT usage_set_gauge('fix-9', 'export', 7);
SELECT usage_set_gauge('fix-9', 'storage_mb', -1);
-- below 0 by hand, it is set right
INSERT INTO usage_counters (user_id, usage_type, bucket_start, amount) VALUES ('fix-10', 'storage_mb', '2025-03-12 00:00:00+00', -5);
SELECT current, remaining FROM usage_check_limit('fix-10', 'storage_mb');
SELECT current, remaining FROM usage_set_gauge('fix-10', 'storage_mb', 10);

-- usage_refund: in parts, with tokens, credits and duration in proportion, until nothing is left.
SELECT event_id AS refundable FROM usage_consume('fix-11', 'prompt', 7, 'gpt-4o', tokens_used => 100, credits_used => 10, duration_ms => 1) \gset
SELECT :decision FROM usage_refund(:refundable, 3);
SELECT amount, tokens_used, credits_used, duration_ms, events FROM usage_counters WHERE user_id = 'fix-11';
SELECT :decision FROM usage_refund(:refundable, 2, 'fix-11');
SELECT amount, tokens_used, credits_used, duration_ms, events FROM usage_counters WHERE user_id = 'fix-11';
SELECT pg_temp.refund(:refundable, 3);
SELECT :decision FROM usage_refund(:refundable, 0);
SELECT :decision FROM usage_refund(:refundable);
SELECT amount, tokens_used, credits_used, duration_ms, events FROM usage_counters WHERE user_id = 'fix-11';
-- again: nothing is left to give back
SELECT :decision FROM usage_refund(:refundable);
SELECT pg_temp.refund(:refundable, 1);
SELECT :event FROM usage_events WHERE user_id = 'fix-11' ORDER BY id;
-- the parts add up, whatever they are
SELECT event_id AS refundable FROM usage_consume('fix-12', 'free_text', 13, tokens_used => 999999999999999, credits_used => 5) \gset
SELECT sum((usage_refund(:refundable, n)).requested) FROM generate_series(1, 4) AS n;
SELECT requested FROM usage_refund(:refundable);
SELECT sum(amount) AS amount, sum(tokens_used) AS tokens, sum(credits_used) AS credits, min(tokens_used) AS least FROM usage_counters WHERE user_id = 'fix-12';
SELECT amount, tokens_used, credits_used FROM usage_events WHERE user_id = 'fix-12' AND operation = 'refund' ORDER BY id;

-- It is booked in the event's own bucket: yesterday's export is not one more today.
SELECT allowed FROM usage_consume('fix-13', 'export', 2);
SELECT usage_track('fix-13', 'export', 3, occurred_at => '2025-03-11 10:00:00+00') AS refundable \gset
SELECT :decision FROM usage_refund(:refundable, 1);
SELECT usage_date, count FROM user_usage WHERE user_id = 'fix-13' ORDER BY usage_date;
SELECT limit_type, current FROM usage_status('fix-13') WHERE usage_type = 'export' ORDER BY limit_type;
SELECT created_at, bucket_start FROM usage_events WHERE user_id = 'fix-13' AND operation = 'refund';

-- An event of amount 0 that used tokens is refunded once.
SELECT usage_track('fix-14', 'prompt', 0, tokens_used => 50) AS refundable \gset
SELECT requested, event_id IS NOT NULL AS event FROM usage_refund(:refundable);
SELECT requested, event_id IS NOT NULL AS event FROM usage_refund(:refundable);
SELECT amount, tokens_used FROM usage_counters WHERE user_id = 'fix-14';

-- In the transaction of the event, and taken back with it.
BEGIN;
SELECT event_id AS refundable FROM usage_consume('fix-15', 'export', 3) \gset
SELECT allowed FROM usage_consume('fix-15', 'export', 1);
SELECT :decision FROM usage_refund(:refundable, 1);
SELECT :decision FROM usage_consume('fix-15', 'export', 1);
SAVEPOINT s;
SELECT :decision FROM usage_refund(:refundable);
ROLLBACK TO s;
SELECT :decision FROM usage_refund(:refundable, 2);
ROLLBACK;
SELECT pg_temp.refund(:refundable);

-- What was adjusted away in between is not given back a second time.
SELECT event_id AS refundable FROM usage_consume('fix-16', 'export', 3) \gset
SELECT current FROM usage_adjust('fix-16', 'export', -2);
SELECT pg_temp.refund(:refundable);
SELECT :decision FROM usage_refund(:refundable, 1);

-- What can't be refunded: another user's event, none, and what was never booked.
SELECT event_id AS refundable FROM usage_consume('fix-17', 'export', 1) \gset
SELECT event_id AS adjusted FROM usage_adjust('fix-17', 'export', 1) \gset
SELECT event_id AS refunded FROM usage_refund(:refundable) \gset
SELECT event_id AS reset FROM usage_reset('fix-17', 'export') \gset
SELECT usage_track('fix-17', 'export', status => 'failed') AS failed \gset
SELECT pg_temp.refund(:refundable, NULL, 'fix-16') AS other_user, pg_temp.refund(:refundable, 1, 'nobody') AS no_user,
	pg_temp.refund(9223372036854775807) AS none, pg_temp.refund(0) AS zero, pg_temp.refund(-1) AS negative;
SELECT pg_temp.refund(:adjusted) AS adjusted, pg_temp.refund(:refunded) AS refunded, pg_temp.refund(:reset) AS reset, pg_temp.refund(:failed) AS failed;
SELECT pg_temp.refund(:refundable, -1) AS negative, pg_temp.refund(:refundable, 1000000000000001) AS too_much,
	pg_temp.refund(:refundable, 1, '') AS empty;

-- A refund leaves its event whatever is logged: it is what keeps the next one out.
SELECT event_id AS refundable FROM usage_consume('fix-18', 'export', 1) \gset
SET usage_limits.analytics_enabled = off;
SELECT event_id IS NOT NULL AS event FROM usage_refund(:refundable);
SELECT event_id IS NOT NULL AS event, requested FROM usage_refund(:refundable);
SELECT event_id IS NOT NULL AS event FROM usage_adjust('fix-18', 'export', 1);
SELECT event_id IS NOT NULL AS event FROM usage_reset('fix-18', 'export');
RESET usage_limits.analytics_enabled;

-- usage_reset: every window of the type starts anew, nothing is deleted.
SELECT allowed FROM usage_consume('fix-19', 'export', 3);
SELECT allowed FROM usage_consume('fix-19', 'prompt', 3);
SELECT :decision FROM usage_reset('fix-19', 'export');
SELECT :decision FROM usage_consume('fix-19', 'export', 3);
SELECT :decision FROM usage_consume('fix-19', 'export', 1);
SELECT limit_type, current FROM usage_status('fix-19') WHERE usage_type IN ('export', 'prompt') ORDER BY limit_type;
SELECT count FROM user_usage WHERE user_id = 'fix-19' AND usage_type = 'export';
SELECT bucket_start, amount FROM usage_counters WHERE user_id = 'fix-19' AND usage_type = 'export' ORDER BY bucket_start;
-- also twice at the same instant, and with what was used in between
SELECT current FROM usage_reset('fix-19', 'export');
SELECT current FROM usage_reset('fix-19', 'export');
SELECT :decision FROM usage_consume('fix-19', 'export', 2);
SELECT current FROM usage_check_limit('fix-19', 'exports_monthly');
SELECT user_id, usage_type, reset_at FROM usage_resets WHERE user_id = 'fix-19' ORDER BY reset_at;
-- what happened before the reset stays before it
SELECT usage_track('fix-19', 'export', 1, occurred_at => '2025-03-12 10:29:59+00') > 0 AS tracked;
SELECT current FROM usage_check_limit('fix-19', 'exports_monthly');
-- in a transaction, and rolled back
BEGIN;
SELECT current FROM usage_reset('fix-19', 'export');
SELECT :decision FROM usage_consume('fix-19', 'export', 3);
ROLLBACK;
SELECT current FROM usage_check_limit('fix-19', 'exports_daily');
BEGIN;
SELECT :decision FROM usage_consume('fix-19', 'export', 1);
SELECT current FROM usage_reset('fix-19', 'export');
SELECT :decision FROM usage_consume('fix-19', 'export', 2);
COMMIT;
SELECT current FROM usage_check_limit('fix-19', 'exports_daily');
-- a level starts at 0 again, a sliding window is empty
SELECT allowed FROM usage_consume('fix-20', 'storage_mb', 400);
SELECT :decision FROM usage_reset('fix-20', 'storage_mb');
SELECT usage_adjust('fix-20', 'storage_mb', -1);
SELECT current FROM usage_set_gauge('fix-20', 'storage_mb', 30);
SELECT allowed FROM usage_consume('fix-20', 'api_call', 60);
SELECT :decision FROM usage_reset('fix-20', 'api_call');
SELECT :decision FROM usage_consume('fix-20', 'api_call', 60);
SELECT :decision FROM usage_consume('fix-20', 'api_call', 1);
-- what is booked a moment ahead is before the reset too; until then nothing is there to be taken
SELECT usage_track('fix-30', 'api_call', 5, occurred_at => '2025-03-12 10:31:00+00') > 0 AS tracked;
SELECT :decision FROM usage_reset('fix-30', 'api_call');
SELECT usage_adjust('fix-30', 'api_call', -1);
SELECT :decision FROM usage_adjust('fix-30', 'api_call', 2);
SELECT :decision FROM usage_adjust('fix-30', 'api_call', -1);
-- a type without limits, of a user who never used it
SELECT :decision FROM usage_reset('fix-21', 'free_text');
-- what was used before a reset can be refunded, and changes nothing after it
SELECT event_id AS refundable FROM usage_consume('fix-22', 'export', 3) \gset
SELECT current FROM usage_reset('fix-22', 'export');
SELECT allowed FROM usage_consume('fix-22', 'export', 1);
SELECT :decision FROM usage_refund(:refundable);
SELECT :event FROM usage_events WHERE user_id = 'fix-22' ORDER BY id;
