-- Installs the extension anew, for the files that begin with empty tables.
\getenv schema USAGE_SCHEMA
\if :{?schema}
\else
\set schema public
\endif
SET client_min_messages = error;
DROP EXTENSION usage_limits;
CREATE EXTENSION usage_limits SCHEMA :"schema";
SELECT usage_install_defaults() AS added;
