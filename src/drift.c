/*-------------------------------------------------------------------------
 *
 * drift.c
 *		What counters say against what rows of attached tables add up to.
 *
 * Rows and counters change in the same transaction, so that any snapshot sees
 * both or neither, and the difference between them is drift whoever is writing
 * meanwhile.  Adding the difference needs no lock on the users.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "consume.h"
#include "drift.h"
#include "guc.h"
#include "scan.h"
#include "store.h"
#include "tally.h"
#include "xact.h"

void
ul_check_row_user(const char *user_id, const char *usage_type)
{
	size_t		length = strlen(user_id);

	if (length == 0 || length > UL_MAX_NAME_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("user of a row attached to usage type \"%s\" must be 1 to %d bytes long",
						usage_type, UL_MAX_NAME_BYTES)));
}

/* Sums of a query: user and units */
typedef struct SumState
{
	ul_tallies_hash *tallies;
	bool		actual;			/* of rows; else of counters */
} SumState;

static void
add_sum(const Datum *values, const bool *nulls, void *arg)
{
	SumState   *state = arg;
	UlTally    *tally;

	if (nulls[0] || nulls[1])
		return;
	tally = ul_tally(state->tallies, TextDatumGetCString(values[0]));
	ul_tally_add(state->actual ? &tally->after : &tally->before, DatumGetInt64(values[1]));
}

/* What this transaction has used of a type and not yet written. */
static void
add_pending(ul_tallies_hash *tallies, const char *usage_type)
{
	for (UlKey *key = ul_xact_keys(); key != NULL; key = key->next)
	{
		UlTally    *tally;
		TimestampTz from;

		if (strcmp(key->usage_type, usage_type) != 0)
			continue;
		from = ul_last_reset(ul_find_user(key->user_id), usage_type, DT_NOEND);
		tally = ul_tally(tallies, key->user_id);
		for (UlCell *cell = key->cells; cell != NULL; cell = cell->next_in_key)
			for (UlFrame *frame = cell->top; frame != NULL; frame = frame->below)
				if (cell->bucket_start >= from && !cell->of_members)
					ul_tally_add(&tally->before, frame->amounts.measure[UL_MEASURE_AMOUNT]);
	}
}

/* What counters say and what the rows of a type's tables add up to, by user. */
static ul_tallies_hash *
compare(const char *usage_type, const List *attachments, Snapshot snapshot)
{
	ul_tallies_hash *tallies = ul_tallies_create(CurrentMemoryContext, 64, NULL);
	SumState	state = {.tallies = tallies};
	UlArgs		args = {0};
	ListCell   *cell;

	ul_arg_text(&args, usage_type);
	ul_execute_rows_at(UL_LEVELS_OF_TYPE, &args, snapshot, add_sum, &state);
	add_pending(tallies, usage_type);
	state.actual = true;
	foreach(cell, attachments)
	{
		UlAttachment *attachment = lfirst(cell);
		Relation	rel;

		if (strcmp(attachment->usage_type, usage_type) != 0)
			continue;
		rel = table_open(attachment->relid, NoLock);
		/* an error in it says more than one of the query does */
		(void) ul_row_parse(rel, &attachment->text);
		ul_query_as_owner(attachment->relid, ul_row_query(rel, &attachment->text, false),
						  snapshot, add_sum, &state);
		table_close(rel, NoLock);
	}
	return tallies;
}

static int
compare_drifts(const void *a, const void *b)
{
	return strcmp(((const UlDrift *) a)->user_id, ((const UlDrift *) b)->user_id);
}

/* The differences of a type, by user, their number in *count. */
static UlDrift *
differences(const char *usage_type, const List *attachments, Snapshot snapshot, int64 *count)
{
	ul_tallies_hash *tallies = compare(usage_type, attachments, snapshot);
	UlDrift    *drifts = MemoryContextAllocHuge(CurrentMemoryContext,
												sizeof(UlDrift) * (tallies->members + 1));
	ul_tallies_iterator iterator;
	UlTally    *tally;

	*count = 0;
	ul_tallies_start_iterate(tallies, &iterator);
	while ((tally = ul_tallies_iterate(tallies, &iterator)) != NULL)
	{
		UlDrift    *drift = &drifts[*count];

		if (tally->before == tally->after)
			continue;
		drift->user_id = tally->user_id;
		drift->usage_type = usage_type;
		drift->counted = tally->before;
		drift->actual = tally->after;
		drift->change = ul_tally_change(tally);
		(*count)++;
	}
	qsort(drifts, *count, sizeof(UlDrift), compare_drifts);
	return drifts;
}

void
ul_refuse_unattached(Oid relid)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("table \"%s\" is not attached", get_rel_name(relid))));
}

void
ul_drift(Oid relid, UlDriftSeen seen, void *arg)
{
	List	   *attachments = ul_all_attachments();
	List	   *types = ul_types_of_table(attachments, relid);
	ListCell   *cell;
	Snapshot	snapshot;

	if (OidIsValid(relid) && types == NIL)
		ul_refuse_unattached(relid);
	snapshot = ul_latest_snapshot(false);
	foreach(cell, types)
	{
		int64		count;
		UlDrift    *drifts = differences(lfirst(cell), attachments, snapshot, &count);

		for (int64 i = 0; i < count; i++)
			seen(&drifts[i], arg);
	}
	ul_release_snapshot(snapshot);
}

int64
ul_repair_type(const char *usage_type, const List *attachments, const char *reason)
{
	Snapshot	snapshot = ul_latest_snapshot(false);
	int64		count;
	UlDrift    *drifts = differences(usage_type, attachments, snapshot, &count);
	TimestampTz now = ul_now();

	ul_release_snapshot(snapshot);
	for (int64 i = 0; i < count; i++)
	{
		UlRequest	request = {
			.user_id = drifts[i].user_id,
			.usage_type = usage_type,
			.amount = drifts[i].change,
			.status = "success",
			.error_message = reason,
		};

		CHECK_FOR_INTERRUPTS();
		if (drifts[i].actual != 0)
			ul_check_row_user(request.user_id, usage_type);
		(void) ul_record(&request, "adjust", now);
	}
	return count;
}
