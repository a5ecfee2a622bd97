/*-------------------------------------------------------------------------
 *
 * costs.h
 *		What usage costs, in credits: the session's cache of credit_costs.
 *
 * What these functions return stays valid until the transaction ends.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_COSTS_H
#define UL_COSTS_H

#include "amounts.h"

typedef struct UlCost
{
	const char *usage_type;
	const char *event_subtype;	/* NULL: all */
	UlMeasure	measure;
	int64		credits;
	int64		per;
	bool		overage;		/* only what a limit would have denied */
} UlCost;

/*
 * What a use of a type and subtype costs, one for each measure that is paid
 * for; their number.  None, and *costs untouched, where it costs nothing.
 */
extern int	ul_find_costs(const char *usage_type, const char *event_subtype, const UlCost **costs);

/* Whether any use of a type costs something. */
extern bool ul_type_has_costs(const char *usage_type);

/* The price of some units, rounded up; one that is out of range is 22003. */
extern int64 ul_cost_price(const UlCost *cost, int64 units);

#endif							/* UL_COSTS_H */
