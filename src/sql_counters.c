/*-------------------------------------------------------------------------
 *
 * sql_counters.c
 *		The triggers on usage_counters, usage_rates and usage_holds.
 *
 * They run for each row that a transaction writes when it commits, so that
 * what nobody needs to hear of must cost next to nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "counters.h"
#include "day_sums.h"
#include "gate.h"
#include "limits.h"
#include "rate.h"
#include "schema.h"
#include "shmem.h"
#include "scan.h"
#include "store.h"
#include "tables.h"
#include "window.h"
#include "xact.h"

PG_FUNCTION_INFO_V1(usage_limits_counted);

static char *
text_of(HeapTuple tuple, TupleDesc tupdesc, AttrNumber column)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, column, tupdesc, &isnull);

	return TextDatumGetCString(value);
}

static int64
int8_of(HeapTuple tuple, TupleDesc tupdesc, AttrNumber column)
{
	bool		isnull;

	return DatumGetInt64(heap_getattr(tuple, column, tupdesc, &isnull));
}

static bool
has_text(HeapTuple tuple, TupleDesc tupdesc, AttrNumber column, const char *value)
{
	bool		isnull;

	return ul_text_is(heap_getattr(tuple, column, tupdesc, &isnull), value);
}

/* Whether it is the row that we are writing, changed by what we add to it. */
static bool
is_ours(const TriggerData *trigger, const UlCounterRow *row)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	bool		update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	HeapTuple	tuple = update ? trigger->tg_newtuple : trigger->tg_trigtuple;

	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event) ||
		int8_of(tuple, tupdesc, Anum_counter_bucket_start) != row->bucket_start ||
		int8_of(tuple, tupdesc, Anum_counter_slot) != row->slot ||
		!has_text(tuple, tupdesc, Anum_counter_user_id, row->user_id) ||
		!has_text(tuple, tupdesc, Anum_counter_usage_type, row->usage_type) ||
		!has_text(tuple, tupdesc, Anum_counter_event_subtype, row->event_subtype))
		return false;
	for (int i = 0; i < UL_NMEASURES; i++)
	{
		AttrNumber	column = ul_counter_column(row, i);
		int64		before = update ? int8_of(trigger->tg_trigtuple, tupdesc, column) : 0;

		if (int8_of(tuple, tupdesc, column) - before != row->amounts.measure[i])
			return false;
	}
	return true;
}

/*
 * Has the day of a row marked, if it is over.  The server's clock decides, not
 * usage_limits.test_clock: whose writes are heard of must not depend on whose
 * idea of now counts.
 */
static void
tell_day(HeapTuple tuple, TupleDesc tupdesc)
{
	TimestampTz bucket_start = int8_of(tuple, tupdesc, Anum_counter_bucket_start);

	if (bucket_start < ul_utc_day(GetCurrentTimestamp()))
		ul_day_written(bucket_start);
}

/*
 * States of rates were, or are about to be, changed by hand.  Whoever flushes is
 * kept out from before the first change; what logical replication applies comes
 * without that.
 */
static void
rates_changed(const TriggerData *trigger)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	HeapTuple	tuples[] = {trigger->tg_trigtuple, trigger->tg_newtuple};

	if (!ul_shmem_exists() || ul_rate_writing())
		return;
	ul_gate_lock_rates();
	if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
		ul_xact_mark_all_rates();
	if (!TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		return;
	for (int i = 0; i < (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? 2 : 1); i++)
	{
		const UlLimit *limit = ul_find_limit(text_of(tuples[i], tupdesc, Anum_rate_limit_type));

		if (limit == NULL)
			ul_xact_mark_all_rates();
		else
			ul_xact_mark_rates(text_of(tuples[i], tupdesc, Anum_rate_user_id),
							   limit->usage_type);
	}
}

/* Says that the key's rows were changed other than by us. */
static void
mark_key(HeapTuple tuple, TupleDesc tupdesc)
{
	ul_xact_mark(text_of(tuple, tupdesc, Anum_counter_user_id),
				 text_of(tuple, tupdesc, Anum_counter_usage_type));
}

/* What folding does changes no sum. */
static void
row_changed(const TriggerData *trigger)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	HeapTuple	newtuple = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : NULL;
	const UlCounterRow *writing = ul_xact_writing();

	if (ul_xact_folding())
		return;
	tell_day(trigger->tg_trigtuple, tupdesc);
	if (newtuple != NULL)
		tell_day(newtuple, tupdesc);
	if (writing != NULL && is_ours(trigger, writing))
		return;
	mark_key(trigger->tg_trigtuple, tupdesc);
	if (newtuple != NULL)
		mark_key(newtuple, tupdesc);
}

/* At once, so that who finds no rows of usage_holds is told if they come meanwhile. */
static void
hold_changed(const TriggerData *trigger)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	HeapTuple	tuple = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ?
	trigger->tg_newtuple : trigger->tg_trigtuple;
	static const AttrNumber columns[] = {Anum_hold_user_id, Anum_hold_account_id};
	char	   *usage_type;
	UlPin		pin;

	if (!ul_shared_gate() || heap_attisnull(tuple, Anum_hold_usage_type, tupdesc))
		return;
	usage_type = text_of(tuple, tupdesc, Anum_hold_usage_type);
	for (size_t i = 0; i < lengthof(columns); i++)
	{
		if (heap_attisnull(tuple, columns[i], tupdesc))
			continue;
		ul_init_pin(&pin, text_of(tuple, tupdesc, columns[i]), usage_type);
		ul_shared_mark(&pin);
	}
}

Datum
usage_limits_counted(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("must be called as a trigger")));
	if (RelationGetRelid(trigger->tg_relation) == ul_schema()->oid[UL_USAGE_RATES])
		rates_changed(trigger);
	else if (RelationGetRelid(trigger->tg_relation) == ul_schema()->oid[UL_USAGE_HOLDS])
		hold_changed(trigger);
	else if (TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		row_changed(trigger);
	else
	{
		ul_xact_mark_emptied();
		ul_days_emptied();
	}
	return PointerGetDatum(NULL);
}
