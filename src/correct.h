/*-------------------------------------------------------------------------
 *
 * correct.h
 *		Corrections: adjustments, refunds, levels, resets.
 *
 * None is refused by a limit.  Those that must know what has been used lock
 * the key, so that two at once give a result that some order of them gives.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_CORRECT_H
#define UL_CORRECT_H

#include "consume.h"

/* Adds request->amount, which may be negative; see usage_adjust. */
extern void ul_adjust(const UlRequest *request, UlDecision *decision);

/*
 * Gives back *amount of an event, or with NULL all that is left.  With a user,
 * the event must be that user's.
 */
extern void ul_refund(int64 event_id, const int64 *amount, const char *user_id,
					  UlDecision *decision);

/* Sets a gauge's level to request->amount. */
extern void ul_set_gauge(const UlRequest *request, UlDecision *decision);

/* Starts counting anew from now on. */
extern void ul_reset(const UlRequest *request, UlDecision *decision);

#endif							/* UL_CORRECT_H */
