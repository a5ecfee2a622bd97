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

/* The entry's sum of that number; the nodes must be there. */
extern UlSharedSum *ul_shared_sum(UlEntry *entry, int number);

#endif							/* UL_GATE_ENTRY_H */
