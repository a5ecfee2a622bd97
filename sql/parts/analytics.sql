-- Statistics and analytics: read from counters, by UTC date.
--
-- They are SECURITY DEFINER since nobody but the owner may read the tables.
-- Their bodies are bound to our tables when they are created.  The range of
-- dates is worked out once a call, by one look at the clock.  A condition
-- without a column is checked once and first, also when there are no rows:
-- that is how wrong arguments are refused.

CREATE FUNCTION usage_limits_first_day(days integer, analytics boolean) RETURNS date
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION usage_limits_first_day IS
'The first of the UTC dates, days in number, that end today. Outside 1 to 3,650 days: 22023. For analytics, while usage_limits.analytics_enabled is off: 55000.';

CREATE FUNCTION usage_limits_given(name text, value anyelement) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION usage_limits_given IS
'True; when the value of the argument of that name is null: 22004.';

CREATE FUNCTION usage_limits_max_rows(max_rows integer) RETURNS integer
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION usage_limits_max_rows IS
'max_rows as it is; null: 22004, negative: 22023.';

CREATE FUNCTION usage_limits_tier(tier text, status text, status_since timestamptz,
	started_at timestamptz, expires_at timestamptz) RETURNS text
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION usage_limits_tier IS
'The tier that counts now for a subscription; with nulls, that of a user without one.';

CREATE FUNCTION usage_limits_count_users() RETURNS bigint
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_limits_count_users() IS
'How many rows the table has that usage_limits.users_table names, else user_subscriptions.';

CREATE FUNCTION usage_summary(user_id text) RETURNS jsonb
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_summary IS
'What an application shows a user: tier; for each limit''s name without its period (prompts, exports) the limit with the least remaining, as {allowed, current, limit, remaining, resetAt, limitType}; and limits, every limit by its name. remaining is null when unlimited.';

CREATE FUNCTION usage_explain(
	user_id text,
	usage_type text,
	amount bigint DEFAULT 1,
	OUT limit_type text,
	OUT applies boolean,
	OUT value bigint,
	OUT source text,
	OUT window_start timestamptz,
	OUT window_end timestamptz,
	OUT current bigint,
	OUT remaining bigint,
	OUT allowed boolean,
	OUT reason text
) RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL UNSAFE ROWS 5;
COMMENT ON FUNCTION usage_explain IS
'Why a request would be admitted or denied: each limit of the type, the value that holds for the user and where it comes from, its window and what it says. applies is false for a limit that is inactive or counts one subtype only.';

CREATE FUNCTION usage_stats(user_id text, days integer DEFAULT 30) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	WITH range AS MATERIALIZED (
		SELECT f.first_day::timestamp AT TIME ZONE 'UTC' AS starts_at,
			(f.first_day + usage_stats.days)::timestamp AT TIME ZONE 'UTC' AS ends_at
		FROM usage_limits_first_day(usage_stats.days, false) AS f (first_day)
	), usage AS (
		SELECT (c.bucket_start AT TIME ZONE 'UTC')::date AS usage_date, c.usage_type,
			sum(c.amount)::bigint AS count
		FROM usage_counters c
		WHERE c.user_id = usage_stats.user_id
			AND c.bucket_start >= (SELECT r.starts_at FROM range r)
			AND c.bucket_start < (SELECT r.ends_at FROM range r)
		GROUP BY 1, 2
		HAVING sum(c.events) > 0 OR sum(c.amount) <> 0
	), daily AS (
		SELECT u.usage_date, jsonb_object_agg(u.usage_type, u.count) AS types
		FROM usage u
		GROUP BY u.usage_date
	), totals AS (
		SELECT u.usage_type, sum(u.count)::bigint AS count
		FROM usage u
		GROUP BY u.usage_type
	), recent AS (
		SELECT e.*
		FROM usage_events e
		WHERE e.user_id = usage_stats.user_id
			AND e.created_at >= (SELECT r.starts_at FROM range r)
			AND e.created_at < (SELECT r.ends_at FROM range r)
		ORDER BY e.created_at DESC, e.id DESC
		LIMIT 100
	)
	SELECT jsonb_build_object(
		'daily', (SELECT coalesce(jsonb_object_agg(to_char(d.usage_date::timestamp, 'YYYY-MM-DD'), d.types), '{}') FROM daily d),
		'totals', (SELECT coalesce(jsonb_object_agg(t.usage_type, t.count), '{}') FROM totals t),
		'recentEvents', (SELECT coalesce(jsonb_agg(jsonb_build_object(
				'id', r.id,
				'userId', r.user_id,
				'eventType', r.event_type,
				'eventSubtype', r.event_subtype,
				'projectId', r.project_id,
				'sceneId', r.scene_id,
				'tokensUsed', r.tokens_used,
				'creditsUsed', r.credits_used,
				'durationMs', r.duration_ms,
				'status', r.status,
				'errorMessage', r.error_message,
				'metadata', r.metadata,
				'createdAt', r.created_at,
				'amount', r.amount,
				'operation', r.operation
			) ORDER BY r.created_at DESC, r.id DESC), '[]') FROM recent r))
	WHERE usage_limits_given('user_id', usage_stats.user_id)
		AND (SELECT r.starts_at FROM range r) IS NOT NULL;
END;
COMMENT ON FUNCTION usage_stats IS
'A user''s use over the UTC dates, days in number, that end today: {daily: {date: {type: n}}, totals: {type: n}, recentEvents: the newest 100 events}. Outside 1 to 3,650 days: 22023.';

CREATE FUNCTION usage_top_users(
	usage_type text,
	days integer DEFAULT 30,
	max_rows integer DEFAULT 100,
	OUT user_id text,
	OUT total_usage bigint,
	OUT last_used timestamptz
) RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp ROWS 100
BEGIN ATOMIC
	WITH range AS MATERIALIZED (
		SELECT f.first_day::timestamp AT TIME ZONE 'UTC' AS starts_at,
			(f.first_day + usage_top_users.days)::timestamp AT TIME ZONE 'UTC' AS ends_at
		FROM usage_limits_first_day(usage_top_users.days, true) AS f (first_day)
	)
	SELECT c.user_id, sum(c.amount)::bigint,
		max(c.last_at) FILTER (WHERE c.events <> 0 OR c.amount <> 0)
	FROM usage_counters c
	WHERE c.usage_type = usage_top_users.usage_type
		AND c.bucket_start >= (SELECT r.starts_at FROM range r)
		AND c.bucket_start < (SELECT r.ends_at FROM range r)
		AND (SELECT r.starts_at FROM range r) IS NOT NULL
	GROUP BY c.user_id
	HAVING sum(c.amount) > 0
	ORDER BY 2 DESC, 1
	-- a condition would not be looked at beside one that is null
	LIMIT CASE WHEN usage_limits_given('usage_type', usage_top_users.usage_type)
		THEN usage_limits_max_rows(usage_top_users.max_rows) END;
END;
COMMENT ON FUNCTION usage_top_users IS
'Who used most of a type over the UTC dates, days in number, that end today; ties by user_id. Outside 1 to 3,650 days: 22023.';

CREATE FUNCTION usage_trends(
	days integer DEFAULT 30,
	OUT date date,
	OUT usage_type text,
	OUT total_count bigint,
	OUT unique_users bigint
) RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off ROWS 300
BEGIN ATOMIC
	-- compiling this takes longer than running it: it is planned for far more rows than there are
	WITH range AS MATERIALIZED (
		SELECT f.first_day FROM usage_limits_first_day(usage_trends.days, true) AS f (first_day)
	), summed AS MATERIALIZED (
		-- days whose sums are those of the counters that we see: day_sums.c says why
		SELECT d.usage_date, d.total, d.unique_users
		FROM usage_days d
		WHERE d.usage_date >= (SELECT r.first_day FROM range r)
			AND d.usage_date < (SELECT r.first_day FROM range r) + usage_trends.days
			AND d.unique_users IS NOT NULL
			AND NOT EXISTS (SELECT FROM usage_day_marks m WHERE m.usage_date = d.usage_date)
			AND NOT EXISTS (SELECT FROM usage_day_marks m WHERE m.usage_date = '-infinity')
	), spans AS (
		-- the other days, those in a row as one
		SELECT min(n.usage_date) AS first_day, count(*)::integer AS days
		FROM (
			SELECT r.first_day + g.day AS usage_date, g.day - row_number() OVER (ORDER BY g.day) AS span
			FROM range r CROSS JOIN generate_series(0, usage_trends.days - 1) AS g (day)
			WHERE NOT EXISTS (SELECT FROM summed s WHERE s.usage_date = r.first_day + g.day)
		) n
		GROUP BY n.span
	), sums AS (
		SELECT t.usage_date, t.usage_type, t.total AS count, t.unique_users AS users
		FROM summed s JOIN usage_day_sums t ON t.usage_date = s.usage_date
	UNION ALL
		SELECT s.usage_date, NULL, s.total, s.unique_users FROM summed s
	UNION ALL
		SELECT t.usage_date, t.usage_type, t.total::bigint, t.unique_users
		FROM spans p CROSS JOIN LATERAL usage_limits_sum_days(p.first_day, p.days) AS t
	), types AS (
		SELECT DISTINCT s.usage_type FROM sums s
		UNION SELECT NULL
	)
	SELECT r.first_day + g.day, t.usage_type, coalesce(s.count, 0), coalesce(s.users, 0)
	FROM range r
		CROSS JOIN generate_series(0, usage_trends.days - 1) AS g (day)
		CROSS JOIN types t
		LEFT JOIN sums s ON s.usage_date = r.first_day + g.day AND s.usage_type IS NOT DISTINCT FROM t.usage_type
	WHERE (SELECT r.first_day FROM range r) IS NOT NULL
	ORDER BY 1, 2 NULLS LAST;
END;
COMMENT ON FUNCTION usage_trends IS
'Use by UTC date: a row for every date and every type used in the range, also dates without use, and a row a date with a null type over all types. Days that usage_maintain() has summed are not added up again. Outside 1 to 3,650 days: 22023.';

CREATE FUNCTION usage_funnel(days integer DEFAULT 30) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	WITH range AS MATERIALIZED (
		SELECT f.first_day::timestamp AT TIME ZONE 'UTC' AS starts_at,
			(f.first_day + usage_funnel.days)::timestamp AT TIME ZONE 'UTC' AS ends_at
		FROM usage_limits_first_day(usage_funnel.days, true) AS f (first_day)
	), usage AS (
		SELECT c.usage_type, c.user_id
		FROM usage_counters c
		WHERE c.usage_type IN ('project_create', 'prompt', 'export')
			AND c.bucket_start >= (SELECT r.starts_at FROM range r)
			AND c.bucket_start < (SELECT r.ends_at FROM range r)
		GROUP BY 1, 2
		HAVING sum(c.events) > 0 OR sum(c.amount) <> 0
	)
	SELECT jsonb_build_object(
		'registered', usage_limits_count_users(),
		'createdProject', count(*) FILTER (WHERE u.usage_type = 'project_create'),
		'generatedScene', count(*) FILTER (WHERE u.usage_type = 'prompt'),
		'exportedVideo', count(*) FILTER (WHERE u.usage_type = 'export'))
	FROM usage u
	WHERE (SELECT r.starts_at FROM range r) IS NOT NULL;
END;
COMMENT ON FUNCTION usage_funnel IS
'How many users there are (usage_limits.users_table, else user_subscriptions) and how many of them created a project, generated a scene and exported a video over the UTC dates, days in number, that end today. Outside 1 to 3,650 days: 22023.';

CREATE FUNCTION usage_error_rates(
	days integer DEFAULT 7,
	min_events bigint DEFAULT 10,
	OUT event_type text,
	OUT event_subtype text,
	OUT total_events bigint,
	OUT failed_events bigint,
	OUT cancelled_events bigint,
	OUT error_rate numeric,
	OUT avg_duration_ms numeric
) RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp ROWS 50
BEGIN ATOMIC
	WITH range AS MATERIALIZED (
		SELECT f.first_day::timestamp AT TIME ZONE 'UTC' AS starts_at,
			(f.first_day + usage_error_rates.days)::timestamp AT TIME ZONE 'UTC' AS ends_at
		FROM usage_limits_first_day(usage_error_rates.days, true) AS f (first_day)
	)
	SELECT c.usage_type, nullif(c.event_subtype, ''),
		sum(c.events + c.failed_events + c.cancelled_events)::bigint,
		sum(c.failed_events)::bigint,
		sum(c.cancelled_events)::bigint,
		round(sum(c.failed_events) * 100 / nullif(sum(c.events + c.failed_events), 0), 2),
		round(nullif(sum(c.duration_ms), 0) / nullif(sum(c.events), 0), 2)
	FROM usage_counters c
	WHERE c.slot >= 0		-- the durations of members are in their own rows
		AND c.bucket_start >= (SELECT r.starts_at FROM range r)
		AND c.bucket_start < (SELECT r.ends_at FROM range r)
		AND (SELECT r.starts_at FROM range r) IS NOT NULL
		AND usage_limits_given('min_events', usage_error_rates.min_events)
	GROUP BY 1, 2
	HAVING sum(c.events + c.failed_events + c.cancelled_events) >= greatest(usage_error_rates.min_events, 1)
	ORDER BY 3 DESC, 1, 2 NULLS LAST;
END;
COMMENT ON FUNCTION usage_error_rates IS
'How often events fail, by type and subtype, where there were at least min_events: error_rate is failed ÷ (success + failed) in percent, cancelled events count in neither. avg_duration_ms is over successful events, of which those without a duration count as 0; null where none has any. Outside 1 to 3,650 days: 22023.';

CREATE FUNCTION usage_distribution(
	usage_type text,
	days integer DEFAULT 30,
	OUT tier text,
	OUT users bigint,
	OUT p50 bigint,
	OUT p90 bigint,
	OUT p99 bigint,
	OUT max bigint
) RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp ROWS 5
BEGIN ATOMIC
	WITH range AS MATERIALIZED (
		SELECT f.first_day::timestamp AT TIME ZONE 'UTC' AS starts_at,
			(f.first_day + usage_distribution.days)::timestamp AT TIME ZONE 'UTC' AS ends_at
		FROM usage_limits_first_day(usage_distribution.days, true) AS f (first_day)
	), usage AS (
		SELECT c.user_id, sum(c.amount)::bigint AS total
		FROM usage_counters c
		WHERE c.usage_type = usage_distribution.usage_type
			AND c.bucket_start >= (SELECT r.starts_at FROM range r)
			AND c.bucket_start < (SELECT r.ends_at FROM range r)
		GROUP BY c.user_id
		HAVING sum(c.amount) > 0
	)
	SELECT usage_limits_tier(s.tier, s.status, s.status_since, s.started_at, s.expires_at),
		count(*),
		percentile_disc(0.5) WITHIN GROUP (ORDER BY u.total),
		percentile_disc(0.9) WITHIN GROUP (ORDER BY u.total),
		percentile_disc(0.99) WITHIN GROUP (ORDER BY u.total),
		max(u.total)
	FROM usage u
		LEFT JOIN user_subscriptions s ON s.user_id = u.user_id
	WHERE (SELECT r.starts_at FROM range r) IS NOT NULL
		AND usage_limits_given('usage_type', usage_distribution.usage_type)
	GROUP BY 1
	ORDER BY 1;
END;
COMMENT ON FUNCTION usage_distribution IS
'How much of a type the users of each tier used in total over the UTC dates, days in number, that end today: percentiles (the smallest total that at least that share of the users does not exceed) and the largest. By the tier that counts now, users without use left out. Outside 1 to 3,650 days: 22023.';

CREATE FUNCTION usage_anomalies(
	days integer DEFAULT 28,
	threshold numeric DEFAULT 3.5,
	max_rows integer DEFAULT 100,
	OUT user_id text,
	OUT usage_type text,
	OUT tier text,
	OUT today bigint,
	OUT own_median numeric,
	OUT own_score numeric,
	OUT tier_median numeric,
	OUT tier_score numeric
) RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp ROWS 100
BEGIN ATOMIC
	WITH range AS MATERIALIZED (
		SELECT f.first_day + usage_anomalies.days - 1 AS today,
			(f.first_day - 1)::timestamp AT TIME ZONE 'UTC' AS starts_at,
			(f.first_day + usage_anomalies.days)::timestamp AT TIME ZONE 'UTC' AS ends_at
		FROM usage_limits_first_day(usage_anomalies.days, true) AS f (first_day)
	), usage AS (
		SELECT c.user_id, c.usage_type, (c.bucket_start AT TIME ZONE 'UTC')::date AS usage_date,
			sum(c.amount) AS total
		FROM usage_counters c
		WHERE c.bucket_start >= (SELECT r.starts_at FROM range r)
			AND c.bucket_start < (SELECT r.ends_at FROM range r)
		GROUP BY 1, 2, 3
	), today AS (
		SELECT u.user_id, u.usage_type, u.total,
			usage_limits_tier(s.tier, s.status, s.status_since, s.started_at, s.expires_at) AS tier
		FROM usage u
			LEFT JOIN user_subscriptions s ON s.user_id = u.user_id
		WHERE u.usage_date = (SELECT r.today FROM range r) AND u.total > 0
	), days AS (
		-- a date without use is a use of 0
		SELECT t.user_id, t.usage_type, coalesce(u.total, 0) AS total
		FROM today t
			CROSS JOIN generate_series(1, usage_anomalies.days) AS g (ago)
			LEFT JOIN usage u ON u.user_id = t.user_id AND u.usage_type = t.usage_type
				AND u.usage_date = (SELECT r.today FROM range r) - g.ago
	), own_middle AS (
		SELECT d.user_id, d.usage_type, percentile_cont(0.5) WITHIN GROUP (ORDER BY d.total)::numeric AS median
		FROM days d
		GROUP BY 1, 2
	), own AS (
		SELECT d.user_id, d.usage_type, m.median,
			percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(d.total - m.median))::numeric AS mad,
			avg(abs(d.total - m.median)) AS mean_deviation
		FROM days d
			JOIN own_middle m ON m.user_id = d.user_id AND m.usage_type = d.usage_type
		GROUP BY 1, 2, 3
	), tier_middle AS (
		SELECT t.tier, t.usage_type, percentile_cont(0.5) WITHIN GROUP (ORDER BY t.total)::numeric AS median
		FROM today t
		GROUP BY 1, 2
	), peers AS (
		SELECT t.tier, t.usage_type, m.median,
			percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(t.total - m.median))::numeric AS mad,
			avg(abs(t.total - m.median)) AS mean_deviation
		FROM today t
			JOIN tier_middle m ON m.tier = t.tier AND m.usage_type = t.usage_type
		GROUP BY 1, 2, 3
	), scores AS (
		SELECT t.user_id, t.usage_type, t.tier, t.total, o.median AS own_median, p.median AS tier_median,
			-- a spread of nothing: one unit, so that the score stays a number
			(t.total - o.median) / CASE WHEN o.mad > 0 THEN 1.4826 * o.mad
				ELSE greatest(1.2533 * o.mean_deviation, 1) END AS own_score,
			(t.total - p.median) / CASE WHEN p.mad > 0 THEN 1.4826 * p.mad
				ELSE greatest(1.2533 * p.mean_deviation, 1) END AS tier_score
		FROM today t
			JOIN own o ON o.user_id = t.user_id AND o.usage_type = t.usage_type
			JOIN peers p ON p.tier = t.tier AND p.usage_type = t.usage_type
	)
	SELECT s.user_id, s.usage_type, s.tier, s.total::bigint,
		round(s.own_median, 2), round(s.own_score, 2), round(s.tier_median, 2), round(s.tier_score, 2)
	FROM scores s
	WHERE s.own_score > usage_anomalies.threshold AND s.tier_score > usage_anomalies.threshold
		AND (SELECT r.today FROM range r) IS NOT NULL
	ORDER BY least(s.own_score, s.tier_score) DESC, 1, 2
	-- a condition would not be looked at beside one that is null
	LIMIT CASE WHEN usage_limits_given('threshold', usage_anomalies.threshold)
		THEN usage_limits_max_rows(usage_anomalies.max_rows) END;
END;
COMMENT ON FUNCTION usage_anomalies IS
'Users whose use today stands out both from their own use on the days before (dates without use count as 0) and from that of their tier''s users today. The score is the modified z-score of Iglewicz and Hoaglin (How to Detect and Handle Outliers, 1993): distance from the median in units of 1.4826 × the median absolute deviation, or 1.2533 × the mean absolute deviation where that is 0, at least one unit; above 3.5 is an outlier. Outside 1 to 3,650 days: 22023.';

CREATE FUNCTION usage_users(
	search text DEFAULT NULL,
	after text DEFAULT NULL,
	max_rows integer DEFAULT 50,
	OUT user_id text,
	OUT tier text,
	OUT status text,
	OUT last_used timestamptz
) RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp ROWS 50
BEGIN ATOMIC
	-- from one user to the next by index, never over the rows of one
	WITH RECURSIVE page (user_id, n) AS (
		SELECT (SELECT min(f.user_id) FROM (
				(SELECT c.user_id FROM usage_counters c
					WHERE c.user_id > coalesce(usage_users.after, '')
						AND c.user_id >= coalesce(usage_users.search, '')
					ORDER BY c.user_id LIMIT 1)
				UNION ALL
				(SELECT s.user_id FROM user_subscriptions s
					WHERE s.user_id > coalesce(usage_users.after, '')
						AND s.user_id >= coalesce(usage_users.search, '')
					ORDER BY s.user_id LIMIT 1)) f), 1
		UNION ALL
		SELECT (SELECT min(f.user_id) FROM (
				(SELECT c.user_id FROM usage_counters c
					WHERE c.user_id > p.user_id ORDER BY c.user_id LIMIT 1)
				UNION ALL
				(SELECT s.user_id FROM user_subscriptions s
					WHERE s.user_id > p.user_id ORDER BY s.user_id LIMIT 1)) f), p.n + 1
		FROM page p
		WHERE p.n < usage_limits_max_rows(usage_users.max_rows)
			AND starts_with(p.user_id, coalesce(usage_users.search, ''))
	)
	SELECT p.user_id,
		usage_limits_tier(s.tier, s.status, s.status_since, s.started_at, s.expires_at),
		s.status,
		(SELECT max(c.last_at) FROM usage_counters c
			WHERE c.user_id = p.user_id AND (c.events <> 0 OR c.amount <> 0))
	FROM page p
		LEFT JOIN user_subscriptions s ON s.user_id = p.user_id
	WHERE p.user_id IS NOT NULL AND starts_with(p.user_id, coalesce(usage_users.search, ''))
		AND p.n <= usage_limits_max_rows(usage_users.max_rows)
		AND usage_limits_max_rows(usage_users.max_rows) IS NOT NULL
	ORDER BY p.user_id;
END;
COMMENT ON FUNCTION usage_users IS
'A page of the users that have a subscription or usage, in the order of their ids: those that start with search, after the given one. The tier is the one that counts now.';
