-- Tracks a trace with usage_track, and compares the answers of every analytics
-- function with plain SQL over the trace alone.
--
-- The trace is CSV on standard input: ts,user,action,amount,end_ts, and a
-- header.  Variable: name (of the trace).  Prints one line for each check,
-- "ok - ..." or "not ok - ...".

\set QUIET on
\set ON_ERROR_STOP on
\pset tuples_only on
\pset format unaligned
SET client_min_messages = warning;
SET timezone = 'UTC';

CREATE TEMP TABLE csv (n bigint GENERATED ALWAYS AS IDENTITY, ts timestamptz, user_id text, action text, amount bigint, end_ts timestamptz);
\copy csv (ts, user_id, action, amount, end_ts) FROM pstdin WITH (FORMAT csv, HEADER)

-- What a trace does not say comes from the numbers of its rows: a third of the
-- rows for each step of the funnel, three formats and none, and some that
-- failed or were cancelled.  A trace that names no users is one user's.
CREATE TABLE trace AS
SELECT n, ts, coalesce(user_id, 'everyone') COLLATE "C" AS user_id,
	(ARRAY['project_create', 'prompt', 'export'])[1 + n % 3] COLLATE "C" AS usage_type,
	(ARRAY['mp4', 'webm', 'GIF'])[n % 4] COLLATE "C" AS event_subtype,
	amount, coalesce(extract(epoch FROM end_ts - ts) * 1000, amount % 1000)::bigint AS duration_ms,
	CASE WHEN n % 13 = 0 THEN 'failed' WHEN n % 17 = 0 THEN 'cancelled' ELSE 'success' END AS status
FROM csv;
SELECT max(ts) AS ends, max(ts)::date AS today FROM trace \gset
SET usage_limits.test_clock = :'ends';

CREATE TABLE tracked (n bigint, event_id bigint);
INSERT INTO tracked
SELECT n, usage_track(user_id, usage_type, amount, event_subtype, duration_ms => duration_ms, status => status, occurred_at => ts)
FROM trace ORDER BY n;

-- Every other user has a tier, one in four of them no longer.
CREATE TABLE tiers AS
SELECT user_id, CASE WHEN r % 4 = 1 THEN 'free' WHEN r % 4 = 3 THEN 'pro' ELSE 'team' END AS tier, r
FROM (SELECT user_id, row_number() OVER (ORDER BY user_id) AS r FROM trace GROUP BY user_id) u;
INSERT INTO user_subscriptions (user_id, tier, status, started_at)
SELECT user_id, CASE WHEN r % 4 = 1 THEN 'team' ELSE tier END, CASE WHEN r % 4 = 1 THEN 'canceled' ELSE 'active' END, '-infinity'
FROM tiers WHERE r % 2 = 1;
UPDATE tiers SET tier = 'free' WHERE r % 2 = 0;

CREATE FUNCTION differ(a text, b text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	rows bigint;
BEGIN
	EXECUTE format('SELECT count(*) FROM ((TABLE %1$I EXCEPT ALL TABLE %2$I) UNION ALL (TABLE %2$I EXCEPT ALL TABLE %1$I)) d', a, b)
		INTO rows;
	RETURN rows;
END $$;
CREATE TABLE results (line text);
-- Compares the answers in a table with those that should be in another.
CREATE PROCEDURE compare(name text, function text, answers text, expected text) LANGUAGE plpgsql AS $$
DECLARE
	wrong bigint := differ(answers, expected);
	rows bigint;
BEGIN
	EXECUTE format('SELECT count(*) FROM %I', expected) INTO rows;
	INSERT INTO results VALUES (format('%s - %s: %s answers as plain SQL over the trace does: %s rows, %s differ',
		CASE WHEN wrong = 0 AND rows > 0 THEN 'ok' ELSE 'not ok' END, name, function, rows, wrong));
END $$;

-- The ranges that are asked for, and the rows of the trace that are in each.
CREATE TABLE ranges AS SELECT unnest(ARRAY[1, 2, 7, 30, 3650]) AS days;
CREATE VIEW ranged AS
SELECT r.days, t.*, t.ts::date AS date FROM ranges r JOIN trace t ON t.ts::date BETWEEN date :'today' - (r.days - 1) AND :'today';
CREATE VIEW used AS SELECT * FROM ranged WHERE status = 'success';

CREATE TABLE top AS
SELECT r.days, y.type, t.n, t.user_id, t.total_usage, t.last_used
FROM ranges r, unnest(ARRAY['project_create', 'prompt', 'export']) AS y (type),
	usage_top_users(y.type, r.days, 50) WITH ORDINALITY AS t (user_id, total_usage, last_used, n);
CREATE TABLE should_be_top AS
SELECT * FROM (
	SELECT days, usage_type, row_number() OVER (PARTITION BY days, usage_type ORDER BY sum(amount) DESC, user_id) AS n, user_id,
		sum(amount)::bigint AS total_usage, max(ts) AS last_used
	FROM used GROUP BY days, usage_type, user_id HAVING sum(amount) > 0) t
WHERE n <= 50;
CALL compare(:'name', 'usage_top_users', 'top', 'should_be_top');

-- a range of ten years has many dates
CREATE TABLE trends AS
SELECT r.days, t.* FROM ranges r, usage_trends(r.days) t WHERE r.days <= 30;
CREATE TABLE should_be_trends AS
WITH dates AS (
	SELECT days, date :'today' - g AS date FROM ranges, generate_series(0, days - 1) g WHERE days <= 30
), types AS (
	SELECT DISTINCT days, usage_type FROM used UNION SELECT days, NULL FROM ranges
), sums AS (
	SELECT days, date, usage_type, sum(amount)::bigint AS count, count(DISTINCT user_id) AS users
	FROM used GROUP BY GROUPING SETS ((days, date, usage_type), (days, date))
)
SELECT d.days, d.date, t.usage_type, coalesce(s.count, 0) AS total_count, coalesce(s.users, 0) AS unique_users
FROM dates d JOIN types t USING (days)
	LEFT JOIN sums s ON s.days = d.days AND s.date = d.date AND s.usage_type IS NOT DISTINCT FROM t.usage_type;
CALL compare(:'name', 'usage_trends', 'trends', 'should_be_trends');

CREATE TABLE funnel AS SELECT days, usage_funnel(days) AS funnel FROM ranges;
CREATE TABLE should_be_funnel AS
SELECT days, jsonb_build_object('registered', (SELECT count(*) FROM tiers WHERE r % 2 = 1),
	'createdProject', count(DISTINCT user_id) FILTER (WHERE usage_type = 'project_create'),
	'generatedScene', count(DISTINCT user_id) FILTER (WHERE usage_type = 'prompt'),
	'exportedVideo', count(DISTINCT user_id) FILTER (WHERE usage_type = 'export')) AS funnel
FROM ranges LEFT JOIN used USING (days) GROUP BY days;
CALL compare(:'name', 'usage_funnel', 'funnel', 'should_be_funnel');

CREATE TABLE rates AS
SELECT r.days, e.* FROM ranges r, usage_error_rates(r.days, 3)
	WITH ORDINALITY AS e (event_type, event_subtype, total_events, failed_events, cancelled_events, error_rate, avg_duration_ms, n);
CREATE TABLE should_be_rates AS
SELECT days, usage_type, event_subtype, count(*) AS total_events, count(*) FILTER (WHERE status = 'failed') AS failed_events,
	count(*) FILTER (WHERE status = 'cancelled') AS cancelled_events,
	round(count(*) FILTER (WHERE status = 'failed') * 100.0 / nullif(count(*) FILTER (WHERE status <> 'cancelled'), 0), 2) AS error_rate,
	nullif(round(avg(duration_ms) FILTER (WHERE status = 'success'), 2), 0) AS avg_duration_ms,
	row_number() OVER (PARTITION BY days ORDER BY count(*) DESC, usage_type, event_subtype NULLS LAST) AS n
FROM ranged GROUP BY days, usage_type, event_subtype HAVING count(*) >= 3;
CALL compare(:'name', 'usage_error_rates', 'rates', 'should_be_rates');

CREATE TABLE distribution AS
SELECT r.days, y.type, d.* FROM ranges r, unnest(ARRAY['project_create', 'prompt', 'export']) AS y (type), usage_distribution(y.type, r.days) d;
CREATE TABLE should_be_distribution AS
WITH totals AS (
	SELECT days, usage_type, tier, sum(amount)::bigint AS total
	FROM used JOIN tiers USING (user_id) GROUP BY days, usage_type, tier, user_id HAVING sum(amount) > 0
), ranked AS (
	SELECT *, count(*) OVER (PARTITION BY days, usage_type, tier ORDER BY total) AS not_above, count(*) OVER (PARTITION BY days, usage_type, tier) AS users FROM totals
)
SELECT days, usage_type, tier, max(users) AS users, min(total) FILTER (WHERE not_above * 100 >= 50 * users) AS p50, min(total) FILTER (WHERE not_above * 100 >= 90 * users) AS p90,
	min(total) FILTER (WHERE not_above * 100 >= 99 * users) AS p99, max(total) AS max
FROM ranked GROUP BY days, usage_type, tier;
CALL compare(:'name', 'usage_distribution', 'distribution', 'should_be_distribution');

-- every score, whether it stands out or not
CREATE TABLE anomalies AS
SELECT user_id, usage_type, tier, today, own_median, own_score, tier_median, tier_score FROM usage_anomalies(28, -1000000000, 1000000);
CREATE TABLE should_be_anomalies AS
WITH sums AS (
	SELECT user_id, usage_type, date :'today' - date AS ago, sum(amount) AS total FROM used WHERE days = 30 GROUP BY 1, 2, 3
), today AS (
	SELECT user_id, usage_type, tier, total FROM sums JOIN tiers USING (user_id) WHERE ago = 0 AND total > 0
), history AS (
	SELECT t.user_id, t.usage_type, array_agg(coalesce(s.total, 0)) AS totals
	FROM today t CROSS JOIN generate_series(1, 28) g LEFT JOIN sums s ON s.user_id = t.user_id AND s.usage_type = t.usage_type AND s.ago = g
	GROUP BY 1, 2
), peers AS (
	SELECT tier, usage_type, array_agg(total) AS totals FROM today GROUP BY 1, 2
), samples AS (
	SELECT user_id || ' ' || usage_type AS sample, totals FROM history UNION ALL SELECT 'tier ' || tier || ' ' || usage_type, totals FROM peers
), middles AS (
	SELECT sample, totals, percentile_cont(0.5) WITHIN GROUP (ORDER BY x)::numeric AS median FROM samples, unnest(totals) x GROUP BY 1, 2
), spreads AS (
	SELECT sample, median, percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(x - median))::numeric AS mad, avg(abs(x - median)) AS mean
	FROM middles, unnest(totals) x GROUP BY 1, 2
), scales AS (
	SELECT sample, median, CASE WHEN mad > 0 THEN 1.4826 * mad ELSE greatest(1.2533 * mean, 1) END AS scale FROM spreads
)
SELECT t.user_id, t.usage_type, t.tier, t.total::bigint AS today, round(o.median, 2) AS own_median, round((t.total - o.median) / o.scale, 2) AS own_score,
	round(p.median, 2) AS tier_median, round((t.total - p.median) / p.scale, 2) AS tier_score
FROM today t JOIN scales o ON o.sample = t.user_id || ' ' || t.usage_type JOIN scales p ON p.sample = 'tier ' || t.tier || ' ' || t.usage_type;
CALL compare(:'name', 'usage_anomalies', 'anomalies', 'should_be_anomalies');

-- the statistics of some users, and the list of all of them
CREATE TABLE some_users AS SELECT user_id FROM tiers ORDER BY md5(user_id) LIMIT 40;
CREATE TABLE stats AS
SELECT u.user_id::text, r.days, d.key AS date, t.key AS usage_type, t.value::bigint AS count
FROM some_users u, ranges r, jsonb_each(usage_stats(u.user_id, r.days)->'daily') d, jsonb_each(d.value) t;
CREATE TABLE should_be_stats AS
SELECT user_id::text, days, to_char(ts, 'YYYY-MM-DD') AS date, usage_type::text, sum(amount)::bigint AS count
FROM used JOIN some_users USING (user_id) GROUP BY 1, 2, 3, 4;
CALL compare(:'name', 'usage_stats', 'stats', 'should_be_stats');
CREATE TABLE events AS
SELECT u.user_id::text, e.n, (e.event->>'id')::bigint AS id, e.event->>'eventType' AS type, (e.event->>'amount')::bigint AS amount, (e.event->>'createdAt')::timestamptz AS created_at
FROM some_users u, jsonb_array_elements(usage_stats(u.user_id, 3650)->'recentEvents') WITH ORDINALITY AS e (event, n);
CREATE TABLE should_be_events AS
SELECT * FROM (
	SELECT user_id::text, row_number() OVER (PARTITION BY user_id ORDER BY ts DESC, event_id DESC) AS n, event_id AS id, usage_type::text AS type, amount, ts AS created_at
	FROM trace JOIN some_users USING (user_id) JOIN tracked USING (n)) e
WHERE n <= 100;
CALL compare(:'name', 'usage_stats, recentEvents,', 'events', 'should_be_events');
CREATE TABLE users AS SELECT * FROM usage_users(max_rows => 1000000) WITH ORDINALITY AS u (user_id, tier, status, last_used, n);
CREATE TABLE should_be_users AS
SELECT user_id, t.tier, CASE r % 4 WHEN 1 THEN 'canceled' WHEN 3 THEN 'active' END AS status, l.last_used, r AS n
FROM tiers t LEFT JOIN (SELECT user_id, max(ts) AS last_used FROM trace WHERE status = 'success' GROUP BY 1) l USING (user_id);
CALL compare(:'name', 'usage_users', 'users', 'should_be_users');

TABLE results;
