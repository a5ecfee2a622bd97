/*-------------------------------------------------------------------------
 *
 * uses.c
 *		Recording what happened: on which keys it is booked, and its event.
 *
 * What a member of an account uses is booked twice: on his own key, and, with
 * all that limits count but as amounts of members, on the account's.  The event
 * is his alone, and says where it was booked.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "alerts.h"
#include "guc.h"
#include "store.h"
#include "uses.h"

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

int
ul_request_subjects(const UlRequest *request, const UlUser **subjects)
{
	if (request->bucket_start == NULL)
		return ul_subjects(request->user_id, subjects);
	subjects[0] = ul_find_user(request->user_id);
	if (request->account_id == NULL)
		return 1;
	subjects[1] = ul_find_user(request->account_id);
	return 2;
}

/* The use of the user himself, or, of_members, the share of his account. */
static UlUse
use_of_request(const UlRequest *request, const UlUser *subject, bool of_members,
			   const char *operation, TimestampTz now)
{
	const TimestampTz *bucket_start = of_members ? request->account_bucket_start :
	request->bucket_start;
	TimestampTz at = request->occurred_at == NULL ? now : *request->occurred_at;
	UlUse		use = {
		.bucket_start = bucket_start != NULL ? *bucket_start :
		ul_bucket_start(ul_find_type(request->usage_type), subject,
						request->usage_type, at, request->occurred_at != NULL),
		.event_subtype = request->event_subtype,
		.of_members = of_members,
		.at = at,
	};

	if (strcmp(request->status, "success") == 0)
	{
		ul_request_measures(request, use.amounts.measure);
		if (!of_members && (strcmp(operation, "use") == 0 || strcmp(operation, "settle") == 0))
			use.amounts.events = 1;
	}
	else if (strcmp(request->status, "failed") == 0)
		use.amounts.failed_events = 1;
	else
		use.amounts.cancelled_events = 1;
	return use;
}

int
ul_postings(const UlRequest *request, const UlUser *const *subjects, int nsubjects,
			const char *operation, TimestampTz now, UlPosting *postings)
{
	int			count = strcmp(request->status, "success") == 0 ? nsubjects : 1;

	for (int i = 0; i < count; i++)
	{
		postings[i].user = subjects[i];
		postings[i].use = use_of_request(request, subjects[i], i > 0, operation, now);
	}
	return count;
}

bool
ul_is_relaxed(const UlType *type)
{
	return type != NULL && type->relaxed && ul_shared_gate();
}

UlOutcome
ul_use_relaxed(UlKey *key, UlAsk ask, UlTest *tests, int ntests,
			   const UlUse *uses, int nuses, int sign, TimestampTz now)
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
				.of_members = use->of_members,
				.of_uses = ul_is_use(use),
		};
		amounts = (int64 *) &relaxed[i].amounts;
		for (size_t j = 0; j < UL_NAMOUNTS; j++)
			amounts[j] *= sign;
	}
	outcome = ul_xact_use(key, ask, tests, ntests, relaxed, nuses, now);
	pfree(relaxed);
	return outcome;
}

UlTest *
ul_tests_of_taking(const UlRequest *request, const UlPosting *posting, TimestampTz now, int *ntests)
{
	const UlType *type = ul_find_type(request->usage_type);
	int			nlimits = type == NULL ? 0 : type->nlimits;
	UlClaim    *claims = palloc(sizeof(UlClaim) * Max(nlimits, 1));
	UlTest	   *tests = palloc0(sizeof(UlTest) * (nlimits + 1));
	bool		limited = false;

	*ntests = 0;
	for (int i = 0; i < nlimits; i++)
	{
		const UlLimit *limit = type->limits[i];

		if (!ul_limit_sums(limit) || limit->measure != UL_MEASURE_AMOUNT ||
			!ul_limit_counts(limit, request->event_subtype))
			continue;
		limited = true;
		ul_init_claim(&claims[i], limit, posting->user, now);
		if (posting->use.bucket_start >= claims[i].sum.start)
			tests[(*ntests)++].sum = &claims[i].sum;
	}
	if (!limited)
	{
		UlSum	   *lifetime = palloc0(sizeof(UlSum));

		lifetime->measure = UL_MEASURE_AMOUNT;
		lifetime->start = ul_last_reset(posting->user, request->usage_type, DT_NOEND);
		lifetime->end = DT_NOEND;
		tests[(*ntests)++].sum = lifetime;
	}
	for (int i = 0; i < *ntests; i++)
		tests[i].requested = -posting->use.amounts.measure[UL_MEASURE_AMOUNT];
	return tests;
}

void
ul_book_share(const UlRequest *request, UlPosting *posting, TimestampTz now)
{
	const char *account_id = posting->user->user_id;
	int64	   *amount = &posting->use.amounts.measure[UL_MEASURE_AMOUNT];

	if (*amount < 0)
	{
		int			ntests;
		UlTest	   *tests = ul_tests_of_taking(request, posting, now, &ntests);

		ul_xact_read(account_id, request->usage_type, UL_ASK_TAKE, tests, ntests, now);
		for (int i = 0; i < ntests; i++)
			*amount = Max(*amount, Min(-tests[i].sum->used, 0));
	}
	ul_xact_book(ul_xact_key(account_id, request->usage_type), &posting->use);
}

/* One of a relaxed type is counted in shared memory for good, if there is room. */
void
ul_book_use(UlKey *key, const UlUse *use)
{
	if (ul_is_relaxed(ul_find_type(key->usage_type)) &&
		ul_use_relaxed(key, UL_ASK_ADD, NULL, 0, use, 1, 1, use->at) == UL_ADMITTED)
		return;
	ul_xact_book(key, use);
}

/* Looks whether a use that was booked has reached a threshold. */
static void
alert_of_posting(const UlPosting *posting, const char *usage_type, TimestampTz now)
{
	for (int i = 0; i < UL_NMEASURES; i++)
		if (posting->use.amounts.measure[i] > 0)
		{
			ul_alert(posting->user->user_id, usage_type, now);
			break;
		}
}

static int64
write_event(const UlRequest *request, const char *operation, const UlPosting *postings,
			int npostings)
{
	const UlType *type = ul_find_type(request->usage_type);
	const UlPosting *share = npostings > 1 ? &postings[1] : NULL;
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
		.created_at = postings[0].use.at,
		.amount = request->amount,
		.operation = operation,
		.bucket_start = success ? &postings[0].use.bucket_start : NULL,
		.account_id = share == NULL ? NULL : share->user->user_id,
		.account_bucket_start = share == NULL ? NULL : &share->use.bucket_start,
	};

	if (!ul_analytics_enabled || (type != NULL && !type->log_events) ||
		(strcmp(operation, "use") == 0 && ul_is_relaxed(type)))
		return 0;
	return ul_write_event(&event);
}

int64
ul_log_request(const UlRequest *request, const char *operation, const UlPosting *postings,
			   int npostings, TimestampTz now)
{
	int64		event_id = write_event(request, operation, postings, npostings);

	for (int i = 0; i < npostings; i++)
		alert_of_posting(&postings[i], request->usage_type, now);
	return event_id;
}

int64
ul_record(const UlRequest *request, const char *operation, TimestampTz now)
{
	const UlUser *subjects[UL_MAX_SUBJECTS];
	int			nsubjects = ul_request_subjects(request, subjects);
	UlPosting	postings[UL_MAX_SUBJECTS];
	int			npostings = ul_postings(request, subjects, nsubjects, operation, now, postings);

	for (int i = 0; i < npostings; i++)
	{
		UlKey	   *key = ul_xact_key(postings[i].user->user_id, request->usage_type);

		/* what corrects is part of the transaction */
		if (strcmp(operation, "use") == 0)
			ul_book_use(key, &postings[i].use);
		else if (i > 0)
			ul_book_share(request, &postings[i], now);
		else
			ul_xact_book(key, &postings[i].use);
	}
	return ul_log_request(request, operation, postings, npostings, now);
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
