-- Calendar windows of minute to year, in any time zone, and lifetimes.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
\set SHOW_CONTEXT never

-- One type a unit, so that a bucket's start tells its window's.
INSERT INTO usage_limits_config (limit_type, period, alignment, free_tier_limit) VALUES
	('w_minutely', '1 minute', 'calendar', 5), ('x_hourly', '1 hour', 'calendar', 5), ('y_daily', '1 day', 'calendar', 5),
	('z_weekly', '7 days', 'calendar', 5), ('m_monthly', '1 month', 'calendar', 5), ('a_yearly', '1 year', 'calendar', 5);
INSERT INTO usage_limits_config (limit_type, free_tier_limit) VALUES ('l_total', 5);
CREATE FUNCTION pg_temp.clock(at timestamptz) RETURNS void LANGUAGE sql AS
	$$ SELECT set_config('usage_limits.test_clock', at::text, false) $$;
-- The window of a user in a zone at an instant.  What is consumed goes into a
-- bucket at its start, or at the UTC day's where that is later.
CREATE FUNCTION pg_temp.window_at(unit text, zone text, at timestamptz, OUT bucket timestamptz, OUT ends timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
	who text := 'window-' || unit || zone || at;
BEGIN
	PERFORM pg_temp.clock(at);
	INSERT INTO user_subscriptions (user_id, time_zone) VALUES (who, zone);
	ends := (SELECT d.reset_at FROM usage_consume(who, unit) d);
	bucket := (SELECT e.bucket_start FROM usage_events e WHERE e.user_id = who);
END $$;
-- The same without consuming, and of one user a zone.
CREATE FUNCTION pg_temp.ends(limit_type text, zone text, at timestamptz) RETURNS timestamptz LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_temp.clock(at);
	RETURN (SELECT d.reset_at FROM usage_check_limit('zone-' || zone, $1) d);
END $$;
INSERT INTO user_subscriptions (user_id, time_zone) SELECT 'zone-' || zone, zone FROM unnest(ARRAY['UTC',
	'America/New_York', 'Europe/Budapest', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'America/Sao_Paulo', 'America/Havana',
	'America/Goose_Bay', 'Pacific/Apia', 'Pacific/Kiritimati', 'Pacific/Pago_Pago', 'Africa/Cairo']) AS zone;

-- Each unit in UTC: the first instant, the last one, and the first of the next window.
SELECT t, at, w.* FROM (VALUES
	('w', timestamptz '2025-03-12 10:30:00+00'), ('w', '2025-03-12 10:30:59.999999+00'), ('w', '2025-03-12 10:31:00+00'),
	('x', '2025-03-12 10:00:00+00'), ('x', '2025-03-12 10:59:59.999999+00'), ('x', '2025-03-12 11:00:00+00'),
	('y', '2025-03-12 00:00:00+00'), ('y', '2025-03-12 23:59:59.999999+00'), ('y', '2025-03-13 00:00:00+00'),
	('z', '2025-03-10 00:00:00+00'), ('z', '2025-03-16 23:59:59.999999+00'), ('z', '2025-03-17 00:00:00+00'),
	('z', '2024-12-29 12:00:00+00'), ('z', '2024-12-30 12:00:00+00'), ('z', '2025-01-05 12:00:00+00'), ('z', '2025-01-06 12:00:00+00'),
	('m', '2024-02-01 00:00:00+00'), ('m', '2024-02-29 23:59:59.999999+00'), ('m', '2024-03-01 00:00:00+00'),
	('m', '2025-12-31 23:59:59.999999+00'), ('m', '2026-01-01 00:00:00+00'),
	('a', '2024-01-01 00:00:00+00'), ('a', '2024-12-31 23:59:59.999999+00'), ('a', '2025-01-01 00:00:00+00'),
	('l', '2025-01-01 00:00:00+00')
) AS v(t, at), pg_temp.window_at(t, 'UTC', at) AS w;

-- Days of 23, 24 and 25 hours, of 23.5 and 24.5, days that begin at 1 o'clock, and a date that was left out.
SELECT zone, at, starts, ends, ends - starts AS length FROM (VALUES
	('America/New_York', timestamptz '2025-03-09 04:59:59.999999+00'), ('America/New_York', '2025-03-09 05:00:00+00'),
	('America/New_York', '2025-03-10 03:59:59.999999+00'), ('America/New_York', '2025-03-10 04:00:00+00'),
	('America/New_York', '2025-11-02 04:00:00+00'), ('America/New_York', '2025-11-03 04:59:59.999999+00'),
	('Europe/Budapest', '2025-03-29 23:00:00+00'), ('Europe/Budapest', '2025-03-30 21:59:59.999999+00'),
	('Europe/Budapest', '2025-10-25 22:00:00+00'), ('Europe/Budapest', '2025-10-26 22:59:59.999999+00'),
	('Asia/Kathmandu', '2025-03-11 18:14:59.999999+00'), ('Asia/Kathmandu', '2025-03-11 18:15:00+00'),
	('Australia/Lord_Howe', '2025-04-05 13:00:00+00'), ('Australia/Lord_Howe', '2025-04-06 13:29:59.999999+00'),
	('Australia/Lord_Howe', '2025-10-04 13:30:00+00'), ('Australia/Lord_Howe', '2025-10-05 12:59:59.999999+00'),
	-- the clock goes from 24:00 to 1:00
	('America/Sao_Paulo', '2018-11-04 02:59:59.999999+00'), ('America/Sao_Paulo', '2018-11-04 03:00:00+00'),
	-- from 24:00 back to 23:00
	('America/Sao_Paulo', '2018-02-18 02:00:00+00'), ('America/Sao_Paulo', '2018-02-18 03:00:00+00'),
	-- from 1:00 back to 0:00
	('America/Havana', '2025-11-02 04:00:00+00'), ('America/Havana', '2025-11-02 05:00:00+00'),
	-- from 0:01 back to 23:01: what is shown of the day before again belongs to the day that had begun
	('America/Goose_Bay', '2010-11-07 02:59:59+00'), ('America/Goose_Bay', '2010-11-07 03:30:00+00'), ('America/Goose_Bay', '2010-11-07 04:00:00+00'),
	-- from the 29th to the 31st
	('Pacific/Apia', '2011-12-30 09:59:59.999999+00'), ('Pacific/Apia', '2011-12-30 10:00:00+00')
) AS v(zone, at),
LATERAL (SELECT pg_temp.ends('y_daily', zone, at) AS ends) AS e,
-- it starts where an earlier one ends
LATERAL (SELECT max(earlier) AS starts FROM generate_series(0, 25 * 4) AS n,
	pg_temp.ends('y_daily', zone, at - n * interval '15 minutes') AS earlier WHERE earlier <= at) AS s;

-- Weeks, months and years begin with a day, wherever that begins.
SELECT l, zone, at, pg_temp.ends(l, zone, at) FROM (VALUES
	('z_weekly', 'America/New_York', timestamptz '2025-03-10 03:59:59+00'), ('z_weekly', 'America/New_York', '2025-03-10 04:00:00+00'),
	('m_monthly', 'America/New_York', '2025-03-12 00:00:00+00'), ('m_monthly', 'America/New_York', '2025-11-01 03:59:59+00'), ('m_monthly', 'America/New_York', '2025-11-01 04:00:00+00'),
	('a_yearly', 'Asia/Kathmandu', '2025-12-31 18:14:59+00'), ('a_yearly', 'Asia/Kathmandu', '2025-12-31 18:15:00+00'),
	('m_monthly', 'Pacific/Apia', '2011-12-15 00:00:00+00'), ('a_yearly', 'Pacific/Apia', '2011-12-30 10:00:00+00'),
	('m_monthly', 'Africa/Cairo', '2025-04-30 20:59:59+00'), ('m_monthly', 'Africa/Cairo', '2025-04-30 21:00:00+00')
) AS v(l, zone, at);

-- Hours and minutes follow the zone's clock; an hour that it shows twice is two windows.
SELECT t, zone, at, w.* FROM (VALUES
	('x', 'America/New_York', timestamptz '2025-11-02 05:30:00+00'), ('x', 'America/New_York', '2025-11-02 06:30:00+00'),
	('x', 'Asia/Kathmandu', '2025-03-12 10:14:59+00'), ('x', 'Asia/Kathmandu', '2025-03-12 10:15:00+00'),
	('w', 'Asia/Kathmandu', '2025-03-12 10:14:59+00'),
	('x', 'Australia/Lord_Howe', '2025-04-05 14:59:59+00'), ('x', 'Australia/Lord_Howe', '2025-04-05 15:00:00+00'), ('x', 'Australia/Lord_Howe', '2025-04-05 15:30:00+00'),
	('x', 'Australia/Lord_Howe', '2025-10-04 15:00:00+00'), ('x', 'Australia/Lord_Howe', '2025-10-04 15:29:59+00'), ('x', 'Australia/Lord_Howe', '2025-10-04 15:30:00+00'),
	('x', 'America/Goose_Bay', '2010-11-07 03:00:30+00'), ('x', 'America/Goose_Bay', '2010-11-07 03:01:00+00')
) AS v(t, zone, at), pg_temp.window_at(t, zone, at) AS w;

-- Windows are a partition of time: on every quarter of an hour around the
-- changes of clocks, each ends where the next one begins, which is when the
-- zone's clock first shows a new date.
WITH zones (zone, around) AS (VALUES ('UTC', timestamptz '2025-03-09'),
	('America/New_York', '2025-03-09'), ('America/New_York', '2025-11-02'), ('Europe/Budapest', '2025-03-30'), ('Europe/Budapest', '2025-10-26'),
	('Asia/Kathmandu', '2025-03-30'), ('Australia/Lord_Howe', '2025-04-06'), ('Australia/Lord_Howe', '2025-10-05'),
	('America/Sao_Paulo', '2018-02-18'), ('America/Sao_Paulo', '2018-11-04'), ('America/Havana', '2025-03-09'), ('America/Havana', '2025-11-02'),
	('Pacific/Apia', '2011-12-30'), ('Pacific/Kiritimati', '2025-01-01'), ('Pacific/Pago_Pago', '2025-01-01'), ('Africa/Cairo', '2025-04-25')),
instants AS (
	SELECT zone, around, at, max((at AT TIME ZONE zone)::date) OVER (PARTITION BY zone, around ORDER BY at) AS local_date
	FROM zones, generate_series(around - interval '3 days', around + interval '5 days', '15 minutes') AS at),
days AS (
	SELECT zone, around, local_date, lead(min(at)) OVER (PARTITION BY zone, around ORDER BY local_date) AS ends
	FROM instants GROUP BY zone, around, local_date)
SELECT count(*) AS instants, count(*) FILTER (WHERE d.ends IS DISTINCT FROM pg_temp.ends('y_daily', zone, at)) AS wrong
FROM instants JOIN days d USING (zone, around, local_date)
WHERE at BETWEEN around - interval '2 days' AND around + interval '2 days';

-- The user's zone goes before the limit's, and the limit's before UTC; the session's is no matter.
SET timezone = 'Asia/Tokyo';
SELECT pg_temp.clock('2025-03-12 10:30:00+00');
SELECT time_zone FROM usage_set_limit('y_daily', 5, time_zone => 'America/New_York');
INSERT INTO user_subscriptions (user_id, time_zone) VALUES ('window-1', NULL), ('window-2', 'Asia/Kathmandu');
SELECT u, reset_at AT TIME ZONE 'UTC' AS resets_at_utc FROM unnest(ARRAY['window-0', 'window-1', 'window-2']) u, usage_check_limit(u, 'y_daily');
SELECT time_zone FROM usage_set_limit('y_daily', 5, time_zone => 'UTC');
SELECT u, reset_at AT TIME ZONE 'UTC' AS resets_at_utc FROM unnest(ARRAY['window-0', 'window-1', 'window-2']) u, usage_check_limit(u, 'y_daily');
SET timezone = 'UTC';
-- also when the user's is set and taken away in between
SELECT time_zone FROM usage_set_tier('window-0', 'free', time_zone => 'Pacific/Apia');
SELECT reset_at FROM usage_check_limit('window-0', 'y_daily');
UPDATE user_subscriptions SET time_zone = NULL WHERE user_id = 'window-0';
SELECT reset_at FROM usage_check_limit('window-0', 'y_daily');

-- What is used on either side of a boundary counts on its side, to the microsecond.
INSERT INTO user_subscriptions (user_id, time_zone) VALUES ('window-3', 'America/New_York');
SELECT pg_temp.clock('2025-03-10 03:59:59.999999+00');
SELECT allowed, current, remaining, reset_at FROM usage_consume('window-3', 'y', 5);
SELECT allowed, current, reset_at, retry_after FROM usage_consume('window-3', 'y');
SELECT pg_temp.clock('2025-03-10 04:00:00+00');
SELECT allowed, current, remaining, reset_at FROM usage_consume('window-3', 'y', 4);
SELECT usage_track('window-3', 'y', 1, occurred_at => '2025-03-10 03:59:59.999999+00') > 0 AS tracked;
SELECT allowed, current, remaining FROM usage_consume('window-3', 'y', 1);
SELECT bucket_start, amount FROM usage_counters WHERE user_id = 'window-3' ORDER BY bucket_start;
SELECT usage_date, count FROM user_usage WHERE user_id = 'window-3' ORDER BY usage_date;
-- retry_after is rounded up
SELECT pg_temp.clock('2025-03-11 03:59:58.999999+00');
SELECT allowed, retry_after FROM usage_consume('window-3', 'y');
SELECT pg_temp.clock('2025-03-11 03:59:59+00');
SELECT allowed, retry_after FROM usage_consume('window-3', 'y');
SELECT pg_temp.clock('2025-03-11 03:59:59.999999+00');
SELECT allowed, retry_after FROM usage_consume('window-3', 'y');

-- No bucket straddles a boundary of any limit of its type and user.
INSERT INTO usage_limits_config (limit_type, usage_type, period, alignment, time_zone, free_tier_limit) VALUES
	('straddle_1', 'straddle', '1 day', 'calendar', 'America/New_York', 100), ('straddle_2', 'straddle', '1 day', 'calendar', 'Asia/Kathmandu', 100),
	('straddle_3', 'straddle', '1 month', 'calendar', 'UTC', 100), ('straddle_4', 'straddle', '7 hours', 'sliding', 'UTC', 100);
DO $$
BEGIN
	FOR n IN 0..50 LOOP
		PERFORM pg_temp.clock(timestamptz '2025-03-30 12:00:00+00' + n * interval '1 hour');
		PERFORM usage_consume('window-4', 'straddle');
	END LOOP;
END $$;
-- a row is an hour's here, whose sub-buckets are those of the sliding limit
SELECT count(*), min(bucket_start), max(bucket_start) FROM usage_counters WHERE user_id = 'window-4';
SELECT limit_type, current, reset_at FROM usage_status('window-4') WHERE usage_type = 'straddle';

-- A limit that is made later counts what was used before it, as far as its window reaches.
SELECT pg_temp.clock('2025-03-10 12:00:00+00');
SELECT usage_track('window-5', 'later', 2, occurred_at => '2024-12-31 23:00:00+00') > 0 AS tracked;
SELECT usage_track('window-5', 'later', 3, occurred_at => '2025-03-09 23:00:00+00') > 0 AS tracked;
SELECT usage_track('window-5', 'later', 4) > 0 AS tracked;
INSERT INTO usage_limits_config (limit_type, free_tier_limit) VALUES
	('later_daily', 100), ('later_weekly', 100), ('later_monthly', 100), ('later_yearly', 100), ('later_total', 100);
SELECT limit_type, current, reset_at FROM usage_status('window-5') WHERE usage_type = 'later' ORDER BY limit_type;

-- A lifetime has no end: what is used up stays so.
SELECT allowed, current, reset_at FROM usage_consume('window-6', 'l', 5);
SELECT pg_temp.clock('2125-03-10 12:00:00+00');
SELECT allowed, reason, current, reset_at, retry_after FROM usage_consume('window-6', 'l');

-- The ends of the calendar.
SELECT pg_temp.clock('0001-01-01 00:00:00+00');
SELECT allowed, current, reset_at FROM usage_consume('window-7', 'a');
SELECT allowed, current, reset_at FROM usage_consume('window-7', 'y');
SELECT pg_temp.clock('2025-03-10 12:00:00+00');
SELECT usage_track('window-7', 'y', occurred_at => '4713-01-01 00:00:00+00 BC') > 0 AS tracked;
SELECT bucket_start FROM usage_counters WHERE user_id = 'window-7' AND bucket_start < '0001-01-01 00:00:00+00';
SELECT pg_temp.clock('294276-12-31 23:59:59.999999+00');
SELECT usage_consume('window-8', 'y');
SELECT allowed, current FROM usage_consume('window-8', 'l');

DELETE FROM usage_limits_config WHERE usage_type IN ('w', 'x', 'y', 'z', 'm', 'a', 'l', 'straddle', 'later');
-- What lies ahead of other files' clocks, or in a year that no partition's name can hold, is not left to them.
DELETE FROM usage_counters WHERE user_id IN ('window-7', 'window-8');
DELETE FROM usage_events WHERE user_id IN ('window-7', 'window-8');
