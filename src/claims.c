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
#include "rate.h"
#include "scan.h"
#include "xact.h"

bool
ul_limit_sums(const UlLimit *limit)
{
	return limit->kind == UL_KIND_COUNTER || limit->kind == UL_KIND_GAUGE;
}

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
	if (limit->period.alignment == UL_ALIGN_SLIDING)
		claim->sum.sub_bucket = limit->period.sub_bucket;
	claim->sum.start = Max(window.start, reset);
	claim->sum.end = window.end;
	claim->at = Max(now, reset);
	ul_gcra_init(&claim->rate_state);
	if (limit->kind == UL_KIND_RATE && claim->value > 0)
	{
		claim->rate.units = claim->value;
		claim->rate.period = limit->rate_period;
		if (limit->burst > 0)
			claim->value = limit->burst;
		claim->value = Min(claim->value, ul_gcra_max_units(&claim->rate, claim->at));
	}
}

/* Whether usage leaves bit by bit, and not when a window ends. */
static bool
leaves_gradually(const UlLimit *limit)
{
	return limit->period.alignment == UL_ALIGN_SLIDING || limit->kind == UL_KIND_RATE;
}

/* When no more than some usage will be left of what leaves gradually, or DT_NOEND. */
static TimestampTz
falls_to(const UlClaim *claim, int64 usage)
{
	int			part;

	if (claim->limit->kind == UL_KIND_RATE)
		return claim->sum.used > usage ?
			ul_gcra_falls_to(&claim->rate_state, usage) : DT_NOEND;
	part = ul_sum_part_above(&claim->sum, usage);
	if (part < 0)
		return DT_NOEND;
	return ul_sliding_leaves(&claim->limit->period, claim->sum.parts[part].start);
}

int
ul_claim_tests(UlClaim *claims, int count, UlTest *tests)
{
	int			ntests = 0;

	for (int i = 0; i < count; i++)
	{
		UlClaim    *claim = &claims[i];

		if (!ul_limit_sums(claim->limit))
			continue;
		tests[ntests].sum = &claim->sum;
		tests[ntests].requested = claim->requested;
		tests[ntests].value = claim->value < 0 ? claim->value :
			ul_add_saturated(claim->value, claim->room);
		tests[ntests].denies = ul_claim_denies(claim);
		ntests++;
	}
	return ntests;
}

void
ul_read_rates(UlClaim *claims, int count)
{
	for (int i = 0; i < count; i++)
	{
		UlClaim    *claim = &claims[i];

		if (claim->limit->kind != UL_KIND_RATE)
			continue;
		ul_rate_read(claim->user->user_id, claim->limit->limit_type, &claim->rate_state);
		if (claim->rate_state.written_at < claim->sum.start)
			ul_gcra_init(&claim->rate_state);
		if (claim->rate.units > 0)
			ul_gcra_apply(&claim->rate_state, &claim->rate);
		claim->sum.used = ul_gcra_used(&claim->rate_state, claim->at);
	}
}

void
ul_read_claims(UlClaim *claims, int count, const char *user_id, const char *usage_type,
			   TimestampTz now)
{
	UlTest	   *tests = palloc(sizeof(UlTest) * Max(count, 1));
	int			ntests = ul_claim_tests(claims, count, tests);

	ul_xact_read(user_id, usage_type, UL_ASK_READ, tests, ntests, now);
	pfree(tests);
	ul_read_rates(claims, count);
}

int64
ul_usage_since(const char *user_id, const char *usage_type, TimestampTz from, UlAsk ask,
			   TimestampTz now)
{
	UlSum		sum = {.measure = UL_MEASURE_AMOUNT,.start = from,.end = DT_NOEND};
	UlTest		test = {.sum = &sum};

	ul_xact_read(user_id, usage_type, ask, &test, 1, now);
	return sum.used;
}

typedef struct NewestState
{
	TimestampTz newest;
} NewestState;

static void
note_bucket(TimestampTz bucket_start, const char *event_subtype, const int64 *measures, void *arg)
{
	NewestState *state = arg;

	state->newest = Max(state->newest, bucket_start);
}

TimestampTz
ul_newest_bucket(const char *user_id, const char *usage_type, TimestampTz from)
{
	NewestState state = {.newest = DT_NOBEGIN};
	UlKey	   *key = ul_xact_key(user_id, usage_type);
	Snapshot	snapshot = ul_latest_snapshot(false);

	ul_gate_scan(user_id, usage_type, from, snapshot, note_bucket, &state);
	ul_release_snapshot(snapshot);
	for (UlCell *cell = key->cells; cell != NULL; cell = cell->next_in_key)
		if (cell->top != NULL && cell->bucket_start >= from)
			state.newest = Max(state.newest, cell->bucket_start);
	if (ul_shared_gate())
	{
		TimestampTz reserved = ul_shared_newest_bucket(&key->pin);

		if (reserved >= from)
			state.newest = Max(state.newest, reserved);
	}
	return state.newest;
}

void
ul_judge_claim(UlClaim *claim)
{
	claim->fits_at = DT_NOEND;
	claim->exceeded = claim->value >= 0 &&
		claim->requested > ul_subtract_saturated(claim->value, claim->sum.used);
	if (!claim->exceeded || claim->requested > claim->value)
		return;
	if (leaves_gradually(claim->limit))
		claim->fits_at = falls_to(claim, claim->value - claim->requested);
	else
		claim->fits_at = claim->sum.end;
}

bool
ul_claim_denies(const UlClaim *claim)
{
	return ul_enforcement == UL_ENFORCEMENT_ON && claim->value >= 0 &&
		claim->limit->enforcement == UL_HARD && claim->paid == 0;
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
	return claim->limit->enforcement == UL_SOFT || claim->paid > 0 ? "over_limit" : "shadow";
}

TimestampTz
ul_claim_resets_at(const UlClaim *claim)
{
	if (!leaves_gradually(claim->limit))
		return claim->sum.end;
	return falls_to(claim, 0);
}

bool
ul_claim_uses_rate(const UlClaim *claim)
{
	return claim->rate.units > 0 && claim->consumes != 0;
}

static void
use_rate(UlClaim *claim)
{
	if (!ul_claim_uses_rate(claim) || claim->rate_used)
		return;
	ul_gcra_use(&claim->rate_state, &claim->rate, claim->at, claim->consumes);
	claim->sum.used = ul_gcra_used(&claim->rate_state, claim->at);
	claim->rate_used = true;
}

void
ul_store_rates(UlClaim *claims, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (!ul_claim_uses_rate(&claims[i]))
			continue;
		use_rate(&claims[i]);
		ul_rate_store(claims[i].user->user_id, claims[i].limit->limit_type,
					  &claims[i].rate_state);
	}
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
	if (consumed && limit->kind == UL_KIND_RATE)
		use_rate(claim);
	else if (consumed && claim->consumes != 0)
	{
		TimestampTz at = ul_limit_bucket_floor(limit, claim->user, now);

		ul_sum_make_room(&claim->sum, 1);
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
		if (leaves_gradually(denying->limit))
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

		if (ul_limit_sums(limit))
			start = Max(start, ul_limit_bucket_floor(limit, user, at));
	}
	return start;
}
