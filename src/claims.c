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
#include "xact.h"

/* Reading a key's rows into claims */
typedef struct ReadState
{
	UlClaim    *claims;
	int			count;
	TimestampTz newest_bucket;
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
	claim->value = ul_limit_value(limit, user, now, &claim->source);
	window = ul_limit_window(limit, user, now);
	claim->sum.measure = limit->measure;
	claim->sum.event_subtype = limit->event_subtype;
	claim->sum.sliding = limit->period.alignment == UL_ALIGN_SLIDING;
	claim->sum.start = Max(window.start, reset);
	claim->sum.end = window.end;
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

/* When no more than some usage will be left in a sliding window, or DT_NOEND. */
static TimestampTz
parts_left_at(const UlClaim *claim, int64 usage)
{
	int			part = ul_sum_part_above(&claim->sum, usage);

	if (part < 0)
		return DT_NOEND;
	return ul_sliding_leaves(&claim->limit->period, claim->sum.parts[part].bucket_start);
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
ul_read_claims(UlClaim *claims, int count, const char *user_id, const char *usage_type)
{
	ReadState	state = {.claims = claims,.count = count,.newest_bucket = DT_NOBEGIN};
	TimestampTz from = DT_NOEND;

	for (int i = 0; i < count; i++)
		if (claims[i].limit->kind != UL_KIND_CONCURRENCY)
			from = Min(from, claims[i].sum.start);
	if (from == DT_NOEND)
		return;
	ul_gate_read(user_id, usage_type, from, add_usage, &state);
	ul_xact_rows_read(user_id, usage_type, state.newest_bucket);
	read_pending(user_id, usage_type, add_usage, &state);
	for (int i = 0; i < count; i++)
		ul_sum_parts(&claims[i].sum);
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

TimestampTz
ul_newest_bucket(const char *user_id, const char *usage_type, TimestampTz from)
{
	return sum_since(user_id, usage_type, from).newest;
}

void
ul_judge_claim(UlClaim *claim)
{
	claim->fits_at = DT_NOEND;
	claim->exceeded = claim->value >= 0 &&
		claim->requested > ul_subtract_saturated(claim->value, claim->sum.used);
	if (!claim->exceeded || claim->requested > claim->value)
		return;
	if (claim->limit->period.alignment == UL_ALIGN_SLIDING)
		claim->fits_at = parts_left_at(claim, claim->value - claim->requested);
	else
		claim->fits_at = claim->sum.end;
}

bool
ul_claim_denies(const UlClaim *claim)
{
	return ul_enforcement == UL_ENFORCEMENT_ON && claim->value >= 0 &&
		claim->limit->enforcement == UL_HARD && !claim->paid;
}

int64
ul_claim_excess(const UlClaim *claim)
{
	int64		left = ul_claim_remaining(claim, claim->sum.used);

	return claim->requested > left ? claim->requested - left : 0;
}

bool
ul_claim_admits(const UlClaim *claim)
{
	return claim->sum.used < claim->value || !ul_claim_denies(claim);
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
	return claim->limit->enforcement == UL_SOFT || claim->paid ? "over_limit" : "shadow";
}

TimestampTz
ul_claim_resets_at(const UlClaim *claim)
{
	if (claim->limit->period.alignment != UL_ALIGN_SLIDING)
		return claim->sum.end;
	return parts_left_at(claim, 0);
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
	return is_tighter(a, a->sum.used, b, b->sum.used);
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
			is_tighter(claim, ul_add_saturated(claim->sum.used, claim->requested),
					   binding, ul_add_saturated(binding->sum.used, binding->requested)))
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
		TimestampTz at = ul_limit_bucket_floor(limit, claim->user, now);

		make_room(&claim->sum);
		(void) ul_sum_add(&claim->sum, Max(at, claim->sum.start), claim->consumes);
		ul_sum_parts(&claim->sum);
	}
	decision->current = claim->sum.used;
	decision->remaining = ul_claim_remaining(claim, claim->sum.used);
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
		if (denying->limit->period.alignment == UL_ALIGN_SLIDING)
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
			start = Max(start, ul_limit_bucket_floor(limit, user, at));
	}
	return start;
}
