/*-------------------------------------------------------------------------
 *
 * shmem.h
 *		What the shared gate keeps in shared memory; shmem.c says under which
 *		lock each field is.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_SHMEM_H
#define UL_SHMEM_H

#include "datatype/timestamp.h"
#include "port/atomics.h"
#include "storage/itemptr.h"
#include "storage/latch.h"
#include "storage/lwlock.h"

#include "amounts.h"
#include "gcra.h"
#include "sums.h"

/* Position in the array of entries or of nodes; 0 is none. */
typedef uint32 UlRef;

#define UL_KEY_BYTES	48

/*
 * A user and usage type: the type, a zero, the user and zeros; or, where they
 * are too long for that, a SHA-256 of the two and a last byte of 1.
 */
typedef struct UlEntryKey
{
	Oid			database;
	Oid			relid;			/* of usage_counters; the same in a copy of
								 * the database */
	char		bytes[UL_KEY_BYTES];
} UlEntryKey;

/* The sum of a measure over a window, as far as it is committed */
typedef struct UlSharedSum
{
	TimestampTz start;
	TimestampTz end;
	uint64		subtype;		/* its hash; 0: all */
	int64		committed;		/* not of a sliding window */
	int64		sub_bucket;		/* of a sliding window; else 0 */
	UlRef		parts;			/* of a sliding window, newest first */
	uint8		measure;
} UlSharedSum;

#define UL_INLINE_SUMS	2

typedef enum UlEntryState
{
	UL_ENTRY_FREE,
	UL_ENTRY_COLD,				/* the sums are not known */
	UL_ENTRY_LOADING,			/* somebody is reading them */
	UL_ENTRY_LOADED
} UlEntryState;

typedef struct UlEntry
{
	UlEntryKey	key;
	ItemPointerData row;		/* where the row of slot 0 that was written
								 * last was, as an index would say it; or
								 * invalid */
	uint8		state:3,
				used:1,			/* since the clock hand came by */
				prepared_known:1,	/* every prepared transaction has its
									 * record */
				rates_dirty:1,	/* some are in no table yet, or closed */
				unheld:1;		/* nothing was held since it was marked last */
	uint8		nsums;
	uint64		hash;
	uint64		slots;			/* those that open transactions write */
	UlRef		next;			/* in the bucket, or in the free list */
	UlRef		records;
	UlRef		more_sums;		/* beyond the inline ones */
	UlRef		relaxed;		/* amounts that are in no table yet */
	UlRef		denials;
	UlRef		rates;			/* the states of rate limits */
	UlRef		name;			/* of a key that is a SHA-256 */
	uint32		generation;		/* of its relation when it was loaded */
	uint64		marks;			/* changes whenever it is marked or read anew */
	uint32		pins;			/* transactions that hold on to it */
	uint32		nprepared;		/* records in that state */
	UlSharedSum sums[UL_INLINE_SUMS];
} UlEntry;

typedef enum UlRecordState
{
	UL_RECORD_OPEN,
	UL_RECORD_COMMITTED,		/* while the entry is being loaded */
	UL_RECORD_PREPARED
} UlRecordState;

/* What a transaction has reserved in one bucket and subtype of a key */
typedef struct UlRecord
{
	UlRef		next;			/* of the entry */
	uint8		state;
	int8		slot;			/* to be freed with it; -1: none */
	int			pid;			/* 0: prepared */
	uint64		xid;			/* top-level, full; 0: writes no row yet */
	TimestampTz bucket_start;
	uint64		subtype;		/* its hash */
	TimestampTz since;
	int64		up[UL_NMEASURES];
	int64		down[UL_NMEASURES];
} UlRecord;

#define UL_NODE_PARTS	7
#define UL_NODE_SUMS	2
#define UL_NODE_TEXT	120

typedef struct UlPartsNode
{
	UlRef		next;
	int			count;
	UlPart		parts[UL_NODE_PARTS];
} UlPartsNode;

typedef struct UlSumsNode
{
	UlRef		next;
	UlSharedSum sums[UL_NODE_SUMS];
} UlSumsNode;

/* Uses of a relaxed type in one bucket and subtype, which are in no table yet */
typedef struct UlRelaxedNode
{
	UlRef		next;
	UlRef		subtype_text;
	uint64		subtype;		/* its hash */
	uint64		xid;			/* of who writes it; 0: nobody does */
	TimestampTz bucket_start;
	UlAmounts	amounts;
	TimestampTz first_at;
	TimestampTz last_at;
	bool		of_uses;		/* the times are of uses */
	bool		of_members;		/* an account's share */
} UlRelaxedNode;

/* How often a limit has denied on a UTC day */
typedef struct UlDenialNode
{
	UlRef		next;
	uint64		xid;			/* as above */
	int64		limit_id;
	TimestampTz day;
	int64		count;
	TimestampTz last_at;
} UlDenialNode;

/* Bytes of a limit's name in a node, with its end; those of longer names have none */
#define UL_RATE_NAME	64

/* The state of a rate limit */
typedef struct UlRateNode
{
	UlRef		next;
	uint64		xid;			/* of who writes it; 0: nobody does */
	UlRateState state;
	bool		dirty;			/* changed since it was written, or taken to
								 * be */
	bool		closed;			/* who has the key's lock decides by the table */
	bool		unwritten;		/* and has yet to write it */
	char		limit_type[UL_RATE_NAME];
} UlRateNode;

/* The same, copied to be written */
typedef struct UlRateTaken
{
	char		limit_type[UL_RATE_NAME];
	UlRateState state;
} UlRateTaken;

typedef struct UlTextNode
{
	UlRef		next;
	char		text[UL_NODE_TEXT];
} UlTextNode;

typedef union UlNode
{
	UlRef		next;
	UlRecord	record;
	UlPartsNode parts;
	UlSumsNode	sums;
	UlRelaxedNode relaxed;
	UlDenialNode denial;
	UlRateNode	rate;
	UlTextNode	text;
} UlNode;

/* What is counted for the view usage_limits_stats */
typedef enum UlStat
{
	UL_STAT_ADMITTED,
	UL_STAT_DENIED,
	UL_STAT_COLD_LOADS,
	UL_STAT_WAITS,
	UL_STAT_EVICTIONS,
	UL_STAT_LOCKED,				/* decisions under a key's lock */
	UL_STAT_SLOT_OVERFLOWS,
	UL_STAT_FLUSHED,
	UL_STAT_TRACK_ERRORS,
	UL_NSTATS
} UlStat;

/* A database that the worker may have work in */
typedef struct UlDatabase
{
	Oid			database;		/* InvalidOid: the place is free */
	bool		dirty;			/* shared memory has what is in no table yet */
	TimestampTz dirty_since;
	TimestampTz flushing_since; /* what the worker is flushing; 0: it is not */
	TimestampTz used_at;
	TimestampTz maintained_at;
	TimestampTz flushed_at;
	TimestampTz failed_at;		/* when an error ended its worker */
	int			worker;			/* its process; 0: there is none */
} UlDatabase;

#define UL_MAX_DATABASES 128

/* Reserves memory and locks; called while the library is preloaded. */
extern void ul_shmem_init(void);

/* Called once by a backend before it uses shared memory. */
extern void ul_shmem_attach(void);

/* Whether there is shared memory, that is, whether the library was preloaded. */
extern bool ul_shmem_exists(void);

/* The bytes that are reserved for a number of entries. */
extern Size ul_shmem_size(int max_counters);

/* A number nobody outside of this server knows, the same in all its processes. */
extern uint64 ul_shmem_seed(void);

/* The lock of the partition that a key's hash belongs to. */
extern LWLock *ul_partition_lock(uint64 hash);

extern UlEntry *ul_entry(UlRef ref);
extern UlNode *ul_node(UlRef ref);

/*
 * Locks the partition of the entry in a place and returns the lock; NULL, and
 * nothing is locked, if the place is free or has become another partition's.
 */
extern LWLock *ul_lock_place(UlRef ref);

/* The key's entry, or 0; the partition must be locked. */
extern UlRef ul_find_entry(const UlEntryKey *key, uint64 hash);

/*
 * Makes an entry of a free one; the partition must be locked, and have none
 * for the key.
 */
extern void ul_link_entry(UlRef ref, const UlEntryKey *key, uint64 hash);

/* Takes an entry without anything in it from its partition, which must be locked. */
extern void ul_unlink_entry(UlRef ref);

/*
 * A free entry, by evicting another if there is none; 0 if none can be had.
 * No partition may be locked.  An entry that is not linked must be given back.
 */
extern UlRef ul_alloc_entry(void);
extern void ul_free_entry(UlRef ref);

/* Whether the entry holds nothing but sums, so that it can go. */
extern bool ul_entry_is_idle(const UlEntry *entry);

/* Frees a loaded entry's sums; the partition must be locked. */
extern void ul_drop_sums(UlEntry *entry);

/*
 * A free node, or 0.  Freed nodes stay with the backend, up to a number.
 * Neither waits for a lock that is held for more than a few instructions.
 */
extern UlRef ul_alloc_node(void);
extern void ul_free_node(UlRef ref);
extern void ul_free_nodes(UlRef list);

/* The same, by evicting an entry that has some; no partition may be locked. */
extern UlRef ul_alloc_node_or_evict(void);

/* How often a relation, as a whole, was marked. */
extern uint32 ul_relation_generation(Oid relid);
extern void ul_mark_relation(Oid relid);

/* Entries and nodes in use. */
extern void ul_shmem_usage(int *entries, int *nodes, int *max_nodes);

/* The entry of a relation of this database from a place on that holds what is in no table, or 0. */
extern UlRef ul_next_dirty(UlRef from, Oid relid);

/* The entry of a relation from a place on, or 0; of this database, as above. */
extern UlRef ul_next_entry(UlRef from, Oid relid);

/*
 * Notes that this database is used or, dirty, that the worker has something to
 * flush.  Neither allocates nor fails.
 */
extern void ul_note_database(bool dirty, TimestampTz at);

/*
 * Notes that the worker of this database begins to flush: what comes from now on
 * makes it dirty again; and that it has flushed all that was there at a time.
 */
extern void ul_database_flushing(void);
extern void ul_database_flushed(TimestampTz at);
extern void ul_database_maintained(TimestampTz at);

/*
 * Makes this process the worker of a database; false if that has one, or is not
 * known.  Whoever is one says when it ends, before its process does: where an
 * error has "failed" it, what it was flushing is still to be flushed, and as old
 * as it was.
 */
extern bool ul_database_attach(Oid database);
extern void ul_database_detach(Oid database, bool failed);

/* The databases, copied; their number. */
extern int	ul_list_databases(UlDatabase *databases);
extern void ul_forget_database(Oid database);

/* Whom to wake when there is something to do. */
extern void ul_set_launcher(Latch *latch);

/* Counts for this backend; the sum over all; sets all to 0. */
extern void ul_count(UlStat stat);
extern void ul_count_by(UlStat stat, int64 by);
extern int64 ul_stat_sum(UlStat stat);
extern void ul_stats_reset(TimestampTz at);
extern TimestampTz ul_stats_reset_at(void);

#endif							/* UL_SHMEM_H */
