/*-------------------------------------------------------------------------
 *
 * gate_rate.h
 *		The states of rate limits at the shared gate.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_GATE_RATE_H
#define UL_GATE_RATE_H

#include "gate_shared.h"
#include "gcra.h"

/* A question about a rate: may so many more be used; and if all may, their use */
typedef struct UlRateTest
{
	const char *limit_type;
	UlRate		rate;
	int64		requested;
	int64		value;			/* the capacity */
	bool		denies;			/* false: the answer is yes in any case */
	TimestampTz at;
	TimestampTz since;			/* what was written before it counts no more */
	UlRateState before;			/* the answers: as of before the use */
	UlRateState after;
} UlRateTest;

/*
 * Uses the rates of a key if all of them admit that, at once and whatever
 * becomes of the transaction.  UL_AGAIN where somebody was waited for, and
 * UL_UNAVAILABLE where they must be had from the table, by the key's lock.
 */
extern UlOutcome ul_shared_use_rates(const UlPin *pin, UlRateTest *tests, int ntests);

/*
 * Gives back what was used, since something else denies, but for what may have
 * left before others used more: nothing is taken from them.
 */
extern void ul_shared_unuse_rates(const UlPin *pin, const UlRateTest *tests, int ntests);

/* The state of a rate, as it is; false if only the table says it. */
extern bool ul_shared_read_rate(const UlPin *pin, const char *limit_type, UlRateState *state);

/*
 * Has everybody else wait for the key's lock, which we have, before its rates
 * are used; "write" (NULL: nothing) is called for each state.
 */
typedef void (*UlRateWrite) (const char *user_id, const char *limit_type,
							 const UlRateState *state);
extern void ul_shared_close_rates(const UlPin *pin, UlRateWrite write);

/* Whether a key has states in memory that are closed. */
extern bool ul_shared_rates_closed(const UlPin *pin);

/*
 * Ends that: what was decided by the key's lock is in the table, if it has
 * committed; else the states are as they were.  Neither allocates nor fails.
 */
extern void ul_shared_open_rates(const UlPin *pin, bool committed);

/* Forgets the states of a key: its rows were changed by hand.  Neither allocates nor fails. */
extern void ul_shared_forget_rates(const UlPin *pin);

/* The same of a locked entry. */
extern void ul_forget_rates_of(UlEntry *entry);

/* The same for all keys of a table of counters of this database. */
extern void ul_shared_forget_all_rates(Oid relid);

/* Notes in a locked entry whether any of its rates is in no table, or closed. */
extern void ul_note_dirty_rates(UlEntry *entry);

/* Of a locked entry: takes states to be flushed, at most so many; their number. */
extern int	ul_shared_take_rates(UlEntry *entry, uint64 xid, UlRateTaken *taken, int room);

/* Ends what a transaction took of a locked entry.  Neither allocates nor fails. */
extern void ul_shared_end_rates(UlEntry *entry, uint64 xid, bool committed);

#endif							/* UL_GATE_RATE_H */
