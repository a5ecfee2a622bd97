-- Installs the extension for the files that follow, into the schema that the
-- environment variable USAGE_SCHEMA names, public by default.  All answers
-- are the same in any schema.
\getenv schema USAGE_SCHEMA
\if :{?schema}
\else
\set schema public
\endif
\set SHOW_CONTEXT never

-- Where the name of one of our tables is taken, nothing is installed.
CREATE SCHEMA taken;
CREATE TABLE taken.user_usage (id int);
CREATE EXTENSION usage_limits SCHEMA taken;
CREATE VIEW taken.usage_limits_config AS SELECT 1;
DROP TABLE taken.user_usage;
CREATE EXTENSION usage_limits SCHEMA taken;
DROP SCHEMA taken CASCADE;
SELECT count(*) FROM pg_extension WHERE extname = 'usage_limits';

-- Installing into public works and says what to do instead.
CREATE EXTENSION usage_limits SCHEMA public;
SELECT count(*) FROM public.usage_limits_config;

-- It stays where it was installed.
ALTER EXTENSION usage_limits SET SCHEMA pg_temp;

-- Its functions find their tables in this session after it was installed anew.
SELECT public.usage_track('setup', 'setup') > 0 AS tracked;
DROP EXTENSION usage_limits;
CREATE SCHEMA elsewhere;
CREATE EXTENSION usage_limits SCHEMA elsewhere;
SELECT elsewhere.usage_track('setup', 'setup', 2) > 0 AS tracked;
SELECT user_id, usage_type, count FROM elsewhere.user_usage;

-- Also when the schema gets another name.
ALTER SCHEMA elsewhere RENAME TO "else where";
SELECT "else where".usage_track('setup', 'setup', 3) > 0 AS tracked;
SELECT user_id, usage_type, count FROM "else where".user_usage;
DROP EXTENSION usage_limits;
DROP SCHEMA "else where";

-- A function of the library without the extension around it says so.
CREATE FUNCTION orphan() RETURNS timestamptz AS '$libdir/usage_limits', 'usage_now' LANGUAGE C;
SELECT orphan() IS NOT NULL AS tells_the_time;
DROP FUNCTION orphan();
CREATE FUNCTION orphan(text, text, bigint) RETURNS bigint AS '$libdir/usage_limits', 'usage_check_limit' LANGUAGE C;
SELECT orphan('setup', 'setup', 1);
DROP FUNCTION orphan(text, text, bigint);

-- Whoever asks for errors only is not told about public.
SELECT NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = :'schema') AS missing \gset
\if :missing
CREATE SCHEMA :"schema";
\endif
SET client_min_messages = error;
CREATE EXTENSION usage_limits SCHEMA :"schema";
ALTER DATABASE :"DBNAME" SET search_path = public, :"schema";
\c -

SELECT library_version = sql_version AS same, sql_version FROM usage_limits_version();
SELECT count(*) AS limits FROM usage_limits_config;
SELECT usage_install_defaults();
