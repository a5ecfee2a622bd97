/*-------------------------------------------------------------------------
 *
 * xact.c
 *		What the current transaction has used and not yet written: the only
 *		transaction and subtransaction callbacks.
 *
 * The transaction's keys have cells (bucket and subtype), a cell has a stack
 * of frames, one a subtransaction level that booked something in it.  A
 * level's end looks only at the level's own frames: a commit adds each to the
 * frame of the level outside, a rollback drops it.  Neither allocates nor
 * fails.  So rolling back to a savepoint costs what was done since, and a
 * transaction of any number of calls writes one row a cell.
 *
 * Everything lives in the transaction's memory and is forgotten with it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "common/int.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "gate.h"
#include "gate_rate.h"
#include "rate.h"
#include "schema.h"
#include "store.h"
#include "xact.h"
#include "xact_prepare.h"

/* Keys that one transaction may lock: the lock table is the whole server's. */
#define MAX_LOCKED_KEYS 256

/* A subtransaction level that booked or locked something; innermost first */
typedef struct UlLevel
{
	int			level;
	UlFrame    *frames;
	UlKey	   *locked;
	UlKey	   *taken;
	UlKey	   *closed;
	struct UlLevel *outer;
} UlLevel;

/* Hash entries, whose key is what the pointers point at */
typedef struct KeyEntry
{
	UlKey	   *key;
	char		status;			/* of the hash table */
} KeyEntry;

typedef struct CellEntry
{
	UlCell	   *cell;
	char		status;			/* of the hash table */
} CellEntry;

static bool
same_key(const UlKey *a, const UlKey *b)
{
	return a->hash == b->hash &&
		strcmp(a->user_id, b->user_id) == 0 &&
		strcmp(a->usage_type, b->usage_type) == 0;
}

static uint32
cell_hash(const UlCell *cell)
{
	uint32		hash = (uint32) cell->key->hash;

	hash = hash_combine(hash, hash_bytes((const unsigned char *) &cell->bucket_start,
										 sizeof(cell->bucket_start)));
	return hash_combine(hash + cell->of_members,
						hash_bytes((const unsigned char *) cell->event_subtype,
								   strlen(cell->event_subtype)));
}

static bool
same_cell(const UlCell *a, const UlCell *b)
{
	return a->key == b->key && a->bucket_start == b->bucket_start &&
		a->of_members == b->of_members &&
		strcmp(a->event_subtype, b->event_subtype) == 0;
}

#define SH_PREFIX keys
#define SH_ELEMENT_TYPE KeyEntry
#define SH_KEY_TYPE UlKey *
#define SH_KEY key
#define SH_HASH_KEY(table, key) ((uint32) (key)->hash)
#define SH_EQUAL(table, a, b) same_key(a, b)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

#define SH_PREFIX cells
#define SH_ELEMENT_TYPE CellEntry
#define SH_KEY_TYPE UlCell *
#define SH_KEY cell
#define SH_HASH_KEY(table, key) cell_hash(key)
#define SH_EQUAL(table, a, b) same_cell(a, b)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* Keys that one transaction marks; beyond it everybody's are. */
#define MAX_MARKED_KEYS 1024

/* Entries that the hash tables of most transactions hold at most. */
#define FEW_ENTRIES 8

typedef struct UlXact
{
	MemoryContext context;
	keys_hash  *keys;
	cells_hash *cells;
	UlKey	   *all_keys;
	UlLevel    *levels;
	UlLevel    *spare_levels;
	UlFrame    *spare_frames;
	int			nlocked;
	int			nrecords;		/* of the shared gate */
	int			nmarked;
	Oid			marked_relation;	/* usage_counters, if it is to be marked
									 * whole */
	bool		emptied;		/* usage_counters was truncated */
	bool		config_changed;
	Oid			marked_rates;	/* as above, if all states of rates are to be
								 * forgotten */
	bool		flushed;		/* from now on every booking writes at once */
} UlXact;

static UlXact *current = NULL;

/* Does the work that keys have at commit; whether there was any. */
static bool
do_commit_work(bool prepared)
{
	bool		any = false;

	for (UlKey *key = current->all_keys; key != NULL; key = key->next)
	{
		UlCommitWork work = key->commit_work;

		if (work == NULL)
			continue;
		key->commit_work = NULL;
		work(key, prepared);
		any = true;
	}
	return any;
}

/* Writes what is not in the table; whether there was any. */
static bool
write_cells(void)
{
	bool		any = false;

	for (UlKey *key = current->all_keys; key != NULL; key = key->next)
		for (UlCell *cell = key->cells; cell != NULL; cell = cell->next_in_key)
			if (ul_xact_write(cell))
				any = true;
	return any;
}

/*
 * Triggers on what is written may use more, of any key: it ends when nothing is
 * left.
 *
 * A transaction may have become read-only after what it booked was admitted;
 * like any row written before, that is still committed.
 */
static void
flush(bool prepared)
{
	bool		read_only = XactReadOnly;
	bool		any;

	XactReadOnly = false;
	do
	{
		CHECK_FOR_INTERRUPTS();
		any = do_commit_work(prepared);
		any = write_cells() || any;
	} while (any);
	XactReadOnly = read_only;
	current->flushed = true;
}

/* Neither allocates nor fails. */
static void
end_rates(bool committed)
{
	for (UlKey *key = current->all_keys; key != NULL; key = key->next)
	{
		if (key->rates_closed)
			ul_shared_open_rates(&key->pin, committed);
		if (committed && ul_shmem_exists() && key->rates_marked)
			ul_shared_forget_rates(&key->pin);
	}
	if (committed && ul_shmem_exists() && current->marked_rates != InvalidOid)
		ul_shared_forget_all_rates(current->marked_rates);
}

/* The same. */
static void
end_xact(bool committed)
{
	end_rates(committed);
	for (UlKey *key = current->all_keys; key != NULL; key = key->next)
	{
		if (key->pin.entry != 0)
			ul_shared_end(&key->pin, committed);
		if (committed && ul_shmem_exists() && (key->marked || ul_xact_has_unrecorded(key)))
			ul_shared_mark(&key->pin);
	}
	if (committed && ul_shmem_exists() && current->marked_relation != InvalidOid)
		ul_mark_relation(current->marked_relation);
	current = NULL;				/* its memory goes with the transaction's */
}

static void
xact_callback(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT)
	{
		ul_xact_abandon_writing();
		ul_rate_set_writing(false);
		ul_abandon_load();
	}
	if (current == NULL)
		return;

	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			flush(false);
			break;
		case XACT_EVENT_PRE_PREPARE:
			flush(true);
			ul_xact_refuse_prepare(current->all_keys, current->marked_rates != InvalidOid);
			ul_xact_hold_prepared(current->all_keys, current->marked_relation);
			break;
		case XACT_EVENT_COMMIT:
			end_xact(true);
			break;
		case XACT_EVENT_PREPARE:

			/*
			 * a closed key, of which no states are in memory, stays locked:
			 * its rates are loaded when it has ended
			 */
			end_rates(true);
			for (UlKey *key = current->all_keys; key != NULL; key = key->next)
				if (key->pin.entry != 0)
					ul_shared_prepare(&key->pin);
			current = NULL;
			break;
		case XACT_EVENT_ABORT:
			end_xact(false);
			break;
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
			break;
	}
}

/* The level becomes part of the one outside. */
static void
commit_level(UlLevel *level)
{
	UlLevel    *outer = level->outer;
	UlFrame    *next;
	UlKey	   *next_locked;

	if (outer == NULL || outer->level < level->level - 1)
	{
		/* nothing there yet: this level moves out as a whole */
		level->level--;
		for (UlFrame *frame = level->frames; frame != NULL; frame = frame->next_in_level)
			frame->level = level->level;
		for (UlKey *key = level->locked; key != NULL; key = key->next_locked)
			key->locked_level = level->level;
		return;
	}

	for (UlFrame *frame = level->frames; frame != NULL; frame = next)
	{
		UlFrame    *below = frame->below;

		next = frame->next_in_level;
		if (below != NULL && below->level == outer->level)
		{
			ul_add_amounts(&below->amounts, &frame->amounts);
			for (int i = 0; i < UL_NMEASURES; i++)
				below->up[i] += frame->up[i];
			ul_add_times(&below->times, &frame->times);
			frame->cell->top = below;
			frame->next_in_level = current->spare_frames;
			current->spare_frames = frame;
		}
		else
		{
			frame->level = outer->level;
			frame->next_in_level = outer->frames;
			outer->frames = frame;
		}
	}
	for (UlKey *key = level->locked; key != NULL; key = next_locked)
	{
		next_locked = key->next_locked;
		key->locked_level = outer->level;
		key->next_locked = outer->locked;
		outer->locked = key;
	}
	for (UlKey *key = level->taken; key != NULL; key = next_locked)
	{
		next_locked = key->next_taken;
		key->next_taken = outer->taken;
		outer->taken = key;
	}
	for (UlKey *key = level->closed; key != NULL; key = next_locked)
	{
		next_locked = key->next_closed;
		key->next_closed = outer->closed;
		outer->closed = key;
	}
	current->levels = outer;
	level->outer = current->spare_levels;
	current->spare_levels = level;
}

/* What the level booked is given back, and its locks are gone. */
static void
abort_level(UlLevel *level)
{
	UlFrame    *next;

	for (UlFrame *frame = level->frames; frame != NULL; frame = next)
	{
		int64		down[UL_NMEASURES];

		next = frame->next_in_level;
		frame->cell->top = frame->below;
		if (frame->cell->record != 0)
		{
			ul_frame_down(frame, down);
			ul_shared_withdraw(&frame->cell->key->pin, frame->cell->record, frame->up, down);
		}
		if (current->flushed)	/* its row is rolled back as well */
			ul_subtract_amounts(&frame->cell->written, &frame->amounts);
		frame->next_in_level = current->spare_frames;
		current->spare_frames = frame;
	}
	for (UlKey *key = level->locked; key != NULL; key = key->next_locked)
	{
		key->locked_level = 0;
		current->nlocked--;
	}
	for (UlKey *key = level->closed; key != NULL; key = key->next_closed)
	{
		key->rates_closed = false;
		ul_shared_open_rates(&key->pin, false);
	}
	for (UlKey *key = level->taken; key != NULL; key = key->next_taken)
		ul_shared_give_back(&key->pin);
	current->levels = level->outer;
	level->outer = current->spare_levels;
	current->spare_levels = level;
}

static void
subxact_callback(SubXactEvent event, SubTransactionId mySubid,
				 SubTransactionId parentSubid, void *arg)
{
	UlLevel    *level;

	if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		ul_xact_abandon_writing();
		ul_rate_set_writing(false);
		ul_abandon_load();
	}
	if (current == NULL)
		return;
	level = current->levels;
	if (level == NULL || level->level < GetCurrentTransactionNestLevel())
		return;

	if (event == SUBXACT_EVENT_COMMIT_SUB)
		commit_level(level);
	else if (event == SUBXACT_EVENT_ABORT_SUB)
		abort_level(level);
}

void
ul_xact_register(void)
{
	static bool registered = false;

	if (!registered)
	{
		RegisterXactCallback(xact_callback, NULL);
		RegisterSubXactCallback(subxact_callback, NULL);
		registered = true;
	}
}

static void
begin_xact(void)
{
	MemoryContext context;
	UlXact	   *xact;

	ul_xact_register();
	context = AllocSetContextCreate(TopTransactionContext, "usage_limits transaction",
									ALLOCSET_DEFAULT_SIZES);
	xact = MemoryContextAllocZero(context, sizeof(UlXact));
	xact->context = context;
	xact->keys = keys_create(context, FEW_ENTRIES, NULL);
	xact->cells = cells_create(context, FEW_ENTRIES, NULL);
	current = xact;
}

/* The current level's entry, made if there is none. */
static UlLevel *
current_level(void)
{
	int			nest = GetCurrentTransactionNestLevel();
	UlLevel    *level = current->levels;

	if (level != NULL && level->level == nest)
		return level;
	if (current->spare_levels != NULL)
	{
		level = current->spare_levels;
		current->spare_levels = level->outer;
	}
	else
		level = MemoryContextAlloc(current->context, sizeof(UlLevel));
	level->level = nest;
	level->frames = NULL;
	level->locked = NULL;
	level->taken = NULL;
	level->closed = NULL;
	level->outer = current->levels;
	current->levels = level;
	return level;
}

UlKey *
ul_xact_find_key(const char *user_id, const char *usage_type)
{
	UlKey		sought = {
		.user_id = unconstify(char *, user_id),
		.usage_type = unconstify(char *, usage_type),
	};
	KeyEntry   *entry;

	if (current == NULL)
		return NULL;
	sought.hash = ul_gate_hash(user_id, usage_type);
	entry = keys_lookup(current->keys, &sought);
	return entry == NULL ? NULL : entry->key;
}

void
ul_xact_at_commit(UlKey *key, UlCommitWork work)
{
	if (current->flushed)
		work(key, false);
	else
		key->commit_work = work;
}

UlKey *
ul_xact_keys(void)
{
	return current == NULL ? NULL : current->all_keys;
}

UlKey *
ul_xact_key(const char *user_id, const char *usage_type)
{
	UlKey	   *key;
	bool		found;

	if (current == NULL)
		begin_xact();
	key = ul_xact_find_key(user_id, usage_type);
	if (key != NULL)
		return key;

	key = MemoryContextAllocZero(current->context, sizeof(UlKey));
	key->user_id = MemoryContextStrdup(current->context, user_id);
	key->usage_type = MemoryContextStrdup(current->context, usage_type);
	ul_init_pin(&key->pin, key->user_id, key->usage_type);
	key->hash = key->pin.hash;
	(void) keys_insert(current->keys, key, &found);
	key->next = current->all_keys;
	current->all_keys = key;
	return key;
}

bool
ul_xact_lock(UlKey *key)
{
	UlLevel    *level;
	bool		waited;

	if (key->locked_level > 0)
		return false;
	if (current->nlocked >= MAX_LOCKED_KEYS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many limited users in one transaction"),
				 errdetail("A transaction can decide about at most %d users and usage types.",
						   MAX_LOCKED_KEYS),
				 errhint("Use smaller transactions, or usage_track, which locks nothing.")));

	level = current_level();
	waited = ul_gate_lock(key->hash);
	/* here and not when the sums are read, which who only asks does too */
	if (ul_shared_gate())
		(void) ul_gate_await_prepared(key->hash, true);
	ul_count(UL_STAT_LOCKED);
	key->locked_level = level->level;
	key->next_locked = level->locked;
	level->locked = key;
	current->nlocked++;
	return waited;
}

void
ul_xact_lock_setter(UlKey *key)
{
	if (ul_shared_gate())
		ul_gate_lock_setter(key->hash);
	else
		(void) ul_xact_lock(key);
}

bool
ul_xact_count_lock(void)
{
	if (current->nlocked >= MAX_LOCKED_KEYS)
		return false;
	current->nlocked++;
	return true;
}

UlKey	  **
ul_xact_taken(void)
{
	return &current_level()->taken;
}

UlKey	  **
ul_xact_closed(void)
{
	return &current_level()->closed;
}

UlCell *
ul_xact_cell(UlKey *key, const UlUse *use)
{
	UlCell		sought = {
		.key = key,
		.bucket_start = use->bucket_start,
		.event_subtype = unconstify(char *, use->event_subtype == NULL ? "" : use->event_subtype),
		.of_members = use->of_members,
	};
	CellEntry  *entry = cells_lookup(current->cells, &sought);
	UlCell	   *cell;
	bool		found;

	if (entry != NULL)
		return entry->cell;
	cell = MemoryContextAllocZero(current->context, sizeof(UlCell));
	cell->key = key;
	cell->bucket_start = use->bucket_start;
	cell->event_subtype = MemoryContextStrdup(current->context, sought.event_subtype);
	cell->of_members = use->of_members;
	(void) cells_insert(current->cells, cell, &found);
	cell->next_in_key = key->cells;
	key->cells = cell;
	return cell;
}

/* The cell's frame of the current level, made if there is none. */
static UlFrame *
get_frame(UlCell *cell)
{
	UlLevel    *level = current_level();
	UlFrame    *frame = cell->top;

	if (frame != NULL && frame->level == level->level)
		return frame;
	if (current->spare_frames != NULL)
	{
		frame = current->spare_frames;
		current->spare_frames = frame->next_in_level;
	}
	else
		frame = MemoryContextAlloc(current->context, sizeof(UlFrame));
	memset(frame, 0, sizeof(*frame));
	frame->level = level->level;
	frame->times.first_at = DT_NOEND;
	frame->times.last_at = DT_NOBEGIN;
	frame->cell = cell;
	frame->below = cell->top;
	frame->next_in_level = level->frames;
	level->frames = frame;
	cell->top = frame;
	return frame;
}

void
ul_xact_prepare_frame(UlCell *cell, const UlUse *use)
{
	UlAmounts	total = ul_cell_total(cell);
	const int64 *sums = (const int64 *) &total;
	const int64 *added = (const int64 *) &use->amounts;
	int64		up[UL_NMEASURES];
	int64		down[UL_NMEASURES];
	int64		unused;
	bool		fits = true;

	for (size_t i = 0; i < UL_NAMOUNTS; i++)
		if (pg_add_s64_overflow(sums[i], added[i], &unused))
			fits = false;
	ul_cell_up_down(cell, up, down);
	for (int i = 0; i < UL_NMEASURES; i++)
		if (pg_add_s64_overflow(up[i], Max(use->amounts.measure[i], 0), &unused) ||
			pg_add_s64_overflow(down[i], Max(-use->amounts.measure[i], 0), &unused))
			fits = false;
	if (!fits)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("usage out of range")));
	(void) get_frame(cell);
}

void
ul_xact_add(UlCell *cell, const UlUse *use)
{
	UlFrame    *frame = cell->top;
	UlTimes		times = {
		.first_at = use->at,
		.last_at = use->at,
		.of_uses = ul_is_use(use),
	};

	ul_add_amounts(&frame->amounts, &use->amounts);
	for (int i = 0; i < UL_NMEASURES; i++)
		frame->up[i] += Max(use->amounts.measure[i], 0);
	ul_add_times(&frame->times, &times);
	if (current->flushed)
		ul_xact_write(cell);
}

int
ul_xact_count_records(int more)
{
	current->nrecords += more;
	return current->nrecords;
}

void
ul_xact_mark(const char *user_id, const char *usage_type)
{
	UlKey	   *key;

	if (current != NULL && current->nmarked >= MAX_MARKED_KEYS)
	{
		ul_xact_mark_all();
		return;
	}
	key = ul_xact_key(user_id, usage_type);
	if (!key->marked)
		current->nmarked++;
	key->marked = true;
}

void
ul_xact_mark_all(void)
{
	if (current == NULL)
		begin_xact();
	current->marked_relation = ul_schema()->oid[UL_USAGE_COUNTERS];
}

void
ul_xact_mark_rates(const char *user_id, const char *usage_type)
{
	UlKey	   *key;

	if (current != NULL && current->nmarked >= MAX_MARKED_KEYS)
	{
		ul_xact_mark_all_rates();
		return;
	}
	key = ul_xact_key(user_id, usage_type);
	if (!key->rates_marked)
		current->nmarked++;
	key->rates_marked = true;
}

void
ul_xact_mark_all_rates(void)
{
	if (current == NULL)
		begin_xact();
	current->marked_rates = ul_schema()->oid[UL_USAGE_COUNTERS];
}

void
ul_xact_mark_config(void)
{
	if (current == NULL)
		begin_xact();
	current->config_changed = true;
}

bool
ul_xact_rates_marked(const UlKey *key)
{
	return current != NULL &&
		(current->marked_rates != InvalidOid || (key != NULL && key->rates_marked));
}

bool
ul_xact_rates_changed(const UlKey *key)
{
	return ul_xact_rates_marked(key) || current->config_changed;
}

void
ul_xact_mark_emptied(void)
{
	ul_xact_mark_all();
	current->emptied = true;
}

bool
ul_xact_emptied(void)
{
	return current != NULL && current->emptied;
}
