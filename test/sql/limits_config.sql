-- Limits as rows of usage_limits_config and through usage_set_limit: what is
-- not said is derived from the name, what makes no sense is refused.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET intervalstyle = 'postgres';
SET usage_limits.test_clock = '2025-03-12 10:30:00+00';
\set SHOW_CONTEXT never
\set derived 'limit_type, usage_type, kind, period, alignment'

-- The statement of those who had the tables before the extension.
DELETE FROM usage_limits_config;
INSERT INTO usage_limits_config (limit_type, free_tier_limit, pro_tier_limit, description) VALUES
  ('prompts_daily', 10, 100, 'AI generation prompts per day'),
  ('exports_daily', 3, 20, 'Video exports per day'),
  ('exports_monthly', 10, 200, 'Video exports per month'),
  ('projects_total', 5, -1, 'Total projects allowed'),
  ('storage_mb', 500, 10000, 'Storage limit in MB'),
  ('concurrent_renders', 1, 3, 'Simultaneous video renders'),
  ('api_calls_hourly', 60, 600, 'API calls per hour'),
  ('web_agent_daily', 5, 50, 'Web agent searches per day');
SELECT :derived FROM usage_limits_config ORDER BY id;
SELECT limit_type, free_tier_limit AS free, pro_tier_limit AS pro, team_tier_limit AS team,
	enterprise_tier_limit AS enterprise, description, is_active
FROM usage_limits_config ORDER BY id;
SELECT DISTINCT event_subtype, measure, time_zone, burst, durability, enforcement, created_at, updated_at
FROM usage_limits_config;
INSERT INTO usage_limits_config (limit_type, free_tier_limit, pro_tier_limit, description)
VALUES
  ('prompts_daily', 10, 100, 'AI generation prompts per day'),
  ('exports_daily', 3, 20, 'Video exports per day'),
  ('projects_total', 5, -1, 'Total projects allowed');

-- The defaults are the same rows, and are added only where they are missing.
CREATE TEMP TABLE by_hand AS SELECT limit_type, to_jsonb(c) - 'id' AS rest FROM usage_limits_config c;
DELETE FROM usage_limits_config;
DELETE FROM usage_actions;
SELECT usage_install_defaults();
SELECT count(*) FROM by_hand
JOIN usage_limits_config c ON c.limit_type = by_hand.limit_type AND to_jsonb(c) - 'id' = rest;
SELECT action, usage_type, amount FROM usage_actions ORDER BY action;
SELECT usage_install_defaults();
UPDATE usage_limits_config SET free_tier_limit = 7, is_active = false WHERE limit_type = 'prompts_daily';
UPDATE usage_actions SET amount = 2 WHERE action = 'export_video';
DELETE FROM usage_limits_config WHERE limit_type = 'storage_mb';
DELETE FROM usage_actions WHERE action = 'api_call';
SELECT usage_install_defaults();
SELECT limit_type, free_tier_limit, is_active FROM usage_limits_config
WHERE limit_type IN ('prompts_daily', 'storage_mb') ORDER BY limit_type;
SELECT action, amount FROM usage_actions ORDER BY action;
UPDATE usage_limits_config SET free_tier_limit = 10, is_active = true WHERE limit_type = 'prompts_daily';
UPDATE usage_actions SET amount = 1 WHERE action = 'export_video';

-- More names.
BEGIN;
INSERT INTO usage_limits_config (limit_type) VALUES
	('ticks_minutely'), ('mails_weekly'), ('audits_yearly'), ('pass_daily'), ('s_daily'),
	('seats_total'), ('seats'), ('_daily'), ('daily'), ('a_daily_total'), ('concurrent_jobs_daily'),
	('concurrent_s'), ('projects'), ('projects_daily'), ('Ünïcodes_weekly'), ('a.b=c,d_daily');
SELECT :derived FROM usage_limits_config WHERE created_at = updated_at ORDER BY id DESC LIMIT 16;
ROLLBACK;

-- What is said is kept, and the rest follows from it.
BEGIN;
INSERT INTO usage_limits_config (limit_type, usage_type, kind, period, alignment) VALUES
	('given_daily', 'other', NULL, NULL, NULL),
	('given_1', NULL, NULL, '1 hour', NULL),
	('given_2', NULL, NULL, '36 hours', 'sliding'),
	('given_3_hourly', NULL, NULL, NULL, 'calendar'),
	('given_4_hourly', NULL, NULL, '1 day', NULL),
	('given_5_daily', NULL, NULL, NULL, 'none'),
	('given_6', NULL, 'counter', NULL, NULL),
	('given_7_daily', NULL, 'concurrency', NULL, NULL),
	('given_8_daily', NULL, NULL, '24:00', NULL),
	('given_9_monthly', NULL, NULL, NULL, 'sliding');
SELECT :derived FROM usage_limits_config WHERE limit_type LIKE 'given%' ORDER BY limit_type;
UPDATE usage_limits_config SET kind = NULL, period = NULL, alignment = NULL, usage_type = NULL,
	event_subtype = ''
WHERE limit_type LIKE 'given%';
SELECT :derived, event_subtype FROM usage_limits_config WHERE limit_type LIKE 'given%' ORDER BY limit_type;
ROLLBACK;

-- What makes no sense.
CREATE FUNCTION pg_temp.outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	EXECUTE statement;
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	-- the detail of a violated constraint shows the whole row
	RETURN concat_ws(' / ', SQLSTATE || ': ' || SQLERRM,
		CASE WHEN SQLSTATE NOT LIKE '23%' THEN nullif(detail, '') END, nullif(hint, ''));
END $$;
SELECT assignments, pg_temp.outcome(format(
	'INSERT INTO usage_limits_config (limit_type, %s) VALUES (''odd_daily'', %s)',
	(SELECT string_agg(split_part(a, '=', 1), ', ') FROM unnest(string_to_array(assignments, '; ')) a),
	(SELECT string_agg(split_part(a, '=', 2), ', ') FROM unnest(string_to_array(assignments, '; ')) a)))
FROM unnest(ARRAY[
	'free_tier_limit=-2', 'pro_tier_limit=-2', 'team_tier_limit=-2', 'enterprise_tier_limit=-9223372036854775808',
	'free_tier_limit=NULL', 'is_active=NULL',
	'usage_type=''''', 'usage_type=repeat(''é'', 51)',
	'measure=''bytes''', 'measure=NULL',
	'kind=''level''', 'kind=''rate''; period=''0''', 'kind=''gauge''', 'kind=''gauge''; alignment=''calendar''',
	'kind=''concurrency''; period=''1 day''',
	'alignment=''moving''', 'alignment=''anniversary''; period=''1 month 1 day''', 'alignment=''none''; period=''1 day''',
	'period=''2 days''', 'period=''1 month 1 day''', 'period=''0''', 'period=''-1 day''; alignment=''sliding''',
	'period=''-1 month''; alignment=''sliding''', 'period=''-01:00''; alignment=''sliding''',
	'period=''5.999 seconds''; alignment=''sliding''', 'period=''6 seconds''; alignment=''sliding''',
	'period=''101 years''; alignment=''sliding''', 'period=''36526 days''; alignment=''sliding''',
	'period=''900000 hours''; alignment=''sliding''',
	'time_zone=''Mars/Olympus''', 'time_zone=NULL',
	'durability=''eventual''', 'durability=NULL', 'enforcement=''off''', 'enforcement=NULL', 'burst=0'
]) WITH ORDINALITY AS t(assignments, n) ORDER BY n;
SELECT name, pg_temp.outcome(format('INSERT INTO usage_limits_config (limit_type, usage_type) VALUES (%L, ''x'')', name))
FROM unnest(ARRAY[NULL, '', repeat('n', 51), repeat('é', 50)]) WITH ORDINALITY AS t(name, n) ORDER BY n;
SELECT pg_temp.outcome('INSERT INTO usage_limits_config (limit_type) VALUES (''alone_total''), (''alone_total'')');
DELETE FROM usage_limits_config WHERE limit_type IN ('odd_daily', repeat('é', 50));

-- A calendar window is offered by name only where there is one.
INSERT INTO usage_limits_config (limit_type, alignment) VALUES ('no_period', 'calendar');
INSERT INTO usage_limits_config (limit_type, alignment) VALUES ('no_period', 'sliding');

-- Counters and gauges of one usage type are durable or relaxed together.
INSERT INTO usage_limits_config (limit_type, durability) VALUES ('loose_daily', 'relaxed');
INSERT INTO usage_limits_config (limit_type) VALUES ('loose_weekly');
SELECT usage_set_limit('loose_weekly', 5);
INSERT INTO usage_limits_config (limit_type, usage_type, durability) VALUES ('concurrent_loose', 'loose', 'durable');
SELECT limit_type, durability FROM usage_set_limit('loose_weekly', 5, durability => 'relaxed');
UPDATE usage_limits_config SET durability = 'durable' WHERE limit_type = 'loose_daily';
SELECT limit_type, durability FROM usage_set_limit('loose_daily', 5, durability => 'durable');
SELECT limit_type, durability FROM usage_limits_config WHERE usage_type = 'loose' ORDER BY limit_type;
DELETE FROM usage_limits_config WHERE usage_type = 'loose';

-- usage_set_limit makes a limit: the value is every tier's, or one tier's.
\set row 'limit_type, free_tier_limit AS free, pro_tier_limit AS pro, team_tier_limit AS team, enterprise_tier_limit AS enterprise'
SELECT :row FROM usage_set_limit('calls_daily', 5);
SELECT :derived, measure, time_zone, burst, durability, enforcement, description
FROM usage_limits_config WHERE limit_type = 'calls_daily';
SELECT :row FROM usage_set_limit('calls_weekly', 50, 'pro');
SELECT :row FROM usage_set_limit('calls_monthly', -1);
SELECT :row FROM usage_set_limit('calls_yearly', 0, 'enterprise');

-- It changes one: what is not given stays.
SELECT :row FROM usage_set_limit('calls_daily', 6, 'free');
SELECT :row FROM usage_set_limit('calls_daily', 7, 'team');
SELECT :row FROM usage_set_limit('calls_daily', 9223372036854775807, 'enterprise');
SELECT limit_type, usage_type, event_subtype, measure, kind, period, alignment, time_zone, burst,
	durability, enforcement, description
FROM usage_set_limit('calls_daily', 8, usage_type => 'ring', event_subtype => 'it''s "x"', measure => 'tokens',
	kind => 'counter', period => '90 minutes', alignment => 'sliding', time_zone => 'Asia/Kathmandu', burst => 3,
	enforcement => 'soft', description => 'Calls per day');
SET usage_limits.test_clock = '2025-03-13 10:30:00+00';
SELECT :derived, measure, time_zone, created_at, updated_at, description FROM usage_set_limit('calls_daily', 9);
SELECT :derived FROM usage_set_limit('calls_daily', 9, alignment => 'none');
SELECT :derived FROM usage_set_limit('calls_daily', 9, period => '1 month');
SELECT :derived FROM usage_set_limit('calls_daily', 9, alignment => 'none', kind => 'gauge');
SELECT :derived FROM usage_set_limit('calls_daily', 9, kind => 'counter', period => '1 hour', alignment => 'sliding');
SELECT usage_set_limit('calls_daily', 9, alignment => 'calendar', period => '2 hours');
SELECT usage_set_limit('calls_daily', -2);
SELECT usage_set_limit('calls_daily', NULL);
SELECT usage_set_limit(NULL, 1);
SELECT usage_set_limit('', 1);
SELECT usage_set_limit(repeat('é', 51), 1);
SELECT usage_set_limit('calls_daily', 1, tier => '');
SELECT usage_set_limit('calls_daily', 1, usage_type => '');
SELECT usage_set_limit('calls_daily', 1, time_zone => 'Mars/Olympus');

-- A tier without a column gets an override for good, made once.
SELECT :row FROM usage_set_limit('calls_daily', 70, 'vip');
SELECT :row FROM usage_set_limit('calls_daily', 71, 'vip');
SELECT :row FROM usage_set_limit('vips_daily', 3, 'vip');
SELECT limit_type, tier, user_id, limit_value, starts_at, expires_at FROM usage_limit_overrides ORDER BY id;

-- A setting that hides the value is warned of.
SET usage_limits.overrides = 'calls_daily.free = 1, calls_daily.vip=2,calls_daily.free=3';
SELECT :row FROM usage_set_limit('calls_daily', 10);
SELECT :row FROM usage_set_limit('calls_daily', 11, 'pro');
SELECT :row FROM usage_set_limit('calls_daily', 12, 'vip');
RESET usage_limits.overrides;

-- An inactive limit is as if it were not there.
SELECT reason, limit_type, "limit" FROM usage_check_limit('config-1', 'calls_weekly');
UPDATE usage_limits_config SET is_active = false WHERE limit_type = 'calls_weekly';
SELECT reason, limit_type, "limit" FROM usage_check_limit('config-1', 'calls_weekly');
SELECT reason, limit_type FROM usage_check('config-1', 'call');
SELECT count(*) FROM usage_status('config-1') WHERE limit_type = 'calls_weekly';
UPDATE usage_limits_config SET is_active = false WHERE usage_type = 'call';
SELECT reason, limit_type FROM usage_check('config-1', 'call');

-- The other tables of what an administrator sets check their rows as well.
BEGIN;
INSERT INTO usage_types (usage_type, unit) VALUES ('call', 'calls');
SET usage_limits.test_clock = '2025-03-14 10:30:00+00';
UPDATE usage_types SET log_events = false WHERE usage_type = 'call';
SELECT usage_type, log_events, unit, retention, created_at, updated_at FROM usage_types;
ROLLBACK;
SELECT statement, pg_temp.outcome('INSERT INTO ' || statement) FROM unnest(ARRAY[
	'usage_types (usage_type) VALUES ('''')',
	'usage_types (usage_type) VALUES (repeat(''x'', 51))',
	'usage_actions (action, usage_type) VALUES (''act'', '''')',
	'usage_actions (action, usage_type, amount) VALUES (''act'', ''x'', -1)',
	'usage_actions (action, usage_type, amount) VALUES (''act'', ''x'', 1000000000000001)',
	'user_subscriptions (user_id) VALUES ('''')',
	'user_subscriptions (user_id) VALUES (repeat(''é'', 128))',
	'user_subscriptions (user_id, time_zone) VALUES (''x'', ''Mars/Olympus'')',
	'usage_members (user_id, account_id) VALUES (''x'', '''')',
	'usage_members (user_id, account_id) VALUES ('''', ''x'')',
	'usage_alerts (percent, value) VALUES (NULL, NULL)',
	'usage_alerts (percent, value) VALUES (80, 8)',
	'usage_alerts (percent) VALUES (0)',
	'usage_alerts (value) VALUES (0)'
]) WITH ORDINALITY AS t(statement, n) ORDER BY n;

-- Who changed what: changes and deletions are logged, insertions are not.
TRUNCATE usage_config_log;
CREATE ROLE regress_config;
SELECT usage_grant('regress_config', 'admin');
SET ROLE regress_config;
SELECT :row FROM usage_set_limit('logged_daily', 1);
SELECT :row FROM usage_set_limit('logged_daily', 2);
UPDATE usage_limits_config SET is_active = false WHERE limit_type = 'logged_daily';
RESET ROLE;
DELETE FROM usage_limits_config WHERE limit_type = 'logged_daily';
SELECT limit_value FROM usage_set_override('calls_daily', 5, user_id => 'config-1');
UPDATE usage_limit_overrides SET limit_value = 6 WHERE user_id = 'config-1';
DELETE FROM usage_limit_overrides WHERE user_id = 'config-1';
SELECT tier FROM usage_set_tier('config-1', 'pro');
SELECT tier FROM usage_set_tier('config-1', 'team');
DELETE FROM user_subscriptions WHERE user_id = 'config-1';
UPDATE usage_types SET unit = 'x';
SELECT changed_at, changed_by = current_user AS by_me, changed_by = 'regress_config' AS by_role, table_name, operation,
	coalesce(old_row ->> 'free_tier_limit', old_row ->> 'limit_value', old_row ->> 'tier') AS old_value,
	coalesce(new_row ->> 'free_tier_limit', new_row ->> 'limit_value', new_row ->> 'tier') AS new_value,
	(SELECT string_agg(o.key, ', ' ORDER BY o.key) FROM jsonb_each(old_row) o
	 WHERE new_row IS NOT NULL AND new_row -> o.key <> o.value) AS changed
FROM usage_config_log ORDER BY id;
SELECT usage_revoke('regress_config');
DROP ROLE regress_config;

-- The settings that hold values are checked as well.
SET usage_limits.overrides = 'calls_daily.free';
SET usage_limits.overrides = 'calls_daily=1';
SET usage_limits.overrides = '.free=1';
SET usage_limits.overrides = 'calls_daily.=1';
SET usage_limits.overrides = 'calls_daily.free=';
SET usage_limits.overrides = 'calls_daily.free=1x';
SET usage_limits.overrides = 'calls_daily.free=1.5';
SET usage_limits.overrides = 'calls_daily.free=-2';
SET usage_limits.overrides = 'calls_daily.free=9223372036854775808';
SET usage_limits.overrides = 'calls_daily.pro=1, calls_daily.free';
SET usage_limits.overrides = ' , calls_daily.free = 9223372036854775807 , ';
SET usage_limits.test_clock = 'yesterday, or so';
SET usage_limits.test_clock = '2025-02-30';
SET usage_limits.test_clock = 'infinity';
SET usage_limits.test_clock = '10:30';
SET usage_limits.enforcement = 'maybe';
SET usage_limits.on_track_error = 'ignore';
SET usage_limits.default_tier = '';
\set VERBOSITY sqlstate
SET usage_limits.grace_period = '-1s';
SET usage_limits.idempotency_retention = 0;
\set VERBOSITY default
SET usage_limits.no_such_setting = 1;
SET usage_limits.test_clock = '2025-03-12 10:30 America/New_York';
SELECT usage_now();
SET usage_limits.test_clock = '';
SELECT usage_now() = clock_timestamp() OR usage_now() BETWEEN now() AND clock_timestamp() AS server_clock;

DELETE FROM usage_limit_overrides;
DELETE FROM usage_limits_config WHERE limit_type ~ 'calls_(daily|weekly|monthly|yearly)|vips|alone';
SELECT count(*) FROM usage_limits_config;
