-- What usage_attach takes for a table, a column and an expression, and as whom
-- it evaluates them.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2025-11-04 10:30:00+00';
\set SHOW_CONTEXT never
SELECT n.nspname AS schema FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'usage_limits' \gset
SELECT limit_type FROM usage_set_limit('exprs_total', 1000);
CREATE TABLE docs (id int PRIMARY KEY, owner text, size int, label text, made timestamptz, ratio float8, tags text[]);

-- Nothing, and what is not there.
SELECT usage_attach(NULL, 'expr', 'owner');
SELECT usage_attach('docs', NULL, 'owner');
SELECT usage_attach('docs', 'expr', NULL);
SELECT usage_attach('docs', '', 'owner');
SELECT usage_attach('docs', 'expr', '');
SELECT usage_attach('nothing', 'expr', 'owner');
SELECT usage_attach(1, 'expr', 'owner');
SELECT usage_attach('docs', 'expr', 'Owner');
SELECT usage_attach('docs', 'expr', 'lower(owner)');
SELECT usage_attach('docs', 'expr', 'ctid');
SELECT usage_detach(NULL, 'expr');
SELECT usage_detach('docs', 'expr');
SELECT usage_repair(NULL);
SELECT usage_repair('docs');
SELECT * FROM usage_drift('docs');

-- Types that are no gauge.
SELECT usage_attach('docs', 'export', 'owner');
SELECT usage_attach('docs', 'exports_daily', 'owner');
SELECT usage_attach('docs', 'concurrent_renders', 'owner');
SELECT durability FROM usage_set_limit('exprs_total', 1000, durability => 'relaxed');
SELECT usage_attach('docs', 'expr', 'owner');
SELECT durability FROM usage_set_limit('exprs_total', 1000, durability => 'durable');
SELECT kind FROM usage_set_limit('exprs_hourly', 10);
SELECT usage_attach('docs', 'expr', 'owner');
UPDATE usage_limits_config SET is_active = false WHERE limit_type = 'exprs_hourly';
SELECT usage_attach('docs', 'expr', 'owner');
UPDATE usage_limits_config SET is_active = true WHERE limit_type = 'exprs_hourly';
SELECT severity, what, hint FROM usage_doctor() WHERE what ~ 'expr';
DELETE FROM usage_limits_config WHERE limit_type = 'exprs_hourly';
SELECT usage_detach('docs', 'expr');

-- a rate looks at what is asked for, never at what is given back
SELECT kind FROM usage_set_limit('exprs_rate', 2, usage_type => 'expr', kind => 'rate', period => '1 minute');
INSERT INTO docs VALUES (1, 'ex-8'), (2, 'ex-8'), (3, 'ex-8');
SELECT usage_attach('docs', 'expr', 'owner');
DELETE FROM docs WHERE id = 3;
INSERT INTO docs VALUES (3, 'ex-8');
UPDATE docs SET owner = 'ex-8';
INSERT INTO docs VALUES (4, 'ex-8');
INSERT INTO docs VALUES (5, 'ex-8');
DELETE FROM docs;
SELECT * FROM usage_drift();
SELECT usage_detach('docs', 'expr');
DELETE FROM usage_limits_config WHERE limit_type = 'exprs_rate';

-- Expressions that are none.
SELECT usage_attach('docs', 'expr', 'owner', '');
SELECT usage_attach('docs', 'expr', 'owner', 'size +');
SELECT usage_attach('docs', 'expr', 'owner', 'size, 1');
SELECT usage_attach('docs', 'expr', 'owner', 'size AS amount');
SELECT usage_attach('docs', 'expr', 'owner', '*');
SELECT usage_attach('docs', 'expr', 'owner', '1 FROM docs');
SELECT usage_attach('docs', 'expr', 'owner', 'size WHERE true');
SELECT usage_attach('docs', 'expr', 'owner', '1; DROP TABLE docs');
SELECT usage_attach('docs', 'expr', 'owner', '1) OR (1');
SELECT usage_attach('docs', 'expr', 'owner', '1 LIMIT 1');
SELECT usage_attach('docs', 'expr', 'owner', 'DISTINCT size');
SELECT usage_attach('docs', 'expr', 'owner', '1 UNION SELECT 2');
SELECT usage_attach('docs', 'expr', 'owner', '1 ORDER BY 1');
SELECT usage_attach('docs', 'expr', 'owner', 'size -- comment');
SELECT usage_detach('docs', 'expr');
-- what is not over the row
SELECT usage_attach('docs', 'expr', 'owner', 'sizes');
SELECT usage_attach('docs', 'expr', 'owner', 'other.size');
SELECT usage_attach('docs', 'expr', 'owner', '(SELECT 1)');
SELECT usage_attach('docs', 'expr', 'owner', NULL, 'EXISTS (SELECT FROM docs)');
SELECT usage_attach('docs', 'expr', 'owner', 'sum(size)');
SELECT usage_attach('docs', 'expr', 'owner', 'row_number() OVER ()');
SELECT usage_attach('docs', 'expr', 'owner', 'generate_series(1, size)');
SELECT usage_attach('docs', 'expr', 'owner', '$1');
SELECT usage_attach('docs', 'expr', 'owner', 'DEFAULT');
SELECT usage_attach('docs', 'expr', 'owner', 'xmin::text::int');
SELECT usage_attach('docs', 'expr', 'owner', 'length(docs::text)');
-- of another type
SELECT usage_attach('docs', 'expr', 'owner', 'label');
SELECT usage_attach('docs', 'expr', 'owner', 'size > 1');
SELECT usage_attach('docs', 'expr', 'owner', NULL, 'size');
SELECT usage_attach('docs', 'expr', 'owner', NULL, 'label');
-- that may give something else at another time
SELECT usage_attach('docs', 'expr', 'owner', 'random() * 10');
SELECT usage_attach('docs', 'expr', 'owner', NULL, 'made > now()');
SELECT usage_attach('docs', 'expr', 'owner', NULL, 'made::date > ''2020-01-01''');
SELECT usage_attach('docs', 'expr', 'made');
SELECT * FROM usage_attachments();

-- Expressions that are.
INSERT INTO docs VALUES (1, 'ex-1', 10, 'a', '2020-01-01', 1.5, '{x,y}'), (2, 'ex-1', 20, NULL, '2030-01-01', 2.5, NULL);
CREATE FUNCTION pg_temp.attached(amount text, predicate text DEFAULT NULL, OUT level bigint, OUT stored_amount text, OUT stored_predicate text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM usage_attach('docs', 'expr', 'owner', amount, predicate);
	INSERT INTO docs VALUES (3, 'ex-1', 5, 'a', NULL, 0.4, '{z}'), (4, 'ex-1', NULL, 'b', '2020-01-01', NULL, '{}');
	UPDATE docs SET size = size + 1, label = coalesce(label, 'c') WHERE id <> 2;
	DELETE FROM docs WHERE id = 4;
	IF EXISTS (SELECT FROM usage_drift()) THEN RAISE 'drift'; END IF;
	SELECT current INTO level FROM usage_check_limit('ex-1', 'exprs_total');
	SELECT a.amount, a.predicate INTO stored_amount, stored_predicate FROM usage_attachments() a;
	PERFORM usage_detach('docs', 'expr');
	DELETE FROM docs WHERE id = 3;
	UPDATE docs SET size = 10, label = 'a' WHERE id = 1;
END $$;
SELECT * FROM pg_temp.attached(NULL);
SELECT * FROM pg_temp.attached('size');
SELECT * FROM pg_temp.attached('docs.size');
SELECT * FROM pg_temp.attached('ratio');
SELECT * FROM pg_temp.attached('''7''');
SELECT * FROM pg_temp.attached('NULL');
SELECT * FROM pg_temp.attached('size / 3');
SELECT * FROM pg_temp.attached('coalesce(size, 0)::numeric / 3');
SELECT * FROM pg_temp.attached('CASE label WHEN ''a'' THEN size ELSE 0 END');
SELECT * FROM pg_temp.attached('cardinality(tags)', 'label IN (''a'', ''c'') AND made < ''2025-01-01 00:00:00+00''');
SELECT * FROM pg_temp.attached(NULL, 'true');
SELECT * FROM pg_temp.attached(NULL, 'NULL');
SELECT * FROM pg_temp.attached(NULL, 'label ~ ''^[[:alpha:]]$'' COLLATE "C"');

-- Names are those of whoever attached, whatever is in a search path later.
CREATE SCHEMA attach_one;
CREATE SCHEMA attach_two;
CREATE FUNCTION attach_one.units(int) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT $1::bigint * 2';
CREATE FUNCTION attach_two.units(int) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 0::bigint';
CREATE FUNCTION attach_one.bigger(int, int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 > $2';
CREATE OPERATOR attach_one.>>> (LEFTARG = int, RIGHTARG = int, FUNCTION = attach_one.bigger);
CREATE TYPE attach_one.mood AS ENUM ('fine');
SELECT current_setting('search_path') AS path \gset
SELECT set_config('search_path', 'attach_one, ' || :'path', false) \gset
SELECT usage_attach('docs', 'expr', 'owner', 'units(size)', 'size >>> 1 AND ''fine''::mood IS NOT NULL');
SELECT set_config('search_path', 'attach_two, ' || :'path', false) \gset
SELECT amount, predicate FROM usage_attachments();
INSERT INTO docs VALUES (5, 'ex-1', 100), (6, 'ex-1', 1);
SELECT current FROM usage_check_limit('ex-1', 'exprs_total');
SELECT * FROM usage_drift();
SELECT set_config('search_path', :'path', false) \gset
-- one that changes, and one that goes
CREATE OR REPLACE FUNCTION attach_one.units(int) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT $1::bigint * 3';
INSERT INTO docs VALUES (7, 'ex-1', 10);
SELECT counted, actual FROM usage_drift();
SELECT usage_repair('docs');
DROP FUNCTION attach_one.units(int);
INSERT INTO docs VALUES (8, 'ex-1', 10);
SELECT usage_detach('docs', 'expr');
DROP SCHEMA attach_one CASCADE;
DROP SCHEMA attach_two CASCADE;
-- an expression may fail
SELECT usage_attach('docs', 'expr', 'owner', '100 / size', 'size IS NOT NULL');
INSERT INTO docs VALUES (8, 'ex-1', 0);
SELECT usage_detach('docs', 'expr');
-- or write to the table itself
DELETE FROM docs;
CREATE FUNCTION more() RETURNS bigint LANGUAGE sql AS $$ INSERT INTO public.docs VALUES (9, 'ex-1', 7); SELECT 0::bigint $$;
CREATE FUNCTION again(n int) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	IF n = 1 THEN EXECUTE 'SELECT public.more()'; END IF;
	RETURN n;
END $$;
SELECT usage_attach('docs', 'expr', 'owner', 'again(size)');
INSERT INTO docs VALUES (8, 'ex-1', 1);
SELECT user_id, amount, metadata FROM usage_events WHERE user_id = 'ex-1' ORDER BY id DESC LIMIT 2;
SELECT usage_detach('docs', 'expr');
DROP FUNCTION again(int);
DROP FUNCTION more();

-- As whom: only the owner attaches, and expressions are the owner's, as a
-- security-restricted operation, whoever writes and whoever asks.
CREATE ROLE regress_attach_owner;
CREATE ROLE regress_attach_writer;
CREATE ROLE regress_attach_admin SUPERUSER;
SELECT usage_grant('regress_attach_owner', 'admin'), usage_grant('regress_attach_writer', 'admin');
CREATE SCHEMA attach_owned AUTHORIZATION regress_attach_owner;
GRANT USAGE ON SCHEMA attach_owned TO PUBLIC;
SET ROLE regress_attach_owner;
CREATE TABLE attach_owned.things (id int, owner text, size int);
GRANT ALL ON attach_owned.things TO regress_attach_writer;
CREATE TABLE attach_owned.seen (what text, who text, session text);
CREATE FUNCTION attach_owned.note(int) RETURNS void LANGUAGE sql AS
	'INSERT INTO attach_owned.seen VALUES ($1, current_user, session_user)';
CREATE FUNCTION attach_owned.look(int) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	PERFORM attach_owned.note($1);
	RETURN $1;
END $$;
RESET ROLE;
SET ROLE regress_attach_writer;
SELECT usage_attach('attach_owned.things', 'expr', 'owner', 'attach_owned.look(size)');
SELECT usage_attach('docs', 'expr', 'owner');
RESET ROLE;
SET ROLE regress_attach_owner;
SELECT usage_attach('docs', 'expr', 'owner');
SELECT usage_attach('attach_owned.things', 'expr', 'owner', 'attach_owned.look(size)');
RESET ROLE;
SET ROLE regress_attach_writer;
SELECT usage_detach('attach_owned.things', 'expr');
INSERT INTO attach_owned.things VALUES (1, 'ex-9', 1);
RESET ROLE;
SET ROLE regress_attach_admin;
INSERT INTO attach_owned.things VALUES (2, 'ex-9', 2);
SELECT * FROM usage_drift();
SELECT usage_repair('attach_owned.things');
TRUNCATE attach_owned.things;
SELECT usage_detach('attach_owned.things', 'expr');
RESET ROLE;
SELECT DISTINCT what, who FROM attach_owned.seen ORDER BY 1, 2;
SELECT DISTINCT session = session_user AS same_session FROM attach_owned.seen;

-- A hostile predicate: written by the owner, run by a superuser's INSERT.
SET ROLE regress_attach_owner;
CREATE FUNCTION attach_owned.attempt(what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE what;
	RAISE NOTICE 'done: %', what;
EXCEPTION WHEN OTHERS THEN
	RAISE NOTICE '%: %', regexp_replace(what, '^UPDATE .*[.]', 'UPDATE '), SQLSTATE;
END $$;
CREATE FUNCTION attach_owned.evil(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	usage text := (SELECT n.nspname FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'usage_limits');
BEGIN
	IF $1 = 666 THEN
		EXECUTE 'SELECT attach_owned.attempt(w) FROM unnest($1) w' USING ARRAY[
			'ALTER ROLE regress_attach_owner SUPERUSER',
			'SET ROLE regress_attach_admin',
			'RESET ROLE',
			'SET SESSION AUTHORIZATION regress_attach_admin',
			'RESET SESSION AUTHORIZATION',
			'UPDATE ' || quote_ident(usage) || '.usage_counters SET amount = 0',
			'SET usage_limits.enforcement = off',
			'CREATE TEMP TABLE x ()',
			'DECLARE c CURSOR WITH HOLD FOR SELECT 1',
			'SET search_path = attach_owned',
			'CREATE FUNCTION attach_owned.sum(bigint) RETURNS numeric LANGUAGE sql AS ''SELECT 0::numeric''',
			'COPY attach_owned.things TO ''/tmp/regress_attach'''];
	END IF;
	RETURN true;
END $$;
SELECT usage_attach('attach_owned.things', 'expr', 'owner', 'size', 'attach_owned.evil(id)');
RESET ROLE;
SELECT set_config('search_path', 'public, ' || quote_ident(:'schema'), false) \gset
SELECT current_setting('search_path') AS before \gset
INSERT INTO attach_owned.things VALUES (666, 'ex-9', 5);
SELECT current_user = session_user AS itself, current_setting('search_path') = :'before' AS same_path, rolsuper FROM pg_roles WHERE rolname = 'regress_attach_owner';
-- and by its drift, its repair and its TRUNCATE
SET client_min_messages = warning;
ALTER TABLE attach_owned.things DISABLE TRIGGER USER;
UPDATE attach_owned.things SET size = 6;
ALTER TABLE attach_owned.things ENABLE TRIGGER USER;
SELECT * FROM usage_drift();
SELECT usage_repair('attach_owned.things');
SELECT current_user = session_user AS itself, rolsuper FROM pg_roles WHERE rolname = 'regress_attach_owner';
SELECT current FROM usage_check_limit('ex-9', 'exprs_total');
TRUNCATE attach_owned.things;
SELECT current FROM usage_check_limit('ex-9', 'exprs_total');
RESET client_min_messages;
-- while it is attached too
INSERT INTO attach_owned.things VALUES (1, 'ex-9', 5);
SET ROLE regress_attach_owner;
SELECT usage_detach('attach_owned.things', 'expr');
CREATE OR REPLACE FUNCTION attach_owned.evil(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	PERFORM attach_owned.attempt('ALTER ROLE regress_attach_owner SUPERUSER');
	RETURN true;
END $$;
RESET ROLE;
SELECT usage_attach('attach_owned.things', 'expr', 'owner', 'size', 'attach_owned.evil(1)');
SELECT rolsuper FROM pg_roles WHERE rolname = 'regress_attach_owner';
SELECT usage_detach('attach_owned.things', 'expr');
-- the trigger's function is nobody's to use
SET ROLE regress_attach_owner;
CREATE TRIGGER mine AFTER INSERT ON attach_owned.things REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION usage_limits_follow('export', 'owner', '-1000', '');
RESET ROLE;
-- nor is it for other triggers
CREATE TRIGGER mine AFTER INSERT ON attach_owned.things FOR EACH STATEMENT EXECUTE FUNCTION usage_limits_follow('export', 'owner', '', '');
INSERT INTO attach_owned.things VALUES (1, 'ex-9', 5);
DROP TRIGGER mine ON attach_owned.things;
CREATE TRIGGER mine AFTER INSERT ON attach_owned.things FOR EACH ROW EXECUTE FUNCTION usage_limits_follow('export', 'owner', '', '');
INSERT INTO attach_owned.things VALUES (1, 'ex-9', 5);
DROP TRIGGER mine ON attach_owned.things;
SELECT usage_limits_follow();
-- policies hide no row that counts
SET ROLE regress_attach_owner;
ALTER TABLE attach_owned.things ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY mine ON attach_owned.things USING (size > 100) WITH CHECK (true);
SELECT count(*) FROM attach_owned.things;
SELECT usage_attach('attach_owned.things', 'expr', 'owner', 'size');
SELECT current FROM usage_check_limit('ex-9', 'exprs_total');
INSERT INTO attach_owned.things VALUES (2, 'ex-9', 5);
SELECT * FROM usage_drift();
RESET ROLE;
SELECT current FROM usage_check_limit('ex-9', 'exprs_total');
BEGIN READ ONLY;
SELECT usage_attach('docs', 'expr', 'owner');
ROLLBACK;
BEGIN READ ONLY;
SELECT usage_detach('attach_owned.things', 'expr');
ROLLBACK;
BEGIN READ ONLY;
SELECT usage_repair('attach_owned.things');
ROLLBACK;
BEGIN READ ONLY;
SELECT * FROM usage_drift();
ROLLBACK;

DROP SCHEMA attach_owned CASCADE;
DROP TABLE docs;
SELECT usage_revoke('regress_attach_owner'), usage_revoke('regress_attach_writer');
DROP ROLE regress_attach_owner, regress_attach_writer, regress_attach_admin;
DELETE FROM usage_limits_config WHERE limit_type = 'exprs_total';
