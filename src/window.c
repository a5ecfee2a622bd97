/*-------------------------------------------------------------------------
 *
 * window.c
 *		Time arithmetic of limits: pure functions of their arguments.
 *
 * A calendar window of a day or more starts at the first instant at which
 * the zone's clock reads the boundary or later.  Where a clock is set back
 * over a boundary, the repeated stretch belongs to the window that had begun.
 * That makes the windows a partition of time in every zone, with days of 23,
 * 24 and 25 hours, skipped midnights and skipped days.
 *
 * Windows of an hour or a minute are cut where the zone's offset changes, so
 * that an hour that the clock shows twice is two windows.
 *
 * Anniversaries are each worked out from the anchor itself, never from the one
 * before: from the 31st of January they fall on the 28th of February and the
 * 31st of March.  They begin, as windows of the calendar do, at the first
 * instant at which the zone's clock reads the anchor's date and time of day,
 * but for the anchor itself, which may be the second such instant.  Without an
 * anchor they are counted from the first Monday that is a first of January,
 * so that months, quarters, years, weeks and days are the calendar's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/int.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "window.h"

#define SUB_BUCKETS			60
#define MIN_SUB_BUCKET		(6 * USECS_PER_SEC)

static int64
floor_to(int64 value, int64 unit)
{
	int64		rest = value % unit;

	return value - (rest < 0 ? rest + unit : rest);
}

/* The zone's offset from UTC at an instant, in microseconds, east positive. */
static int64
utc_offset(TimestampTz at, pg_tz *tz)
{
	pg_time_t	seconds = timestamptz_to_time_t(floor_to(at, USECS_PER_SEC));
	struct pg_tm *tm = pg_localtime(&seconds, tz);

	return tm == NULL ? 0 : tm->tm_gmtoff * USECS_PER_SEC;
}

/*
 * The next instant after "at" at which the zone's offset changes, with the
 * offset from then on; false if there is none.
 */
static bool
next_offset_change(TimestampTz at, pg_tz *tz, TimestampTz *change, int64 *offset)
{
	pg_time_t	seconds = timestamptz_to_time_t(floor_to(at, USECS_PER_SEC));
	pg_time_t	boundary;
	long int	before_offset;
	long int	after_offset;
	int			before_isdst;
	int			after_isdst;

	while (pg_next_dst_boundary(&seconds, &before_offset, &before_isdst,
								&boundary, &after_offset, &after_isdst, tz) == 1)
	{
		if (before_offset != after_offset)
		{
			*change = time_t_to_timestamptz(boundary);
			*offset = after_offset * USECS_PER_SEC;
			return true;
		}
		seconds = boundary;
	}
	return false;
}

/* The first instant at which the zone's clock reads "local" or later. */
static TimestampTz
first_instant_of(Timestamp local, pg_tz *tz)
{
	/* no zone is a day away from UTC */
	TimestampTz segment = local - USECS_PER_DAY;
	int64		offset = utc_offset(segment, tz);

	for (;;)
	{
		TimestampTz candidate = local - offset;
		TimestampTz change;
		int64		next_offset;

		if (!next_offset_change(segment, tz, &change, &next_offset) || candidate < change)
			return candidate;
		if (change + next_offset >= local)
			return change;		/* the clock jumps over the boundary */
		segment = change;
		offset = next_offset;
	}
}

static void
raise_out_of_range(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("timestamp out of range")));
}

/* Start of the unit that holds a local time, "steps" units on. */
static Timestamp
local_boundary(Timestamp local, UlUnit unit, int steps)
{
	struct pg_tm tm;
	fsec_t		fsec;
	int			day;
	Timestamp	result;

	if (timestamp2tm(local, NULL, &tm, &fsec, NULL, NULL) != 0)
		raise_out_of_range();
	switch (unit)
	{
		case UL_UNIT_WEEK:
			day = date2j(tm.tm_year, tm.tm_mon, tm.tm_mday);
			day += 7 * steps - (j2day(day) + 6) % 7;
			j2date(day, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
			break;
		case UL_UNIT_MONTH:
			steps += tm.tm_year * MONTHS_PER_YEAR + tm.tm_mon - 1;
			tm.tm_year = floor_to(steps, MONTHS_PER_YEAR) / MONTHS_PER_YEAR;
			tm.tm_mon = steps - tm.tm_year * MONTHS_PER_YEAR + 1;
			tm.tm_mday = 1;
			break;
		case UL_UNIT_YEAR:
			tm.tm_year += steps;
			tm.tm_mon = 1;
			tm.tm_mday = 1;
			break;
		default:
			day = date2j(tm.tm_year, tm.tm_mon, tm.tm_mday) + steps;
			j2date(day, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
			break;
	}
	tm.tm_hour = 0;
	tm.tm_min = 0;
	tm.tm_sec = 0;
	if (tm2timestamp(&tm, 0, NULL, &result) != 0)
		raise_out_of_range();
	return result;
}

/* Windows of a day or more. */
static UlWindow
compute_date_window(UlUnit unit, pg_tz *tz, TimestampTz at)
{
	Timestamp	local = at + utc_offset(at, tz);
	UlWindow	window;
	int			steps = 0;

	window.start = first_instant_of(local_boundary(local, unit, 0), tz);
	window.end = first_instant_of(local_boundary(local, unit, 1), tz);

	/* a clock set back over the boundary shows the former date again */
	while (at >= window.end)
	{
		steps++;
		window.start = window.end;
		window.end = first_instant_of(local_boundary(local, unit, steps + 1), tz);
	}
	return window;
}

/* The same, from the one computed last where that holds the instant. */
static UlWindow
date_window(UlUnit unit, pg_tz *tz, TimestampTz at)
{
	static struct
	{
		pg_tz	   *tz;
		UlWindow	window;
	}			last[UL_UNIT_YEAR + 1];

	if (last[unit].tz != tz || at < last[unit].window.start || at >= last[unit].window.end)
	{
		last[unit].window = compute_date_window(unit, tz, at);
		last[unit].tz = tz;
	}
	return last[unit].window;
}

/* Windows of an hour or a minute. */
static UlWindow
clock_window(int64 length, pg_tz *tz, TimestampTz at)
{
	int64		offset = utc_offset(at, tz);
	TimestampTz change;
	int64		next_offset;
	UlWindow	window;

	window.start = floor_to(at + offset, length) - offset;
	window.end = window.start + length;

	/* an offset change within [start, at] starts the window anew */
	for (TimestampTz from = window.start - 1;
		 next_offset_change(from, tz, &change, &next_offset) && change < window.end;
		 from = change)
	{
		if (change > at)
		{
			window.end = change;
			break;
		}
		window.start = change;
	}
	return window;
}

/* Midnight of 2001-01-01, a Monday: anniversaries of those who have no anchor. */
#define DEFAULT_ANCHOR		(366 * USECS_PER_DAY)

/* a - b, of two timestamps of any age */
static int64
time_between(int64 a, int64 b)
{
	int64		difference;

	if (pg_sub_s64_overflow(a, b, &difference))
		raise_out_of_range();
	return difference;
}

static int64
month_number(Timestamp local)
{
	struct pg_tm tm;
	fsec_t		fsec;

	if (timestamp2tm(local, NULL, &tm, &fsec, NULL, NULL) != 0)
		raise_out_of_range();
	return (int64) tm.tm_year * MONTHS_PER_YEAR + tm.tm_mon - 1;
}

/* The local time "steps" periods of months or days after the anchor's. */
static Timestamp
anniversary_boundary(const UlPeriod *period, Timestamp anchor, int64 steps)
{
	struct pg_tm tm;
	fsec_t		fsec;
	int64		month;
	Timestamp	result;

	if (period->days != 0)
	{
		if (pg_mul_s64_overflow(steps, period->days * USECS_PER_DAY, &result) ||
			pg_add_s64_overflow(anchor, result, &result) || !IS_VALID_TIMESTAMP(result))
			raise_out_of_range();
		return result;
	}

	if (timestamp2tm(anchor, NULL, &tm, &fsec, NULL, NULL) != 0)
		raise_out_of_range();
	month = (int64) tm.tm_year * MONTHS_PER_YEAR + tm.tm_mon - 1 + steps * period->months;
	tm.tm_year = floor_to(month, MONTHS_PER_YEAR) / MONTHS_PER_YEAR;
	tm.tm_mon = month - (int64) tm.tm_year * MONTHS_PER_YEAR + 1;
	tm.tm_mday = Min(tm.tm_mday, day_tab[isleap(tm.tm_year)][tm.tm_mon - 1]);
	if (tm2timestamp(&tm, fsec, NULL, &result) != 0)
		raise_out_of_range();
	return result;
}

/* Where a window begins that is "steps" periods from the anchor. */
static TimestampTz
anniversary(const UlPeriod *period, pg_tz *tz, TimestampTz anchor, Timestamp local_anchor,
			int64 steps)
{
	if (steps == 0)
		return anchor;
	return first_instant_of(anniversary_boundary(period, local_anchor, steps), tz);
}

/* Windows of months or days from an anchor. */
static UlWindow
compute_anniversary_window(const UlPeriod *period, pg_tz *tz, TimestampTz anchor, TimestampTz at)
{
	Timestamp	local = at + utc_offset(at, tz);
	Timestamp	local_anchor = anchor + utc_offset(anchor, tz);
	int64		distance;
	int64		unit;
	int64		steps;
	UlWindow	window;

	if (period->days != 0)
	{
		distance = time_between(local, local_anchor);
		unit = period->days * USECS_PER_DAY;
	}
	else
	{
		distance = month_number(local) - month_number(local_anchor);
		unit = period->months;
	}
	steps = floor_to(distance, unit) / unit;
	if (anniversary_boundary(period, local_anchor, steps) > local)
		steps--;				/* later in its month */
	window.start = anniversary(period, tz, anchor, local_anchor, steps);
	window.end = anniversary(period, tz, anchor, local_anchor, steps + 1);

	/* a clock set back over the boundary shows the time before it again */
	while (at >= window.end)
	{
		steps++;
		window.start = window.end;
		window.end = anniversary(period, tz, anchor, local_anchor, steps + 1);
	}
	/* the anchor may be the second instant at which the clock shows its time */
	while (at < window.start)
	{
		steps--;
		window.end = window.start;
		window.start = anniversary(period, tz, anchor, local_anchor, steps);
	}
	return window;
}

/* The same, from the one computed last where that holds the instant. */
static UlWindow
anniversary_window(const UlPeriod *period, pg_tz *tz, TimestampTz anchor, TimestampTz at)
{
	static struct
	{
		pg_tz	   *tz;
		TimestampTz anchor;
		int			months;
		int			days;
		UlWindow	window;
	}			last[8];
	int			i = (period->months + period->days) % lengthof(last);

	if (last[i].tz != tz || last[i].anchor != anchor ||
		last[i].months != period->months || last[i].days != period->days ||
		at < last[i].window.start || at >= last[i].window.end)
	{
		last[i].window = compute_anniversary_window(period, tz, anchor, at);
		last[i].tz = tz;
		last[i].anchor = anchor;
		last[i].months = period->months;
		last[i].days = period->days;
	}
	return last[i].window;
}

/* Windows of a fixed length from an anchor. */
static UlWindow
length_window(int64 length, TimestampTz anchor, TimestampTz at)
{
	UlWindow	window;

	window.start = anchor + floor_to(time_between(at, anchor), length);
	if (pg_add_s64_overflow(window.start, length, &window.end))
		raise_out_of_range();
	return window;
}

static UlWindow
calendar_window(UlUnit unit, pg_tz *tz, TimestampTz at)
{
	if (unit == UL_UNIT_MINUTE)
		return clock_window(USECS_PER_MINUTE, tz, at);
	if (unit == UL_UNIT_HOUR)
		return clock_window(USECS_PER_HOUR, tz, at);
	return date_window(unit, tz, at);
}

/* The unit of the calendar that an interval is, if it is one. */
static UlUnit
unit_of(const Interval *interval)
{
	static const struct
	{
		Interval	interval;
		UlUnit		unit;
	}			units[] = {
		{{USECS_PER_MINUTE, 0, 0}, UL_UNIT_MINUTE},
		{{USECS_PER_HOUR, 0, 0}, UL_UNIT_HOUR},
		{{0, 1, 0}, UL_UNIT_DAY},
		{{0, 7, 0}, UL_UNIT_WEEK},
		{{0, 0, 1}, UL_UNIT_MONTH},
		{{0, 0, 12}, UL_UNIT_YEAR},
		{{USECS_PER_DAY, 0, 0}, UL_UNIT_DAY}
	};

	for (size_t i = 0; i < lengthof(units); i++)
		if (interval->time == units[i].interval.time &&
			interval->day == units[i].interval.day &&
			interval->month == units[i].interval.month)
			return units[i].unit;
	return UL_UNIT_NONE;
}

/* Nothing longer than 100 years can overflow. */
static bool
is_length(const Interval *interval)
{
	return interval->month >= 0 && interval->day >= 0 && interval->time >= 0 &&
		interval->month <= 100 * MONTHS_PER_YEAR && interval->day <= 100 * DAYS_PER_YEAR &&
		interval->time <= 100 * (int64) DAYS_PER_YEAR * USECS_PER_DAY;
}

/* In microseconds, a month being 30 days; 0 for what is no length. */
static int64
fixed_length(const Interval *interval)
{
	if (!is_length(interval))
		return 0;
	return interval->time +
		(interval->day + (int64) interval->month * DAYS_PER_MONTH) * USECS_PER_DAY;
}

static const char *
init_anniversary(UlPeriod *period, const Interval *interval)
{
	int			parts = (interval->month != 0) + (interval->day != 0) + (interval->time != 0);

	if (!is_length(interval) || parts != 1 ||
		(interval->time != 0 && interval->time < USECS_PER_MINUTE))
		return "An anniversary window is a number of months, of days, or a time of a minute or more, and at most 100 years long.";
	period->unit = unit_of(interval);
	period->months = interval->month;
	period->days = interval->day;
	/* 24 hours are a day, as for the calendar */
	if (period->unit == UL_UNIT_DAY)
		period->days = 1;
	else
		period->length = interval->time;
	return NULL;
}

const char *
ul_period_init(UlPeriod *period, UlAlignment alignment, const Interval *interval)
{
	memset(period, 0, sizeof(*period));
	period->alignment = alignment;

	if (alignment == UL_ALIGN_NONE)
		return interval == NULL ? NULL : "A lifetime has no period.";
	if (interval == NULL)
		return "A window needs a period.";

	if (alignment == UL_ALIGN_CALENDAR)
	{
		period->unit = unit_of(interval);
		if (period->unit != UL_UNIT_NONE)
			return NULL;
		return "A calendar window is 1 minute, 1 hour, 1 day, 7 days, 1 month or 1 year long.";
	}

	if (alignment == UL_ALIGN_ANNIVERSARY)
		return init_anniversary(period, interval);

	period->length = fixed_length(interval);
	if (period->length < MIN_SUB_BUCKET)
		return "A sliding window is between 6 seconds and 100 years long.";
	period->sub_bucket = Max(period->length / SUB_BUCKETS, MIN_SUB_BUCKET);
	return NULL;
}

const char *
ul_rate_period(const Interval *interval, int64 *length)
{
	if (interval == NULL)
		return "A rate needs a period.";
	*length = fixed_length(interval);
	return *length > 0 ? NULL : "The period of a rate is longer than 0 and at most 100 years.";
}

UlWindow
ul_window_at(const UlPeriod *period, pg_tz *tz, TimestampTz anchor, TimestampTz at)
{
	UlWindow	window = {DT_NOBEGIN, DT_NOEND};

	switch (period->alignment)
	{
		case UL_ALIGN_NONE:
			break;
		case UL_ALIGN_SLIDING:
			window.start = floor_to(at - period->length, period->sub_bucket);
			break;
		case UL_ALIGN_CALENDAR:
			return calendar_window(period->unit, tz, at);
		case UL_ALIGN_ANNIVERSARY:
			if (anchor == DT_NOBEGIN && period->unit != UL_UNIT_NONE)
				return calendar_window(period->unit, tz, at);
			if (anchor == DT_NOBEGIN)
				anchor = first_instant_of(DEFAULT_ANCHOR, tz);
			if (period->length != 0)
				return length_window(period->length, anchor, at);
			return anniversary_window(period, tz, anchor, at);
	}
	return window;
}

TimestampTz
ul_bucket_floor(const UlPeriod *period, pg_tz *tz, TimestampTz anchor, TimestampTz at)
{
	if (period->alignment == UL_ALIGN_SLIDING)
		return floor_to(at, period->sub_bucket);
	return ul_window_at(period, tz, anchor, at).start;
}

TimestampTz
ul_sliding_leaves(const UlPeriod *period, TimestampTz bucket_start)
{
	return floor_to(bucket_start, period->sub_bucket) + period->sub_bucket + period->length;
}

TimestampTz
ul_utc_day(TimestampTz at)
{
	return floor_to(at, USECS_PER_DAY);
}
