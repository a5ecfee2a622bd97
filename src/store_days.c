/*-------------------------------------------------------------------------
 *
 * store_days.c
 *		SQL texts about days that are over; see day_sums.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "store.h"

/* Days in a row that are summed at once: a bound for memory and temporary files */
#define DAYS_AT_ONCE "7"

const UlStatementText ul_day_statements[UL_NSTATEMENTS] = {
	[UL_MARK_DAY] = {
		"INSERT INTO @.usage_day_marks (usage_date, mark_id) VALUES ($1, $2)",
		2, {DATEOID, INT8OID}
	},
	/* $1: whether all changes of usage_counters are seen by our triggers */
	[UL_REOPEN_DAYS] = {
		"WITH gone AS (DELETE FROM @.usage_day_marks RETURNING usage_date)"
		" UPDATE @.usage_days d SET total = NULL, unique_users = NULL"
		" WHERE d.unique_users IS NOT NULL AND (d.usage_date = ANY (ARRAY(SELECT g.usage_date FROM gone g))"
		" OR EXISTS (SELECT FROM gone g WHERE g.usage_date = '-infinity') OR NOT $1)",
		1, {BOOLOID}
	},
	/* $1 to $2: the days that can be asked for */
	[UL_FORGET_DAYS] = {
		"DELETE FROM @.usage_days d WHERE d.usage_date < $1 OR d.usage_date > $2",
		2, {DATEOID, DATEOID}
	},
	[UL_CLOSE_DAYS] = {
		"INSERT INTO @.usage_days (usage_date)"
		" SELECT $1 + g.day FROM generate_series(0, $2 - $1) AS g (day)"
		" WHERE NOT EXISTS (SELECT FROM @.usage_days d WHERE d.usage_date = $1 + g.day)",
		2, {DATEOID, DATEOID}
	},
	[UL_SET_CLOSED_XID] = {
		"UPDATE @.usage_days d SET closed_xid = $1 WHERE d.closed_xid IS NULL",
		1, {XID8OID}
	},
	[UL_FORGET_DAY_SUMS] = {
		"DELETE FROM @.usage_day_sums s WHERE NOT EXISTS (SELECT FROM @.usage_days d"
		" WHERE d.usage_date = s.usage_date AND d.unique_users IS NOT NULL)",
		0, {0}
	},

	/*
	 * $1 as above.  Returns how many days had use.  The snapshot names the
	 * transactions that run and are older than its xmax, but not our own.
	 */
	[UL_SUM_DAYS] = {
		"WITH due AS MATERIALIZED (SELECT d.usage_date FROM @.usage_days d"
		" WHERE d.unique_users IS NULL AND $1 AND d.closed_xid < pg_snapshot_xmax(pg_current_snapshot())"
		" AND NOT EXISTS (SELECT FROM pg_snapshot_xip(pg_current_snapshot()) AS r (xid) WHERE r.xid < d.closed_xid)),"
		" used AS (SELECT DISTINCT (c.bucket_start AT TIME ZONE 'UTC')::date AS usage_date FROM @.usage_counters c"
		" WHERE c.bucket_start >= (SELECT min(u.usage_date) FROM due u)::timestamp AT TIME ZONE 'UTC'"
		" AND c.bucket_start < ((SELECT max(u.usage_date) FROM due u) + 1)::timestamp AT TIME ZONE 'UTC'),"
		" spans AS (SELECT min(n.usage_date) AS first_day, count(*)::int4 AS days"
		" FROM (SELECT u.usage_date, u.usage_date - row_number() OVER (ORDER BY u.usage_date)::int4 AS span"
		" FROM due u JOIN used c ON c.usage_date = u.usage_date) n"
		" GROUP BY n.span, (n.usage_date - '2000-01-01'::date) / " DAYS_AT_ONCE "),"
		/* a total that is too large for the answer stays an error of who asks */
		" sums AS MATERIALIZED (SELECT s.*, max(abs(s.total)) OVER (PARTITION BY s.usage_date) <= 9223372036854775807 AS fits"
		" FROM spans p"
		" CROSS JOIN LATERAL @.usage_limits_sum_days(p.first_day, p.days) s),"
		" kept AS (INSERT INTO @.usage_day_sums (usage_date, usage_type, total, unique_users)"
		" SELECT s.usage_date, s.usage_type, s.total, s.unique_users FROM sums s WHERE s.usage_type IS NOT NULL AND s.fits),"
		" summed AS (UPDATE @.usage_days d SET total = coalesce(s.total, 0), unique_users = coalesce(s.unique_users, 0)"
		" FROM due u LEFT JOIN sums s ON s.usage_date = u.usage_date AND s.usage_type IS NULL"
		" WHERE d.usage_date = u.usage_date AND s.fits IS NOT FALSE)"
		" SELECT count(*) FROM sums s WHERE s.usage_type IS NULL AND s.fits",
		1, {BOOLOID}
	},
};
