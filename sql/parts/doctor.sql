CREATE FUNCTION usage_doctor(OUT severity text, OUT what text, OUT hint text) RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp ROWS 10
BEGIN ATOMIC
	SELECT 'info', 'the library is not preloaded',
		'Add usage_limits to shared_preload_libraries and restart: every session then knows its settings, and its environment variables are read once.'
	WHERE NOT 'usage_limits' = ANY (string_to_array(replace(current_setting('shared_preload_libraries'), ' ', ''), ','))
UNION ALL
	SELECT 'error', format('the library has version %s, the SQL objects %s', v.library_version, v.sql_version),
		'Run ALTER EXTENSION usage_limits UPDATE, or restart the server after an upgrade of the package.'
	FROM usage_limits_version() v
	WHERE v.library_version <> v.sql_version
UNION ALL
	SELECT 'warning', format('usage type "%s" is tracked and has no limit', t.usage_type),
		'Add a limit with usage_set_limit, or the type to usage_types if it needs none.'
	FROM (SELECT DISTINCT c.usage_type FROM usage_counters c
			WHERE c.bucket_start >= usage_limits_first_day(30, false)::timestamp AT TIME ZONE 'UTC') t
	WHERE NOT EXISTS (SELECT FROM usage_limits_config l WHERE l.usage_type = t.usage_type AND l.is_active)
		AND NOT EXISTS (SELECT FROM usage_types u WHERE u.usage_type = t.usage_type)
UNION ALL
	SELECT 'warning', 'usage_events_default has rows',
		'Run usage_maintain(), and have it run daily: it makes the partition of each month and moves its rows.'
	WHERE EXISTS (SELECT FROM ONLY usage_events_default)
UNION ALL
	SELECT 'warning', format('usage_events has no partition for %s', to_char(m.month, 'YYYY-MM')),
		'Run usage_maintain(), and have it run daily.'
	FROM (SELECT date_trunc('month', usage_now() AT TIME ZONE 'UTC') + n * interval '1 month' AS month
			FROM generate_series(0, 1) n) m
	WHERE NOT EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
			WHERE i.inhparent = 'usage_events'::regclass
				AND c.relname = 'usage_events_' || to_char(m.month, 'YYYY_MM'))
UNION ALL
	SELECT 'error', format('trigger "%s" of usage_counters is not enabled always', t.tgname),
		format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I: until then nobody hears of some changes of the counters, and no days are summed for usage_trends.', t.tgrelid::regclass, t.tgname)
	FROM pg_trigger t
	WHERE t.tgrelid = 'usage_counters'::regclass AND t.tgname IN ('counted', 'truncated') AND t.tgenabled <> 'A'
UNION ALL
	SELECT 'info', format('%s of the last 30 days are not summed', count(*)),
		'Run usage_maintain(), and have it run daily. A transaction that is open or prepared since before the day was closed keeps it from being summed; usage_trends adds such days up anew each time.'
	FROM usage_days d
	WHERE d.usage_date < usage_limits_first_day(2, false) AND d.usage_date >= usage_limits_first_day(30, false)
		AND d.unique_users IS NULL
	HAVING count(*) > 0
UNION ALL
	SELECT 'warning', format('transaction "%s" has been prepared since %s', p.gid, p.prepared),
		'COMMIT PREPARED or ROLLBACK PREPARED: until then what it used counts, and users that it limits wait.'
	FROM pg_prepared_xacts p
	WHERE p.database = current_database() AND p.prepared < usage_now() - interval '1 hour'
UNION ALL
	SELECT 'warning', format('shared memory is nearly full: %s of %s entries and %s of %s nodes are in use, and entries were evicted %s times',
			s.entries_used, s.entries_max, s.nodes_used, s.nodes_max, s.evictions),
		'Raise usage_limits.max_counters and restart: what finds no room goes by locks and tables, which is slower.'
	FROM usage_limits_stat() s
	WHERE s.nodes_used > 0.9 * s.nodes_max OR (s.entries_used > 0.9 * s.entries_max AND s.evictions > s.entries_max)
UNION ALL
	SELECT DISTINCT 'info', format('the setting usage_limits.overrides hides the value of "%s" for tier "%s"', l.limit_type, e.names[2]),
		'The setting, or the environment variable that it comes from, goes before the table.'
	FROM string_to_table(current_setting('usage_limits.overrides', true), ',') AS s (entry)
		CROSS JOIN regexp_match(s.entry, '^\s*(.*)\.([^.=]*?)\s*=') AS e (names)
		JOIN usage_limits_config l ON l.limit_type = e.names[1]
	-- any other tier has no value in the table
	WHERE e.names[2] IN ('free', 'pro', 'team', 'enterprise')
UNION ALL
	SELECT DISTINCT 'warning', format('usage_alerts has a threshold of "%s", which is no limit', a.limit_type),
		'It is never reported: correct the name, or delete the row.'
	FROM usage_alerts a
	WHERE a.limit_type <> 'credits' AND NOT EXISTS (SELECT FROM usage_limits_config l WHERE l.limit_type = a.limit_type)
UNION ALL
	SELECT 'warning', format('the attachment of table %s to usage type "%s" is %s', a.target, a.usage_type, a.state),
		CASE a.state WHEN 'disabled' THEN 'Enable the triggers, then run usage_repair: what is written meanwhile is not counted.'
			ELSE 'Run usage_repair: triggers are missing, perhaps on a partition that is new.' END
	FROM usage_attachments() a
	WHERE a.state <> 'enabled'
UNION ALL
	SELECT DISTINCT 'warning', format('usage type "%s" follows the rows of a table, and limit "%s" of it is of kind %s', a.usage_type, l.limit_type, l.kind),
		'What is deleted gives back what was used in another window: attach the table to a usage type of its own.'
	FROM usage_attachments() a JOIN usage_limits_config l ON l.usage_type = a.usage_type
	WHERE l.is_active AND l.kind NOT IN ('gauge', 'rate')
	ORDER BY 1, 2;
END;
COMMENT ON FUNCTION usage_doctor() IS
'What is worth an administrator''s attention: severity is error, warning or info; hint says what to do. No rows: all is well.';
