-- What the catalog says of the extension: comments, dump marks, keys, markings.
\set SHOW_CONTEXT never
SELECT usage_now() IS NOT NULL AS loaded;
CREATE TEMP VIEW members AS
SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'usage_limits';
CREATE TEMP VIEW relations AS
SELECT c.oid, c.relname, c.relkind FROM members m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid;
CREATE TEMP VIEW functions AS
SELECT p.* FROM members m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid;

-- All there is.
SELECT relkind, relname FROM relations ORDER BY relkind, relname COLLATE "C";

-- Every function, table, view, sequence of its own and type has a comment, and every column.
SELECT proname FROM functions WHERE obj_description(oid, 'pg_proc') IS NULL;
SELECT relname FROM relations r WHERE obj_description(oid, 'pg_class') IS NULL
	-- the sequence of an identity column is the column's
	AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.deptype = 'i')
	-- a composite type's comment is the type's
	AND r.relkind <> 'c';
SELECT t.typname FROM members m JOIN pg_type t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid
WHERE t.typelem = 0 AND t.typrelid NOT IN (SELECT oid FROM pg_class WHERE relkind <> 'c') AND obj_description(t.oid, 'pg_type') IS NULL;
SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE (c.oid IN (SELECT oid FROM relations WHERE relkind IN ('r', 'v', 'p'))
		OR c.oid IN (SELECT t.typrelid FROM members m JOIN pg_type t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid WHERE t.typtype = 'c'))
	-- a partition's columns are its parent's
	AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped AND col_description(c.oid, a.attnum) IS NULL;
-- a comment is a sentence
SELECT d.description FROM pg_description d JOIN members m ON m.classid = d.classoid AND m.objid = d.objoid WHERE d.description !~ '[.)]$';

-- Every setting says what it is for, and none may be set by whoever is limited.
SELECT name, vartype, unit, context, short_desc ~ '^[A-Z].*\.$' AS described FROM pg_settings WHERE name ~ '^usage_limits\.' AND context <> 'postmaster' ORDER BY name COLLATE "C";

-- Every table and every sequence goes into a dump, with all its rows, but for the sums of days, which come back by themselves.
SELECT r.relname FROM relations r, pg_extension e
WHERE e.extname = 'usage_limits' AND r.relkind IN ('r', 'p', 'S') AND r.oid <> ALL (e.extconfig);
SELECT count(*) FROM pg_class s JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i'), pg_extension e
WHERE e.extname = 'usage_limits' AND s.relkind = 'S' AND d.refobjid IN (SELECT oid FROM relations) AND s.oid <> ALL (e.extconfig);
SELECT array_length(extconfig, 1) AS marked, (SELECT count(*) FROM unnest(extcondition) c WHERE c <> '') AS conditions FROM pg_extension WHERE extname = 'usage_limits';
SELECT extrelocatable FROM pg_extension WHERE extname = 'usage_limits';

-- Every table has a primary key, but for the parent of the events.
SELECT relname FROM relations r WHERE relkind IN ('r', 'p') AND NOT EXISTS (SELECT FROM pg_index x WHERE x.indrelid = r.oid AND x.indisprimary);
SELECT p.relid FROM pg_partition_tree('usage_events') p WHERE p.isleaf AND NOT EXISTS (SELECT FROM pg_index x WHERE x.indrelid = p.relid AND x.indisprimary);
-- user_id leads every key and index that has it
SELECT c.relname AS index FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
WHERE x.indrelid IN (SELECT oid FROM relations)
	AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = x.indrelid AND a.attname = 'user_id' AND a.attnum = ANY (x.indkey[1:]));
-- no foreign keys; text in a key compares by bytes
SELECT conname FROM pg_constraint WHERE contype = 'f' AND conrelid IN (SELECT oid FROM relations);
SELECT c.relname, a.attname FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_attribute a ON a.attrelid = c.oid
WHERE x.indrelid IN (SELECT oid FROM relations) AND a.attcollation <> 0 AND a.attcollation <> 'pg_catalog."C"'::regcollation;
-- times have a zone, counts are bigint
SELECT r.relname, a.attname, a.atttypid::regtype FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid
WHERE r.relkind IN ('r', 'p', 'v') AND a.attnum > 0 AND a.atttypid IN ('timestamp'::regtype, 'integer'::regtype, 'smallint'::regtype, 'varchar'::regtype);
-- no rule, no default and no constraint looks a name up later: the triggers are C functions of ours
SELECT t.tgrelid::regclass, t.tgname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
WHERE t.tgrelid IN (SELECT oid FROM relations) AND NOT (p.oid IN (SELECT oid FROM functions) AND p.prolang = (SELECT oid FROM pg_language WHERE lanname = 'c'));
-- what says that something changed says so for replicated changes too
SELECT c.relname, string_agg(t.tgname, ', ' ORDER BY t.tgname) AS always FROM pg_trigger t JOIN relations c ON c.oid = t.tgrelid
WHERE t.tgenabled = 'A' GROUP BY 1 ORDER BY c.relname COLLATE "C";
SELECT tgname, tgenabled, count(*) FROM pg_trigger WHERE tgrelid IN (SELECT oid FROM relations) GROUP BY 1, 2 ORDER BY tgname COLLATE "C";

-- No name stands for two functions.
SELECT proname FROM functions GROUP BY 1 HAVING count(*) > 1;
-- What writes is volatile; what reads live usage is stable and not for parallel workers, which cannot take the latest snapshot;
-- what reads tables only is stable and safe.  None is strict: a null is an error, not an answer.
SELECT CASE f.provolatile WHEN 'v' THEN 'volatile' WHEN 's' THEN 'stable' ELSE 'immutable' END AS volatility,
	CASE f.proparallel WHEN 'u' THEN 'unsafe' WHEN 's' THEN 'safe' ELSE 'restricted' END AS parallel,
	l.lanname AS language, f.proisstrict AS strict, f.prosecdef AS definer, f.proname
FROM functions f JOIN pg_language l ON l.oid = f.prolang
ORDER BY 1, 2, 3, f.proname COLLATE "C";
SELECT proname FROM functions WHERE probin IS NOT NULL AND probin <> '$libdir/usage_limits';
