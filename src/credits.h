/*-------------------------------------------------------------------------
 *
 * credits.h
 *		Granting, spending and giving back credits.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_CREDITS_H
#define UL_CREDITS_H

#include "compat.h"
#include "ledger.h"

/* The composite type credit_decision, with what an error says besides */
typedef struct UlCreditDecision
{
	bool		allowed;
	const char *reason;
	int64		balance;
	int64		available;		/* when not allowed: what of it is not held */
	int64		transaction_id; /* 0: null */
	int64		grant_id;		/* 0: null */
	TimestampTz refill_at;		/* when not allowed; DT_NOEND: never */
} UlCreditDecision;

/*
 * Gives credits; "grant" has what is asked for.  A reference that was used
 * before gets the first answer, or 23505 where the amount is another.
 */
extern void ul_credit_grant(const char *user_id, UlGrant *grant, UlCreditDecision *decision);

/* What is spent; pointers may be NULL */
typedef struct UlSpend
{
	const char *user_id;
	int64		amount;
	const char *description;
	const char *reference_id;
	const Jsonb *metadata;
} UlSpend;

/* Takes credits, or denies; references as in ul_credit_grant. */
extern void ul_credit_spend(const UlSpend *spend, UlCreditDecision *decision);

/*
 * Keeps credits for a hold, and denies as a spend does; true if it has them,
 * and the user's ledger is open then, but for amount 0.
 */
extern bool ul_credit_reserve(const char *user_id, int64 amount, UlLedger *ledger,
							  UlCreditDecision *decision);

/*
 * When a hold of credits was settled, by the ledger, which knows that for longer
 * than usage_holds; DT_NOEND: it was not, or with 0.
 */
extern TimestampTz ul_credit_settled_at(const char *user_id, const char *hold_id);

/* Raises PT402 for a denied spend. */
pg_noreturn extern void ul_raise_no_credits(const UlCreditDecision *decision, int64 requested);

/*
 * Gives back what a spend took; amount NULL: all that is left.  A user_id that
 * is given must be the spend's.
 */
extern void ul_credit_refund(int64 transaction_id, const int64 *amount, const char *user_id,
							 UlCreditDecision *decision);

/*
 * Gives back what the use of an event was charged, in the proportion in which
 * "refunded" of its "amount" has been given back; nothing where it was free.
 */
extern void ul_credit_refund_event(const char *user_id, int64 event_id, int64 refunded, int64 amount);

/* Ends a grant. */
extern void ul_credit_void(int64 grant_id, const char *user_id, UlCreditDecision *decision);

/* Writes what has fallen due. */
extern void ul_credit_refill(const char *user_id, UlCreditDecision *decision);

/* What a user has at an instant, held or not; DT_NOEND: now. */
extern int64 ul_credit_balance(const char *user_id, TimestampTz at);

/* A user's account in [starts_at, ends_at); ends_at DT_NOEND: until now. */
typedef struct UlStatementLines
{
	int64		opening;
	List	   *entries;		/* of UlCreditEntry; id 0: due, and not
								 * written yet */
	int64		closing;
	TimestampTz ends_at;
} UlStatementLines;

extern void ul_credit_statement(const char *user_id, TimestampTz starts_at, TimestampTz ends_at,
								UlStatementLines *lines);

/* All grants of a user as of now, in the order in which they burn. */
extern List *ul_credit_grants(const char *user_id, TimestampTz *now);

/* What a grant is at an instant: pending, live, spent, expired or voided. */
extern const char *ul_grant_state(const UlGrant *grant, TimestampTz now);

#endif							/* UL_CREDITS_H */
