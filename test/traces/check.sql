-- Compares what replay.sql did with what plain SQL says about the trace alone.
-- Prints one line for each check, "ok - ..." or "not ok - ...".  Variables: those of
-- replay.sql, name (of the trace), and known (how many rows must be admitted,
-- empty where nobody knows).

\set QUIET on
\pset tuples_only on
\pset format unaligned
SET timezone = 'UTC';
SET client_min_messages = warning;

-- What is used after a request: a request that does not fit uses nothing.
CREATE FUNCTION take(used bigint, weight bigint, cap bigint) RETURNS bigint LANGUAGE sql IMMUTABLE
	AS 'SELECT CASE WHEN cap < 0 OR used + weight <= cap THEN used + weight ELSE used END';
CREATE AGGREGATE taken(weight bigint, cap bigint) (SFUNC = take, STYPE = bigint, INITCOND = '0');

CREATE TABLE expected AS
WITH weighed AS (
	SELECT *, ts::date AS day, CASE :'measure' WHEN 'calls' THEN 1 ELSE amount END AS weight,
		CASE :'measure' WHEN 'amount' THEN amount ELSE 1 END AS units,
		CASE :'measure' WHEN 'tokens' THEN amount ELSE 0 END AS tokens
	FROM trace
), summed AS (
	SELECT *, taken(weight, :limit) OVER (PARTITION BY user_id, action, day ORDER BY n) AS used
	FROM weighed
)
SELECT *, :limit < 0 OR weight + coalesce(lag(used) OVER (PARTITION BY user_id, action, day ORDER BY n), 0) <= :limit
	AS allowed
FROM summed;
-- a use of no units asks, and leaves nothing behind
CREATE VIEW booked AS SELECT * FROM expected WHERE allowed AND units > 0;

CREATE FUNCTION differ(a text, b text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	rows bigint;
BEGIN
	EXECUTE format('SELECT count(*) FROM ((TABLE %1$I EXCEPT ALL TABLE %2$I) UNION ALL (TABLE %2$I EXCEPT ALL TABLE %1$I)) d', a, b)
		INTO rows;
	RETURN rows;
END $$;

CREATE PROCEDURE result(what text, ok boolean, seen text) LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO results VALUES (format('%s - %s: %s', CASE WHEN ok THEN 'ok' ELSE 'not ok' END, what, seen));
END $$;
CREATE TABLE results (line text);

CREATE VIEW decided AS SELECT n, allowed, current FROM answer;
CREATE VIEW should_be_decided AS SELECT n, allowed, used AS current FROM expected;
SELECT differ('decided', 'should_be_decided') AS wrong, count(*) FILTER (WHERE allowed) AS admitted,
	count(*) FILTER (WHERE NOT allowed) AS denied FROM answer \gset
CALL result(:'name' || ': every row is decided as plain SQL decides it', :wrong = 0, :'wrong' || ' differ');
CALL result(:'name' || ': ' || coalesce(nullif(:'known', ''), 'some') || ' rows are admitted, and some denied',
	:admitted > 0 AND :denied > 0 AND coalesce(nullif(:'known', '')::bigint, :admitted) = :admitted,
	:'admitted' || ' admitted, ' || :'denied' || ' denied');

CREATE VIEW shown AS
	SELECT user_id::text, usage_type::text, usage_date, count FROM user_usage;
CREATE VIEW should_be_shown AS
	SELECT user_id, action, day, sum(units)::bigint FROM booked GROUP BY user_id, action, day;
SELECT differ('shown', 'should_be_shown') AS wrong, count(*) AS rows FROM shown \gset
CALL result(:'name' || ': user_usage is a plain count over the trace', :wrong = 0, :'wrong' || ' of ' || :'rows' || ' rows differ');

CREATE VIEW summed AS
	SELECT user_id::text, usage_type::text, bucket_start::date, sum(tokens_used)::bigint AS tokens, sum(events)::bigint AS events
	FROM usage_counters GROUP BY 1, 2, 3;
CREATE VIEW should_be_summed AS
	SELECT user_id, action, day, sum(tokens)::bigint AS tokens, count(*) AS events
	FROM booked GROUP BY user_id, action, day;
SELECT differ('summed', 'should_be_summed') AS wrong \gset
CALL result(:'name' || ': tokens and events add up', :wrong = 0, :'wrong' || ' rows differ');

CREATE VIEW logged AS
	SELECT user_id::text, event_type::text, created_at FROM usage_events;
CREATE VIEW should_be_logged AS
	SELECT user_id, action, ts FROM booked;
SELECT differ('logged', 'should_be_logged') AS wrong \gset
CALL result(:'name' || ': what was admitted, and nothing else, has an event at its instant', :wrong = 0, :'wrong' || ' differ');

TABLE results;
