CREATE FUNCTION usage_now() RETURNS timestamptz
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL SAFE;
COMMENT ON FUNCTION usage_now() IS
'The instant that decisions and defaults of usage_limits take as now: the server''s clock when called, or usage_limits.test_clock where that is set.';
