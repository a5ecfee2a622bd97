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

#include "access/xact.h"
#include "utils/timestamp.h"

#include "claims.h"
#include "gate.h"
#include "guc.h"
#include "pending.h"
#include "rate.h"
#include "scan.h"
#include "schema.h"
#include "xact.h"

int
ul_subjects(const char *user_id, const UlUser **subjects)
{
	subjects[0] = ul_find_user(user_id);
	if (subjects[0]->account_id == NULL)
		return 1;
	subjects[1] = ul_find_user(subjects[0]->account_id);
	return 2;
}

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
	claim->now = now;
	claim->consumes_until = DT_NOEND;
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

int
ul_claims_of_limit(const UlLimit *limit, const char *user_id, TimestampTz now, UlClaim *claims)
{
	const UlUser *subjects[UL_MAX_SUBJECTS];
	int			count = ul_subjects(user_id, subjects);

	for (int i = 0; i < count; i++)
	{
		ul_init_claim(&claims[i], limit, subjects[i], now);
		claims[i].of_account = i > 0;
	}
	return count;
}

static bool
is_sliding(const UlClaim *claim)
{
	return claim->limit->period.alignment == UL_ALIGN_SLIDING;
}

/* When what is counted in a sliding window's bucket leaves it. */
static TimestampTz
leaves(const UlClaim *claim, TimestampTz bucket_start)
{
	return ul_sliding_leaves(&claim->limit->period, bucket_start);
}

/*
 * A sliding limit has many windows that a bucket counts in: what they all have
 * is read, and sum_fullest_window finds the one that counts.
 */
bool
ul_init_claim_of_hold(UlClaim *claim, const UlLimit *limit, const UlUser *user,
					  const char *hold_id, TimestampTz bucket_start, TimestampTz now)
{
	UlWindow	window = ul_limit_window(limit, user, bucket_start);

	ul_init_claim(claim, limit, user, now);
	claim->settles = hold_id;
	claim->settles_in = bucket_start;
	claim->sum.start = Max(window.start, ul_last_reset(user, limit->usage_type, DT_NOEND));
	claim->sum.end = is_sliding(claim) ? leaves(claim, bucket_start) : window.end;
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
		TimestampTz end = leaves(claim, sum->parts[first].start);
		int64		total = 0;

		if (sum->parts[first].start > claim->settles_in)
			break;
		for (int i = first; i < sum->nparts && sum->parts[i].start < end; i++)
		{
			total = ul_add_saturated(total, sum->parts[i].used);
			if (i == sum->nparts - 1 || sum->parts[i + 1].start > claim->settles_in)
				sum->used = Max(sum->used, total);
		}
	}
}

/* Adds what a hold takes; from a sliding window it leaves with its bucket at the latest. */
static void
add_held(UlClaim *claim, TimestampTz bucket_start, TimestampTz until, int64 amount)
{
	if (amount == 0)
		return;
	if (is_sliding(claim))
		until = Min(until, leaves(claim, bucket_start));
	if (claim->holds == NULL)
		claim->holds = palloc(sizeof(UlHeld) * 4);
	else if (claim->nheld >= 4 && (claim->nheld & (claim->nheld - 1)) == 0)
		claim->holds = repalloc(claim->holds, sizeof(UlHeld) * claim->nheld * 2);
	claim->holds[claim->nheld].until = until;
	claim->holds[claim->nheld].amount = amount;
	claim->nheld++;
	claim->held = ul_add_saturated(claim->held, amount);
}

typedef struct HeldState
{
	UlClaim    *claims;
	int			count;
	const char *without;		/* a hold that does not count, or NULL */
} HeldState;

/* A concurrency limit counts holds, a sum what they hold, and a rate neither. */
static void
add_hold(const UlHold *hold, void *arg)
{
	HeldState  *state = arg;

	if (state->without != NULL && strcmp(state->without, hold->hold_id) == 0)
		return;
	for (int i = 0; i < state->count; i++)
	{
		UlClaim    *claim = &state->claims[i];
		UlSum	   *sum = &claim->sum;
		TimestampTz until = hold->expires_at;

		if (!ul_sum_counts(sum, hold->event_subtype))
			continue;
		/* what asks for more makes no room by expiring */
		if (claim->settles != NULL && strcmp(claim->settles, hold->hold_id) == 0)
			until = DT_NOEND;
		if (claim->limit->kind == UL_KIND_CONCURRENCY)
			add_held(claim, hold->bucket_start, until, 1);
		else if (!ul_limit_sums(claim->limit) ||
				 hold->bucket_start < sum->start || hold->bucket_start >= sum->end)
			continue;
		else if (claim->settles != NULL && is_sliding(claim))
		{
			ul_sum_make_room(sum, 1);
			(void) ul_sum_add(sum, hold->bucket_start, hold->measures[sum->measure]);
		}
		else
			add_held(claim, hold->bucket_start, until, hold->measures[sum->measure]);
	}
}

void
ul_read_held(UlClaim *claims, int count, const char *without)
{
	HeldState	state = {.claims = claims,.count = count,.without = without};

	if (count > 0)
		ul_read_counting_holds(claims[0].user->user_id, claims[0].limit->usage_type, claims[0].now,
							   add_hold, &state);
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

	while (is_sliding(claim) && sum.nparts > 0 && leaves(claim, sum.parts[0].start) <= at)
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

/* The same as falls_to, where something is held. */
static TimestampTz
held_falls_to(const UlClaim *claim, int64 usage)
{
	int			nparts = is_sliding(claim) ? claim->sum.nparts : 0;
	TimestampTz *times = palloc(sizeof(TimestampTz) * (nparts + claim->nheld));
	int			low = 0;
	int			high = nparts + claim->nheld - 1;

	for (int i = 0; i < nparts; i++)
		times[i] = leaves(claim, claim->sum.parts[i].start);
	for (int i = 0; i < claim->nheld; i++)
		times[nparts + i] = claim->holds[i].until;
	qsort(times, nparts + claim->nheld, sizeof(TimestampTz), compare_times);

	/* usage only becomes less: the first instant at which it is little enough */
	if (used_after(claim, times[high]) > usage)
		return DT_NOEND;
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

/*
 * Whether usage leaves bit by bit, and not when a window ends: a rate's, the
 * parts of a sliding window, and, where there is no window, holds that expire.
 */
static bool
leaves_gradually(const UlLimit *limit)
{
	return limit->period.alignment == UL_ALIGN_SLIDING ||
		limit->period.alignment == UL_ALIGN_NONE || limit->kind == UL_KIND_RATE;
}

/* When no more than some usage will be left of what leaves gradually, or DT_NOEND. */
static TimestampTz
falls_to(const UlClaim *claim, int64 usage)
{
	int			part;

	if (ul_claim_used(claim) <= usage)
		return DT_NOEND;
	if (claim->limit->kind == UL_KIND_RATE)
		return ul_gcra_falls_to(&claim->rate_state, usage);
	if (claim->nheld > 0)
		return held_falls_to(claim, usage);
	part = is_sliding(claim) ? ul_sum_part_above(&claim->sum, usage) : -1;
	return part < 0 ? DT_NOEND : leaves(claim, claim->sum.parts[part].start);
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
		/* what is held is used, and only the gate does not know of it */
		tests[ntests].value = claim->value < 0 ? claim->value :
			ul_subtract_saturated(ul_add_saturated(claim->value, claim->room), claim->held);
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
		claim->rate_taken = false;
		claim->rate_known = true;
		ul_xact_read_rate(claim->user->user_id, claim->limit->usage_type,
						  claim->limit->limit_type, &claim->rate_state);
		if (claim->rate_state.written_at < claim->sum.start)
			ul_gcra_init(&claim->rate_state);
		if (claim->rate.units > 0)
			ul_gcra_apply(&claim->rate_state, &claim->rate);
		claim->sum.used = ul_gcra_used(&claim->rate_state, claim->at);
	}
}

/* Whether anything may be held of a key whose sums a pin got, if any did. */
static bool
may_be_held(const UlPin *pin)
{
	if (pin == NULL || !ul_schema()->holds_watched)
		return true;
	if (pin->unheld)
		return false;
	return ul_holds_exist() || XactReadOnly || !ul_shared_note_unheld(pin);
}

/* Reads claims of one user and usage type. */
static void
read_claims_of_key(UlClaim *claims, int count, const char *without)
{
	UlTest	   *tests = palloc(sizeof(UlTest) * count);
	int			ntests = ul_claim_tests(claims, count, tests);
	const UlPin *pin;

	pin = ul_xact_read(claims[0].user->user_id, claims[0].limit->usage_type, UL_ASK_READ,
					   tests, ntests, claims[0].now);
	pfree(tests);
	if (may_be_held(pin))
		ul_read_held(claims, count, without);
	for (int i = 0; i < count; i++)
		if (claims[i].settles != NULL && is_sliding(&claims[i]))
			sum_fullest_window(&claims[i]);
	ul_read_rates(claims, count);
}

static bool
of_one_key(const UlClaim *a, const UlClaim *b)
{
	return a->user == b->user && strcmp(a->limit->usage_type, b->limit->usage_type) == 0;
}

void
ul_read_claims_without(UlClaim *claims, int count, const char *hold_id)
{
	for (int i = 0, next; i < count; i = next)
	{
		for (next = i + 1; next < count && of_one_key(&claims[i], &claims[next]);)
			next++;
		read_claims_of_key(&claims[i], next - i, hold_id);
	}
}

void
ul_read_claims(UlClaim *claims, int count)
{
	ul_read_claims_without(claims, count, NULL);
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

typedef struct HoldsState
{
	TimestampTz from;
	const char *without;
	int64		amount;
	TimestampTz newest;
} HoldsState;

static void
add_hold_since(const UlHold *hold, void *arg)
{
	HoldsState *state = arg;

	if (hold->bucket_start < state->from ||
		(state->without != NULL && strcmp(state->without, hold->hold_id) == 0))
		return;
	state->amount = ul_add_saturated(state->amount, hold->measures[UL_MEASURE_AMOUNT]);
	state->newest = Max(state->newest, hold->bucket_start);
}

int64
ul_held_since(const char *user_id, const char *usage_type, TimestampTz from, TimestampTz now,
			  const char *without)
{
	HoldsState	state = {.from = from,.without = without};

	ul_read_counting_holds(user_id, usage_type, now, add_hold_since, &state);
	return state.amount;
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
	HoldsState	holds = {.from = from,.newest = DT_NOBEGIN};
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
	ul_read_counting_holds(user_id, usage_type, from, add_hold_since, &holds);
	return Max(state.newest, holds.newest);
}

void
ul_judge_claim(UlClaim *claim)
{
	claim->fits_at = DT_NOEND;
	claim->exceeded = claim->value >= 0 &&
		(claim->settles == NULL || claim->requested > claim->has) &&
		claim->requested - claim->has > ul_subtract_saturated(claim->value, ul_claim_used(claim));
	if (!claim->exceeded || claim->requested > claim->value)
		return;

	/*
	 * what settles a hold is booked in its own window, which is no emptier
	 * later
	 */
	if (claim->settles != NULL && claim->limit->period.alignment != UL_ALIGN_NONE)
		return;
	if (leaves_gradually(claim->limit))
		claim->fits_at = falls_to(claim, claim->value - claim->requested + claim->has);
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
	int64		left = ul_claim_remaining(claim, ul_claim_used(claim));
	int64		more = claim->requested - claim->has;

	return more > left ? more - left : 0;
}

bool
ul_claim_admits(const UlClaim *claim)
{
	return ul_claim_used(claim) < claim->value || !ul_claim_denies(claim);
}

const char *
ul_claim_source(const UlClaim *claim)
{
	return claim->of_account ? "account" : ul_source_names[claim->source];
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

UlOutcome
ul_take_rates(const UlKey *key, UlClaim *claims, int count, UlRateTest **tests, int *ntests)
{
	UlOutcome	outcome;

	*tests = palloc(sizeof(UlRateTest) * Max(count, 1));
	*ntests = 0;
	for (int i = 0; i < count; i++)
	{
		const UlClaim *claim = &claims[i];

		if (ul_claim_uses_rate(claim))
			(*tests)[(*ntests)++] = (UlRateTest)
		{
			.limit_type = claim->limit->limit_type,
				.rate = claim->rate,
				.requested = claim->consumes,
				.value = claim->value,
				.denies = ul_claim_denies(claim),
				.at = claim->at,
				.since = claim->sum.start,
		};
	}
	if (*ntests == 0)
		return UL_ADMITTED;
	outcome = ul_xact_use_rates(key, *tests, *ntests);
	for (int i = 0, next = 0; i < count && (outcome == UL_ADMITTED || outcome == UL_REFUSED); i++)
	{
		UlClaim    *claim = &claims[i];

		if (!ul_claim_uses_rate(claim))
			continue;
		claim->rate_state = (*tests)[next++].before;
		claim->sum.used = ul_gcra_used(&claim->rate_state, claim->at);
		claim->rate_taken = outcome == UL_ADMITTED;
		claim->rate_known = true;
	}
	if (outcome != UL_ADMITTED)
		*ntests = 0;
	return outcome;
}

void
ul_store_rates(UlClaim *claims, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (!ul_claim_uses_rate(&claims[i]) || claims[i].rate_taken)
			continue;
		use_rate(&claims[i]);
		ul_gate_keep(ul_gate_hash(claims[i].user->user_id, claims[i].limit->usage_type));
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

/*
 * Whether the first claim has less left; of two that have the same, the one of
 * the lesser name; of one limit, the user's own before his account's.
 */
static bool
is_tighter(const UlClaim *a, int64 a_used, const UlClaim *b, int64 b_used)
{
	int64		a_remaining = ul_claim_remaining(a, a_used);
	int64		b_remaining = ul_claim_remaining(b, b_used);

	if (a_remaining != b_remaining)
		return a_remaining < b_remaining;
	if (a->limit != b->limit)
		return strcmp(a->limit->limit_type, b->limit->limit_type) < 0;
	return !a->of_account && b->of_account;
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

UlClaim *
ul_tightest_claim(UlClaim *claims, int count)
{
	return binding_claim(claims, count, false, false);
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
		TimestampTz at = Max(ul_limit_bucket_floor(limit, claim->user, now), claim->sum.start);

		if (claim->consumes_until != DT_NOEND)
			add_held(claim, at, claim->consumes_until, claim->consumes);
		else
		{
			ul_sum_make_room(&claim->sum, 1);
			(void) ul_sum_add(&claim->sum, at, claim->consumes);
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
