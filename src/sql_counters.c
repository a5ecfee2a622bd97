/*-------------------------------------------------------------------------
 *
 * sql_counters.c
 *		The triggers on usage_counters.
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

#include "store.h"
#include "tables.h"
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
	text	   *found = DatumGetTextPP(heap_getattr(tuple, column, tupdesc, &isnull));
	size_t		length = strlen(value);

	return VARSIZE_ANY_EXHDR(found) == length && memcmp(VARDATA_ANY(found), value, length) == 0;
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
		int64		before = update ?
		int8_of(trigger->tg_trigtuple, tupdesc, Anum_counter_amount + i) : 0;

		if (int8_of(tuple, tupdesc, Anum_counter_amount + i) - before != row->amounts.measure[i])
			return false;
	}
	return true;
}

Datum
usage_limits_counted(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleDesc	tupdesc;
	const UlCounterRow *writing = ul_xact_writing();

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("must be called as a trigger")));
	if (!TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		ul_xact_mark_all();
	else if (!ul_xact_folding() && !(writing != NULL && is_ours(trigger, writing)))
	{
		tupdesc = RelationGetDescr(trigger->tg_relation);
		ul_xact_mark(text_of(trigger->tg_trigtuple, tupdesc, Anum_counter_user_id),
					 text_of(trigger->tg_trigtuple, tupdesc, Anum_counter_usage_type));
		if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
			ul_xact_mark(text_of(trigger->tg_newtuple, tupdesc, Anum_counter_user_id),
						 text_of(trigger->tg_newtuple, tupdesc, Anum_counter_usage_type));
	}
	return PointerGetDatum(NULL);
}
