/*-------------------------------------------------------------------------
 *
 * gate_shared.c
 *		The gate of a server that preloads the library: escrow.
 *
 * A transaction that asks for something reserves it: a record in the key's
 * entry says how much, in which bucket.  Whoever asks next counts the sums that
 * are committed and all records, so that nobody waits for anybody's commit, and
 * a limit holds however those transactions end.  When the transaction ends, its
 * records become part of the sums, or go.
 *
 * The rows are the truth: the sums are read from them (gate_load.c) whenever
 * they are not known.  A sum is of a measure, a subtype and a window, whatever
 * the limits are: a session that has not heard of a new limit, or that has one
 * of its own before it commits, does no harm.
 *
 * shmem.c states the locking protocol.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "storage/procarray.h"
#include "utils/timestamp.h"

#include "gate_entry.h"
#include "gate_load.h"
#include "gate_relaxed.h"
#include "gate_shared.h"
#include "schema.h"

#define ALL_SLOTS	PG_UINT64_MAX

/* Prepared transactions of a key that are looked up before its lock is had again. */
#define MAX_LOOKED_UP	16

/*
 * A sliding window's parts are kept for that long after they left it, for those
 * whose clock was read a little earlier.
 */
#define PARTS_LINGER	(60 * USECS_PER_SEC)

bool
ul_shared_gate(void)
{
	return ul_shmem_exists() && ul_schema()->counters_watched && !RecoveryInProgress();
}

/*
 * The entry's sum that a sum can be had from, or NULL.  The parts of a sliding
 * window that has moved on are among those of the earlier one, but where it
 * starts within a part.
 */
static UlSharedSum *
find_sum(UlEntry *entry, const UlSum *sum)
{
	for (int i = 0; i < entry->nsums; i++)
	{
		UlSharedSum *shared = ul_shared_sum(entry, i);

		if (shared->measure != sum->measure || shared->subtype != sum->subtype_hash ||
			shared->sub_bucket != sum->sub_bucket || shared->end != sum->end)
			continue;
		if (shared->start == sum->start ||
			(sum->sub_bucket > 0 && shared->start < sum->start &&
			 ul_part_start(sum->sub_bucket, sum->start) == sum->start))
			return shared;
	}
	return NULL;
}

/* Frees the parts that left a sliding window long ago. */
static void
prune_parts(UlSharedSum *shared, TimestampTz start)
{
	UlRef	   *link = &shared->parts;

	if (shared->start >= start - 2 * PARTS_LINGER)
		return;
	shared->start = ul_part_start(shared->sub_bucket, start - PARTS_LINGER);
	while (*link != 0)
	{
		UlPartsNode *node = &ul_node(*link)->parts;
		int			kept = 0;

		for (int i = 0; i < node->count; i++)
			if (node->parts[i].start >= shared->start)
				node->parts[kept++] = node->parts[i];
		node->count = kept;
		if (kept == 0)
		{
			UlRef		empty = *link;

			*link = node->next;
			ul_free_node(empty);
		}
		else
			link = &node->next;
	}
}

bool
ul_add_shared_sum(UlSum *sum, const UlSharedSum *shared)
{
	if (shared->sub_bucket == 0)
	{
		sum->used = ul_add_saturated(sum->used, shared->committed);
		return true;
	}
	for (UlRef ref = shared->parts; ref != 0; ref = ul_node(ref)->next)
	{
		const UlPartsNode *node = &ul_node(ref)->parts;

		for (int i = 0; i < node->count; i++)
			if (!ul_sum_add_part(sum, node->parts[i].start, node->parts[i].used))
				return false;
	}
	return true;
}

bool
ul_add_record(UlSum *sum, const UlRecord *record, UlAsk ask)
{
	bool		certain = record->state == UL_RECORD_COMMITTED ||
	(record->state == UL_RECORD_OPEN && record->pid == MyProcPid);
	int64		amount = 0;

	if (sum->subtype_hash != 0 && sum->subtype_hash != record->subtype)
		return true;
	if (certain || ask == UL_ASK_READ || ask == UL_ASK_ADD || ask == UL_ASK_ADD_UNHELD)
		amount += record->up[sum->measure];
	if (certain || ask == UL_ASK_TAKE)
		amount -= record->down[sum->measure];
	return ul_sum_add(sum, record->bucket_start, amount);
}

/* Whether all tests are met. */
static bool
tests_met(const UlTest *tests, int ntests, UlAsk ask)
{
	for (int i = 0; i < ntests; i++)
	{
		const UlTest *test = &tests[i];

		if (ask == UL_ASK_TAKE ? test->sum->used < test->requested :
			test->denies &&
			test->requested > ul_subtract_saturated(test->value, test->sum->used))
			return false;
	}
	return true;
}

/* Sums it all up from a loaded entry; false if there is no room. */
static bool
read_entry(UlEntry *entry, UlAsk ask, UlTest *tests, int ntests)
{
	for (int i = 0; i < ntests; i++)
	{
		UlSum	   *sum = tests[i].sum;
		UlSharedSum *shared = find_sum(entry, sum);

		if (shared->sub_bucket > 0)
			prune_parts(shared, sum->start);
		if (!ul_add_shared_sum(sum, shared))
			return false;
		for (UlRef ref = entry->records; ref != 0; ref = ul_node(ref)->next)
			if (!ul_add_record(sum, &ul_node(ref)->record, ask))
				return false;
		ul_sum_parts(sum);
	}
	return true;
}

/*
 * Whether the sums that the tests ask for are known, and those that the pin has
 * watched; it watches no longer.
 */
static bool
is_readable(UlEntry *entry, UlPin *pin, const UlTest *tests, int ntests)
{
	bool		watched = pin->watched;

	pin->watched = false;
	if (watched && entry->marks != pin->marks)
		return false;
	if (entry->state != UL_ENTRY_LOADED ||
		entry->generation != ul_entry_generation(entry))
		return false;
	for (int i = 0; i < ntests; i++)
		if (find_sum(entry, tests[i].sum) == NULL)
			return false;
	return true;
}

void
ul_make_cold(UlEntry *entry)
{
	entry->marks++;
	entry->unheld = false;
	if (entry->state == UL_ENTRY_LOADED)
		entry->state = UL_ENTRY_COLD;
}

/* Drops the records of a transaction that has ended, and the sums with them. */
static void
drop_ended(UlEntry *entry, uint64 xid)
{
	UlRef	   *link = &entry->records;

	while (*link != 0)
	{
		UlRecord   *record = &ul_node(*link)->record;
		UlRef		ended = *link;

		if (record->state != UL_RECORD_PREPARED || record->xid != xid)
		{
			link = &record->next;
			continue;
		}
		if (record->slot >= 0)
			entry->slots &= ~(UINT64CONST(1) << record->slot);
		*link = record->next;
		ul_free_node(ended);
		entry->nprepared--;
	}
	ul_make_cold(entry);
}

/*
 * The first of the prepared transactions that have records in a locked entry, of
 * those with a greater xid than "after", in order; their number.
 */
static int
list_prepared(const UlEntry *entry, uint64 after, uint64 *xids)
{
	int			count = 0;

	for (UlRef ref = entry->records; ref != 0; ref = ul_node(ref)->next)
	{
		const UlRecord *record = &ul_node(ref)->record;
		int			place = count;

		if (record->state != UL_RECORD_PREPARED || record->xid <= after)
			continue;
		while (place > 0 && xids[place - 1] > record->xid)
			place--;
		if (place == MAX_LOOKED_UP || (place > 0 && xids[place - 1] == record->xid))
			continue;
		if (count < MAX_LOOKED_UP)
			count++;
		memmove(&xids[place + 1], &xids[place], sizeof(uint64) * (count - 1 - place));
		xids[place] = record->xid;
	}
	return count;
}

/*
 * Looks up how the prepared transactions that have records in a locked entry
 * are doing.  The lock is released meanwhile; the entry stays.
 */
static void
look_up_prepared(UlRef ref)
{
	UlEntry    *entry = ul_entry(ref);
	LWLock	   *lock = ul_partition_lock(entry->hash);
	uint64		xids[MAX_LOOKED_UP];
	uint64		after = 0;
	int			count;

	entry->pins++;
	do
	{
		bool		ended[MAX_LOOKED_UP];

		count = list_prepared(entry, after, xids);
		if (count == 0)
			break;
		after = xids[count - 1];
		LWLockRelease(lock);

		for (int i = 0; i < count; i++)
			ended[i] = !TransactionIdIsInProgress(XidFromFullTransactionId(FullTransactionIdFromU64(xids[i])));

		LWLockAcquire(lock, LW_EXCLUSIVE);
		for (int i = 0; i < count; i++)
			if (ended[i])
				drop_ended(entry, xids[i]);
	} while (count == MAX_LOOKED_UP);
	entry->pins--;
}

UlOutcome
ul_answer(UlRef ref, UlPin *pin, UlAsk ask, UlTest *tests, int ntests)
{
	UlEntry    *entry = ul_entry(ref);

	if (ntests > 0 && entry->nprepared > 0)
		look_up_prepared(ref);
	if (ntests > 0 && !is_readable(entry, pin, tests, ntests))
		return UL_AGAIN;
	if (ask == UL_ASK_ADD_UNHELD && !entry->unheld)
		return UL_MAYBE_HELD;
	pin->unheld = entry->unheld;
	pin->marks = entry->marks;
	if (!read_entry(entry, ask, tests, ntests))
		return UL_UNAVAILABLE;
	return tests_met(tests, ntests, ask) ? UL_ADMITTED : UL_REFUSED;
}

/* Adds bookings to the transaction's records; nodes for new ones are there. */
static void
book(UlPin *pin, UlRef ref, UlBooking *bookings, const uint64 *subtypes, int nbookings,
	 UlRef *spare, TimestampTz since)
{
	UlEntry    *entry = ul_entry(ref);

	for (int i = 0; i < nbookings; i++)
	{
		UlBooking  *booking = &bookings[i];
		UlRecord   *record;

		if (*booking->record == 0)
		{
			UlRef		node = *spare;

			*spare = ul_node(node)->next;
			record = &ul_node(node)->record;
			record->next = entry->records;
			record->state = UL_RECORD_OPEN;
			record->slot = -1;
			record->pid = MyProcPid;
			record->xid = pin->writing ? U64FromFullTransactionId(GetTopFullTransactionIdIfAny()) : 0;
			record->bucket_start = booking->bucket_start;
			record->subtype = subtypes[i];
			record->since = since;
			entry->records = node;
			*booking->record = node;
		}
		record = &ul_node(*booking->record)->record;
		for (int j = 0; j < UL_NMEASURES; j++)
		{
			record->up[j] += booking->up[j];
			record->down[j] += booking->down[j];
		}
	}
	if (pin->entry == 0)
	{
		entry->pins++;
		pin->entry = ref;
	}
}

/* Nodes for the records that bookings will make; false if there are none left. */
static bool
alloc_records(const UlBooking *bookings, int nbookings, UlRef *spare)
{
	*spare = 0;
	for (int i = 0; i < nbookings; i++)
	{
		UlRef		node;

		if (*bookings[i].record != 0)
			continue;
		node = ul_alloc_node();
		if (node == 0)
		{
			ul_free_nodes(*spare);
			return false;
		}
		ul_node(node)->next = *spare;
		*spare = node;
	}
	return true;
}

void
ul_shared_watch(UlPin *pin)
{
	UlRef		ref;

	ul_shmem_attach();
	pin->watched = true;
	pin->marks = 0;
	ref = ul_lock_entry(pin, false);
	if (ref == 0)
		return;
	if (ul_entry(ref)->state == UL_ENTRY_LOADED)
		pin->marks = ul_entry(ref)->marks;
	LWLockRelease(ul_partition_lock(pin->hash));
}

bool
ul_shared_note_unheld(const UlPin *pin)
{
	UlRef		ref;
	bool		noted = false;

	/* nobody would tell of what is held later */
	if (!ul_schema()->holds_watched)
		return false;
	ref = ul_lock_entry(pin, false);
	if (ref == 0)
		return false;
	if (ul_entry(ref)->state == UL_ENTRY_LOADED && ul_entry(ref)->marks == pin->marks)
	{
		ul_entry(ref)->unheld = true;
		noted = true;
	}
	LWLockRelease(ul_partition_lock(pin->hash));
	return noted;
}

UlOutcome
ul_shared_ask(UlPin *pin, UlAsk ask, UlTest *tests, int ntests,
			  UlBooking *bookings, int nbookings, TimestampTz now)
{
	LWLock	   *lock = ul_partition_lock(pin->hash);
	uint64		few_subtypes[8];
	uint64	   *subtypes = few_subtypes;
	UlRef		spare;
	UlRef		ref;
	UlOutcome	outcome;
	TimestampTz since = nbookings > 0 ? GetCurrentStatementStartTimestamp() : 0;
	bool		wait = ask != UL_ASK_READ && ask != UL_ASK_REACHED;

	ul_shmem_attach();
	if (nbookings > (int) lengthof(few_subtypes))
		subtypes = palloc(sizeof(uint64) * nbookings);
	for (int i = 0; i < nbookings; i++)
		subtypes[i] = ul_subtype_hash(bookings[i].event_subtype);
	ul_hash_subtypes(tests, ntests);
	if (!alloc_records(bookings, nbookings, &spare))
		return UL_UNAVAILABLE;

	ref = ul_lock_entry(pin, wait);
	if (ref == 0)
	{
		ul_free_nodes(spare);
		if (!wait)
			return ul_load(pin, tests, ntests, now, false) ? UL_AGAIN : UL_UNAVAILABLE;
		return UL_UNAVAILABLE;
	}
	outcome = ul_answer(ref, pin, ask, tests, ntests);
	if (outcome == UL_ADMITTED && nbookings > 0)
		book(pin, ref, bookings, subtypes, nbookings, &spare, since);
	LWLockRelease(lock);
	ul_free_nodes(spare);

	if (outcome == UL_AGAIN && !ul_load(pin, tests, ntests, now, wait))
		outcome = UL_UNAVAILABLE;
	return outcome;
}

TimestampTz
ul_shared_newest_bucket(const UlPin *pin)
{
	UlRef		ref;
	TimestampTz newest = DT_NOBEGIN;

	ref = ul_lock_entry(pin, false);
	if (ref == 0)
		return DT_NOBEGIN;
	if (ul_entry(ref)->nprepared > 0)
		look_up_prepared(ref);
	for (UlRef node = ul_entry(ref)->records; node != 0; node = ul_node(node)->next)
		newest = Max(newest, ul_node(node)->record.bucket_start);
	LWLockRelease(ul_partition_lock(pin->hash));
	return newest;
}

void
ul_shared_withdraw(const UlPin *pin, UlRef ref, const int64 *up, const int64 *down)
{
	LWLock	   *lock = ul_partition_lock(pin->hash);
	UlRecord   *record = &ul_node(ref)->record;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; i < UL_NMEASURES; i++)
	{
		record->up[i] -= up[i];
		record->down[i] -= down[i];
	}
	LWLockRelease(lock);
}

/* A node of the entry's records that is this transaction's, from a node on. */
static UlRef
my_record(UlRef from)
{
	while (from != 0 &&
		   (ul_node(from)->record.state != UL_RECORD_OPEN || ul_node(from)->record.pid != MyProcPid))
		from = ul_node(from)->next;
	return from;
}

bool
ul_pin_entry(UlPin *pin)
{
	UlRef		ref;

	if (pin->entry != 0)
	{
		LWLockAcquire(ul_partition_lock(pin->hash), LW_EXCLUSIVE);
		return true;
	}
	ref = ul_lock_entry(pin, true);
	if (ref == 0)
		return false;
	ul_entry(ref)->pins++;
	pin->entry = ref;
	return true;
}

/*
 * Whether no prepared transaction may have rows of a locked entry's slots that
 * the entry does not know of.  The lock is released meanwhile.
 */
static bool
slots_are_known(const UlPin *pin)
{
	UlEntry    *entry = ul_entry(pin->entry);
	LWLock	   *lock = ul_partition_lock(pin->hash);
	uint64		marks = entry->marks;
	bool		known;

	if (entry->prepared_known)
		return true;
	LWLockRelease(lock);
	known = ul_gate_await_prepared(pin->hash, false);
	LWLockAcquire(lock, LW_EXCLUSIVE);
	/* who has prepared meanwhile has marked it */
	if (!known || entry->marks != marks)
		return false;
	entry->prepared_known = true;
	return true;
}

void
ul_shared_begin_write(UlPin *pin, bool want_slot, uint64 xid)
{
	UlEntry    *entry;
	UlRef		first;

	pin->slot = -1;
	if (!want_slot && pin->entry == 0)
		return;
	if (!ul_pin_entry(pin))
		return;
	entry = ul_entry(pin->entry);
	if (want_slot && !slots_are_known(pin))
		want_slot = false;
	first = my_record(entry->records);
	for (UlRef ref = first; ref != 0; ref = my_record(ul_node(ref)->next))
		ul_node(ref)->record.xid = xid;
	if (want_slot && entry->slots != ALL_SLOTS)
	{
		pin->slot = pg_rightmost_one_pos64(~entry->slots);
		entry->slots |= UINT64CONST(1) << pin->slot;
	}
	pin->row = entry->row;
	pin->writing = true;
	LWLockRelease(ul_partition_lock(pin->hash));
	if (want_slot && pin->slot < 0)
		ul_count(UL_STAT_SLOT_OVERFLOWS);
}

bool
ul_shared_take_all_slots(UlPin *pin)
{
	UlEntry    *entry;

	if (!ul_pin_entry(pin))
		return false;
	entry = ul_entry(pin->entry);
	if (entry->nprepared > 0)
		look_up_prepared(pin->entry);
	if (slots_are_known(pin) && entry->slots == 0)
	{
		entry->slots = ALL_SLOTS;
		pin->all_slots = true;
	}
	LWLockRelease(ul_partition_lock(pin->hash));
	return pin->all_slots;
}

/* Adds to a part of a sliding window; false if there is no node for it. */
static bool
add_to_parts(UlSharedSum *shared, TimestampTz start, int64 used)
{
	UlRef		with_room = 0;

	for (UlRef ref = shared->parts; ref != 0; ref = ul_node(ref)->next)
	{
		UlPartsNode *node = &ul_node(ref)->parts;

		for (int i = 0; i < node->count; i++)
		{
			if (node->parts[i].start == start)
			{
				node->parts[i].used = ul_add_saturated(node->parts[i].used, used);
				return true;
			}
		}
		if (node->count < UL_NODE_PARTS)
			with_room = ref;
	}
	if (with_room == 0)
	{
		with_room = ul_alloc_node();
		if (with_room == 0)
			return false;
		ul_node(with_room)->next = shared->parts;
		shared->parts = with_room;
	}
	ul_node(with_room)->parts.parts[ul_node(with_room)->parts.count++] =
		(UlPart)
	{
		.start = start,.used = used
	};
	return true;
}

bool
ul_add_to_shared_sum(UlSharedSum *shared, TimestampTz bucket_start, uint64 subtype,
					 const int64 *measures)
{
	int64		used = measures[shared->measure];

	if (used == 0 || bucket_start < shared->start || bucket_start >= shared->end ||
		(shared->subtype != 0 && shared->subtype != subtype))
		return true;
	if (shared->sub_bucket > 0)
		return add_to_parts(shared, ul_part_start(shared->sub_bucket, bucket_start), used);
	shared->committed = ul_add_saturated(shared->committed, used);
	return true;
}

/* Adds what was committed to the sums of a loaded entry. */
static void
add_committed(UlEntry *entry, const UlRecord *record)
{
	int64		measures[UL_NMEASURES];

	for (int i = 0; i < UL_NMEASURES; i++)
		measures[i] = record->up[i] - record->down[i];
	for (int i = 0; i < entry->nsums; i++)
		if (!ul_add_to_shared_sum(ul_shared_sum(entry, i), record->bucket_start,
								  record->subtype, measures))
			ul_make_cold(entry);
}

static void
release_pin(UlPin *pin, UlEntry *entry)
{
	pin->taken_xid = 0;
	if (pin->all_slots)
		entry->slots = 0;
	entry->pins--;
	pin->entry = 0;
}

void
ul_shared_end(UlPin *pin, bool committed)
{
	LWLock	   *lock = ul_partition_lock(pin->hash);
	UlEntry    *entry = ul_entry(pin->entry);
	UlRef	   *link = &entry->records;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	while (*link != 0)
	{
		UlRecord   *record = &ul_node(*link)->record;
		UlRef		ref = *link;

		if (record->state != UL_RECORD_OPEN || record->pid != MyProcPid)
		{
			link = &record->next;
			continue;
		}
		if (committed && entry->state == UL_ENTRY_LOADING)
		{
			record->state = UL_RECORD_COMMITTED;
			record->pid = 0;
			link = &record->next;
			continue;
		}
		if (committed && entry->state == UL_ENTRY_LOADED)
			add_committed(entry, record);
		*link = record->next;
		ul_free_node(ref);
	}
	if (pin->taken_xid != 0)
		ul_end_taken(entry, pin->taken_xid, committed);
	if (pin->slot >= 0)
		entry->slots &= ~(UINT64CONST(1) << pin->slot);
	if (pin->slot == 0 && committed)
		entry->row = pin->row;
	release_pin(pin, entry);
	LWLockRelease(lock);
}

void
ul_shared_prepare(UlPin *pin)
{
	LWLock	   *lock = ul_partition_lock(pin->hash);
	UlEntry    *entry = ul_entry(pin->entry);
	UlRef	   *link = &entry->records;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	while (*link != 0)
	{
		UlRecord   *record = &ul_node(*link)->record;
		UlRef		ref = *link;

		if (record->state != UL_RECORD_OPEN || record->pid != MyProcPid)
		{
			link = &record->next;
			continue;
		}
		/* what comes to nothing has no row, and no xid to tell its end by */
		if (record->xid == 0)
		{
			*link = record->next;
			ul_free_node(ref);
			continue;
		}
		record->state = UL_RECORD_PREPARED;
		record->pid = 0;
		record->slot = pin->slot;
		pin->slot = -1;			/* the first has it */
		entry->nprepared++;
		link = &record->next;
	}

	/*
	 * Without a record the key was marked as prepared, so that nobody takes a
	 * slot of it before the transaction has ended: see slots_are_known.
	 */
	if (pin->slot >= 0)
		entry->slots &= ~(UINT64CONST(1) << pin->slot);
	release_pin(pin, entry);
	LWLockRelease(lock);
}

/* Calls ul_make_cold for the key's entry, if there is one. */
static void
mark(const UlPin *pin, bool prepared)
{
	UlRef		ref;

	ref = ul_lock_entry(pin, false);
	if (ref == 0)
		return;
	ul_make_cold(ul_entry(ref));
	if (prepared)
		ul_entry(ref)->prepared_known = false;
	LWLockRelease(ul_partition_lock(pin->hash));
}

void
ul_shared_mark(const UlPin *pin)
{
	mark(pin, false);
}

void
ul_shared_mark_prepared(const UlPin *pin)
{
	mark(pin, true);
}
