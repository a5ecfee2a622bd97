/*-------------------------------------------------------------------------
 *
 * claims.c
 *		What limits say to a request.
 *
 * Amounts are compared by subtraction, so that no comparison overflows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "claims.h"
#include "gate.h"
#include "guc.h"
#include "pending.h"
#include "xact.h"

/* Reading a key's rows into claims */
typedef struct ReadState
{
	UlClaim    *claims;
	int			count;
	TimestampTz newest_bucket;
	const char *without;		/* a hold that does not count, or NULL */
} ReadState;

bool
ul_limit_counts(const UlLimit *limit, const char *event_subtype)
{
	return limit->event_subtype == NULL ||
		(event_subtype != NULL && strcmp(limit->event_subtype, event_subtype) == 0);
}

void
ul_init_claim(UlClaim *claim, const UlLimit *limit, const UlUser *user, TimestampTz now)
{
	TimestampTz reset = ul_last_reset(user, limit->usage_type, DT_NOEND);
	UlWindow	window;

	memset(claim, 0, sizeof(*claim));
	claim->user = user;
	claim->limit = limit;
	claim->now = now;
	claim->consumes_until = DT_NOEND;
	claim->value = ul_limit_value(limit, user, now, &claim->source);
	window = ul_window_at(&limit->period, ul_limit_zone(limit, user), now);
	claim->sum.measure = limit->measure;
	claim->sum.event_subtype = limit->event_subtype;
	claim->sum.sliding = limit->period.alignment == UL_ALIGN_SLIDING;
	claim->sum.start = Max(window.start, reset);
	claim->sum.end = window.end;
}

/*
 * A sliding limit has many windows that a bucket counts in: what they all hold
 * is read, and sum_fullest_window finds the one that counts.
 */
bool
ul_init_claim_of_hold(UlClaim *claim, const UlLimit *limit, const UlUser *user,
					  const char *hold_id, TimestampTz bucket_start, TimestampTz now)
{
	UlWindow	window = ul_window_at(&limit->period, ul_limit_zone(limit, user), bucket_start);

	ul_init_claim(claim, limit, user, now);
	claim->settles = hold_id;
	claim->sum.start = Max(window.start, ul_last_reset(user, limit->usage_type, DT_NOEND));
	claim->sum.end = claim->sum.sliding ?
		ul_sliding_leaves(&limit->period, bucket_start) : window.end;
	claim->settles_in = bucket_start;
	return bucket_start >= claim->sum.start;
}

/*
 * Of all sliding windows that a hold's bucket counts in, the usage of the one
 * that has most of it.
 */
static void
sum_fullest_window(UlClaim *claim)
{
	UlSum	   *sum = &claim->sum;

	sum->used = 0;
	for (int first = 0; first < sum->nparts; first++)
	{
		TimestampTz end = ul_sliding_leaves(&claim->limit->period, sum->parts[first].bucket_start);
		int64		total = 0;

		if (sum->parts[first].bucket_start > claim->settles_in)
			break;
		for (int i = first; i < sum->nparts && sum->parts[i].bucket_start < end; i++)
		{
			total = ul_add_saturated(total, sum->parts[i].used);
			if (i == sum->nparts - 1 || sum->parts[i + 1].bucket_start > claim->settles_in)
				sum->used = Max(sum->used, total);
		}
	}
}

/* Makes room for one more part; the array grows by doubling. */
static void
make_room(UlSum *sum)
{
	if (!sum->sliding || sum->nparts < sum->max_parts)
		return;
	sum->max_parts = Max(8, sum->max_parts * 2);
	sum->parts = sum->parts == NULL ? palloc(sizeof(UlPart) * sum->max_parts) :
		repalloc(sum->parts, sizeof(UlPart) * sum->max_parts);
}

static void
add_usage(TimestampTz bucket_start, const char *event_subtype, const int64 *measures, void *arg)
{
	ReadState  *state = arg;

	state->newest_bucket = Max(state->newest_bucket, bucket_start);
	for (int i = 0; i < state->count; i++)
	{
		UlSum	   *sum = &state->claims[i].sum;

		if (state->claims[i].limit->kind == UL_KIND_CONCURRENCY ||
			!ul_sum_counts(sum, event_subtype))
			continue;
		make_room(sum);
		(void) ul_sum_add(sum, bucket_start, measures[sum->measure]);
	}
}

/* Adds what a hold takes; in a sliding window it leaves with its bucket at the latest. */
static void
add_held(UlClaim *claim, TimestampTz bucket_start, TimestampTz until, int64 amount)
{
	if (amount == 0)
		return;
	if (claim->sum.sliding)
		until = Min(until, ul_sliding_leaves(&claim->limit->period, bucket_start));
	if (claim->holds == NULL)
		claim->holds = palloc(sizeof(UlHeld) * 4);
	else if (claim->nheld >= 4 && (claim->nheld & (claim->nheld - 1)) == 0)
		claim->holds = repalloc(claim->holds, sizeof(UlHeld) * claim->nheld * 2);
	claim->holds[claim->nheld].until = until;
	claim->holds[claim->nheld].amount = amount;
	claim->nheld++;
	claim->held = ul_add_saturated(claim->held, amount);
}

/* A concurrency limit counts holds, the others what they hold. */
static void
add_hold(const UlHold *hold, void *arg)
{
	ReadState  *state = arg;

	if (state->without != NULL && strcmp(state->without, hold->hold_id) == 0)
		return;
	for (int i = 0; i < state->count; i++)
	{
		UlClaim    *claim = &state->claims[i];
		bool		concurrency = claim->limit->kind == UL_KIND_CONCURRENCY;

		if (!ul_sum_counts(&claim->sum, hold->event_subtype))
			continue;
		if (claim->settles != NULL && claim->sum.sliding)
		{
			make_room(&claim->sum);
			(void) ul_sum_add(&claim->sum, hold->bucket_start, hold->measures[claim->sum.measure]);
		}
		else if (concurrency ||
				 (hold->bucket_start >= claim->sum.start && hold->bucket_start < claim->sum.end))
			add_held(claim, hold->bucket_start,
			/* what asks for more makes no room by expiring */
					 claim->settles != NULL && strcmp(claim->settles, hold->hold_id) == 0 ?
					 DT_NOEND : hold->expires_at,
					 concurrency ? 1 : hold->measures[claim->sum.measure]);
	}
}

int64
ul_claim_used(const UlClaim *claim)
{
	return ul_add_saturated(claim->sum.used, claim->held);
}

/* What will be left of the usage at a later instant when nobody does anything. */
static int64
used_after(const UlClaim *claim, TimestampTz at)
{
	UlSum		sum = claim->sum;
	int64		used;

	while (sum.sliding && sum.nparts > 0 &&
		   ul_sliding_leaves(&claim->limit->period, sum.parts[0].bucket_start) <= at)
	{
		sum.parts++;
		sum.nparts--;
	}
	ul_sum_parts(&sum);
	used = sum.used;
	for (int i = 0; i < claim->nheld; i++)
		if (claim->holds[i].until > at)
			used = ul_add_saturated(used, claim->holds[i].amount);
	return used;
}

static int
compare_times(const void *a, const void *b)
{
	TimestampTz left = *(const TimestampTz *) a;
	TimestampTz right = *(const TimestampTz *) b;

	return left < right ? -1 : left > right ? 1 : 0;
}

/*
 * When no more than some usage will be left of what counts now, where it leaves
 * little by little: parts of a sliding window as time goes by, holds when they
 * expire.  DT_NOEND for never.
 */
static TimestampTz
left_at(const UlClaim *claim, int64 usage)
{
	int			nparts = claim->sum.sliding ? claim->sum.nparts : 0;
	TimestampTz *times;
	int			low = 0;
	int			high;

	if (claim->nheld == 0)
	{
		int			part = claim->sum.sliding ? ul_sum_part_above(&claim->sum, usage) : -1;

		return part < 0 ? DT_NOEND :
			ul_sliding_leaves(&claim->limit->period, claim->sum.parts[part].bucket_start);
	}

	high = nparts + claim->nheld;
	times = palloc(sizeof(TimestampTz) * high);
	for (int i = 0; i < nparts; i++)
		times[i] = ul_sliding_leaves(&claim->limit->period, claim->sum.parts[i].bucket_start);
	for (int i = 0; i < claim->nheld; i++)
		times[nparts + i] = claim->holds[i].until;
	qsort(times, high, sizeof(TimestampTz), compare_times);

	/*
	 * usage only becomes less: the first of the instants at which it is
	 * little enough
	 */
	if (used_after(claim, times[high - 1]) > usage)
		return DT_NOEND;
	high--;
	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (used_after(claim, times[middle]) <= usage)
			high = middle;
		else
			low = middle + 1;
	}
	return times[low];
}

/* Calls "seen" for the transaction's own cells of a key. */
static void
read_pending(const char *user_id, const char *usage_type, UlCounterSeen seen, void *arg)
{
	UlKey	   *key = ul_xact_find_key(user_id, usage_type);

	if (key == NULL)
		return;
	for (UlCell *cell = key->cells; cell != NULL; cell = cell->next_in_key)
		for (UlFrame *frame = cell->top; frame != NULL; frame = frame->below)
			seen(cell->bucket_start, cell->event_subtype, frame->amounts.measure, arg);
}

void
ul_read_claims_without(UlClaim *claims, int count, const char *user_id, const char *usage_type,
					   const char *hold_id)
{
	ReadState	state = {
		.claims = claims,.count = count,.newest_bucket = DT_NOBEGIN,.without = hold_id,
	};
	TimestampTz from = DT_NOEND;

	if (count == 0)
		return;
	for (int i = 0; i < count; i++)
		if (claims[i].limit->kind != UL_KIND_CONCURRENCY)
			from = Min(from, claims[i].sum.start);
	if (from != DT_NOEND)
	{
		ul_gate_read(user_id, usage_type, from, add_usage, &state);
		ul_xact_rows_read(user_id, usage_type, state.newest_bucket);
		read_pending(user_id, usage_type, add_usage, &state);
	}
	ul_read_open_holds(user_id, usage_type, claims[0].now, add_hold, &state);
	for (int i = 0; i < count; i++)
	{
		if (claims[i].settles != NULL && claims[i].sum.sliding)
			sum_fullest_window(&claims[i]);
		else
			ul_sum_parts(&claims[i].sum);
	}
}

void
ul_read_claims(UlClaim *claims, int count, const char *user_id, const char *usage_type)
{
	ul_read_claims_without(claims, count, user_id, usage_type, NULL);
}

typedef struct SumState
{
	TimestampTz from;
	TimestampTz newest;
	int64		sum;
} SumState;

static void
add_to_sum(TimestampTz bucket_start, const char *event_subtype, const int64 *measures, void *arg)
{
	SumState   *state = arg;

	if (bucket_start < state->from)
		return;
	state->sum = ul_add_saturated(state->sum, measures[UL_MEASURE_AMOUNT]);
	state->newest = Max(state->newest, bucket_start);
}

static SumState
sum_since(const char *user_id, const char *usage_type, TimestampTz from)
{
	SumState	state = {.from = from,.newest = DT_NOBEGIN};

	ul_gate_read(user_id, usage_type, from, add_to_sum, &state);
	read_pending(user_id, usage_type, add_to_sum, &state);
	return state;
}

int64
ul_usage_since(const char *user_id, const char *usage_type, TimestampTz from)
{
	return sum_since(user_id, usage_type, from).sum;
}

typedef struct HeldState
{
	SumState	sum;
	const char *without;
} HeldState;

static void
add_hold_to_sum(const UlHold *hold, void *arg)
{
	HeldState  *state = arg;

	if (state->without == NULL || strcmp(state->without, hold->hold_id) != 0)
		add_to_sum(hold->bucket_start, hold->event_subtype, hold->measures, &state->sum);
}

static SumState
held_since(const char *user_id, const char *usage_type, TimestampTz from, TimestampTz now,
		   const char *without)
{
	HeldState	state = {
		.sum = {.from = from,.newest = DT_NOBEGIN},
		.without = without,
	};

	ul_read_open_holds(user_id, usage_type, now, add_hold_to_sum, &state);
	return state.sum;
}

int64
ul_held_since(const char *user_id, const char *usage_type, TimestampTz from, TimestampTz now,
			  const char *without)
{
	return held_since(user_id, usage_type, from, now, without).sum;
}

TimestampTz
ul_newest_bucket(const char *user_id, const char *usage_type, TimestampTz from)
{
	return Max(sum_since(user_id, usage_type, from).newest,
			   held_since(user_id, usage_type, from, from, NULL).newest);
}

void
ul_judge_claim(UlClaim *claim)
{
	claim->fits_at = DT_NOEND;
	claim->exceeded = claim->value >= 0 && (claim->settles == NULL || claim->requested > claim->has) &&
		claim->requested - claim->has > ul_subtract_saturated(claim->value, ul_claim_used(claim));
	if (!claim->exceeded || claim->requested > claim->value)
		return;

	/*
	 * what settles a hold is booked in its own window, which is no emptier
	 * later
	 */
	if (claim->settles != NULL && claim->limit->period.alignment != UL_ALIGN_NONE)
		return;
	if (claim->limit->period.alignment == UL_ALIGN_CALENDAR)
		claim->fits_at = claim->sum.end;
	else
		claim->fits_at = left_at(claim, claim->value - claim->requested + claim->has);
}

bool
ul_claim_denies(const UlClaim *claim)
{
	return ul_enforcement == UL_ENFORCEMENT_ON && claim->value >= 0 &&
		claim->limit->enforcement == UL_HARD;
}

bool
ul_claim_admits(const UlClaim *claim)
{
	return ul_claim_used(claim) < claim->value || !ul_claim_denies(claim);
}

const char *
ul_claim_reason(const UlClaim *claim)
{
	if (ul_enforcement == UL_ENFORCEMENT_OFF)
		return "not_enforced";
	if (claim->value < 0)
		return "unlimited";
	if (!claim->exceeded)
		return "ok";
	if (ul_claim_denies(claim))
		return claim->requested > claim->value ? "amount_exceeds_limit" : "limit_exceeded";
	return claim->limit->enforcement == UL_SOFT ? "over_limit" : "shadow";
}

TimestampTz
ul_claim_resets_at(const UlClaim *claim)
{
	if (claim->limit->period.alignment == UL_ALIGN_CALENDAR)
		return claim->sum.end;
	return left_at(claim, 0);
}

int64
ul_claim_remaining(const UlClaim *claim, int64 used)
{
	if (claim->value < 0)
		return PG_INT64_MAX;
	return Max(0, ul_subtract_saturated(claim->value, used));
}

/* Whether the first claim has less left; of two that have the same, the one of the lesser name. */
static bool
is_tighter(const UlClaim *a, int64 a_used, const UlClaim *b, int64 b_used)
{
	int64		a_remaining = ul_claim_remaining(a, a_used);
	int64		b_remaining = ul_claim_remaining(b, b_used);

	if (a_remaining != b_remaining)
		return a_remaining < b_remaining;
	return strcmp(a->limit->limit_type, b->limit->limit_type) < 0;
}

/* Of two claims that a request exceeds: whether the first is named. */
static bool
exceeds_more(const UlClaim *a, const UlClaim *b)
{
	if (a->fits_at != b->fits_at)
		return a->fits_at > b->fits_at;
	return is_tighter(a, ul_claim_used(a), b, ul_claim_used(b));
}

/* The claim named by an answer: see the type usage_decision. */
static UlClaim *
binding_claim(UlClaim *claims, int count, bool exceeded, bool denying)
{
	UlClaim    *binding = NULL;

	for (int i = 0; i < count; i++)
	{
		UlClaim    *claim = &claims[i];

		if (exceeded)
		{
			if (claim->exceeded && (!denying || ul_claim_denies(claim)) &&
				(binding == NULL || exceeds_more(claim, binding)))
				binding = claim;
			continue;
		}
		if (binding == NULL ||
			is_tighter(claim, ul_add_saturated(ul_claim_used(claim), claim->requested),
					   binding, ul_add_saturated(ul_claim_used(binding), binding->requested)))
			binding = claim;
	}
	return binding;
}

static void
describe(UlClaim *claim, bool consumed, TimestampTz now, UlDecision *decision)
{
	const UlLimit *limit = claim->limit;

	decision->usage_type = limit->usage_type;
	decision->limit_type = limit->limit_type;
	decision->title = limit->description;
	decision->requested = claim->requested;
	decision->limit = claim->value;
	if (consumed && claim->consumes != 0)
	{
		TimestampTz at = ul_bucket_floor(&limit->period, limit->zone, now);

		if (claim->consumes_until != DT_NOEND)
			add_held(claim, at, claim->consumes_until, claim->consumes);
		else
		{
			make_room(&claim->sum);
			(void) ul_sum_add(&claim->sum, Max(at, claim->sum.start), claim->consumes);
			ul_sum_parts(&claim->sum);
		}
	}
	decision->current = ul_claim_used(claim);
	decision->remaining = ul_claim_remaining(claim, decision->current);
	decision->reset_at = ul_claim_resets_at(claim);
}

void
ul_report(UlClaim *claims, int count, const char *reason, TimestampTz now, UlDecision *decision)
{
	UlClaim    *claim = binding_claim(claims, count, false, false);

	decision->allowed = true;
	decision->reason = claim != NULL && claim->value < 0 && strcmp(reason, "ok") == 0 ?
		"unlimited" : reason;
	decision->retry_after = -1;
	describe(claim, false, now, decision);
}

void
ul_decide(UlClaim *claims, int count, TimestampTz now, UlDecision *decision)
{
	UlClaim    *denying = binding_claim(claims, count, true, true);
	UlClaim    *exceeded = binding_claim(claims, count, true, false);
	UlClaim    *claim;

	decision->retry_after = -1;
	if (denying != NULL)
	{
		describe(denying, false, now, decision);
		decision->allowed = false;
		decision->reason = ul_claim_reason(denying);
		if (denying->limit->period.alignment != UL_ALIGN_CALENDAR)
			decision->reset_at = denying->fits_at;
		if (denying->fits_at != DT_NOEND)
			decision->retry_after =
				Min((denying->fits_at - now + USECS_PER_SEC - 1) / USECS_PER_SEC, PG_INT32_MAX);
		return;
	}

	decision->allowed = true;
	claim = exceeded != NULL ? exceeded : binding_claim(claims, count, false, false);
	describe(claim, true, now, decision);
	decision->reason = ul_claim_reason(claim);
}

TimestampTz
ul_bucket_start(const UlType *type, const UlUser *user, const char *usage_type,
				TimestampTz at, bool in_past)
{
	TimestampTz start = ul_utc_day(at);

	start = Max(start, ul_last_reset(user, usage_type, in_past ? at : DT_NOEND));
	for (int i = 0; type != NULL && i < type->nlimits; i++)
	{
		const UlLimit *limit = type->limits[i];

		if (limit->kind != UL_KIND_CONCURRENCY)
			start = Max(start, ul_bucket_floor(&limit->period, ul_limit_zone(limit, user), at));
	}
	return start;
}
