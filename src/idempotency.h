/*-------------------------------------------------------------------------
 *
 * idempotency.h
 *		Requests that carry a key are admitted once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_IDEMPOTENCY_H
#define UL_IDEMPOTENCY_H

#include "consume.h"

typedef struct UlIdempotency UlIdempotency;

/*
 * Waits until nobody else decides under the user's key.  If a request was
 * admitted under it, *answered is set and *answer is its answer, a row of
 * usage_decision; if that was another request, raises an error.  Returns what
 * ul_idempotency_remember needs.
 */
extern UlIdempotency *ul_idempotency_begin(const char *function, const char *key,
										   const UlRequest *requests, int count,
										   bool *answered, Datum *answer);

/* Stores the answer of an admitted request. */
extern void ul_idempotency_remember(const UlIdempotency *idempotency, Datum answer);

#endif							/* UL_IDEMPOTENCY_H */
