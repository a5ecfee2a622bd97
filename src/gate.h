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

#include "utils/snapshot.h"

#include "amounts.h"
#include "sums.h"

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
 * Before a row that every holder of a key's lock writes again is written: a
 * SERIALIZABLE transaction, which has the lock, keeps it to its end whatever it
 * rolls back to a savepoint.
 */
extern void ul_gate_keep(uint64 hash);

/* Gives a key's lock back that was got for a moment. */
extern void ul_gate_unlock(uint64 hash);

/* Waits until nobody has a key's lock. */
extern void ul_gate_wait(uint64 hash);

/*
 * Keeps a key's setters (of a level, a reset, a refund) one after the other, and
 * who takes something back out of their way, to the end of the transaction.
 */
extern void ul_gate_lock_setter(uint64 hash);
extern void ul_gate_lock_taker(uint64 hash);

/*
 * Says, until the prepared transaction ends, that a key has uses which are
 * prepared; or, with hash 0, that any key of the database may have.
 */
extern void ul_gate_hold_prepared(uint64 hash);

/*
 * Waits for those who said so; false if there are any and "wait" is not set.
 */
extern bool ul_gate_await_prepared(uint64 hash, bool wait);

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

/* Locks what reports an alert, if that can be had at once; false if not. */
extern bool ul_gate_try_lock_alert(const char *user_id, int64 alert_id, const char *limit_type);

/* Keeps everybody else from attaching tables to a usage type and from repairing it. */
extern void ul_gate_lock_attachments(const char *usage_type);

/*
 * Keeps everybody from forgetting idempotency keys until the transaction ends,
 * or, if that can be had at once, everybody else.
 */
extern void ul_gate_keep_requests(void);
extern bool ul_gate_try_forget_requests(void);

/* Keeps everybody else from summing days; false if somebody does. */
extern bool ul_gate_try_sum_days(void);

/*
 * Keeps others out of a user's credits until the transaction ends: "alone"
 * everybody, else those who want to be alone.  A lock is that of many users, so
 * that a transaction needs only so many of them.
 */
extern void ul_gate_lock_credits(const char *user_id, bool alone);

/*
 * Keeps those who flush the states of rates out, to the end of the transaction;
 * and, if that can be had at once, those who change usage_rates by hand.
 */
extern void ul_gate_lock_rates(void);
extern bool ul_gate_try_flush_rates(void);

/*
 * Keeps a member from getting members, and his account from becoming a member,
 * until the transaction ends.
 */
extern void ul_gate_lock_membership(const char *user_id, const char *account_id);

/* A question about one sum: would "requested" more be at most "value"? */
typedef struct UlTest
{
	UlSum	   *sum;
	int64		requested;
	int64		value;
	bool		denies;			/* false: the answer is yes in any case */
} UlTest;

/*
 * Called with each committed counter row's bucket, subtype ("" for none) and
 * amounts, of which an account's members' are part.
 */
typedef void (*UlCounterSeen) (TimestampTz bucket_start, const char *event_subtype,
							   const int64 *measures, void *arg);

/*
 * Calls "seen" for the key's committed rows whose bucket starts at "from" or
 * later, in order, as a snapshot shows them.
 */
extern void ul_gate_scan(const char *user_id, const char *usage_type, TimestampTz from,
						 Snapshot snapshot, UlCounterSeen seen, void *arg);

/*
 * Adds the key's committed rows to the tests' sums, as of now and without what
 * this transaction wrote itself; the start of the newest bucket, or DT_NOBEGIN.
 */
extern TimestampTz ul_gate_read(const char *user_id, const char *usage_type,
								UlTest *tests, int ntests);

#endif							/* UL_GATE_H */
