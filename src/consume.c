/*-------------------------------------------------------------------------
 *
 * consume.c
 *		Deciding whether uses may happen, and recording those that are admitted.
 *
 * A call asks for uses of one user.  They are booked on keys: of the user and
 * of the account he belongs to, for each usage type.  All limits of all keys
 * must admit them; then they are booked on all, else on none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "alerts.h"
#include "charge.h"
#include "consume.h"
#include "gate.h"
#include "guc.h"
#include "pending.h"
#include "schema.h"
#include "store.h"
#include "xact.h"

/* What the requests of a call ask of one key: a usage type, and whose it is */
typedef struct UlGroup
{
	const UlUser *user;
	bool		of_account;
	const char *usage_type;
	UlKey	   *key;			/* NULL in a dry run */
	int			first_claim;
	int			nclaims;
	bool		asks;			/* some amount is not 0 */
	bool		relaxed;		/* counted in shared memory, for good */
	bool		booked;			/* at the shared gate */
	UlUse	   *uses;
	int			nuses;
	UlRateTest *rates;			/* that are used at the shared gate */
	int			nrates;
	int64		measures[UL_NMEASURES]; /* sums of the requests */
} UlGroup;

/* Requests of one user that are decided as a whole */
typedef struct UlCall
{
	const UlRequest *requests;
	int			count;
	bool		dry_run;
	UlCharge   *charge;			/* NULL: they cost no credits */

	/* as far as is known; whoever waits makes it anew: */
	TimestampTz now;
	const UlUser *subjects[UL_MAX_SUBJECTS];
	int			nsubjects;
	UlGroup    *groups;			/* in the order in which they are locked */
	int			ngroups;
	UlClaim    *claims;			/* of the groups */
	int			nclaims;
} UlCall;

int
ul_claims_of_type(const UlType *type, const UlUser *const *subjects, int nsubjects,
				  TimestampTz now, UlClaim **claims)
{
	int			nlimits = type == NULL ? 0 : type->nlimits;

	*claims = palloc(sizeof(UlClaim) * Max(nlimits * nsubjects, 1));
	for (int i = 0; i < nsubjects; i++)
	{
		for (int j = 0; j < nlimits; j++)
		{
			UlClaim    *claim = &(*claims)[i * nlimits + j];

			ul_init_claim(claim, type->limits[j], subjects[i], now);
			claim->of_account = i > 0;
		}
	}
	return nlimits * nsubjects;
}

/* Whether the requests are for a hold, which the caller records. */
static bool
is_hold(const UlCall *call)
{
	return call->requests[0].ttl != 0;
}

/*
 * Fills in what the requests ask of a claim's limit; amount 0 asks and takes
 * nothing.  False if the limit counts none of them, being on another subtype.
 */
static bool
sum_requests(const UlCall *call, UlClaim *claim)
{
	const UlLimit *limit = claim->limit;
	bool		applies = false;

	if (is_hold(call))
		claim->consumes_until = claim->now + call->requests[0].ttl;
	for (int i = 0; i < call->count; i++)
	{
		const UlRequest *request = &call->requests[i];
		int64		measures[UL_NMEASURES];
		int64		asked;

		if (strcmp(request->usage_type, limit->usage_type) != 0 ||
			!ul_limit_counts(limit, request->event_subtype))
			continue;
		applies = true;
		ul_request_measures(request, measures);
		/* of whatever amount, a hold is one of those that are open at once */
		asked = limit->kind == UL_KIND_CONCURRENCY ?
			(request->amount != 0 ? 1 : 0) : measures[limit->measure];
		claim->requested += asked;
		if (request->amount != 0 && !call->dry_run)
			claim->consumes += asked;
	}
	return applies;
}

static int
compare_groups(const void *a, const void *b)
{
	uint64		left = ((const UlGroup *) a)->key->hash;
	uint64		right = ((const UlGroup *) b)->key->hash;

	return left < right ? -1 : left > right ? 1 : 0;
}

static UlGroup *
find_group(const UlCall *call, const UlUser *user, const char *usage_type)
{
	for (int i = 0; i < call->ngroups; i++)
		if (call->groups[i].user == user && strcmp(call->groups[i].usage_type, usage_type) == 0)
			return &call->groups[i];
	return NULL;
}

static void
add_to_group(UlGroup *group, const UlRequest *request)
{
	int64		measures[UL_NMEASURES];

	if (request->amount != 0)
		group->asks = true;
	ul_request_measures(request, measures);
	for (int i = 0; i < UL_NMEASURES; i++)
	{
		group->measures[i] += measures[i];
		if (group->measures[i] > UL_MAX_AMOUNT)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("amounts of one call add up to more than " INT64_FORMAT,
							UL_MAX_AMOUNT)));
	}
}

/*
 * Groups the requests by the keys that they are booked on; no sum is above what
 * one call may ask for.
 */
static void
make_groups(UlCall *call)
{
	call->nsubjects = ul_subjects(call->requests[0].user_id, call->subjects);
	call->groups = palloc0(sizeof(UlGroup) * call->count * call->nsubjects);
	call->ngroups = 0;
	for (int i = 0; i < call->nsubjects; i++)
	{
		for (int j = 0; j < call->count; j++)
		{
			const UlRequest *request = &call->requests[j];
			UlGroup    *group = find_group(call, call->subjects[i], request->usage_type);

			if (group == NULL)
			{
				group = &call->groups[call->ngroups++];
				group->user = call->subjects[i];
				group->of_account = i > 0;
				group->usage_type = request->usage_type;
				if (!call->dry_run)
					group->key = ul_xact_key(group->user->user_id, group->usage_type);
			}
			add_to_group(group, request);
		}
	}
	if (!call->dry_run && call->ngroups > 1)
		qsort(call->groups, call->ngroups, sizeof(UlGroup), compare_groups);
}

/* Makes the claims of every group that concern the requests, nothing read yet. */
static void
make_claims(UlCall *call)
{
	call->claims = NULL;
	call->nclaims = 0;
	for (int i = 0; i < call->ngroups; i++)
	{
		UlGroup    *group = &call->groups[i];
		const UlType *type = call->dry_run || is_hold(call) ?
		ul_type_for_check(group->usage_type) : ul_type_for_use(group->usage_type);
		UlClaim    *claims;
		int			count = ul_claims_of_type(type, &group->user, 1, call->now, &claims);

		group->first_claim = call->nclaims;
		group->nclaims = 0;
		for (int j = 0; j < count; j++)
		{
			claims[j].of_account = group->of_account;
			if (sum_requests(call, &claims[j]))
				claims[group->nclaims++] = claims[j];
		}
		if (call->claims == NULL)
			call->claims = claims;
		else if (group->nclaims > 0)
		{
			call->claims = repalloc(call->claims,
									sizeof(UlClaim) * (call->nclaims + group->nclaims));
			memcpy(call->claims + call->nclaims, claims, sizeof(UlClaim) * group->nclaims);
		}
		call->nclaims += group->nclaims;
	}
}

static UlClaim *
claims_of_group(const UlCall *call, const UlGroup *group)
{
	return call->claims + group->first_claim;
}

static bool
can_be_denied(const UlCall *call, const UlGroup *group)
{
	for (int i = 0; group->asks && i < group->nclaims; i++)
		if (ul_claim_denies(&claims_of_group(call, group)[i]))
			return true;
	return false;
}

/* Whether any of some claims is of a rate that will be used. */
static bool
use_rates(const UlClaim *claims, int count)
{
	for (int i = 0; i < count; i++)
		if (ul_claim_uses_rate(&claims[i]))
			return true;
	return false;
}

/*
 * Locks the groups that a limit can deny, or that use a rate, whose state is
 * computed from the one before, in the order of their hashes so that calls do
 * not deadlock one another; true if it had to wait.
 */
static bool
lock_groups(const UlCall *call)
{
	bool		waited = false;

	for (int i = 0; i < call->ngroups; i++)
	{
		UlGroup    *group = &call->groups[i];

		if ((can_be_denied(call, group) ||
			 use_rates(claims_of_group(call, group), group->nclaims)) &&
			ul_xact_lock(group->key))
			waited = true;
	}
	return waited;
}

/* What the requests of a group will book. */
static void
make_uses(const UlCall *call, UlGroup *group)
{
	group->uses = palloc(sizeof(UlUse) * call->count);
	group->nuses = 0;
	for (int i = 0; i < call->count; i++)
	{
		UlPosting	postings[UL_MAX_SUBJECTS];

		if (call->requests[i].amount == 0 ||
			strcmp(call->requests[i].usage_type, group->usage_type) != 0)
			continue;
		(void) ul_postings(&call->requests[i], call->subjects, call->nsubjects, "use",
						   call->now, postings);
		group->uses[group->nuses++] = postings[group->of_account ? 1 : 0].use;
	}
}

/* Puts tests to the shared gate, which books what a group asks for if they are met. */
static UlOutcome
ask_gate(const UlCall *call, UlGroup *group, UlAsk ask, UlTest *tests, int ntests)
{
	UlOutcome	outcome;

	if (group->relaxed)
		outcome = ul_use_relaxed(group->key, ask, tests, ntests, group->uses, group->nuses, 1,
								 call->now);
	else
		outcome = ul_xact_ask(group->key, ask, tests, ntests,
							  group->uses, group->nuses, call->now);
	group->booked = outcome == UL_ADMITTED;
	return outcome;
}

/* Asks the shared gate for one group, whose claims can deny. */
static UlOutcome
reserve_group(const UlCall *call, UlGroup *group)
{
	static bool find_none = true;	/* what was found the last time */
	UlClaim    *claims = claims_of_group(call, group);
	UlPin	   *pin = &group->key->pin;
	UlTest	   *tests = palloc(sizeof(UlTest) * group->nclaims);
	int			ntests = ul_claim_tests(claims, group->nclaims, tests);
	UlOutcome	outcome;

	/*
	 * where there are only rates, there is nothing to be booked before they
	 * are used
	 */
	if (ntests == 0)
		return UL_ADMITTED;
	make_uses(call, group);

	/* mostly there are no holds at all, and the gate knows it */
	if (find_none && ul_schema()->holds_watched)
	{
		outcome = ask_gate(call, group, UL_ASK_ADD_UNHELD, tests, ntests);
		if (outcome != UL_MAYBE_HELD)
			return outcome;
	}

	/* what they hold must not change before the gate answers */
	ul_shared_watch(pin);
	find_none = !ul_holds_exist();
	if (find_none)
		(void) ul_shared_note_unheld(pin);
	else
		ul_read_held(claims, group->nclaims, NULL);
	ntests = ul_claim_tests(claims, group->nclaims, tests);
	return ask_gate(call, group, UL_ASK_ADD, tests, ntests);
}

/*
 * Uses the groups' rates at the shared gate, when nothing else denies; what is
 * used is given back with what is booked.
 */
static UlOutcome
use_group_rates(const UlCall *call)
{
	UlOutcome	outcome = UL_ADMITTED;

	for (int i = 0; i < call->nclaims; i++)
	{
		UlClaim    *claim = &call->claims[i];

		if (claim->limit->kind != UL_KIND_RATE || ul_claim_uses_rate(claim))
			continue;
		ul_read_rates(claim, 1);
		ul_judge_claim(claim);
		if (claim->exceeded && ul_claim_denies(claim))
			return UL_REFUSED;
	}
	for (int i = 0; outcome == UL_ADMITTED && i < call->ngroups; i++)
	{
		UlGroup    *group = &call->groups[i];

		outcome = ul_take_rates(group->key, claims_of_group(call, group), group->nclaims,
								&group->rates, &group->nrates);
	}
	return outcome;
}

/* Takes back what the shared gate has booked for groups. */
static void
unbook_groups(const UlCall *call)
{
	for (int i = 0; i < call->ngroups; i++)
	{
		UlGroup    *group = &call->groups[i];

		if (group->booked && group->relaxed)
			(void) ul_use_relaxed(group->key, UL_ASK_ADD, NULL, 0, group->uses, group->nuses, -1, call->now);
		else if (group->booked)
			ul_xact_unbook(group->key, group->uses, group->nuses);
		group->booked = false;
		if (group->nrates > 0)
			ul_shared_unuse_rates(&group->key->pin, group->rates, group->nrates);
		group->nrates = 0;
	}
}

/*
 * Asks the shared gate for one group after the other.  What was booked is taken
 * back where another group is refused; the sums of all are known then.
 */
static UlOutcome
reserve_groups(const UlCall *call)
{
	UlOutcome	outcome = UL_ADMITTED;

	for (int i = 0; i < call->ngroups; i++)
	{
		UlGroup    *group = &call->groups[i];

		group->booked = false;
		group->relaxed = ul_is_relaxed(ul_find_type(group->usage_type));
		if (outcome == UL_REFUSED || !can_be_denied(call, group))
			ul_read_claims(claims_of_group(call, group), group->nclaims);
		else
			outcome = reserve_group(call, group);
		if (outcome == UL_AGAIN || outcome == UL_UNAVAILABLE)
			break;
	}
	if (outcome == UL_ADMITTED)
		outcome = use_group_rates(call);
	if (outcome != UL_ADMITTED)
		unbook_groups(call);
	/* a state that was decided by stays: by a newer one it may be no refusal */
	for (int i = 0; outcome == UL_REFUSED && i < call->nclaims; i++)
		if (!call->claims[i].rate_known)
			ul_read_rates(&call->claims[i], 1);
	return outcome;
}

void
ul_decide_not_tracked(const UlRequest *request, UlDecision *decision)
{
	UlDecision	answer = {
		.allowed = true,
		.reason = "not_enforced",
		.usage_type = request->usage_type,
		.requested = request->amount,
		.limit = -1,
		.reset_at = DT_NOEND,
		.retry_after = -1,
	};

	*decision = answer;
}

void
ul_decide_no_limit(const char *user_id, const char *usage_type, int64 requested,
				   const char *without, TimestampTz now, UlDecision *decision)
{
	TimestampTz from = Max(ul_utc_day(now),
						   ul_last_reset(ul_find_user(user_id), usage_type, DT_NOEND));

	decision->allowed = true;
	decision->reason = ul_enforcement == UL_ENFORCEMENT_OFF ? "not_enforced" : "no_limit";
	decision->usage_type = usage_type;
	decision->requested = requested;
	decision->current =
		ul_add_saturated(ul_usage_since(user_id, usage_type, from, UL_ASK_READ, now),
						 ul_held_since(user_id, usage_type, from, now, without));
	decision->limit = -1;
	decision->reset_at = DT_NOEND;
	decision->retry_after = -1;
}

/* Where no limit applies the first type is named, with all that is asked of it. */
static void
decide_unlimited(const UlCall *call, UlDecision *decision)
{
	const UlRequest *first = &call->requests[0];
	int64		requested =
	find_group(call, call->subjects[0], first->usage_type)->measures[UL_MEASURE_AMOUNT];

	ul_decide_no_limit(first->user_id, first->usage_type, requested, NULL, call->now, decision);
	if (!call->dry_run)
		decision->current += requested;
}

/*
 * Finds out by the keys' locks what is used.  What is known before a lock is
 * got may be old after it: time has gone by, or a limit, or whose member the
 * user is, has changed.  Keys stay locked from one round to the next.
 */
static void
read_groups(UlCall *call)
{
	uint64		generation;
	bool		waited = false;

	do
	{
		if (waited)
			call->now = ul_now();
		generation = ul_limits_generation();
		make_groups(call);
		make_claims(call);
		waited = !call->dry_run && lock_groups(call);
	} while (waited || generation != ul_limits_generation());
	ul_read_claims(call->claims, call->nclaims);
}

/* Rounds at the shared gate before the keys' locks are used instead. */
#define MAX_ROUNDS	10

/*
 * The same at the shared gate, which books what it admits at once; false where
 * the keys' locks are needed.
 */
static bool
ask_groups(UlCall *call)
{
	for (int round = 0; round < MAX_ROUNDS; round++)
	{
		UlOutcome	outcome;

		make_groups(call);
		make_claims(call);
		if (call->charge != NULL)
			ul_charge_make_room(call->charge, call->claims, call->nclaims);
		outcome = reserve_groups(call);
		if (outcome == UL_ADMITTED || outcome == UL_REFUSED)
			return true;
		if (outcome == UL_UNAVAILABLE)
			break;
		call->now = ul_now();
	}
	return false;
}

/* Whether any of the claims, which are judged, denies. */
static bool
is_denied(const UlCall *call)
{
	for (int i = 0; i < call->nclaims; i++)
		if (call->claims[i].exceeded && ul_claim_denies(&call->claims[i]))
			return true;
	return false;
}

/*
 * Uses rates where all else was decided by the keys' locks, and admits it: at
 * the shared gate if they can be had there, else they will be stored.
 */
static void
use_locked_rates(const UlCall *call)
{
	UlOutcome	outcome = UL_AGAIN;

	if (!use_rates(call->claims, call->nclaims) || !ul_shared_gate())
		return;
	for (int round = 0; outcome == UL_AGAIN && round < MAX_ROUNDS; round++)
	{
		if (is_denied(call))
			return;
		outcome = use_group_rates(call);
		if (outcome != UL_ADMITTED)
			unbook_groups(call);
	}
	for (int i = 0; outcome != UL_ADMITTED && outcome != UL_REFUSED && i < call->ngroups; i++)
	{
		UlGroup    *group = &call->groups[i];

		if (use_rates(claims_of_group(call, group), group->nclaims))
			ul_xact_own_rates(group->key);
	}
	/* what refused stays as the gate saw it */
	if (outcome != UL_ADMITTED && outcome != UL_REFUSED)
		ul_read_rates(call->claims, call->nclaims);
	for (int i = 0; i < call->nclaims; i++)
		ul_judge_claim(&call->claims[i]);
}

/* Adds to what is booked for a request what it has cost beyond what was known then. */
static void
book_price(UlKey *key, const UlUse *use, const UlRequest *request, int64 price)
{
	UlUse		more = {
		.bucket_start = use->bucket_start,
		.event_subtype = use->event_subtype,
		.of_members = use->of_members,
		.at = use->at,
	};

	more.amounts.measure[UL_MEASURE_CREDITS] =
		price - (request->credits_used == NULL ? 0 : *request->credits_used);
	if (more.amounts.measure[UL_MEASURE_CREDITS] != 0)
		ul_xact_book(key, &more);
}

/*
 * Writes down what was admitted, books it where the gate has not, and pays for
 * it, unless it is free; the event's id.
 */
static int64
record_requests(const UlCall *call)
{
	UlCharge   *charge = call->charge;
	int64	   *events = palloc0(sizeof(int64) * call->count);

	for (int i = 0; i < call->count; i++)
	{
		UlRequest	request = call->requests[i];
		const int64 *price = charge == NULL ? NULL : ul_charge_price_of(charge, i);
		UlPosting	postings[UL_MAX_SUBJECTS];
		int			npostings;

		if (request.amount == 0)
			continue;
		if (price != NULL)
			request.credits_used = price;
		else if (charge != NULL && !charge->is_had)
			request.credits_used = charge->given[i].credits_used;
		npostings = ul_postings(&request, call->subjects, call->nsubjects, "use", call->now,
								postings);
		for (int j = 0; j < npostings; j++)
		{
			UlGroup    *group = find_group(call, postings[j].user, request.usage_type);

			if (!group->booked)
				ul_book_use(group->key, &postings[j].use);
			else if (price != NULL)
				book_price(group->key, &postings[j].use, &call->requests[i], *price);
		}
		events[i] = ul_log_request(&request, "use", postings, npostings, call->now);
	}
	if (charge != NULL)
		ul_charge_pay(charge, events);
	return call->count > 1 ? 0 : events[0];
}

/*
 * Finds out what limits say to the requests; what is admitted at the shared gate
 * is booked.  What is over a limit, and can be paid for, is asked for again, with
 * room for that, so that nobody else gets what it was not charged for.
 */
static void
judge(UlCall *call)
{
	for (int round = 0;; round++)
	{
		/* a hold is a row, which whoever has the key's lock sees */
		bool		asked = !call->dry_run && !is_hold(call) && ul_shared_gate() &&
		round < MAX_ROUNDS && ask_groups(call);

		if (!asked)
			read_groups(call);
		for (int i = 0; i < call->nclaims; i++)
			ul_judge_claim(&call->claims[i]);
		if (call->charge != NULL &&
			ul_charge_price(call->charge, call->claims, call->nclaims) && asked)
			continue;
		if (!asked && !call->dry_run)
			use_locked_rates(call);
		return;
	}
}

/* Decides, and records what is consumed and admitted. */
static void
decide(UlCall *call, UlDecision *decision)
{
	memset(decision, 0, sizeof(*decision));
	call->now = ul_now();
	call->charge = ul_charge_begin(&call->requests, call->count);
	judge(call);
	if (call->nclaims > 0)
		ul_decide(call->claims, call->nclaims, call->now, decision);
	else
		decide_unlimited(call, decision);
	if (call->charge != NULL)
		ul_charge_decide(call->charge, call->dry_run, call->now, decision);
	if (call->dry_run)
		return;
	if (!decision->allowed)
	{
		unbook_groups(call);
		return;
	}
	ul_store_rates(call->claims, call->nclaims);
	if (!is_hold(call))
		decision->event_id = record_requests(call);
	else if (call->charge != NULL)
		ul_charge_hold(call->charge, decision);
}

/* Counts the answer: for the statistics, and a denial for usage_denials. */
static void
count_decision(const char *user_id, const UlDecision *decision, TimestampTz now)
{
	const UlLimit *limit;
	UlPin		pin;

	if (!ul_shared_gate())
		return;
	ul_note_database(false, now);
	ul_count(decision->allowed ? UL_STAT_ADMITTED : UL_STAT_DENIED);
	if (decision->allowed || decision->limit_type == NULL || !ul_worker_enabled)
		return;
	limit = ul_find_limit(decision->limit_type);
	if (limit == NULL)
		return;
	ul_init_pin(&pin, user_id, limit->usage_type);
	ul_shared_deny(&pin, limit->id, ul_utc_day(now), now);
}

/* Decides about requests that are to happen, not only asked about. */
static void
consume(UlCall *call, UlDecision *decision)
{
	decide(call, decision);
	count_decision(call->requests[0].user_id, decision, call->now);
}

void
ul_consume(const UlRequest *requests, int count, UlDecision *decision)
{
	UlCall		call = {.requests = requests,.count = count};

	consume(&call, decision);
}

int
ul_consume_hold(const UlRequest *request, UlPosting *postings, TimestampTz *now,
				UlDecision *decision)
{
	UlCall		call = {.requests = request,.count = 1};

	consume(&call, decision);
	*now = call.now;
	if (!decision->allowed)
		return 0;
	return ul_postings(request, call.subjects, call.nsubjects, "use", call.now, postings);
}

void
ul_check(const UlRequest *request, UlDecision *decision)
{
	UlCall		call = {.requests = request,.count = 1,.dry_run = true};

	decide(&call, decision);
}

void
ul_check_limit(const char *user_id, const char *limit_type, int64 amount, UlDecision *decision)
{
	const UlLimit *limit = ul_find_limit(limit_type);
	TimestampTz now = ul_now();
	UlClaim		claims[UL_MAX_SUBJECTS];
	int			count;

	memset(decision, 0, sizeof(*decision));
	if (limit == NULL)
	{
		if (ul_strict_names)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("limit \"%s\" does not exist", limit_type)));
		decision->allowed = true;
		decision->reason = "no_limit";
		decision->requested = amount;
		decision->limit = -1;
		decision->reset_at = DT_NOEND;
		decision->retry_after = -1;
		return;
	}
	count = ul_claims_of_limit(limit, user_id, now, claims);
	for (int i = 0; i < count; i++)
		claims[i].requested = amount;
	ul_read_claims(claims, count);
	for (int i = 0; i < count; i++)
		ul_judge_claim(&claims[i]);
	ul_decide(claims, count, now, decision);
}
