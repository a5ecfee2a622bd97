/*-------------------------------------------------------------------------
 *
 * window.h
 *		Time arithmetic of limits: pure functions of their arguments.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_WINDOW_H
#define UL_WINDOW_H

#include "datatype/timestamp.h"
#include "pgtime.h"

typedef enum UlAlignment
{
	UL_ALIGN_NONE,				/* the whole lifetime */
	UL_ALIGN_CALENDAR,
	UL_ALIGN_SLIDING,
	UL_ALIGN_ANNIVERSARY
} UlAlignment;

typedef enum UlUnit
{
	UL_UNIT_NONE,
	UL_UNIT_MINUTE,
	UL_UNIT_HOUR,
	UL_UNIT_DAY,
	UL_UNIT_WEEK,
	UL_UNIT_MONTH,
	UL_UNIT_YEAR
} UlUnit;

/* What is known of a limit's period without a user or an instant */
typedef struct UlPeriod
{
	UlAlignment alignment;
	UlUnit		unit;			/* calendar; anniversary, if it is one */

	/* anniversary: one of months, days and length is not 0 */
	int			months;
	int			days;
	int64		length;			/* microseconds; also sliding */
	int64		sub_bucket;		/* sliding only: width in microseconds */
} UlPeriod;

/* [start, end): DT_NOBEGIN and DT_NOEND where there is no bound */
typedef struct UlWindow
{
	TimestampTz start;
	TimestampTz end;
} UlWindow;

/*
 * Translates an interval (NULL: lifetime) and an alignment; returns NULL, or
 * what is wrong with the two, as an error detail.
 */
extern const char *ul_period_init(UlPeriod *period, UlAlignment alignment, const Interval *interval);

/*
 * Translates the period of a rate into microseconds, a month being 30 days;
 * returns NULL, or what is wrong with it, as an error detail.
 */
extern const char *ul_rate_period(const Interval *interval, int64 *length);

/*
 * The window that counts at an instant.  Windows of a calendar and of an
 * anniversary period are a partition of time.  Anniversaries are counted from
 * the anchor, forwards and backwards; without one (DT_NOBEGIN) windows are
 * those of the calendar.  A sliding window is that of the buckets that are
 * counted: it starts with the oldest sub-bucket that the last period touches
 * and has no end.
 */
extern UlWindow ul_window_at(const UlPeriod *period, pg_tz *tz, TimestampTz anchor,
							 TimestampTz at);

/*
 * Where a bucket that is written at an instant must not start before: the
 * window's start or, for a sliding limit, the sub-bucket's.
 */
extern TimestampTz ul_bucket_floor(const UlPeriod *period, pg_tz *tz, TimestampTz anchor,
								   TimestampTz at);

/* For a sliding period: when a bucket with this start no longer counts. */
extern TimestampTz ul_sliding_leaves(const UlPeriod *period, TimestampTz bucket_start);

/* Start of the UTC day of an instant. */
extern TimestampTz ul_utc_day(TimestampTz at);

#endif							/* UL_WINDOW_H */
