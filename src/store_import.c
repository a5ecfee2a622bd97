/*-------------------------------------------------------------------------
 *
 * store_import.c
 *		SQL texts that take over an application's tables.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "store.h"

const UlStatementText ul_import_statements[UL_NSTATEMENTS] = {
	[UL_IMPORT_DONE] = {
		"SELECT l.changed_at FROM @.usage_config_log l WHERE l.operation = 'IMPORT' AND l.table_name = $1",
		1, {TEXTOID}
	},
	[UL_IMPORT_MARK] = {
		"INSERT INTO @.usage_config_log (changed_by, table_name, operation) VALUES ($2, $1, 'IMPORT')",
		2, {TEXTOID, TEXTOID}
	},
	[UL_IMPORT_LIMIT] = {
		"INSERT INTO @.usage_limits_config (limit_type, free_tier_limit, pro_tier_limit, team_tier_limit,"
		" description, is_active, created_at, updated_at)"
		" VALUES ($1, $2, $3, $4, $5, $6, coalesce($7, @.usage_now()), coalesce($8, @.usage_now()))"
		" ON CONFLICT (limit_type) DO NOTHING",
		8, {TEXTOID, INT8OID, INT8OID, INT8OID, TEXTOID, BOOLOID, TIMESTAMPTZOID, TIMESTAMPTZOID}
	},
	[UL_IMPORT_SUBSCRIPTION] = {
		"INSERT INTO @.user_subscriptions (user_id, tier, stripe_customer_id, stripe_subscription_id,"
		" status, started_at, expires_at, metadata, created_at, updated_at)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, coalesce($9, @.usage_now()), coalesce($10, @.usage_now()))"
		" ON CONFLICT (user_id) DO NOTHING",
		10, {TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, JSONBOID,
		TIMESTAMPTZOID, TIMESTAMPTZOID}
	},
	[UL_IMPORT_COUNTER] = {
		"INSERT INTO @.usage_counters (" UL_COUNTER_COLUMNS ") " UL_COUNTER_VALUES
		" ON CONFLICT (user_id, usage_type, bucket_start, event_subtype, slot) DO NOTHING",
		UL_COUNTER_TYPES
	},
};
