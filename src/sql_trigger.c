/*-------------------------------------------------------------------------
 *
 * sql_trigger.c
 *		Triggers on our tables.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "costs.h"
#include "gate.h"
#include "guc.h"
#include "limits.h"
#include "scan.h"
#include "schema.h"
#include "store.h"
#include "tables.h"
#include "xact.h"

PG_FUNCTION_INFO_V1(usage_limits_config_complete);
PG_FUNCTION_INFO_V1(usage_limits_override_check);
PG_FUNCTION_INFO_V1(usage_limits_touch);
PG_FUNCTION_INFO_V1(usage_limits_changed);
PG_FUNCTION_INFO_V1(usage_limits_log_change);
PG_FUNCTION_INFO_V1(usage_limits_read_only);
PG_FUNCTION_INFO_V1(usage_limits_append_only);
PG_FUNCTION_INFO_V1(usage_limits_cost_check);
PG_FUNCTION_INFO_V1(usage_limits_member_check);

#define MAX_COLUMNS 32

/* The row that a BEFORE trigger looks at and changes */
typedef struct Row
{
	TupleDesc	tupdesc;
	Datum		values[MAX_COLUMNS];
	bool		nulls[MAX_COLUMNS];
	bool		changed[MAX_COLUMNS];
} Row;

static TriggerData *
trigger_data(FunctionCallInfo fcinfo)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function was not called by the trigger manager")));
	return (TriggerData *) fcinfo->context;
}

static bool
is_update(const TriggerData *trigger)
{
	return TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
}

static HeapTuple
new_tuple(const TriggerData *trigger)
{
	return is_update(trigger) ? trigger->tg_newtuple : trigger->tg_trigtuple;
}

static Row *
begin_row(const TriggerData *trigger)
{
	Row		   *row = palloc0(sizeof(Row));

	row->tupdesc = RelationGetDescr(trigger->tg_relation);
	if (row->tupdesc->natts > MAX_COLUMNS)
		elog(ERROR, "table \"%s\" has too many columns",
			 RelationGetRelationName(trigger->tg_relation));
	heap_deform_tuple(new_tuple(trigger), row->tupdesc, row->values, row->nulls);
	return row;
}

static Datum
end_row(const TriggerData *trigger, Row *row)
{
	return PointerGetDatum(heap_modify_tuple(new_tuple(trigger), row->tupdesc,
											 row->values, row->nulls, row->changed));
}

static char *
row_text(const Row *row, AttrNumber column)
{
	return row->nulls[column - 1] ? NULL : TextDatumGetCString(row->values[column - 1]);
}

static void
set_value(Row *row, AttrNumber column, Datum value, bool isnull)
{
	row->values[column - 1] = value;
	row->nulls[column - 1] = isnull;
	row->changed[column - 1] = true;
}

static void
set_text(Row *row, AttrNumber column, const char *value)
{
	set_value(row, column, CStringGetTextDatum(value), false);
}

static void
refuse_value(const char *what, const char *value, const char *limit_type, const char *choices)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s \"%s\" of limit \"%s\" is not valid", what, value, limit_type),
			 errhint("Use one of %s.", choices)));
}

/* The usage type that a limit's name says: "prompts_daily" counts "prompt". */
static char *
derive_usage_type(const char *limit_type)
{
	int			suffix;
	int			length = ul_base_name_length(limit_type, &suffix);
	char	   *base = pnstrdup(limit_type, length);

	if (strncmp(base, "concurrent_", strlen("concurrent_")) == 0)
		return base;
	if (strcmp(base, "projects") == 0)
		return "project_create";
	if (length > 1 && base[length - 1] == 's' && base[length - 2] != 's')
		base[length - 1] = '\0';
	return base;
}

/* The period that a limit's name says, or NULL for a lifetime. */
static const Interval *
derive_period(const char *limit_type)
{
	/* in the order of the suffixes in limits.c, of which the last is _total */
	static const Interval periods[] = {
		{USECS_PER_MINUTE, 0, 0},
		{USECS_PER_HOUR, 0, 0},
		{0, 1, 0},
		{0, 7, 0},
		{0, 0, 1},
		{0, 0, 12},
	};
	int			suffix;

	(void) ul_base_name_length(limit_type, &suffix);
	return suffix < 0 || suffix >= (int) lengthof(periods) ? NULL : &periods[suffix];
}

static void
refuse_period(const char *limit_type, const char *problem, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("period of limit \"%s\" is not valid", limit_type),
			 errdetail_internal("%s", problem),
			 hint != NULL ? errhint("%s", hint) : 0));
}

static void
complete_window(Row *row, const char *limit_type)
{
	const Interval *period = row->nulls[Anum_config_period - 1] ?
	NULL : DatumGetIntervalP(row->values[Anum_config_period - 1]);
	char	   *alignment = row_text(row, Anum_config_alignment);
	const char *kind = row_text(row, Anum_config_kind);
	bool		concurrency = strcmp(kind, "concurrency") == 0;
	bool		rate = strcmp(kind, "rate") == 0;
	UlAlignment aligned;
	UlPeriod	unused;
	const char *problem;

	if (period == NULL && !concurrency && (rate || alignment == NULL || strcmp(alignment, "none") != 0))
	{
		period = derive_period(limit_type);
		if (period != NULL)
			set_value(row, Anum_config_period, IntervalPGetDatum(period), false);
	}
	if (rate)
	{
		int64		length;

		/* it has no windows */
		set_text(row, Anum_config_alignment, "none");
		problem = ul_rate_period(period, &length);
		if (problem != NULL)
			refuse_period(limit_type, problem, NULL);
		return;
	}
	if (alignment == NULL)
	{
		const Interval *named = derive_period(limit_type);

		if (period == NULL)
			alignment = "none";
		else if (named != NULL && named->time != 0)
			alignment = "sliding";
		else
			alignment = "calendar";
		set_text(row, Anum_config_alignment, alignment);
	}

	if (strcmp(alignment, "none") == 0)
		aligned = UL_ALIGN_NONE;
	else if (strcmp(alignment, "calendar") == 0)
		aligned = UL_ALIGN_CALENDAR;
	else if (strcmp(alignment, "anniversary") == 0)
		aligned = UL_ALIGN_ANNIVERSARY;
	else if (strcmp(alignment, "sliding") == 0)
		aligned = UL_ALIGN_SLIDING;
	else
	{
		refuse_value("alignment", alignment, limit_type, "calendar, anniversary, sliding, none");
		return;					/* not reached */
	}
	problem = ul_period_init(&unused, aligned, period);
	if (problem != NULL)
		refuse_period(limit_type, problem, aligned == UL_ALIGN_CALENDAR ?
					  "Windows of other lengths can have alignment anniversary or sliding." : NULL);
}

/* What is not said is derived from the name, and the whole must make sense. */
static void
check_limit(Row *row, const char *limit_type)
{
	static const char *const kinds = "counter, gauge, concurrency, rate";
	static const AttrNumber tiers[] = {
		Anum_config_free_tier_limit, Anum_config_pro_tier_limit,
		Anum_config_team_tier_limit, Anum_config_enterprise_tier_limit
	};
	char	   *kind = row_text(row, Anum_config_kind);
	char	   *measure = row_text(row, Anum_config_measure);
	char	   *zone = row_text(row, Anum_config_time_zone);
	char	   *durability = row_text(row, Anum_config_durability);
	char	   *enforcement = row_text(row, Anum_config_enforcement);
	char	   *subtype = row_text(row, Anum_config_event_subtype);

	for (size_t i = 0; i < lengthof(tiers); i++)
		if (!row->nulls[tiers[i] - 1] && DatumGetInt64(row->values[tiers[i] - 1]) < -1)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("a limit's value must be -1 (unlimited), 0 (blocks) or more")));

	if (row->nulls[Anum_config_usage_type - 1])
		set_text(row, Anum_config_usage_type, derive_usage_type(limit_type));
	if (subtype != NULL && *subtype == '\0')
		set_value(row, Anum_config_event_subtype, (Datum) 0, true);

	if (kind == NULL)
	{
		bool		lifetime = row->nulls[Anum_config_period - 1] && derive_period(limit_type) == NULL;

		if (strncmp(limit_type, "concurrent_", strlen("concurrent_")) == 0)
			kind = "concurrency";
		else if (lifetime)
			kind = "gauge";
		else
			kind = "counter";
		set_text(row, Anum_config_kind, kind);
	}
	else if (ul_name_index(ul_kind_names, lengthof(ul_kind_names), kind) < 0)
		refuse_value("kind", kind, limit_type, kinds);

	complete_window(row, limit_type);
	if (strcmp(kind, "counter") != 0 && strcmp(row_text(row, Anum_config_alignment), "none") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("limit \"%s\" of kind %s cannot have a period", limit_type, kind)));

	/* null where the column is NOT NULL is refused by the column */
	if (measure != NULL && ul_name_index(ul_measure_names, UL_NMEASURES, measure) < 0)
		refuse_value("measure", measure, limit_type, "amount, tokens, credits, duration_ms");
	if (durability != NULL && strcmp(durability, "durable") != 0 && strcmp(durability, "relaxed") != 0)
		refuse_value("durability", durability, limit_type, "durable, relaxed");
	if (enforcement != NULL && strcmp(enforcement, "hard") != 0 &&
		strcmp(enforcement, "soft") != 0 && strcmp(enforcement, "shadow") != 0)
		refuse_value("enforcement", enforcement, limit_type, "hard, soft, shadow");
	if (zone != NULL && pg_tzset(zone) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" not recognized", zone)));
	if (!row->nulls[Anum_config_burst - 1] && DatumGetInt64(row->values[Anum_config_burst - 1]) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("burst of limit \"%s\" must be 1 or more", limit_type)));
}

Datum
usage_limits_config_complete(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_data(fcinfo);
	Row		   *row = begin_row(trigger);
	char	   *limit_type = row_text(row, Anum_config_limit_type);

	if (limit_type != NULL)
		check_limit(row, limit_type);
	if (is_update(trigger))
		set_value(row, Anum_config_updated_at, TimestampTzGetDatum(ul_now()), false);
	return end_row(trigger, row);
}

Datum
usage_limits_override_check(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_data(fcinfo);
	Row		   *row = begin_row(trigger);

	if (row->nulls[Anum_override_tier - 1] == row->nulls[Anum_override_user_id - 1])
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("exactly one of user_id and tier must be given")));
	if (!row->nulls[Anum_override_limit_value - 1] &&
		DatumGetInt64(row->values[Anum_override_limit_value - 1]) < -1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a limit's value must be -1 (unlimited), 0 (blocks) or more")));
	if (!row->nulls[Anum_override_starts_at - 1] && !row->nulls[Anum_override_expires_at - 1] &&
		DatumGetTimestampTz(row->values[Anum_override_starts_at - 1]) >=
		DatumGetTimestampTz(row->values[Anum_override_expires_at - 1]))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("an override must start before it expires")));
	return end_row(trigger, row);
}

/* status_since follows status, unless it is set by hand. */
static void
touch_subscription(const TriggerData *trigger, Row *row)
{
	char	   *zone = row_text(row, Anum_subscription_time_zone);
	Datum		now = TimestampTzGetDatum(ul_now());

	if (zone != NULL && pg_tzset(zone) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" not recognized", zone)));
	if (is_update(trigger))
	{
		bool		isnull;
		Datum		old = heap_getattr(trigger->tg_trigtuple, Anum_subscription_status,
									   row->tupdesc, &isnull);
		char	   *old_status = isnull ? "" : TextDatumGetCString(old);
		char	   *status = row_text(row, Anum_subscription_status);
		TimestampTz old_since;

		old = heap_getattr(trigger->tg_trigtuple, Anum_subscription_status_since,
						   row->tupdesc, &isnull);
		old_since = isnull ? DT_NOBEGIN : DatumGetTimestampTz(old);
		if (strcmp(old_status, status == NULL ? "" : status) != 0 &&
			(row->nulls[Anum_subscription_status_since - 1] ||
			 DatumGetTimestampTz(row->values[Anum_subscription_status_since - 1]) == old_since))
			set_value(row, Anum_subscription_status_since, now, false);
		set_value(row, Anum_subscription_updated_at, now, false);
	}
	else if (row->nulls[Anum_subscription_status_since - 1])
		set_value(row, Anum_subscription_status_since, now, false);
}

Datum
usage_limits_touch(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_data(fcinfo);
	Row		   *row = begin_row(trigger);

	if (RelationGetRelid(trigger->tg_relation) == ul_schema()->oid[UL_USER_SUBSCRIPTIONS])
		touch_subscription(trigger, row);
	else if (is_update(trigger))
		set_value(row, Anum_type_updated_at, TimestampTzGetDatum(ul_now()), false);
	return end_row(trigger, row);
}

/*
 * Counter and gauge limits of one usage type are durable or relaxed together;
 * what costs credits is durable.
 */
static void
check_durability(const TriggerData *trigger)
{
	HeapTuple	tuple = new_tuple(trigger);
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	UlArgs		args = {0};
	bool		isnull;
	Datum		other;
	Datum		kind = heap_getattr(tuple, Anum_config_kind, tupdesc, &isnull);

	if (strcmp(TextDatumGetCString(kind), "concurrency") == 0)
		return;
	ul_arg_datum(&args, heap_getattr(tuple, Anum_config_usage_type, tupdesc, &isnull), false);
	ul_arg_datum(&args, heap_getattr(tuple, Anum_config_durability, tupdesc, &isnull), false);
	other = ul_execute_value(UL_CHECK_DURABILITY, &args, &isnull);
	if (!isnull && strcmp(TextDatumGetCString(kind), "rate") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("limits of one usage type must share one durability"),
				 errdetail("Limit \"%s\" of usage type \"%s\" has another.",
						   TextDatumGetCString(other), TextDatumGetCString(args.value[0])),
				 errhint("usage_set_limit with a durability changes all of them.")));
	if (strcmp(TextDatumGetCString(args.value[1]), "relaxed") == 0 &&
		ul_type_has_costs(TextDatumGetCString(args.value[0])))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a limit on usage that costs credits cannot be relaxed"),
				 errdetail("Usage of \"%s\" costs credits.", TextDatumGetCString(args.value[0]))));
}

/* An override of a user's makes users stale, one of a tier's the configuration. */
static void
signal_override(const TriggerData *trigger, HeapTuple tuple)
{
	ul_send_signal(heap_attisnull(tuple, Anum_override_user_id,
								  RelationGetDescr(trigger->tg_relation)) ?
				   UL_SIGNAL_CONFIG : UL_SIGNAL_USERS);
}

Datum
usage_limits_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_data(fcinfo);
	Oid			relid = RelationGetRelid(trigger->tg_relation);
	const UlSchema *schema = ul_schema();
	bool		row = TRIGGER_FIRED_FOR_ROW(trigger->tg_event);

	ul_xact_mark_config();
	if (relid == schema->oid[UL_USAGE_LIMIT_OVERRIDES] && row)
	{
		signal_override(trigger, trigger->tg_trigtuple);
		if (is_update(trigger))
			signal_override(trigger, trigger->tg_newtuple);
	}
	else if (relid == schema->oid[UL_USAGE_LIMIT_OVERRIDES])
	{
		ul_send_signal(UL_SIGNAL_CONFIG);
		ul_send_signal(UL_SIGNAL_USERS);
	}
	else if (relid == schema->oid[UL_USER_SUBSCRIPTIONS] || relid == schema->oid[UL_USAGE_RESETS] ||
			 relid == schema->oid[UL_USAGE_MEMBERS])
		ul_send_signal(UL_SIGNAL_USERS);
	else
		ul_send_signal(UL_SIGNAL_CONFIG);

	if (relid == schema->oid[UL_USAGE_LIMITS_CONFIG] && row &&
		!TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		check_durability(trigger);
	return PointerGetDatum(NULL);
}

Datum
usage_limits_log_change(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_data(fcinfo);
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	bool		update = is_update(trigger);

	ul_log_change(RelationGetRelationName(trigger->tg_relation),
				  update ? "UPDATE" : "DELETE",
				  trigger->tg_relation->rd_rel->reltype,
				  heap_copy_tuple_as_datum(trigger->tg_trigtuple, tupdesc),
				  update ? heap_copy_tuple_as_datum(trigger->tg_newtuple, tupdesc) : (Datum) 0,
				  update);
	return PointerGetDatum(NULL);
}

Datum
usage_limits_read_only(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_data(fcinfo);

	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot write view \"%s\"", RelationGetRelationName(trigger->tg_relation)),
			 errhint("Usage is recorded by usage_track, and corrected by usage_adjust, usage_refund and usage_reset.")));
	return PointerGetDatum(NULL);
}

Datum
usage_limits_append_only(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_data(fcinfo);

	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("rows of \"%s\" cannot be changed or deleted",
					RelationGetRelationName(trigger->tg_relation)),
			 errhint("A spend is taken back by credit_refund, a grant by credit_void.")));
	return PointerGetDatum(NULL);
}

Datum
usage_limits_cost_check(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_data(fcinfo);
	Row		   *row = begin_row(trigger);
	char	   *usage_type = row_text(row, Anum_cost_usage_type);
	const UlType *type = usage_type == NULL ? NULL : ul_find_type(usage_type);

	if (type != NULL && type->relaxed)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("usage of \"%s\" cannot cost credits", usage_type),
				 errdetail("A limit of that type has durability relaxed.")));
	return end_row(trigger, row);
}

static bool
found_row(TupleTableSlot *slot, void *arg)
{
	*(bool *) arg = true;
	return false;
}

/* Whether usage_members has a row for a value of the index's first column. */
static bool
has_membership(UlTable index, const char *value)
{
	Snapshot	snapshot = ul_latest_snapshot(false);
	ScanKeyData key;
	bool		found = false;

	ul_key_text(&key, 1, value);
	ul_scan(UL_USAGE_MEMBERS, index, 1, &key, snapshot, found_row, &found);
	ul_release_snapshot(snapshot);
	return found;
}

Datum
usage_limits_member_check(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_data(fcinfo);
	Row		   *row = begin_row(trigger);
	const char *user_id = row_text(row, Anum_member_user_id);
	const char *account_id = row_text(row, Anum_member_account_id);

	if (strcmp(user_id, account_id) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a user cannot be a member of himself")));
	ul_gate_lock_membership(user_id, account_id);
	/* the statement's other rows are there too */
	CommandCounterIncrement();
	if (has_membership(UL_USAGE_MEMBERS_PKEY, account_id))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" cannot have members", account_id),
				 errdetail("It is a member of an account, and accounts do not nest.")));
	if (has_membership(UL_USAGE_MEMBERS_ACCOUNT_ID_IDX, user_id))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" cannot be a member of an account", user_id),
				 errdetail("It has members, and accounts do not nest.")));
	return PointerGetDatum(NULL);
}
