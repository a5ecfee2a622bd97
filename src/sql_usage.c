/*-------------------------------------------------------------------------
 *
 * sql_usage.c
 *		SQL functions that track, check and consume.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "args.h"
#include "consume.h"
#include "guc.h"
#include "idempotency.h"
#include "items.h"

PG_FUNCTION_INFO_V1(usage_track);
PG_FUNCTION_INFO_V1(usage_check_limit);
PG_FUNCTION_INFO_V1(usage_check);
PG_FUNCTION_INFO_V1(usage_consume);
PG_FUNCTION_INFO_V1(usage_enforce);
PG_FUNCTION_INFO_V1(usage_consume_many);
PG_FUNCTION_INFO_V1(usage_check_action);

/* The event's id, 0 for none. */
static int64
track(const UlRequest *request, const char *key)
{
	UlIdempotency *idempotency;
	UlDecision	decision;
	Datum		answer;
	bool		answered;

	if (key == NULL)
		return ul_track(request);

	idempotency = ul_idempotency_begin("usage_track", key, request, 1, &answered, &answer);
	if (answered)
	{
		bool		isnull;

		answer = GetAttributeByName(DatumGetHeapTupleHeader(answer), "event_id", &isnull);
		return isnull ? 0 : DatumGetInt64(answer);
	}
	ul_decide_not_tracked(request, &decision);
	decision.reason = "ok";
	decision.event_id = ul_track(request);
	ul_idempotency_remember(idempotency, ul_decision_datum(&decision));
	return decision.event_id;
}

/* The event's id, 0 for none. */
static int64
track_arguments(FunctionCallInfo fcinfo)
{
	UlRequest	request = {
		.user_id = ul_arg_user_id(fcinfo, 0),
		.usage_type = ul_arg_usage_type(fcinfo, 1),
		.amount = ul_arg_amount(fcinfo, 2, "amount"),
		.event_subtype = ul_arg_subtype(fcinfo, 3),
		.project_id = ul_arg_uuid(fcinfo, 4),
		.scene_id = ul_arg_uuid(fcinfo, 5),
		.tokens_used = ul_arg_optional_amount(fcinfo, 6, "tokens_used"),
		.credits_used = ul_arg_optional_amount(fcinfo, 7, "credits_used"),
		.duration_ms = ul_arg_optional_amount(fcinfo, 8, "duration_ms"),
		.status = ul_arg_name(fcinfo, 9, "status"),
		.error_message = ul_arg_string(fcinfo, 10),
		.metadata = ul_arg_jsonb(fcinfo, 11),
		.occurred_at = ul_arg_timestamptz(fcinfo, 12),
	};
	const char *key = ul_arg_optional_name(fcinfo, 13, "idempotency_key");

	if (strcmp(request.status, "success") != 0 &&
		strcmp(request.status, "failed") != 0 &&
		strcmp(request.status, "cancelled") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("status must be success, failed or cancelled")));
	ul_prevent_read_only("usage_track()");
	return track(&request, key);
}

/*
 * Tracks in a subtransaction of its own, and turns an error into a warning:
 * tracking must not break its caller.  A cancel is no such error.
 */
static int64
track_with_warning(FunctionCallInfo fcinfo)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile int64 event_id = 0;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		event_id = track_arguments(fcinfo);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			ReThrowError(error);
		event_id = 0;
		ul_count(UL_STAT_TRACK_ERRORS);
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("usage was not tracked: %s", error->message)));
		FreeErrorData(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return event_id;
}

Datum
usage_track(PG_FUNCTION_ARGS)
{
	int64		event_id;

	if (!ul_tracking_enabled)
		PG_RETURN_NULL();
	event_id = ul_on_track_error == UL_TRACK_WARNING ?
		track_with_warning(fcinfo) : track_arguments(fcinfo);
	if (event_id == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(event_id);
}

Datum
usage_check_limit(PG_FUNCTION_ARGS)
{
	UlDecision	decision;

	ul_check_limit(ul_arg_user_id(fcinfo, 0), ul_arg_name(fcinfo, 1, "limit_type"),
				   ul_arg_amount(fcinfo, 2, "amount"), &decision);
	return ul_decision_datum(&decision);
}

Datum
usage_check(PG_FUNCTION_ARGS)
{
	UlRequest	request = {
		.user_id = ul_arg_user_id(fcinfo, 0),
		.usage_type = ul_arg_usage_type(fcinfo, 1),
		.amount = ul_arg_amount(fcinfo, 2, "amount"),
		.event_subtype = ul_arg_subtype(fcinfo, 3),
		.tokens_used = ul_arg_optional_amount(fcinfo, 4, "tokens_used"),
	};
	UlDecision	decision;

	if (ul_tracking_enabled)
		ul_check(&request, &decision);
	else
		ul_decide_not_tracked(&request, &decision);
	return ul_decision_datum(&decision);
}

/*
 * Consumes requests, under an idempotency key if there is one; the answer as
 * a row.  With "enforce" a denial is raised.
 */
static Datum
consume(const char *function, UlRequest *requests, int count, const char *key, bool enforce)
{
	UlIdempotency *idempotency = NULL;
	UlDecision	decision;
	Datum		answer;
	bool		answered;

	if (!ul_tracking_enabled)
	{
		ul_decide_not_tracked(&requests[0], &decision);
		return ul_decision_datum(&decision);
	}
	ul_prevent_read_only(psprintf("%s()", function));

	if (key != NULL)
	{
		idempotency = ul_idempotency_begin(function, key, requests, count, &answered, &answer);
		if (answered)
			return answer;
	}
	ul_consume(requests, count, &decision);
	if (!decision.allowed)
	{
		if (enforce)
			ul_raise_denial(&decision);
		return ul_decision_datum(&decision);
	}
	answer = ul_decision_datum(&decision);
	if (idempotency != NULL)
		ul_idempotency_remember(idempotency, answer);
	return answer;
}

static Datum
consume_one(FunctionCallInfo fcinfo, const char *function, bool enforce)
{
	UlRequest	request = {
		.user_id = ul_arg_user_id(fcinfo, 0),
		.usage_type = ul_arg_usage_type(fcinfo, 1),
		.amount = ul_arg_amount(fcinfo, 2, "amount"),
		.event_subtype = ul_arg_subtype(fcinfo, 3),
		.project_id = ul_arg_uuid(fcinfo, 4),
		.scene_id = ul_arg_uuid(fcinfo, 5),
		.tokens_used = ul_arg_optional_amount(fcinfo, 6, "tokens_used"),
		.credits_used = ul_arg_optional_amount(fcinfo, 7, "credits_used"),
		.duration_ms = ul_arg_optional_amount(fcinfo, 8, "duration_ms"),
		.status = "success",
		.metadata = ul_arg_jsonb(fcinfo, 9),
	};

	return consume(function, &request, 1,
				   ul_arg_optional_name(fcinfo, 10, "idempotency_key"), enforce);
}

Datum
usage_consume(PG_FUNCTION_ARGS)
{
	return consume_one(fcinfo, "usage_consume", false);
}

Datum
usage_enforce(PG_FUNCTION_ARGS)
{
	return consume_one(fcinfo, "usage_enforce", true);
}

Datum
usage_consume_many(PG_FUNCTION_ARGS)
{
	const char *user_id = ul_arg_user_id(fcinfo, 0);
	const char *key = ul_arg_optional_name(fcinfo, 2, "idempotency_key");
	UlRequest  *requests;
	int			count;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("items must not be null")));
	requests = ul_parse_items(user_id, PG_GETARG_JSONB_P(1), &count);
	return consume("usage_consume_many", requests, count, key, false);
}

Datum
usage_check_action(PG_FUNCTION_ARGS)
{
	const char *user_id = ul_arg_user_id(fcinfo, 0);
	const UlAction *action = ul_find_action(ul_arg_name(fcinfo, 1, "action"));
	UlRequest	request = {.user_id = user_id};
	UlDecision	decision;

	if (PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("throw_on_exceed must not be null")));
	if (action == NULL || !ul_tracking_enabled)
		PG_RETURN_BOOL(true);
	request.usage_type = action->usage_type;
	request.amount = action->amount;
	ul_check(&request, &decision);
	if (!decision.allowed && PG_GETARG_BOOL(2))
		ul_raise_denial(&decision);
	PG_RETURN_BOOL(decision.allowed);
}
