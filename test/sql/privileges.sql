-- Who may do what: PUBLIC nothing, a role what usage_grant gave it.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2031-06-14 10:00:00+00';
\set SHOW_CONTEXT never
SELECT n.nspname AS schema FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'usage_limits' \gset

-- The members of the extension, and what may be done to each.
CREATE TEMP VIEW members AS
SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'usage_limits';
CREATE TEMP VIEW functions AS
SELECT p.oid, p.proname FROM members m JOIN pg_proc p ON p.oid = m.objid WHERE m.classid = 'pg_proc'::regclass;
CREATE TEMP VIEW grants AS
SELECT 'function' AS object, p.proname::text AS name, a.grantee, a.privilege_type
FROM functions f JOIN pg_proc p ON p.oid = f.oid, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
WHERE a.grantee <> p.proowner
UNION ALL
SELECT CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' ELSE 'table' END, c.relname, a.grantee, a.privilege_type
FROM members m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid,
	aclexplode(coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))) a
WHERE a.grantee <> c.relowner
UNION ALL
SELECT 'column', c.relname || '.' || t.attname, a.grantee, a.privilege_type
FROM members m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
	JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a
UNION ALL
SELECT 'type', t.typname, a.grantee, a.privilege_type
FROM members m JOIN pg_type t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid,
	aclexplode(coalesce(t.typacl, acldefault('T', t.typowner))) a
-- a table's row type cannot be had without the table, and an array is its element's
WHERE a.grantee <> t.typowner AND t.typrelid NOT IN (SELECT oid FROM pg_class WHERE relkind <> 'c') AND t.typelem = 0;

-- Nobody but the owner has anything.
SELECT object, name, grantee, privilege_type FROM grants ORDER BY 1, 2, 4;
SELECT count(*) > 40 AS functions FROM functions;
SELECT DISTINCT m.classid::regclass FROM members m ORDER BY 1;
-- no function runs as its owner without a search_path of its own
SELECT p.proname FROM functions f JOIN pg_proc p ON p.oid = f.oid
WHERE p.prosecdef AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false);

CREATE ROLE regress_usage_reader;
CREATE ROLE regress_usage_app;
CREATE ROLE regress_usage_billing;
CREATE ROLE regress_usage_admin;
CREATE ROLE "regress_usage ""odd""";
CREATE ROLE regress_usage_nobody;
SELECT count(*) FROM functions f, pg_roles r WHERE r.rolname ~ '^regress_usage' AND has_function_privilege(r.oid, f.oid, 'EXECUTE');
GRANT USAGE ON SCHEMA :"schema" TO regress_usage_nobody;
SET ROLE regress_usage_nobody;
SELECT usage_track('priv-1', 'priv');
SELECT * FROM usage_consume('priv-1', 'priv');
SELECT * FROM usage_limits_config;
SELECT * FROM user_usage;
SELECT usage_grant('regress_usage_nobody', 'admin');
SELECT usage_now();
RESET ROLE;
REVOKE USAGE ON SCHEMA :"schema" FROM regress_usage_nobody;

-- Each part is a set of functions.
SELECT usage_grant('regress_usage_reader', 'reader');
SELECT usage_grant('regress_usage_app', 'app');
SELECT usage_grant('regress_usage_billing', 'billing');
SELECT usage_grant('regress_usage_admin', 'admin');
SELECT f.proname,
	has_function_privilege('regress_usage_reader', f.oid, 'EXECUTE') AS reader,
	has_function_privilege('regress_usage_app', f.oid, 'EXECUTE') AS app,
	has_function_privilege('regress_usage_billing', f.oid, 'EXECUTE') AS billing,
	has_function_privilege('regress_usage_admin', f.oid, 'EXECUTE') AS admin
FROM functions f ORDER BY f.proname COLLATE "C";
-- what no part may call is internal: triggers, and what functions of ours call
SELECT f.proname FROM functions f
WHERE NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname IN ('regress_usage_reader', 'regress_usage_app', 'regress_usage_billing', 'regress_usage_admin')
		AND has_function_privilege(r.oid, f.oid, 'EXECUTE'))
	AND f.proname !~ '^usage_limits_';
-- what is not a function
SELECT g.object, g.name, r.rolname, string_agg(g.privilege_type, ',' ORDER BY g.privilege_type)
FROM grants g JOIN pg_roles r ON r.oid = g.grantee WHERE g.object <> 'function'
GROUP BY 1, 2, 3 ORDER BY g.object, g.name COLLATE "C", r.rolname;
SELECT count(*) FROM pg_roles r WHERE r.rolname ~ '^regress_usage_(reader|app|billing|admin)$' AND has_schema_privilege(r.oid, :'schema', 'USAGE');
SELECT count(*) FROM pg_roles r WHERE r.rolname ~ '^regress_usage_(reader|app|billing|admin)$' AND has_schema_privilege(r.oid, :'schema', 'CREATE');
-- what is granted may not be passed on, and twice is once
SELECT usage_grant('regress_usage_reader', 'reader');
SELECT count(*) FROM functions f WHERE has_function_privilege('regress_usage_admin', f.oid, 'EXECUTE WITH GRANT OPTION');

-- An application's role tracks and consumes without a right on any table.
SELECT limit_type FROM usage_set_limit('priv_daily', 5);
SET ROLE regress_usage_app;
SELECT usage_track('priv-1', 'priv') > 0 AS tracked;
SELECT allowed, current FROM usage_consume('priv-1', 'priv', 2, idempotency_key => 'k');
SELECT allowed, current FROM usage_consume_many('priv-1', '{"priv": 1}');
SELECT allowed, current FROM usage_enforce('priv-1', 'priv', 1);
SELECT usage_enforce('priv-1', 'priv', 1);
SELECT allowed, current FROM usage_check('priv-1', 'priv', 1);
SELECT usage_check_action('priv-1', 'export_video');
SELECT current, "limit" FROM usage_status('priv-1') WHERE limit_type = 'priv_daily';
SELECT usage_summary('priv-1') #>> '{limits,priv_daily,current}' AS current;
SELECT total_usage FROM usage_top_users('priv', 1);
SELECT usage_stats('priv-1', 1) #>> '{totals,priv}' AS total;
SELECT * FROM usage_set_limit('priv_daily', 50);
SELECT * FROM usage_set_tier('priv-1', 'pro');
SELECT * FROM usage_set_override('priv_daily', 50, user_id => 'priv-1');
SELECT * FROM usage_refund(1);
SELECT * FROM usage_reset('priv-1', 'priv');
SELECT * FROM usage_adjust('priv-1', 'priv', -1);
SELECT * FROM usage_maintain();
SELECT * FROM usage_counters;
DELETE FROM usage_counters;
INSERT INTO usage_counters (user_id, usage_type, bucket_start) VALUES ('priv-1', 'priv', now());
SELECT * FROM usage_events;
SELECT * FROM usage_events_default;
UPDATE usage_limits_config SET free_tier_limit = 50;
SELECT * FROM user_usage;
SELECT nextval('usage_events_id_seq');
-- nor may it lift a limit by a setting, or by a trigger's function of ours
SET usage_limits.enforcement = off;
SET usage_limits.overrides = 'priv_daily.free=50';
SET usage_limits.test_clock = '2031-06-15 10:00:00+00';
CREATE TEMP TABLE mine (limit_type text);
CREATE TRIGGER mine BEFORE INSERT ON mine FOR EACH ROW EXECUTE FUNCTION usage_limits_changed();
DROP TABLE mine;
RESET ROLE;
SELECT count FROM user_usage WHERE user_id = 'priv-1';

-- A reader asks.
SET ROLE regress_usage_reader;
SELECT allowed, current FROM usage_check('priv-1', 'priv', 1);
SELECT allowed, current FROM usage_consume('priv-1', 'priv', 1);
SELECT usage_track('priv-1', 'priv');
RESET ROLE;

-- Billing sets tiers and overrides.
SET ROLE regress_usage_billing;
SELECT tier FROM usage_set_tier('priv-1', 'pro');
SELECT limit_value FROM usage_set_override('priv_daily', 6, user_id => 'priv-1');
SELECT usage_track('priv-1', 'priv');
UPDATE user_subscriptions SET tier = 'team';
RESET ROLE;

-- An administrator writes the tables of the configuration too; their triggers run.
SET ROLE regress_usage_admin;
INSERT INTO usage_limits_config (limit_type, free_tier_limit) VALUES ('priv_hourly', 3);
SELECT usage_type, kind, period, alignment FROM usage_limits_config WHERE limit_type = 'priv_hourly';
INSERT INTO usage_limits_config (limit_type, free_tier_limit) VALUES ('priv_weekly', -2);
UPDATE usage_limits_config SET free_tier_limit = 4 WHERE limit_type = 'priv_hourly';
DELETE FROM usage_limits_config WHERE limit_type = 'priv_hourly';
INSERT INTO usage_limit_overrides (limit_type, user_id, limit_value) VALUES ('priv_daily', 'priv-2', 7);
UPDATE usage_limit_overrides SET limit_value = 8 WHERE user_id = 'priv-2';
SELECT "limit", source FROM usage_status('priv-2') WHERE limit_type = 'priv_daily';
DELETE FROM usage_limit_overrides WHERE limit_type = 'priv_daily';
INSERT INTO usage_types (usage_type) VALUES ('priv');
UPDATE usage_types SET unit = 'piece' WHERE usage_type = 'priv';
DELETE FROM usage_types WHERE usage_type = 'priv';
INSERT INTO usage_actions (action, usage_type) VALUES ('priv_do', 'priv');
DELETE FROM usage_actions WHERE action = 'priv_do';
INSERT INTO user_subscriptions (user_id, tier) VALUES ('priv-2', 'pro');
UPDATE user_subscriptions SET status = 'past_due' WHERE user_id = 'priv-2';
DELETE FROM user_subscriptions WHERE user_id LIKE 'priv-%';
INSERT INTO usage_members (user_id, account_id) VALUES ('priv-2', 'priv-3');
DELETE FROM usage_members WHERE user_id = 'priv-2';
INSERT INTO usage_alerts (limit_type, percent) VALUES ('priv_daily', 80);
DELETE FROM usage_alerts WHERE limit_type = 'priv_daily';
SELECT allowed, current, "limit" FROM usage_adjust('priv-1', 'priv', -1);
SELECT count(*) > 0 AS maintained FROM usage_maintain();
DELETE FROM usage_config_log;
DELETE FROM usage_counters;
DELETE FROM usage_events;
SELECT * FROM usage_counters;
-- What has happened he may read.
SELECT count(*) > 0 AS events FROM usage_events;
SELECT count(*) > 0 AS changes FROM usage_config_log;
SELECT count(*) AS denials FROM usage_denials;
SELECT count(*) AS alerts FROM usage_alert_log;
RESET ROLE;
SELECT changed_by, table_name, operation FROM usage_config_log
WHERE coalesce(old_row ->> 'limit_type', old_row ->> 'user_id') ~ '^priv' ORDER BY id;

-- He grants parts to others, though nothing of it is his.
SET ROLE regress_usage_admin;
SELECT usage_grant('regress_usage_nobody', 'reader');
RESET ROLE;
SELECT count(*) AS functions FROM functions f WHERE has_function_privilege('regress_usage_nobody', f.oid, 'EXECUTE');

-- Any name of a role.
SELECT usage_grant('regress_usage "odd"', 'app');
SET ROLE "regress_usage ""odd""";
SELECT usage_track('priv-2', 'priv') > 0 AS tracked;
RESET ROLE;

-- What is wrong.
SELECT usage_grant('regress_usage_app', 'everything');
SELECT usage_grant('regress_usage_app', 'APP');
SELECT usage_grant('regress_usage_app', NULL);
SELECT usage_grant(NULL, 'app');
SELECT usage_grant('regress_usage_missing', 'app');
SELECT usage_revoke('regress_usage_missing');
SELECT usage_revoke(NULL);
BEGIN READ ONLY;
SELECT usage_grant('regress_usage_app', 'reader');
ROLLBACK;
BEGIN READ ONLY;
SELECT usage_revoke('regress_usage_app');
ROLLBACK;

-- Parts add up, and all is taken back; what others granted stays.
SELECT usage_grant('regress_usage_billing', 'reader');
SELECT count(*) FILTER (WHERE f.proname = 'usage_set_tier') AS set_tier, count(*) FILTER (WHERE f.proname = 'usage_check') AS checks
FROM functions f WHERE has_function_privilege('regress_usage_billing', f.oid, 'EXECUTE');
GRANT SELECT ON user_usage TO regress_usage_reader;
SELECT usage_revoke('regress_usage_reader');
SELECT usage_revoke('regress_usage_app');
SELECT usage_revoke('regress_usage_billing');
SELECT usage_revoke('regress_usage_admin');
SELECT usage_revoke('regress_usage "odd"');
SELECT usage_revoke('regress_usage_nobody');
SELECT g.object, g.name, r.rolname, g.privilege_type FROM grants g LEFT JOIN pg_roles r ON r.oid = g.grantee;
REVOKE ALL ON user_usage FROM regress_usage_reader;
-- so that nothing keeps the roles
DROP ROLE regress_usage_reader, regress_usage_app, regress_usage_billing, regress_usage_admin, "regress_usage ""odd""", regress_usage_nobody;

DELETE FROM usage_limits_config WHERE limit_type = 'priv_daily';
