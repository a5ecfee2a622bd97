/*-------------------------------------------------------------------------
 *
 * sql_gate.c
 *		SQL functions that show what the shared gate does and holds.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "gate.h"
#include "gate_report.h"
#include "guc.h"
#include "limits.h"
#include "schema.h"

PG_FUNCTION_INFO_V1(usage_limits_stat);
PG_FUNCTION_INFO_V1(usage_limits_stats_reset);
PG_FUNCTION_INFO_V1(usage_limits_entries);

static const char *const entry_states[] = {"free", "cold", "loading", "loaded"};
static const char *const record_states[] = {"open", "committed", "prepared"};

/* How long the uses that were counted first of those in no table wait. */
static Datum
flush_lag(TimestampTz now)
{
	UlDatabase	databases[UL_MAX_DATABASES];
	int			count = ul_list_databases(databases);
	Interval   *lag = palloc0(sizeof(Interval));

	for (int i = 0; i < count; i++)
	{
		/* who has no worker may have called usage_maintain */
		if (databases[i].dirty &&
			(databases[i].database != MyDatabaseId ||
			 ul_next_dirty(0, ul_schema()->oid[UL_USAGE_COUNTERS]) != 0))
			lag->time = Max(lag->time, now - databases[i].dirty_since);
		if (databases[i].flushing_since != 0)
			lag->time = Max(lag->time, now - databases[i].flushing_since);
	}
	return IntervalPGetDatum(lag);
}

Datum
usage_limits_stat(PG_FUNCTION_ARGS)
{
	enum
	{
		FLUSH_LAG = UL_NSTATS, ENTRIES_USED, ENTRIES_MAX, NODES_USED, NODES_MAX, MEMORY_BYTES,
		STATS_RESET, NCOLUMNS
	};
	TupleDesc	tupdesc;
	Datum		values[NCOLUMNS] = {0};
	bool		nulls[NCOLUMNS] = {0};
	int			entries;
	int			nodes;
	int			max_nodes;

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	Assert(tupdesc->natts == NCOLUMNS);
	if (ul_shmem_exists())
	{
		ul_shmem_usage(&entries, &nodes, &max_nodes);
		for (int stat = 0; stat < UL_NSTATS; stat++)
			values[stat] = Int64GetDatum(ul_stat_sum(stat));
		values[FLUSH_LAG] = flush_lag(GetCurrentTimestamp());
		values[ENTRIES_USED] = Int64GetDatum(entries);
		values[ENTRIES_MAX] = Int64GetDatum(ul_max_counters);
		values[NODES_USED] = Int64GetDatum(nodes);
		values[NODES_MAX] = Int64GetDatum(max_nodes);
		values[MEMORY_BYTES] = Int64GetDatum(ul_shmem_size(ul_max_counters));
		values[STATS_RESET] = TimestampTzGetDatum(ul_stats_reset_at());
	}
	else
		memset(nulls, true, sizeof(nulls));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc), values, nulls)));
}

Datum
usage_limits_stats_reset(PG_FUNCTION_ARGS)
{
	if (!ul_shmem_exists())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("usage_limits is not preloaded"),
				 errhint("Add usage_limits to shared_preload_libraries and restart.")));
	ul_stats_reset(GetCurrentTimestamp());
	PG_RETURN_VOID();
}

/* A row of usage_limits_memory: a sum, if it is known, and one reservation in it. */
static void
put_entry_row(ReturnSetInfo *rsinfo, const UlReportedEntry *entry, const UlSharedSum *sum,
			  int64 reserved, const UlRecord *record, int64 amount)
{
	enum
	{
		USER_ID, USAGE_TYPE, STATE, MEASURE, WINDOW_START, WINDOW_END, ONE_SUBTYPE, COMMITTED,
		RESERVED, PID, STATUS, AMOUNT, SINCE, AGE, NCOLUMNS
	};
	Datum		values[NCOLUMNS] = {0};
	bool		nulls[NCOLUMNS] = {0};
	bool		known = entry->nsums > 0;

	values[USER_ID] = CStringGetTextDatum(entry->user_id);
	values[USAGE_TYPE] = CStringGetTextDatum(entry->usage_type);
	values[STATE] = CStringGetTextDatum(entry_states[entry->state]);
	values[MEASURE] = CStringGetTextDatum(ul_measure_names[sum->measure]);
	values[WINDOW_START] = TimestampTzGetDatum(sum->start);
	values[WINDOW_END] = TimestampTzGetDatum(sum->end);
	values[ONE_SUBTYPE] = BoolGetDatum(sum->subtype != 0);
	values[COMMITTED] = Int64GetDatum(sum->committed);
	nulls[WINDOW_START] = nulls[WINDOW_END] = nulls[ONE_SUBTYPE] = nulls[COMMITTED] = !known;
	values[RESERVED] = Int64GetDatum(reserved);
	if (record != NULL)
	{
		Interval   *age = palloc0(sizeof(Interval));

		age->time = GetCurrentTimestamp() - record->since;
		values[PID] = Int64GetDatum(record->pid);
		values[STATUS] = CStringGetTextDatum(record_states[record->state]);
		values[AMOUNT] = Int64GetDatum(amount);
		values[SINCE] = TimestampTzGetDatum(record->since);
		values[AGE] = IntervalPGetDatum(age);
	}
	nulls[PID] = record == NULL || record->pid == 0;
	nulls[STATUS] = nulls[AMOUNT] = nulls[SINCE] = nulls[AGE] = record == NULL;
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* The rows of a sum: one for each reservation in it, or one without. */
static void
put_sum(ReturnSetInfo *rsinfo, const UlReportedEntry *entry, const UlSharedSum *sum)
{
	int64		reserved = 0;
	bool		any = false;

	for (int i = 0; i < entry->nrecords; i++)
		if (ul_record_counts(&entry->records[i], sum))
			reserved = ul_add_saturated(reserved, entry->records[i].up[sum->measure]);
	for (int i = 0; i < entry->nrecords; i++)
	{
		const UlRecord *record = &entry->records[i];
		int64		amount = record->up[sum->measure] - record->down[sum->measure];

		if (!ul_record_counts(record, sum) ||
			(record->up[sum->measure] == 0 && record->down[sum->measure] == 0))
			continue;
		put_entry_row(rsinfo, entry, sum, reserved, record, amount);
		any = true;
	}
	if (!any)
		put_entry_row(rsinfo, entry, sum, reserved, NULL, 0);
}

Datum
usage_limits_entries(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	static const UlSharedSum unknown = {
		.start = DT_NOBEGIN,.end = DT_NOEND,.measure = UL_MEASURE_AMOUNT
	};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "usage_limits entry",
												  ALLOCSET_DEFAULT_SIZES);
	UlReportedEntry entry;
	UlRef		ref = 0;

	InitMaterializedSRF(fcinfo, 0);
	if (!ul_shmem_exists())
		return (Datum) 0;
	for (;;)
	{
		MemoryContext before = MemoryContextSwitchTo(context);

		CHECK_FOR_INTERRUPTS();
		ref = ul_report_entry(ref, &entry);
		for (int i = 0; ref != 0 && i < entry.nsums; i++)
			put_sum(rsinfo, &entry, &entry.sums[i]);
		if (ref != 0 && entry.nsums == 0)
			put_sum(rsinfo, &entry, &unknown);
		MemoryContextSwitchTo(before);
		MemoryContextReset(context);
		if (ref == 0)
			return (Datum) 0;
	}
}
