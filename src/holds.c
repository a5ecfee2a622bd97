/*-------------------------------------------------------------------------
 *
 * holds.c
 *		Holds: usage, or credits, that are reserved now, and settled or given
 *		back later.
 *
 * An open hold is a row of usage_holds that counts as used in the windows in
 * which it was taken; who decides about a key reads them (claims.c).  What
 * settles it is booked in the bucket of those windows, also after their end.
 *
 * What it has of the user's credits is kept from others by his ledger
 * (ledger.c).  The ledger's time is the hold's then, so that no clock that goes
 * back gives it credits again that somebody else has got.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "charge.h"
#include "alerts.h"
#include "gate.h"
#include "grants.h"
#include "guc.h"
#include "holds.h"
#include "pending.h"
#include "session.h"
#include "store.h"
#include "xact.h"

static void
arg_pointer(UlArgs *args, const void *value)
{
	ul_arg_datum(args, PointerGetDatum(value), value == NULL);
}

static void
arg_int8_or_null(UlArgs *args, const int64 *value)
{
	ul_arg_datum(args, value == NULL ? (Datum) 0 : Int64GetDatum(*value), value == NULL);
}

pg_noreturn static void unknown_hold(const char *hold_id);

static void
unknown_hold(const char *hold_id)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("hold \"%s\" does not exist", hold_id)));
}

static void
refuse_settled(const char *hold_id, TimestampTz at)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("hold \"%s\" was settled", hold_id),
			 errdetail("It was settled at %s.", timestamptz_to_str(at))));
}

static void
used_for_another(const char *hold_id)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("hold \"%s\" was taken by another request", hold_id)));
}

/* Refuses what needs an open hold. */
static void
check_open(const UlHold *hold)
{
	switch (hold->state)
	{
		case UL_HOLD_OPEN:
			break;
		case UL_HOLD_SETTLED:
			refuse_settled(hold->hold_id, hold->ended_at);
			break;
		case UL_HOLD_RELEASED:
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("hold \"%s\" was released", hold->hold_id),
					 errdetail("It was released at %s.", timestamptz_to_str(hold->ended_at))));
			break;
		case UL_HOLD_EXPIRED:
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("hold \"%s\" has expired", hold->hold_id),
					 errdetail("It expired at %s.", timestamptz_to_str(hold->expires_at)),
					 errhint("Take a new hold, with a longer ttl or renewed in time.")));
			break;
		case UL_HOLD_ORPHANED:
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("hold \"%s\" has ended with its session", hold->hold_id),
					 errdetail("It was bound to the session of process %d, which is gone.",
							   hold->backend_pid)));
			break;
	}
}

const char *
ul_make_up_hold_id(void)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out,
											   DirectFunctionCall1(gen_random_uuid, (Datum) 0)));
}

static bool
same_string(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Whether a request is the one that took a hold. */
static bool
took_hold(const UlHold *hold, const UlRequest *request)
{
	return strcmp(hold->user_id, request->user_id) == 0 &&
		same_string(hold->usage_type, request->usage_type) &&
		same_string(hold->event_subtype, request->event_subtype) &&
		hold->measures[UL_MEASURE_AMOUNT] == request->amount &&
		hold->has_tokens == (request->tokens_used != NULL) &&
		(!hold->has_tokens || hold->measures[UL_MEASURE_TOKENS] == *request->tokens_used);
}

static TimestampTz
end_of(TimestampTz now, int64 ttl)
{
	TimestampTz end = now + ttl;

	if (!IS_VALID_TIMESTAMP(end))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	return end;
}

/*
 * The hold that an id has been taken for, by this request and still open; NULL
 * if there is none.  Nobody else takes it before the transaction ends.
 */
static UlHold *
hold_taken(const char *hold_id, const UlRequest *request, TimestampTz now)
{
	UlHold	   *hold;

	ul_gate_lock_hold(hold_id);
	hold = ul_find_hold(hold_id, now);
	if (hold == NULL)
		return NULL;
	if (!took_hold(hold, request))
		used_for_another(hold_id);
	check_open(hold);
	return hold;
}

static bool
counts_open(const char *usage_type)
{
	const UlType *type = ul_find_type(usage_type);

	return type != NULL && type->has_concurrency;
}

static void
insert_hold(const UlRequest *request, const UlDecision *decision, const UlPosting *postings,
			int npostings, TimestampTz now, bool session_bound, Datum answer)
{
	TimestampTz expires_at = end_of(now, request->ttl);
	int			pid = 0;
	TimestampTz started = 0;
	UlArgs		args = {0};

	if (session_bound)
		ul_this_session(&pid, &started);
	ul_arg_text(&args, decision->hold_id);
	ul_arg_text(&args, request->user_id);
	ul_arg_text(&args, request->usage_type);
	ul_arg_text(&args, request->event_subtype);
	ul_arg_int8(&args, request->amount);
	arg_int8_or_null(&args, request->tokens_used);
	ul_arg_int8(&args, decision->credits);
	arg_int8_or_null(&args, npostings > 0 ? &postings[0].use.bucket_start : NULL);
	ul_arg_time(&args, now);
	ul_arg_time(&args, expires_at);
	ul_arg_datum(&args, Int64GetDatum(pid), !session_bound);
	ul_arg_datum(&args, TimestampTzGetDatum(started), !session_bound);
	arg_pointer(&args, request->metadata);
	ul_arg_datum(&args, answer, false);
	ul_arg_int8(&args, decision->overage[UL_MEASURE_AMOUNT]);
	ul_arg_int8(&args, decision->overage[UL_MEASURE_TOKENS]);
	ul_arg_text(&args, npostings > 1 ? postings[1].user->user_id : NULL);
	arg_int8_or_null(&args, npostings > 1 ? &postings[1].use.bucket_start : NULL);
	ul_execute(UL_INSERT_HOLD, &args);
	/* what is held of counters is reported when it is settled */
	for (int i = 0; i < npostings && counts_open(request->usage_type); i++)
		ul_alert(postings[i].user->user_id, request->usage_type, now);
}

Datum
ul_hold(const UlRequest *request, const char *hold_id, bool session_bound)
{
	UlDecision	decision;
	Datum		answer;
	TimestampTz now;
	UlPosting	postings[UL_MAX_SUBJECTS];
	int			npostings;

	if (hold_id != NULL)
	{
		UlHold	   *hold = hold_taken(hold_id, request, ul_now());

		if (hold != NULL)
			return hold->answer;
	}

	npostings = ul_consume_hold(request, postings, &now, &decision);
	if (!decision.allowed || request->amount == 0)
		return ul_decision_datum(&decision);
	decision.hold_id = hold_id == NULL ? ul_make_up_hold_id() : hold_id;
	answer = ul_decision_datum(&decision);
	insert_hold(request, &decision, postings, npostings, now, session_bound, answer);
	return answer;
}

/* The answer of usage_decision's shape about credits that a user has. */
static void
decide_credits(const UlLedger *ledger, int64 amount, UlDecision *decision)
{
	memset(decision, 0, sizeof(*decision));
	decision->allowed = true;
	decision->reason = "ok";
	decision->requested = amount;
	decision->current = ledger->balance;
	decision->limit = amount;
	decision->remaining = ul_ledger_available(ledger);
	decision->reset_at = DT_NOEND;
	decision->retry_after = -1;
}

void
ul_hold_credits(const char *user_id, int64 amount, int64 ttl, const char *hold_id,
				UlCreditDecision *decision)
{
	UlRequest	request = {.user_id = user_id,.amount = amount,.ttl = ttl};
	UlHold	   *hold = hold_taken(hold_id, &request, ul_now());
	UlLedger	ledger;
	UlDecision	answer;
	TimestampTz settled_at;

	if (hold != NULL)
	{
		memset(decision, 0, sizeof(*decision));
		decision->allowed = true;
		decision->reason = "ok";
		decision->balance = ul_decision_current(hold->answer);
		return;
	}
	settled_at = ul_credit_settled_at(user_id, hold_id);
	if (settled_at != DT_NOEND)
		refuse_settled(hold_id, settled_at);
	if (!ul_credit_reserve(user_id, amount, &ledger, decision) || amount == 0)
		return;
	decide_credits(&ledger, amount, &answer);
	answer.hold_id = hold_id;
	answer.credits = amount;
	insert_hold(&request, &answer, NULL, 0, ledger.now, false, ul_decision_datum(&answer));
}

bool
ul_holds_credits_alone(const char *hold_id)
{
	UlHold	   *hold = ul_find_hold(hold_id, ul_now());

	return hold != NULL && hold->usage_type == NULL;
}

/* The keys that a hold counts for; their number, 0 for one of credits alone. */
static int
keys_of_hold(const UlHold *hold, UlKey **keys)
{
	if (hold->usage_type == NULL)
		return 0;
	keys[0] = ul_xact_key(hold->user_id, hold->usage_type);
	if (hold->account_id == NULL)
		return 1;
	keys[1] = ul_xact_key(hold->account_id, hold->usage_type);
	return 2;
}

/* Whom a hold counts for; their number. */
static int
subjects_of_hold(const UlHold *hold, const UlUser **subjects)
{
	UlRequest	request = {
		.user_id = hold->user_id,
		.bucket_start = &hold->bucket_start,
		.account_id = hold->account_id,
	};

	return ul_request_subjects(&request, subjects);
}

/*
 * The hold, with its keys locked, and with its user's ledger open if it has any
 * of his credits; NULL if there is none of that id, an error if it is another
 * user's.  The instant of its state goes to *now.
 */
static UlHold *
lock_hold(const char *hold_id, const char *user_id, UlLedger *ledger, TimestampTz *now)
{
	UlHold	   *hold;
	UlKey	   *keys[UL_MAX_SUBJECTS];

	*now = ul_now();
	hold = ul_find_hold(hold_id, *now);
	if (hold == NULL)
		return NULL;
	if (user_id != NULL && strcmp(user_id, hold->user_id) != 0)
		unknown_hold(hold_id);

	/* whoever had the lock may have ended it */
	(void) ul_xact_close(keys, keys_of_hold(hold, keys));
	*now = ul_now();
	if (hold->credits > 0)
	{
		ul_ledger_open(ledger, hold->user_id);
		*now = ledger->now;
	}
	return ul_find_hold(hold_id, *now);
}

static void
write_end(const UlHold *hold, const char *state, TimestampTz now, const int64 *amount,
		  const int64 *tokens, Datum answer)
{
	UlArgs		args = {0};

	ul_arg_text(&args, hold->hold_id);
	ul_arg_text(&args, hold->user_id);
	ul_arg_time(&args, now);
	ul_arg_text(&args, state);
	arg_int8_or_null(&args, amount);
	arg_int8_or_null(&args, tokens);
	ul_arg_datum(&args, answer, answer == (Datum) 0);
	ul_execute(UL_END_HOLD, &args);
}

/* The measure of the limit that a decision names. */
static UlMeasure
measure_named(const UlDecision *decision)
{
	const UlLimit *limit = decision->limit_type == NULL ? NULL : ul_find_limit(decision->limit_type);

	return limit == NULL || limit->kind == UL_KIND_CONCURRENCY ? UL_MEASURE_AMOUNT : limit->measure;
}

/*
 * Whether what is asked for beyond what was held is admitted by the windows
 * that it was held in, and the price of all is had (charge NULL: it is free).
 * Fills the decision if there was anything to ask.
 */
static bool
admit_more(const UlHold *hold, const UlRequest *request, UlCharge *charge, TimestampTz now,
		   UlDecision *decision)
{
	const UlType *type = ul_find_type(hold->usage_type);
	const TimestampTz buckets[] = {hold->bucket_start, hold->account_bucket_start};
	const UlUser *subjects[UL_MAX_SUBJECTS];
	int			nsubjects = subjects_of_hold(hold, subjects);
	int			nlimits = type == NULL ? 0 : type->nlimits;
	UlClaim    *claims = palloc(sizeof(UlClaim) * Max(nlimits * nsubjects, 1));
	int64		measures[UL_NMEASURES];
	int			count = 0;

	ul_request_measures(request, measures);
	for (int i = 0; i < nlimits * nsubjects; i++)
	{
		const UlLimit *limit = type->limits[i % nlimits];
		int			subject = i / nlimits;
		UlClaim    *claim = &claims[count];

		if (!ul_limit_sums(limit) ||
			measures[limit->measure] <= hold->measures[limit->measure] ||
			!ul_limit_counts(limit, hold->event_subtype) ||
			!ul_init_claim_of_hold(claim, limit, subjects[subject], hold->hold_id,
								   buckets[subject], now))
			continue;
		claim->of_account = subject > 0;
		claim->requested = measures[limit->measure];
		claim->has = hold->measures[limit->measure];
		count++;
	}
	if (count > 0)
		ul_read_claims(claims, count);
	for (int i = 0; i < count; i++)
		ul_judge_claim(&claims[i]);
	if (charge != NULL)
		(void) ul_charge_price(charge, claims, count);
	if (count > 0)
		ul_decide(claims, count, now, decision);
	if (charge != NULL)
		ul_charge_decide(charge, false, now, decision);
	return decision->allowed;
}

/* The state of the limits now, once the hold is settled. */
static void
report_settled(const UlHold *hold, const UlRequest *request, const char *reason, TimestampTz now,
			   UlDecision *decision)
{
	const UlType *type = ul_find_type(hold->usage_type);
	const UlUser *subjects[UL_MAX_SUBJECTS];
	int			nsubjects = subjects_of_hold(hold, subjects);
	UlClaim    *claims;
	int			nclaims = ul_claims_of_type(type, subjects, nsubjects, now, &claims);
	int			count = 0;

	for (int i = 0; i < nclaims; i++)
		if (ul_limit_counts(claims[i].limit, hold->event_subtype))
			claims[count++] = claims[i];
	memset(decision, 0, sizeof(*decision));
	if (count == 0)
		ul_decide_no_limit(hold->user_id, hold->usage_type, request->amount, hold->hold_id,
						   now, decision);
	else
	{
		ul_read_claims_without(claims, count, hold->hold_id);
		ul_report(claims, count, reason, now, decision);
	}
}

/* Repeats the answer to who settles a hold again, with what it was settled with. */
static Datum
settled_before(const UlHold *hold, bool with_same)
{
	if (!with_same)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("hold \"%s\" was settled with another amount", hold->hold_id),
				 errdetail("It was settled at %s.", timestamptz_to_str(hold->ended_at))));
	return hold->answer;
}

/* Settles a hold of credits alone, whose ledger is open. */
static Datum
settle_credits(const UlHoldEnd *end, const UlHold *hold, UlLedger *ledger, TimestampTz now)
{
	int64		amount = end->amount == NULL ? hold->credits : *end->amount;
	UlDecision	decision;
	Datum		answer;

	if (hold->state == UL_HOLD_SETTLED)
		return settled_before(hold, amount == hold->settled_amount);
	check_open(hold);
	ledger->settling = hold->credits;
	if (!ul_ledger_has(ledger, amount))
	{
		ul_decide_no_credits(ledger, amount, ul_grants_next_refill(ledger), now, &decision);
		decision.requested = amount;
		decision.hold_id = hold->hold_id;
		return ul_decision_datum(&decision);
	}

	ul_ledger_end_hold(ledger, hold->credits);
	if (amount > 0)
	{
		UlCreditEntry *entry = ul_ledger_spend(ledger, amount, UL_TYPE_HOLD);

		entry->reference_id = hold->hold_id;
		entry->metadata = end->metadata;
	}
	ul_ledger_write(ledger);
	decide_credits(ledger, amount, &decision);
	decision.hold_id = hold->hold_id;
	answer = ul_decision_datum(&decision);
	write_end(hold, "settled", now, &amount, NULL, answer);
	return answer;
}

Datum
ul_settle(const UlHoldEnd *end)
{
	TimestampTz now;
	UlLedger	ledger;
	UlHold	   *hold = lock_hold(end->hold_id, end->user_id, &ledger, &now);
	UlDecision	decision = {.allowed = true,.reason = "ok"};
	UlRequest	request = {0};
	const UlRequest *priced = &request;
	UlCharge   *charge;
	int64		measures[UL_NMEASURES];
	int64		event_id;
	Datum		answer;

	if (hold == NULL)
		unknown_hold(end->hold_id);
	if (hold->usage_type == NULL)
		return settle_credits(end, hold, &ledger, now);
	request.user_id = hold->user_id;
	request.usage_type = hold->usage_type;
	request.event_subtype = hold->event_subtype;
	request.amount = end->amount == NULL ? hold->measures[UL_MEASURE_AMOUNT] : *end->amount;
	request.tokens_used = end->tokens_used != NULL ? end->tokens_used :
		hold->has_tokens && request.amount > 0 ? &hold->measures[UL_MEASURE_TOKENS] : NULL;
	request.duration_ms = end->duration_ms;
	request.scene_id = end->scene_id;
	request.status = "success";
	request.metadata = end->metadata == NULL ? hold->metadata : end->metadata;
	request.bucket_start = &hold->bucket_start;
	request.account_id = hold->account_id;
	request.account_bucket_start = &hold->account_bucket_start;
	ul_request_measures(&request, measures);

	if (hold->state == UL_HOLD_SETTLED)
		return settled_before(hold, request.amount == hold->settled_amount &&
							  measures[UL_MEASURE_TOKENS] == hold->settled_tokens);
	check_open(hold);
	charge = ul_charge_begin(&priced, 1);
	if (charge != NULL)
		ul_charge_settles(charge, hold, &ledger);
	ul_request_measures(priced, measures);
	if (!admit_more(hold, priced, charge, now, &decision))
	{
		decision.hold_id = hold->hold_id;
		return ul_decision_datum(&decision);
	}

	/* of the limits that were asked; the one that is named says it of itself */
	if (strcmp(decision.reason, "unlimited") == 0)
		decision.reason = "ok";
	if (charge != NULL)
		request.credits_used = ul_charge_price_of(charge, 0);
	event_id = ul_record(&request, "settle", now);
	if (charge != NULL)
		ul_charge_pay(charge, &event_id);
	else
		ul_charge_let_go(&ledger, hold);
	report_settled(hold, &request, decision.reason, now, &decision);
	decision.requested = measures[measure_named(&decision)];
	decision.event_id = event_id;
	decision.hold_id = hold->hold_id;
	answer = ul_decision_datum(&decision);
	write_end(hold, "settled", now, &request.amount, &measures[UL_MEASURE_TOKENS], answer);
	return answer;
}

/* Ends an open hold whose key is locked, and whose ledger is open if it has credits. */
static void
give_back(const UlHold *hold, const UlHoldEnd *end, UlLedger *ledger, TimestampTz now)
{
	ul_charge_let_go(ledger, hold);
	if (end->status != NULL && hold->usage_type != NULL)
	{
		UlRequest	request = {
			.user_id = hold->user_id,
			.usage_type = hold->usage_type,
			.event_subtype = hold->event_subtype,
			.amount = hold->measures[UL_MEASURE_AMOUNT],
			.duration_ms = end->duration_ms,
			.status = end->status,
			.error_message = end->error_message,
			.metadata = end->metadata == NULL ? hold->metadata : end->metadata,
		};

		(void) ul_record(&request, "use", now);
	}
	write_end(hold, "released", now, NULL, NULL, (Datum) 0);
}

bool
ul_release(const UlHoldEnd *end)
{
	TimestampTz now;
	UlLedger	ledger;
	UlHold	   *hold = lock_hold(end->hold_id, end->user_id, &ledger, &now);

	if (hold == NULL)
		return false;
	if (hold->state == UL_HOLD_SETTLED)
		check_open(hold);
	if (hold->state != UL_HOLD_OPEN)
		return false;
	give_back(hold, end, &ledger, now);
	return true;
}

static void
collect_hold(const UlHold *hold, void *arg)
{
	List	  **holds = arg;
	UlHold	   *copy = palloc(sizeof(UlHold));

	*copy = *hold;
	*holds = lappend(*holds, copy);
}

int64
ul_release_all(const UlHoldEnd *end, const char *usage_type)
{
	List	   *holds;
	ListCell   *cell;
	UlLedger	ledger;
	bool		opened = false;
	TimestampTz now;
	UlKey	  **keys;
	int			nkeys;
	int64		count = 0;

	/* whoever was waited for may have taken more */
	do
	{
		holds = NIL;
		ul_read_open_holds(end->user_id, usage_type, ul_now(), collect_hold, &holds);
		keys = palloc(sizeof(UlKey *) * UL_MAX_SUBJECTS * Max(list_length(holds), 1));
		nkeys = 0;
		foreach(cell, holds)
		{
			const UlHold *hold = lfirst(cell);

			opened = opened || hold->credits > 0;
			nkeys += keys_of_hold(hold, keys + nkeys);
		}
	} while (ul_xact_close(keys, nkeys));

	if (opened)
		ul_ledger_open(&ledger, end->user_id);
	now = opened ? ledger.now : ul_now();
	foreach(cell, holds)
	{
		const UlHold *seen = lfirst(cell);
		UlHold	   *hold = ul_find_hold(seen->hold_id, now);

		if (hold == NULL || hold->state != UL_HOLD_OPEN)
			continue;
		give_back(hold, end, &ledger, now);
		count++;
	}
	return count;
}

TimestampTz
ul_renew(const char *hold_id, const char *user_id, int64 ttl)
{
	TimestampTz now;
	UlLedger	ledger;
	UlHold	   *hold = lock_hold(hold_id, user_id, &ledger, &now);
	TimestampTz expires_at;
	UlArgs		args = {0};

	if (hold == NULL)
		unknown_hold(hold_id);
	check_open(hold);
	expires_at = end_of(now, ttl);
	ul_arg_text(&args, hold->hold_id);
	ul_arg_text(&args, hold->user_id);
	ul_arg_time(&args, expires_at);
	ul_execute(UL_RENEW_HOLD, &args);
	return expires_at;
}
