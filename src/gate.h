/*-------------------------------------------------------------------------
 *
 * gate.h
 *		Who may decide about a key, and what it has used.
 *
 * A key is a user and a usage type.  The truth is always the rows of
 * usage_counters; the gate makes sure that nobody else decides on the same
 * rows between our decision and the end of our transaction.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_GATE_H
#define UL_GATE_H

#include "executor/tuptable.h"

#include "amounts.h"

/* A number for the key's lock: equal for equal keys, and orders locks. */
extern uint64 ul_gate_hash(const char *user_id, const char *usage_type);

/*
 * Locks a key until the transaction (or the subtransaction that took it, if
 * that rolls back) ends.  Returns true if it had to wait, so that what was
 * read before may be old.  The wait can be cancelled, times out and is seen
 * by the deadlock detector.
 */
extern bool ul_gate_lock(uint64 hash);

/* The same if it can be had at once; false if not. */
extern bool ul_gate_try_lock(uint64 hash);

/*
 * A slot of the key, 1 to UL_SHARED_SLOTS, whose rows nobody else writes or
 * folds until the transaction ends; 0 if none can be had at once.
 */
#define UL_SHARED_SLOTS 63
extern int	ul_gate_try_slot(uint64 hash);

/* Keeps everybody from having a slot of the key; false if somebody has one. */
extern bool ul_gate_try_fold(uint64 hash);

/* Locks a user's idempotency key until the transaction ends. */
extern void ul_gate_lock_request(const char *user_id, const char *key);

/* Locks the id of a hold until the transaction ends. */
extern void ul_gate_lock_hold(const char *hold_id);

/*
 * Keeps everybody from forgetting idempotency keys until the transaction ends,
 * or, if that can be had at once, everybody else.
 */
extern void ul_gate_keep_requests(void);
extern bool ul_gate_try_forget_requests(void);

/* Called with each committed counter row's bucket, subtype ("" for none), amounts. */
typedef void (*UlCounterSeen) (TimestampTz bucket_start, const char *event_subtype,
							   const int64 *measures, void *arg);

/*
 * Reads the key's committed rows whose bucket starts at "from" or later, in
 * order, as of now and without what this transaction wrote itself.
 */
extern void ul_gate_read(const char *user_id, const char *usage_type, TimestampTz from,
						 UlCounterSeen seen, void *arg);

#endif							/* UL_GATE_H */
