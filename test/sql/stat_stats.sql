-- A user's statistics: usage_stats.
SET timezone = 'UTC';
SET usage_limits.test_clock = '2032-03-31 06:00:00+00';
\set SHOW_CONTEXT never

SELECT usage_stats('stats-0');

-- The dates, days in number, that end today: from the first instant of the first.
SELECT count(usage_track('stats-1', 'prompt', 2, occurred_at => at)) FROM (VALUES
	(timestamptz '2032-03-01 23:59:59.999999+00'), ('2032-03-02 00:00+00'), ('2032-03-02 12:00+00'), ('2032-03-29 23:59:59.999999+00'),
	('2032-03-30 00:00+00'), ('2032-03-31 06:00+00')) AS t (at);
SELECT usage_track('stats-1', 'export', 5, 'mp4', occurred_at => '2032-03-30 10:00+00') > 0 AS tracked;
SELECT usage_stats('stats-1')->'daily' AS daily, usage_stats('stats-1')->'totals' AS totals;
SELECT usage_stats('stats-1', 31)->'totals' AS days_31, usage_stats('stats-1', 2)->'totals' AS days_2, usage_stats('stats-1', 1)->'daily' AS today;
SELECT jsonb_array_length(usage_stats('stats-1')->'recentEvents') AS days_30, jsonb_array_length(usage_stats('stats-1', 31)->'recentEvents') AS days_31,
	jsonb_array_length(usage_stats('stats-1', 1)->'recentEvents') AS today;

-- What is booked ahead, on the other side of midnight, is not of today.
SET usage_limits.test_clock = '2032-03-31 23:59:30+00';
SELECT usage_track('stats-2', 'prompt', 1, occurred_at => '2032-03-31 23:59:00+00') > 0 AS tracked;
SELECT usage_track('stats-2', 'prompt', 4, occurred_at => '2032-04-01 00:00:00+00') > 0 AS tracked;
SELECT usage_stats('stats-2')->'daily' AS daily, usage_stats('stats-2')->'totals' AS totals, jsonb_array_length(usage_stats('stats-2')->'recentEvents') AS events;
SET usage_limits.test_clock = '2032-04-01 00:00:00+00';
SELECT usage_stats('stats-2')->'daily' AS daily, usage_stats('stats-2')->'totals' AS totals, jsonb_array_length(usage_stats('stats-2')->'recentEvents') AS events;
SET usage_limits.test_clock = '2032-03-31 06:00:00+00';

-- An event as the application's code knows it.
SELECT usage_track('stats-3', 'prompt', 3, 'it''s "x"', '11111111-2222-3333-4444-555555555555', 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
	1200, 7, 350, 'failed', 'no "space"', '{"a": [1, "x''y"]}') AS event_id \gset
SELECT jsonb_pretty((usage_stats('stats-3')->'recentEvents'->0) - 'id') AS event, usage_stats('stats-3')->'recentEvents'->0->'id' = to_jsonb(:event_id) AS id;

-- Failed and cancelled events are events and no use; a correction is both.
SELECT usage_track('stats-3', 'prompt', status => 'cancelled') > 0 AS tracked;
SELECT usage_stats('stats-3')->'daily' AS daily, usage_stats('stats-3')->'totals' AS totals;
SELECT usage_track('stats-3', 'export', 4) AS event_id \gset
SELECT allowed FROM usage_refund(:event_id, 1);
SELECT allowed FROM usage_adjust('stats-3', 'export', -2, 'by hand');
SELECT usage_stats('stats-3')->'daily' AS daily, usage_stats('stats-3')->'totals' AS totals;
-- a use that was given back is still a use
SELECT allowed FROM usage_refund(:event_id, 1);
SELECT usage_stats('stats-3')->'daily' AS daily;
SELECT e->>'operation' AS operation, e->>'amount' AS amount, e->>'status' AS status, e->>'errorMessage' AS error_message
FROM jsonb_array_elements(usage_stats('stats-3')->'recentEvents') WITH ORDINALITY AS r (e, n) ORDER BY n;

-- Types that log no events count all the same.
INSERT INTO usage_types (usage_type, log_events) VALUES ('stats_quiet', false);
SELECT usage_track('stats-4', 'stats_quiet', 6) IS NULL AS no_event;
SELECT usage_stats('stats-4');
DELETE FROM usage_types WHERE usage_type = 'stats_quiet';

-- The newest 100 events, newest first; of one instant the last first.
SELECT count(usage_track('stats-5', 'prompt', n, occurred_at => timestamptz '2032-03-31 05:00+00' - n / 3 * interval '7 hours')) FROM generate_series(1, 130) n;
WITH shown AS (
	SELECT n, (e->>'id')::bigint AS id FROM jsonb_array_elements(usage_stats('stats-5', 3650)->'recentEvents') WITH ORDINALITY AS r (e, n)
), plain AS (
	SELECT row_number() OVER (ORDER BY created_at DESC, id DESC) AS n, id FROM usage_events WHERE user_id = 'stats-5'
)
SELECT count(*) AS shown, count(*) FILTER (WHERE s.id = p.id) AS equal FROM shown s JOIN plain p USING (n);

-- Equal to plain SQL over the events, for many users, types and ranges, and nobody sees another's.
SELECT count(usage_track('stats-6-' || n % 5, 'stats_' || n % 3, n, CASE n % 4 WHEN 0 THEN 'a' WHEN 1 THEN 'b' END,
	status => CASE n % 7 WHEN 0 THEN 'failed' WHEN 1 THEN 'cancelled' ELSE 'success' END,
	occurred_at => timestamptz '2032-03-31 06:00+00' - n * interval '5 hours 11 minutes')) FROM generate_series(0, 399) n;
CREATE TEMP TABLE ranges AS SELECT 'stats-6-' || u AS user_id, d AS days FROM generate_series(0, 5) u, unnest(ARRAY[1, 2, 7, 30, 100]) d;
CREATE TEMP VIEW stats_daily AS
SELECT r.user_id, r.days, d.key::date AS usage_date, t.key AS usage_type, t.value::bigint AS count
FROM ranges r, jsonb_each(usage_stats(r.user_id, r.days)->'daily') d, jsonb_each(d.value) t;
CREATE TEMP VIEW plain_daily AS
SELECT r.user_id, r.days, (e.created_at AT TIME ZONE 'UTC')::date AS usage_date, e.event_type AS usage_type, sum(e.amount)::bigint AS count
FROM ranges r JOIN usage_events e ON e.user_id = r.user_id AND e.status = 'success'
	AND (e.created_at AT TIME ZONE 'UTC')::date BETWEEN date '2032-03-31' - (r.days - 1) AND '2032-03-31'
GROUP BY 1, 2, 3, 4;
SELECT count(*) AS compared FROM plain_daily;
SELECT * FROM stats_daily EXCEPT ALL SELECT * FROM plain_daily;
SELECT * FROM plain_daily EXCEPT ALL SELECT * FROM stats_daily;
CREATE TEMP VIEW stats_totals AS
SELECT r.user_id, r.days, t.key AS usage_type, t.value::numeric AS count
FROM ranges r, jsonb_each(usage_stats(r.user_id, r.days)->'totals') t;
CREATE TEMP VIEW plain_totals AS SELECT user_id, days, usage_type, sum(count) AS count FROM plain_daily GROUP BY 1, 2, 3;
SELECT count(*) AS compared FROM plain_totals;
SELECT * FROM stats_totals EXCEPT ALL SELECT * FROM plain_totals;
SELECT * FROM plain_totals EXCEPT ALL SELECT * FROM stats_totals;
