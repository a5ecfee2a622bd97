/*-------------------------------------------------------------------------
 *
 * gate_relaxed.h
 *		What the shared gate counts and no table has yet: uses of relaxed types,
 *		and denials.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_GATE_RELAXED_H
#define UL_GATE_RELAXED_H

#include "shmem.h"

/*
 * Ends what a transaction took of a locked entry to flush it.  Neither
 * allocates nor fails.
 */
extern void ul_end_taken(UlEntry *entry, uint64 xid, bool committed);

#endif							/* UL_GATE_RELAXED_H */
