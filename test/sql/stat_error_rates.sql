-- How often events fail: usage_error_rates.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2039-05-07 12:00:00+00';
\set SHOW_CONTEXT never

SELECT * FROM usage_error_rates();

-- The rate is failed ÷ (success + failed): cancelled events are counted, and count in neither.
CREATE FUNCTION pg_temp.happen(type text, subtype text, success int, failed int, cancelled int, at timestamptz DEFAULT usage_now()) RETURNS bigint LANGUAGE sql AS $$
	SELECT count(usage_track('errors-' || n % 3, type, 1 + n % 2, subtype, duration_ms => CASE WHEN subtype IS NOT NULL THEN n * 10 END,
		status => CASE WHEN n <= success THEN 'success' WHEN n <= success + failed THEN 'failed' ELSE 'cancelled' END, occurred_at => at))
	FROM generate_series(1, success + failed + cancelled) n
$$;
SELECT pg_temp.happen('errors_a', NULL, 8, 2, 5), pg_temp.happen('errors_a', 'x', 2, 1, 0), pg_temp.happen('errors_b', 'x', 0, 10, 0), pg_temp.happen('errors_c', 'x', 10, 0, 0),
	pg_temp.happen('errors_d', NULL, 0, 0, 10), pg_temp.happen('errors_d', '', 0, 0, 1), pg_temp.happen('errors_e', NULL, 4, 5, 0), pg_temp.happen('errors_f', NULL, 0, 0, 9);
SELECT * FROM usage_error_rates();

-- At least min_events, of all sorts; and never none.
SELECT event_type, event_subtype, total_events FROM usage_error_rates(7, 11);
SELECT event_type, event_subtype, total_events FROM usage_error_rates(7, 9);
SELECT event_type, event_subtype, total_events, error_rate FROM usage_error_rates(7, 1);
SELECT count(*) FROM usage_error_rates(7, 0);
SELECT count(*) FROM usage_error_rates(7, -5);
SELECT count(*) FROM usage_error_rates(7, 16);

-- The seven dates that end today; what is booked ahead is not of today.
SELECT pg_temp.happen('errors_old', NULL, 9, 1, 0, '2039-04-30 23:59:59.999999+00'), pg_temp.happen('errors_first', NULL, 9, 1, 0, '2039-05-01 00:00+00');
SELECT event_type FROM usage_error_rates() WHERE event_type IN ('errors_old', 'errors_first');
SELECT event_type FROM usage_error_rates(8) WHERE event_type IN ('errors_old', 'errors_first') ORDER BY event_type;
SELECT event_type FROM usage_error_rates(6) WHERE event_type IN ('errors_old', 'errors_first');
SET usage_limits.test_clock = '2039-05-07 23:59:30+00';
SELECT pg_temp.happen('errors_ahead', NULL, 9, 1, 0, '2039-05-08 00:00+00');
SELECT count(*) FROM usage_error_rates() WHERE event_type = 'errors_ahead';
SET usage_limits.test_clock = '2039-05-08 00:00:00+00';
SELECT count(*) FROM usage_error_rates() WHERE event_type = 'errors_ahead';

-- Events count one each, whatever their amounts; corrections are no events.
SET usage_limits.test_clock = '2039-06-07 12:00:00+00';
SELECT pg_temp.happen('errors_g', NULL, 10, 10, 0);
SELECT allowed FROM usage_adjust('errors-1', 'errors_g', 100);
SELECT allowed FROM usage_reset('errors-1', 'errors_g');
SELECT * FROM usage_error_rates();

-- Equal to plain SQL over the events, for every range, in order.
SET usage_limits.test_clock = '2039-12-31 12:00:00+00';
SELECT count(usage_track('errors-' || n % 13, 'errors_' || n % 5, n % 4, (ARRAY['a', 'b', 'B', NULL])[1 + n % 4], duration_ms => n % 1000,
	status => CASE n % 11 WHEN 0 THEN 'failed' WHEN 1 THEN 'cancelled' WHEN 5 THEN 'failed' ELSE 'success' END,
	occurred_at => timestamptz '2039-12-31 12:00+00' - (n * n % 997) * interval '3 hours')) FROM generate_series(1, 1200) n;
CREATE TEMP VIEW rates AS
SELECT d.days, d.min_events, r.* FROM (VALUES (1, 1), (2, 3), (7, 10), (30, 10), (30, 20), (100, 60)) AS d (days, min_events),
	usage_error_rates(d.days, d.min_events) WITH ORDINALITY AS r (event_type, event_subtype, total_events, failed_events, cancelled_events, error_rate, avg_duration_ms, n);
CREATE TEMP VIEW plain_rates AS
SELECT d.days, d.min_events, e.event_type, e.event_subtype, count(*) AS total_events, count(*) FILTER (WHERE e.status = 'failed') AS failed_events,
	count(*) FILTER (WHERE e.status = 'cancelled') AS cancelled_events,
	round(count(*) FILTER (WHERE e.status = 'failed') * 100.0 / nullif(count(*) FILTER (WHERE e.status <> 'cancelled'), 0), 2) AS error_rate,
	round(avg(e.duration_ms) FILTER (WHERE e.status = 'success'), 2) AS avg_duration_ms,
	row_number() OVER (PARTITION BY d.days, d.min_events ORDER BY count(*) DESC, e.event_type COLLATE "C", e.event_subtype COLLATE "C" NULLS LAST) AS n
FROM (VALUES (1, 1), (2, 3), (7, 10), (30, 10), (30, 20), (100, 60)) AS d (days, min_events) JOIN usage_events e
	ON (e.created_at AT TIME ZONE 'UTC')::date BETWEEN date '2039-12-31' - (d.days - 1) AND '2039-12-31'
GROUP BY d.days, d.min_events, e.event_type, e.event_subtype
HAVING count(*) >= d.min_events;
SELECT count(*) AS compared FROM plain_rates;
SELECT * FROM rates EXCEPT ALL SELECT * FROM plain_rates;
SELECT * FROM plain_rates EXCEPT ALL SELECT * FROM rates;
