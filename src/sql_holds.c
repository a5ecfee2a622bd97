/*-------------------------------------------------------------------------
 *
 * sql_holds.c
 *		SQL functions that hold, settle and release.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "args.h"
#include "guc.h"
#include "holds.h"
#include "session.h"

PG_FUNCTION_INFO_V1(usage_hold);
PG_FUNCTION_INFO_V1(usage_settle);
PG_FUNCTION_INFO_V1(usage_release);
PG_FUNCTION_INFO_V1(usage_release_all);
PG_FUNCTION_INFO_V1(usage_renew);
PG_FUNCTION_INFO_V1(usage_limits_session_lives);

/* What the event of a release says: failed, cancelled, or NULL for no event. */
static const char *
arg_status(FunctionCallInfo fcinfo, int n)
{
	const char *status = ul_arg_string(fcinfo, n);

	if (status == NULL || strcmp(status, "failed") == 0 || strcmp(status, "cancelled") == 0)
		return status;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("status must be failed or cancelled, or null for no event"),
			 errhint("Work that has succeeded is settled with usage_settle.")));
}

Datum
usage_hold(PG_FUNCTION_ARGS)
{
	UlRequest	request = {
		.user_id = ul_arg_user_id(fcinfo, 0),
		.usage_type = ul_arg_usage_type(fcinfo, 1),
		.amount = ul_arg_amount(fcinfo, 2, "amount"),
		.ttl = ul_arg_ttl(fcinfo, 3),
		.status = "success",
		.event_subtype = ul_arg_subtype(fcinfo, 6),
		.tokens_used = ul_arg_optional_amount(fcinfo, 7, "tokens_used"),
		.metadata = ul_arg_jsonb(fcinfo, 8),
	};
	const char *hold_id = ul_arg_optional_name(fcinfo, 4, "hold_id");

	if (PG_ARGISNULL(5))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("session_bound must not be null")));
	if (!ul_tracking_enabled)
	{
		UlDecision	decision;

		ul_decide_not_tracked(&request, &decision);
		if (request.amount != 0)
			decision.hold_id = hold_id == NULL ? ul_make_up_hold_id() : hold_id;
		return ul_decision_datum(&decision);
	}
	ul_prevent_read_only("usage_hold()");
	return ul_hold(&request, hold_id, PG_GETARG_BOOL(5));
}

/* Where nothing is tracked, only what is of credits alone goes on. */
static bool
is_tracked(const char *hold_id)
{
	return ul_tracking_enabled || ul_holds_credits_alone(hold_id);
}

Datum
usage_settle(PG_FUNCTION_ARGS)
{
	UlHoldEnd	end = {
		.hold_id = ul_arg_name(fcinfo, 0, "hold_id"),
		.amount = ul_arg_optional_amount(fcinfo, 1, "amount"),
		.tokens_used = ul_arg_optional_amount(fcinfo, 2, "tokens_used"),
		.duration_ms = ul_arg_optional_amount(fcinfo, 3, "duration_ms"),
		.scene_id = ul_arg_uuid(fcinfo, 4),
		.metadata = ul_arg_jsonb(fcinfo, 5),
		.user_id = ul_arg_optional_name(fcinfo, 6, "user_id"),
	};

	if (!is_tracked(end.hold_id))
	{
		UlRequest	request = {.amount = end.amount == NULL ? 0 : *end.amount};
		UlDecision	decision;

		ul_decide_not_tracked(&request, &decision);
		decision.hold_id = end.hold_id;
		return ul_decision_datum(&decision);
	}
	ul_prevent_read_only("usage_settle()");
	return ul_settle(&end);
}

Datum
usage_release(PG_FUNCTION_ARGS)
{
	UlHoldEnd	end = {
		.hold_id = ul_arg_name(fcinfo, 0, "hold_id"),
		.status = arg_status(fcinfo, 1),
		.error_message = ul_arg_string(fcinfo, 2),
		.duration_ms = ul_arg_optional_amount(fcinfo, 3, "duration_ms"),
		.metadata = ul_arg_jsonb(fcinfo, 4),
		.user_id = ul_arg_optional_name(fcinfo, 5, "user_id"),
	};

	if (!is_tracked(end.hold_id))
		PG_RETURN_BOOL(false);
	ul_prevent_read_only("usage_release()");
	PG_RETURN_BOOL(ul_release(&end));
}

Datum
usage_release_all(PG_FUNCTION_ARGS)
{
	UlHoldEnd	end = {
		.user_id = ul_arg_user_id(fcinfo, 0),
		.status = arg_status(fcinfo, 2),
		.error_message = ul_arg_string(fcinfo, 3),
	};
	const char *usage_type = PG_ARGISNULL(1) ? NULL : ul_arg_usage_type(fcinfo, 1);

	if (!ul_tracking_enabled)
		PG_RETURN_INT64(0);
	ul_prevent_read_only("usage_release_all()");
	PG_RETURN_INT64(ul_release_all(&end, usage_type));
}

Datum
usage_renew(PG_FUNCTION_ARGS)
{
	const char *hold_id = ul_arg_name(fcinfo, 0, "hold_id");
	int64		ttl = ul_arg_ttl(fcinfo, 1);
	const char *user_id = ul_arg_optional_name(fcinfo, 2, "user_id");

	if (!is_tracked(hold_id))
		PG_RETURN_TIMESTAMPTZ(ul_now() + ttl);
	ul_prevent_read_only("usage_renew()");
	PG_RETURN_TIMESTAMPTZ(ul_renew(hold_id, user_id, ttl));
}

Datum
usage_limits_session_lives(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_BOOL(true);
	PG_RETURN_BOOL(ul_session_lives((int) PG_GETARG_INT64(0), PG_GETARG_TIMESTAMPTZ(1)));
}
