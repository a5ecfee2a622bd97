/*-------------------------------------------------------------------------
 *
 * sums.h
 *		How much of a measure has been used in a window.
 *
 * Nothing here allocates or fails, but for ul_sum_make_room: sums are also made
 * under a lock.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_SUMS_H
#define UL_SUMS_H

#include "datatype/timestamp.h"

#include "amounts.h"

/* Usage of one sub-bucket of a sliding window: what leaves it at once */
typedef struct UlPart
{
	TimestampTz start;
	int64		used;
} UlPart;

/* A sum, and what it is of */
typedef struct UlSum
{
	UlMeasure	measure;
	const char *event_subtype;	/* NULL: all */
	uint64		subtype_hash;	/* of the shared gate; 0: all */
	int64		sub_bucket;		/* of a sliding window: its parts' width; else
								 * 0 */
	TimestampTz start;			/* of the window; a bucket counts in the one */
	TimestampTz end;			/* that its start lies in */

	int64		used;
	int			nparts;			/* of a sliding window, oldest first */
	int			max_parts;		/* that fit */
	UlPart	   *parts;
} UlSum;

extern int64 ul_add_saturated(int64 a, int64 b);
extern int64 ul_subtract_saturated(int64 a, int64 b);

/* Makes room for a number of parts more; does nothing but for a sliding window. */
extern void ul_sum_make_room(UlSum *sum, int more);

/* Start of the part of a sliding window that a bucket belongs to. */
extern TimestampTz ul_part_start(int64 sub_bucket, TimestampTz bucket_start);

/* Whether a sum counts a subtype (NULL or "": none). */
extern bool ul_sum_counts(const UlSum *sum, const char *event_subtype);

/*
 * Adds usage of a bucket; false, and nothing is done, if there is no room for
 * another part.
 */
extern bool ul_sum_add(UlSum *sum, TimestampTz bucket_start, int64 used);

/* Adds to a part of a sliding window, if it is in the window; the same. */
extern bool ul_sum_add_part(UlSum *sum, TimestampTz start, int64 used);

/* Computes "used" of a sliding window from its parts. */
extern void ul_sum_parts(UlSum *sum);

/* The newest part without which no more than some usage would be left, or -1. */
extern int	ul_sum_part_above(const UlSum *sum, int64 usage);

#endif							/* UL_SUMS_H */
