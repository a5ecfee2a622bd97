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

/* The hash of a subtype, or of "" for none; never 0. */
extern uint64 ul_subtype_hash(const char *event_subtype);

/* Fills in the hashes of what the tests' sums count. */
extern void ul_hash_subtypes(UlTest *tests, int ntests);

/*
 * Locks the key's partition and returns its entry, made if there is none and
 * that is wanted; 0, and nothing is locked, if there is no entry or no room.
 */
extern UlRef ul_lock_entry(const UlPin *pin, bool make);

/* The entry's sum of that number; the nodes must be there. */
extern UlSharedSum *ul_shared_sum(UlEntry *entry, int number);

/* Adds an entry's sum, or a record, to a sum; false if there is no room. */
extern bool ul_add_shared_sum(UlSum *sum, const UlSharedSum *shared);
extern bool ul_add_record(UlSum *sum, const UlRecord *record, UlAsk ask);

#endif							/* UL_GATE_LOAD_H */
