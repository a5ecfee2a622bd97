/*-------------------------------------------------------------------------
 *
 * xact_ask.c
 *		Asking the gate, and booking what it admits.
 *
 * What can fail is done first: once the gate has admitted something, the
 * transaction's own note of it is made without fail, so that whatever ends the
 * transaction gives it back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "gate.h"
#include "schema.h"
#include "xact.h"

/* Records that a transaction makes; beyond it tracks go without. */
#define MAX_RECORDS 4096

/* Parts of sliding windows that there is room for at the shared gate. */
#define MAX_PARTS	192

static bool
is_unrecorded(const UlCell *cell)
{
	if (cell->record != 0)
		return false;
	for (const UlFrame *frame = cell->top; frame != NULL; frame = frame->below)
		if (frame->times.last_at != DT_NOBEGIN)
			return true;
	return false;
}

bool
ul_xact_has_unrecorded(const UlKey *key)
{
	for (const UlCell *cell = key->cells; cell != NULL; cell = cell->next_in_key)
		if (is_unrecorded(cell))
			return true;
	return false;
}

/* Begins sums with what the transaction has booked without a record. */
static void
begin_sums(const UlKey *key, UlTest *tests, int ntests, int parts)
{
	for (int i = 0; i < ntests; i++)
	{
		tests[i].sum->used = 0;
		tests[i].sum->nparts = 0;
		ul_sum_make_room(tests[i].sum, parts);
	}
	if (key == NULL)
		return;
	for (const UlCell *cell = key->cells; cell != NULL; cell = cell->next_in_key)
	{
		int64		up[UL_NMEASURES];
		int64		down[UL_NMEASURES];

		if (!is_unrecorded(cell))
			continue;
		ul_cell_up_down(cell, up, down);
		for (int i = 0; i < ntests; i++)
		{
			UlSum	   *sum = tests[i].sum;

			if (!ul_sum_counts(sum, cell->event_subtype))
				continue;
			ul_sum_make_room(sum, 1);
			(void) ul_sum_add(sum, cell->bucket_start, up[sum->measure] - down[sum->measure]);
		}
	}
}

/* Bookings of the uses, and of what has no record yet. */
static int
make_bookings(UlKey *key, const UlUse *uses, UlCell **cells, int nuses, UlBooking **bookings)
{
	int			room = nuses;
	int			count = 0;

	for (UlCell *cell = key->cells; cell != NULL; cell = cell->next_in_key)
		if (is_unrecorded(cell))
			room++;
	*bookings = palloc0(sizeof(UlBooking) * Max(room, 1));
	for (UlCell *cell = key->cells; cell != NULL; cell = cell->next_in_key)
	{
		UlBooking  *booking = &(*bookings)[count];

		if (!is_unrecorded(cell))
			continue;
		booking->bucket_start = cell->bucket_start;
		booking->event_subtype = cell->event_subtype;
		ul_cell_up_down(cell, booking->up, booking->down);
		booking->record = &cell->record;
		count++;
	}
	for (int i = 0; i < nuses; i++)
	{
		UlBooking  *booking = NULL;

		/* of one cell, one booking */
		for (int j = 0; j < count && booking == NULL; j++)
			if ((*bookings)[j].record == &cells[i]->record)
				booking = &(*bookings)[j];
		if (booking == NULL)
		{
			booking = &(*bookings)[count++];
			booking->bucket_start = cells[i]->bucket_start;
			booking->event_subtype = cells[i]->event_subtype;
			booking->record = &cells[i]->record;
		}
		for (int j = 0; j < UL_NMEASURES; j++)
		{
			int64		amount = uses[i].amounts.measure[j];

			booking->up[j] += Max(amount, 0);
			booking->down[j] += Max(-amount, 0);
		}
	}
	return count;
}

UlOutcome
ul_xact_ask(UlKey *key, UlAsk ask, UlTest *tests, int ntests,
			const UlUse *uses, int nuses, TimestampTz now)
{
	UlCell	  **cells;
	UlBooking  *bookings;
	int			nbookings;
	UlOutcome	outcome;

	if (key->locked_level > 0 || ul_xact_emptied() || !ul_shared_gate())
		return UL_UNAVAILABLE;

	begin_sums(key, tests, ntests, MAX_PARTS);
	cells = palloc(sizeof(UlCell *) * Max(nuses, 1));
	for (int i = 0; i < nuses; i++)
		cells[i] = ul_xact_cell(key, &uses[i]);
	nbookings = make_bookings(key, uses, cells, nuses, &bookings);
	for (int i = 0; i < nuses; i++)
		ul_xact_prepare_frame(cells[i], &uses[i]);

	outcome = ul_shared_ask(&key->pin, ask, tests, ntests, bookings, nbookings, now);
	if (outcome == UL_ADMITTED)
	{
		(void) ul_xact_count_records(nbookings);
		for (int i = 0; i < nuses; i++)
			ul_xact_add(cells[i], &uses[i]);
	}
	pfree(bookings);
	pfree(cells);
	return outcome;
}

UlOutcome
ul_xact_use(UlKey *key, UlAsk ask, UlTest *tests, int ntests,
			const UlRelaxedUse *uses, int nuses, TimestampTz now)
{
	if (key->locked_level > 0 || ul_xact_emptied() || !ul_shared_gate())
		return UL_UNAVAILABLE;
	begin_sums(key, tests, ntests, MAX_PARTS);
	return ul_shared_use(&key->pin, ask, tests, ntests, uses, nuses, now);
}

UlPin *
ul_xact_read(const char *user_id, const char *usage_type, UlAsk ask,
			 UlTest *tests, int ntests, TimestampTz now)
{
	UlKey	   *key = ul_xact_find_key(user_id, usage_type);
	UlPin	   *pin;
	bool		locked = key != NULL && key->locked_level > 0;

	if (ntests == 0)
		return NULL;
	if (!ul_shared_gate())
	{
		TimestampTz newest;

		begin_sums(key, tests, ntests, 0);
		newest = ul_gate_read(user_id, usage_type, tests, ntests);
		if (key != NULL)
		{
			key->rows_read = true;
			key->newest_bucket = newest;
		}
		for (int i = 0; i < ntests; i++)
			ul_sum_parts(tests[i].sum);
		return NULL;
	}

	ul_xact_register();
	if (key != NULL)
		pin = &key->pin;
	else
	{
		pin = palloc(sizeof(UlPin));
		ul_init_pin(pin, user_id, usage_type);
	}

	/* once it is loaded it can be read, but for who marks it meanwhile */
	for (int round = 0; !locked && !ul_xact_emptied() && round < 2; round++)
	{
		UlOutcome	outcome;

		begin_sums(key, tests, ntests, MAX_PARTS);
		outcome = ul_shared_ask(pin, ask, tests, ntests, NULL, 0, now);
		if (outcome == UL_ADMITTED || outcome == UL_REFUSED)
			return pin;
		if (outcome == UL_UNAVAILABLE)
			break;
	}
	begin_sums(key, tests, ntests, 0);
	ul_shared_read(pin, ask, tests, ntests, locked);
	return NULL;
}

static int
compare_keys(const void *a, const void *b)
{
	uint64		left = (*(UlKey *const *) a)->hash;
	uint64		right = (*(UlKey *const *) b)->hash;

	return left < right ? -1 : left > right ? 1 : 0;
}

/* Sums that are not known are read by whoever gets the lock. */
bool
ul_xact_close(UlKey **keys, int count)
{
	bool		waited = false;

	qsort(keys, count, sizeof(UlKey *), compare_keys);
	for (int i = 0; i < count; i++)
	{
		if (ul_xact_lock(keys[i]))
			waited = true;
		if (ul_shared_gate())
			ul_shared_mark(&keys[i]->pin);
	}
	return waited;
}

void
ul_xact_unbook(UlKey *key, const UlUse *uses, int nuses)
{
	for (int i = 0; i < nuses; i++)
	{
		UlCell	   *cell = ul_xact_cell(key, &uses[i]);
		UlFrame    *frame = cell->top;
		int64		up[UL_NMEASURES];
		int64		down[UL_NMEASURES];
		int64	   *sums = (int64 *) &frame->amounts;
		const int64 *amounts = (const int64 *) &uses[i].amounts;

		for (int j = 0; j < UL_NMEASURES; j++)
		{
			up[j] = Max(uses[i].amounts.measure[j], 0);
			down[j] = Max(-uses[i].amounts.measure[j], 0);
			frame->up[j] -= up[j];
		}
		for (size_t j = 0; j < UL_NAMOUNTS; j++)
			sums[j] -= amounts[j];
		if (cell->record != 0)
			ul_shared_withdraw(&key->pin, cell->record, up, down);
	}
}

void
ul_xact_book(UlKey *key, const UlUse *use)
{
	UlCell	   *cell;

	if (ul_xact_count_records(0) < MAX_RECORDS &&
		ul_xact_ask(key, UL_ASK_ADD, NULL, 0, use, 1, use->at) == UL_ADMITTED)
		return;
	cell = ul_xact_cell(key, use);
	ul_xact_prepare_frame(cell, use);
	if (cell->record != 0)
	{
		/* it was recorded before, and must stay so */
		int64		up[UL_NMEASURES];
		int64		down[UL_NMEASURES];

		for (int i = 0; i < UL_NMEASURES; i++)
		{
			up[i] = Min(-use->amounts.measure[i], 0);
			down[i] = Min(use->amounts.measure[i], 0);
		}
		ul_shared_withdraw(&key->pin, cell->record, up, down);
	}
	ul_xact_add(cell, use);
}
