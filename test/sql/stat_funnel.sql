-- How far users get: usage_funnel.
SET timezone = 'UTC';
SET usage_limits.test_clock = '2037-04-30 12:00:00+00';
\set SHOW_CONTEXT never

-- Everybody who registered, and who created, generated and exported in the dates, days in number, that end today.
CREATE TABLE public.funnel_users (id text PRIMARY KEY);
INSERT INTO public.funnel_users SELECT 'funnel-' || n FROM generate_series(1, 9) n;
SET usage_limits.users_table = 'public.funnel_users';
SELECT usage_funnel();
SELECT count(usage_track(u, t, occurred_at => at)) FROM (VALUES
	('funnel-1', 'project_create', timestamptz '2037-04-30 12:00+00'), ('funnel-1', 'project_create', '2037-04-29 12:00+00'),
	('funnel-1', 'prompt', '2037-04-29 12:00+00'), ('funnel-1', 'export', '2037-04-29 12:00+00'),
	('funnel-2', 'project_create', '2037-04-01 00:00+00'), ('funnel-2', 'prompt', '2037-04-01 00:00+00'), ('funnel-2', 'prompt', '2037-03-01 00:00+00'),
	('funnel-3', 'project_create', '2037-04-02 00:00+00'), ('funnel-4', 'project_create', '2037-03-31 23:59:59.999999+00'), ('funnel-5', 'api_call', '2037-04-30 12:00+00')) t (u, t, at);
SELECT usage_funnel();
SELECT usage_funnel(1), usage_funnel(2);
SELECT usage_funnel(29), usage_funnel(31);

-- A failed or cancelled event is no step; a use that was given back was one.
SELECT usage_track('funnel-6', 'export', status => 'failed') > 0 AND usage_track('funnel-6', 'export', status => 'cancelled') > 0 AS tracked;
SELECT usage_track('funnel-7', 'prompt', 2) AS event_id \gset
SELECT allowed FROM usage_refund(:event_id);
SELECT usage_funnel();

-- What is booked ahead, on the other side of midnight, is not of today.
SET usage_limits.test_clock = '2037-04-30 23:59:30+00';
SELECT usage_track('funnel-8', 'export', occurred_at => '2037-05-01 00:00+00') > 0 AS tracked;
SELECT usage_funnel(1);
SET usage_limits.test_clock = '2037-05-01 00:00+00';
SELECT usage_funnel(1);
SET usage_limits.test_clock = '2037-04-30 12:00:00+00';

-- The table of users by any name: unqualified it is one of schema public, as written in SQL.
SET usage_limits.users_table = 'funnel_users';
SELECT usage_funnel()->'registered' AS registered;
SET usage_limits.users_table = 'FUNNEL_USERS';
SELECT usage_funnel()->'registered' AS registered;
CREATE SCHEMA "Funnel ""schema""";
CREATE TABLE "Funnel ""schema"""."The Users." (id int);
INSERT INTO "Funnel ""schema"""."The Users." VALUES (1), (2);
SET usage_limits.users_table = '"Funnel ""schema"""."The Users."';
SELECT usage_funnel()->'registered' AS registered;
CREATE TABLE public."Funnel Users" (id int);
INSERT INTO public."Funnel Users" VALUES (1), (2), (3);
SET usage_limits.users_table = '"Funnel Users"';
SELECT usage_funnel()->'registered' AS registered;
-- never a table that happens to be earlier in the search path
CREATE TEMP TABLE funnel_users (id int);
SET usage_limits.users_table = 'funnel_users';
SELECT usage_funnel()->'registered' AS registered;
DROP TABLE pg_temp.funnel_users;
-- a view counts as well
CREATE VIEW public.funnel_view AS SELECT id FROM public.funnel_users WHERE id <> 'funnel-1';
SET usage_limits.users_table = 'funnel_view';
SELECT usage_funnel()->'registered' AS registered;
-- with none it is those who have a subscription
RESET usage_limits.users_table;
INSERT INTO user_subscriptions (user_id, tier) VALUES ('funnel-1', 'pro');
SELECT (usage_funnel()->'registered')::bigint = count(*) AS registered FROM user_subscriptions;

-- A name that is not there, or is no name, is an error.
SET usage_limits.users_table = 'public.nobody';
SELECT usage_funnel();
SET usage_limits.users_table = 'nowhere.users';
SELECT usage_funnel();
SET usage_limits.users_table = 'public.funnel_users; DROP TABLE public.funnel_users';
SELECT usage_funnel();
SET usage_limits.users_table = 'public.funnel_users WHERE false';
SELECT usage_funnel();
RESET usage_limits.users_table;

-- The table is counted as its owner, not as the caller, who may only ask, nor as the extension's owner.
CREATE ROLE regress_funnel_owner;
CREATE ROLE regress_funnel_reader;
SELECT usage_grant('regress_funnel_reader', 'reader');
CREATE SCHEMA funnel_owned AUTHORIZATION regress_funnel_owner;
SET ROLE regress_funnel_owner;
CREATE TABLE funnel_owned.seen (who text);
CREATE FUNCTION funnel_owned.who() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO funnel_owned.seen VALUES (current_user);
	RETURN true;
END $$;
CREATE TABLE funnel_owned.people (id int);
INSERT INTO funnel_owned.people VALUES (1), (2), (3), (4);
CREATE VIEW funnel_owned.users AS SELECT id FROM funnel_owned.people WHERE funnel_owned.who();
RESET ROLE;
SET usage_limits.users_table = 'funnel_owned.users';
SET ROLE regress_funnel_reader;
SELECT usage_funnel()->'registered' AS registered;
SELECT count(*) FROM funnel_owned.people;
RESET ROLE;
SELECT DISTINCT who FROM funnel_owned.seen;
-- nor does what its owner's code sets outlive the count
CREATE OR REPLACE FUNCTION funnel_owned.who() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('search_path', 'funnel_owned', false);
	RETURN true;
END $$;
SELECT current_setting('search_path') AS path \gset
SELECT usage_funnel()->'registered' AS registered;
SELECT current_setting('search_path') = :'path' AS unchanged;
RESET usage_limits.users_table;
SELECT usage_revoke('regress_funnel_reader');
SET client_min_messages = warning;
DROP SCHEMA funnel_owned CASCADE;
RESET client_min_messages;
DROP ROLE regress_funnel_owner, regress_funnel_reader;

-- Equal to plain SQL over the events, for every range.
SET usage_limits.test_clock = '2038-12-31 12:00:00+00';
SELECT count(usage_track('funnel-' || n % 29, (ARRAY['project_create', 'prompt', 'export', 'api_call'])[1 + n % 4],
	status => CASE n % 3 WHEN 0 THEN 'failed' WHEN 1 THEN 'cancelled' ELSE 'success' END,
	occurred_at => timestamptz '2038-12-31 12:00+00' - (n * n % 907) * interval '11 hours')) FROM generate_series(1, 300) n;
WITH funnels AS (
	SELECT d.days, usage_funnel(d.days) AS funnel FROM unnest(ARRAY[1, 2, 7, 30, 200, 365]) AS d (days)
), plain AS (
	SELECT d.days, jsonb_build_object('registered', (SELECT count(*) FROM user_subscriptions),
		'createdProject', count(DISTINCT e.user_id) FILTER (WHERE e.event_type = 'project_create'),
		'generatedScene', count(DISTINCT e.user_id) FILTER (WHERE e.event_type = 'prompt'),
		'exportedVideo', count(DISTINCT e.user_id) FILTER (WHERE e.event_type = 'export')) AS funnel
	FROM unnest(ARRAY[1, 2, 7, 30, 200, 365]) AS d (days) LEFT JOIN usage_events e ON e.status = 'success'
		AND (e.created_at AT TIME ZONE 'UTC')::date BETWEEN date '2038-12-31' - (d.days - 1) AND '2038-12-31'
	GROUP BY 1
)
SELECT count(*) AS compared, count(*) FILTER (WHERE f.funnel = p.funnel) AS equal, count(DISTINCT f.funnel) > 3 AS different FROM funnels f JOIN plain p USING (days);
DROP VIEW public.funnel_view;
DROP TABLE public.funnel_users, public."Funnel Users";
DROP TABLE "Funnel ""schema"""."The Users.";
DROP SCHEMA "Funnel ""schema""";
