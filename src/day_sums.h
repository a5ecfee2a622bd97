/*-------------------------------------------------------------------------
 *
 * day_sums.h
 *		UTC days that are over, summed once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_DAY_SUMS_H
#define UL_DAY_SUMS_H

#include "datatype/timestamp.h"

/*
 * The current transaction has written a row of usage_counters in a bucket of a
 * UTC day that is over by the server's clock: the day is marked, if it could
 * have been summed.  Waits for nobody.
 */
extern void ul_day_written(TimestampTz bucket_start);

/* The same for every day, since all rows are gone. */
extern void ul_days_emptied(void);

/* Sums the days that are over and can be summed; returns how many of them had use. */
extern int64 ul_sum_days(void);

#endif							/* UL_DAY_SUMS_H */
