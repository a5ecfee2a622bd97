/*-------------------------------------------------------------------------
 *
 * amounts.h
 *		What is counted of a use.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_AMOUNTS_H
#define UL_AMOUNTS_H

/* What a limit sums, in the order of the columns of usage_counters */
typedef enum UlMeasure
{
	UL_MEASURE_AMOUNT,
	UL_MEASURE_TOKENS,
	UL_MEASURE_CREDITS,
	UL_MEASURE_DURATION_MS,
	UL_NMEASURES
} UlMeasure;

/* The most that one call may ask for, of any measure */
#define UL_MAX_AMOUNT	INT64CONST(1000000000000000)

/* The length at most of a user's id, a subtype and other names */
#define UL_MAX_NAME_BYTES	255

/* What goes into a counter row: sums, or what is to be added to them */
typedef struct UlAmounts
{
	int64		measure[UL_NMEASURES];
	int64		events;
	int64		failed_events;
	int64		cancelled_events;
} UlAmounts;

#define UL_NAMOUNTS	(sizeof(UlAmounts) / sizeof(int64))

#endif							/* UL_AMOUNTS_H */
