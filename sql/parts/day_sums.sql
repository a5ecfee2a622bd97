-- What usage_trends needs of UTC days that are over, summed once.
--
-- No answer depends on these tables being filled.  They are not part of a dump:
-- transaction ids mean nothing in another server, and the sums come back by
-- themselves.

CREATE TABLE usage_days (
	usage_date date NOT NULL PRIMARY KEY,
	closed_xid xid8,
	total bigint,
	unique_users bigint
);
COMMENT ON TABLE usage_days IS 'UTC days that are over, for usage_trends; filled by usage_maintain() and not part of a dump. After usage_counters was written while its triggers were disabled, delete all rows: they come back.';
COMMENT ON COLUMN usage_days.usage_date IS 'The UTC date.';
COMMENT ON COLUMN usage_days.closed_xid IS 'The day can be summed once every transaction with a smaller id has ended; null while the day is being closed.';
COMMENT ON COLUMN usage_days.total IS 'Sum of the day''s amounts over all types; null while the day is not summed.';
COMMENT ON COLUMN usage_days.unique_users IS 'How many users used any type; null while the day is not summed.';

CREATE TABLE usage_day_sums (
	usage_date date NOT NULL,
	usage_type text COLLATE "C" NOT NULL,
	total bigint NOT NULL,
	unique_users bigint NOT NULL,
	PRIMARY KEY (usage_date, usage_type)
);
COMMENT ON TABLE usage_day_sums IS 'Sums by UTC date and type of the days that usage_days has summed.';
COMMENT ON COLUMN usage_day_sums.usage_date IS 'The UTC date.';
COMMENT ON COLUMN usage_day_sums.usage_type IS 'What is counted.';
COMMENT ON COLUMN usage_day_sums.total IS 'Sum of the day''s amounts, in the type''s unit.';
COMMENT ON COLUMN usage_day_sums.unique_users IS 'How many users used the type.';

CREATE TABLE usage_day_marks (
	usage_date date NOT NULL,
	mark_id bigint NOT NULL,
	PRIMARY KEY (usage_date, mark_id)
);
COMMENT ON TABLE usage_day_marks IS 'Days in usage_days whose counters a transaction wrote after they were over: whoever sees a mark adds the counters up anew. usage_maintain() sums the day again and removes the marks.';
COMMENT ON COLUMN usage_day_marks.usage_date IS 'The UTC date; -infinity for all.';
COMMENT ON COLUMN usage_day_marks.mark_id IS 'A random number, so that writers never wait for one another.';

-- The only definition of these sums: usage_trends and usage_maintain call it.
-- Both groupings of the last step come out of one pass over the users.
CREATE FUNCTION usage_limits_sum_days(
	first_day date,
	days integer,
	OUT usage_date date,
	OUT usage_type text,
	OUT total numeric,
	OUT unique_users bigint
) RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp ROWS 100
BEGIN ATOMIC
	SELECT g.usage_date, g.usage_type, sum(g.total),
		CASE WHEN g.of_type THEN sum(g.rows) ELSE count(*) END::bigint
	FROM (
		-- a row a type, and a row a user
		SELECT u.usage_date, u.usage_type, grouping(u.usage_type) = 0 AS of_type,
			sum(u.total) AS total, count(*) AS rows
		FROM (
			SELECT (c.bucket_start AT TIME ZONE 'UTC')::date AS usage_date, c.usage_type, c.user_id,
				sum(c.amount) AS total
			FROM usage_counters c
			WHERE c.bucket_start >= usage_limits_sum_days.first_day::timestamp AT TIME ZONE 'UTC'
				AND c.bucket_start < (usage_limits_sum_days.first_day + usage_limits_sum_days.days)::timestamp AT TIME ZONE 'UTC'
			GROUP BY 1, 2, 3
			HAVING sum(c.events) > 0 OR sum(c.amount) <> 0
		) u
		GROUP BY GROUPING SETS ((u.usage_date, u.usage_type), (u.usage_date, u.user_id))
	) g
	GROUP BY g.usage_date, g.usage_type, g.of_type;
END;
COMMENT ON FUNCTION usage_limits_sum_days IS
'Use by UTC date and type on a number of days, added up from usage_counters, with a row of a null type a date over all types; no row for what was not used.';
