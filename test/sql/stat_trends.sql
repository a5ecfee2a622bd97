-- Use by date: usage_trends.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2035-03-10 09:00:00+00';
\set SHOW_CONTEXT never

-- Without any use there is still a row a date, over all types.
SELECT * FROM usage_trends(3);

-- Every date for every type seen in the range, also dates without use; the row without a type counts a user of several types once;
-- today counts as far as it has come.
SELECT count(usage_track(u, t, n, subtype, occurred_at => at)) FROM (VALUES
	('trends-1', 'trend_a', 1, NULL, timestamptz '2035-03-10 00:00+00'), ('trends-1', 'trend_a', 2, 'x', '2035-03-10 09:00+00'), ('trends-1', 'trend_b', 4, NULL, '2035-03-10 08:00+00'),
	('trends-2', 'trend_a', 8, NULL, '2035-03-10 07:00+00'), ('trends-2', 'trend_a', 16, NULL, '2035-03-08 23:59:59.999999+00'),
	('trends-3', 'trend_b', 32, NULL, '2035-03-08 00:00+00'), ('trends-3', 'trend_c', 64, NULL, '2035-03-07 23:59:59.999999+00')) t (u, t, n, subtype, at);
SELECT * FROM usage_trends(3);
SELECT * FROM usage_trends(4);
SELECT * FROM usage_trends(1);
SELECT count(*), count(DISTINCT date), min(date), max(date), sum(total_count) FILTER (WHERE usage_type IS NULL) AS total FROM usage_trends();
SET usage_limits.test_clock = '2035-03-10 23:59:59.999999+00';
SELECT usage_track('trends-4', 'trend_a', 128) > 0 AS tracked;
SELECT * FROM usage_trends(1);
SET usage_limits.test_clock = '2035-03-11 00:00:00+00';
SELECT * FROM usage_trends(2);

-- What is booked ahead, on the other side of midnight, is not of today.
SET usage_limits.test_clock = '2035-05-01 23:59:30+00';
SELECT usage_track('trends-1', 'trend_ahead', occurred_at => '2035-05-02 00:00+00') > 0 AS tracked;
SELECT * FROM usage_trends(2);
SET usage_limits.test_clock = '2035-05-02 00:00:00+00';
SELECT * FROM usage_trends(2);

-- Failed and cancelled events are no use: alone they show no type and no user.
SET usage_limits.test_clock = '2035-06-10 09:00:00+00';
SELECT usage_track('trends-1', 'trend_failed', 5, status => 'failed') > 0 AND usage_track('trends-1', 'trend_cancelled', 5, status => 'cancelled') > 0 AS tracked;
SELECT * FROM usage_trends(2);
SELECT usage_track('trends-2', 'trend_failed', 7) > 0 AND usage_track('trends-2', 'trend_failed', 9, status => 'cancelled') > 0 AS tracked;
SELECT * FROM usage_trends(2);

-- A use of amount 0, and one that was given back, is a use of 0; an adjustment alone is seen by its sum.
SET usage_limits.test_clock = '2035-07-10 09:00:00+00';
SELECT usage_track('trends-1', 'trend_zero', 0, tokens_used => 5) > 0 AS tracked;
SELECT usage_track('trends-2', 'trend_back', 3, occurred_at => '2035-07-09 12:00+00') AS event_id \gset
SELECT allowed FROM usage_refund(:event_id);
SELECT allowed FROM usage_adjust('trends-3', 'trend_adjusted', 6);
SELECT allowed FROM usage_adjust('trends-4', 'trend_undone', 6);
SELECT allowed FROM usage_adjust('trends-4', 'trend_undone', -6);
SELECT * FROM usage_trends(2);

-- Dates are of UTC, whatever the user's and the session's time zones: what a window elsewhere cuts in two is one date.
SET usage_limits.test_clock = '2035-08-10 20:00:00+00';
SELECT time_zone FROM usage_set_tier('trends-ktm', 'pro', time_zone => 'Asia/Kathmandu');
SELECT count(usage_track('trends-ktm', 'prompt', n, occurred_at => at)) FROM (VALUES
	(1, timestamptz '2035-08-09 23:59:59+00'), (2, '2035-08-10 00:00+00'), (4, '2035-08-10 18:14:59+00'), (8, '2035-08-10 18:15+00')) t (n, at);
SET timezone = 'Pacific/Kiritimati';
SELECT * FROM usage_trends(2) WHERE usage_type = 'prompt';
SET timezone = 'UTC';

-- Sums beyond 2^31.
SET usage_limits.test_clock = '2035-09-10 09:00:00+00';
SELECT count(usage_track('trends-' || n, 'trend_big', 1000000000000000)) FROM generate_series(1, 4) n;
SELECT * FROM usage_trends(1);

-- Equal to plain SQL over the events, for every range, also in a parallel worker.
SET usage_limits.test_clock = '2036-12-31 12:00:00+00';
SELECT count(usage_track('trends-' || n % 23, 'trend_' || n % 7, n % 5, CASE n % 4 WHEN 0 THEN 'a' WHEN 1 THEN 'b' END,
	status => CASE n % 11 WHEN 0 THEN 'failed' WHEN 1 THEN 'cancelled' ELSE 'success' END,
	occurred_at => timestamptz '2036-12-31 12:00+00' - (n * n % 6007) * interval '37 minutes')) FROM generate_series(1, 900) n;
CREATE TEMP VIEW trends AS
SELECT d.days, t.* FROM unnest(ARRAY[1, 2, 29, 30, 200, 366]) AS d (days), usage_trends(d.days) t;
CREATE TEMP VIEW plain_trends AS
WITH used AS (
	SELECT d.days, (e.created_at AT TIME ZONE 'UTC')::date AS date, e.event_type, e.user_id, e.amount
	FROM unnest(ARRAY[1, 2, 29, 30, 200, 366]) AS d (days) JOIN usage_events e ON e.status = 'success'
		AND (e.created_at AT TIME ZONE 'UTC')::date BETWEEN date '2036-12-31' - (d.days - 1) AND '2036-12-31'
), dates AS (
	SELECT d.days, g.date::date FROM unnest(ARRAY[1, 2, 29, 30, 200, 366]) AS d (days),
		generate_series(date '2036-12-31' - (d.days - 1), date '2036-12-31', '1 day') AS g (date)
)
SELECT d.days, d.date, t.event_type AS usage_type, coalesce(sum(u.amount), 0)::bigint AS total_count, count(DISTINCT u.user_id) AS unique_users
FROM dates d JOIN (SELECT DISTINCT days, event_type FROM used) t USING (days)
	LEFT JOIN used u ON u.days = d.days AND u.date = d.date AND u.event_type = t.event_type
GROUP BY 1, 2, 3
UNION ALL
SELECT d.days, d.date, NULL, coalesce(sum(u.amount), 0)::bigint, count(DISTINCT u.user_id)
FROM dates d LEFT JOIN used u ON u.days = d.days AND u.date = d.date
GROUP BY 1, 2;
SELECT count(*) AS compared, count(*) FILTER (WHERE total_count = 0) > 0 AS has_none, count(*) FILTER (WHERE unique_users > 1) > 0 AS has_several FROM plain_trends;
SELECT * FROM trends EXCEPT ALL SELECT * FROM plain_trends;
SELECT * FROM plain_trends EXCEPT ALL SELECT * FROM trends;
-- called debug_parallel_query from 16 on
SELECT count(set_config(name, 'on', false)) AS parallel FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
SELECT * FROM plain_trends WHERE days = 30 EXCEPT ALL SELECT 30, t.* FROM usage_trends(30) t;
SELECT count(set_config(name, 'off', false)) AS parallel FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');

-- By date, types by name, the row over all of them last.
SELECT count(*) AS rows, count(*) FILTER (WHERE n <> m) AS out_of_order
FROM (SELECT n, row_number() OVER (ORDER BY date, usage_type COLLATE "C" NULLS LAST) AS m FROM usage_trends(30) WITH ORDINALITY AS t (date, usage_type, total_count, unique_users, n)) o;
