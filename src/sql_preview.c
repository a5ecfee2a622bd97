/*-------------------------------------------------------------------------
 *
 * sql_preview.c
 *		SQL functions behind usage_preview.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "args.h"
#include "preview.h"

PG_FUNCTION_INFO_V1(usage_limits_previewed);
PG_FUNCTION_INFO_V1(usage_limits_replay);

static const UlLimit *
arg_limit(FunctionCallInfo fcinfo, int n)
{
	const char *limit_type = ul_arg_name(fcinfo, n, "limit_type");
	const UlLimit *limit = ul_find_limit(limit_type);

	if (limit == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no active limit \"%s\"", limit_type)));
	if (limit->kind == UL_KIND_CONCURRENCY)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("limit \"%s\" of kind concurrency cannot be previewed", limit_type)));
	return limit;
}

/* The tuple of a function's OUT parameters. */
static Datum
result_tuple(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	TupleDesc	tupdesc;

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc), values, nulls));
}

Datum
usage_limits_previewed(PG_FUNCTION_ARGS)
{
	enum
	{
		USAGE_TYPE, EVENT_SUBTYPE, MEASURE, SOURCE, NCOLUMNS
	};
	const UlLimit *limit = arg_limit(fcinfo, 0);
	const UlType *type = ul_find_type(limit->usage_type);
	const char *tier = ul_arg_optional_name(fcinfo, 2, "tier");
	Datum		values[NCOLUMNS] = {0};
	bool		nulls[NCOLUMNS] = {0};

	(void) ul_arg_limit_value(fcinfo, 1, "new_value");
	if (tier != NULL && !ul_tier_is_known(tier))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("tier \"%s\" does not exist", tier)));

	values[USAGE_TYPE] = CStringGetTextDatum(limit->usage_type);
	if (limit->event_subtype != NULL)
		values[EVENT_SUBTYPE] = CStringGetTextDatum(limit->event_subtype);
	else
		nulls[EVENT_SUBTYPE] = true;
	values[MEASURE] = CStringGetTextDatum(ul_measure_names[limit->measure]);
	values[SOURCE] = CStringGetTextDatum(type->log_events ? "events" : "counters");
	return result_tuple(fcinfo, values, nulls);
}

static int
array_elements(FunctionCallInfo fcinfo, int n, Oid type, Datum **elements)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(n);
	int			count;

	deconstruct_array(array, type, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  elements, NULL, &count);
	return count;
}

Datum
usage_limits_replay(PG_FUNCTION_ARGS)
{
	const UlLimit *limit = arg_limit(fcinfo, 0);
	int64		value = ul_arg_limit_value(fcinfo, 1, "new_value");
	const char *tier = ul_arg_optional_name(fcinfo, 2, "tier");
	const UlUser *user = ul_find_user(ul_arg_user_id(fcinfo, 3));
	Datum	   *at;
	Datum	   *buckets;
	Datum	   *amounts;
	Datum	   *requests;
	int			count;
	UlPast	   *past;
	UlPreview	preview;
	Datum		values[2];
	bool		nulls[2] = {false, false};

	for (int n = 4; n <= 8; n++)
		if (PG_ARGISNULL(n))
			PG_RETURN_NULL();
	if (!ul_preview_concerns(limit, user, tier))
		PG_RETURN_NULL();

	count = array_elements(fcinfo, 5, TIMESTAMPTZOID, &at);
	if (array_elements(fcinfo, 6, TIMESTAMPTZOID, &buckets) != count ||
		array_elements(fcinfo, 7, INT8OID, &amounts) != count ||
		array_elements(fcinfo, 8, INT8OID, &requests) != count)
		elog(ERROR, "arrays of different lengths");
	past = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(UlPast) * Max(count, 1));
	for (int i = 0; i < count; i++)
	{
		past[i].at = DatumGetTimestampTz(at[i]);
		past[i].bucket_start = DatumGetTimestampTz(buckets[i]);
		past[i].amount = DatumGetInt64(amounts[i]);
		past[i].requests = DatumGetInt64(requests[i]);
	}
	ul_preview(limit, user, value, PG_GETARG_TIMESTAMPTZ(4), past, count, &preview);
	values[0] = Int64GetDatum(preview.denied);
	values[1] = TimestampTzGetDatum(preview.first_at);
	nulls[1] = preview.denied == 0;
	return result_tuple(fcinfo, values, nulls);
}
