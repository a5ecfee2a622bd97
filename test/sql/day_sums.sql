-- Days that are over, summed once: usage_trends says the same as the counters
-- added up, whatever is written, and whenever usage_maintain ran.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
\set SHOW_CONTEXT never
SET usage_limits.test_clock = '2024-03-10 12:00:00+00';

CREATE TEMP VIEW plain AS
WITH used AS (
	SELECT (c.bucket_start AT TIME ZONE 'UTC')::date AS date, c.usage_type, c.user_id, sum(c.amount) AS amount
	FROM usage_counters c
	WHERE c.bucket_start >= '2024-02-25 00:00+00' AND c.bucket_start < '2024-03-11 00:00+00'
	GROUP BY 1, 2, 3
	HAVING sum(c.events) > 0 OR sum(c.amount) <> 0
)
SELECT g.date::date, t.usage_type, coalesce(sum(u.amount), 0)::bigint AS total_count, count(DISTINCT u.user_id) AS unique_users
FROM generate_series(timestamp '2024-02-25', '2024-03-10', '1 day') AS g (date)
	CROSS JOIN (SELECT DISTINCT usage_type FROM used UNION SELECT NULL) t
	LEFT JOIN used u ON u.date = g.date AND (u.usage_type = t.usage_type OR t.usage_type IS NULL)
GROUP BY 1, 2;
CREATE TEMP VIEW different AS
(SELECT 'trends' AS of, * FROM usage_trends(15) EXCEPT ALL SELECT 'trends', * FROM plain)
UNION ALL
(SELECT 'plain', * FROM plain EXCEPT ALL SELECT 'plain', * FROM usage_trends(15));
-- the days asked for: how many are summed, and how many marks there are
CREATE TEMP VIEW state AS
SELECT count(*) AS closed, count(d.unique_users) AS summed, (SELECT count(*) FROM usage_day_marks) AS marks, (SELECT count(*) FROM different) AS different
FROM usage_days d WHERE d.usage_date >= '2024-02-25';
-- A transaction of somebody else, of an autovacuum perhaps, may keep a day from
-- being summed: until only so many days are open.
CREATE FUNCTION pg_temp.maintain(open integer DEFAULT 0) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	summed bigint := 0;
BEGIN
	FOR run IN 1..1200 LOOP
		summed := summed + (SELECT m.count FROM usage_maintain() m WHERE m.what = 'days summed');
		EXIT WHEN (SELECT count(*) FROM usage_days d WHERE d.unique_users IS NULL) <= open;
		PERFORM pg_sleep(0.05);
	END LOOP;
	RETURN summed;
END $$;
-- other files' rows are none of our business
DELETE FROM usage_days;
DELETE FROM usage_day_marks;
TRUNCATE usage_counters;
SELECT usage_date FROM usage_day_marks;

SELECT count(usage_track('day-' || n % 13, 'day_' || n % 3, n % 4, CASE n % 2 WHEN 0 THEN 'x' END, status => CASE n % 7 WHEN 0 THEN 'failed' ELSE 'success' END,
	occurred_at => timestamptz '2024-03-10 12:00+00' - n * n % 331 * interval '1 hour')) FROM generate_series(1, 200) n;
SELECT count(*) AS marks FROM usage_day_marks WHERE usage_date <> '-infinity';
SELECT * FROM state;
SELECT count(*) AS rows, sum(total_count) AS total FROM usage_trends(15);

-- Every day before today is summed, in one run, and today is not.
SELECT pg_temp.maintain() AS days_with_use;
SELECT * FROM state;
SELECT min(usage_date), max(usage_date), count(*) FROM usage_days;
SELECT sum(total) AS total, sum(unique_users) AS users FROM usage_days;
SELECT usage_type, sum(total) AS total, sum(unique_users) AS users FROM usage_day_sums GROUP BY 1 ORDER BY 1;
SELECT count(*) AS rows, sum(total_count) AS total FROM usage_trends(15);
SELECT pg_temp.maintain() AS again;

-- The sums are what is read: as long as the day has no mark.
UPDATE usage_day_sums SET total = total + 1000 WHERE usage_date = '2024-03-04' AND usage_type = 'day_1';
UPDATE usage_days SET unique_users = 77 WHERE usage_date = '2024-03-03';
SELECT of, date, usage_type, total_count > 1000 OR unique_users = 77 AS wrong FROM different WHERE of = 'trends' ORDER BY 2;
SELECT count(usage_track('day-late', 'day_1', n, occurred_at => timestamptz '2024-03-03 00:00+00' + n % 2 * interval '1 day')) FROM generate_series(1, 9) n;
SELECT usage_date, count(*) FROM usage_day_marks GROUP BY 1 ORDER BY 1;
SELECT * FROM state;
SELECT pg_temp.maintain();
SELECT * FROM state;

-- A transaction sees what it wrote itself; when it rolls back, also to a savepoint, nothing was written.
BEGIN;
INSERT INTO usage_counters (user_id, usage_type, bucket_start, amount, events) VALUES ('day-own', 'day_own', '2024-03-05 00:00+00', 5, 1);
SELECT * FROM state;
SELECT total_count FROM usage_trends(15) WHERE date = '2024-03-05' AND usage_type = 'day_own';
ROLLBACK;
SELECT * FROM state;
BEGIN;
SAVEPOINT a;
INSERT INTO usage_counters (user_id, usage_type, bucket_start, amount, events) VALUES ('day-own', 'day_own', '2024-03-05 00:00+00', 5, 1);
ROLLBACK TO a;
SELECT * FROM state;
INSERT INTO usage_counters (user_id, usage_type, bucket_start, amount, events) VALUES ('day-own', 'day_own', '2024-03-05 06:00+00', 6, 1);
SAVEPOINT b;
INSERT INTO usage_counters (user_id, usage_type, bucket_start, amount, events) VALUES ('day-own', 'day_own', '2024-03-06 06:00+00', 7, 1);
RELEASE b;
COMMIT;
SELECT * FROM state;
SELECT pg_temp.maintain();
SELECT * FROM state;

-- Direct changes: an amount, a day that becomes another, rows and whole days that go.
UPDATE usage_counters SET amount = amount + 100 WHERE user_id = 'day-own' AND bucket_start = '2024-03-05 06:00+00';
SELECT usage_date FROM usage_day_marks;
UPDATE usage_counters SET bucket_start = '2024-02-27 06:00+00' WHERE user_id = 'day-own' AND bucket_start = '2024-03-06 06:00+00';
SELECT usage_date FROM usage_day_marks ORDER BY 1;
SELECT * FROM state;
SELECT pg_temp.maintain();
DELETE FROM usage_counters WHERE user_id = 'day-own';
DELETE FROM usage_counters WHERE bucket_start >= '2024-03-01 00:00+00' AND bucket_start < '2024-03-02 00:00+00';
SELECT usage_date FROM usage_day_marks ORDER BY 1;
SELECT * FROM state;
SELECT pg_temp.maintain();
SELECT * FROM state;
SELECT total, unique_users FROM usage_days WHERE usage_date = '2024-03-01';
-- today's rows are nobody's business
INSERT INTO usage_counters (user_id, usage_type, bucket_start, amount, events) VALUES ('day-today', 'day_today', '2024-03-10 00:00+00', 5, 1), ('day-today', 'day_today', '-infinity', 5, 1), ('day-today', 'day_today', 'infinity', 5, 1), ('day-today', 'day_today', '4700-01-01 00:00+00 BC', 5, 1);
SELECT * FROM state;

-- A refund into a day of the past, and an adjustment of today.
SELECT id FROM usage_events WHERE user_id = 'day-late' AND amount = 9 \gset
SELECT allowed FROM usage_refund(:id, 4);
SELECT usage_date FROM usage_day_marks;
SELECT allowed FROM usage_adjust('day-late', 'day_1', 3);
SELECT * FROM state;
SELECT pg_temp.maintain();
SELECT * FROM state;

-- Slots that are folded leave the sums as they are, and no mark.
INSERT INTO usage_counters (user_id, usage_type, bucket_start, slot, amount, events)
SELECT 'day-slots', 'day_1', '2024-03-07 00:00+00', slot, 10, 1 FROM generate_series(1, 3) slot;
SELECT pg_temp.maintain();
SELECT count(*) AS rows, sum(amount) FROM usage_counters WHERE user_id = 'day-slots';
SELECT * FROM state;

-- Within one transaction: written, summed, written, summed.
BEGIN;
INSERT INTO usage_counters (user_id, usage_type, bucket_start, amount, events) VALUES ('day-one', 'day_1', '2024-03-08 00:00+00', 1, 1);
SELECT pg_temp.maintain();
SELECT * FROM state;
INSERT INTO usage_counters (user_id, usage_type, bucket_start, amount, events) VALUES ('day-two', 'day_1', '2024-03-08 00:00+00', 1, 1);
SELECT * FROM state;
SELECT usage_track('day-three', 'day_1', occurred_at => '2024-03-08 00:00+00') > 0 AS tracked;
SELECT pg_temp.maintain();
SELECT * FROM state;
COMMIT;
SELECT * FROM state;
SELECT pg_temp.maintain();
-- also where the day came to be over in between
BEGIN;
INSERT INTO usage_counters (user_id, usage_type, bucket_start, amount, events) VALUES ('day-one', 'day_1', '2024-03-10 06:00+00', 1, 1);
SET LOCAL usage_limits.test_clock = '2024-03-11 12:00:00+00';
SELECT pg_temp.maintain();
SET LOCAL usage_limits.test_clock = '2024-03-10 12:00:00+00';
SELECT * FROM state;
INSERT INTO usage_counters (user_id, usage_type, bucket_start, amount, events) VALUES ('day-two', 'day_1', '2024-03-10 06:00+00', 1, 1);
SELECT * FROM state;
ROLLBACK;
SELECT * FROM state;

-- At any isolation level.
BEGIN ISOLATION LEVEL REPEATABLE READ;
INSERT INTO usage_counters (user_id, usage_type, bucket_start, amount, events) VALUES ('day-one', 'day_1', '2024-03-09 00:00+00', 1, 1);
SELECT pg_temp.maintain();
SELECT * FROM state;
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
INSERT INTO usage_counters (user_id, usage_type, bucket_start, amount, events) VALUES ('day-two', 'day_1', '2024-03-09 00:00+00', 1, 1);
SELECT pg_temp.maintain();
SELECT * FROM state;
COMMIT;
SELECT * FROM state;
-- called debug_parallel_query from 16 on
SELECT count(set_config(name, 'on', false)) AS parallel FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
SELECT count(*) AS different FROM different;
SELECT count(set_config(name, 'off', false)) AS parallel FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');

-- What was written before the day was closed, by a transaction that is prepared, keeps the day open.
BEGIN;
INSERT INTO usage_counters (user_id, usage_type, bucket_start, amount, events) VALUES ('day-prepared', 'day_1', '2024-03-10 00:00+00', 50, 1);
SELECT usage_track('day-prepared', 'day_2', 60) > 0 AS tracked;
PREPARE TRANSACTION 'day';
SET usage_limits.test_clock = '2024-03-11 00:59:59+00';
SELECT pg_temp.maintain();
SELECT max(usage_date) FROM usage_days;
SET usage_limits.test_clock = '2024-03-11 01:00:00+00';
SELECT count FROM usage_maintain() WHERE what = 'days summed';
SELECT usage_date FROM usage_days WHERE unique_users IS NULL;
SET usage_limits.test_clock = '2024-03-10 23:00:00+00';
SELECT count(*) AS different FROM different;
COMMIT PREPARED 'day';
SELECT count(*) AS different FROM different;
SET usage_limits.test_clock = '2024-03-11 01:00:00+00';
SELECT pg_temp.maintain();
SELECT usage_date FROM usage_days WHERE unique_users IS NULL;
SET usage_limits.test_clock = '2024-03-10 23:00:00+00';
SELECT * FROM state;
-- one that is prepared later leaves a mark, which counts with it
BEGIN;
SELECT usage_track('day-prepared', 'day_1', 70) > 0 AS tracked;
PREPARE TRANSACTION 'day';
SELECT * FROM state;
COMMIT PREPARED 'day';
SELECT * FROM state;
SELECT sum(total_count) FROM usage_trends(1) WHERE usage_type IS NOT NULL;

-- A clock that is set back takes the days back, too.
SELECT pg_temp.maintain();
SELECT max(usage_date) FROM usage_days;
SELECT * FROM state;

-- TRUNCATE, rolled back and not.
BEGIN;
TRUNCATE usage_counters;
SELECT * FROM state;
SELECT count(*), sum(total_count) FROM usage_trends(15);
ROLLBACK;
SELECT * FROM state;
BEGIN;
TRUNCATE usage_counters;
SELECT count(usage_track('day-new', 'day_1', n, occurred_at => timestamptz '2024-03-03 00:00+00' + n % 2 * interval '1 day')) FROM generate_series(1, 9) n;
COMMIT;
SELECT * FROM state;
SELECT pg_temp.maintain();
SELECT * FROM state;
SELECT usage_date, usage_type, total, unique_users FROM usage_day_sums ORDER BY 1;

-- Without our triggers there are no marks, and so no sums.
ALTER TABLE usage_counters ENABLE TRIGGER counted;
SELECT severity, what FROM usage_doctor() WHERE what ~ 'trigger';
SELECT count FROM usage_maintain() WHERE what = 'days summed';
SELECT * FROM state;
SELECT count(*) AS sums FROM usage_day_sums;
ALTER TABLE usage_counters DISABLE TRIGGER counted;
INSERT INTO usage_counters (user_id, usage_type, bucket_start, amount, events) VALUES ('day-unseen', 'day_1', '2024-03-09 00:00+00', 1, 1);
ALTER TABLE usage_counters ENABLE ALWAYS TRIGGER counted;
SELECT count(*) FROM usage_doctor() WHERE what ~ 'trigger';
SELECT pg_temp.maintain();
SELECT * FROM state;
-- who wrote with them disabled deletes the days
ALTER TABLE usage_counters DISABLE TRIGGER counted;
UPDATE usage_counters SET amount = 2 WHERE user_id = 'day-unseen';
ALTER TABLE usage_counters ENABLE ALWAYS TRIGGER counted;
SELECT * FROM state;
DELETE FROM usage_days;
SELECT * FROM state;
SELECT pg_temp.maintain();
SELECT * FROM state;

-- A day whose total no bigint holds is not summed; the other days are.
INSERT INTO usage_counters (user_id, usage_type, bucket_start, amount, events)
SELECT 'day-' || n, 'day_big', timestamptz '2024-03-02 00:00+00' + d * interval '1 day', CASE d WHEN 0 THEN 9223372036854775807 ELSE 1000000000000000000 END, 1 FROM generate_series(1, 2) n, generate_series(0, 1) d WHERE n * d < 2;
SELECT pg_temp.maintain(1);
SELECT usage_date FROM usage_days WHERE unique_users IS NULL;
SELECT usage_date, total FROM usage_day_sums WHERE usage_type = 'day_big';
SELECT count(*) FROM usage_trends(15);
DELETE FROM usage_counters WHERE usage_type = 'day_big';
SELECT pg_temp.maintain();
SELECT * FROM state;

-- Nobody but the owner has anything to do with it.
CREATE ROLE regress_day_sums;
SELECT usage_grant('regress_day_sums', 'admin');
GRANT SELECT ON different TO regress_day_sums;
SELECT usage_track('day-role', 'day_1', 1, occurred_at => '2024-03-09 00:00+00') > 0 AS tracked;
SET ROLE regress_day_sums;
SELECT * FROM usage_limits_sum_days('2024-03-09', 1);
SELECT * FROM usage_days;
SELECT usage_track('day-role', 'day_1', 1, occurred_at => '2024-03-09 00:00+00') > 0 AS tracked;
SELECT total_count FROM usage_trends(2) WHERE date = '2024-03-09' AND usage_type IS NULL;
SELECT count FROM usage_maintain() WHERE what = 'events moved';
RESET ROLE;
SELECT usage_revoke('regress_day_sums');
REVOKE ALL ON different FROM regress_day_sums;
DROP ROLE regress_day_sums;
SELECT different FROM state;
TRUNCATE usage_counters;
