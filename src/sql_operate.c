/*-------------------------------------------------------------------------
 *
 * sql_operate.c
 *		SQL functions for whoever installs and operates.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "alerts.h"
#include "args.h"
#include "compat.h"
#include "import.h"
#include "maintain.h"
#include "schema.h"
#include "store.h"

PG_FUNCTION_INFO_V1(usage_limits_before_install);
PG_FUNCTION_INFO_V1(usage_limits_version);
PG_FUNCTION_INFO_V1(usage_grant);
PG_FUNCTION_INFO_V1(usage_revoke);
PG_FUNCTION_INFO_V1(usage_maintain);
PG_FUNCTION_INFO_V1(usage_import);

/* Parts of usage_grant */
#define READER	0x01
#define APP		0x02
#define BILLING	0x04
#define ADMIN	0x08

/* Every function that somebody may call, and the parts that need it */
static const struct
{
	const char *name;
	int			parts;
}			functions[] = {
	{"credit_available", READER | APP | ADMIN},
	{"credit_balance", READER | APP | ADMIN},
	{"credit_grant", BILLING | ADMIN},
	{"credit_grants", READER | APP | ADMIN},
	{"credit_hold", APP | ADMIN},
	{"credit_refill", ADMIN},
	{"credit_refund", BILLING | ADMIN},
	{"credit_spend", APP | ADMIN},
	{"credit_statement", READER | APP | ADMIN},
	{"credit_void", BILLING | ADMIN},
	{"usage_adjust", ADMIN},
	{"usage_anomalies", READER | APP | ADMIN},
	{"usage_attach", ADMIN},
	{"usage_attachments", ADMIN},
	{"usage_check", READER | APP | ADMIN},
	{"usage_check_action", APP | ADMIN},
	{"usage_check_limit", READER | APP | ADMIN},
	{"usage_consume", APP | ADMIN},
	{"usage_consume_many", APP | ADMIN},
	{"usage_detach", ADMIN},
	{"usage_distribution", READER | APP | ADMIN},
	{"usage_doctor", ADMIN},
	{"usage_drift", ADMIN},
	{"usage_enforce", APP | ADMIN},
	{"usage_error_rates", READER | APP | ADMIN},
	{"usage_explain", READER | APP | ADMIN},
	{"usage_funnel", READER | APP | ADMIN},
	{"usage_grant", ADMIN},
	{"usage_hold", APP | ADMIN},
	{"usage_import", ADMIN},
	{"usage_headers", READER | APP | ADMIN},
	{"usage_install_defaults", ADMIN},
	/* the view usage_open_holds calls it */
	{"usage_limits_session_lives", ADMIN},
	/* the views usage_limits_stats and usage_limits_memory call them */
	{"usage_limits_entries", ADMIN},
	{"usage_limits_stat", ADMIN},
	{"usage_limits_stats_reset", ADMIN},
	{"usage_limits_version", READER | APP | ADMIN},
	{"usage_maintain", ADMIN},
	{"usage_now", READER | APP | ADMIN},
	{"usage_preview", READER | APP | ADMIN},
	{"usage_problem", READER | APP | ADMIN},
	{"usage_reconcile", ADMIN},
	{"usage_refund", ADMIN},
	{"usage_release", APP | ADMIN},
	{"usage_release_all", APP | ADMIN},
	{"usage_renew", APP | ADMIN},
	{"usage_repair", ADMIN},
	{"usage_reset", ADMIN},
	{"usage_revoke", ADMIN},
	{"usage_set_gauge", ADMIN},
	{"usage_set_limit", ADMIN},
	{"usage_set_member", BILLING | ADMIN},
	{"usage_set_override", BILLING | ADMIN},
	{"usage_set_tier", BILLING | ADMIN},
	{"usage_settle", APP | ADMIN},
	{"usage_stats", READER | APP | ADMIN},
	{"usage_status", READER | APP | ADMIN},
	{"usage_summary", READER | APP | ADMIN},
	{"usage_top_users", READER | APP | ADMIN},
	{"usage_track", APP | ADMIN},
	{"usage_trends", READER | APP | ADMIN},
	{"usage_users", READER | APP | ADMIN},
};

/* Tables that hold configuration, which the part admin may write */
static const char *const config_tables[] = {
	"usage_limits_config", "usage_limit_overrides", "usage_types", "usage_actions",
	"user_subscriptions", "usage_members", "usage_alerts", "credit_costs"
};

/* Tables that say what has happened, which the part admin may read */
static const char *const log_tables[] = {
	"usage_alert_log", "usage_config_log", "usage_denials", "usage_events", "usage_open_holds",
	"usage_limits_stats", "usage_limits_memory",
	"user_credits", "credit_grants", "credit_transactions", "credit_draws"
};

/* Tables and views whose names CREATE EXTENSION needs */
static const char *const relations[] = {
	"usage_limits_config", "usage_limit_overrides", "usage_types", "usage_actions",
	"usage_counters", "user_usage", "usage_events", "usage_events_default",
	"user_subscriptions", "usage_resets", "usage_idempotency", "usage_rates", "usage_holds",
	"usage_open_holds", "usage_members", "usage_limits_stats", "usage_limits_memory",
	"usage_alerts", "usage_alert_log", "usage_denials", "usage_config_log",
	"usage_days", "usage_day_sums", "usage_day_marks",
	"user_credits", "credit_grants", "credit_transactions", "credit_draws", "credit_costs"
};

/*
 * Called first by the install script: where a name is taken, says what to do
 * about it before anything is made.
 */
Datum
usage_limits_before_install(PG_FUNCTION_ARGS)
{
	List	   *path = fetch_search_path(false);
	Oid			namespace = linitial_oid(path);

	for (size_t i = 0; i < lengthof(relations); i++)
		if (OidIsValid(get_relname_relid(relations[i], namespace)))
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_TABLE),
					 errmsg("relation \"%s\" already exists in schema \"%s\"",
							relations[i], get_namespace_name(namespace)),
					 errhint("Install into a schema of its own, CREATE EXTENSION usage_limits SCHEMA usage, and take over existing tables with usage_import.")));
	if (strcmp(get_namespace_name(namespace), "public") == 0 && client_min_messages <= WARNING)
	{
		/*
		 * CREATE EXTENSION keeps its script's notices to itself; whoever asks
		 * for errors only gets none all the same.
		 */
		int			level = NewGUCNestLevel();

		(void) set_config_option("client_min_messages", "notice", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
		ereport(NOTICE,
				(errmsg("usage_limits is installed into schema \"public\""),
				 errdetail("Migration tools of ORMs may drop or report what they find there."),
				 errhint("CREATE SCHEMA usage; CREATE EXTENSION usage_limits SCHEMA usage;")));
		AtEOXact_GUC(true, level);
	}
	PG_RETURN_VOID();
}

Datum
usage_limits_version(PG_FUNCTION_ARGS)
{
	TupleDesc	tupdesc;
	Datum		values[2];
	bool		nulls[2] = {false, false};

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = CStringGetTextDatum(USAGE_LIMITS_VERSION);
	values[1] = CStringGetTextDatum(ul_extension_version());
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc), values, nulls));
}

/* The functions of some parts, as a list for GRANT. */
static char *
function_list(int parts)
{
	StringInfoData list;

	initStringInfo(&list);
	for (size_t i = 0; i < lengthof(functions); i++)
		if (functions[i].parts & parts)
			appendStringInfo(&list, "%s@.%s", list.len > 0 ? ", " : "", functions[i].name);
	return list.data;
}

/* Tables, as a list for GRANT. */
static char *
table_list(const char *const *tables, size_t count)
{
	StringInfoData list;

	initStringInfo(&list);
	for (size_t i = 0; i < count; i++)
		appendStringInfo(&list, "%s@.%s", i > 0 ? ", " : "", tables[i]);
	return list.data;
}

static const char *
arg_role(FunctionCallInfo fcinfo, Oid *role)
{
	const char *name = ul_arg_name(fcinfo, 0, "role");

	*role = get_role_oid(name, false);
	return quote_identifier(name);
}

Datum
usage_grant(PG_FUNCTION_ARGS)
{
	Oid			role_oid;
	const char *role = arg_role(fcinfo, &role_oid);
	const char *part = ul_arg_name(fcinfo, 1, "part");
	const UlSchema *schema = ul_schema();
	int			parts;

	if (strcmp(part, "reader") == 0)
		parts = READER;
	else if (strcmp(part, "app") == 0)
		parts = APP;
	else if (strcmp(part, "billing") == 0)
		parts = BILLING;
	else if (strcmp(part, "admin") == 0)
		parts = ADMIN;
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("part \"%s\" is not known", part),
				 errhint("Use one of reader, app, billing, admin.")));
	ul_prevent_read_only("usage_grant()");

	if (!ul_has_schema_usage(schema->namespace, role_oid))
		ul_execute_text(psprintf("GRANT USAGE ON SCHEMA %s TO %s", schema->quoted_name, role));
	ul_execute_text(psprintf("GRANT USAGE ON TYPE @.usage_decision, @.credit_decision TO %s", role));
	ul_execute_text(psprintf("GRANT EXECUTE ON FUNCTION %s TO %s", function_list(parts), role));
	if (parts == ADMIN)
	{
		ul_execute_text(psprintf("GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE %s TO %s",
								 table_list(config_tables, lengthof(config_tables)), role));
		ul_execute_text(psprintf("GRANT SELECT ON TABLE %s TO %s",
								 table_list(log_tables, lengthof(log_tables)), role));
	}
	PG_RETURN_VOID();
}

Datum
usage_revoke(PG_FUNCTION_ARGS)
{
	Oid			role_oid;
	const char *role = arg_role(fcinfo, &role_oid);

	ul_prevent_read_only("usage_revoke()");
	ul_execute_text(psprintf("REVOKE ALL ON FUNCTION %s FROM %s",
							 function_list(READER | APP | BILLING | ADMIN), role));
	ul_execute_text(psprintf("REVOKE ALL ON TABLE %s, %s FROM %s",
							 table_list(config_tables, lengthof(config_tables)),
							 table_list(log_tables, lengthof(log_tables)), role));
	ul_execute_text(psprintf("REVOKE ALL ON TYPE @.usage_decision, @.credit_decision FROM %s", role));
	ul_execute_text(psprintf("REVOKE USAGE ON SCHEMA %s FROM %s",
							 ul_schema()->quoted_name, role));
	PG_RETURN_VOID();
}

/* One row of (what, count). */
static void
put_count(ReturnSetInfo *rsinfo, const char *what, int64 count)
{
	Datum		values[2] = {CStringGetTextDatum(what), Int64GetDatum(count)};
	bool		nulls[2] = {false, false};

	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

Datum
usage_maintain(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	UlMaintenance done;
	int64		reported;

	ul_prevent_read_only("usage_maintain()");
	InitMaterializedSRF(fcinfo, 0);
	ul_maintain(&done);
	reported = ul_alert_missed();
	put_count(rsinfo, "days summed", done.days_summed);
	put_count(rsinfo, "partitions created", done.partitions_created);
	put_count(rsinfo, "events moved", done.events_moved);
	put_count(rsinfo, "rows folded", done.rows_folded);
	put_count(rsinfo, "idempotency keys forgotten", done.keys_forgotten);
	put_count(rsinfo, "holds forgotten", done.holds_forgotten);
	put_count(rsinfo, "rates forgotten", done.rates_forgotten);
	put_count(rsinfo, "events deleted", done.events_deleted);
	put_count(rsinfo, "counters flushed", done.counters_flushed);
	put_count(rsinfo, "rates flushed", done.rates_flushed);
	put_count(rsinfo, "denials flushed", done.denials_flushed);
	put_count(rsinfo, "alerts forgotten", done.alerts_forgotten);
	put_count(rsinfo, "alerts reported", reported);
	return (Datum) 0;
}

Datum
usage_import(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const char *from_schema = ul_arg_name(fcinfo, 0, "from_schema");
	UlImported	imported;

	ul_prevent_read_only("usage_import()");
	InitMaterializedSRF(fcinfo, 0);
	ul_import(from_schema, &imported);
	put_count(rsinfo, "limits", imported.limits);
	put_count(rsinfo, "limits skipped", imported.limits_skipped);
	put_count(rsinfo, "subscriptions", imported.subscriptions);
	put_count(rsinfo, "subscriptions skipped", imported.subscriptions_skipped);
	put_count(rsinfo, "usage rows", imported.usage_rows);
	put_count(rsinfo, "usage rows skipped", imported.usage_rows_skipped);
	put_count(rsinfo, "events", imported.events);
	put_count(rsinfo, "events skipped", imported.events_skipped);
	return (Datum) 0;
}
