/*-------------------------------------------------------------------------
 *
 * uses.h
 *		Recording what happened: on which keys it is booked, and its event.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_USES_H
#define UL_USES_H

#include "utils/jsonb.h"
#include "utils/uuid.h"

#include "amounts.h"
#include "claims.h"
#include "xact.h"

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

	/* where it is booked, if that was decided before; NULL: by its time */
	const TimestampTz *bucket_start;
	const char *account_id;		/* then; NULL: on no account */
	const TimestampTz *account_bucket_start;

	int64		ttl;			/* microseconds that it is held; 0: consumed */
} UlRequest;

/* A use, and on whose key it is booked: the user's, or that of his account */
typedef struct UlPosting
{
	const UlUser *user;
	UlUse		use;
} UlPosting;

/*
 * Finds a usage type that is to be written: an unknown one may be NULL.
 * Raises an error for a name that is a limit's and counts another type, for
 * an unknown one under strict_names, and for one of concurrency limits.
 */
extern const UlType *ul_type_for_use(const char *usage_type);

/* The same for one that is only asked about. */
extern const UlType *ul_type_for_check(const char *usage_type);

/* What is asked of each measure. */
extern void ul_request_measures(const UlRequest *request, int64 *measures);

/* On whom a request is booked, himself first, as ul_subjects says; their number. */
extern int	ul_request_subjects(const UlRequest *request, const UlUser **subjects);

/*
 * What a request of the first subject books on each of them if it is recorded;
 * their number.  What failed or was cancelled is his alone.
 */
extern int	ul_postings(const UlRequest *request, const UlUser *const *subjects, int nsubjects,
						const char *operation, TimestampTz now, UlPosting *postings);

/* Whether uses of a type are counted in shared memory alone until they are flushed. */
extern bool ul_is_relaxed(const UlType *type);

/* Asks the shared gate for uses of a relaxed type, or (sign -1) for their opposites. */
extern UlOutcome ul_use_relaxed(UlKey *key, UlAsk ask, UlTest *tests, int ntests,
								const UlUse *uses, int nuses, int sign, TimestampTz now);

/*
 * What must not fall below 0 when a posting with a negative amount is booked:
 * any window that contains now and the bucket, or, where none sums amounts, the
 * lifetime.
 */
extern UlTest *ul_tests_of_taking(const UlRequest *request, const UlPosting *posting,
								  TimestampTz now, int *ntests);

/*
 * Books the share of an account in what corrects usage.  It gives back no more
 * than it has, as where the usage was there before the user became a member.
 */
extern void ul_book_share(const UlRequest *request, UlPosting *posting, TimestampTz now);

/* Books a use that nobody can deny. */
extern void ul_book_use(UlKey *key, const UlUse *use);

/*
 * Writes the event of what was booked, where its type logs events, and looks
 * whether any threshold is reached; the event's id, or 0.
 */
extern int64 ul_log_request(const UlRequest *request, const char *operation,
							const UlPosting *postings, int npostings, TimestampTz now);

/* Books amounts now or in the past and writes the event; its id, or 0. */
extern int64 ul_record(const UlRequest *request, const char *operation, TimestampTz now);

/* Records a use without enforcing anything; the event's id, or 0. */
extern int64 ul_track(const UlRequest *request);

#endif							/* UL_USES_H */
