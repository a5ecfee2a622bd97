-- A denial as an error: usage_enforce.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2025-03-12 10:30:00.25+00';
\set SHOW_CONTEXT never
\set decision 'allowed, reason, usage_type, limit_type, requested, current, "limit", remaining, reset_at, retry_after, event_id IS NOT NULL AS event'

-- Admitted, it answers as usage_consume.
SELECT :decision FROM usage_enforce('enforce-1', 'export', 2);
SELECT event_id FROM usage_enforce('enforce-1', 'prompt', 2, 'it''s "x''y"', '11111111-2222-3333-4444-555555555555',
	'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee', 1200, 7, 350, '{"a": "x''y"}', 'key') \gset
SELECT event_subtype, project_id, scene_id, tokens_used, credits_used, duration_ms, status, metadata, amount
FROM usage_events WHERE id = :event_id;

-- Denied, it raises PT429, whose detail is JSON.
SELECT usage_enforce('enforce-1', 'export', 2);
\echo :LAST_ERROR_SQLSTATE
SELECT usage_enforce('enforce-1', 'export', 4);
\echo :LAST_ERROR_SQLSTATE
SELECT count FROM user_usage WHERE user_id = 'enforce-1' AND usage_type = 'export';

-- It can be caught, and what the block had done is given back.
CREATE FUNCTION pg_temp.export(user_id text, amount bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	PERFORM usage_track(user_id, 'free_text', amount);
	PERFORM usage_enforce(user_id, 'export', amount);
	RETURN '"exported"';
EXCEPTION WHEN SQLSTATE 'PT429' THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN detail::jsonb || jsonb_build_object('message', SQLERRM, 'hint', hint);
END $$;
SELECT pg_temp.export('enforce-1', 1);
SELECT jsonb_pretty(pg_temp.export('enforce-1', 1));
SELECT usage_type, count FROM user_usage WHERE user_id = 'enforce-1' ORDER BY usage_type;
BEGIN;
SELECT pg_temp.export('enforce-2', 1);
SELECT pg_temp.export('enforce-2', 3) ->> 'retryAfter' AS retry_after;
SELECT pg_temp.export('enforce-2', 2);
COMMIT;
SELECT usage_type, count FROM user_usage WHERE user_id = 'enforce-2' ORDER BY usage_type;

-- Uncaught, it takes its transaction with it.
BEGIN;
SELECT allowed FROM usage_consume('enforce-3', 'export', 3);
SELECT usage_enforce('enforce-3', 'export');
SELECT 1;
COMMIT;
SELECT count(*) FROM usage_counters WHERE user_id = 'enforce-3';

-- The sentence for people.
INSERT INTO usage_limits_config (limit_type, free_tier_limit, description) VALUES
	('it''s "quoted" \_daily', 1, E'Line 1\nLine "2" \\ é'), ('blocks_daily', 0, NULL), ('levels', 10, NULL);
SELECT allowed FROM usage_consume('enforce-4', 'it''s "quoted" \');
SELECT usage_enforce('enforce-4', 'it''s "quoted" \');
SELECT usage_enforce('enforce-4', 'block');
SELECT allowed FROM usage_consume('enforce-4', 'level', 9);
SELECT usage_enforce('enforce-4', 'level', 2);
SELECT allowed FROM usage_consume('enforce-4', 'api_call', 60);
SELECT usage_enforce('enforce-4', 'api_call', 1);
SELECT usage_enforce('enforce-4', 'api_call', 61);

-- The instants are as JSON has them, in the session's zone, whatever its date style.
SET timezone = 'America/New_York';
SET datestyle = 'German, DMY';
SELECT usage_enforce('enforce-4', 'it''s "quoted" \');
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

-- What does not deny does not raise.
SET usage_limits.enforcement = 'off';
SELECT reason FROM usage_enforce('enforce-4', 'block');
SET usage_limits.enforcement = 'shadow';
SELECT reason FROM usage_enforce('enforce-4', 'block');
RESET usage_limits.enforcement;
SET usage_limits.tracking_enabled = off;
SELECT reason FROM usage_enforce('enforce-4', 'block');
RESET usage_limits.tracking_enabled;

DELETE FROM usage_limits_config WHERE usage_type IN ('it''s "quoted" \', 'block', 'level');
