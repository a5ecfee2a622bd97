-- Sliding windows: the last period, in 60 sub-buckets of which the oldest,
-- partly covered one counts in full.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
\set SHOW_CONTEXT never
\set decision 'allowed, reason, requested, current, "limit", remaining, reset_at, retry_after'
INSERT INTO usage_limits_config (limit_type, free_tier_limit) VALUES ('taps_hourly', 10);
SELECT usage_type, period, alignment FROM usage_limits_config WHERE limit_type = 'taps_hourly';

-- An hour means the last 60 minutes, not the hour of the clock.
SET usage_limits.test_clock = '2025-03-12 10:30:20+00';
SELECT :decision FROM usage_consume('slide-1', 'tap', 4);
SET usage_limits.test_clock = '2025-03-12 10:59:59.999999+00';
SELECT :decision FROM usage_consume('slide-1', 'tap', 3);
SET usage_limits.test_clock = '2025-03-12 11:00:00+00';
SELECT :decision FROM usage_consume('slide-1', 'tap', 3);
SELECT bucket_start, amount FROM usage_counters WHERE user_id = 'slide-1' ORDER BY bucket_start;
-- denied: reset_at is when enough of the oldest has left, and does not move while nobody consumes
SELECT :decision FROM usage_consume('slide-1', 'tap', 1);
SELECT :decision FROM usage_consume('slide-1', 'tap', 4);
SELECT :decision FROM usage_consume('slide-1', 'tap', 5);
SELECT :decision FROM usage_consume('slide-1', 'tap', 7);
SELECT :decision FROM usage_consume('slide-1', 'tap', 8);
SELECT :decision FROM usage_consume('slide-1', 'tap', 10);
SELECT :decision FROM usage_consume('slide-1', 'tap', 11);
SET usage_limits.test_clock = '2025-03-12 11:30:59.000001+00';
SELECT :decision FROM usage_check('slide-1', 'tap', 4);
SET usage_limits.test_clock = '2025-03-12 11:30:59.999999+00';
SELECT :decision FROM usage_check('slide-1', 'tap', 4);
-- at that instant it fits, and not a unit more
SET usage_limits.test_clock = '2025-03-12 11:31:00+00';
SELECT :decision FROM usage_check('slide-1', 'tap', 5);
SELECT :decision FROM usage_consume('slide-1', 'tap', 4);
-- allowed: reset_at is when all that counts now will have left
SET usage_limits.test_clock = '2025-03-12 12:30:00+00';
SELECT :decision FROM usage_check('slide-1', 'tap', 0);
SET usage_limits.test_clock = '2025-03-12 12:32:00+00';
SELECT :decision FROM usage_check('slide-1', 'tap', 0);

-- Unlimited, it has a window all the same.
SELECT tier FROM usage_set_tier('slide-2', 'team');
SELECT :decision FROM usage_consume('slide-2', 'tap', 1000);
SET usage_limits.test_clock = '2025-03-12 13:33:00+00';
SELECT :decision FROM usage_check('slide-2', 'tap', 1);

-- What was tracked beyond the limit has to leave first.
SELECT usage_track('slide-3', 'tap', 9, occurred_at => '2025-03-12 12:50:00+00') > 0 AS tracked;
SELECT usage_track('slide-3', 'tap', 9, occurred_at => '2025-03-12 13:10:00+00') > 0 AS tracked;
SELECT :decision FROM usage_consume('slide-3', 'tap', 1);
SELECT :decision FROM usage_consume('slide-3', 'tap', 2);
-- and what is adjusted away is free at once
SELECT usage_track('slide-3', 'tap', 1, occurred_at => '2025-03-12 13:20:00+00') > 0 AS tracked;
SELECT current, "limit", remaining FROM usage_adjust('slide-3', 'tap', -10);
SELECT :decision FROM usage_check('slide-3', 'tap', 1);
SELECT :decision FROM usage_check('slide-3', 'tap', 2);

-- what was taken back never makes room for more than the limit, also when what it was taken from has left
SET usage_limits.test_clock = '2025-03-12 14:11:00+00';
SELECT :decision FROM usage_check('slide-3', 'tap', 10);
SELECT :decision FROM usage_check('slide-3', 'tap', 11);
SELECT usage_adjust('slide-3', 'tap', -1);
SELECT :decision FROM usage_consume('slide-3', 'tap', 10);
SELECT :decision FROM usage_consume('slide-3', 'tap', 1);
SELECT current, reset_at FROM usage_adjust('slide-3', 'tap', -3);
SELECT :decision FROM usage_consume('slide-3', 'tap', 4);
SELECT :decision FROM usage_consume('slide-3', 'tap', 3);
SET usage_limits.test_clock = '2025-03-12 13:33:00+00';

-- Within one transaction as well, savepoints included.
BEGIN;
SELECT :decision FROM usage_consume('slide-4', 'tap', 6);
SAVEPOINT s;
SET LOCAL usage_limits.test_clock = '2025-03-12 13:40:30+00';
SELECT :decision FROM usage_consume('slide-4', 'tap', 4);
SELECT :decision FROM usage_consume('slide-4', 'tap', 4);
ROLLBACK TO s;
SELECT :decision FROM usage_consume('slide-4', 'tap', 4);
SELECT :decision FROM usage_consume('slide-4', 'tap', 4);
COMMIT;

-- Any length of time: the widths of the sub-buckets.
INSERT INTO usage_limits_config (limit_type, period, alignment, free_tier_limit) VALUES
	('six_seconds', '6 seconds', 'sliding', 2), ('ninety_seconds', '90 seconds', 'sliding', 2), ('six_minutes', '6 minutes', 'sliding', 2),
	('days_slide', '1 day', 'sliding', 2), ('months_slide', '1 month', 'sliding', 2), ('odd_slide', '1 hour 1 second', 'sliding', 2);
SET usage_limits.test_clock = '2025-03-12 13:33:33.333333+00';
SELECT c.limit_type, d.reset_at AS leaves FROM usage_limits_config c, usage_consume('slide-5', c.usage_type) d
WHERE c.alignment = 'sliding' AND c.limit_type NOT IN ('taps_hourly', 'api_calls_hourly') ORDER BY c.period;
SELECT usage_type, bucket_start FROM usage_counters WHERE user_id = 'slide-5' ORDER BY bucket_start DESC, usage_type;

-- Brute force: of random requests at random instants, exactly those are
-- admitted that fit with what was admitted in the last hour and the rest of
-- its oldest minute; so no hour ever has more than the limit.  A denied one
-- would be admitted at its reset_at, and not a microsecond sooner.
CREATE TEMP TABLE requests (n serial, at timestamptz, amount bigint, allowed boolean, current bigint, reset_at timestamptz,
	retry_after int, too_soon boolean, in_time boolean);
CREATE FUNCTION pg_temp.ask(at timestamptz, who text, amount bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('usage_limits.test_clock', at::text, false);
	RETURN (SELECT d.allowed FROM usage_check(who, 'tap', $3) d);
END $$;
SELECT setseed(0.75) IS NOT NULL AS seeded;
DO $$
DECLARE
	instant timestamptz := '2025-03-12 20:00:00+00';
	d usage_decision;
	asked bigint;
BEGIN
	FOR i IN 1..1500 LOOP
		-- bursts, lulls, the same instant twice, and the edges of minutes
		instant := CASE
			WHEN random() < 0.1 THEN instant
			WHEN random() < 0.2 THEN date_trunc('minute', instant) + interval '1 minute'
			WHEN random() < 0.3 THEN date_trunc('minute', instant) + interval '59.999999 seconds'
			ELSE instant + random() ^ 4 * interval '40 minutes'
		END;
		asked := 1 + floor(random() ^ 2 * 10);
		PERFORM set_config('usage_limits.test_clock', instant::text, false);
		d := usage_consume('slide-6', 'tap', asked);
		INSERT INTO requests (at, amount, allowed, current, reset_at, retry_after)
		VALUES (instant, asked, d.allowed, d.current, d.reset_at, d.retry_after);
		IF NOT d.allowed THEN
			UPDATE requests SET too_soon = pg_temp.ask(d.reset_at - interval '1 microsecond', 'slide-6', asked),
				in_time = pg_temp.ask(d.reset_at, 'slide-6', asked)
			WHERE n = i;
		END IF;
	END LOOP;
END $$;
SELECT count(*) FILTER (WHERE allowed) > 100 AS many_admitted, count(*) FILTER (WHERE NOT allowed) > 100 AS many_denied FROM requests;
SELECT max((SELECT sum(amount) FROM requests o WHERE o.allowed AND o.at > r.at - interval '1 hour' AND o.at <= r.at)) AS most_in_an_hour
FROM requests r WHERE allowed;
WITH counted AS (
	SELECT r.*, (SELECT coalesce(sum(amount), 0) FROM requests o WHERE o.allowed AND o.n < r.n
		AND o.at >= date_trunc('minute', r.at - interval '1 hour')) AS used
	FROM requests r)
SELECT count(*) FILTER (WHERE allowed <> (used + amount <= 10)) AS wrongly_decided,
	count(*) FILTER (WHERE current <> used + CASE WHEN allowed THEN amount ELSE 0 END) AS wrongly_counted,
	count(*) FILTER (WHERE NOT allowed AND (too_soon OR NOT in_time)) AS wrong_reset_at,
	count(*) FILTER (WHERE allowed AND reset_at <> date_trunc('minute', at) + interval '61 minutes') AS wrong_end,
	count(*) FILTER (WHERE NOT allowed AND retry_after <> ceil(extract(epoch FROM reset_at - at))) AS wrong_retry_after
FROM counted;

-- A reset begins the window within a part: for its own transaction at once.
SET usage_limits.test_clock = '2031-06-01 12:00:10+00';
SELECT allowed, current FROM usage_consume('slide-8', 'tap', 5);
SET usage_limits.test_clock = '2031-06-01 12:00:20+00';
BEGIN;
SELECT current FROM usage_reset('slide-8', 'tap');
SELECT allowed, current FROM usage_consume('slide-8', 'tap', 8);
COMMIT;
SELECT allowed, current FROM usage_consume('slide-8', 'tap', 2);

-- Where the clock steps back, what counted then counts again.
SET usage_limits.test_clock = '2031-07-01 12:00:00+00';
SELECT allowed, current FROM usage_consume('slide-7', 'tap', 5);
SET usage_limits.test_clock = '2031-07-01 13:30:00+00';
SELECT allowed, current FROM usage_consume('slide-7', 'tap', 1);
SET usage_limits.test_clock = '2031-07-01 12:10:00+00';
SELECT allowed FROM usage_consume('slide-7', 'tap', 6);
SET usage_limits.test_clock = '2031-07-01 13:30:00+00';
SELECT allowed, current FROM usage_consume('slide-7', 'tap', 1);

DELETE FROM usage_limits_config WHERE usage_type IN ('tap', 'six_second', 'ninety_second', 'six_minute', 'days_slide', 'months_slide', 'odd_slide');
