-- Replays a trace of jobs as holds on concurrent_renders: each job takes one at
-- its start and, if it gets it, settles it at its end, with the clock set to
-- those instants.  Then compares what was admitted with plain SQL.  The trace is
-- CSV on standard input, as for test/demo/trace.sql.  Variables: limit, name
-- (of the trace), denied_expected ("none" or "some").
-- Prints one line for each check, "ok - ..." or "not ok - ...".

\set QUIET on
\set ON_ERROR_STOP on
\pset tuples_only on
\pset format unaligned
SET client_min_messages = warning;
SET timezone = 'UTC';

\ir ../demo/trace.sql
CREATE UNLOGGED TABLE answer (
	n bigint PRIMARY KEY,
	allowed boolean NOT NULL,
	current bigint NOT NULL,
	reset_at timestamptz
);

SELECT limit_type FROM usage_set_limit('concurrent_renders', :limit) \gset

CREATE PROCEDURE replay() LANGUAGE plpgsql AS $$
DECLARE
	r record;
BEGIN
	-- what ends at an instant has ended when something starts at it, but for a
	-- job that takes no time, which ends before the next one starts
	FOR r IN
		SELECT t.n, t.ts AS at, t.user_id, t.amount, true AS starts, 1 AS turn FROM trace t
		UNION ALL
		SELECT t.n, t.end_ts, t.user_id, t.amount, false, CASE WHEN t.end_ts > t.ts THEN 0 ELSE 1 END FROM trace t
		ORDER BY at, turn, n, starts DESC
	LOOP
		PERFORM set_config('usage_limits.test_clock', r.at::text, false);
		IF r.starts THEN
			INSERT INTO answer
				SELECT r.n, d.allowed, d.current, d.reset_at
				FROM usage_hold(r.user_id, 'concurrent_renders', r.amount, '1 year', 'job ' || r.n) d;
		ELSIF (SELECT a.allowed FROM answer a WHERE a.n = r.n) THEN
			PERFORM usage_settle('job ' || r.n);
		END IF;
		COMMIT;
	END LOOP;
END $$;
CALL replay();

CREATE TABLE results (line text);
CREATE PROCEDURE result(what text, ok boolean, seen text) LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO results VALUES (format('%s - %s: %s', CASE WHEN ok THEN 'ok' ELSE 'not ok' END, what, seen));
END $$;

CREATE VIEW admitted AS SELECT t.* FROM trace t JOIN answer a USING (n) WHERE a.allowed;
SELECT count(*) FILTER (WHERE allowed) AS admitted, count(*) FILTER (WHERE NOT allowed) AS denied FROM answer \gset
CALL result(:'name' || ': ' || :'denied_expected' || ' denied', (:denied = 0) = (:'denied_expected' = 'none'),
	:'admitted' || ' admitted, ' || :'denied' || ' denied');

-- how many jobs of a user run after each start and end
SELECT coalesce(max(running), 0) AS most FROM (
	SELECT sum(step) OVER (PARTITION BY user_id ORDER BY at, step, n ROWS UNBOUNDED PRECEDING) AS running
	FROM (SELECT user_id, ts AS at, 1 AS step, n FROM admitted UNION ALL SELECT user_id, end_ts, -1, n FROM admitted) e
) r \gset
CALL result(:'name' || ': at no instant is a user above the limit', :most <= :limit, :'most' || ' at once at most');

-- the jobs that run when a job asks, itself not among them
CREATE TABLE running AS
SELECT t.n, count(o.n) AS others FROM trace t
	LEFT JOIN admitted o ON o.user_id = t.user_id AND o.ts <= t.ts AND o.end_ts > t.ts AND (o.ts < t.ts OR o.n < t.n)
GROUP BY t.n;
SELECT count(*) AS wrong FROM answer a JOIN running r USING (n)
WHERE a.allowed <> (r.others < :limit) OR a.current <> r.others + a.allowed::int \gset
CALL result(:'name' || ': a job is denied exactly where the limit is reached', :wrong = 0, :'wrong' || ' differ');

SELECT count(*) AS wrong FROM (
	(SELECT user_id, ts, end_ts, amount FROM admitted EXCEPT ALL
		SELECT h.user_id, h.created_at, h.ended_at, h.settled_amount FROM usage_holds h WHERE h.state = 'settled')
	UNION ALL
	(SELECT user_id, end_ts, end_ts, amount FROM admitted EXCEPT ALL
		SELECT e.user_id, e.created_at, e.created_at, e.amount FROM usage_events e WHERE e.operation = 'settle')
	UNION ALL
	(SELECT user_id, ts::date::timestamptz, NULL::timestamptz, sum(amount) FROM admitted GROUP BY 1, 2 EXCEPT ALL
		SELECT c.user_id, c.bucket_start, NULL::timestamptz, sum(c.amount) FROM usage_counters c GROUP BY 1, 2)
) d \gset
SELECT count(*) AS open FROM usage_open_holds \gset
CALL result(:'name' || ': each was settled at its end, and counts on the day of its start', :wrong = 0 AND :open = 0,
	:'wrong' || ' differ, ' || :'open' || ' are open');
TABLE results;
