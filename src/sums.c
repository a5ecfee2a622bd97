/*-------------------------------------------------------------------------
 *
 * sums.c
 *		How much of a measure has been used in a window.
 *
 * Amounts that would be out of range stay at the end of it, so that no
 * comparison overflows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/int.h"

#include "sums.h"

int64
ul_add_saturated(int64 a, int64 b)
{
	int64		sum;

	if (pg_add_s64_overflow(a, b, &sum))
		return b > 0 ? PG_INT64_MAX : PG_INT64_MIN;
	return sum;
}

int64
ul_subtract_saturated(int64 a, int64 b)
{
	int64		difference;

	if (pg_sub_s64_overflow(a, b, &difference))
		return b < 0 ? PG_INT64_MAX : PG_INT64_MIN;
	return difference;
}

bool
ul_sum_counts(const UlSum *sum, const char *event_subtype)
{
	return sum->event_subtype == NULL ||
		(event_subtype != NULL && strcmp(sum->event_subtype, event_subtype) == 0);
}

void
ul_sum_make_room(UlSum *sum, int more)
{
	if (sum->sub_bucket == 0 || sum->nparts + more <= sum->max_parts)
		return;
	sum->max_parts = Max(16, 2 * (sum->nparts + more));
	sum->parts = sum->parts == NULL ? palloc(sizeof(UlPart) * sum->max_parts) :
		repalloc(sum->parts, sizeof(UlPart) * sum->max_parts);
}

TimestampTz
ul_part_start(int64 sub_bucket, TimestampTz bucket_start)
{
	int64		into = bucket_start % sub_bucket;

	return bucket_start - (into < 0 ? into + sub_bucket : into);
}

/* Adds usage of a sub-bucket, wherever it belongs among the others. */
static bool
add_part(UlSum *sum, TimestampTz start, int64 used)
{
	int			at = sum->nparts;

	while (at > 0 && sum->parts[at - 1].start > start)
		at--;
	if (at > 0 && sum->parts[at - 1].start == start)
	{
		sum->parts[at - 1].used = ul_add_saturated(sum->parts[at - 1].used, used);
		return true;
	}
	if (sum->nparts >= sum->max_parts)
		return false;
	memmove(&sum->parts[at + 1], &sum->parts[at], sizeof(UlPart) * (sum->nparts - at));
	sum->parts[at].start = start;
	sum->parts[at].used = used;
	sum->nparts++;
	return true;
}

bool
ul_sum_add(UlSum *sum, TimestampTz bucket_start, int64 used)
{
	if (used == 0 || bucket_start < sum->start || bucket_start >= sum->end)
		return true;
	if (sum->sub_bucket > 0)
		return add_part(sum, ul_part_start(sum->sub_bucket, bucket_start), used);
	sum->used = ul_add_saturated(sum->used, used);
	return true;
}

bool
ul_sum_add_part(UlSum *sum, TimestampTz start, int64 used)
{
	if (used == 0 || start < ul_part_start(sum->sub_bucket, sum->start) || start >= sum->end)
		return true;
	return add_part(sum, start, used);
}

/*
 * What was taken back with an adjustment makes room for what was used before
 * it, which leaves the window first: it must not make more room than there is.
 * So it is not the sum of all parts but the most that the newest ones add up
 * to, however many they are.
 */
void
ul_sum_parts(UlSum *sum)
{
	int64		total = 0;

	if (sum->sub_bucket == 0)
		return;
	sum->used = 0;
	for (int i = sum->nparts - 1; i >= 0; i--)
	{
		total = ul_add_saturated(total, sum->parts[i].used);
		sum->used = Max(sum->used, total);
	}
}

int
ul_sum_part_above(const UlSum *sum, int64 usage)
{
	int64		total = 0;

	for (int i = sum->nparts - 1; i >= 0; i--)
	{
		total = ul_add_saturated(total, sum->parts[i].used);
		if (total > usage)
			return i;
	}
	return -1;
}
