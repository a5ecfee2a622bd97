/*-------------------------------------------------------------------------
 *
 * consume.h
 *		Recording uses, and deciding whether they may happen.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_CONSUME_H
#define UL_CONSUME_H

#include "utils/jsonb.h"
#include "utils/uuid.h"

#include "amounts.h"
#include "claims.h"
#include "decision.h"

/* What is asked for, or what happened; pointers may be NULL */
typedef struct UlRequest
{
	const char *user_id;
	const char *usage_type;
	const char *event_subtype;
	int64		amount;
	const int64 *tokens_used;
	const int64 *credits_used;
	const int64 *duration_ms;
	const pg_uuid_t *project_id;
	const pg_uuid_t *scene_id;
	const char *status;			/* success, failed or cancelled */
	const char *error_message;
	const Jsonb *metadata;
	const TimestampTz *occurred_at; /* NULL: now */
	const TimestampTz *bucket_start;	/* where it is booked; NULL: by its
										 * time */
	int64		ttl;			/* microseconds that it is held; 0: consumed */
} UlRequest;

/*
 * Finds a usage type that is to be written: an unknown one may be NULL.
 * Raises an error for a name that is a limit's and counts another type, for
 * an unknown one under strict_names, and for one of concurrency limits.
 */
extern const UlType *ul_type_for_use(const char *usage_type);

/* The same for one that is only asked about. */
extern const UlType *ul_type_for_check(const char *usage_type);

/* Records a use without enforcing anything; the event's id, or 0. */
extern int64 ul_track(const UlRequest *request);

/*
 * Decides about requests of one user as a whole and, if they are admitted,
 * records them, but for a hold (a request with a ttl), which the caller records.
 * Returns the instant of the decision.
 */
extern TimestampTz ul_consume(const UlRequest *requests, int count, UlDecision *decision);

/* Decides without recording; waits for nobody. */
extern void ul_check(const UlRequest *request, UlDecision *decision);

/* Asks one limit; an unknown one allows. */
extern void ul_check_limit(const char *user_id, const char *limit_type, int64 amount,
						   UlDecision *decision);

/* What is asked of each measure. */
extern void ul_request_measures(const UlRequest *request, int64 *measures);

/* The claims of every limit of a type on a user, nothing read yet; their number. */
extern int	ul_claims_of_type(const UlType *type, const UlUser *user, TimestampTz now,
							  UlClaim **claims);

/* Books amounts now or in the past and writes the event; its id, or 0. */
extern int64 ul_record(const UlRequest *request, const char *operation, TimestampTz now);

/* What a request books if it is recorded. */
extern UlUse ul_use_of_request(const UlRequest *request, const char *operation, TimestampTz now);

/* Writes the event of what was booked, where its type logs events; its id, or 0. */
extern int64 ul_log_request(const UlRequest *request, const char *operation, const UlUse *use);

/* The answer while usage_limits.tracking_enabled is off. */
extern void ul_decide_not_tracked(const UlRequest *request, UlDecision *decision);

/*
 * The answer where a type has no limit.  A hold that is being settled (else
 * NULL) does not count.
 */
extern void ul_decide_no_limit(const char *user_id, const char *usage_type, int64 requested,
							   const char *without, TimestampTz now, UlDecision *decision);

#endif							/* UL_CONSUME_H */
