/*-------------------------------------------------------------------------
 *
 * rate.h
 *		The states of rate limits: a row of usage_rates each.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_RATE_H
#define UL_RATE_H

#include "gcra.h"

/*
 * The state of a user's rate limit as of now, with what this transaction has
 * used itself.  It may be acted upon under the lock of the user and the
 * limit's usage type.
 */
extern void ul_rate_read(const char *user_id, const char *limit_type, UlRateState *state);

/*
 * Replaces the state, under the same lock.  It is part of the transaction: a
 * rollback, also to a savepoint, brings the former one back.
 */
extern void ul_rate_store(const char *user_id, const char *limit_type, const UlRateState *state);

#endif							/* UL_RATE_H */
