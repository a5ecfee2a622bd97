/*-------------------------------------------------------------------------
 *
 * preview.h
 *		What a limit would have denied with another value.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_PREVIEW_H
#define UL_PREVIEW_H

#include "limits.h"

/* What happened at an instant, in the limit's measure */
typedef struct UlPast
{
	TimestampTz at;
	TimestampTz bucket_start;	/* that it was booked in */
	int64		amount;
	int64		requests;		/* that asked for the amount; 0: a correction */
} UlPast;

typedef struct UlPreview
{
	int64		denied;			/* requests */
	TimestampTz first_at;
} UlPreview;

/*
 * Whether another value of the limit, for a tier or, with NULL, for all, would
 * count for a user now: no override of his own goes before it.
 */
extern bool ul_preview_concerns(const UlLimit *limit, const UlUser *user, const char *tier);

/*
 * What the limit would have denied a user with another value, among what
 * happened from an instant on, which is the start of a UTC day: in the order of
 * time, and what would have been denied would not have been used.
 */
extern void ul_preview(const UlLimit *limit, const UlUser *user, int64 value,
					   TimestampTz from, const UlPast *past, int count, UlPreview *preview);

#endif							/* UL_PREVIEW_H */
