-- Anniversary windows: any number of months, weeks or days, or a length of
-- time, from the instant from which a subscription is counted.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
\set SHOW_CONTEXT never
CREATE FUNCTION pg_temp.clock(at timestamptz) RETURNS void LANGUAGE sql AS
	$$ SELECT set_config('usage_limits.test_clock', at::text, false) $$;
CREATE FUNCTION pg_temp.window_at(who text, type text, at timestamptz, OUT starts timestamptz, OUT ends timestamptz) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_temp.clock(at);
	SELECT e.window_start, e.window_end INTO starts, ends FROM usage_explain(who, type) e;
END $$;
INSERT INTO usage_limits_config (limit_type, period, alignment, free_tier_limit) VALUES
	('am_monthly', NULL, 'anniversary', 5), ('aq', '3 months', 'anniversary', 5), ('aw_weekly', NULL, 'anniversary', 5), ('af', '14 days', 'anniversary', 5),
	('ad_daily', NULL, 'anniversary', 5), ('ad30', '30 days', 'anniversary', 5), ('ay_yearly', NULL, 'anniversary', 5), ('ah', '5 hours', 'anniversary', 5),
	('ax_hourly', NULL, 'anniversary', 5), ('a24', '24 hours', 'anniversary', 5);
SELECT limit_type, usage_type, kind, period, alignment FROM usage_limits_config WHERE alignment = 'anniversary' ORDER BY limit_type;

-- No drift: the 31st is followed by the last day of February and by the 31st.
INSERT INTO user_subscriptions (user_id, tier, started_at, anchor_at) VALUES
	('anni-31', 'free', '2024-05-05 05:05:05+00', '2025-01-31 15:30:00.25+00'),
	('anni-leap', 'free', '2020-01-01 00:00:00+00', '2024-02-29 00:00:00+00'),
	('anni-start', 'free', '2025-01-30 00:00:00+00', NULL),
	('anni-none', 'free', NULL, NULL),
	('anni-infinite', 'free', '-infinity', 'infinity');
SELECT at, w.* FROM (VALUES (timestamptz '2024-11-30 15:30:00.249999+00'), ('2024-11-30 15:30:00.25+00'), ('2025-01-31 15:30:00.249999+00'),
	('2025-01-31 15:30:00.25+00'), ('2025-02-28 15:30:00.249999+00'), ('2025-02-28 15:30:00.25+00'), ('2025-03-31 15:30:00.249999+00'),
	('2025-03-31 15:30:00.25+00'), ('2025-04-30 15:30:00.25+00'), ('2028-02-29 15:30:00.249999+00'), ('2028-02-29 15:30:00.25+00')) AS v(at),
	pg_temp.window_at('anni-31', 'am', at) AS w;
SELECT t, at, w.* FROM (VALUES ('ay', timestamptz '2025-02-27 23:59:59+00'), ('ay', '2025-02-28 00:00:00+00'), ('ay', '2028-02-28 23:59:59+00'), ('ay', '2028-02-29 00:00:00+00'),
	('ay', '2019-06-01 00:00:00+00'), ('am', '2024-03-29 00:00:00+00'), ('aq', '2024-02-28 23:59:59+00'), ('aq', '2024-05-29 00:00:00+00'), ('am', '2100-02-28 00:00:00+00'), ('ay', '2100-02-28 12:00:00+00')) AS v(t, at),
	pg_temp.window_at('anni-leap', t, at) AS w;
-- weeks, fortnights, days and hours, before and after the anchor
SELECT t, w.* FROM unnest(ARRAY['aw', 'af', 'ad', 'ad30', 'ah', 'ax', 'a24']) AS t, pg_temp.window_at('anni-31', t, '2025-03-12 10:00:00+00') AS w;
SELECT t, w.* FROM unnest(ARRAY['aw', 'af', 'ad', 'ad30', 'ah', 'ax', 'a24']) AS t, pg_temp.window_at('anni-31', t, '2024-12-12 10:00:00+00') AS w;

-- anchor_at goes before started_at; who has neither, and who has no subscription, has calendar windows.
SELECT u, t, w.* FROM unnest(ARRAY['anni-start', 'anni-none', 'anni-infinite', 'anni-unknown']) AS u, unnest(ARRAY['am', 'aw', 'ad', 'ay', 'aq']) AS t,
	pg_temp.window_at(u, t, '2025-03-12 10:00:00+00') AS w;
SELECT count(*) AS windows, count(*) FILTER (WHERE w.starts <> date_trunc(unit, at) OR w.ends <> date_trunc(unit, at) + ('1 ' || unit)::interval) AS wrong
FROM (VALUES ('am', 'month'), ('aw', 'week'), ('ad', 'day'), ('ay', 'year'), ('ax', 'hour')) AS v(t, unit),
	generate_series(timestamptz '2023-12-20 12:00:00+00', '2024-03-10', '19 hours') AS at, pg_temp.window_at('anni-none', t, at) AS w;
-- other lengths are counted from a Monday that is a first of January: quarters are those of the year, five hours are as good as any
SELECT t, w.* FROM unnest(ARRAY['aq', 'af', 'ad30', 'ah']) AS t, pg_temp.window_at('anni-none', t, '2025-03-12 10:00:00+00') AS w;

-- The zone is the user's, else the limit's: the anchor's date and time of day are what the clock there showed.
UPDATE usage_limits_config SET time_zone = 'America/New_York' WHERE limit_type = 'am_monthly';
INSERT INTO user_subscriptions (user_id, tier, time_zone, anchor_at) VALUES
	('anni-limit-zone', 'free', NULL, '2025-02-01 03:00:00+00'), ('anni-user-zone', 'free', 'Asia/Kathmandu', '2025-02-01 03:00:00+00');
SELECT u, at, w.* FROM (VALUES ('anni-limit-zone', timestamptz '2025-03-12 00:00:00+00'), ('anni-limit-zone', '2025-02-15 00:00:00+00'), ('anni-user-zone', '2025-03-12 00:00:00+00')) AS v(u, at),
	pg_temp.window_at(u, 'am', at) AS w;
UPDATE usage_limits_config SET time_zone = 'UTC' WHERE limit_type = 'am_monthly';

-- Where clocks change: the window that holds an instant is the one whose
-- beginning, in the zone's own time, the zone's clock had reached last.
-- Worked out here in plain SQL, on a grid of instants, from PostgreSQL's own
-- interval arithmetic on local times.
INSERT INTO user_subscriptions (user_id, tier, time_zone, anchor_at)
SELECT 'anni-' || zone || local, 'free', zone, local AT TIME ZONE zone FROM (VALUES
	-- on the way to a skipped half past two, and an hour shown twice
	('America/New_York', timestamp '2025-01-09 02:30'), ('America/New_York', '2025-01-31 00:00'), ('America/New_York', '2025-10-02 01:30'),
	('Europe/Budapest', '2025-01-30 02:30'), ('Europe/Budapest', '2024-12-31 23:45'), ('Europe/Budapest', '2025-09-26 02:15'),
	-- half an hour at a time
	('Australia/Lord_Howe', '2025-01-05 02:15'), ('Australia/Lord_Howe', '2024-08-06 01:45'), ('Australia/Lord_Howe', '2025-03-05 00:00'),
	-- five hours and three quarters from UTC
	('Asia/Kathmandu', '2025-01-31 00:00'), ('Asia/Kathmandu', '2025-02-28 13:15'),
	-- midnight that was not, and was twice
	('America/Sao_Paulo', '2018-01-04 00:00'), ('America/Sao_Paulo', '2018-01-17 23:30'), ('America/Havana', '2025-01-09 00:00'),
	-- a day that was not
	('Pacific/Apia', '2011-11-30 00:00'), ('Pacific/Apia', '2011-10-29 12:00'), ('UTC', '2023-12-31 00:00')
) AS v(zone, local);
CREATE FUNCTION pg_temp.wrong(type text, every interval, around timestamptz, reach interval, step interval, OUT instants bigint, OUT wrong bigint) LANGUAGE sql AS $$
	WITH anchors AS (
		SELECT s.user_id, s.time_zone, s.anchor_at AT TIME ZONE s.time_zone AS local FROM user_subscriptions s
		WHERE s.user_id LIKE 'anni-%/%' OR s.user_id LIKE 'anni-UTC%'),
	beginnings AS MATERIALIZED (
		SELECT a.user_id, n, a.local + n * every AS begins FROM anchors a, generate_series(-400, 1000) AS n
		WHERE a.local + n * every BETWEEN around - reach - every - interval '2 days' AND around + reach + every + interval '2 days'),
	instants AS MATERIALIZED (
		SELECT a.user_id, at, max((SELECT max(b.n) FROM beginnings b WHERE b.user_id = a.user_id AND b.begins <= at AT TIME ZONE a.time_zone)) OVER (PARTITION BY a.user_id ORDER BY at) AS n
		FROM anchors a, generate_series(around - reach, around + reach, step) AS at),
	windows AS (
		SELECT i.user_id, i.n, min(i.at) AS starts, lead(min(i.at)) OVER (PARTITION BY i.user_id ORDER BY i.n) AS ends, lag(i.n) OVER (PARTITION BY i.user_id ORDER BY i.n) AS before
		FROM instants i GROUP BY i.user_id, i.n)
	SELECT count(*), count(*) FILTER (WHERE (w.starts, w.ends) IS DISTINCT FROM (x.starts, x.ends))
	FROM windows w JOIN instants i USING (user_id, n), pg_temp.window_at(i.user_id, type, i.at) AS x
	WHERE w.before IS NOT NULL AND w.ends IS NOT NULL
$$;
-- days, on every quarter of an hour around the changes of clocks
SELECT around, w.* FROM unnest(ARRAY[timestamptz '2025-03-09', '2025-11-02', '2025-03-30', '2025-10-26', '2025-04-05', '2025-10-04', '2018-02-18', '2018-11-04', '2011-12-30']) AS around,
	pg_temp.wrong('ad', '1 day', around, '36 hours', '15 minutes') AS w;
-- any length: a window begins at the first instant at which the clock reads its beginning or later
CREATE FUNCTION pg_temp.wrong(type text, every interval, OUT windows bigint, OUT wrong bigint) LANGUAGE sql AS $$
	WITH beginnings AS (
		SELECT s.user_id, n, (SELECT min(at) FROM generate_series((b.begins AT TIME ZONE s.time_zone) - interval '26 hours',
				(b.begins AT TIME ZONE s.time_zone) + interval '26 hours', '15 minutes') AS at WHERE at AT TIME ZONE s.time_zone >= b.begins) AS at
		FROM user_subscriptions s, generate_series(-30, 30) AS n,
			LATERAL (SELECT (s.anchor_at AT TIME ZONE s.time_zone) + n * every AS begins) AS b
		WHERE s.user_id LIKE 'anni-%/%' OR s.user_id LIKE 'anni-UTC%'),
	windows AS (
		SELECT b.user_id, b.n, lag(b.at) OVER w AS before, b.at, lead(b.at) OVER w AS ends FROM beginnings b WINDOW w AS (PARTITION BY b.user_id ORDER BY b.n))
	SELECT count(*), count(*) FILTER (WHERE (x.starts, x.ends) IS DISTINCT FROM (w.at, w.ends) OR (y.starts, y.ends) IS DISTINCT FROM (w.before, w.at))
	FROM windows w, pg_temp.window_at(w.user_id, type, w.at) AS x, pg_temp.window_at(w.user_id, type, w.at - interval '1 microsecond') AS y
	-- but for windows of no length
	WHERE w.before < w.at AND w.at < w.ends AND w.ends IS NOT NULL
$$;
SELECT t, w.* FROM (VALUES ('aw', interval '7 days'), ('af', '14 days'), ('ad30', '30 days'), ('am', '1 month'), ('aq', '3 months'), ('ay', '1 year')) AS v(t, every),
	pg_temp.wrong(t, every) AS w;
-- an anchor in the second of two equal hours, and in the first
INSERT INTO user_subscriptions (user_id, tier, time_zone, anchor_at) VALUES
	('anni-second', 'free', 'America/New_York', '2025-11-02 06:30:00+00'), ('anni-first', 'free', 'America/New_York', '2025-11-02 05:30:00+00');
SELECT u, at, w.* FROM unnest(ARRAY['anni-first', 'anni-second']) AS u, (VALUES (timestamptz '2025-11-02 05:29:59+00'), ('2025-11-02 05:30:00+00'), ('2025-11-02 06:30:00+00'), ('2025-11-03 06:30:00+00')) AS v(at),
	pg_temp.window_at(u, 'ad', at) AS w;

-- What was used counts on its side of a boundary, to the microsecond.
SELECT pg_temp.clock('2025-02-28 15:30:00.249999+00');
SELECT allowed, current, remaining, reset_at FROM usage_consume('anni-31', 'am', 5);
SELECT allowed, reason, current, reset_at, retry_after FROM usage_consume('anni-31', 'am');
SELECT pg_temp.clock('2025-02-28 15:30:00.25+00');
SELECT allowed, current, remaining, reset_at FROM usage_consume('anni-31', 'am', 4);
SELECT usage_track('anni-31', 'am', 1, occurred_at => '2025-02-28 15:30:00.249999+00') > 0 AS tracked;
SELECT bucket_start, amount FROM usage_counters WHERE user_id = 'anni-31' ORDER BY bucket_start;
SELECT limit_type, period, current, "limit", remaining, reset_at FROM usage_status('anni-31') WHERE usage_type = 'am';

-- An anchor that is moved keeps what was used: it counts in the window that its bucket starts in.
SELECT pg_temp.clock('2025-03-12 11:00:00+00');
SELECT anchor_at FROM usage_set_tier('anni-move', 'free', anchor_at => '2025-01-10 12:00:00+00');
SELECT allowed, current, reset_at FROM usage_consume('anni-move', 'am', 2);
SELECT pg_temp.clock('2025-03-20 11:00:00+00');
SELECT allowed, current, remaining, reset_at FROM usage_consume('anni-move', 'am', 1);
-- to a day before: both uses are in the window of now
SELECT anchor_at FROM usage_set_tier('anni-move', 'free', anchor_at => '2025-01-05 12:00:00+00');
SELECT current, remaining, reset_at FROM usage_check_limit('anni-move', 'am_monthly');
-- to a day between the two: the first is in the window before
SELECT anchor_at FROM usage_set_tier('anni-move', 'free', anchor_at => '2025-01-15 12:00:00+00');
SELECT current, remaining, reset_at FROM usage_check_limit('anni-move', 'am_monthly');
SELECT allowed, current, remaining, reset_at FROM usage_consume('anni-move', 'am', 4);
SELECT allowed, reason, current, remaining, reset_at FROM usage_consume('anni-move', 'am', 1);
-- to now: the new period begins empty
SELECT anchor_at FROM usage_set_tier('anni-move', 'free', anchor_at => '2025-03-20 11:00:00+00');
SELECT allowed, current, remaining, reset_at FROM usage_consume('anni-move', 'am', 1);
-- and back again: all of this month's counts
SELECT anchor_at FROM usage_set_tier('anni-move', 'free', anchor_at => '2025-01-15 12:00:00+00');
SELECT current, remaining, reset_at FROM usage_check_limit('anni-move', 'am_monthly');
-- a change that is rolled back has not been
BEGIN;
SELECT anchor_at FROM usage_set_tier('anni-move', 'free', anchor_at => '2025-03-20 11:00:00+00');
SELECT current, remaining FROM usage_check_limit('anni-move', 'am_monthly');
ROLLBACK;
SELECT current, remaining, reset_at FROM usage_check_limit('anni-move', 'am_monthly');
-- a status that ends the tier leaves the windows where they are
SELECT status FROM usage_set_tier('anni-move', 'free', status => 'canceled');
SELECT current, remaining, reset_at FROM usage_check_limit('anni-move', 'am_monthly');
-- without a subscription, the calendar's
DELETE FROM user_subscriptions WHERE user_id = 'anni-move';
SELECT current, remaining, reset_at FROM usage_check_limit('anni-move', 'am_monthly');

-- A reset begins anew within a window.
SELECT current, remaining, reset_at FROM usage_reset('anni-31', 'am');
SELECT allowed, current, remaining, reset_at FROM usage_consume('anni-31', 'am', 3);

-- No bucket straddles a boundary of any limit of its type and user.
INSERT INTO usage_limits_config (limit_type, usage_type, period, alignment, free_tier_limit) VALUES
	('astraddle_1', 'astraddle', '1 month', 'anniversary', 1000), ('astraddle_2', 'astraddle', '10 days', 'anniversary', 1000),
	('astraddle_3', 'astraddle', '1 day', 'calendar', 1000), ('astraddle_4', 'astraddle', '7 hours', 'anniversary', 1000);
DO $$
BEGIN
	FOR n IN 0..400 LOOP
		PERFORM pg_temp.clock(timestamptz '2025-03-25 12:00:00+00' + n * interval '30 minutes');
		PERFORM usage_consume('anni-31', 'astraddle');
	END LOOP;
END $$;
SELECT count(*) AS buckets, sum(amount) FROM usage_counters WHERE user_id = 'anni-31' AND usage_type = 'astraddle';
SELECT s.limit_type, s.current, s.reset_at, (SELECT sum(e.amount) FROM usage_events e WHERE e.user_id = 'anni-31' AND e.event_type = 'astraddle' AND e.created_at >= x.window_start) AS events
FROM usage_status('anni-31') s JOIN usage_explain('anni-31', 'astraddle') x USING (limit_type) ORDER BY 1;

-- What no anniversary can be.
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
SELECT p, pg_temp.try(format('SELECT usage_set_limit(''anni_wrong'', 1, period => %L, alignment => ''anniversary'')', p))
FROM unnest(ARRAY[NULL, '0', '1 month 1 day', '1 day 1 hour', '-1 month', '59 seconds', '101 years', '1 month -1 day', '40000 days']) AS p;
SELECT pg_temp.try('SELECT usage_set_limit(''anni_wrong'', 1, kind => ''gauge'', period => ''1 month'', alignment => ''anniversary'')');
SELECT p, pg_temp.try(format('SELECT usage_set_limit(''anni_right'', 1, period => %L, alignment => ''anniversary'')', p))
FROM unnest(ARRAY['1 minute', '90 minutes', '18 months', '100 years', '36500 days']) AS p;
-- a limit changes its alignment as it does anything else; what was used counts on
SELECT alignment, period FROM usage_set_limit('anni_right', 5, usage_type => 'am', period => '1 month', alignment => 'calendar');
SELECT alignment, period FROM usage_set_limit('anni_right', 5, alignment => 'anniversary');
SELECT pg_temp.clock('2025-03-20 12:00:00+00');
SELECT limit_type, current, remaining FROM usage_status('anni-move') WHERE usage_type = 'am';

-- The ends of time.
INSERT INTO user_subscriptions (user_id, tier, anchor_at) VALUES ('anni-first-day', 'free', '4714-11-24 00:00:00+00 BC'), ('anni-last-day', 'free', '294276-12-31 23:59:59.999999+00');
SELECT u, t, w.* FROM unnest(ARRAY['anni-first-day', 'anni-last-day']) AS u, unnest(ARRAY['ad', 'ah', 'aq']) AS t, pg_temp.window_at(u, t, '2025-03-12 10:00:00+00') AS w;
SELECT u, t, pg_temp.try(format('SELECT pg_temp.clock(''294276-12-31 23:59:59+00''); SELECT FROM usage_check(%L, %L)', u, t)) FROM unnest(ARRAY['anni-first-day', 'anni-last-day']) AS u, unnest(ARRAY['ad', 'ah', 'aq']) AS t;

RESET usage_limits.test_clock;
DELETE FROM usage_limits_config WHERE alignment = 'anniversary' OR usage_type = 'astraddle';
DELETE FROM user_subscriptions WHERE user_id LIKE 'anni-%';
