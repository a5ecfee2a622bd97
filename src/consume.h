/*-------------------------------------------------------------------------
 *
 * consume.h
 *		Deciding whether uses may happen, and recording those that are
 *		admitted.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_CONSUME_H
#define UL_CONSUME_H

#include "claims.h"
#include "decision.h"
#include "uses.h"

/*
 * Decides about requests of one user as a whole, by his limits and those of the
 * account he belongs to, and records them if they are admitted.
 */
extern void ul_consume(const UlRequest *requests, int count, UlDecision *decision);

/*
 * Decides about a request for a hold (with a ttl), which the caller records with
 * its keys locked: where it counts, their number, and the instant of the decision.
 */
extern int	ul_consume_hold(const UlRequest *request, UlPosting *postings, TimestampTz *now,
							UlDecision *decision);

/* Decides without recording; waits for nobody. */
extern void ul_check(const UlRequest *request, UlDecision *decision);

/* Asks one limit; an unknown one allows. */
extern void ul_check_limit(const char *user_id, const char *limit_type, int64 amount,
						   UlDecision *decision);

/* The claims of every limit of a type on subjects, one after the other, nothing read yet; their number. */
extern int	ul_claims_of_type(const UlType *type, const UlUser *const *subjects, int nsubjects,
							  TimestampTz now, UlClaim **claims);

/* The answer while usage_limits.tracking_enabled is off. */
extern void ul_decide_not_tracked(const UlRequest *request, UlDecision *decision);

/*
 * The answer where a type has no limit.  A hold that is being settled (else
 * NULL) does not count.
 */
extern void ul_decide_no_limit(const char *user_id, const char *usage_type, int64 requested,
							   const char *without, TimestampTz now, UlDecision *decision);

#endif							/* UL_CONSUME_H */
