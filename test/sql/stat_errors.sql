-- What statistics and analytics refuse, and when analytics are off.
SET usage_limits.test_clock = '2042-03-12 10:30:00+00';
\set SHOW_CONTEXT never

-- From 1 to 3,650 days.
SELECT count(DISTINCT date), max(date) - min(date) AS days FROM usage_trends(3650);
SELECT * FROM usage_trends(3651);
SELECT * FROM usage_trends(0);
SELECT * FROM usage_trends(-1);
SELECT * FROM usage_trends(NULL);
SELECT usage_stats('errors', 3650) IS NOT NULL AS answered;
SELECT usage_stats('errors', 3651);
SELECT usage_stats('errors', 0);
SELECT usage_stats('errors', NULL);
SELECT count(*) FROM usage_top_users('errors', 3650);
SELECT * FROM usage_top_users('errors', 3651);
SELECT * FROM usage_top_users('errors', 0);
SELECT * FROM usage_top_users('errors', NULL);
SELECT usage_funnel(3650) IS NOT NULL AS answered;
SELECT usage_funnel(3651);
SELECT usage_funnel(0);
SELECT usage_funnel(NULL);
SELECT count(*) FROM usage_error_rates(3650, 1000000000);
SELECT * FROM usage_error_rates(3651);
SELECT * FROM usage_error_rates(0);
SELECT * FROM usage_error_rates(NULL);
SELECT count(*) FROM usage_distribution('errors', 3650);
SELECT * FROM usage_distribution('errors', 3651);
SELECT * FROM usage_distribution('errors', 0);
SELECT * FROM usage_distribution('errors', NULL);
SELECT count(*) FROM usage_anomalies(3650);
SELECT * FROM usage_anomalies(3651);
SELECT * FROM usage_anomalies(0);
SELECT * FROM usage_anomalies(NULL);

-- The other arguments.
SELECT usage_stats(NULL);
SELECT * FROM usage_top_users(NULL);
SELECT * FROM usage_top_users('errors', max_rows => NULL);
SELECT * FROM usage_top_users('errors', max_rows => -1);
SELECT * FROM usage_error_rates(min_events => NULL);
SELECT * FROM usage_distribution(NULL);
SELECT * FROM usage_anomalies(threshold => NULL);
SELECT * FROM usage_anomalies(max_rows => NULL);
SELECT * FROM usage_anomalies(max_rows => -1);
SELECT * FROM usage_users(max_rows => NULL);
SELECT * FROM usage_users(max_rows => -1);
SELECT count(*) FROM usage_users('no user begins like this', NULL);

-- The codes of all this.
CREATE FUNCTION pg_temp.code(query text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE query;
	RETURN 'none';
EXCEPTION WHEN others THEN
	RETURN sqlstate;
END $$;
SELECT args, array_agg(DISTINCT pg_temp.code(format('SELECT * FROM %s', format(f, args)))) AS codes
FROM unnest(ARRAY['usage_trends(%s)', 'usage_stats(''x'', %s)', 'usage_top_users(''x'', %s)', 'usage_funnel(%s)', 'usage_error_rates(%s)',
	'usage_distribution(''x'', %s)', 'usage_anomalies(%s)', 'usage_anomalies(1, 1, %s - 3650)', 'usage_users(max_rows => %s - 3650)']) f,
	unnest(ARRAY['0', '-1', 'NULL', '3650']) args
WHERE f NOT LIKE '%- 3650%' OR args <> '3650' GROUP BY 1 ORDER BY 1;

-- With analytics off, statistics of a user and the list of users are still there.
SET usage_limits.analytics_enabled = off;
SELECT * FROM usage_trends();
SELECT * FROM usage_top_users('errors');
SELECT usage_funnel();
SELECT * FROM usage_error_rates();
SELECT * FROM usage_distribution('errors');
SELECT * FROM usage_anomalies();
SELECT count(pg_temp.code('SELECT * FROM ' || f)) FILTER (WHERE pg_temp.code('SELECT * FROM ' || f) = '55000') AS refused
FROM unnest(ARRAY['usage_trends()', 'usage_top_users(''errors'')', 'usage_funnel()', 'usage_error_rates()', 'usage_distribution(''errors'')', 'usage_anomalies()']) f;
SELECT usage_track('errors-off', 'errors') IS NULL AS no_event;
SELECT usage_stats('errors-off');
SELECT user_id FROM usage_users('errors-off');
SELECT limit_type FROM usage_explain('errors-off', 'export') ORDER BY 1;
SELECT usage_summary('errors-off')->>'tier' AS tier;
RESET usage_limits.analytics_enabled;
-- what was counted meanwhile is there
SELECT user_id, total_usage FROM usage_top_users('errors');

-- Nobody may call them who was not granted it, nor what they are made of; whoever is needs no right on a table.
CREATE ROLE regress_stat_nobody;
CREATE ROLE regress_stat_reader;
SELECT usage_grant('regress_stat_reader', 'reader');
SELECT extnamespace::regnamespace AS schema FROM pg_extension WHERE extname = 'usage_limits' \gset
GRANT USAGE ON SCHEMA :schema TO regress_stat_nobody;
SET ROLE regress_stat_nobody;
SELECT array_agg(DISTINCT pg_temp.code('SELECT * FROM ' || f)) AS codes, count(*) FROM unnest(ARRAY['usage_summary(''x'')', 'usage_stats(''x'')', 'usage_explain(''x'', ''export'')', 'usage_users()',
	'usage_top_users(''x'')', 'usage_trends()', 'usage_funnel()', 'usage_error_rates()', 'usage_distribution(''x'')', 'usage_anomalies()', 'usage_doctor()', 'usage_import(''x'')',
	'usage_limits_first_day(1, false)', 'usage_limits_given(''x'', 1)', 'usage_limits_max_rows(1)', 'usage_limits_tier(NULL, NULL, NULL, NULL, NULL)', 'usage_limits_count_users()']) f;
SET ROLE regress_stat_reader;
SELECT array_agg(DISTINCT pg_temp.code('SELECT * FROM ' || f)) AS codes, count(*) FROM unnest(ARRAY['usage_summary(''x'')', 'usage_stats(''x'')', 'usage_explain(''x'', ''export'')', 'usage_users()',
	'usage_top_users(''x'')', 'usage_trends()', 'usage_funnel()', 'usage_error_rates()', 'usage_distribution(''x'')', 'usage_anomalies()']) f;
SELECT array_agg(DISTINCT pg_temp.code('SELECT * FROM ' || f)) AS codes, count(*) FROM unnest(ARRAY['usage_doctor()', 'usage_import(''x'')', 'usage_counters', 'usage_events', 'user_subscriptions',
	'usage_limits_first_day(1, false)', 'usage_limits_given(''x'', 1)', 'usage_limits_max_rows(1)', 'usage_limits_tier(NULL, NULL, NULL, NULL, NULL)', 'usage_limits_count_users()']) f;
RESET ROLE;
SELECT usage_revoke('regress_stat_reader');
REVOKE USAGE ON SCHEMA :schema FROM regress_stat_nobody;
DROP ROLE regress_stat_nobody, regress_stat_reader;
