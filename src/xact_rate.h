/*-------------------------------------------------------------------------
 *
 * xact_rate.h
 *		Rate limits and the current transaction.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_XACT_RATE_H
#define UL_XACT_RATE_H

#include "gate_rate.h"
#include "xact.h"

/*
 * Uses rates of a key at the shared gate, if all admit it: see
 * ul_shared_use_rates.  UL_UNAVAILABLE, and nothing is done, where they must be
 * had by the key's lock, from the table: see ul_xact_own_rates.
 */
extern UlOutcome ul_xact_use_rates(const UlKey *key, UlRateTest *tests, int ntests);

/*
 * Has the transaction decide about the key's rates by the table, to its end,
 * and everybody else wait for it; nothing without a shared gate.
 */
extern void ul_xact_own_rates(UlKey *key);

/*
 * The state of a rate as of now, with what this transaction has used itself.
 * Nobody is waited for.
 */
extern void ul_xact_read_rate(const char *user_id, const char *usage_type,
							  const char *limit_type, UlRateState *state);

#endif							/* UL_XACT_RATE_H */
