-- How much the users of each tier use: usage_distribution.
SET timezone = 'UTC';
SET usage_limits.test_clock = '2040-06-30 12:00:00+00';
\set SHOW_CONTEXT never

SELECT * FROM usage_distribution('spread');

-- One user is every percentile; of two, half do not exceed the lesser.
SELECT usage_track('spread-1', 'spread', 7) > 0 AS tracked;
SELECT * FROM usage_distribution('spread');
SELECT usage_track('spread-2', 'spread', 9) > 0 AS tracked;
SELECT * FROM usage_distribution('spread');

-- By the tier that counts now, each user by what he used in all the dates.
SELECT count(usage_track('spread-' || n, 'spread', n, (ARRAY['a', 'b'])[n % 3], occurred_at => timestamptz '2040-06-30 12:00+00' - d * interval '1 day'))
FROM generate_series(101, 300) n, generate_series(0, 9) d;
INSERT INTO user_subscriptions (user_id, tier, status, started_at, expires_at)
SELECT 'spread-' || n, CASE WHEN n <= 200 THEN 'pro' ELSE 'team' END, CASE WHEN n = 300 THEN 'canceled' ELSE 'active' END, '2040-01-01 00:00+00',
	CASE WHEN n = 299 THEN timestamptz '2040-06-30 12:00+00' WHEN n = 298 THEN '2040-06-30 12:00:01+00' END
FROM generate_series(101, 300) n;
SELECT * FROM usage_distribution('spread');
SELECT * FROM usage_distribution('spread', 1);
SET usage_limits.default_tier = 'gold';
SELECT * FROM usage_distribution('spread');
RESET usage_limits.default_tier;

-- Who has used nothing, or has given back all, is left out.
SELECT usage_track('spread-zero', 'spread', 0) > 0 AND usage_track('spread-failed', 'spread', 4, status => 'failed') > 0 AS tracked;
SELECT usage_track('spread-back', 'spread', 1000000) AS event_id \gset
SELECT * FROM usage_distribution('spread') WHERE tier = 'free';
SELECT allowed FROM usage_refund(:event_id);
SELECT * FROM usage_distribution('spread') WHERE tier = 'free';

-- The range, and what is booked ahead.
SELECT usage_track('spread-old', 'spread_range', 5, occurred_at => '2040-05-31 23:59:59.999999+00') > 0
	AND usage_track('spread-first', 'spread_range', 6, occurred_at => '2040-06-01 00:00+00') > 0 AS tracked;
SELECT * FROM usage_distribution('spread_range');
SELECT * FROM usage_distribution('spread_range', 31);
SELECT * FROM usage_distribution('spread_range', 29);
SET usage_limits.test_clock = '2040-06-30 23:59:30+00';
SELECT usage_track('spread-ahead', 'spread_ahead', occurred_at => '2040-07-01 00:00+00') > 0 AS tracked;
SELECT * FROM usage_distribution('spread_ahead');
SET usage_limits.test_clock = '2040-07-01 00:00:00+00';
SELECT * FROM usage_distribution('spread_ahead');

-- Equal to plain SQL over the events, for every range: a percentile is the smallest total that at least that share does not exceed.
SET usage_limits.test_clock = '2040-12-31 12:00:00+00';
SELECT count(usage_track('spread-' || 101 + n % 197, 'spread_plain', n % 41,
	status => CASE n % 11 WHEN 0 THEN 'failed' WHEN 1 THEN 'cancelled' ELSE 'success' END,
	occurred_at => timestamptz '2040-12-31 12:00+00' - (n * n % 997) * interval '3 hours')) FROM generate_series(1, 1500) n;
CREATE TEMP VIEW distributions AS
SELECT d.days, u.* FROM unnest(ARRAY[1, 2, 7, 30, 100, 300]) AS d (days), usage_distribution('spread_plain', d.days) u;
CREATE TEMP VIEW plain_distributions AS
WITH totals AS (
	SELECT d.days, e.user_id, coalesce(s.tier, 'free') AS tier, sum(e.amount)::bigint AS total
	FROM unnest(ARRAY[1, 2, 7, 30, 100, 300]) AS d (days) JOIN usage_events e ON e.event_type = 'spread_plain' AND e.status = 'success'
		AND (e.created_at AT TIME ZONE 'UTC')::date BETWEEN date '2040-12-31' - (d.days - 1) AND '2040-12-31'
		LEFT JOIN user_subscriptions s ON s.user_id = e.user_id AND s.status = 'active' AND (s.expires_at IS NULL OR s.expires_at > '2040-12-31 12:00+00')
	GROUP BY 1, 2, 3 HAVING sum(e.amount) > 0
), ranked AS (
	SELECT *, count(*) OVER (PARTITION BY days, tier ORDER BY total) AS not_above, count(*) OVER (PARTITION BY days, tier) AS users FROM totals
)
SELECT days, tier, max(users) AS users, min(total) FILTER (WHERE not_above >= 0.5 * users) AS p50, min(total) FILTER (WHERE not_above >= 0.9 * users) AS p90,
	min(total) FILTER (WHERE not_above >= 0.99 * users) AS p99, max(total) AS max
FROM ranked GROUP BY days, tier;
SELECT count(*) AS compared, max(users) AS users FROM plain_distributions;
SELECT * FROM distributions EXCEPT ALL SELECT * FROM plain_distributions;
SELECT * FROM plain_distributions EXCEPT ALL SELECT * FROM distributions;
