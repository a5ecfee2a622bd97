/*-------------------------------------------------------------------------
 *
 * correct.c
 *		Corrections: adjustments, refunds, levels, resets.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "correct.h"
#include "credits.h"
#include "gate.h"
#include "guc.h"
#include "xact_rate.h"
#include "scan.h"
#include "store.h"
#include "tables.h"
#include "xact.h"

/* The event that a refund is for, and what has been given back of it */
typedef struct RefundState
{
	bool		found;
	char	   *user_id;
	char	   *usage_type;
	char	   *event_subtype;
	bool		booked;
	TimestampTz bucket_start;
	char	   *account_id;
	TimestampTz account_bucket_start;
	TimestampTz created_at;
	int64		measures[UL_NMEASURES];
	int			refunds;
	int64		refunded[UL_NMEASURES];
} RefundState;

/*
 * The state after a correction, of the limits that count its subtype, or of
 * all where it is not about one.  A rate counts requests, not what became of
 * them: only a reset changes it.
 */
static void
report(const UlRequest *request, bool all_subtypes, bool rates, TimestampTz now, UlDecision *decision)
{
	const UlType *type = ul_find_type(request->usage_type);
	const UlUser *subjects[UL_MAX_SUBJECTS];
	int			nsubjects = ul_request_subjects(request, subjects);
	UlClaim    *claims;
	int			nclaims = ul_claims_of_type(type, subjects, nsubjects, now, &claims);
	int			count = 0;

	for (int i = 0; i < nclaims; i++)
		if ((rates || claims[i].limit->kind != UL_KIND_RATE) &&
			(all_subtypes || ul_limit_counts(claims[i].limit, request->event_subtype)))
			claims[count++] = claims[i];
	memset(decision, 0, sizeof(*decision));
	if (count == 0)
		ul_decide_no_limit(request->user_id, request->usage_type, request->amount, NULL, now,
						   decision);
	else
	{
		ul_read_claims(claims, count);
		ul_report(claims, count, "ok", now, decision);
		decision->requested = request->amount;
	}
}

static void
report_below_zero(const UlRequest *request)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("usage of \"%s\" would fall below 0", request->usage_type)));
}

/* Whether what is to be taken back is there in all tests. */
static bool
is_there(const UlTest *tests, int ntests)
{
	for (int i = 0; i < ntests; i++)
		if (tests[i].sum->used < tests[i].requested)
			return false;
	return true;
}

/*
 * Books a request with negative amounts, or raises an error; what is booked,
 * their number, and when.
 */
static int
take_back(const UlRequest *request, const char *operation, UlPosting *postings, TimestampTz *now)
{
	UlKey	   *key = ul_xact_key(request->user_id, request->usage_type);
	UlUse	   *use = &postings[0].use;
	UlTest	   *tests;
	int			ntests;
	int			npostings;
	bool		locked = false;
	UlOutcome	outcome;

	/* a setter computes from the level, and must not take away what we do */
	if (ul_shared_gate())
		ul_gate_lock_taker(key->hash);
	do
	{
		const UlUser *subjects[UL_MAX_SUBJECTS];
		int			nsubjects = ul_request_subjects(request, subjects);

		*now = ul_now();
		npostings = ul_postings(request, subjects, nsubjects, operation, *now, postings);
		tests = ul_tests_of_taking(request, &postings[0], *now, &ntests);
		if (!locked)
			outcome = ul_xact_ask(key, UL_ASK_TAKE, tests, ntests, use, 1, *now);
		else
		{
			ul_xact_read(request->user_id, request->usage_type, UL_ASK_TAKE, tests, ntests, *now);
			outcome = is_there(tests, ntests) ? UL_ADMITTED : UL_REFUSED;
		}
		if (outcome == UL_UNAVAILABLE)
		{
			(void) ul_xact_lock(key);
			locked = true;
		}
	} while (outcome == UL_AGAIN || outcome == UL_UNAVAILABLE);
	if (outcome == UL_REFUSED)
		report_below_zero(request);
	if (locked)
		ul_xact_book(key, use);
	if (npostings > 1)
		ul_book_share(request, &postings[1], *now);
	return npostings;
}

void
ul_adjust(const UlRequest *request, UlDecision *decision)
{
	TimestampTz now = ul_now();
	int64		event_id;

	(void) ul_type_for_use(request->usage_type);
	if (request->amount < 0)
	{
		UlPosting	postings[UL_MAX_SUBJECTS];
		int			npostings = take_back(request, "adjust", postings, &now);

		event_id = ul_log_request(request, "adjust", postings, npostings, now);
	}
	else
		event_id = ul_record(request, "adjust", now);
	report(request, false, false, now, decision);
	decision->event_id = event_id;
}

void
ul_set_gauge(const UlRequest *request, UlDecision *decision)
{
	const UlType *type = ul_type_for_use(request->usage_type);
	UlRequest	change = *request;
	TimestampTz now;
	TimestampTz reset;
	int64		level;
	int64		event_id;

	if (type != NULL && type->nlimits > 0 && !type->has_gauge)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("usage type \"%s\" is not a gauge", request->usage_type),
				 errhint("Use usage_adjust to correct a counter.")));
	ul_xact_lock_setter(ul_xact_key(request->user_id, request->usage_type));
	now = ul_now();
	reset = ul_last_reset(ul_find_user(request->user_id), request->usage_type, DT_NOEND);
	level = ul_usage_since(request->user_id, request->usage_type, reset, UL_ASK_LEVEL, now);
	change.amount = request->amount - level;
	event_id = ul_record(&change, "adjust", now);
	report(request, true, false, now, decision);
	decision->event_id = event_id;
}

/* When a rate of the type was last written, or DT_NOBEGIN. */
static TimestampTz
last_rate_use(const UlRequest *request, const UlType *type)
{
	TimestampTz last = DT_NOBEGIN;

	for (int i = 0; type != NULL && i < type->nlimits; i++)
	{
		UlRateState state;

		if (type->limits[i]->kind != UL_KIND_RATE)
			continue;
		ul_xact_read_rate(request->user_id, request->usage_type, type->limits[i]->limit_type,
						  &state);
		last = Max(last, state.written_at);
	}
	return last;
}

void
ul_reset(const UlRequest *request, UlDecision *decision)
{
	const UlType *type = ul_type_for_use(request->usage_type);
	UlArgs		args = {0};
	TimestampTz now;
	TimestampTz reset_at;
	TimestampTz last;
	int64		event_id = 0;

	ul_xact_lock_setter(ul_xact_key(request->user_id, request->usage_type));
	if (type != NULL && type->has_rate)
	{
		UlKey	   *key = ul_xact_key(request->user_id, request->usage_type);

		(void) ul_xact_lock(key);
		ul_xact_own_rates(key);
	}
	now = ul_now();

	/* what was written at this very instant is from before */
	last = ul_newest_bucket(request->user_id, request->usage_type, now);
	last = Max(last, last_rate_use(request, type));
	last = Max(last, ul_last_reset(ul_find_user(request->user_id), request->usage_type, DT_NOEND));
	reset_at = Max(now, last + (last == DT_NOBEGIN ? 0 : 1));

	ul_arg_text(&args, request->user_id);
	ul_arg_text(&args, request->usage_type);
	ul_arg_time(&args, reset_at);
	ul_execute(UL_INSERT_RESET, &args);
	if (ul_analytics_enabled && (type == NULL || type->log_events))
	{
		UlEventRow	event = {
			.user_id = request->user_id,
			.event_type = request->usage_type,
			.status = "success",
			.created_at = now,
			.operation = "reset",
		};

		event_id = ul_write_event(&event);
	}
	report(request, true, true, now, decision);
	decision->event_id = event_id;
}

static const AttrNumber measure_columns[UL_NMEASURES] = {
	[UL_MEASURE_AMOUNT] = Anum_event_amount,
	[UL_MEASURE_TOKENS] = Anum_event_tokens_used,
	[UL_MEASURE_CREDITS] = Anum_event_credits_used,
	[UL_MEASURE_DURATION_MS] = Anum_event_duration_ms,
};

static bool
read_event(TupleTableSlot *slot, void *arg)
{
	RefundState *state = arg;
	char	   *operation;

	state->found = true;
	state->user_id = ul_slot_text(slot, Anum_event_user_id);
	state->usage_type = ul_slot_text(slot, Anum_event_event_type);
	state->event_subtype = ul_slot_text(slot, Anum_event_event_subtype);
	operation = ul_slot_text(slot, Anum_event_operation);
	state->booked = (strcmp(operation, "use") == 0 || strcmp(operation, "settle") == 0) &&
		!slot_attisnull(slot, Anum_event_bucket_start);
	state->bucket_start = ul_slot_time(slot, Anum_event_bucket_start, DT_NOBEGIN);
	state->account_id = ul_slot_text(slot, Anum_event_account_id);
	state->account_bucket_start = ul_slot_time(slot, Anum_event_account_bucket_start, DT_NOBEGIN);
	state->created_at = ul_slot_time(slot, Anum_event_created_at, DT_NOBEGIN);
	for (int i = 0; i < UL_NMEASURES; i++)
		state->measures[i] = ul_slot_int8(slot, measure_columns[i], 0);
	return false;
}

static bool
read_refund(TupleTableSlot *slot, void *arg)
{
	RefundState *state = arg;

	state->refunds++;
	for (int i = 0; i < UL_NMEASURES; i++)
		state->refunded[i] -= ul_slot_int8(slot, measure_columns[i], 0);
	return true;
}

/*
 * What a refund gives back of a measure, when "after" of the event's amount
 * has been given back with it: in proportion, and all of it with the last.
 */
static int64
measure_back(int64 measure, int64 already, int64 after, int64 amount)
{
	if (after >= amount)
		return measure - already;
	return (int64) ((int128) measure * after / amount) - already;
}

void
ul_refund(int64 event_id, const int64 *amount, const char *user_id, UlDecision *decision)
{
	RefundState state = {0};
	UlRequest	request = {.status = "success"};
	UlPosting	postings[UL_MAX_SUBJECTS];
	UlEventRow	event = {0};
	Snapshot	snapshot;
	TimestampTz now;
	int64		left;
	int64		back[UL_NMEASURES];

	snapshot = ul_latest_snapshot(false);
	ul_scan_events(Anum_event_id, event_id, snapshot, read_event, &state);
	ul_release_snapshot(snapshot);
	if (!state.found || (user_id != NULL && strcmp(user_id, state.user_id) != 0))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("event " INT64_FORMAT " does not exist", event_id)));
	if (!state.booked)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("event " INT64_FORMAT " was not booked", event_id),
				 errdetail("Only a successful use can be refunded.")));

	request.user_id = state.user_id;
	request.usage_type = state.usage_type;
	request.event_subtype = state.event_subtype;
	request.occurred_at = &state.created_at;
	request.bucket_start = &state.bucket_start;
	request.account_id = state.account_id;
	request.account_bucket_start = &state.account_bucket_start;
	ul_xact_lock_setter(ul_xact_key(state.user_id, state.usage_type));
	now = ul_now();

	snapshot = ul_latest_snapshot(false);
	ul_scan_events(Anum_event_refund_of, event_id, snapshot, read_refund, &state);
	ul_release_snapshot(snapshot);
	left = state.measures[UL_MEASURE_AMOUNT] - state.refunded[UL_MEASURE_AMOUNT];
	if (amount != NULL && *amount > left)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("refund is larger than what is left of event " INT64_FORMAT, event_id),
				 errdetail("Requested is " INT64_FORMAT ", left is " INT64_FORMAT ".",
						   *amount, left)));

	request.amount = amount == NULL ? left : *amount;
	/* an event of amount 0 may have used tokens: it is refunded once */
	if (request.amount == 0 && (left > 0 || state.refunds > 0 || amount != NULL))
	{
		report(&request, false, false, now, decision);
		return;
	}

	back[UL_MEASURE_AMOUNT] = request.amount;
	for (int i = UL_MEASURE_TOKENS; i < UL_NMEASURES; i++)
		back[i] = measure_back(state.measures[i], state.refunded[i],
							   state.refunded[UL_MEASURE_AMOUNT] + request.amount,
							   state.measures[UL_MEASURE_AMOUNT]);
	for (int i = 0; i < UL_NMEASURES; i++)
		back[i] = -back[i];
	request.amount = back[UL_MEASURE_AMOUNT];
	request.tokens_used = &back[UL_MEASURE_TOKENS];
	request.credits_used = &back[UL_MEASURE_CREDITS];
	request.duration_ms = &back[UL_MEASURE_DURATION_MS];
	(void) take_back(&request, "refund", postings, &now);

	/* written whatever the settings say: it is what keeps a second refund out */
	event.user_id = state.user_id;
	event.event_type = state.usage_type;
	event.event_subtype = state.event_subtype;
	event.tokens_used = &back[UL_MEASURE_TOKENS];
	event.credits_used = &back[UL_MEASURE_CREDITS];
	event.duration_ms = &back[UL_MEASURE_DURATION_MS];
	event.status = "success";
	event.created_at = now;
	event.amount = back[UL_MEASURE_AMOUNT];
	event.operation = "refund";
	event.bucket_start = &state.bucket_start;
	event.refund_of = &event_id;
	event.account_id = state.account_id;
	event.account_bucket_start = state.account_id == NULL ? NULL : &state.account_bucket_start;
	ul_credit_refund_event(state.user_id, event_id,
						   state.refunded[UL_MEASURE_AMOUNT] - request.amount,
						   state.measures[UL_MEASURE_AMOUNT]);
	event_id = ul_write_event(&event);
	request.amount = -request.amount;
	report(&request, false, false, now, decision);
	decision->event_id = event_id;
}
