/*-------------------------------------------------------------------------
 *
 * store_attach.c
 *		SQL texts about attached tables.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "store.h"

const UlStatementText ul_attach_statements[UL_NSTATEMENTS] = {
	/* tables that have a trigger with a function */
	[UL_TABLES_OF_TRIGGER] = {
		"SELECT DISTINCT t.tgrelid FROM pg_trigger t WHERE t.tgfoid = $1 ORDER BY 1",
		1, {OIDOID}
	},
	/* what users have of a gauge, since its last reset */
	[UL_LEVELS_OF_TYPE] = {
		"SELECT c.user_id, sum(c.amount)::int8 FROM @.usage_counters c"
		" LEFT JOIN (SELECT r.user_id, max(r.reset_at) AS reset_at FROM @.usage_resets r"
		" WHERE r.usage_type = $1 GROUP BY r.user_id) l ON l.user_id = c.user_id"
		" WHERE c.usage_type = $1 AND (l.reset_at IS NULL OR c.bucket_start >= l.reset_at)"
		" GROUP BY c.user_id",
		1, {TEXTOID}
	},
};
