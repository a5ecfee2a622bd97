-- DROP EXTENSION leaves nothing behind, not the partitions that usage_maintain made either.
SELECT count(*) > 0 AS partitions FROM usage_maintain() WHERE what = 'partitions created';
DROP EXTENSION usage_limits;
SELECT relname FROM pg_class WHERE relname ~ '^(usage_|user_)' AND relkind IN ('r', 'p', 'v', 'S', 'i', 'I')
	AND relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname IN ('pg_catalog', 'information_schema'))
ORDER BY 1;
SELECT proname FROM pg_proc WHERE probin = '$libdir/usage_limits' ORDER BY 1;
SELECT typname FROM pg_type WHERE typname ~ '^usage_' AND typnamespace <> 'information_schema'::regnamespace ORDER BY 1;
