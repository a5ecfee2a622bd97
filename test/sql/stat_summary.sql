-- What an application shows a user: usage_summary.
SET timezone = 'UTC';
SET usage_limits.test_clock = '2031-02-10 15:30:00+00';
\set SHOW_CONTEXT never

-- A user that nobody knows, and one that has used something.
SELECT usage_summary('summary-1')->'tier' AS tier, usage_summary('summary-1')->'prompts' AS prompts;
SELECT count(usage_track('summary-1', 'prompt')) FROM generate_series(1, 3);
SELECT usage_summary('summary-1')->'prompts' AS prompts;

-- Of several limits of a name the one with the least left is shown: by the day, by the month, and by name where both have as much.
SELECT usage_summary('summary-1')->'exports' AS exports;
SELECT usage_track('summary-1', 'export', 9, occurred_at => '2031-02-09 12:00+00') > 0 AS tracked;
SELECT usage_summary('summary-1')->'exports' AS exports;
SELECT usage_track('summary-2', 'export', 7, occurred_at => '2031-02-09 12:00+00') > 0 AS tracked;
SELECT usage_summary('summary-2')->'exports' AS exports;

-- What is used up is not allowed; what is over its limit has 0 left.
SELECT usage_track('summary-2', 'prompt', 10) > 0 AS tracked;
SELECT usage_summary('summary-2')->'prompts' AS prompts;
SELECT usage_track('summary-2', 'prompt', 10) > 0 AS tracked;
SELECT usage_summary('summary-2')->'prompts' AS prompts;

-- Unlimited users see their true usage, which has nothing left to name.
SELECT tier FROM usage_set_tier('summary-3', 'enterprise', started_at => '2031-01-01 00:00+00');
SELECT usage_track('summary-3', 'prompt', 5000) > 0 AS tracked;
SELECT usage_summary('summary-3')->'tier' AS tier, usage_summary('summary-3')->'prompts' AS prompts;

-- The tier is the one that counts now.
SELECT tier FROM usage_set_tier('summary-4', 'pro', started_at => '2031-01-01 00:00+00', expires_at => '2031-02-10 15:30+00');
SELECT usage_summary('summary-4')->>'tier' AS tier, usage_summary('summary-4')->'prompts'->'limit' AS prompts;
SET usage_limits.test_clock = '2031-02-10 15:29:59+00';
SELECT usage_summary('summary-4')->>'tier' AS tier, usage_summary('summary-4')->'prompts'->'limit' AS prompts;
SET usage_limits.test_clock = '2031-02-10 15:30:00+00';

-- Gauges, sliding windows and limits without a window.
SELECT usage_track('summary-1', 'storage_mb', 120) > 0 AS tracked;
SELECT usage_track('summary-1', 'api_call', 59) > 0 AS tracked;
SELECT key, value FROM jsonb_each(usage_summary('summary-1'))
WHERE key IN ('storage_mb', 'projects', 'concurrent_renders', 'api_calls') ORDER BY key;

-- Each limit by itself, with what it counts and where its value comes from.
SELECT limit_value FROM usage_set_override('prompts_daily', 25, user_id => 'summary-1', starts_at => '2031-01-01 00:00+00');
SELECT usage_summary('summary-1')->'limits'->'prompts_daily' AS prompts_daily;
SELECT usage_summary('summary-1')->'limits'->'exports_monthly' AS exports_monthly;

-- What is not denied is allowed, though nothing is left.
UPDATE usage_limits_config SET enforcement = 'soft' WHERE limit_type = 'prompts_daily';
SELECT usage_summary('summary-2')->'prompts' AS soft;
UPDATE usage_limits_config SET enforcement = 'hard' WHERE limit_type = 'prompts_daily';
SET usage_limits.enforcement = 'off';
SELECT usage_summary('summary-2')->'prompts' AS off;
RESET usage_limits.enforcement;

-- A limit may have any name; the keys tier and limits stay what they are.
INSERT INTO usage_limits_config (limit_type, usage_type, free_tier_limit, description) VALUES
	('tier_daily', 'summary', 5, NULL), ('limits', 'summary', 6, 'it''s "quoted"'), ('a "b" \c_weekly', 'summary', 7, NULL);
SELECT usage_summary('summary-1')->'tier' AS tier, usage_summary('summary-1')->'a "b" \c' AS quoted,
	usage_summary('summary-1')->'limits'->'limits' AS limits;

-- The same answers as usage_status and usage_limits_config give, limit by limit, for each user.
CREATE TEMP VIEW summary_limits AS
SELECT u.user_id, l.key AS limit_type, x."usageType", x.kind, x.allowed, x.current, x."limit", x.remaining, x."resetAt", x.source, x.title
FROM (SELECT 'summary-' || n AS user_id FROM generate_series(1, 5) n) u,
	jsonb_each(usage_summary(u.user_id)->'limits') l,
	jsonb_to_record(l.value) AS x ("limitType" text, "usageType" text, kind text, allowed boolean, current bigint, "limit" bigint,
		remaining bigint, "resetAt" timestamptz, source text, title text)
WHERE x."limitType" = l.key;
CREATE TEMP VIEW status_limits AS
SELECT u.user_id, s.limit_type, s.usage_type, s.kind, s.allowed, s.current, s."limit", s.remaining, s.reset_at, s.source, c.description
FROM (SELECT 'summary-' || n AS user_id FROM generate_series(1, 5) n) u,
	usage_status(u.user_id) s JOIN usage_limits_config c USING (limit_type);
SELECT count(*) >= 5 * 11 AS compared FROM status_limits;
SELECT * FROM summary_limits EXCEPT ALL SELECT * FROM status_limits;
SELECT * FROM status_limits EXCEPT ALL SELECT * FROM summary_limits;

-- A key for every name, none more.
CREATE TEMP VIEW summary_keys AS
SELECT u.user_id, k.key FROM (SELECT 'summary-' || n AS user_id FROM generate_series(1, 5) n) u, jsonb_object_keys(usage_summary(u.user_id)) AS k (key);
CREATE TEMP VIEW status_keys AS
SELECT DISTINCT user_id, regexp_replace(limit_type, '_(minutely|hourly|daily|weekly|monthly|yearly|total)$', '') AS key FROM status_limits
UNION SELECT DISTINCT user_id, unnest(ARRAY['tier', 'limits']) FROM status_limits;
SELECT * FROM summary_keys EXCEPT ALL SELECT * FROM status_keys;
SELECT * FROM status_keys EXCEPT ALL SELECT * FROM summary_keys;

-- An inactive limit is as if it were not there.
UPDATE usage_limits_config SET is_active = false WHERE limit_type = 'a "b" \c_weekly';
SELECT usage_summary('summary-1') ? 'a "b" \c' AS shown, usage_summary('summary-1')->'limits' ? 'a "b" \c_weekly' AS listed;
DELETE FROM usage_limits_config WHERE usage_type = 'summary';

-- Instants are in the session's time zone.
SET timezone = 'Asia/Kathmandu';
SELECT usage_summary('summary-1')->'prompts'->'resetAt' AS reset_at;
SET timezone = 'UTC';

-- It counts what its own transaction has used, and writes nothing.
BEGIN;
SELECT usage_track('summary-5', 'prompt', 4) > 0 AS tracked;
SELECT usage_summary('summary-5')->'prompts' AS prompts;
ROLLBACK;
BEGIN READ ONLY;
SELECT usage_summary('summary-5')->'prompts' AS prompts;
COMMIT;

SELECT usage_summary(NULL);
SELECT usage_summary('');
