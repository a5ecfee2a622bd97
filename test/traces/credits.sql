-- Replays a trace as spends of credits, its time stretched over two months: a few
-- tenants have credits for each day, which burn first, credits for each month, of
-- which some roll over, and what they bought.  After each day nothing may disagree,
-- and in the end the ledger is compared with plain SQL.  The trace is CSV on
-- standard input, as for test/demo/trace.sql.  Variables: name (of the trace),
-- stretch, tenants, daily, monthly, rollover.
-- Prints one line for each check, "ok - ..." or "not ok - ...".

\set QUIET on
\set ON_ERROR_STOP on
\pset tuples_only on
\pset format unaligned
SET client_min_messages = warning;
SET timezone = 'UTC';

\ir ../demo/trace.sql
CREATE UNLOGGED TABLE answer (n bigint PRIMARY KEY, allowed boolean NOT NULL, balance bigint NOT NULL);

-- From the 31st of January, so that the months' ends are the last days of months.
\set begins '2024-01-31Z'
CREATE TABLE spend AS
SELECT t.n, 'tenant ' || (hashtext(coalesce(t.user_id, ''))::bigint + 2147483648) % :tenants AS user_id, t.amount,
	:'begins'::timestamptz + :stretch * (t.ts - min(t.ts) OVER ()) AS at
FROM trace t;
CREATE TABLE tenant AS SELECT DISTINCT s.user_id FROM spend s;

SET usage_limits.test_clock = :'begins';
SELECT count(credit_grant(t.user_id, 1000000000, 'purchase', priority => 2)) AS c,
	count(credit_grant(t.user_id, :monthly, 'plan', priority => 1, recurs_every => '1 month', max_rollover => :rollover)),
	count(credit_grant(t.user_id, :daily, 'allowance', priority => -5, recurs_every => '1 day'))
FROM tenant t \gset granted_

CREATE TABLE day AS
SELECT generate_series(:'begins'::timestamptz, max(s.at), '1 day') AS starts FROM spend s;
CREATE TABLE disagreement (day timestamptz, user_id text, what text);
CREATE PROCEDURE replay() LANGUAGE plpgsql AS $$
DECLARE
	d record;
	r record;
BEGIN
	FOR d IN SELECT day.starts FROM day ORDER BY day.starts LOOP
		FOR r IN
			SELECT s.* FROM spend s WHERE s.at >= d.starts AND s.at < d.starts + interval '1 day' ORDER BY s.at, s.n
		LOOP
			PERFORM set_config('usage_limits.test_clock', r.at::text, false);
			INSERT INTO answer
				SELECT r.n, c.allowed, c.balance
				FROM credit_spend(r.user_id, r.amount, reference_id => 'request ' || r.n, throw_on_insufficient => false) c;
		END LOOP;
		INSERT INTO disagreement SELECT d.starts, u.user_id, u.what FROM usage_reconcile() u;
		COMMIT;
	END LOOP;
END $$;
CALL replay();

CREATE TABLE results (line text);
CREATE PROCEDURE result(what text, ok boolean, seen text) LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO results VALUES (format('%s - %s: %s', CASE WHEN ok THEN 'ok' ELSE 'not ok' END, what, seen));
END $$;

SELECT count(*) AS wrong FROM disagreement \gset
SELECT count(*) AS days FROM day \gset
CALL result(:'name' || ': usage_reconcile() finds nothing after any day', :wrong = 0 AND :days BETWEEN 58 AND 62,
	:'wrong' || ' disagreements in ' || :'days' || ' days');

SELECT sum(amount) AS total, count(*) FILTER (WHERE amount > 0) AS spends FROM trace \gset
SELECT -sum(amount) AS spent, count(*) AS lines FROM credit_transactions WHERE transaction_type = 'usage' \gset
SELECT sum(lifetime_spent) AS lifetime FROM user_credits \gset
SELECT count(*) AS denied FROM answer WHERE NOT allowed \gset
CALL result(:'name' || ': the ledger''s total is the trace''s',
	:denied = 0 AND :spent = :total AND :lifetime = :total AND :lines = :spends,
	:'spent' || ' of ' || :'total' || ' in ' || :'lines' || ' of ' || :'spends' || ' spends, ' || :'denied' || ' denied');

SELECT count(*) AS wrong FROM (
	(SELECT s.user_id, s.at::date, sum(s.amount) FROM spend s WHERE s.amount > 0 GROUP BY 1, 2 EXCEPT ALL
		SELECT t.user_id, t.created_at::date, -sum(t.amount) FROM credit_transactions t
		WHERE t.transaction_type = 'usage' GROUP BY 1, 2)
	UNION ALL
	(SELECT t.user_id, t.created_at::date, -sum(t.amount) FROM credit_transactions t
		WHERE t.transaction_type = 'usage' GROUP BY 1, 2 EXCEPT ALL
		SELECT s.user_id, s.at::date, sum(s.amount) FROM spend s WHERE s.amount > 0 GROUP BY 1, 2)
) d \gset
CALL result(:'name' || ': and so is every tenant''s on every day', :wrong = 0, :'wrong' || ' differ');

-- What each grant must have paid: the day's, up to what it gives; of what is more,
-- the month's, up to what it gives and what was left of the month before; the rest
-- is from what was bought.
CREATE TABLE used AS
SELECT u.user_id, d.starts, d.starts >= :'begins'::timestamptz + interval '1 month' AS second_month,
	coalesce(sum(s.amount), 0)::bigint AS tokens
FROM tenant u CROSS JOIN day d
	LEFT JOIN spend s ON s.user_id = u.user_id AND s.at >= d.starts AND s.at < d.starts + interval '1 day'
GROUP BY u.user_id, d.starts;
CREATE TABLE paid AS
WITH daily AS (
	SELECT u.*, least(u.tokens, :daily) AS by_day, sum(u.tokens - least(u.tokens, :daily)) OVER w AS beyond,
		sum(u.tokens - least(u.tokens, :daily)) FILTER (WHERE NOT u.second_month) OVER (PARTITION BY u.user_id) AS beyond_first
	FROM used u WINDOW w AS (PARTITION BY u.user_id, u.second_month ORDER BY u.starts)
), given AS (
	SELECT d.*, CASE WHEN d.second_month THEN :monthly + least(:rollover, greatest(:monthly - d.beyond_first, 0))
		ELSE :monthly END AS month_gives
	FROM daily d
)
SELECT g.*, least(g.beyond, g.month_gives) AS by_month, greatest(g.beyond - g.month_gives, 0) AS bought FROM given g;

CREATE TABLE burned AS
SELECT g.user_id, g.transaction_type, -sum(m.amount) AS amount
FROM credit_grants g JOIN (
	SELECT t.user_id, t.grant_id, t.amount FROM credit_transactions t
	WHERE t.grant_id IS NOT NULL AND t.transaction_type = 'usage'
	UNION ALL
	SELECT d.user_id, d.grant_id, d.amount FROM credit_draws d
) m ON m.user_id = g.user_id AND m.grant_id = g.id
GROUP BY g.user_id, g.transaction_type;
CREATE VIEW expected AS
SELECT p.user_id, 'allowance' AS transaction_type, sum(p.by_day)::numeric AS amount FROM paid p GROUP BY p.user_id
UNION ALL SELECT m.user_id, 'plan', sum(m.most) FROM (
	SELECT p.user_id, max(p.by_month) AS most FROM paid p GROUP BY p.user_id, p.second_month) m GROUP BY m.user_id
UNION ALL SELECT m.user_id, 'purchase', sum(m.most) FROM (
	SELECT p.user_id, max(p.bought) AS most FROM paid p GROUP BY p.user_id, p.second_month) m GROUP BY m.user_id;
SELECT count(*) AS wrong FROM (
	(TABLE burned EXCEPT ALL SELECT * FROM expected WHERE amount > 0)
	UNION ALL (SELECT * FROM expected WHERE amount > 0 EXCEPT ALL TABLE burned)) d \gset
SELECT string_agg(sum || ' ' || transaction_type, ', ' ORDER BY transaction_type) AS seen
FROM (SELECT transaction_type, sum(amount) FROM burned GROUP BY transaction_type) b \gset
SELECT count(DISTINCT transaction_type) AS kinds FROM burned \gset
CALL result(:'name' || ': each grant has paid what was its turn', :wrong = 0 AND :kinds = 3, :'wrong' || ' differ; ' || :'seen');

-- What was left just before each midnight, asked for now.
SELECT count(*) AS wrong FROM (
	SELECT p.*, :daily - p.by_day + p.month_gives - p.by_month + 1000000000 - p.bought
		- CASE WHEN p.second_month THEN max(p.bought) FILTER (WHERE NOT p.second_month) OVER (PARTITION BY p.user_id) ELSE 0 END AS balance
	FROM paid p) p
WHERE p.balance <> credit_balance(p.user_id, p.starts + interval '1 day' - interval '1 microsecond') \gset
SELECT count(*) AS asked FROM paid \gset
CALL result(:'name' || ': and the balance of every past day is what it was', :wrong = 0, :'wrong' || ' of ' || :'asked' || ' differ');
TABLE results;
