/*-------------------------------------------------------------------------
 *
 * store_alerts.c
 *		SQL texts about thresholds.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "store.h"

const UlStatementText ul_alert_statements[UL_NSTATEMENTS] = {
	[UL_INSERT_ALERT] = {
		"INSERT INTO @.usage_alert_log (user_id, limit_type, alert_id, window_start, current, \"limit\","
		" created_at, window_end, threshold) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
		" ON CONFLICT DO NOTHING",
		9, {TEXTOID, TEXTOID, INT8OID, TIMESTAMPTZOID, INT8OID, INT8OID, TIMESTAMPTZOID,
		TIMESTAMPTZOID, INT8OID}
	},

	/*
	 * $1: reported before; $2: now.  What belongs to a window stays until
	 * that is over.
	 */
	[UL_FORGET_ALERTS] = {
		"DELETE FROM @.usage_alert_log l WHERE l.created_at < $1"
		" AND (l.window_end IS NULL OR l.window_end <= $2)",
		2, {TIMESTAMPTZOID, TIMESTAMPTZOID}
	},

	/*
	 * keys of types with limits that have alerts, used since $1, and when
	 * they last were
	 */
	[UL_KEYS_WITH_ALERTS] = {
		"SELECT c.user_id, c.usage_type, max(c.last_at) FROM @.usage_counters c"
		" WHERE c.last_at >= $1 AND c.usage_type IN (SELECT l.usage_type FROM @.usage_limits_config l"
		" JOIN @.usage_alerts a ON a.limit_type IS NULL OR a.limit_type = l.limit_type WHERE l.is_active)"
		" GROUP BY c.user_id, c.usage_type",
		1, {TIMESTAMPTZOID}
	},
};
