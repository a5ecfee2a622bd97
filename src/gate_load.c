/*-------------------------------------------------------------------------
 *
 * gate_load.c
 *		Reading the sums of the shared gate's entries from the table.
 *
 * Whoever loads has the key's lock (gate_lock.c) meanwhile: no two load, and
 * whoever decides by that lock alone is waited for.  Then the rows are summed as
 * one snapshot shows them, less what the loader's own transaction wrote; and
 * each record is looked at: is what it reserved among those rows?
 *
 * - Its transaction writes no row yet (its xid is 0), is our own, or was still
 *	 in progress for the snapshot: no.  The record counts on, and if its
 *	 transaction committed while we read, its amounts are added.
 * - Otherwise they are, or it rolled back: the record counts no longer.
 *
 * That is exact, since the xids of all top-level transactions that are in
 * progress are in a snapshot, however many subtransactions there are.
 *
 * Nobody who commits waits for a load, and no load makes another's decision
 * old.  A mark that arrives meanwhile leaves the sums unknown.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "utils/snapmgr.h"

#include "gate_entry.h"
#include "gate_load.h"
#include "scan.h"
#include "schema.h"
#include "tables.h"

/* Sums that an entry keeps beside those that are asked for. */
#define MAX_SUMS	16

/* How often records are copied for a snapshot that shows just what they do not. */
#define READ_TRIES	8

/* What is being read */
typedef struct Load
{
	int			nsums;
	UlSum	   *sums;
	uint64	   *subtypes;		/* of the rows: the last one's hash */
	uint64		marks;
	uint32		generation;
	UlRef		nodes;			/* for what goes into the entry */
} Load;

/* The key whose entry this backend is loading; a hash of 0: none */
static UlPin loading_pin;

static bool
sums_subtype(const UlSum *sum, uint64 subtype)
{
	return sum->subtype_hash == 0 || sum->subtype_hash == subtype;
}

static void
add_row(TimestampTz bucket_start, const char *event_subtype, const int64 *measures, void *arg)
{
	Load	   *load = arg;
	uint64		subtype = ul_subtype_hash(event_subtype);

	for (int i = 0; i < load->nsums; i++)
	{
		UlSum	   *sum = &load->sums[i];

		if (!sums_subtype(sum, subtype))
			continue;
		ul_sum_make_room(sum, 1);
		(void) ul_sum_add(sum, bucket_start, measures[sum->measure]);
	}
}

/*
 * Whether a top-level transaction's rows are left out by who reads with the
 * snapshot: those that are in progress, and our own.
 */
static bool
in_progress(uint64 full_xid, Snapshot snapshot)
{
	TransactionId xid = XidFromFullTransactionId(FullTransactionIdFromU64(full_xid));

	if (TransactionIdEquals(xid, GetTopTransactionIdIfAny()))
		return true;
	if (TransactionIdPrecedes(xid, snapshot->xmin))
		return false;
	if (TransactionIdFollowsOrEquals(xid, snapshot->xmax))
		return true;
	for (uint32 i = 0; i < snapshot->xcnt; i++)
		if (TransactionIdEquals(snapshot->xip[i], xid))
			return true;
	return false;
}

static bool
same_sum(const UlSum *a, const UlSum *b)
{
	return a->measure == b->measure && a->subtype_hash == b->subtype_hash &&
		a->sub_bucket == b->sub_bucket && a->start == b->start && a->end == b->end;
}

static void
add_wanted(Load *load, const UlSum *wanted)
{
	for (int i = 0; i < load->nsums; i++)
		if (same_sum(&load->sums[i], wanted))
			return;
	load->sums[load->nsums] = *wanted;
	load->sums[load->nsums].used = 0;
	load->sums[load->nsums].nparts = 0;
	load->sums[load->nsums].max_parts = 0;
	load->sums[load->nsums].parts = NULL;
	load->nsums++;
}

/*
 * What is to be summed: what is asked for, and what the entry has of windows
 * that are not over.
 */
static void
choose_sums(Load *load, const UlTest *tests, int ntests, const UlSharedSum *known, int nknown,
			TimestampTz now)
{
	load->sums = palloc(sizeof(UlSum) * (ntests + nknown));
	for (int i = 0; i < ntests; i++)
		add_wanted(load, tests[i].sum);
	for (int i = 0; i < nknown && load->nsums < MAX_SUMS; i++)
	{
		UlSum		sum = {
			.measure = known[i].measure,
			.subtype_hash = known[i].subtype,
			.sub_bucket = known[i].sub_bucket,
			.start = known[i].start,
			.end = known[i].end,
		};
		bool		superseded = known[i].end <= now;

		/* a sliding window that has moved on */
		for (int j = 0; j < ntests && sum.sub_bucket > 0; j++)
			if (tests[j].sum->sub_bucket == sum.sub_bucket &&
				tests[j].sum->measure == sum.measure &&
				tests[j].sum->subtype_hash == sum.subtype_hash)
				superseded = true;
		if (!superseded)
			add_wanted(load, &sum);
	}
}

static int
parts_nodes(const UlSum *sum, int more)
{
	if (sum->sub_bucket == 0)
		return 0;
	return (sum->nparts + more + UL_NODE_PARTS - 1) / UL_NODE_PARTS;
}

/* The nodes that the sums will need, with "more" parts each; false if there are none left. */
static bool
alloc_nodes(Load *load, int more)
{
	int			count = Max(0, load->nsums - UL_INLINE_SUMS + UL_NODE_SUMS - 1) / UL_NODE_SUMS;

	for (int i = 0; i < load->nsums; i++)
	{
		ul_sum_make_room(&load->sums[i], more);
		count += parts_nodes(&load->sums[i], more);
	}
	for (int i = 0; i < count; i++)
	{
		UlRef		node = ul_alloc_node();

		if (node == 0)
			return false;
		ul_node(node)->next = load->nodes;
		load->nodes = node;
	}
	return true;
}

static UlRef
take_node(Load *load)
{
	UlRef		node = load->nodes;

	load->nodes = ul_node(node)->next;
	ul_node(node)->next = 0;
	return node;
}

static void
store_parts(Load *load, UlSharedSum *shared, const UlSum *sum)
{
	for (int i = 0; i < sum->nparts; i++)
	{
		UlPartsNode *node;

		if (i % UL_NODE_PARTS == 0)
		{
			UlRef		fresh = take_node(load);

			ul_node(fresh)->next = shared->parts;
			shared->parts = fresh;
			ul_node(fresh)->parts.count = 0;
		}
		node = &ul_node(shared->parts)->parts;
		node->parts[node->count++] = sum->parts[i];
	}
}

/* Puts the sums into the entry, in place of those that it had. */
static void
store_sums(Load *load, UlEntry *entry)
{
	UlRef	   *link = &entry->more_sums;

	ul_drop_sums(entry);
	entry->nsums = load->nsums;
	for (int i = UL_INLINE_SUMS; i < load->nsums; i += UL_NODE_SUMS)
	{
		*link = take_node(load);
		memset(ul_node(*link), 0, sizeof(UlNode));
		link = &ul_node(*link)->next;
	}
	for (int i = 0; i < load->nsums; i++)
	{
		const UlSum *sum = &load->sums[i];
		UlSharedSum *shared = ul_shared_sum(entry, i);

		shared->start = sum->start;
		shared->end = sum->end;
		shared->subtype = sum->subtype_hash;
		shared->committed = sum->used;
		shared->parts = 0;
		shared->sub_bucket = sum->sub_bucket;
		shared->measure = sum->measure;
		store_parts(load, shared, sum);
	}
}

static int
count_records(const UlEntry *entry)
{
	int			count = 0;

	for (UlRef ref = entry->records; ref != 0; ref = ul_node(ref)->next)
		count++;
	for (UlRef ref = entry->relaxed; ref != 0; ref = ul_node(ref)->next)
		count++;
	return count;
}

/* Adds what committed while the rows were read; false if there is no room. */
static bool
add_committed(Load *load, const UlRecord *record)
{
	for (int i = 0; i < load->nsums; i++)
	{
		UlSum	   *sum = &load->sums[i];

		if (sums_subtype(sum, record->subtype) &&
			!ul_sum_add(sum, record->bucket_start,
						record->up[sum->measure] - record->down[sum->measure]))
			return false;
	}
	return true;
}

/* Adds what a relaxed type has used and the snapshot does not show; false if there is no room. */
static bool
add_relaxed(Load *load, const UlEntry *entry, Snapshot snapshot)
{
	for (UlRef ref = entry->relaxed; ref != 0; ref = ul_node(ref)->next)
	{
		const UlRelaxedNode *node = &ul_node(ref)->relaxed;

		if (node->xid != 0 && !in_progress(node->xid, snapshot))
			continue;
		for (int i = 0; i < load->nsums; i++)
		{
			UlSum	   *sum = &load->sums[i];

			if (sums_subtype(sum, node->subtype) &&
				!ul_sum_add(sum, node->bucket_start, node->amounts.measure[sum->measure]))
				return false;
		}
	}
	return true;
}

/* Looks at each record: see the head of this file.  False if there is no room. */
static bool
settle_records(Load *load, UlEntry *entry, Snapshot snapshot)
{
	UlRef	   *link = &entry->records;
	bool		fits = true;

	while (*link != 0)
	{
		UlRecord   *record = &ul_node(*link)->record;
		UlRef		ref = *link;
		bool		unseen = record->xid == 0 || in_progress(record->xid, snapshot);

		if (record->state == UL_RECORD_COMMITTED)
		{
			if (unseen && !add_committed(load, record))
				fits = false;
			*link = record->next;
			ul_free_node(ref);
			continue;
		}
		if (!unseen)
		{
			memset(record->up, 0, sizeof(record->up));
			memset(record->down, 0, sizeof(record->down));
		}
		link = &record->next;
	}
	return add_relaxed(load, entry, snapshot) && fits;
}

/* The locked entry that is being loaded becomes loaded, or cold. */
static void
finish_load(UlEntry *entry, const Load *load, bool whole)
{
	entry->generation = load->generation;
	if (whole && entry->marks == load->marks &&
		load->generation == ul_entry_generation(entry))
		entry->state = UL_ENTRY_LOADED;
	else
		entry->state = UL_ENTRY_COLD;
	entry->marks++;
	loading_pin.hash = 0;
}

void
ul_abandon_load(void)
{
	UlEntry    *entry;
	UlRef	   *link;

	if (loading_pin.hash == 0)
		return;
	loading_pin.entry = 0;		/* its pin may be gone; the entry is not */
	entry = ul_entry(ul_lock_entry(&loading_pin, false));
	entry->state = UL_ENTRY_COLD;
	for (link = &entry->records; *link != 0;)
	{
		UlRef		ref = *link;

		if (ul_node(ref)->record.state == UL_RECORD_COMMITTED)
		{
			*link = ul_node(ref)->next;
			ul_free_node(ref);
		}
		else
			link = &ul_node(ref)->next;
	}
	LWLockRelease(ul_partition_lock(loading_pin.hash));
	loading_pin.hash = 0;
}

/*
 * Begins to load the key's entry, whose lock we have; false if that would need
 * a wait that is not wanted, or there is no room for an entry.
 */
static bool
begin_load(Load *load, const UlPin *pin, const UlTest *tests, int ntests,
		   TimestampTz now, bool wait)
{
	UlSharedSum known[MAX_SUMS];
	int			nknown = 0;
	bool		awaited = false;
	uint64		awaited_marks = 0;

	memset(load, 0, sizeof(*load));
	for (;;)
	{
		UlRef		ref = ul_lock_entry(pin, true);
		UlEntry    *entry;

		if (ref == 0)
			return false;
		entry = ul_entry(ref);
		load->marks = entry->marks;
		load->generation = ul_entry_generation(entry);
		if (entry->generation != load->generation)
			entry->prepared_known = entry->unheld = false;
		if (awaited && entry->marks == awaited_marks)
			entry->prepared_known = true;
		if (entry->prepared_known)
		{
			entry->generation = load->generation;
			entry->state = UL_ENTRY_LOADING;
			loading_pin = *pin;
			nknown = Min(entry->nsums, MAX_SUMS);
			for (int i = 0; i < nknown; i++)
				known[i] = *ul_shared_sum(entry, i);
			LWLockRelease(ul_partition_lock(pin->hash));
			break;
		}
		awaited_marks = entry->marks;
		LWLockRelease(ul_partition_lock(pin->hash));

		/* transactions prepared before the last restart have no record here */
		if (!ul_gate_await_prepared(pin->hash, wait))
			return false;
		awaited = true;
	}
	choose_sums(load, tests, ntests, known, nknown, now);
	return true;
}

static TimestampTz
earliest_start(const Load *load)
{
	TimestampTz from = DT_NOEND;

	for (int i = 0; i < load->nsums; i++)
		from = Min(from, load->sums[i].start);
	return from;
}

/* Sums the rows, and makes room for records that commit meanwhile; false if there is none. */
static bool
read_rows(Load *load, const UlPin *pin, Snapshot snapshot)
{
	UlRef		ref;
	int			nrecords;

	ul_gate_scan(pin->user_id, pin->usage_type, earliest_start(load), snapshot, add_row, load);
	ref = ul_lock_entry(pin, false);
	nrecords = count_records(ul_entry(ref));
	LWLockRelease(ul_partition_lock(pin->hash));
	return alloc_nodes(load, nrecords + 16);
}

bool
ul_lock_to_load(const UlPin *pin, bool wait)
{
	if (ul_gate_try_lock(pin->hash))
		return true;
	if (wait)
	{
		ul_count(UL_STAT_WAITS);
		ul_gate_wait(pin->hash);
	}
	return false;
}

bool
ul_load(const UlPin *pin, const UlTest *tests, int ntests, TimestampTz now, bool wait)
{
	Load		load;
	Snapshot	snapshot;
	bool		whole;
	UlEntry    *entry;

	/* who may not write puts nothing into shared memory */
	if (!wait && XactReadOnly)
		return false;
	if (!ul_lock_to_load(pin, wait))
		return wait;
	if (!begin_load(&load, pin, tests, ntests, now, wait))
	{
		ul_gate_unlock(pin->hash);
		return false;
	}
	snapshot = ul_latest_snapshot(true);
	whole = read_rows(&load, pin, snapshot);

	entry = ul_entry(ul_lock_entry(pin, false));
	whole = settle_records(&load, entry, snapshot) && whole;
	if (whole)
		store_sums(&load, entry);
	finish_load(entry, &load, whole);
	LWLockRelease(ul_partition_lock(pin->hash));

	ul_release_snapshot(snapshot);
	ul_free_nodes(load.nodes);
	ul_gate_unlock(pin->hash);
	ul_count(UL_STAT_COLD_LOADS);
	return whole;
}

/* Adds what was read, and a record that it does not have. */
static void
add_to_tests(UlTest *tests, int ntests, const Load *load)
{
	for (int i = 0; i < ntests; i++)
	{
		UlSum	   *sum = tests[i].sum;

		for (int j = 0; j < load->nsums; j++)
		{
			const UlSum *read = &load->sums[j];

			if (!same_sum(sum, read))
				continue;
			ul_sum_make_room(sum, read->nparts);
			if (sum->sub_bucket == 0)
				sum->used = ul_add_saturated(sum->used, read->used);
			for (int k = 0; k < read->nparts; k++)
				(void) ul_sum_add_part(sum, read->parts[k].start, read->parts[k].used);
		}
	}
}

static void
add_record_to_tests(UlTest *tests, int ntests, const UlRecord *record, UlAsk ask)
{
	for (int i = 0; i < ntests; i++)
	{
		ul_sum_make_room(tests[i].sum, 1);
		(void) ul_add_record(tests[i].sum, record, ask);
	}
}

/* What a relaxed type has used, as a record of a transaction that has committed. */
static UlRecord
record_of_relaxed(const UlRelaxedNode *node)
{
	UlRecord	record = {
		.state = UL_RECORD_COMMITTED,
		.slot = -1,
		.xid = node->xid,
		.bucket_start = node->bucket_start,
		.subtype = node->subtype,
		.since = node->first_at,
	};

	for (int i = 0; i < UL_NMEASURES; i++)
		record.up[i] = node->amounts.measure[i];
	return record;
}

/*
 * Copies the entry's records; their number.  With a load, that ends: what
 * committed meanwhile is in its sums then, as is what a relaxed type has used, and
 * not among the records.  In a copy, "next" is the record's own place.
 */
static int
take_records(const UlPin *pin, Load *load, Snapshot snapshot, UlRecord **records)
{
	for (int room = 32;; room *= 4)
	{
		int			count = 0;
		UlRef		ref;
		UlEntry    *entry;

		*records = palloc(sizeof(UlRecord) * room);
		for (int i = 0; load != NULL && i < load->nsums; i++)
			ul_sum_make_room(&load->sums[i], room);
		ref = ul_lock_entry(pin, false);
		if (ref == 0)
			return 0;
		entry = ul_entry(ref);
		if (count_records(entry) <= room)
		{
			if (load != NULL)
			{
				(void) settle_records(load, entry, snapshot);
				finish_load(entry, load, false);
			}
			for (ref = entry->records; ref != 0; ref = ul_node(ref)->next)
			{
				(*records)[count] = ul_node(ref)->record;
				(*records)[count++].next = ref;
			}
			ref = load == NULL ? entry->relaxed : 0;
			for (; ref != 0; ref = ul_node(ref)->next)
			{
				(*records)[count] = record_of_relaxed(&ul_node(ref)->relaxed);
				(*records)[count++].next = ref;
			}
			LWLockRelease(ul_partition_lock(pin->hash));
			return count;
		}
		LWLockRelease(ul_partition_lock(pin->hash));
		pfree(*records);
	}
}

/*
 * Gives copies the xids that their records have by now: of those that had none,
 * and of what was being flushed, which may have been given back.  False if one that
 * had none has gone: whether a snapshot taken meanwhile shows its rows is not known.
 */
static bool
follow_records(const UlPin *pin, UlRecord *records, int nrecords)
{
	UlRef		entry = ul_lock_entry(pin, false);
	UlRef		from[2] = {0, 0};	/* of records, of what is relaxed */
	bool		found = true;

	if (entry != 0)
	{
		from[false] = ul_entry(entry)->records;
		from[true] = ul_entry(entry)->relaxed;
	}
	/* new ones come first: those that stay are in the copies' order */
	for (int i = 0; i < nrecords && found; i++)
	{
		UlRecord   *record = &records[i];
		bool		relaxed = record->state == UL_RECORD_COMMITTED;
		UlRef		ref = from[relaxed];
		UlRecord	now = {0};

		if (record->xid != 0 && !relaxed)
			continue;
		while (ref != 0 && ref != record->next)
			ref = ul_node(ref)->next;
		if (ref != 0)
		{
			from[relaxed] = ref;
			now = relaxed ? record_of_relaxed(&ul_node(ref)->relaxed) : ul_node(ref)->record;
		}
		if (ref != 0 && now.pid == record->pid && now.since == record->since)
			record->xid = now.xid;
		else
			found = record->xid != 0;
	}
	if (entry != 0)
		LWLockRelease(ul_partition_lock(pin->hash));
	return found;
}

/*
 * A snapshot, and the records as they were when it was taken.  Where they come and
 * go faster than they can be copied, the copy of a little earlier must do.
 */
static Snapshot
take_records_and_snapshot(const UlPin *pin, UlRecord **records, int *nrecords)
{
	for (int try = 1;; try++)
	{
		Snapshot	snapshot;

		*nrecords = take_records(pin, NULL, NULL, records);
		snapshot = ul_latest_snapshot(true);
		if (follow_records(pin, *records, *nrecords) || try == READ_TRIES)
			return snapshot;
		ul_release_snapshot(snapshot);
	}
}

void
ul_shared_read(const UlPin *pin, UlAsk ask, UlTest *tests, int ntests, bool locked)
{
	Load		load;
	UlRecord   *records;
	int			nrecords = 0;
	Snapshot	snapshot;
	bool		loading;

	ul_hash_subtypes(tests, ntests);
	loading = locked && begin_load(&load, pin, tests, ntests, DT_NOBEGIN, false);
	if (loading)
		snapshot = ul_latest_snapshot(true);
	else
	{
		memset(&load, 0, sizeof(load));
		choose_sums(&load, tests, ntests, NULL, 0, DT_NOBEGIN);
		snapshot = take_records_and_snapshot(pin, &records, &nrecords);
	}
	ul_gate_scan(pin->user_id, pin->usage_type, earliest_start(&load), snapshot, add_row, &load);
	if (loading)
		nrecords = take_records(pin, &load, snapshot, &records);

	add_to_tests(tests, ntests, &load);
	for (int i = 0; i < nrecords; i++)
		if (records[i].xid == 0 || in_progress(records[i].xid, snapshot))
			add_record_to_tests(tests, ntests, &records[i], ask);
	ul_release_snapshot(snapshot);
	for (int i = 0; i < ntests; i++)
		ul_sum_parts(tests[i].sum);
}
