/*-------------------------------------------------------------------------
 *
 * store_config.c
 *		SQL texts about limits, overrides and subscriptions; see sql_config.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "store.h"

/* A limit's columns as parameters: what is given when it is set */
#define LIMIT_TYPES \
	16, {TEXTOID, INT8OID, INT8OID, INT8OID, INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, \
	INTERVALOID, TEXTOID, TEXTOID, INT8OID, TEXTOID, TEXTOID, TEXTOID}

const UlStatementText ul_config_statements[UL_NSTATEMENTS] = {
	[UL_LIMIT_EXISTS] = {
		"SELECT true FROM @.usage_limits_config c WHERE c.limit_type = $1",
		1, {TEXTOID}
	},
	/* $2 to $5: the tiers' values */
	[UL_UPDATE_LIMIT] = {
		"UPDATE @.usage_limits_config AS c SET"
		" free_tier_limit = coalesce($2, c.free_tier_limit),"
		" pro_tier_limit = coalesce($3, c.pro_tier_limit),"
		" team_tier_limit = coalesce($4, c.team_tier_limit),"
		" enterprise_tier_limit = coalesce($5, c.enterprise_tier_limit),"
		" usage_type = coalesce($6, c.usage_type),"
		" event_subtype = coalesce($7, c.event_subtype),"
		" measure = coalesce($8, c.measure),"
		" kind = coalesce($9, c.kind),"
		" period = CASE WHEN $11 = 'none' AND coalesce($9, c.kind) <> 'rate' THEN $10 ELSE coalesce($10, c.period) END,"
		" alignment = coalesce($11, CASE WHEN c.alignment = 'none' AND coalesce($10, c.period) IS NOT NULL"
		" THEN 'calendar' END, c.alignment),"
		" time_zone = coalesce($12, c.time_zone),"
		" burst = coalesce($13, c.burst),"
		" durability = coalesce($14, c.durability),"
		" enforcement = coalesce($15, c.enforcement),"
		" description = coalesce($16, c.description)"
		" WHERE c.limit_type = $1 RETURNING c",
		LIMIT_TYPES
	},
	[UL_INSERT_LIMIT] = {
		"INSERT INTO @.usage_limits_config AS c (limit_type, free_tier_limit, pro_tier_limit,"
		" team_tier_limit, enterprise_tier_limit, usage_type, event_subtype, measure, kind,"
		" period, alignment, time_zone, burst, durability, enforcement, description)"
		" VALUES ($1, coalesce($2, 0), coalesce($3, -1), coalesce($4, -1), coalesce($5, -1),"
		" $6, $7, coalesce($8, 'amount'), $9, $10, $11, coalesce($12, 'UTC'), $13,"
		" coalesce($14, 'durable'), coalesce($15, 'hard'), $16)"
		" ON CONFLICT (limit_type) DO NOTHING RETURNING c",
		LIMIT_TYPES
	},
	/* a limit of the type whose durability is another than $2 */
	[UL_CHECK_DURABILITY] = {
		"SELECT c.limit_type FROM @.usage_limits_config c"
		" WHERE c.usage_type = $1 AND c.durability <> $2 AND c.kind = ANY ('{counter,gauge}'::text[])"
		" LIMIT 1",
		2, {TEXTOID, TEXTOID}
	},
	[UL_SET_TYPE_DURABILITY] = {
		"UPDATE @.usage_limits_config AS c SET durability = $2"
		" WHERE c.usage_type = (SELECT l.usage_type FROM @.usage_limits_config l WHERE l.limit_type = $1)"
		" AND c.kind = ANY ('{counter,gauge}'::text[]) AND c.durability <> $2",
		2, {TEXTOID, TEXTOID}
	},
	[UL_UPDATE_TIER_OVERRIDE] = {
		"UPDATE @.usage_limit_overrides AS o SET limit_value = $3"
		" WHERE o.limit_type = $1 AND o.tier = $2 AND o.starts_at IS NULL AND o.expires_at IS NULL",
		3, {TEXTOID, TEXTOID, INT8OID}
	},
	[UL_INSERT_OVERRIDE] = {
		"INSERT INTO @.usage_limit_overrides AS o (limit_type, limit_value, user_id, tier, starts_at, expires_at, reason)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING o",
		7, {TEXTOID, INT8OID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID}
	},
	[UL_SET_TIER] = {
		"INSERT INTO @.user_subscriptions AS s (user_id, tier, status, started_at, expires_at, time_zone,"
		" anchor_at, stripe_customer_id, stripe_subscription_id, metadata, event_at)"
		" VALUES ($1, $2, $3, coalesce($4, @.usage_now()), $5, $6, $7, $8, $9, $10, $11)"
		" ON CONFLICT (user_id) DO UPDATE SET tier = excluded.tier, status = excluded.status,"
		" started_at = coalesce($4, s.started_at), expires_at = coalesce($5, s.expires_at),"
		" time_zone = coalesce($6, s.time_zone), anchor_at = coalesce($7, s.anchor_at),"
		" stripe_customer_id = coalesce($8, s.stripe_customer_id),"
		" stripe_subscription_id = coalesce($9, s.stripe_subscription_id),"
		" metadata = coalesce($10, s.metadata), event_at = coalesce($11, s.event_at)"
		" WHERE $11 IS NULL OR s.event_at IS NULL OR $11 >= s.event_at"
		" RETURNING s",
		11, {TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TIMESTAMPTZOID,
		TEXTOID, TEXTOID, JSONBOID, TIMESTAMPTZOID}
	},
	[UL_SET_MEMBER] = {
		"INSERT INTO @.usage_members AS m (user_id, account_id) VALUES ($1, $2)"
		" ON CONFLICT (user_id) DO UPDATE SET account_id = excluded.account_id,"
		" created_at = CASE WHEN m.account_id = excluded.account_id THEN m.created_at"
		" ELSE excluded.created_at END"
		" RETURNING m",
		2, {TEXTOID, TEXTOID}
	},
	[UL_REMOVE_MEMBER] = {
		"DELETE FROM @.usage_members m WHERE m.user_id = $1",
		1, {TEXTOID}
	},
	[UL_DEFAULT_LIMITS] = {
		"INSERT INTO @.usage_limits_config (limit_type, free_tier_limit, pro_tier_limit, description) VALUES"
		" ('prompts_daily', 10, 100, 'AI generation prompts per day'),"
		" ('exports_daily', 3, 20, 'Video exports per day'),"
		" ('exports_monthly', 10, 200, 'Video exports per month'),"
		" ('projects_total', 5, -1, 'Total projects allowed'),"
		" ('storage_mb', 500, 10000, 'Storage limit in MB'),"
		" ('concurrent_renders', 1, 3, 'Simultaneous video renders'),"
		" ('api_calls_hourly', 60, 600, 'API calls per hour'),"
		" ('web_agent_daily', 5, 50, 'Web agent searches per day')"
		" ON CONFLICT (limit_type) DO NOTHING",
		0, {0}
	},
	[UL_DEFAULT_ACTIONS] = {
		"INSERT INTO @.usage_actions (action, usage_type) VALUES"
		" ('generate_scene', 'prompt'), ('export_video', 'export'), ('create_project', 'project_create'),"
		" ('web_search', 'web_agent'), ('api_call', 'api_call')"
		" ON CONFLICT (action) DO NOTHING",
		0, {0}
	},
};
