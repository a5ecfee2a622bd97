/*-------------------------------------------------------------------------
 *
 * counters.h
 *		Adding to a row of usage_counters without a statement.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_COUNTERS_H
#define UL_COUNTERS_H

#include "store.h"
#include "tables.h"

/*
 * Adds to the row that is there, as an UPDATE would.  False, and nothing is
 * done, if there is none that is committed or our own, if somebody else has
 * changed it, if a sum would overflow, or if only a statement heeds all that
 * hangs on the table.
 */
extern bool ul_add_to_counter(const UlCounterRow *row);

/* The column that an amount of a row is added to, in the order of UlAmounts. */
static inline AttrNumber
ul_counter_column(const UlCounterRow *row, int amount)
{
	return row->of_members && amount == UL_MEASURE_AMOUNT ?
		Anum_counter_member_amount : Anum_counter_amount + amount;
}

#endif							/* UL_COUNTERS_H */
