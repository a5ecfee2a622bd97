\echo Use "CREATE EXTENSION usage_limits" to load this file. \quit

-- Names below are not qualified on purpose: the script runs with the target
-- schema first in the search path, and the usual placeholder for its name is
-- refused by the server when the name contains a quote.  Everything stored
-- (defaults, views, constraints, function bodies) is bound at creation.

CREATE FUNCTION usage_limits_before_install() RETURNS void
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
SELECT usage_limits_before_install();
DROP FUNCTION usage_limits_before_install();
