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

/*
 * Adds to the row that is there, as an UPDATE would.  False, and nothing is
 * done, if there is none that is committed or our own, if somebody else has
 * changed it, if a sum would overflow, or if only a statement heeds all that
 * hangs on the table.
 */
extern bool ul_add_to_counter(const UlCounterRow *row);

#endif							/* UL_COUNTERS_H */
