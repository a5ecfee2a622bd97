/*-------------------------------------------------------------------------
 *
 * decision.h
 *		The answer to "may this happen".
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_DECISION_H
#define UL_DECISION_H

#include "datatype/timestamp.h"

#include "amounts.h"
#include "compat.h"

/* The composite type usage_decision, with flags for what may be null */
typedef struct UlDecision
{
	bool		allowed;
	const char *reason;
	const char *usage_type;		/* NULL: null */
	const char *limit_type;		/* NULL: null */
	const char *title;			/* the limit's description; NULL: null */
	int64		requested;
	int64		current;
	int64		limit;			/* -1: unlimited, and remaining is null */
	int64		remaining;
	TimestampTz reset_at;		/* DT_NOEND: null */
	int			retry_after;	/* -1: null */
	int64		event_id;		/* 0: null */
	const char *hold_id;		/* NULL: null */

	/* of a hold that is admitted: */
	int64		credits;		/* what it has of the user's balance */
	int64		overage[UL_NMEASURES];	/* what of it is over a limit, and
										 * paid for */
} UlDecision;

/* The decision as a row of type usage_decision, in the caller's memory. */
extern Datum ul_decision_datum(const UlDecision *decision);

/* What "current" is in such a row. */
extern int64 ul_decision_current(Datum decision);

/* Raises PT429 for a denied decision, PT402 for one that lacks credits. */
pg_noreturn extern void ul_raise_denial(const UlDecision *decision);

/* The same for a statement on a table, of which so many rows asked for it. */
pg_noreturn extern void ul_raise_denial_of_rows(const UlDecision *decision, int64 rows);

#endif							/* UL_DECISION_H */
