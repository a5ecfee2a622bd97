-- DROP EXTENSION leaves nothing behind.
\set SHOW_CONTEXT never
SELECT n.nspname AS schema FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'usage_limits' \gset

-- There is something to leave behind: partitions, with rows, rows in other tables, and a role with rights.
CREATE ROLE regress_usage_cleanup;
SELECT usage_grant('regress_usage_cleanup', 'admin');
SET usage_limits.test_clock = '2071-05-14 10:00:00+00';
SELECT usage_track('cleanup-1', 'cleanup') > 0 AS tracked;
SELECT count(*) FROM usage_maintain();
SELECT usage_track('cleanup-1', 'cleanup') > 0 AS tracked;
SELECT count(*) > 13 AS partitions FROM pg_partition_tree('usage_events');

-- All that is ours: the members, the partitions, and what belongs to them.
CREATE TEMP TABLE ours AS
WITH RECURSIVE found (classid, objid) AS (
	SELECT 'pg_extension'::regclass::oid, oid FROM pg_extension WHERE extname = 'usage_limits'
	UNION
	SELECT d.classid, d.objid FROM pg_depend d JOIN found f ON d.refclassid = f.classid AND d.refobjid = f.objid
	WHERE d.deptype IN ('e', 'a', 'i', 'P', 'S')
)
SELECT f.classid::regclass AS catalog, f.objid,
	(SELECT relname FROM pg_class WHERE oid = f.objid AND f.classid = 'pg_class'::regclass) AS name FROM found f
-- what tests made for a moment is theirs
WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = f.objid AND f.classid = 'pg_class'::regclass AND pg_is_other_temp_schema(c.relnamespace));
SELECT catalog, count(*) > 0 AS some FROM ours GROUP BY 1 ORDER BY catalog::text COLLATE "C";
SELECT count(*) FILTER (WHERE name = 'usage_events_2071_05') AS partition, count(*) FILTER (WHERE name = 'usage_events_2071_05_pkey') AS key, count(*) FILTER (WHERE name = 'usage_alerts_id_seq') AS sequence FROM ours;
CREATE TEMP TABLE place AS SELECT extnamespace AS oid FROM pg_extension WHERE extname = 'usage_limits';
CREATE FUNCTION pg_temp.left_behind(OUT catalog text, OUT objects bigint) RETURNS SETOF record LANGUAGE sql AS $$
	SELECT 'pg_class', count(*) FROM pg_class c WHERE c.oid IN (SELECT objid FROM ours WHERE catalog = 'pg_class'::regclass)
	UNION ALL
	-- and none of such a name is new
	SELECT 'relations by name', count(*) FROM pg_class c WHERE c.relname ~ '^(usage_(limit|types|actions|counters|events|resets|holds|open_holds|idempotency|members|alert|denials|config)|user_(usage|subscriptions))' AND c.relnamespace = (SELECT oid FROM place)
	UNION ALL
	SELECT 'pg_proc', count(*) FROM pg_proc p WHERE p.oid IN (SELECT objid FROM ours WHERE catalog = 'pg_proc'::regclass) OR p.probin ~ 'usage_limits'
	UNION ALL
	SELECT 'pg_type', count(*) FROM pg_type t WHERE t.oid IN (SELECT objid FROM ours WHERE catalog = 'pg_type'::regclass) OR t.typname ~ '^_?usage_decision$'
	UNION ALL
	SELECT 'pg_constraint', count(*) FROM pg_constraint c WHERE c.oid IN (SELECT objid FROM ours WHERE catalog = 'pg_constraint'::regclass)
	UNION ALL
	SELECT 'pg_trigger', count(*) FROM pg_trigger t WHERE t.oid IN (SELECT objid FROM ours WHERE catalog = 'pg_trigger'::regclass)
	UNION ALL
	SELECT 'pg_description', count(*) FROM pg_description d JOIN ours o ON o.catalog = d.classoid AND o.objid = d.objoid
	UNION ALL
	SELECT 'pg_init_privs', count(*) FROM pg_init_privs d JOIN ours o ON o.catalog = d.classoid AND o.objid = d.objoid
	UNION ALL
	SELECT 'pg_depend', count(*) FROM pg_depend d JOIN ours o ON o.catalog = d.classid AND o.objid = d.objid
$$;
SELECT catalog FROM pg_temp.left_behind() WHERE objects = 0;

-- A drop that is rolled back is none.
BEGIN;
DROP EXTENSION usage_limits;
SELECT * FROM pg_temp.left_behind() WHERE objects > 0;
ROLLBACK;
SELECT usage_track('cleanup-1', 'cleanup') > 0 AS tracked;
SELECT sum(count) FROM user_usage WHERE user_id = 'cleanup-1';

-- What an application made of ours keeps it from being dropped.
CREATE TABLE cleanup_answers (answer usage_decision);
DROP EXTENSION usage_limits;
DROP TABLE cleanup_answers;

-- A table of the application's own stays, also one in our schema.
CREATE TABLE :"schema".cleanup_table AS SELECT * FROM usage_types;
DROP EXTENSION usage_limits;
SELECT * FROM pg_temp.left_behind() WHERE objects > 0;
SELECT count(*) > 0 AS stays FROM pg_class WHERE relname = 'cleanup_table';
DROP TABLE :"schema".cleanup_table;
-- of a role's rights only the one on the schema is left
SELECT classid::regclass FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND refobjid = 'regress_usage_cleanup'::regrole AND classid <> 'pg_namespace'::regclass;
REVOKE USAGE ON SCHEMA :"schema" FROM regress_usage_cleanup;
DROP ROLE regress_usage_cleanup;

-- It can be installed again, in the same session, and knows nothing.
SET client_min_messages = error;
CREATE EXTENSION usage_limits SCHEMA :"schema";
RESET client_min_messages;
SELECT usage_install_defaults();
SELECT allowed, current FROM usage_check('cleanup-1', 'cleanup');
SELECT count(*) FROM usage_counters;
SELECT count(*) FROM pg_partition_tree('usage_events');
