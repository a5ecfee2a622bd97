/*-------------------------------------------------------------------------
 *
 * shmem.c
 *		What the shared gate keeps in shared memory.
 *
 * An array of entries, one a key that is or was in use, found by a hash table
 * of as many buckets; an array of nodes, of which the entries' lists are made
 * (records, parts of sliding windows, ...); counters for each backend.
 *
 * Locking protocol:
 *
 * - Buckets are dealt out to NPARTITIONS partitions, each with an LWLock.  An
 *	 entry, and all nodes that hang on it, belong to the partition of its key.
 *	 They are read and written with that lock held exclusively; a pointer into
 *	 them means nothing once it is released, but where a pin keeps the entry.
 * - Free entries and free nodes, and the clock hand, are behind one spinlock,
 *	 held for a few instructions.  It may be taken with a partition's lock held,
 *	 never the other way round.
 * - No process holds two partitions' locks.  With one held nothing is
 *	 allocated, no error is raised, no lock of PostgreSQL's is taken, no table
 *	 is read and nobody is waited for.  Nodes are allocated before the lock is
 *	 taken, and what is left over is freed.
 * - An entry that has records, slots, pins, relaxed amounts or denials, or that
 *	 is being loaded, is not evicted and keeps its place.
 * - Records: only the transaction that made a record changes its amounts and
 *	 ends it, until it is prepared; then whoever finds the transaction ended
 *	 drops it, and the entry's sums with it.
 * - COLD to LOADING, and LOADING to COLD or LOADED, is done only by who holds
 *	 the key's lock (see gate_lock.c) exclusively; LOADED to COLD by anybody.
 *	 While LOADING, committed records stay, for the loader to look at; in any
 *	 other state their end takes them away.
 * - "marks" only rises, also from one entry of a key to the next.  A loader whose
 *	 entry was marked while it read leaves it COLD.
 * - "unheld" is set by whoever found usage_holds without rows, if the entry was
 *	 not marked since before that; every mark clears it.  Whoever puts a row
 *	 there marks its keys at once, after the row is there and before anybody can
 *	 see it: so an unheld entry's key has no holds.
 * - Rates: a state is loaded, or closed, only by who holds the key's lock
 *	 exclusively; it is changed, while it is not closed, by anybody.  Whoever has
 *	 taken it to be flushed (its xid) says when that has ended; meanwhile it is
 *	 used on, and dirty again.  What is dirty, or closed, is not evicted.
 *	 Whoever changes usage_rates by hand keeps those who flush out, from before
 *	 the change to the end of its transaction, and then has the key's states
 *	 dropped; a loader that was at it meanwhile leaves none.
 * - The databases are behind the same spinlock.  One that is dirty has something
 *	 to flush: whoever adds that to an entry, or gives it back, says so afterwards,
 *	 and the worker says that it is clean before it looks at the entries.  What the
 *	 worker was flushing when an error ended it is dirty again, and as old as it was.
 * - A backend's counters are written by that backend only, and read by all.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "guc.h"
#include "shmem.h"

#define NPARTITIONS		128

/* Relations share these, so that a mark may make another's entries cold too */
#define NGENERATIONS	64

/* Free nodes that a backend keeps, and how many it takes at once. */
#define MAX_KEPT_NODES	64
#define NODES_AT_ONCE	16

/* Entries that are looked at for one to evict. */
#define EVICTION_TRIES	256

#define TRANCHE_NAME	"usage_limits"

typedef struct UlBackendStats
{
	uint64		count[UL_NSTATS];
} UlBackendStats;

typedef struct UlShared
{
	slock_t		mutex;
	UlRef		free_entries;	/* by mutex, as are the next six */
	UlRef		free_nodes;
	int			nfree_entries;
	int			nfree_nodes;
	UlRef		last_entry;		/* those beyond it were never in use */
	UlRef		last_node;
	UlRef		hand;			/* the next entry to look at for eviction */
	int			max_entries;	/* the rest does not change */
	int			max_nodes;
	uint32		bucket_mask;
	int			nbackends;
	uint64		seed;
	UlDatabase	databases[UL_MAX_DATABASES];	/* by mutex */
	Latch	   *launcher;
	pg_atomic_uint64 births;	/* of entries */
	pg_atomic_uint64 stats_reset_at;
	pg_atomic_uint32 generation[NGENERATIONS];
} UlShared;

static UlShared *shared = NULL;
static LWLockPadded *locks = NULL;
static UlRef *buckets = NULL;
static UlEntry *entries = NULL; /* from 1 */
static UlNode *nodes = NULL;	/* from 1 */
static UlBackendStats *stats = NULL;

static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

/* Free nodes of this backend */
static UlRef kept_nodes = 0;
static int	nkept_nodes = 0;

static int
bucket_count(int max_entries)
{
	int			count = NPARTITIONS;

	while (count < max_entries)
		count *= 2;
	return count;
}

static int
node_count(int max_entries)
{
	return max_entries / 4 + MaxBackends * 32 + 1024;
}

Size
ul_shmem_size(int max_counters)
{
	Size		size = MAXALIGN(sizeof(UlShared));

	size = add_size(size, MAXALIGN(mul_size(bucket_count(max_counters), sizeof(UlRef))));
	size = add_size(size, MAXALIGN(mul_size(max_counters + 1, sizeof(UlEntry))));
	size = add_size(size, MAXALIGN(mul_size(node_count(max_counters) + 1, sizeof(UlNode))));
	return add_size(size, MAXALIGN(mul_size(ul_backend_count() + 1, sizeof(UlBackendStats))));
}

static void
request_memory(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(ul_shmem_size(ul_max_counters));
	RequestNamedLWLockTranche(TRANCHE_NAME, NPARTITIONS);
}

/* What was never in use is not touched. */
static void
init_memory(void)
{
	memset(shared, 0, sizeof(UlShared));
	memset(buckets, 0, bucket_count(ul_max_counters) * sizeof(UlRef));
	memset(stats, 0, (ul_backend_count() + 1) * sizeof(UlBackendStats));
	SpinLockInit(&shared->mutex);
	shared->max_entries = ul_max_counters;
	shared->max_nodes = node_count(ul_max_counters);
	shared->bucket_mask = bucket_count(ul_max_counters) - 1;
	shared->nbackends = ul_backend_count();
	shared->hand = 1;
	if (!pg_strong_random(&shared->seed, sizeof(shared->seed)))
		shared->seed = pg_prng_uint64(&pg_global_prng_state);
	pg_atomic_init_u64(&shared->births, 1);
	pg_atomic_init_u64(&shared->stats_reset_at, (uint64) GetCurrentTimestamp());
	for (int i = 0; i < NGENERATIONS; i++)
		pg_atomic_init_u32(&shared->generation[i], 1);
}

static void
start_memory(void)
{
	bool		found;
	char	   *base;

	if (previous_startup_hook)
		previous_startup_hook();

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	base = ShmemInitStruct("usage_limits", ul_shmem_size(ul_max_counters), &found);
	shared = (UlShared *) base;
	buckets = (UlRef *) (base + MAXALIGN(sizeof(UlShared)));
	entries = (UlEntry *) ((char *) buckets +
						   MAXALIGN(bucket_count(ul_max_counters) * sizeof(UlRef)));
	nodes = (UlNode *) ((char *) entries + MAXALIGN((ul_max_counters + 1) * sizeof(UlEntry)));
	stats = (UlBackendStats *) ((char *) nodes +
								MAXALIGN((node_count(ul_max_counters) + 1) * sizeof(UlNode)));
	if (!found)
		init_memory();
	locks = GetNamedLWLockTranche(TRANCHE_NAME);
	kept_nodes = 0;
	nkept_nodes = 0;
	LWLockRelease(AddinShmemInitLock);
}

void
ul_shmem_init(void)
{
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_memory;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = start_memory;
}

bool
ul_shmem_exists(void)
{
	return shared != NULL;
}

uint64
ul_shmem_seed(void)
{
	return shared->seed;
}

static UlRef *
bucket_of(uint64 hash)
{
	return &buckets[(uint32) hash & shared->bucket_mask];
}

LWLock *
ul_partition_lock(uint64 hash)
{
	return &locks[(uint32) hash % NPARTITIONS].lock;
}

UlEntry *
ul_entry(UlRef ref)
{
	Assert(ref > 0 && ref <= (UlRef) shared->max_entries);
	return &entries[ref];
}

UlNode *
ul_node(UlRef ref)
{
	Assert(ref > 0 && ref <= (UlRef) shared->max_nodes);
	return &nodes[ref];
}

UlRef
ul_find_entry(const UlEntryKey *key, uint64 hash)
{
	Assert(LWLockHeldByMeInMode(ul_partition_lock(hash), LW_EXCLUSIVE));
	for (UlRef ref = *bucket_of(hash); ref != 0; ref = entries[ref].next)
		if (entries[ref].hash == hash &&
			memcmp(&entries[ref].key, key, sizeof(UlEntryKey)) == 0)
			return ref;
	return 0;
}

void
ul_link_entry(UlRef ref, const UlEntryKey *key, uint64 hash)
{
	UlEntry    *entry = &entries[ref];
	UlRef	   *bucket = bucket_of(hash);

	Assert(LWLockHeldByMeInMode(ul_partition_lock(hash), LW_EXCLUSIVE));
	memset(entry, 0, sizeof(*entry));
	entry->key = *key;
	entry->hash = hash;
	pg_write_barrier();			/* see ul_lock_place */
	entry->state = UL_ENTRY_COLD;
	entry->used = true;
	/* never the same as that of an entry which the key had before */
	entry->marks = pg_atomic_fetch_add_u64(&shared->births, 1) << 32;
	entry->next = *bucket;
	*bucket = ref;
}

void
ul_unlink_entry(UlRef ref)
{
	UlEntry    *entry = &entries[ref];
	UlRef	   *link = bucket_of(entry->hash);

	Assert(LWLockHeldByMeInMode(ul_partition_lock(entry->hash), LW_EXCLUSIVE));
	Assert(ul_entry_is_idle(entry));
	while (*link != ref)
		link = &entries[*link].next;
	*link = entry->next;
	ul_drop_sums(entry);
	ul_free_nodes(entry->name);
	entry->name = 0;
	ul_free_nodes(entry->rates);
	entry->rates = 0;
	entry->state = UL_ENTRY_FREE;
}

bool
ul_entry_is_idle(const UlEntry *entry)
{
	if (entry->rates_dirty)
		return false;
	return (entry->state == UL_ENTRY_COLD || entry->state == UL_ENTRY_LOADED) &&
		entry->records == 0 && entry->slots == 0 && entry->pins == 0 &&
		entry->relaxed == 0 && entry->denials == 0;
}

void
ul_drop_sums(UlEntry *entry)
{
	UlRef		next;

	for (int i = 0; i < Min(entry->nsums, UL_INLINE_SUMS); i++)
		ul_free_nodes(entry->sums[i].parts);
	for (UlRef ref = entry->more_sums; ref != 0; ref = next)
	{
		next = nodes[ref].next;
		for (int i = 0; i < UL_NODE_SUMS; i++)
			ul_free_nodes(nodes[ref].sums.sums[i].parts);
		ul_free_node(ref);
	}
	entry->more_sums = 0;
	entry->nsums = 0;
}

LWLock *
ul_lock_place(UlRef ref)
{
	UlEntry    *entry = &entries[ref];
	uint64		hash = entry->hash; /* may be another's by the time it is
									 * locked */
	LWLock	   *lock = ul_partition_lock(hash);

	LWLockAcquire(lock, LW_EXCLUSIVE);

	/*
	 * If it is in use the hash is that of its present key, of which ours
	 * cannot become the one while we have the lock.
	 */
	if (entry->state != UL_ENTRY_FREE)
	{
		pg_read_barrier();
		if (entry->hash == hash)
			return lock;
	}
	LWLockRelease(lock);
	return NULL;
}

/* Makes an idle entry that was not used lately free; whether it could. */
static bool
evict(UlRef ref)
{
	UlEntry    *entry = &entries[ref];
	LWLock	   *lock = ul_lock_place(ref);
	bool		evicted = false;

	if (lock == NULL)
		return false;
	if (ul_entry_is_idle(entry) && !entry->used)
	{
		ul_unlink_entry(ref);
		evicted = true;
	}
	entry->used = false;
	LWLockRelease(lock);
	return evicted;
}

/* Moves the clock hand on; the entry that it has made free, or 0. */
static UlRef
evict_next(void)
{
	UlRef		candidate;

	SpinLockAcquire(&shared->mutex);
	candidate = shared->hand;
	shared->hand = candidate % shared->max_entries + 1;
	SpinLockRelease(&shared->mutex);
	if (!evict(candidate))
		return 0;
	ul_count(UL_STAT_EVICTIONS);
	return candidate;
}

UlRef
ul_alloc_entry(void)
{
	UlRef		ref;

	SpinLockAcquire(&shared->mutex);
	ref = shared->free_entries;
	if (ref != 0)
	{
		shared->free_entries = entries[ref].next;
		shared->nfree_entries--;
	}
	else if (shared->last_entry < (UlRef) shared->max_entries)
	{
		ref = ++shared->last_entry;
		entries[ref].state = UL_ENTRY_FREE;
	}
	SpinLockRelease(&shared->mutex);

	for (int i = 0; ref == 0 && i < EVICTION_TRIES; i++)
		ref = evict_next();
	return ref;
}

void
ul_free_entry(UlRef ref)
{
	SpinLockAcquire(&shared->mutex);
	entries[ref].next = shared->free_entries;
	shared->free_entries = ref;
	shared->nfree_entries++;
	SpinLockRelease(&shared->mutex);
}

UlRef
ul_alloc_node(void)
{
	UlRef		ref = kept_nodes;

	if (ref == 0)
	{
		SpinLockAcquire(&shared->mutex);
		for (int i = 0; i < NODES_AT_ONCE; i++)
		{
			ref = shared->free_nodes;
			if (ref != 0)
			{
				shared->free_nodes = nodes[ref].next;
				shared->nfree_nodes--;
			}
			else if (shared->last_node < (UlRef) shared->max_nodes)
				ref = ++shared->last_node;
			else
				break;
			nodes[ref].next = kept_nodes;
			kept_nodes = ref;
			nkept_nodes++;
		}
		SpinLockRelease(&shared->mutex);
		ref = kept_nodes;
	}
	if (ref != 0)
	{
		kept_nodes = nodes[ref].next;
		nkept_nodes--;
		memset(&nodes[ref], 0, sizeof(UlNode));
	}
	return ref;
}

/* Gives all but some of the kept nodes back. */
static void
return_nodes(int keep)
{
	SpinLockAcquire(&shared->mutex);
	while (nkept_nodes > keep)
	{
		UlRef		ref = kept_nodes;

		kept_nodes = nodes[ref].next;
		nkept_nodes--;
		nodes[ref].next = shared->free_nodes;
		shared->free_nodes = ref;
		shared->nfree_nodes++;
	}
	SpinLockRelease(&shared->mutex);
}

static void
return_all_nodes(int code, Datum arg)
{
	return_nodes(0);
}

void
ul_free_node(UlRef ref)
{
	nodes[ref].next = kept_nodes;
	kept_nodes = ref;
	if (++nkept_nodes > MAX_KEPT_NODES)
		return_nodes(MAX_KEPT_NODES - NODES_AT_ONCE);
}

void
ul_free_nodes(UlRef list)
{
	while (list != 0)
	{
		UlRef		next = nodes[list].next;

		ul_free_node(list);
		list = next;
	}
}

void
ul_shmem_attach(void)
{
	static bool attached = false;

	if (attached || shared == NULL)
		return;
	/* after the last transaction's abort, which frees nodes */
	on_shmem_exit(return_all_nodes, (Datum) 0);
	attached = true;
}

UlRef
ul_alloc_node_or_evict(void)
{
	UlRef		node = ul_alloc_node();

	for (int i = 0; node == 0 && i < EVICTION_TRIES; i++)
	{
		UlRef		entry = evict_next();

		if (entry == 0)
			continue;
		ul_free_entry(entry);
		node = ul_alloc_node();
	}
	return node;
}

uint32
ul_relation_generation(Oid relid)
{
	return pg_atomic_read_u32(&shared->generation[relid % NGENERATIONS]);
}

void
ul_mark_relation(Oid relid)
{
	pg_atomic_fetch_add_u32(&shared->generation[relid % NGENERATIONS], 1);
}

void
ul_shmem_usage(int *used_entries, int *used_nodes, int *max_nodes)
{
	SpinLockAcquire(&shared->mutex);
	*used_entries = shared->last_entry - shared->nfree_entries;
	*used_nodes = shared->last_node - shared->nfree_nodes;
	SpinLockRelease(&shared->mutex);
	*max_nodes = shared->max_nodes;
}

UlRef
ul_next_entry(UlRef from, Oid relid)
{
	UlRef		last;

	SpinLockAcquire(&shared->mutex);
	last = shared->last_entry;
	SpinLockRelease(&shared->mutex);

	/* read without a lock: who comes looks again with it */
	for (UlRef ref = from + 1; ref <= last; ref++)
		if (entries[ref].state != UL_ENTRY_FREE && entries[ref].key.database == MyDatabaseId &&
			(relid == InvalidOid || entries[ref].key.relid == relid))
			return ref;
	return 0;
}

UlRef
ul_next_dirty(UlRef from, Oid relid)
{
	while ((from = ul_next_entry(from, relid)) != 0)
		if (entries[from].relaxed != 0 || entries[from].denials != 0 || entries[from].rates_dirty)
			return from;
	return 0;
}

/*
 * The place of a database, made if there is none; the mutex is held.  Where all
 * places are taken, it is that of the database unused for longest which has
 * nothing to flush, if there is one.
 */
static UlDatabase *
find_database(Oid database, bool make)
{
	UlDatabase *free_place = NULL;
	UlDatabase *unused = NULL;

	for (int i = 0; i < UL_MAX_DATABASES; i++)
	{
		UlDatabase *place = &shared->databases[i];

		if (place->database == database)
			return place;
		if (free_place == NULL && place->database == InvalidOid)
			free_place = place;
		if (!place->dirty && place->worker == 0 &&
			(unused == NULL || place->used_at < unused->used_at))
			unused = place;
	}
	if (free_place == NULL)
		free_place = unused;
	if (!make || free_place == NULL)
		return NULL;
	memset(free_place, 0, sizeof(*free_place));
	free_place->database = database;
	return free_place;
}

void
ul_note_database(bool dirty, TimestampTz at)
{
	static UlDatabase *mine = NULL;
	TimestampTz since;
	Latch	   *wake = NULL;

	/* often, and then nothing changes */
	if (mine != NULL && mine->database == MyDatabaseId && (mine->dirty || !dirty) &&
		at - mine->used_at < USECS_PER_MINUTE)
		return;
	since = GetCurrentTimestamp();	/* "at" may be a test's clock */
	SpinLockAcquire(&shared->mutex);
	mine = find_database(MyDatabaseId, true);
	if (mine != NULL)
	{
		mine->used_at = at;
		if (dirty && !mine->dirty)
		{
			mine->dirty_since = since;
			wake = shared->launcher;
		}
		mine->dirty = mine->dirty || dirty;
	}
	SpinLockRelease(&shared->mutex);
	if (wake != NULL)
		SetLatch(wake);
}

void
ul_database_flushing(void)
{
	UlDatabase *place;

	SpinLockAcquire(&shared->mutex);
	place = find_database(MyDatabaseId, false);
	if (place != NULL)
	{
		place->flushing_since = place->dirty ? place->dirty_since : 0;
		place->dirty = false;
	}
	SpinLockRelease(&shared->mutex);
}

void
ul_database_flushed(TimestampTz at)
{
	UlDatabase *place;

	SpinLockAcquire(&shared->mutex);
	place = find_database(MyDatabaseId, false);
	if (place != NULL)
	{
		place->flushing_since = 0;
		place->flushed_at = at;
		place->failed_at = 0;
	}
	SpinLockRelease(&shared->mutex);
}

bool
ul_database_attach(Oid database)
{
	UlDatabase *place;
	bool		attached;

	SpinLockAcquire(&shared->mutex);
	place = find_database(database, false);
	attached = place != NULL && place->worker == 0;
	if (attached)
		place->worker = MyProcPid;
	SpinLockRelease(&shared->mutex);
	return attached;
}

void
ul_database_detach(Oid database, bool failed)
{
	TimestampTz now = GetCurrentTimestamp();
	UlDatabase *place;

	SpinLockAcquire(&shared->mutex);
	place = find_database(database, false);
	if (place != NULL && place->worker == MyProcPid)
	{
		place->worker = 0;
		if (failed)
			place->failed_at = now;
		if (failed && place->flushing_since != 0)
		{
			place->dirty = true;
			place->dirty_since = place->flushing_since;
		}
		place->flushing_since = 0;
	}
	SpinLockRelease(&shared->mutex);
}

void
ul_database_maintained(TimestampTz at)
{
	UlDatabase *place;

	SpinLockAcquire(&shared->mutex);
	place = find_database(MyDatabaseId, true);
	if (place != NULL)
		place->maintained_at = at;
	SpinLockRelease(&shared->mutex);
}

int
ul_list_databases(UlDatabase *databases)
{
	int			count = 0;

	SpinLockAcquire(&shared->mutex);
	for (int i = 0; i < UL_MAX_DATABASES; i++)
		if (shared->databases[i].database != InvalidOid)
			databases[count++] = shared->databases[i];
	SpinLockRelease(&shared->mutex);
	return count;
}

void
ul_forget_database(Oid database)
{
	UlDatabase *place;

	SpinLockAcquire(&shared->mutex);
	place = find_database(database, false);
	if (place != NULL)
		place->database = InvalidOid;
	SpinLockRelease(&shared->mutex);
}

void
ul_set_launcher(Latch *latch)
{
	SpinLockAcquire(&shared->mutex);
	shared->launcher = latch;
	SpinLockRelease(&shared->mutex);
}

void
ul_count_by(UlStat stat, int64 by)
{
	int			me;

	if (shared == NULL)
		return;
	me = ul_backend_index();
	if (me >= 0 && me < shared->nbackends)
		stats[me].count[stat] += by;
}

void
ul_count(UlStat stat)
{
	ul_count_by(stat, 1);
}

int64
ul_stat_sum(UlStat stat)
{
	int64		sum = 0;

	for (int i = 0; i < shared->nbackends; i++)
		sum += stats[i].count[stat];
	return sum - stats[shared->nbackends].count[stat];
}

/* The counters go on; what they were is taken off the sums. */
void
ul_stats_reset(TimestampTz at)
{
	UlBackendStats *base = &stats[shared->nbackends];

	for (int stat = 0; stat < UL_NSTATS; stat++)
		base->count[stat] += ul_stat_sum(stat);
	pg_atomic_write_u64(&shared->stats_reset_at, (uint64) at);
}

TimestampTz
ul_stats_reset_at(void)
{
	return (TimestampTz) pg_atomic_read_u64(&shared->stats_reset_at);
}
