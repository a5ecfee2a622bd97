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
	TimestampTz fits_at;		/* when limits would admit what is paid for
								 * because they do not; DT_NOEND: never */
	UlLedger	ledger;			/* opened, once the price is had */
	bool		is_had;
} UlCharge;

/*
 * Whether usage is charged and any of the requests costs credits; a relaxed
 * type cannot (0A000).
 */
extern bool ul_is_charged(const UlRequest *requests, int count);

/*
 * Begins to charge: the requests, with what they cost in any case as their
 * credits_used where they do not say another.
 */
extern const UlRequest *ul_charge_begin(UlCharge *charge, const UlRequest *requests, int count);

/*
 * Prices the requests by judged claims.  A claim that denies what is over its
 * limit, where that can be paid for, is paid and does not deny any more.
 */
extern void ul_charge_price(UlCharge *charge, UlClaim *claims, int nclaims);

/*
 * Decides about the price.  "decision" is what limits say, and what is said
 * when it is not had.  Unless only asked ("dry_run") the user's ledger is open
 * when it is; then true says that this took so long that all must be judged
 * anew.
 */
extern bool ul_charge_decide(UlCharge *charge, bool dry_run, TimestampTz now, UlDecision *decision);

/*
 * Pays for the requests; events has the event's id of each, 0 for none.
 */
extern void ul_charge_pay(UlCharge *charge, const int64 *events);

#endif							/* UL_CHARGE_H */
