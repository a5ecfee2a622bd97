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
 * The state of a user's rate limit that the table has, with what this
 * transaction has written itself.  It may be acted upon under the lock of the
 * user and the limit's usage type.
 */
extern void ul_rate_read(const char *user_id, const char *limit_type, UlRateState *state);

/*
 * Replaces the state in the table.  It is part of the transaction: a
 * rollback, also to a savepoint, brings the former one back.
 */
extern void ul_rate_store(const char *user_id, const char *limit_type, const UlRateState *state);

/* Whether rows of usage_rates are being written by us, not by hand. */
extern bool ul_rate_writing(void);
extern void ul_rate_set_writing(bool value);

#endif							/* UL_RATE_H */
