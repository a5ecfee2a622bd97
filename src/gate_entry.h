/*-------------------------------------------------------------------------
 *
 * gate_entry.h
 *		The entries of the shared gate: how they are found by their keys.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_GATE_ENTRY_H
#define UL_GATE_ENTRY_H

#include "gate_shared.h"

/* The hash of a subtype, or of "" for none; never 0. */
extern uint64 ul_subtype_hash(const char *event_subtype);

/* Fills in the hashes of what the tests' sums count. */
extern void ul_hash_subtypes(UlTest *tests, int ntests);

/*
 * Locks the key's partition and returns its entry, made if there is none and
 * that is wanted; 0, and nothing is locked, if there is no entry or no room.
 */
extern UlRef ul_lock_entry(const UlPin *pin, bool make);

/*
 * A number that is another when all sums of the entry's relation are unknown: it
 * was marked, or its triggers were changed.
 */
extern uint32 ul_entry_generation(const UlEntry *entry);

/* The entry's sum of that number; the nodes must be there. */
extern UlSharedSum *ul_shared_sum(UlEntry *entry, int number);

/* Pins the key's entry, made if there is none, and locks it; false if there is no room. */
extern bool ul_pin_entry(UlPin *pin);

/* Makes the sums of a locked entry unknown. */
extern void ul_make_cold(UlEntry *entry);

/*
 * Answers from a locked entry: UL_AGAIN where its sums must be loaded first,
 * UL_UNAVAILABLE where there is no room.  The lock may be released meanwhile;
 * the entry stays.
 */
extern UlOutcome ul_answer(UlRef ref, UlPin *pin, UlAsk ask, UlTest *tests, int ntests);

/* Adds to a sum of a locked entry what counts in it; false if there is no node for it. */
extern bool ul_add_to_shared_sum(UlSharedSum *shared, TimestampTz bucket_start, uint64 subtype,
								 const int64 *measures);

#endif							/* UL_GATE_ENTRY_H */
