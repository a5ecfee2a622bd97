/*-------------------------------------------------------------------------
 *
 * sql_counters.c
 *		The trigger on usage_counters: who must hear of a row that is written.
 *
 * It runs once for each row that a transaction writes when it commits, so
 * that what nobody needs to hear of must cost next to nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "day_sums.h"
#include "tables.h"
#include "window.h"

PG_FUNCTION_INFO_V1(usage_limits_counters_changed);

/*
 * The server's clock decides, not usage_limits.test_clock: whether a day's
 * writers are heard of must not depend on whose idea of now counts.
 */
static void
row_written(HeapTuple tuple, TupleDesc tupdesc)
{
	bool		isnull;
	TimestampTz bucket_start = DatumGetTimestampTz(heap_getattr(tuple, Anum_counter_bucket_start,
																tupdesc, &isnull));

	if (bucket_start < ul_utc_day(GetCurrentTimestamp()))
		ul_day_written(bucket_start);
}

Datum
usage_limits_counters_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function was not called by the trigger manager")));

	if (TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
	{
		TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);

		row_written(trigger->tg_trigtuple, tupdesc);
		if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
			row_written(trigger->tg_newtuple, tupdesc);
	}
	else
		ul_days_emptied();
	return PointerGetDatum(NULL);
}
