/*-------------------------------------------------------------------------
 *
 * holds.h
 *		Holds: usage, or credits, that are reserved now, and settled or given
 *		back later.
 *
 * Each call takes the lock of the hold's key, and opens the ledger of one that
 * has credits, before it looks at the hold, so that a hold ends exactly once and
 * never after its time.  A user_id that is given (not NULL) must be the hold's:
 * else the hold is unknown.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_HOLDS_H
#define UL_HOLDS_H

#include "consume.h"
#include "credits.h"

/*
 * Holds what is requested for request->ttl, if the limits admit it; amount 0
 * asks only.  An id that is NULL is made up.  The same id and request again is
 * the same hold, and gets the same answer.  The answer is a row of
 * usage_decision.
 */
extern Datum ul_hold(const UlRequest *request, const char *hold_id, bool session_bound);

/*
 * Holds credits of a user for some microseconds, if he has them; amount 0 asks
 * only.  The same id and request again is the same hold, and gets the same
 * answer.
 */
extern void ul_hold_credits(const char *user_id, int64 amount, int64 ttl, const char *hold_id,
							UlCreditDecision *decision);

/* Whether a hold is of credits alone; one that is unknown is not. */
extern bool ul_holds_credits_alone(const char *hold_id);

/* An id for a hold that was given none. */
extern const char *ul_make_up_hold_id(void);

/* What ends a hold, or asks for more time; pointers may be NULL */
typedef struct UlHoldEnd
{
	const char *hold_id;
	const char *user_id;
	const int64 *amount;		/* NULL: as held */
	const int64 *tokens_used;	/* NULL: as held */
	const int64 *duration_ms;
	const pg_uuid_t *scene_id;
	const char *status;			/* failed, cancelled, or NULL for no event */
	const char *error_message;
	const Jsonb *metadata;		/* NULL: as held */
} UlHoldEnd;

/*
 * Turns a hold into usage, in the windows in which it was taken, or into a
 * spend.  More than was held must be admitted: else the answer is a denial, and
 * the hold stays.  The answer is a row of usage_decision.
 */
extern Datum ul_settle(const UlHoldEnd *end);

/* Gives a hold back; false if there was nothing to end. */
extern bool ul_release(const UlHoldEnd *end);

/* Gives back all holds of end->user_id, of one type or (NULL) of all; how many. */
extern int64 ul_release_all(const UlHoldEnd *end, const char *usage_type);

/* Lets a hold last for some microseconds from now; until when. */
extern TimestampTz ul_renew(const char *hold_id, const char *user_id, int64 ttl);

#endif							/* UL_HOLDS_H */
