-- Why a request would be admitted or denied: usage_explain.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2031-05-14 15:30:00+00';
\set SHOW_CONTEXT never

-- Limits of every sort on one type: windows, kinds, measures, a subtype, soft, shadow, inactive.
INSERT INTO usage_limits_config (limit_type, usage_type, free_tier_limit, pro_tier_limit, event_subtype, measure, enforcement, is_active) VALUES
	('explain_daily', 'explain', 10, 100, NULL, 'amount', 'hard', true),
	('explain_hourly', 'explain', 4, 40, NULL, 'amount', 'hard', true),
	('explain_total', 'explain', 50, -1, NULL, 'amount', 'soft', true),
	('explain_weekly', 'explain', 0, 200, NULL, 'amount', 'shadow', true),
	('explain_tokens_monthly', 'explain', 1000, 5000, NULL, 'tokens', 'hard', true),
	('explain_gpt_daily', 'explain', 1, 1, 'gpt', 'amount', 'hard', true),
	('explain_off_daily', 'explain', 1, 1, NULL, 'amount', 'hard', false),
	('explain_off_yearly', 'explain', 1, 1, NULL, 'amount', 'hard', false);

-- A new user; every limit of the type has a row, inactive ones too.
SELECT * FROM usage_explain('explain-1', 'explain') ORDER BY limit_type;

-- With usage: on the 13th, this morning, within the hour, tokens.
SELECT count(usage_track('explain-1', 'explain', n, subtype, tokens_used => 100, occurred_at => at)) FROM (VALUES
	(3, NULL, timestamptz '2031-05-13 12:00+00'), (5, 'gpt', '2031-05-14 08:00+00'), (2, NULL, '2031-05-14 15:00:30+00'), (1, 'gpt', '2031-05-14 15:29:59+00')) t (n, subtype, at);
SELECT limit_type, applies, value, source, current, remaining, allowed, reason FROM usage_explain('explain-1', 'explain') ORDER BY limit_type;
SELECT limit_type, allowed, reason FROM usage_explain('explain-1', 'explain', 2) ORDER BY limit_type;
SELECT limit_type, allowed, reason FROM usage_explain('explain-1', 'explain', 3) ORDER BY limit_type;
SELECT limit_type, allowed, reason FROM usage_explain('explain-1', 'explain', 11) ORDER BY limit_type;
-- amount 0 asks for nothing more
SELECT limit_type, allowed, reason FROM usage_explain('explain-1', 'explain', 0) ORDER BY limit_type;

-- Where a value comes from.
SELECT tier FROM usage_set_tier('explain-2', 'pro', started_at => '2031-01-01 00:00+00');
SELECT limit_value FROM usage_set_override('explain_daily', 7, tier => 'pro', starts_at => '2031-05-01 00:00+00', expires_at => '2031-06-01 00:00+00');
SELECT limit_value FROM usage_set_override('explain_hourly', 8, user_id => 'explain-2', starts_at => '2031-05-01 00:00+00');
SET usage_limits.overrides = 'explain_weekly.pro=9, explain_daily.pro=1000';
SELECT limit_type, value, source, remaining, allowed, reason FROM usage_explain('explain-2', 'explain') ORDER BY limit_type;
RESET usage_limits.overrides;

-- The windows are the user's: by his time zone, and not from before a reset.
SELECT time_zone FROM usage_set_tier('explain-2', 'pro', time_zone => 'Asia/Kathmandu');
SELECT limit_type, window_start, window_end FROM usage_explain('explain-2', 'explain') ORDER BY limit_type;
SELECT allowed FROM usage_reset('explain-1', 'explain');
SELECT limit_type, window_start, window_end, current FROM usage_explain('explain-1', 'explain') ORDER BY limit_type;

-- Enforcement for all.
SET usage_limits.enforcement = 'shadow';
SELECT limit_type, allowed, reason FROM usage_explain('explain-1', 'explain', 11) ORDER BY limit_type;
SET usage_limits.enforcement = 'off';
SELECT limit_type, allowed, reason FROM usage_explain('explain-1', 'explain', 11) ORDER BY limit_type;
RESET usage_limits.enforcement;

-- What explains a decision agrees with it, limit by limit: a request is admitted when every row allows it.
SELECT count(usage_track('explain-3-' || u, 'explain', n, CASE n % 2 WHEN 0 THEN 'gpt' END, tokens_used => n * 10,
	occurred_at => timestamptz '2031-05-14 15:30+00' - n * n * interval '13 minutes'))
FROM generate_series(0, 9) u, generate_series(1, u + 1) n;
WITH asked AS (
	SELECT 'explain-3-' || u AS user_id, amount FROM generate_series(0, 10) u, unnest(ARRAY[0, 1, 2, 3, 5, 8, 13]) amount
), explained AS (
	SELECT a.user_id, a.amount, bool_and(e.allowed) AS allowed FROM asked a, usage_explain(a.user_id, 'explain', a.amount) e GROUP BY 1, 2
)
SELECT count(*) AS asked, count(*) FILTER (WHERE e.allowed) BETWEEN 10 AND 67 AS some_allowed, count(*) FILTER (WHERE e.allowed IS DISTINCT FROM c.allowed) AS differ
FROM explained e, usage_check(e.user_id, 'explain', e.amount) c;
WITH explained AS (
	SELECT u, e.* FROM generate_series(0, 10) u, usage_explain('explain-3-' || u, 'explain') e
)
SELECT count(*) AS compared, count(*) FILTER (WHERE (e.value, e.source, e.current) IS DISTINCT FROM (s."limit", s.source, s.current)
	OR e.remaining IS DISTINCT FROM s.remaining) AS differ
FROM explained e JOIN LATERAL usage_status('explain-3-' || u) s USING (limit_type);
-- and with plain SQL over the events
WITH explained AS (
	SELECT 'explain-3-' || u AS user_id, e.* FROM generate_series(0, 9) u, usage_explain('explain-3-' || u, 'explain') e
), plain AS (
	SELECT x.user_id, x.limit_type, coalesce(sum(CASE WHEN x.limit_type LIKE '%tokens%' THEN e.tokens_used ELSE e.amount END), 0)::bigint AS current
	FROM explained x LEFT JOIN usage_events e ON e.user_id = x.user_id
		AND (x.window_start IS NULL OR e.created_at >= x.window_start) AND (x.window_end IS NULL OR e.created_at < x.window_end)
		AND (x.limit_type <> 'explain_gpt_daily' OR e.event_subtype = 'gpt')
	WHERE x.reason <> 'inactive'
	GROUP BY 1, 2
)
SELECT count(*) AS compared, count(*) FILTER (WHERE p.current <> x.current) AS differ FROM plain p JOIN explained x USING (user_id, limit_type);

-- A type without limits has nothing to explain; a limit's name is no type.
SELECT * FROM usage_explain('explain-1', 'explain_nothing');
SELECT * FROM usage_explain('explain-1', 'explain_daily');
SELECT * FROM usage_explain(NULL, 'explain');
SELECT * FROM usage_explain('explain-1', NULL);
SELECT * FROM usage_explain('explain-1', 'explain', NULL);
SELECT * FROM usage_explain('explain-1', 'explain', -1);
DELETE FROM usage_limit_overrides WHERE limit_type LIKE 'explain\_%';
DELETE FROM usage_limits_config WHERE usage_type = 'explain';
