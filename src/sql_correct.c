/*-------------------------------------------------------------------------
 *
 * sql_correct.c
 *		SQL functions that correct usage.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "args.h"
#include "correct.h"
#include "guc.h"
#include "idempotency.h"

PG_FUNCTION_INFO_V1(usage_adjust);
PG_FUNCTION_INFO_V1(usage_refund);
PG_FUNCTION_INFO_V1(usage_set_gauge);
PG_FUNCTION_INFO_V1(usage_reset);

Datum
usage_adjust(PG_FUNCTION_ARGS)
{
	UlRequest	request = {
		.user_id = ul_arg_user_id(fcinfo, 0),
		.usage_type = ul_arg_usage_type(fcinfo, 1),
		.status = "success",
		.error_message = ul_arg_string(fcinfo, 3),
		.event_subtype = ul_arg_subtype(fcinfo, 4),
		.metadata = ul_arg_jsonb(fcinfo, 5),
	};
	const char *key = ul_arg_optional_name(fcinfo, 6, "idempotency_key");
	UlIdempotency *idempotency = NULL;
	UlDecision	decision;
	Datum		answer;

	if (PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("delta must not be null")));
	request.amount = PG_GETARG_INT64(2);
	if (request.amount < -UL_MAX_AMOUNT || request.amount > UL_MAX_AMOUNT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("delta must be between -" INT64_FORMAT " and " INT64_FORMAT,
						UL_MAX_AMOUNT, UL_MAX_AMOUNT)));
	ul_prevent_read_only("usage_adjust()");

	if (key != NULL)
	{
		bool		answered;

		idempotency = ul_idempotency_begin("usage_adjust", key, &request, 1, &answered, &answer);
		if (answered)
			return answer;
	}
	ul_adjust(&request, &decision);
	answer = ul_decision_datum(&decision);
	if (idempotency != NULL)
		ul_idempotency_remember(idempotency, answer);
	return answer;
}

Datum
usage_refund(PG_FUNCTION_ARGS)
{
	const int64 *amount = ul_arg_optional_amount(fcinfo, 1, "amount");
	const char *user_id = ul_arg_optional_name(fcinfo, 2, "user_id");
	UlDecision	decision;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("event_id must not be null")));
	ul_prevent_read_only("usage_refund()");
	ul_refund(PG_GETARG_INT64(0), amount, user_id, &decision);
	return ul_decision_datum(&decision);
}

Datum
usage_set_gauge(PG_FUNCTION_ARGS)
{
	UlRequest	request = {
		.user_id = ul_arg_user_id(fcinfo, 0),
		.usage_type = ul_arg_usage_type(fcinfo, 1),
		.amount = ul_arg_amount(fcinfo, 2, "value"),
		.status = "success",
	};
	UlDecision	decision;

	ul_prevent_read_only("usage_set_gauge()");
	ul_set_gauge(&request, &decision);
	return ul_decision_datum(&decision);
}

Datum
usage_reset(PG_FUNCTION_ARGS)
{
	UlRequest	request = {
		.user_id = ul_arg_user_id(fcinfo, 0),
		.usage_type = ul_arg_usage_type(fcinfo, 1),
		.status = "success",
	};
	UlDecision	decision;

	ul_prevent_read_only("usage_reset()");
	ul_reset(&request, &decision);
	return ul_decision_datum(&decision);
}
