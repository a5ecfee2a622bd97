/*-------------------------------------------------------------------------
 *
 * consume.c
 *		Recording uses, and deciding whether they may happen.
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
#include "store.h"
#include "xact.h"

/* The requests of one usage type */
typedef struct UlGroup
{
	const char *usage_type;
	UlKey	   *key;			/* NULL in a dry run */
	int			first_claim;
	int			nclaims;
	bool		asks;			/* some amount is not 0 */
	bool		relaxed;		/* counted in shared memory, for good */
	bool		booked;			/* at the shared gate */
	UlUse	   *uses;
	int			nuses;
	int64		measures[UL_NMEASURES]; /* sums of the requests */
} UlGroup;

const UlType *
ul_type_for_check(const char *usage_type)
{
	const UlType *type = ul_find_type(usage_type);

	if (type == NULL || type->nlimits == 0)
	{
		const UlLimit *misnamed = ul_find_misnamed(usage_type);

		if (misnamed != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("\"%s\" is not a usage type but a limit's name", usage_type),
					 errhint("Limit \"%s\" counts usage type \"%s\".",
							 misnamed->limit_type, misnamed->usage_type)));
		if (type == NULL && ul_strict_names)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("usage type \"%s\" does not exist", usage_type),
					 errhint("With usage_limits.strict_names on, a type must be in usage_types or in a limit.")));
	}
	return type;
}

const UlType *
ul_type_for_use(const char *usage_type)
{
	const UlType *type = ul_type_for_check(usage_type);

	if (type != NULL && type->has_concurrency)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("usage type \"%s\" counts what is open at once", usage_type),
				 errhint("Use usage_hold, which opens, and usage_release, which closes.")));
	return type;
}

static int64
value_or_zero(const int64 *value)
{
	return value == NULL ? 0 : *value;
}

void
ul_request_measures(const UlRequest *request, int64 *measures)
{
	measures[UL_MEASURE_AMOUNT] = request->amount;
	measures[UL_MEASURE_TOKENS] = value_or_zero(request->tokens_used);
	measures[UL_MEASURE_CREDITS] = value_or_zero(request->credits_used);
	measures[UL_MEASURE_DURATION_MS] = value_or_zero(request->duration_ms);
}

UlUse
ul_use_of_request(const UlRequest *request, const char *operation, TimestampTz now)
{
	TimestampTz at = request->occurred_at == NULL ? now : *request->occurred_at;
	UlUse		use = {
		.bucket_start = request->bucket_start != NULL ? *request->bucket_start :
		ul_bucket_start(ul_find_type(request->usage_type), ul_find_user(request->user_id),
						request->usage_type, at, request->occurred_at != NULL),
		.event_subtype = request->event_subtype,
		.at = at,
	};

	if (strcmp(request->status, "success") == 0)
	{
		ul_request_measures(request, use.amounts.measure);
		use.amounts.events = strcmp(operation, "use") == 0 || strcmp(operation, "settle") == 0 ? 1 : 0;
	}
	else if (strcmp(request->status, "failed") == 0)
		use.amounts.failed_events = 1;
	else
		use.amounts.cancelled_events = 1;
	return use;
}

/* Whether uses of a type are counted in shared memory alone until they are flushed. */
static bool
is_relaxed(const UlType *type)
{
	return type != NULL && type->relaxed && ul_shared_gate();
}

int64
ul_log_request(const UlRequest *request, const char *operation, const UlUse *use)
{
	const UlType *type = ul_find_type(request->usage_type);
	bool		success = strcmp(request->status, "success") == 0;
	UlEventRow	event = {
		.user_id = request->user_id,
		.event_type = request->usage_type,
		.event_subtype = request->event_subtype,
		.project_id = request->project_id,
		.scene_id = request->scene_id,
		.tokens_used = request->tokens_used,
		.credits_used = request->credits_used,
		.duration_ms = request->duration_ms,
		.status = request->status,
		.error_message = request->error_message,
		.metadata = request->metadata,
		.created_at = use->at,
		.amount = request->amount,
		.operation = operation,
		.bucket_start = success ? &use->bucket_start : NULL,
	};

	if (!ul_analytics_enabled || (type != NULL && !type->log_events) ||
		(strcmp(operation, "use") == 0 && is_relaxed(type)))
		return 0;
	return ul_write_event(&event);
}

/* Asks for uses of a relaxed type, or for their opposites. */
static UlOutcome
use_relaxed(UlKey *key, UlTest *tests, int ntests, const UlUse *uses, int nuses, int sign,
			TimestampTz now)
{
	UlRelaxedUse *relaxed = palloc(sizeof(UlRelaxedUse) * Max(nuses, 1));
	UlOutcome	outcome;

	for (int i = 0; i < nuses; i++)
	{
		const UlUse *use = &uses[i];
		int64	   *amounts;

		relaxed[i] = (UlRelaxedUse)
		{
			.bucket_start = use->bucket_start,
				.event_subtype = use->event_subtype == NULL ? "" : use->event_subtype,
				.amounts = use->amounts,
				.first_at = use->at,
				.last_at = use->at,
				.of_uses = use->amounts.failed_events == 0 && use->amounts.cancelled_events == 0,
		};
		amounts = (int64 *) &relaxed[i].amounts;
		for (size_t j = 0; j < UL_NAMOUNTS; j++)
			amounts[j] *= sign;
	}
	outcome = ul_xact_use(key, tests, ntests, relaxed, nuses, now);
	pfree(relaxed);
	return outcome;
}

/* Counts uses that nobody can deny in shared memory; false if there is no room. */
static bool
use_for_good(UlKey *key, const UlUse *uses, int nuses)
{
	return use_relaxed(key, NULL, 0, uses, nuses, 1, uses->at) == UL_ADMITTED;
}

/* Looks whether a use that was booked has reached a threshold. */
static void
alert_of_use(const UlRequest *request, const UlUse *use, TimestampTz now)
{
	for (int i = 0; i < UL_NMEASURES; i++)
		if (use->amounts.measure[i] > 0)
		{
			ul_alert(request->user_id, request->usage_type, now);
			break;
		}
}

int64
ul_record(const UlRequest *request, const char *operation, TimestampTz now)
{
	UlUse		use = ul_use_of_request(request, operation, now);
	UlKey	   *key = ul_xact_key(request->user_id, request->usage_type);
	int64		event_id;

	if (strcmp(operation, "use") != 0 || !is_relaxed(ul_find_type(request->usage_type)) ||
		!use_for_good(key, &use, 1))
		ul_xact_book(key, &use);
	event_id = ul_log_request(request, operation, &use);
	alert_of_use(request, &use, now);
	return event_id;
}

int64
ul_track(const UlRequest *request)
{
	TimestampTz now = ul_now();

	(void) ul_type_for_use(request->usage_type);
	if (request->occurred_at != NULL)
	{
		if (!IS_VALID_TIMESTAMP(*request->occurred_at))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("occurred_at must be finite")));
		if (*request->occurred_at > now + USECS_PER_MINUTE)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("occurred_at is more than a minute ahead")));
	}
	return ul_record(request, "use", now);
}

int
ul_claims_of_type(const UlType *type, const UlUser *user, TimestampTz now, UlClaim **claims)
{
	int			count = type == NULL ? 0 : type->nlimits;

	*claims = palloc(sizeof(UlClaim) * Max(count, 1));
	for (int i = 0; i < count; i++)
		ul_init_claim(&(*claims)[i], type->limits[i], user, now);
	return count;
}

/*
 * Fills in what requests ask of a claim's limit; amount 0 asks and takes
 * nothing.  False if the limit counts none of them, being on another subtype.
 */
static bool
sum_requests(UlClaim *claim, const UlRequest *requests, int count, bool dry_run)
{
	const UlLimit *limit = claim->limit;
	bool		applies = false;

	if (requests[0].ttl != 0)
		claim->consumes_until = claim->now + requests[0].ttl;
	for (int i = 0; i < count; i++)
	{
		int64		measures[UL_NMEASURES];
		int64		asked;

		if (strcmp(requests[i].usage_type, limit->usage_type) != 0 ||
			!ul_limit_counts(limit, requests[i].event_subtype))
			continue;
		applies = true;
		ul_request_measures(&requests[i], measures);
		/* of whatever amount, a hold is one of those that are open at once */
		asked = limit->kind == UL_KIND_CONCURRENCY ?
			(requests[i].amount != 0 ? 1 : 0) : measures[limit->measure];
		claim->requested += asked;
		if (requests[i].amount != 0 && !dry_run)
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

/* One group for each usage type of the requests; no sum is above what one call may ask for. */
static int
group_requests(const UlRequest *requests, int count, UlGroup *groups)
{
	int			ngroups = 0;

	for (int i = 0; i < count; i++)
	{
		UlGroup    *group = NULL;
		int64		measures[UL_NMEASURES];

		for (int j = 0; j < ngroups && group == NULL; j++)
			if (strcmp(groups[j].usage_type, requests[i].usage_type) == 0)
				group = &groups[j];
		if (group == NULL)
		{
			group = &groups[ngroups++];
			memset(group, 0, sizeof(*group));
			group->usage_type = requests[i].usage_type;
		}
		if (requests[i].amount != 0)
			group->asks = true;
		ul_request_measures(&requests[i], measures);
		for (int j = 0; j < UL_NMEASURES; j++)
		{
			group->measures[j] += measures[j];
			if (group->measures[j] > UL_MAX_AMOUNT)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("amounts of one call add up to more than " INT64_FORMAT,
								UL_MAX_AMOUNT)));
		}
	}
	return ngroups;
}

/* Fills the claims of every group that concern the requests, for an instant; returns them all. */
static UlClaim *
claims_of_groups(UlGroup *groups, int ngroups, const UlRequest *requests, int count,
				 bool dry_run, TimestampTz now, int *total)
{
	const UlUser *user = ul_find_user(requests[0].user_id);
	UlClaim    *all = NULL;

	*total = 0;
	for (int i = 0; i < ngroups; i++)
	{
		UlGroup    *group = &groups[i];
		const UlType *type = dry_run || requests[0].ttl != 0 ?
		ul_type_for_check(group->usage_type) : ul_type_for_use(group->usage_type);
		UlClaim    *claims;
		int			nlimits = ul_claims_of_type(type, user, now, &claims);

		group->first_claim = *total;
		group->nclaims = 0;
		for (int j = 0; j < nlimits; j++)
			if (sum_requests(&claims[j], requests, count, dry_run))
				claims[group->nclaims++] = claims[j];
		if (all == NULL)
			all = claims;
		else if (group->nclaims > 0)
		{
			all = repalloc(all, sizeof(UlClaim) * (*total + group->nclaims));
			memcpy(all + *total, claims, sizeof(UlClaim) * group->nclaims);
		}
		*total += group->nclaims;
	}
	return all;
}

static bool
can_be_denied(const UlGroup *group, const UlClaim *claims)
{
	for (int i = 0; group->asks && i < group->nclaims; i++)
		if (ul_claim_denies(&claims[group->first_claim + i]))
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
lock_groups(UlGroup *groups, int ngroups, const UlClaim *claims)
{
	bool		waited = false;

	for (int i = 0; i < ngroups; i++)
		if ((can_be_denied(&groups[i], claims) ||
			 use_rates(claims + groups[i].first_claim, groups[i].nclaims)) &&
			ul_xact_lock(groups[i].key))
			waited = true;
	return waited;
}

/* What the requests of a group will book. */
static void
make_uses(UlGroup *group, const UlRequest *requests, int count, TimestampTz now)
{
	group->uses = palloc(sizeof(UlUse) * count);
	group->nuses = 0;
	for (int i = 0; i < count; i++)
		if (requests[i].amount != 0 && strcmp(requests[i].usage_type, group->usage_type) == 0)
			group->uses[group->nuses++] = ul_use_of_request(&requests[i], "use", now);
}

/* Asks the shared gate for one group, whose claims can deny. */
static UlOutcome
reserve_group(UlGroup *group, UlClaim *claims, const UlRequest *requests, int count,
			  TimestampTz now)
{
	UlTest	   *tests = palloc(sizeof(UlTest) * group->nclaims);
	bool		holds = ul_holds_exist();
	int			ntests;
	UlOutcome	outcome;

	if (holds)
	{
		/* what they hold must not change before the gate answers */
		ul_shared_watch(&group->key->pin);
		ul_read_held(claims, group->nclaims, requests[0].user_id, group->usage_type, NULL);
	}
	ntests = ul_claim_tests(claims, group->nclaims, tests);
	ul_read_rates(claims, group->nclaims);
	make_uses(group, requests, count, now);
	if (group->relaxed)
		outcome = use_relaxed(group->key, tests, ntests, group->uses, group->nuses, 1, now);
	else
		outcome = ul_xact_ask(group->key, UL_ASK_ADD, tests, ntests,
							  group->uses, group->nuses, now);
	group->booked = outcome == UL_ADMITTED;
	pfree(tests);
	if (!holds && group->booked && ul_holds_exist())
		return UL_AGAIN;
	return outcome;
}

/* Takes back what the shared gate has booked for groups. */
static void
unbook_groups(UlGroup *groups, int ngroups, TimestampTz now)
{
	for (int i = 0; i < ngroups; i++)
	{
		UlGroup    *group = &groups[i];

		if (group->booked && group->relaxed)
			(void) use_relaxed(group->key, NULL, 0, group->uses, group->nuses, -1, now);
		else if (group->booked)
			ul_xact_unbook(group->key, group->uses, group->nuses);
		group->booked = false;
	}
}

/*
 * Asks the shared gate for one group after the other.  What was booked is taken
 * back where another group is refused; the sums of all are known then.
 */
static UlOutcome
reserve_groups(UlGroup *groups, int ngroups, UlClaim *claims, const UlRequest *requests,
			   int count, TimestampTz now)
{
	UlOutcome	outcome = UL_ADMITTED;

	for (int i = 0; i < ngroups; i++)
	{
		UlGroup    *group = &groups[i];
		UlClaim    *first = claims + group->first_claim;

		group->booked = false;
		group->relaxed = is_relaxed(ul_find_type(group->usage_type));
		if (outcome == UL_REFUSED || !can_be_denied(group, claims))
			ul_read_claims(first, group->nclaims, requests[0].user_id, group->usage_type, now);
		else
			outcome = reserve_group(group, first, requests, count, now);
		if (outcome == UL_AGAIN || outcome == UL_UNAVAILABLE)
			break;
	}
	if (outcome != UL_ADMITTED)
		unbook_groups(groups, ngroups, now);
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
decide_unlimited(const UlRequest *requests, const UlGroup *groups, int ngroups, bool dry_run,
				 TimestampTz now, UlDecision *decision)
{
	for (int i = 0; i < ngroups; i++)
	{
		int64		requested = groups[i].measures[UL_MEASURE_AMOUNT];

		if (strcmp(groups[i].usage_type, requests[0].usage_type) != 0)
			continue;
		ul_decide_no_limit(requests[0].user_id, requests[0].usage_type, requested, NULL,
						   now, decision);
		if (!dry_run)
			decision->current += requested;
	}
}

/*
 * Finds out by the keys' locks what is used.  What is known before a lock is
 * got may be old after it: time has gone by, or a limit has changed.  Keys stay
 * locked from one round to the next.
 */
static UlClaim *
read_groups(UlGroup *groups, int ngroups, const UlRequest *requests, int count,
			bool dry_run, TimestampTz *now, int *nclaims)
{
	UlClaim    *claims;
	uint64		generation;
	bool		waited = false;

	do
	{
		if (waited)
			*now = ul_now();
		generation = ul_limits_generation();
		claims = claims_of_groups(groups, ngroups, requests, count, dry_run, *now, nclaims);
		waited = !dry_run && lock_groups(groups, ngroups, claims);
	} while (waited || generation != ul_limits_generation());

	for (int i = 0; i < ngroups; i++)
	{
		groups[i].booked = false;
		ul_read_claims(claims + groups[i].first_claim, groups[i].nclaims,
					   requests[0].user_id, groups[i].usage_type, *now);
	}
	return claims;
}

/* Rounds at the shared gate before the keys' locks are used instead. */
#define MAX_ROUNDS	10

/*
 * The same at the shared gate, which books what it admits at once; NULL where
 * the keys' locks are needed, as they are for the states of rates.
 */
static UlClaim *
ask_groups(UlGroup *groups, int ngroups, const UlRequest *requests, int count,
		   const UlCharge *charge, TimestampTz *now, int *nclaims)
{
	for (int round = 0; round < MAX_ROUNDS; round++)
	{
		UlClaim    *claims = claims_of_groups(groups, ngroups, requests, count, false,
											  *now, nclaims);
		UlOutcome	outcome;

		if (use_rates(claims, *nclaims))
			break;
		if (charge != NULL)
			ul_charge_make_room(charge, claims, *nclaims);
		outcome = reserve_groups(groups, ngroups, claims, requests, count, *now);
		if (outcome == UL_ADMITTED || outcome == UL_REFUSED)
			return claims;
		if (outcome == UL_UNAVAILABLE)
			break;
		*now = ul_now();
	}
	return NULL;
}

/* Adds to what is booked for a request what it has cost beyond what was known then. */
static void
book_price(UlGroup *group, const UlUse *use, const UlRequest *request, int64 price)
{
	UlUse		more = {
		.bucket_start = use->bucket_start,
		.event_subtype = use->event_subtype,
		.at = use->at,
	};

	more.amounts.measure[UL_MEASURE_CREDITS] = price - value_or_zero(request->credits_used);
	if (more.amounts.measure[UL_MEASURE_CREDITS] != 0)
		ul_xact_book(group->key, &more);
}

/*
 * Writes down what was admitted, books it where the gate has not, and pays for
 * it (charge NULL: it is free); the event's id.
 */
static int64
record_requests(UlGroup *groups, const UlRequest *requests, int count, UlCharge *charge,
				TimestampTz now)
{
	int64	   *events = palloc0(sizeof(int64) * count);

	for (int i = 0; i < count; i++)
	{
		UlRequest	request = requests[i];
		const int64 *price = charge == NULL ? NULL : ul_charge_price_of(charge, i);
		UlGroup    *group = groups;
		UlUse		use;

		if (request.amount == 0)
			continue;
		while (strcmp(group->usage_type, request.usage_type) != 0)
			group++;
		if (price != NULL)
			request.credits_used = price;
		else if (charge != NULL && !charge->is_had)
			request.credits_used = charge->given[i].credits_used;
		use = ul_use_of_request(&request, "use", now);
		if (!group->booked &&
			!(is_relaxed(ul_find_type(group->usage_type)) && use_for_good(group->key, &use, 1)))
			ul_xact_book(group->key, &use);
		else if (price != NULL)
			book_price(group, &use, &requests[i], *price);
		events[i] = ul_log_request(&request, "use", &use);
		alert_of_use(&request, &use, now);
	}
	if (charge != NULL)
		ul_charge_pay(charge, events);
	return count > 1 ? 0 : events[0];
}

/*
 * What limits say to requests; what is admitted at the shared gate is booked.
 * What is over a limit, and can be paid for, is asked for again, with room for
 * that, so that nobody else gets what it was not charged for.
 */
static UlClaim *
judge_groups(UlGroup *groups, int ngroups, const UlRequest *requests, int count,
			 bool dry_run, UlCharge *charge, TimestampTz *now, int *nclaims)
{
	for (int round = 0;; round++)
	{
		UlClaim    *claims = NULL;
		bool		asked;

		/* a hold is a row, which whoever has the key's lock sees */
		if (!dry_run && requests[0].ttl == 0 && ul_shared_gate() && round < MAX_ROUNDS)
			claims = ask_groups(groups, ngroups, requests, count, charge, now, nclaims);
		asked = claims != NULL;
		if (!asked)
			claims = read_groups(groups, ngroups, requests, count, dry_run, now, nclaims);
		for (int i = 0; i < *nclaims; i++)
			ul_judge_claim(&claims[i]);
		if (charge == NULL)
			return claims;
		if (!ul_charge_price(charge, claims, *nclaims) || !asked)
			return claims;
	}
}

/*
 * Decides, and records what is consumed and admitted; the instant of the
 * decision.
 */
static TimestampTz
decide(const UlRequest *requests, int count, bool dry_run, UlDecision *decision)
{
	UlGroup    *groups = palloc(sizeof(UlGroup) * count);
	bool		holds = requests[0].ttl != 0;
	UlCharge   *charge = ul_charge_begin(&requests, count);
	int			ngroups = group_requests(requests, count, groups);
	TimestampTz now = ul_now();
	UlClaim    *claims;
	int			nclaims;

	memset(decision, 0, sizeof(*decision));
	if (!dry_run)
	{
		for (int i = 0; i < ngroups; i++)
			groups[i].key = ul_xact_key(requests[0].user_id, groups[i].usage_type);
		if (ngroups > 1)
			qsort(groups, ngroups, sizeof(UlGroup), compare_groups);
	}
	claims = judge_groups(groups, ngroups, requests, count, dry_run, charge, &now, &nclaims);
	if (nclaims > 0)
		ul_decide(claims, nclaims, now, decision);
	else
		decide_unlimited(requests, groups, ngroups, dry_run, now, decision);
	if (charge != NULL)
		ul_charge_decide(charge, dry_run, now, decision);
	if (dry_run)
		return now;
	if (!decision->allowed)
	{
		unbook_groups(groups, ngroups, now);
		return now;
	}
	ul_store_rates(claims, nclaims);
	if (!holds)
		decision->event_id = record_requests(groups, requests, count, charge, now);
	else if (charge != NULL)
		ul_charge_hold(charge, decision);
	return now;
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

TimestampTz
ul_consume(const UlRequest *requests, int count, UlDecision *decision)
{
	TimestampTz now = decide(requests, count, false, decision);

	count_decision(requests[0].user_id, decision, now);
	return now;
}

void
ul_check(const UlRequest *request, UlDecision *decision)
{
	(void) decide(request, 1, true, decision);
}

void
ul_check_limit(const char *user_id, const char *limit_type, int64 amount, UlDecision *decision)
{
	const UlLimit *limit = ul_find_limit(limit_type);
	TimestampTz now = ul_now();
	UlClaim		claim;

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
	ul_init_claim(&claim, limit, ul_find_user(user_id), now);
	claim.requested = amount;
	ul_read_claims(&claim, 1, user_id, limit->usage_type, now);
	ul_judge_claim(&claim);
	ul_decide(&claim, 1, now, decision);
}
