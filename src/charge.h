/*-------------------------------------------------------------------------
 *
 * charge.h
 *		Paying for usage with credits.
 *
 * A decision about requests that cost credits is priced, when what limits say
 * to them is known; then the price is had, or is what denies; and when the
 * requests are recorded it is paid, or for a hold, held.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_CHARGE_H
#define UL_CHARGE_H

#include "consume.h"
#include "ledger.h"
#include "pending.h"

/* What requests of one user cost */
typedef struct UlCharge
{
	int			count;
	const UlRequest *given;
	const UlRequest *requests;	/* the same, with what they cost */
	int64	   *prices;			/* of each */
	int64		(*over)[UL_NMEASURES];	/* of each, what is over limits and
										 * paid for */
	int64		price;			/* of all */
	List	   *overages;		/* of UlOverage */
	TimestampTz fits_at;		/* when limits would admit what is paid for
								 * because they do not; DT_NOEND: never */
	const UlHold *settles;		/* what is paid is a hold's; else NULL */
	UlLedger	ledger;			/* opened, once the price is had */
	bool		is_open;
	bool		is_had;
} UlCharge;

/* What of a limit is over it, and paid for */
typedef struct UlOverage
{
	const char *limit_type;
	bool		of_account;
	int64		units;
} UlOverage;

/*
 * Begins to charge requests, and puts in their place the same with what they
 * cost in any case as their credits_used, where they do not say another.  NULL
 * where usage is not charged, or none of them can cost anything; a relaxed type
 * cannot (0A000).
 */
extern UlCharge *ul_charge_begin(const UlRequest **requests, int count);

/*
 * Says that the request settles a hold; its ledger, which is open if it has
 * credits.
 */
extern void ul_charge_settles(UlCharge *charge, const UlHold *hold, const UlLedger *ledger);

/* Gives claims room for what was over their limits when they were priced last. */
extern void ul_charge_make_room(const UlCharge *charge, UlClaim *claims, int nclaims);

/*
 * Prices the requests by judged claims.  A claim that denies what is over its
 * limit, where that can be paid for, is paid and does not deny any more.  True
 * if the gate is to be asked again with room for it: what is over the limits is
 * paid for, but was not given yet.
 */
extern bool ul_charge_price(UlCharge *charge, UlClaim *claims, int nclaims);

/* The price of a request that does not say its credits_used, if it is paid; else NULL. */
extern const int64 *ul_charge_price_of(const UlCharge *charge, int request);

/*
 * Decides about the price.  "decision" is what limits say, and what is said
 * when it is not had.  Unless only asked ("dry_run") the user's ledger is open
 * when it is.
 */
extern void ul_charge_decide(UlCharge *charge, bool dry_run, TimestampTz now, UlDecision *decision);

/*
 * Says in a decision that a price is not had, and when it might be: refill_at,
 * or DT_NOEND for never.
 */
extern void ul_decide_no_credits(const UlLedger *ledger, int64 price, TimestampTz refill_at,
								 TimestampTz now, UlDecision *decision);

/* Keeps the price for a hold, which the decision is about. */
extern void ul_charge_hold(UlCharge *charge, UlDecision *decision);

/* Ends what a hold has of the user's balance. */
extern void ul_charge_let_go(UlLedger *ledger, const UlHold *hold);

/* Pays for the requests; events has the event's id of each, 0 for none. */
extern void ul_charge_pay(UlCharge *charge, const int64 *events);

#endif							/* UL_CHARGE_H */
