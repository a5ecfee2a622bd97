/*-------------------------------------------------------------------------
 *
 * xact_write.c
 *		Writing what the current transaction has used as rows of usage_counters.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/pg_prng.h"

#include "gate.h"
#include "store.h"
#include "xact.h"

/* What the trigger on usage_counters is to know of what it sees */
static const UlCounterRow *writing = NULL;
static bool folding = false;

void
ul_add_amounts(UlAmounts *sum, const UlAmounts *amounts)
{
	int64	   *to = (int64 *) sum;
	const int64 *from = (const int64 *) amounts;

	for (size_t i = 0; i < UL_NAMOUNTS; i++)
		to[i] += from[i];
}

void
ul_subtract_amounts(UlAmounts *sum, const UlAmounts *amounts)
{
	int64	   *to = (int64 *) sum;
	const int64 *from = (const int64 *) amounts;

	for (size_t i = 0; i < UL_NAMOUNTS; i++)
		to[i] -= from[i];
}

bool
ul_is_use(const UlUse *use)
{
	return !use->of_members &&
		use->amounts.failed_events == 0 && use->amounts.cancelled_events == 0;
}

void
ul_add_times(UlTimes *to, const UlTimes *times)
{
	if (times->of_uses && !to->of_uses)
		*to = *times;
	else if (times->of_uses == to->of_uses)
	{
		to->first_at = Min(to->first_at, times->first_at);
		to->last_at = Max(to->last_at, times->last_at);
	}
}

UlAmounts
ul_cell_total(const UlCell *cell)
{
	UlAmounts	total = {0};

	for (UlFrame *frame = cell->top; frame != NULL; frame = frame->below)
		ul_add_amounts(&total, &frame->amounts);
	return total;
}

void
ul_frame_down(const UlFrame *frame, int64 *down)
{
	for (int i = 0; i < UL_NMEASURES; i++)
		down[i] = frame->up[i] - frame->amounts.measure[i];
}

void
ul_cell_up_down(const UlCell *cell, int64 *up, int64 *down)
{
	memset(up, 0, sizeof(int64) * UL_NMEASURES);
	memset(down, 0, sizeof(int64) * UL_NMEASURES);
	for (const UlFrame *frame = cell->top; frame != NULL; frame = frame->below)
	{
		int64		frame_down[UL_NMEASURES];

		ul_frame_down(frame, frame_down);
		for (int i = 0; i < UL_NMEASURES; i++)
		{
			up[i] += frame->up[i];
			down[i] += frame_down[i];
		}
	}
}

/*
 * In the shared gate, slots are dealt out by the key's entry.  What was tracked
 * without one gets a row of its own, so that a transaction of very many keys
 * does not fill the memory.
 */
static void
begin_write(UlKey *key)
{
	bool		want_slot = !IsolationUsesXactSnapshot() &&
	(key->locked_level > 0 || key->pin.entry != 0);

	ul_shared_begin_write(&key->pin, want_slot,
						  U64FromFullTransactionId(GetTopFullTransactionId()));
}

/*
 * The slot whose rows a transaction adds to: 0 for whoever holds the key's
 * lock, or gets it at once; else another that it gets at once.  Negative where
 * there is none, or where the transaction's snapshot would make a row that
 * others have changed an error.
 */
static int
slot_of(UlKey *key)
{
	if (ul_shared_gate())
	{
		if (!key->pin.writing)
			begin_write(key);
		return key->pin.slot;
	}
	if (IsolationUsesXactSnapshot())
		return -1;
	if (key->locked_level > 0)
		return 0;
	if (key->slot > 0)
		return key->slot;
	if (!ul_xact_count_lock())
		return -1;

	/* at the end of the transaction there is no level left to lose a lock */
	if (ul_gate_try_lock(key->hash))
	{
		key->locked_level = 1;
		return 0;
	}
	key->slot = ul_gate_try_slot(key->hash);
	return key->slot > 0 ? key->slot : -1;
}

/*
 * Of a row of one's own: an xid is not unique after a restore, a sequence is not
 * replicated.
 */
static int64
random_slot(void)
{
	return UL_SHARED_SLOTS + 1 + (int64) (pg_prng_uint64(&pg_global_prng_state) >> 2);
}

/* Adds to the key's row, or without a slot makes one of its own. */
static void
write_row(UlKey *key, UlCounterRow *row)
{
	const UlCounterRow *outer = writing;	/* whose trigger has us write */

	row->slot = slot_of(key);
	row->add = row->slot >= 0;
	if (!row->add)
		row->slot = random_slot();
	row->likely_new = row->likely_new && row->slot == 0;
	/* whoever has a slot has the one of the account's share as well */
	if (row->of_members)
		row->slot = -1 - row->slot;
	row->place = row->slot == 0 ? &key->pin.row : NULL;
	writing = row;
	ul_write_counter(row);
	writing = outer;
}

bool
ul_xact_write(UlCell *cell)
{
	UlKey	   *key = cell->key;
	UlCounterRow row = {
		.user_id = key->user_id,
		.usage_type = key->usage_type,
		.bucket_start = cell->bucket_start,
		.event_subtype = cell->event_subtype,
		.of_members = cell->of_members,
		.likely_new = key->rows_read && cell->bucket_start > key->newest_bucket,
	};
	UlAmounts	total = ul_cell_total(cell);
	UlTimes		times;
	const int64 *all = (const int64 *) &total;
	const int64 *written = (const int64 *) &cell->written;
	bool		nothing = true;

	for (size_t i = 0; i < UL_NAMOUNTS; i++)
		if (all[i] != written[i])
			nothing = false;
	if (nothing)
		return false;
	row.amounts = total;
	ul_subtract_amounts(&row.amounts, &cell->written);

	times = cell->top->times;
	for (UlFrame *frame = cell->top->below; frame != NULL; frame = frame->below)
		ul_add_times(&times, &frame->times);
	row.first_at = times.first_at;
	row.last_at = times.last_at;

	/* what a trigger on the row adds to the cell comes on top */
	cell->written = total;
	write_row(key, &row);
	return true;
}

int
ul_xact_flush(UlRef entry, bool rates, char **user_id, UlTaken *taken)
{
	char	   *usage_type;
	UlKey	   *key;
	UlKey	  **level;

	if (!ul_shared_name(entry, user_id, &usage_type))
		return -1;
	key = ul_xact_key(*user_id, usage_type);
	level = ul_xact_taken();
	/* it is given back as a whole: more is taken by the same level only */
	if (key->pin.taken_xid != 0 && *level != key)
		return -1;
	if (!ul_shared_take(&key->pin, U64FromFullTransactionId(GetTopFullTransactionId()), rates && !ul_xact_rates_changed(key),
						taken))
		return -1;
	if (*level != key)
	{
		key->next_taken = *level;
		*level = key;
	}
	for (int i = 0; i < taken->nuses; i++)
	{
		const UlRelaxedUse *use = &taken->uses[i];
		UlCounterRow row = {
			.user_id = key->user_id,
			.usage_type = key->usage_type,
			.bucket_start = use->bucket_start,
			.event_subtype = use->event_subtype,
			.of_members = use->of_members,
			/* it was admitted, and no key keeps the others from being written */
			.clamp = true,
			.amounts = use->amounts,
			.first_at = use->first_at,
			.last_at = use->last_at,
		};

		write_row(key, &row);
	}
	return taken->nuses;
}

bool
ul_xact_begin_fold(const char *user_id, const char *usage_type)
{
	UlKey	   *key = ul_xact_key(user_id, usage_type);

	if (!ul_gate_try_lock(key->hash))
		return false;
	if (ul_shared_gate() ? !ul_shared_take_all_slots(&key->pin) : !ul_gate_try_fold(key->hash))
		return false;
	return true;
}

const UlCounterRow *
ul_xact_writing(void)
{
	return writing;
}

void
ul_xact_set_folding(bool value)
{
	folding = value;
}

bool
ul_xact_folding(void)
{
	return folding;
}

void
ul_xact_abandon_writing(void)
{
	writing = NULL;
	folding = false;
}
