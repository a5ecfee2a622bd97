-- Replays a trace through usage_consume, in the order of its rows, each row in
-- a transaction of its own and with the clock set to the row's instant.
--
-- The trace is CSV on standard input, as trace.sql says.  Variables: measure
-- ("amount": a row uses as many units as it says; "tokens": one unit and that
-- many tokens; "calls": one unit) and limit (how much of that a user may use of
-- each action in a UTC day; -1: any).
--
-- Leaves the tables trace (the rows, numbered from 1) and answer (the
-- decision on each, by the same number).

\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET timezone = 'UTC';

\ir trace.sql
CREATE UNLOGGED TABLE answer (
	n bigint PRIMARY KEY,
	allowed boolean NOT NULL,
	current bigint
);

-- a trace that names no users is one user's
UPDATE trace SET user_id = 'everyone' WHERE user_id IS NULL;

SELECT count(*) AS limits FROM (SELECT DISTINCT action FROM trace) a,
	usage_set_limit(a.action || '_daily', :limit, usage_type => a.action,
		measure => CASE WHEN :'measure' = 'tokens' THEN 'tokens' ELSE 'amount' END) \gset

CREATE PROCEDURE replay(measure text) LANGUAGE plpgsql AS $$
DECLARE
	r record;
BEGIN
	FOR r IN
		SELECT t.n, t.ts::text AS ts, t.user_id, t.action,
			CASE WHEN measure = 'amount' THEN t.amount ELSE 1 END AS amount,
			CASE WHEN measure = 'tokens' THEN t.amount END AS tokens
		FROM trace t ORDER BY t.n
	LOOP
		PERFORM set_config('usage_limits.test_clock', r.ts, false);
		INSERT INTO answer
			SELECT r.n, d.allowed, d.current
			FROM usage_consume(r.user_id, r.action, r.amount, tokens_used => r.tokens) d;
		COMMIT;
	END LOOP;
END $$;

SELECT clock_timestamp() AS began \gset
CALL replay(:'measure');
SELECT extract(epoch FROM clock_timestamp() - :'began') AS seconds \gset
