/*-------------------------------------------------------------------------
 *
 * import.c
 *		Taking over what an application has in tables of its own.
 *
 * The tables are read under the caller's rights; only values reach our own
 * statements.  Timestamps without a zone are taken in the session's zone.
 *
 * A day's number comes from user_usage.  Events say how it divides into
 * subtypes; what they do not explain goes to no subtype, so that the day's
 * sum stays what it was.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "common/pg_prng.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "amounts.h"
#include "gate.h"
#include "import.h"
#include "schema.h"
#include "store.h"

static bool
is_name(const bool *nulls, const Datum *values, int column, int max_characters)
{
	char	   *name;

	if (nulls[column])
		return false;
	name = TextDatumGetCString(values[column]);
	return *name != '\0' && pg_mbstrlen(name) <= max_characters && strlen(name) <= 255;
}

/* A bucket or an event has its place in time. */
static bool
is_finite(const bool *nulls, const Datum *values, int column)
{
	return !nulls[column] && !TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(values[column]));
}

static void
pass_column(UlArgs *args, const Datum *values, const bool *nulls, int column)
{
	ul_arg_datum(args, values[column], nulls[column]);
}

static void
import_limit(const Datum *values, const bool *nulls, void *arg)
{
	UlImported *imported = arg;
	UlArgs		args = {0};
	bool		valid = is_name(nulls, values, 0, 50);

	for (int i = 1; i <= 3; i++)
		valid = valid && !nulls[i] && DatumGetInt64(values[i]) >= -1;
	for (int i = 0; i <= 7; i++)
		pass_column(&args, values, nulls, i);
	if (valid && ul_execute(UL_IMPORT_LIMIT, &args) > 0)
		imported->limits++;
	else
		imported->limits_skipped++;
}

static void
import_subscription(const Datum *values, const bool *nulls, void *arg)
{
	UlImported *imported = arg;
	UlArgs		args = {0};

	for (int i = 0; i <= 9; i++)
		pass_column(&args, values, nulls, i);
	if (is_name(nulls, values, 0, 255) && !nulls[1] && ul_execute(UL_IMPORT_SUBSCRIPTION, &args) > 0)
		imported->subscriptions++;
	else
		imported->subscriptions_skipped++;
}

/* Columns as usage_counters has them, less the slot. */
static void
import_usage(const Datum *values, const bool *nulls, void *arg)
{
	UlImported *imported = arg;
	UlArgs		args = {0};
	int64		slot = 0;

	if (!is_name(nulls, values, 0, 255) || !is_name(nulls, values, 1, 50) ||
		!is_finite(nulls, values, 2))
	{
		imported->usage_rows_skipped++;
		return;
	}
	for (int i = 0; i <= 3; i++)
		pass_column(&args, values, nulls, i);
	ul_arg_int8(&args, slot);
	for (int i = 4; i <= 12; i++)
		pass_column(&args, values, nulls, i);

	ul_arg_int8(&args, 0);		/* its members' share */

	/* where there is a row already, a slot of our own is added to it */
	while (ul_execute(UL_IMPORT_COUNTER, &args) == 0)
	{
		slot = 1 + (int64) (pg_prng_uint64(&pg_global_prng_state) >> 2);
		args.value[4] = Int64GetDatum(slot);
	}
	imported->usage_rows++;
}

static void
import_event(const Datum *values, const bool *nulls, void *arg)
{
	UlImported *imported = arg;
	char	   *status = nulls[8] ? "success" : TextDatumGetCString(values[8]);
	int64		numbers[3];
	TimestampTz bucket_start;
	UlEventRow	event;

	if (!is_name(nulls, values, 0, 255) || !is_name(nulls, values, 1, 50) ||
		!is_finite(nulls, values, 11) ||
		(strcmp(status, "success") != 0 && strcmp(status, "failed") != 0 &&
		 strcmp(status, "cancelled") != 0))
	{
		imported->events_skipped++;
		return;
	}
	for (int i = 0; i < 3; i++)
		numbers[i] = nulls[5 + i] ? 0 : DatumGetInt64(values[5 + i]);
	bucket_start = nulls[12] ? DT_NOBEGIN : DatumGetTimestampTz(values[12]);
	event = (UlEventRow)
	{
		.user_id = TextDatumGetCString(values[0]),
			.event_type = TextDatumGetCString(values[1]),
			.event_subtype = nulls[2] ? NULL : TextDatumGetCString(values[2]),
			.project_id = nulls[3] ? NULL : DatumGetUUIDP(values[3]),
			.scene_id = nulls[4] ? NULL : DatumGetUUIDP(values[4]),
			.tokens_used = nulls[5] ? NULL : &numbers[0],
			.credits_used = nulls[6] ? NULL : &numbers[1],
			.duration_ms = nulls[7] ? NULL : &numbers[2],
			.status = status,
			.error_message = nulls[9] ? NULL : TextDatumGetCString(values[9]),
			.metadata = nulls[10] ? NULL : DatumGetJsonbP(values[10]),
			.created_at = DatumGetTimestampTz(values[11]),
			.amount = 1,
			.operation = "use",
			.bucket_start = strcmp(status, "success") == 0 ? &bucket_start : NULL,
	};
	(void) ul_write_event(&event);
	imported->events++;
}

/*
 * The counter rows that daily usage and events make, of whichever there are.
 * Events that are not taken count for nothing here.
 */
static char *
usage_query(const char *schema, bool has_usage, bool has_events)
{
	const char *events =
	"SELECT v.user_id, v.usage_type, v.event_subtype, (v.created_at AT TIME ZONE 'UTC')::date AS usage_date,"
	" count(*) FILTER (WHERE v.status = 'success') AS events,"
	" count(*) FILTER (WHERE v.status = 'failed') AS failed_events,"
	" count(*) FILTER (WHERE v.status = 'cancelled') AS cancelled_events,"
	" coalesce(sum(v.tokens_used) FILTER (WHERE v.status = 'success'), 0)::int8 AS tokens_used,"
	" coalesce(sum(v.credits_used) FILTER (WHERE v.status = 'success'), 0)::int8 AS credits_used,"
	" coalesce(sum(v.duration_ms) FILTER (WHERE v.status = 'success'), 0)::int8 AS duration_ms,"
	" coalesce(min(v.created_at) FILTER (WHERE v.status = 'success'), min(v.created_at)) AS first_at,"
	" coalesce(max(v.created_at) FILTER (WHERE v.status = 'success'), max(v.created_at)) AS last_at"
	" FROM (SELECT e.user_id::text AS user_id, e.event_type::text AS usage_type,"
	" coalesce(e.event_subtype::text, '') AS event_subtype, coalesce(e.status::text, 'success') AS status,"
	" e.created_at::timestamptz AS created_at, e.tokens_used::int8 AS tokens_used,"
	" e.credits_used::int8 AS credits_used, e.duration_ms::int8 AS duration_ms"
	" FROM %s.usage_events e) v"
	" WHERE isfinite(v.created_at) AND v.status = ANY ('{success,failed,cancelled}'::text[])"
	" GROUP BY 1, 2, 3, 4";
	const char *no_events =
	"SELECT NULL::text AS user_id, NULL::text AS usage_type, NULL::text AS event_subtype,"
	" NULL::date AS usage_date, 0::int8 AS events, 0::int8 AS failed_events,"
	" 0::int8 AS cancelled_events, 0::int8 AS tokens_used, 0::int8 AS credits_used,"
	" 0::int8 AS duration_ms, NULL::timestamptz AS first_at, NULL::timestamptz AS last_at WHERE false";
	const char *usage =
	"SELECT u.user_id::text, u.usage_type::text, u.usage_date::date, sum(u.count)::int8 AS amount"
	" FROM %s.user_usage u GROUP BY 1, 2, 3";
	const char *no_usage =
	"SELECT NULL::text AS user_id, NULL::text AS usage_type, NULL::date AS usage_date,"
	" NULL::int8 AS amount WHERE false";

	return psprintf("WITH e AS (%s), u AS (%s),"
					" rest AS (SELECT u.user_id, u.usage_type, u.usage_date,"
					" u.amount - coalesce((SELECT sum(e.events) FROM e WHERE e.user_id = u.user_id"
					" AND e.usage_type = u.usage_type AND e.usage_date = u.usage_date), 0) AS amount FROM u),"
					" parts AS (SELECT e.user_id, e.usage_type, e.usage_date, e.event_subtype, e.events AS amount,"
					" e.tokens_used, e.credits_used, e.duration_ms, e.events, e.failed_events, e.cancelled_events,"
					" e.first_at, e.last_at FROM e"
					" UNION ALL SELECT r.user_id, r.usage_type, r.usage_date, '', r.amount,"
					" 0, 0, 0, 0, 0, 0, NULL, NULL"
					" FROM rest r WHERE r.amount <> 0),"
					" rows AS (SELECT p.user_id, p.usage_type, p.usage_date::timestamp AT TIME ZONE 'UTC' AS bucket_start,"
					" p.event_subtype, sum(p.amount)::int8 AS amount, sum(p.tokens_used)::int8 AS tokens_used,"
					" sum(p.credits_used)::int8 AS credits_used, sum(p.duration_ms)::int8 AS duration_ms,"
					" sum(p.events)::int8 AS events, sum(p.failed_events)::int8 AS failed_events,"
					" sum(p.cancelled_events)::int8 AS cancelled_events,"
					" min(p.first_at) AS first_at, max(p.last_at) AS last_at"
					" FROM parts p GROUP BY p.user_id, p.usage_type, p.usage_date, p.event_subtype)"
					" SELECT r.user_id, r.usage_type, r.bucket_start, r.event_subtype, r.amount,"
					" r.tokens_used, r.credits_used, r.duration_ms, r.events, r.failed_events, r.cancelled_events,"
	/* uses without an event have no time but their day */
					" CASE WHEN r.amount <> 0 AND r.events = 0 THEN r.bucket_start ELSE r.first_at END,"
					" CASE WHEN r.amount <> 0 AND r.events = 0 THEN r.bucket_start ELSE r.last_at END"
					" FROM rows r WHERE r.amount <> 0 OR r.events + r.failed_events + r.cancelled_events > 0",
					has_events ? psprintf(events, schema) : no_events,
					has_usage ? psprintf(usage, schema) : no_usage);
}

void
ul_import(const char *from_schema, UlImported *imported)
{
	Oid			namespace = get_namespace_oid(from_schema, false);
	const char *schema = quote_identifier(from_schema);
	bool		has_limits = OidIsValid(get_relname_relid("usage_limits_config", namespace));
	bool		has_subscriptions = OidIsValid(get_relname_relid("user_subscriptions", namespace));
	bool		has_usage = OidIsValid(get_relname_relid("user_usage", namespace));
	bool		has_events = OidIsValid(get_relname_relid("usage_events", namespace));
	UlArgs		done = {0};
	UlArgs		mark = {0};
	bool		isnull;

	memset(imported, 0, sizeof(*imported));
	if (namespace == ul_schema()->namespace)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("schema \"%s\" is the extension's own", from_schema)));
	if (!has_limits && !has_subscriptions && !has_usage && !has_events)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("schema \"%s\" has none of the tables to import", from_schema),
				 errdetail("These are usage_limits_config, user_subscriptions, user_usage and usage_events.")));

	/* one import at a time, and each schema once */
	ul_gate_lock_request("", "usage_import");
	ul_arg_text(&done, from_schema);
	(void) ul_execute_value(UL_IMPORT_DONE, &done, &isnull);
	if (!isnull)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("schema \"%s\" was imported before", from_schema)));

	if (has_limits)
		ul_query_as_caller(psprintf("SELECT c.limit_type::text, c.free_tier_limit::int8, c.pro_tier_limit::int8,"
									" c.team_tier_limit::int8, c.description::text, c.is_active IS TRUE,"
									" c.created_at::timestamptz, c.updated_at::timestamptz"
									" FROM %s.usage_limits_config c ORDER BY 1", schema),
						   import_limit, imported);
	if (has_subscriptions)
		ul_query_as_caller(psprintf("SELECT s.user_id::text, s.tier::text, s.stripe_customer_id::text,"
									" s.stripe_subscription_id::text, s.status::text, s.started_at::timestamptz,"
									" s.expires_at::timestamptz, s.metadata::jsonb, s.created_at::timestamptz,"
									" s.updated_at::timestamptz"
									" FROM %s.user_subscriptions s", schema),
						   import_subscription, imported);
	if (has_usage || has_events)
		ul_query_as_caller(usage_query(schema, has_usage, has_events), import_usage, imported);
	if (has_events)
		ul_query_as_caller(psprintf("SELECT e.user_id::text, e.event_type::text, nullif(e.event_subtype::text, ''),"
									" e.project_id::uuid, e.scene_id::uuid, e.tokens_used::int8, e.credits_used::int8,"
									" e.duration_ms::int8, e.status::text, e.error_message::text, e.metadata::jsonb,"
									" e.created_at::timestamptz,"
									" date_trunc('day', e.created_at::timestamptz AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'"
									" FROM %s.usage_events e ORDER BY e.created_at, e.id", schema),
						   import_event, imported);

	ul_arg_text(&mark, from_schema);
	ul_arg_text(&mark, GetUserNameFromId(GetOuterUserId(), true));
	ul_execute(UL_IMPORT_MARK, &mark);
}
