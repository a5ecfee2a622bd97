/*-------------------------------------------------------------------------
 *
 * claims.h
 *		What limits say to a request: a list of (user, limit) pairs, each
 *		with its window, its value and what has been used.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_CLAIMS_H
#define UL_CLAIMS_H

#include "decision.h"
#include "gcra.h"
#include "limits.h"
#include "sums.h"
#include "xact.h"
#include "xact_rate.h"

/* What a hold takes of a limit, and until when unless it is settled before */
typedef struct UlHeld
{
	TimestampTz until;
	int64		amount;
} UlHeld;

/* One limit, for one user, at one instant */
typedef struct UlClaim
{
	const UlUser *user;
	bool		of_account;		/* that is the account of the user who asks */
	const UlLimit *limit;
	int64		value;			/* -1: unlimited; of a rate: its capacity */
	UlSource	source;
	int64		requested;		/* in the limit's measure */
	int64		consumes;		/* of that, what is recorded when admitted */
	TimestampTz consumes_until; /* DT_NOEND: for good */
	UlSum		sum;			/* of usage, committed and pending; its window
								 * does not start before the last reset */
	int64		held;			/* what open holds have taken */
	int			nheld;
	UlHeld	   *holds;

	/* where a hold asks that is to be settled, else NULL: */
	const char *settles;
	int64		has;			/* of what is requested, what it has taken */
	TimestampTz settles_in;		/* its bucket */

	TimestampTz now;
	TimestampTz at;				/* now, and not before the last reset */
	UlRate		rate;			/* of a rate that is above 0 */
	UlRateState rate_state;		/* of a rate; with rate_used, after the
								 * request */
	bool		rate_known;		/* the state was read, or the gate decided by
								 * it */
	bool		rate_used;
	bool		rate_taken;		/* at the shared gate, for good */

	int64		room;			/* over the limit, that the gate is to give */
	int64		paid;			/* how much over the limit is paid for */

	/* ul_judge_claim: */
	bool		exceeded;		/* the request does not fit */
	TimestampTz fits_at;		/* when it would; DT_NOEND: unknown, or never */
} UlClaim;

/*
 * Whose limits hold for what a user does: his own, and after him the account he
 * belongs to; their number.  An account belongs to nobody, whatever the table
 * says of it.
 */
#define UL_MAX_SUBJECTS 2
extern int	ul_subjects(const char *user_id, const UlUser **subjects);

/* Whether the limit's usage is a sum of what is counted: of a counter or a gauge. */
extern bool ul_limit_sums(const UlLimit *limit);

/* Whether the claim's limit counts a subtype (NULL or "": none). */
extern bool ul_limit_counts(const UlLimit *limit, const char *event_subtype);

/* Fills the claim for a limit: value and window, nothing used or requested. */
extern void ul_init_claim(UlClaim *claim, const UlLimit *limit, const UlUser *user, TimestampTz now);

/*
 * The claims of a limit on a user and on the account he belongs to, nothing
 * read; their number, which is at most UL_MAX_SUBJECTS.
 */
extern int	ul_claims_of_limit(const UlLimit *limit, const char *user_id, TimestampTz now,
							   UlClaim *claims);

/*
 * The same as ul_init_claim for a hold that is to be settled, with the window in which it was
 * taken.  False if the limit does not count it any more, after a reset.
 */
extern bool ul_init_claim_of_hold(UlClaim *claim, const UlLimit *limit, const UlUser *user,
								  const char *hold_id, TimestampTz bucket_start, TimestampTz now);

/* The tests of the claims that are of sums, beside what is held; their number. */
extern int	ul_claim_tests(UlClaim *claims, int count, UlTest *tests);

/*
 * Sums what the claims' limits count: committed, reserved by others, and this
 * transaction's own, and open holds.  Claims of one user and usage type that
 * stand together are read together.
 */
extern void ul_read_claims(UlClaim *claims, int count);

/* The same as if one hold (NULL: none) had not been taken. */
extern void ul_read_claims_without(UlClaim *claims, int count, const char *hold_id);

/*
 * Reads open holds, which ul_read_claims does too, other than one (NULL: none).
 * All claims are of one user and usage type.
 */
extern void ul_read_held(UlClaim *claims, int count, const char *without);

/* What has been used of a claim's limit, with what is held. */
extern int64 ul_claim_used(const UlClaim *claim);

/* Reads the claims that are of rates, which ul_read_claims does too. */
extern void ul_read_rates(UlClaim *claims, int count);

/*
 * What a user has used of a type, all subtypes, in buckets from an instant on;
 * of others' reservations it counts those that "ask" says.  Open holds are not
 * in it.
 */
extern int64 ul_usage_since(const char *user_id, const char *usage_type, TimestampTz from,
							UlAsk ask, TimestampTz now);

/* What open holds take of it, other than one (NULL: none). */
extern int64 ul_held_since(const char *user_id, const char *usage_type, TimestampTz from,
						   TimestampTz now, const char *without);

/* The start of the key's newest bucket at or after an instant, or DT_NOBEGIN; open holds count. */
extern TimestampTz ul_newest_bucket(const char *user_id, const char *usage_type, TimestampTz from);

/* Where a claim's value comes from, as usage_status says it: "account" for the account's. */
extern const char *ul_claim_source(const UlClaim *claim);

/* What a judged claim says by itself: a reason of usage_decision. */
extern const char *ul_claim_reason(const UlClaim *claim);

/* Decides whether a request fits, and when it would. */
extern void ul_judge_claim(UlClaim *claim);

/* Whether the request, if admitted, changes the state of a rate. */
extern bool ul_claim_uses_rate(const UlClaim *claim);

/*
 * Uses the rates of claims of one key at the shared gate, for good, where all of
 * them admit it; the claims then know their states as of before.  "tests" are to
 * be given to ul_shared_unuse_rates where something else denies.
 */
extern UlOutcome ul_take_rates(const UlKey *key, UlClaim *claims, int count,
							   UlRateTest **tests, int *ntests);

/* Stores the states of the claims' other rates, after a request was admitted. */
extern void ul_store_rates(UlClaim *claims, int count);

/* How much of what is requested is over the limit. */
extern int64 ul_claim_excess(const UlClaim *claim);

/* Whether the claim can deny: a hard limit that is not unlimited, and not paid for. */
extern bool ul_claim_denies(const UlClaim *claim);

/* Whether one more unit would be admitted. */
extern bool ul_claim_admits(const UlClaim *claim);

/* When the usage that a claim counts will have left its window, or DT_NOEND. */
extern TimestampTz ul_claim_resets_at(const UlClaim *claim);

/* Of read claims for which nothing is requested, the one that has the least left. */
extern UlClaim *ul_tightest_claim(UlClaim *claims, int count);

/* What is left, never negative; for an unlimited claim PG_INT64_MAX. */
extern int64 ul_claim_remaining(const UlClaim *claim, int64 used);

/*
 * Answers from judged claims; when the answer is read, what an admitted
 * request consumes will have been recorded.
 */
extern void ul_decide(UlClaim *claims, int count, TimestampTz now, UlDecision *decision);

/* The same where nothing is refused: the state of the claims as it is. */
extern void ul_report(UlClaim *claims, int count, const char *reason, TimestampTz now,
					  UlDecision *decision);

/*
 * The bucket that usage of a type goes to: of "at" if that is given as a
 * fact, else of now.
 */
extern TimestampTz ul_bucket_start(const UlType *type, const UlUser *user,
								   const char *usage_type, TimestampTz at, bool in_past);

#endif							/* UL_CLAIMS_H */
