/*-------------------------------------------------------------------------
 *
 * charge.h
 *		Paying for usage with credits.
 *
 * A decision about requests that cost credits is priced, when what limits say
 * to them is known; then the price is had, or is what denies; and when the
 * requests are recorded it is paid.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_CHARGE_H
#define UL_CHARGE_H

#include "consume.h"
#include "ledger.h"

/* What requests of one user cost */
typedef struct UlCharge
{
	int			count;
	const UlRequest *given;
	const UlRequest *requests;	/* the same, with what they cost */
	int64	   *prices;			/* of each */
	int64		price;			/* of all */
	List	   *overages;		/* of UlOverage */
	TimestampTz fits_at;		/* when limits would admit what is paid for
								 * because they do not; DT_NOEND: never */
	UlLedger	ledger;			/* opened, once the price is had */
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

/* Pays for the requests; events has the event's id of each, 0 for none. */
extern void ul_charge_pay(UlCharge *charge, const int64 *events);

#endif							/* UL_CHARGE_H */
