-- Users whose use today stands out: usage_anomalies.
SET timezone = 'UTC';
SET usage_limits.test_clock = '2041-06-30 18:00:00+00';
\set SHOW_CONTEXT never

SELECT * FROM usage_anomalies();

-- A day's use of a user, "ago" days ago.
CREATE FUNCTION pg_temp.used(u text, t text, ago int, n bigint) RETURNS boolean LANGUAGE sql AS $$
	SELECT usage_track(u, t, n, occurred_at => timestamptz '2041-06-30 10:00+00' - ago * interval '1 day') > 0
$$;

-- Twenty ordinary users, who use 8 to 12 a day, and:
--   odd-jump, as ordinary, until today: found;
--   odd-heavy, who uses a hundred times as much every day: stands out from his tier, not from himself;
--   odd-slow, who had used next to nothing and is as ordinary as the others today: stands out from himself, not from his tier;
--   odd-gone, who uses nothing today, and odd-failed, whose many events fail: not use.
SELECT count(pg_temp.used('odd-' || lpad(u::text, 2, '0'), 'odd', ago, 8 + (u * 7 + ago * 3) % 5)) FROM generate_series(1, 20) u, generate_series(0, 28) ago;
SELECT count(pg_temp.used('odd-jump', 'odd', ago, CASE ago WHEN 0 THEN 60 ELSE 8 + ago % 5 END)) FROM generate_series(0, 28) ago;
SELECT count(pg_temp.used('odd-heavy', 'odd', ago, 1000 + (ago * 37) % 200)) FROM generate_series(0, 28) ago;
SELECT count(pg_temp.used('odd-slow', 'odd', ago, CASE ago WHEN 0 THEN 11 ELSE 1 END)) FROM generate_series(0, 28) ago;
SELECT count(pg_temp.used('odd-gone', 'odd', ago, 10)) FROM generate_series(1, 28) ago;
SELECT count(pg_temp.used('odd-failed', 'odd', ago, 9 + ago % 3)) FROM generate_series(0, 28) ago;
SELECT count(usage_track('odd-failed', 'odd', 100, status => 'failed')) FROM generate_series(1, 50);
SELECT * FROM usage_anomalies();
SELECT user_id, own_score > 3.5 AS from_own, tier_score > 3.5 AS from_tier FROM usage_anomalies(threshold => -1000)
WHERE user_id IN ('odd-jump', 'odd-heavy', 'odd-slow', 'odd-gone', 'odd-failed') ORDER BY user_id;

-- Only so many dates before today are looked at; a single one has no spread.
SELECT user_id, own_median, own_score, tier_median, tier_score FROM usage_anomalies(7);
SELECT user_id, own_median, own_score, tier_median, tier_score FROM usage_anomalies(1);

-- What has to be exceeded.
SELECT user_id, own_score, tier_score FROM usage_anomalies(28, 20);
SELECT user_id FROM usage_anomalies(28, 30);
SELECT count(*) FROM usage_anomalies(28, -1000);
SELECT count(*) FROM usage_anomalies(28, -1000, 5);
SELECT count(*) FROM usage_anomalies(28, -1000, 0);

-- A tier that jumped as a whole, say by a campaign, is no anomaly in it; one of it that jumped ten times as far is.
SELECT count(pg_temp.used('odd-pro-' || u, 'odd_tier', ago, CASE ago WHEN 0 THEN 500 + u ELSE 5 + (u + ago) % 3 END)) FROM generate_series(1, 15) u, generate_series(0, 28) ago;
INSERT INTO user_subscriptions (user_id, tier, started_at) SELECT 'odd-pro-' || u, 'pro', '2041-01-01 00:00+00' FROM generate_series(0, 15) u;
SELECT * FROM usage_anomalies() WHERE usage_type = 'odd_tier';
SELECT count(pg_temp.used('odd-pro-0', 'odd_tier', ago, CASE ago WHEN 0 THEN 5000 ELSE 5 + ago % 3 END)) FROM generate_series(0, 28) ago;
SELECT * FROM usage_anomalies() WHERE usage_type = 'odd_tier';
-- and each is compared with his own tier: by the other tier's measure a free user of 500 is ordinary
SELECT count(pg_temp.used('odd-free-' || u, 'odd_tier', ago, CASE WHEN ago = 0 AND u = 1 THEN 505 ELSE 5 + (u + ago) % 3 END)) FROM generate_series(1, 9) u, generate_series(0, 28) ago;
SELECT * FROM usage_anomalies() WHERE usage_type = 'odd_tier';
SELECT tier FROM usage_set_tier('odd-free-1', 'pro', started_at => '2041-01-01 00:00+00');
SELECT user_id FROM usage_anomalies() WHERE usage_type = 'odd_tier';

-- No spread at all: the mean deviation stands in for it, and where that is 0 as well, one unit.
SELECT count(pg_temp.used('odd-flat-' || u, 'odd_flat', ago, CASE WHEN ago = 0 AND u <= 2 THEN 10 + u * 10 ELSE 10 END)) FROM generate_series(1, 12) u, generate_series(0, 28) ago;
SELECT * FROM usage_anomalies() WHERE usage_type = 'odd_flat';
-- dates without use are a use of 0, also before a user's first
SELECT count(pg_temp.used('odd-new-' || u, 'odd_new', 0, CASE u WHEN 1 THEN 90 ELSE 2 END)) FROM generate_series(1, 12) u;
SELECT * FROM usage_anomalies() WHERE usage_type = 'odd_new';

-- Who is alone in his tier has nobody to stand out from.
SELECT count(pg_temp.used('odd-alone', 'odd_alone', ago, CASE ago WHEN 0 THEN 1000 ELSE 1 END)) FROM generate_series(0, 28) ago;
SELECT * FROM usage_anomalies() WHERE usage_type = 'odd_alone';

-- Today is the UTC date, and not what is booked ahead of it.
SET usage_limits.test_clock = '2041-06-30 23:59:30+00';
SELECT usage_track('odd-flat-5', 'odd_flat', 10000, occurred_at => '2041-07-01 00:00+00') > 0 AS tracked;
SELECT user_id FROM usage_anomalies() WHERE usage_type = 'odd_flat';
SET usage_limits.test_clock = '2041-06-30 18:00:00+00';

-- The scores are as published: by plain SQL over the events.
CREATE TEMP VIEW plain_days AS
SELECT e.user_id, e.event_type AS usage_type, date '2041-06-30' - (e.created_at AT TIME ZONE 'UTC')::date AS ago, sum(e.amount)::float8 AS total
FROM usage_events e WHERE e.status = 'success' AND e.event_type LIKE 'odd%' AND (e.created_at AT TIME ZONE 'UTC')::date BETWEEN '2041-06-02' AND '2041-06-30'
GROUP BY 1, 2, 3;
CREATE TEMP TABLE plain_today AS
SELECT d.user_id, d.usage_type, coalesce(s.tier, 'free') AS tier, d.total FROM plain_days d LEFT JOIN user_subscriptions s USING (user_id) WHERE d.ago = 0;
CREATE FUNCTION pg_temp.score(x float8, history float8[]) RETURNS float8 LANGUAGE sql AS $$
	WITH middle AS (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY h) AS median FROM unnest(history) h),
	spread AS (SELECT m.median, percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(h - m.median)) AS mad, avg(abs(h - m.median)) AS mean FROM unnest(history) h, middle m GROUP BY 1)
	SELECT (x - median) / CASE WHEN mad > 0 THEN 1.4826 * mad ELSE greatest(1.2533 * mean, 1) END FROM spread
$$;
CREATE TEMP VIEW plain_anomalies AS
SELECT t.user_id, t.usage_type, t.tier, t.total::bigint AS today,
	round(pg_temp.score(t.total, ARRAY(SELECT coalesce(d.total, 0) FROM generate_series(1, 28) g LEFT JOIN plain_days d ON d.user_id = t.user_id AND d.usage_type = t.usage_type AND d.ago = g))::numeric, 2) AS own_score,
	round(pg_temp.score(t.total, ARRAY(SELECT p.total FROM plain_today p WHERE p.tier = t.tier AND p.usage_type = t.usage_type))::numeric, 2) AS tier_score
FROM plain_today t;
SELECT count(*) AS compared FROM plain_anomalies;
SELECT user_id, usage_type, tier, today, own_score, tier_score FROM usage_anomalies(28, -1000, 1000) EXCEPT ALL SELECT * FROM plain_anomalies;
SELECT * FROM plain_anomalies EXCEPT ALL SELECT user_id, usage_type, tier, today, own_score, tier_score FROM usage_anomalies(28, -1000, 1000);
