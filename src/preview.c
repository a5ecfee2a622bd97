/*-------------------------------------------------------------------------
 *
 * preview.c
 *		What a limit would have denied with another value.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "gate.h"
#include "gcra.h"
#include "guc.h"
#include "preview.h"
#include "scan.h"
#include "sums.h"

/* One user's usage as it would have been */
typedef struct Replay
{
	const UlLimit *limit;
	const UlUser *user;
	int64		value;			/* of a rate: its capacity */
	TimestampTz from;
	UlSum		sum;			/* of a counter or a gauge */
	UlRate		rate;			/* of a rate that is above 0 */
	UlRateState rate_state;
} Replay;

bool
ul_preview_concerns(const UlLimit *limit, const UlUser *user, const char *tier)
{
	TimestampTz now = ul_now();
	UlSource	source;

	(void) ul_limit_value(limit, user, now, &source);
	return source != UL_SOURCE_USER_OVERRIDE &&
		(tier == NULL || strcmp(tier, ul_effective_tier(user, now)) == 0);
}

static void
add_before(TimestampTz bucket_start, const char *event_subtype, const int64 *measures, void *arg)
{
	Replay	   *replay = arg;

	if (bucket_start >= replay->from || !ul_sum_counts(&replay->sum, event_subtype))
		return;
	ul_sum_make_room(&replay->sum, 1);
	(void) ul_sum_add(&replay->sum, bucket_start, measures[replay->sum.measure]);
}

/* Moves the window to that of an instant. */
static void
move_window(Replay *replay, TimestampTz at)
{
	UlSum	   *sum = &replay->sum;
	UlWindow	window = ul_limit_window(replay->limit, replay->user, at);
	TimestampTz start = Max(window.start, ul_last_reset(replay->user, replay->limit->usage_type, at));
	int			gone = 0;

	if (sum->sub_bucket == 0)
	{
		if (start != sum->start)
			sum->used = 0;
	}
	else
	{
		while (gone < sum->nparts && sum->parts[gone].start < start)
			gone++;
		sum->nparts -= gone;
		if (gone > 0)
			memmove(sum->parts, sum->parts + gone, sizeof(UlPart) * sum->nparts);
	}
	sum->start = start;
	sum->end = window.end;
	ul_sum_parts(sum);
}

/* The usage that is there already when the replay begins. */
static void
begin_sum(Replay *replay)
{
	Snapshot	snapshot;

	replay->sum.measure = replay->limit->measure;
	replay->sum.event_subtype = replay->limit->event_subtype;
	if (replay->limit->period.alignment == UL_ALIGN_SLIDING)
		replay->sum.sub_bucket = replay->limit->period.sub_bucket;
	move_window(replay, replay->from);

	snapshot = ul_latest_snapshot(false);
	ul_gate_scan(replay->user->user_id, replay->limit->usage_type, replay->sum.start, snapshot,
				 add_before, replay);
	ul_release_snapshot(snapshot);
	ul_sum_parts(&replay->sum);
}

static int64
usage_at(Replay *replay, TimestampTz at)
{
	if (replay->limit->kind == UL_KIND_RATE)
		return ul_gcra_used(&replay->rate_state, at);
	move_window(replay, at);
	return replay->sum.used;
}

static void
use(Replay *replay, const UlPast *past, int64 amount)
{
	UlSum	   *sum = &replay->sum;

	if (replay->limit->kind == UL_KIND_RATE)
	{
		if (replay->rate.units > 0)
			ul_gcra_use(&replay->rate_state, &replay->rate, past->at, amount);
		return;
	}
	ul_sum_make_room(sum, 1);
	(void) ul_sum_add(sum, past->bucket_start, amount);
	ul_sum_parts(sum);
}

/*
 * How many of some requests would have been denied, and the rest used.  Where
 * only their sum is known, each asked for the same.
 */
static int64
replay_requests(Replay *replay, const UlPast *past)
{
	int64		room = ul_subtract_saturated(replay->value, usage_at(replay, past->at));
	int64		admitted;

	if (past->amount <= room)
	{
		use(replay, past, past->amount);
		return 0;
	}
	if (past->requests == 1)
		return 1;
	admitted = room <= 0 ? 0 : (int64) ((int128) past->requests * room / past->amount);
	use(replay, past, (int64) ((int128) past->amount * admitted / past->requests));
	return past->requests - admitted;
}

/*
 * A correction is not refused.  More than what there would have been is not
 * taken away, as where what is refunded would have been denied.
 */
static void
replay_correction(Replay *replay, const UlPast *past)
{
	int64		used;

	if (replay->limit->kind == UL_KIND_RATE)
		return;
	used = usage_at(replay, past->at);
	if (past->amount >= 0)
		use(replay, past, past->amount);
	else if (used > 0)
		use(replay, past, Max(past->amount, -used));
}

void
ul_preview(const UlLimit *limit, const UlUser *user, int64 value,
		   TimestampTz from, const UlPast *past, int count, UlPreview *preview)
{
	Replay		replay = {.limit = limit,.user = user,.value = value,.from = from};

	preview->denied = 0;
	preview->first_at = DT_NOEND;
	if (value < 0)
		return;
	ul_gcra_init(&replay.rate_state);
	if (limit->kind != UL_KIND_RATE)
		begin_sum(&replay);
	else if (value > 0)
	{
		replay.rate.units = value;
		replay.rate.period = limit->rate_period;
		if (limit->burst > 0)
			replay.value = limit->burst;
	}

	for (int i = 0; i < count; i++)
	{
		int64		denied = 0;

		if (past[i].requests > 0)
			denied = replay_requests(&replay, &past[i]);
		else
			replay_correction(&replay, &past[i]);
		if (denied > 0)
			preview->first_at = Min(preview->first_at, past[i].at);
		preview->denied += denied;
	}
}
