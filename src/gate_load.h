/*-------------------------------------------------------------------------
 *
 * gate_load.h
 *		Reading the sums of the shared gate's entries from the table; and what
 *		gate_load.c and gate_shared.c have in common.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_GATE_LOAD_H
#define UL_GATE_LOAD_H

#include "gate_shared.h"

/*
 * Makes the tests' sums known in the key's entry.  False if they can't be, or
 * if somebody would have to be waited for and "wait" is not set: then the sums
 * must be read otherwise.
 */
extern bool ul_load(const UlPin *pin, const UlTest *tests, int ntests, TimestampTz now, bool wait);

/*
 * Gets the key's lock to load; false if somebody has it.  With "wait" it is
 * waited for, but not kept: by then what is to be loaded may be there.
 */
extern bool ul_lock_to_load(const UlPin *pin, bool wait);

/* Adds an entry's sum, or a record, to a sum; false if there is no room. */
extern bool ul_add_shared_sum(UlSum *sum, const UlSharedSum *shared);
extern bool ul_add_record(UlSum *sum, const UlRecord *record, UlAsk ask);

#endif							/* UL_GATE_LOAD_H */
