/*-------------------------------------------------------------------------
 *
 * gate_rate.c
 *		The states of rate limits at the shared gate.
 *
 * A request is one whatever becomes of its transaction: the state of a rate is
 * a node of its key's entry, changed at once and for good, and written to
 * usage_rates when it is flushed, as what a relaxed type has used is.
 *
 * A node that is not there is loaded from the table, by whoever has the key's
 * lock.  Whoever must decide by the table, in its own transaction, takes that
 * lock and closes the nodes: the others wait for the lock, and then find them
 * gone, if that transaction has committed, or open again.
 *
 * shmem.c states the locking protocol.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "storage/lmgr.h"

#include "gate_entry.h"
#include "gate_load.h"
#include "gate_rate.h"
#include "rate.h"

/* The node of a limit in a locked entry, or NULL. */
static UlRateNode *
find_rate(UlEntry *entry, const char *limit_type)
{
	for (UlRef ref = entry->rates; ref != 0; ref = ul_node(ref)->next)
	{
		UlRateNode *node = &ul_node(ref)->rate;

		if (strcmp(node->limit_type, limit_type) == 0)
			return node;
	}
	return NULL;
}

void
ul_note_dirty_rates(UlEntry *entry)
{
	entry->rates_dirty = false;
	for (UlRef ref = entry->rates; ref != 0; ref = ul_node(ref)->next)
		if (ul_node(ref)->rate.dirty || ul_node(ref)->rate.closed)
			entry->rates_dirty = true;
}

static bool
is_closed(const UlRateNode *node)
{
	return node->closed;
}

static bool
is_any(const UlRateNode *node)
{
	return true;
}

/* Frees some nodes of a locked entry. */
static void
drop_rates(UlEntry *entry, bool (*which) (const UlRateNode *node))
{
	UlRef	   *link = &entry->rates;

	while (*link != 0)
	{
		UlRateNode *node = &ul_node(*link)->rate;
		UlRef		ref = *link;

		if (!which(node))
		{
			link = &node->next;
			continue;
		}
		*link = node->next;
		ul_free_node(ref);
	}
	ul_note_dirty_rates(entry);
}

/* Of nodes that are all there, answers; and if all say yes, uses. */
static bool
use_all(UlEntry *entry, UlRateTest *tests, int ntests)
{
	for (int i = 0; i < ntests; i++)
	{
		UlRateTest *test = &tests[i];

		test->before = find_rate(entry, test->limit_type)->state;
		if (test->before.written_at < test->since)
			ul_gcra_init(&test->before);
		ul_gcra_apply(&test->before, &test->rate);
	}
	for (int i = 0; i < ntests; i++)
		if (tests[i].denies &&
			tests[i].requested > ul_subtract_saturated(tests[i].value,
													   ul_gcra_used(&tests[i].before, tests[i].at)))
			return false;
	for (int i = 0; i < ntests; i++)
	{
		UlRateTest *test = &tests[i];
		UlRateNode *node = find_rate(entry, test->limit_type);

		test->after = test->before;
		ul_gcra_use(&test->after, &test->rate, test->at, test->requested);
		node->state = test->after;
		node->dirty = true;
	}
	entry->rates_dirty = true;
	return true;
}

/*
 * Loads the states that are not there.  False if they can't be; true also where
 * somebody was waited for, or others were at it, and the caller is to look again.
 */
static bool
load_rates(const UlPin *pin, const UlRateTest *tests, int ntests)
{
	uint64		marks;
	UlRateState *states = palloc(sizeof(UlRateState) * ntests);
	UlRef		spare = 0;
	UlRef		ref;
	UlEntry    *entry;
	bool		room = true;

	if (!ul_lock_to_load(pin, true))
		return true;
	ref = ul_lock_entry(pin, true);
	if (ref != 0)
	{
		marks = ul_entry(ref)->marks;
		LWLockRelease(ul_partition_lock(pin->hash));
		for (int i = 0; i < ntests; i++)
			ul_rate_read(pin->user_id, tests[i].limit_type, &states[i]);
		for (int i = 0; room && i < ntests; i++)
		{
			UlRef		node = ul_alloc_node_or_evict();

			if (node != 0)
			{
				ul_node(node)->next = spare;
				spare = node;
			}
			else
				room = false;
		}
		ref = ul_lock_entry(pin, true);
	}
	if (ref != 0)
	{
		entry = ul_entry(ref);
		for (int i = 0; room && entry->marks == marks && i < ntests; i++)
		{
			UlRef		fresh = spare;
			UlRateNode *node = &ul_node(fresh)->rate;

			if (find_rate(entry, tests[i].limit_type) != NULL)
				continue;
			spare = node->next;
			memset(ul_node(fresh), 0, sizeof(UlNode));
			strlcpy(node->limit_type, tests[i].limit_type, sizeof(node->limit_type));
			node->state = states[i];
			node->next = entry->rates;
			entry->rates = fresh;
		}
		LWLockRelease(ul_partition_lock(pin->hash));
	}
	ul_free_nodes(spare);
	ul_gate_unlock(pin->hash);
	pfree(states);
	return ref != 0 && room;
}

UlOutcome
ul_shared_use_rates(const UlPin *pin, UlRateTest *tests, int ntests)
{
	UlRef		ref;
	bool		known = true;
	bool		admitted = false;

	ul_shmem_attach();
	for (int i = 0; i < ntests; i++)
		if (strlen(tests[i].limit_type) >= UL_RATE_NAME)
			return UL_UNAVAILABLE;
	ref = ul_lock_entry(pin, true);
	if (ref == 0)
		return UL_UNAVAILABLE;
	for (int i = 0; i < ntests; i++)
	{
		const UlRateNode *node = find_rate(ul_entry(ref), tests[i].limit_type);

		if (node == NULL || node->closed)
			known = false;
	}
	if (known)
		admitted = use_all(ul_entry(ref), tests, ntests);
	LWLockRelease(ul_partition_lock(pin->hash));

	if (!known)
		return load_rates(pin, tests, ntests) ? UL_AGAIN : UL_UNAVAILABLE;
	if (!admitted)
		return UL_REFUSED;
	ul_note_database(true, tests[0].at);
	return UL_ADMITTED;
}

void
ul_shared_unuse_rates(const UlPin *pin, const UlRateTest *tests, int ntests)
{
	UlRef		ref = ul_lock_entry(pin, false);

	if (ref == 0)
		return;
	for (int i = 0; i < ntests; i++)
	{
		const UlRateTest *test = &tests[i];
		UlRateNode *node = find_rate(ul_entry(ref), test->limit_type);

		if (node == NULL)
			continue;
		if (memcmp(&node->state, &test->after, sizeof(UlRateState)) == 0)
			node->state = test->before;
		else
			/* without the use, time until the last one may have been idle */
			ul_gcra_give_back(&node->state, test->requested,
							  Max(node->state.written_at - test->after.written_at, 0));
		node->dirty = true;
	}
	ul_note_dirty_rates(ul_entry(ref));
	LWLockRelease(ul_partition_lock(pin->hash));
	ul_note_database(true, GetCurrentTimestamp());
}

bool
ul_shared_read_rate(const UlPin *pin, const char *limit_type, UlRateState *state)
{
	UlRef		ref = ul_lock_entry(pin, false);
	const UlRateNode *node;

	if (ref == 0)
		return false;
	node = find_rate(ul_entry(ref), limit_type);
	if (node != NULL)
		*state = node->state;
	LWLockRelease(ul_partition_lock(pin->hash));
	return node != NULL;
}

/* Closes the nodes of an entry; the xid of somebody who is flushing one, or 0. */
static uint64
close_nodes(const UlPin *pin)
{
	uint64		mine = U64FromFullTransactionId(GetTopFullTransactionIdIfAny());
	UlRef		ref = ul_lock_entry(pin, false);
	uint64		flusher = 0;

	if (ref == 0)
		return 0;
	for (UlRef node = ul_entry(ref)->rates; node != 0; node = ul_node(node)->next)
	{
		UlRateNode *rate = &ul_node(node)->rate;

		rate->closed = true;
		rate->unwritten = rate->state.written_at != DT_NOBEGIN;
		if (rate->xid != 0 && rate->xid != mine)
			flusher = rate->xid;
	}
	ul_note_dirty_rates(ul_entry(ref));
	LWLockRelease(ul_partition_lock(pin->hash));
	return flusher;
}

/* The next state that the closer is to write; false if there is none. */
static bool
next_unwritten(const UlPin *pin, UlRateTaken *next)
{
	UlRef		ref = ul_lock_entry(pin, false);
	bool		found = false;

	if (ref == 0)
		return false;
	for (UlRef node = ul_entry(ref)->rates; node != 0 && !found; node = ul_node(node)->next)
	{
		UlRateNode *rate = &ul_node(node)->rate;

		if (!rate->unwritten)
			continue;
		rate->unwritten = false;
		memcpy(next->limit_type, rate->limit_type, UL_RATE_NAME);
		next->state = rate->state;
		found = true;
	}
	LWLockRelease(ul_partition_lock(pin->hash));
	return found;
}

/*
 * Whoever is flushing a state is waited for.  Nobody who flushes waits for us:
 * what is closed is left to us.
 */
void
ul_shared_close_rates(const UlPin *pin, UlRateWrite write)
{
	uint64		flusher;
	UlRateTaken next;

	while ((flusher = close_nodes(pin)) != 0)
		XactLockTableWait(XidFromFullTransactionId(FullTransactionIdFromU64(flusher)),
						  NULL, NULL, XLTW_None);
	while (write != NULL && next_unwritten(pin, &next))
		write(pin->user_id, next.limit_type, &next.state);
}

bool
ul_shared_rates_closed(const UlPin *pin)
{
	UlRef		ref = ul_lock_entry(pin, false);
	bool		closed = false;

	if (ref == 0)
		return false;
	for (UlRef node = ul_entry(ref)->rates; node != 0; node = ul_node(node)->next)
		if (ul_node(node)->rate.closed)
			closed = true;
	LWLockRelease(ul_partition_lock(pin->hash));
	return closed;
}

void
ul_shared_open_rates(const UlPin *pin, bool committed)
{
	UlRef		ref = ul_lock_entry(pin, false);
	bool		dirty;

	if (ref == 0)
		return;
	if (committed)
		drop_rates(ul_entry(ref), is_closed);
	for (UlRef node = ul_entry(ref)->rates; node != 0; node = ul_node(node)->next)
		ul_node(node)->rate.closed = false;
	ul_note_dirty_rates(ul_entry(ref));
	dirty = ul_entry(ref)->rates_dirty;
	LWLockRelease(ul_partition_lock(pin->hash));
	if (dirty)
		ul_note_database(true, GetCurrentTimestamp());
}

/* Whoever is loading states leaves none. */
void
ul_forget_rates_of(UlEntry *entry)
{
	entry->marks++;
	drop_rates(entry, is_any);
}

void
ul_shared_forget_rates(const UlPin *pin)
{
	UlRef		ref = ul_lock_entry(pin, false);

	if (ref == 0)
		return;
	ul_forget_rates_of(ul_entry(ref));
	LWLockRelease(ul_partition_lock(pin->hash));
}

void
ul_shared_forget_all_rates(Oid relid)
{
	UlRef		ref = 0;

	while ((ref = ul_next_entry(ref, relid)) != 0)
	{
		LWLock	   *lock = ul_lock_place(ref);

		if (lock == NULL)
			continue;
		ul_forget_rates_of(ul_entry(ref));
		LWLockRelease(lock);
	}
}

int
ul_shared_take_rates(UlEntry *entry, uint64 xid, UlRateTaken *taken, int room)
{
	int			count = 0;

	for (UlRef ref = entry->rates; ref != 0 && count < room; ref = ul_node(ref)->next)
	{
		UlRateNode *node = &ul_node(ref)->rate;

		if (!node->dirty || node->closed || node->xid != 0)
			continue;
		node->dirty = false;
		node->xid = xid;
		memcpy(taken[count].limit_type, node->limit_type, UL_RATE_NAME);
		taken[count++].state = node->state;
	}
	ul_note_dirty_rates(entry);
	return count;
}

void
ul_shared_end_rates(UlEntry *entry, uint64 xid, bool committed)
{
	for (UlRef ref = entry->rates; ref != 0; ref = ul_node(ref)->next)
	{
		UlRateNode *node = &ul_node(ref)->rate;

		if (node->xid != xid)
			continue;
		node->xid = 0;
		node->dirty = node->dirty || !committed;
	}
	ul_note_dirty_rates(entry);
}
