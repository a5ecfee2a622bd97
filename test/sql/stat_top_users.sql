-- Who used most: usage_top_users.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2034-06-30 12:00:00+00';
\set SHOW_CONTEXT never

SELECT * FROM usage_top_users('top');

-- Ties by user_id, byte by byte; the last use; nobody without any.
SELECT count(usage_track(u, 'top', n, subtype, occurred_at => at)) FROM (VALUES
	('top-b', 5, NULL, timestamptz '2034-06-30 11:00+00'), ('top-a', 2, NULL, '2034-06-29 10:00+00'), ('top-a', 3, 'x', '2034-06-28 10:00+00'),
	('top-B', 5, 'y', '2034-06-02 00:00+00'), ('top-c', 9, NULL, '2034-06-01 00:00+00'), ('top-é', 5, NULL, '2034-06-30 12:00+00'),
	('top-d', 31, NULL, '2034-05-31 23:59:59.999999+00'), ('top-d', 1, NULL, '2034-06-15 10:00+00'), ('top-zero', 0, NULL, '2034-06-15 10:00+00')) t (u, n, subtype, at);
SELECT usage_track('top-failed', 'top', 100, status => 'failed') > 0 AND usage_track('top-cancelled', 'top', 100, status => 'cancelled') > 0
	AND usage_track('top-other', 'top_other', 100) > 0 AND usage_track('top-d', 'top', 7, status => 'failed') > 0 AS tracked;
SELECT * FROM usage_top_users('top');
SELECT * FROM usage_top_users('top', 29);
SELECT * FROM usage_top_users('top', 31);
SELECT * FROM usage_top_users('top', 1);
SELECT * FROM usage_top_users('top', 30, 3);
SELECT * FROM usage_top_users('top', 30, 0);
SELECT * FROM usage_top_users('top_other');

-- What is given back does not count, and who has given back all is not there.
SELECT usage_track('top-refund', 'top_refund', 8, occurred_at => '2034-06-20 10:00+00') AS event_id \gset
SELECT usage_track('top-keep', 'top_refund', 6, occurred_at => '2034-06-20 10:00+00') > 0 AS tracked;
SELECT allowed FROM usage_refund(:event_id, 3);
SELECT * FROM usage_top_users('top_refund');
SELECT allowed FROM usage_refund(:event_id);
SELECT * FROM usage_top_users('top_refund');
SELECT allowed FROM usage_adjust('top-adjust', 'top_refund', 20);
SELECT * FROM usage_top_users('top_refund');
-- a reset starts counting anew and takes nothing from what was used
SELECT allowed FROM usage_reset('top-keep', 'top_refund');
SELECT * FROM usage_top_users('top_refund');

-- What is booked ahead, on the other side of midnight, is not of today.
SET usage_limits.test_clock = '2034-06-30 23:59:30+00';
SELECT usage_track('top-ahead', 'top_ahead', 4, occurred_at => '2034-07-01 00:00+00') > 0 AS tracked;
SELECT * FROM usage_top_users('top_ahead');
SET usage_limits.test_clock = '2034-07-01 00:00+00';
SELECT * FROM usage_top_users('top_ahead');
SET usage_limits.test_clock = '2034-06-30 12:00:00+00';

-- Sums beyond 2^31, and 100 rows by default.
SELECT count(usage_track('top-big', 'top_big', 1000000000000000)) FROM generate_series(1, 3);
SELECT * FROM usage_top_users('top_big');
SELECT count(usage_track('top-many-' || n, 'top_many', 1 + n % 4)) FROM generate_series(1, 130) n;
SELECT count(*), min(total_usage), max(total_usage) FROM usage_top_users('top_many');
SELECT count(*) FROM usage_top_users('top_many', 30, 1000);

-- Equal to plain SQL over the events, in order, for every range.
SELECT count(usage_track('top-plain-' || n % 17, 'top_plain', n % 5, CASE n % 4 WHEN 0 THEN 'a' WHEN 1 THEN 'b' END,
	status => CASE n % 7 WHEN 0 THEN 'failed' WHEN 1 THEN 'cancelled' ELSE 'success' END,
	occurred_at => timestamptz '2034-06-30 12:00+00' - n * interval '5 hours 11 minutes')) FROM generate_series(0, 499) n;
CREATE TEMP VIEW top AS
SELECT d.days, t.n, t.user_id, t.total_usage, t.last_used
FROM unnest(ARRAY[1, 2, 7, 30, 100, 3650]) AS d (days), usage_top_users('top_plain', d.days, 10) WITH ORDINALITY AS t (user_id, total_usage, last_used, n);
CREATE TEMP VIEW plain_top AS
SELECT * FROM (
	SELECT d.days, row_number() OVER (PARTITION BY d.days ORDER BY sum(e.amount) DESC, e.user_id COLLATE "C") AS n, e.user_id, sum(e.amount)::bigint AS total_usage, max(e.created_at) AS last_used
	FROM unnest(ARRAY[1, 2, 7, 30, 100, 3650]) AS d (days) JOIN usage_events e ON e.event_type = 'top_plain' AND e.status = 'success'
		AND (e.created_at AT TIME ZONE 'UTC')::date BETWEEN date '2034-06-30' - (d.days - 1) AND '2034-06-30'
	GROUP BY d.days, e.user_id HAVING sum(e.amount) > 0) t
WHERE n <= 10;
SELECT count(*) AS compared FROM plain_top;
SELECT * FROM top EXCEPT ALL SELECT * FROM plain_top;
SELECT * FROM plain_top EXCEPT ALL SELECT * FROM top;
