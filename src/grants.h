/*-------------------------------------------------------------------------
 *
 * grants.h
 *		What happens to a user's grants, in memory: they begin, burn, recur
 *		and expire.
 *
 * All of it is about a ledger whose grants are known (ul_ledger_load).
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_GRANTS_H
#define UL_GRANTS_H

#include "ledger.h"

/* Sets a grant's period by its recurs_every. */
extern void ul_grant_init_period(UlGrant *grant);

/* Puts the grants into the order in which they burn. */
extern void ul_grants_sort(UlLedger *ledger);

/* Does, in its order, what has fallen due until an instant. */
extern void ul_grants_do_due(UlLedger *ledger, TimestampTz until);

/* When something next happens to a grant by itself, or DT_NOEND. */
extern TimestampTz ul_grant_due_at(const UlGrant *grant);

/* What the tier's daily refill gives a user at an instant. */
extern int64 ul_daily_refill(const char *user_id, TimestampTz at);

/* When credits will next be added by themselves, or DT_NOEND. */
extern TimestampTz ul_grants_next_refill(const UlLedger *ledger);

/* Whether a grant counts at the ledger's instant. */
extern bool ul_grant_in_force(const UlLedger *ledger, const UlGrant *grant);

/*
 * Adds an entry, dated with an instant, or with the newest one's where that is
 * later.
 */
extern UlCreditEntry *ul_grants_add_entry(UlLedger *ledger, int64 amount, const char *transaction_type,
										  UlGrant *grant, TimestampTz at);

/*
 * Adds a grant, whose description it takes over; the entry if it is in force.
 * One that could bring the balance out of range is 22003.
 */
extern UlCreditEntry *ul_grants_add(UlLedger *ledger, UlGrant *grant);

/* Takes an amount that the balance has out of the grants in their order; the entry. */
extern UlCreditEntry *ul_grants_draw(UlLedger *ledger, int64 amount, const char *transaction_type);

/* Takes what is left of a grant, for good; the entry. */
extern UlCreditEntry *ul_grants_void(UlLedger *ledger, UlGrant *grant);

/*
 * Gives back an amount of what an entry drew; the entry.  "draws" are what it
 * has drawn and is not given back yet, as positive amounts in the order in
 * which it was drawn.
 */
extern UlCreditEntry *ul_grants_give_back(UlLedger *ledger, const UlCreditEntry *from, List *draws, int64 amount);

#endif							/* UL_GRANTS_H */
