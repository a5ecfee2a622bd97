-- What a limit would have denied with another value.

CREATE FUNCTION usage_limits_previewed(
	limit_type text,
	new_value bigint,
	tier text,
	OUT usage_type text,
	OUT event_subtype text,
	OUT measure text,
	OUT source text
) RETURNS record AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_limits_previewed IS
'What usage_preview has to look at for a limit; refuses what it cannot do.';

CREATE FUNCTION usage_limits_replay(
	limit_type text,
	new_value bigint,
	tier text,
	user_id text,
	starts_at timestamptz,
	at timestamptz[],
	bucket_start timestamptz[],
	amount bigint[],
	requests bigint[],
	OUT would_deny bigint,
	OUT first_at timestamptz
) RETURNS record AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_limits_replay IS
'How many of a user''s requests a limit would have denied with another value, and when first; null for a user whom the value would not concern.';

CREATE FUNCTION usage_preview(
	limit_type text,
	new_value bigint,
	tier text DEFAULT NULL,
	days integer DEFAULT 7,
	OUT user_id text,
	OUT usage_type text,
	OUT would_deny bigint,
	OUT first_at timestamptz,
	OUT source text
) RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp ROWS 100
BEGIN ATOMIC
	WITH range AS MATERIALIZED (
		SELECT f.first_day::timestamp AT TIME ZONE 'UTC' AS starts_at,
			(f.first_day + usage_preview.days)::timestamp AT TIME ZONE 'UTC' AS ends_at
		FROM usage_limits_first_day(usage_preview.days, true) AS f (first_day)
	), previewed AS MATERIALIZED (
		SELECT p.usage_type, p.event_subtype, p.measure, p.source, r.starts_at, r.ends_at
		FROM usage_limits_previewed(usage_preview.limit_type, usage_preview.new_value, usage_preview.tier) AS p,
			range r
	), past AS (
		-- who uses tokens of amount 0 says what has been used, and does not ask
		SELECT s.user_id, e.created_at AS at, e.id, coalesce(s.bucket_start, e.created_at) AS bucket_start,
			CASE p.measure WHEN 'amount' THEN e.amount WHEN 'tokens' THEN e.tokens_used
				WHEN 'credits' THEN e.credits_used ELSE e.duration_ms END AS amount,
			CASE WHEN e.operation IN ('use', 'settle') AND e.amount > 0 THEN 1 ELSE 0 END::bigint AS requests
		FROM previewed p, usage_events e
			-- a member's use is his account's as well
			CROSS JOIN LATERAL (VALUES (e.user_id, e.bucket_start), (e.account_id, e.account_bucket_start))
				AS s (user_id, bucket_start)
		WHERE p.source = 'events' AND s.user_id IS NOT NULL AND e.event_type = p.usage_type AND e.status = 'success'
			AND e.created_at >= (SELECT q.starts_at FROM previewed q)
			AND e.created_at < (SELECT q.ends_at FROM previewed q)
			AND (p.event_subtype IS NULL OR e.event_subtype = p.event_subtype)
	UNION ALL
		SELECT c.user_id, c.bucket_start, 0, c.bucket_start,
			sum(CASE p.measure WHEN 'amount' THEN c.amount + c.member_amount WHEN 'tokens' THEN c.tokens_used
				WHEN 'credits' THEN c.credits_used ELSE c.duration_ms END)::bigint,
			(sum(c.events) + count(*) FILTER (WHERE c.member_amount > 0))::bigint
		FROM previewed p, usage_counters c
		WHERE p.source = 'counters' AND c.usage_type = p.usage_type
			AND c.bucket_start >= (SELECT q.starts_at FROM previewed q)
			AND c.bucket_start < (SELECT q.ends_at FROM previewed q)
			AND (p.event_subtype IS NULL OR c.event_subtype = p.event_subtype)
		GROUP BY c.user_id, c.bucket_start
	), users AS (
		SELECT t.user_id,
			array_agg(t.at ORDER BY t.at, t.id) AS at,
			array_agg(t.bucket_start ORDER BY t.at, t.id) AS bucket_start,
			array_agg(coalesce(t.amount, 0) ORDER BY t.at, t.id) AS amount,
			array_agg(t.requests ORDER BY t.at, t.id) AS requests
		FROM past t
		GROUP BY t.user_id
	)
	SELECT u.user_id, p.usage_type, r.would_deny, r.first_at, p.source
	FROM previewed p
		CROSS JOIN users u
		CROSS JOIN LATERAL usage_limits_replay(usage_preview.limit_type, usage_preview.new_value, usage_preview.tier,
			u.user_id, p.starts_at, u.at, u.bucket_start, u.amount, u.requests) AS r
	WHERE r.would_deny > 0
	ORDER BY 3 DESC, 4, 1;
END;
COMMENT ON FUNCTION usage_preview IS
'Who would have been denied, how often and when first, had a limit had new_value for a tier (null: for everybody) over the UTC dates, days in number, that end today. Users with an override of their own are left out, and tiers are those of now. What would have been denied is not counted as used. source says where it is from: events, or, where the type logs none, counters, whose requests are taken as of one size, and the uses of an account''s members on a day as one. No active limit of that name, or no such tier: 42704; a concurrency limit: 0A000; new_value below -1, or days outside 1 to 3,650: 22023.';
