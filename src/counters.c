/*-------------------------------------------------------------------------
 *
 * counters.c
 *		Adding to a row of usage_counters without a statement.
 *
 * See plain.c for why, and for what is left to a statement.  The row is found in
 * the place where it was last, or by the primary key.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_trigger.h"
#include "common/int.h"
#include "executor/executor.h"
#include "storage/bufmgr.h"
#include "storage/smgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "counters.h"
#include "plain.h"
#include "scan.h"
#include "schema.h"
#include "sums.h"
#include "tables.h"

#define NKEYS		5

/* The primary key, and that of bucket_start. */
#define NINDEXES	2

/*
 * Whether all that an INSERT ... ON CONFLICT DO UPDATE by us would do, which fires
 * triggers of both, is to put a new version of a row in: our own trigger does
 * nothing about what we write, and an expression of another's index is a
 * statement's to evaluate.
 */
static bool
is_plain(Relation heap)
{
	List	   *indexes;
	bool		plain;

	if (!ul_is_plain(heap, TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE, "counted"))
		return false;
	indexes = RelationGetIndexList(heap);
	plain = list_length(indexes) == NINDEXES;
	list_free(indexes);
	return plain;
}

/* Whether a row's times, or those that are added, are those of uses. */
static bool
has_uses(int64 events, int64 amount)
{
	return events != 0 || amount != 0;
}

/* first_at and last_at are those of uses, where there are any: see store.c. */
static void
add_times(Datum *values, const UlCounterRow *row)
{
	Datum	   *first_at = &values[Anum_counter_first_at - 1];
	Datum	   *last_at = &values[Anum_counter_last_at - 1];
	bool		had_uses = has_uses(DatumGetInt64(values[Anum_counter_events - 1]),
									DatumGetInt64(values[Anum_counter_amount - 1]));
	bool		adds_uses = !row->of_members &&
	has_uses(row->amounts.events, row->amounts.measure[UL_MEASURE_AMOUNT]);

	if (had_uses == adds_uses)
	{
		*first_at = TimestampTzGetDatum(Min(DatumGetTimestampTz(*first_at), row->first_at));
		*last_at = TimestampTzGetDatum(Max(DatumGetTimestampTz(*last_at), row->last_at));
	}
	else if (adds_uses)
	{
		*first_at = TimestampTzGetDatum(row->first_at);
		*last_at = TimestampTzGetDatum(row->last_at);
	}
}

/* Adds to a row's columns; false if a sum overflows that is not to be clamped. */
static bool
add_amounts(Datum *values, const UlCounterRow *row)
{
	const int64 *amounts = (const int64 *) &row->amounts;

	add_times(values, row);
	for (size_t i = 0; i < UL_NAMOUNTS; i++)
	{
		Datum	   *value = &values[ul_counter_column(row, i) - 1];
		int64		sum;

		if (row->clamp)
			sum = ul_add_saturated(DatumGetInt64(*value), amounts[i]);
		else if (pg_add_s64_overflow(DatumGetInt64(*value), amounts[i], &sum))
			return false;
		*value = Int64GetDatum(sum);
	}
	return true;
}

static bool
has_text(TupleTableSlot *slot, AttrNumber column, const char *value)
{
	bool		isnull;

	return ul_text_is(slot_getattr(slot, column, &isnull), value);
}

static bool
is_row(TupleTableSlot *slot, const UlCounterRow *row)
{
	return ul_slot_int8(slot, Anum_counter_slot, 0) == row->slot &&
		ul_slot_time(slot, Anum_counter_bucket_start, 0) == row->bucket_start &&
		has_text(slot, Anum_counter_user_id, row->user_id) &&
		has_text(slot, Anum_counter_usage_type, row->usage_type) &&
		has_text(slot, Anum_counter_event_subtype, row->event_subtype);
}

/*
 * Whether the table has a block, mostly without asking the operating system:
 * a table that we have locked does not get shorter, and when it was cut before
 * that, the length that is remembered was invalidated.
 */
static bool
has_block(Relation heap, BlockNumber block)
{
	BlockNumber known = RelationGetSmgr(heap)->smgr_cached_nblocks[MAIN_FORKNUM];

	return (BlockNumberIsValid(known) && block < known) || block < RelationGetNumberOfBlocks(heap);
}

/*
 * Looks where the row was, without the index.  Whatever has become of that
 * place, what is found there is told by its key.
 */
static bool
find_in_place(Relation heap, const UlCounterRow *row, Snapshot snapshot, TupleTableSlot *slot)
{
	ItemPointerData tid = *row->place;
	IndexFetchTableData *fetch;
	bool		again = false;
	bool		found;

	if (!has_block(heap, ItemPointerGetBlockNumber(&tid)))
		return false;
	fetch = table_index_fetch_begin(heap);
	found = table_index_fetch_tuple(fetch, &tid, snapshot, slot, &again, NULL);
	table_index_fetch_end(fetch);
	return found && is_row(slot, row);
}

static bool
find_by_key(Relation heap, const UlCounterRow *row, Snapshot snapshot, TupleTableSlot *slot)
{
	Relation	index = index_open(ul_schema()->oid[UL_USAGE_COUNTERS_PKEY], AccessShareLock);
	ScanKeyData keys[NKEYS];
	IndexScanDesc scan;
	ItemPointer tid;
	ItemPointerData place;
	bool		found = false;

	ul_key_text(&keys[0], 1, row->user_id);
	ul_key_text(&keys[1], 2, row->usage_type);
	ul_key_int8(&keys[2], 3, row->bucket_start);
	ul_key_text(&keys[3], 4, row->event_subtype);
	ul_key_int8(&keys[4], 5, row->slot);
	scan = ul_index_beginscan(heap, index, snapshot, NKEYS);
	index_rescan(scan, keys, NKEYS, NULL, 0);
	while (!found && (tid = index_getnext_tid(scan, ForwardScanDirection)) != NULL)
	{
		place = *tid;			/* fetching moves it on, to the version */
		found = index_fetch_heap(scan, slot);
	}
	if (found && row->place != NULL)
		*row->place = place;
	index_endscan(scan);
	index_close(index, AccessShareLock);
	return found;
}

/* Finds the row as the snapshot shows it; the slot keeps it where it is. */
static bool
find_row(Relation heap, const UlCounterRow *row, Snapshot snapshot, TupleTableSlot *slot)
{
	if (row->place != NULL && ItemPointerIsValid(row->place) &&
		find_in_place(heap, row, snapshot, slot))
		return true;
	ExecClearTuple(slot);
	return find_by_key(heap, row, snapshot, slot);
}

/* Puts the new version in the place of the one that was found. */
static bool
update_row(Relation heap, TupleTableSlot *found, const UlCounterRow *row, Snapshot snapshot)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(heap), &TTSOpsVirtual);
	UlUpdateIndexes indexes;
	bool		updated = false;

	slot_getallattrs(found);
	memcpy(slot->tts_values, found->tts_values, sizeof(Datum) * slot->tts_tupleDescriptor->natts);
	memcpy(slot->tts_isnull, found->tts_isnull, sizeof(bool) * slot->tts_tupleDescriptor->natts);
	ExecStoreVirtualTuple(slot);
	if (add_amounts(slot->tts_values, row) &&
		ul_table_tuple_update(heap, &found->tts_tid, slot, snapshot, &indexes) == TM_Ok)
	{
		if (indexes != UL_UPDATE_NO_INDEX)
		{
			ul_index_new_version(heap, slot, indexes);
			if (row->place != NULL)
				*row->place = slot->tts_tid;
		}
		updated = true;
	}
	ExecDropSingleTupleTableSlot(slot);
	return updated;
}

bool
ul_add_to_counter(const UlCounterRow *row)
{
	Relation	heap;
	Snapshot	snapshot;
	TupleTableSlot *slot;
	bool		added = false;

	/* the trigger tells of days that are over */
	if (XactReadOnly || row->bucket_start / USECS_PER_DAY < GetCurrentTimestamp() / USECS_PER_DAY)
		return false;

	heap = table_open(ul_schema()->oid[UL_USAGE_COUNTERS], RowExclusiveLock);
	if (is_plain(heap))
	{
		CheckCmdReplicaIdentity(heap, CMD_UPDATE);
		snapshot = ul_latest_snapshot(false);
		slot = table_slot_create(heap, NULL);
		added = find_row(heap, row, snapshot, slot) && update_row(heap, slot, row, snapshot);
		ExecDropSingleTupleTableSlot(slot);
		ul_release_snapshot(snapshot);
	}
	table_close(heap, NoLock);
	if (added)
		CommandCounterIncrement();
	return added;
}
