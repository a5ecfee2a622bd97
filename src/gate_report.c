/*-------------------------------------------------------------------------
 *
 * gate_report.c
 *		What the shared gate's entries hold, for an administrator to see.
 *
 * shmem.c states the locking protocol.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "gate_entry.h"
#include "gate_report.h"
#include "schema.h"

/* What there is room for at first in a copy. */
#define SOME_SUMS		8
#define SOME_RECORDS	64

static int64
sum_of_parts(const UlSharedSum *sum)
{
	int64		total = 0;

	for (UlRef ref = sum->parts; ref != 0; ref = ul_node(ref)->next)
	{
		const UlPartsNode *node = &ul_node(ref)->parts;

		for (int i = 0; i < node->count; i++)
			total = ul_add_saturated(total, node->parts[i].used);
	}
	return total;
}

/*
 * Copies what an entry has into as much room as there is, and says how much it
 * needs; false if the entry is another key's by now.
 */
static bool
copy_entry(UlRef ref, UlReportedEntry *copy, int sums_room, int records_room)
{
	UlEntry    *entry = ul_entry(ref);
	LWLock	   *lock = ul_lock_place(ref);

	if (lock == NULL)
		return false;
	copy->state = entry->state;
	copy->nrecords = 0;
	copy->nsums = entry->state == UL_ENTRY_LOADED ? entry->nsums : 0;
	for (int i = 0; i < Min(copy->nsums, sums_room); i++)
	{
		copy->sums[i] = *ul_shared_sum(entry, i);
		if (copy->sums[i].sub_bucket > 0)
			copy->sums[i].committed = sum_of_parts(&copy->sums[i]);
	}
	for (UlRef node = entry->records; node != 0; node = ul_node(node)->next)
	{
		if (copy->nrecords < records_room)
			copy->records[copy->nrecords] = ul_node(node)->record;
		copy->nrecords++;
	}
	LWLockRelease(lock);
	return true;
}

UlRef
ul_report_entry(UlRef from, UlReportedEntry *entry)
{
	UlRef		ref = from;

	while ((ref = ul_next_entry(ref, ul_schema()->oid[UL_USAGE_COUNTERS])) != 0)
	{
		int			sums_room = SOME_SUMS;
		int			records_room = SOME_RECORDS;

		if (!ul_shared_name(ref, &entry->user_id, &entry->usage_type))
			continue;
		for (;;)
		{
			entry->sums = palloc(sizeof(UlSharedSum) * sums_room);
			entry->records = palloc(sizeof(UlRecord) * records_room);
			if (!copy_entry(ref, entry, sums_room, records_room))
				break;
			if (entry->nsums <= sums_room && entry->nrecords <= records_room)
				return ref;
			sums_room = Max(sums_room, entry->nsums * 2);
			records_room = Max(records_room, entry->nrecords * 2);
		}
	}
	return 0;
}

bool
ul_record_counts(const UlRecord *record, const UlSharedSum *sum)
{
	return (sum->subtype == 0 || sum->subtype == record->subtype) &&
		record->bucket_start >= sum->start && record->bucket_start < sum->end;
}
