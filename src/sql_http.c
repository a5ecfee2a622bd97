/*-------------------------------------------------------------------------
 *
 * sql_http.c
 *		SQL functions that put a decision into HTTP.
 *
 * The fields and the problem type are those of the IETF's "RateLimit header
 * fields for HTTP" (draft-ietf-httpapi-ratelimit-headers-10), in the syntax of
 * Structured Fields (RFC 9651); Retry-After is RFC 9110's, problem details are
 * RFC 9457's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "args.h"
#include "guc.h"
#include "limits.h"

PG_FUNCTION_INFO_V1(usage_headers);
PG_FUNCTION_INFO_V1(usage_problem);

/* The largest Integer of a structured field */
#define MAX_FIELD_INTEGER	INT64CONST(999999999999999)

#define QUOTA_EXCEEDED	"https://iana.org/assignments/http-problem-types#quota-exceeded"

/* What is read of a usage_decision; NULL, or -1, for null */
typedef struct Answer
{
	bool		allowed;
	char	   *limit_type;
	int64		requested;
	int64		current;
	int64		limit;
	int64		remaining;
	TimestampTz reset_at;		/* DT_NOEND for null */
	int			retry_after;
} Answer;

static char *
column_text(HeapTupleHeader row, const char *name)
{
	bool		isnull;
	Datum		value = GetAttributeByName(row, name, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static int64
column_int8(HeapTupleHeader row, const char *name)
{
	bool		isnull;
	Datum		value = GetAttributeByName(row, name, &isnull);

	return isnull ? -1 : DatumGetInt64(value);
}

static Answer
arg_decision(FunctionCallInfo fcinfo, int n)
{
	HeapTupleHeader row;
	Answer		answer;
	Datum		value;
	bool		isnull = PG_ARGISNULL(n);

	row = isnull ? NULL : PG_GETARG_HEAPTUPLEHEADER(n);
	value = isnull ? (Datum) 0 : GetAttributeByName(row, "allowed", &isnull);
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("decision must not be null")));
	answer.allowed = DatumGetBool(value);
	answer.limit_type = column_text(row, "limit_type");
	answer.requested = column_int8(row, "requested");
	answer.current = column_int8(row, "current");
	answer.limit = column_int8(row, "limit");
	answer.remaining = column_int8(row, "remaining");
	value = GetAttributeByName(row, "reset_at", &isnull);
	answer.reset_at = isnull ? DT_NOEND : DatumGetTimestampTz(value);
	value = GetAttributeByName(row, "retry_after", &isnull);
	answer.retry_after = isnull ? -1 : DatumGetInt32(value);
	return answer;
}

/*
 * Appends a String, which has printable ASCII only: other bytes are
 * percent-encoded.
 */
static void
append_string(StringInfo field, const char *value)
{
	appendStringInfoChar(field, '"');
	for (const char *p = value; *p; p++)
	{
		if (*p == '"' || *p == '\\')
			appendStringInfo(field, "\\%c", *p);
		else if (*p >= ' ' && *p <= '~')
			appendStringInfoChar(field, *p);
		else
			appendStringInfo(field, "%%%02X", (unsigned char) *p);
	}
	appendStringInfoChar(field, '"');
}

static void
append_parameter(StringInfo field, const char *name, int64 value)
{
	appendStringInfo(field, ";%s=" INT64_FORMAT, name, Min(value, MAX_FIELD_INTEGER));
}

/*
 * Seconds of the limit's window, rounded up: a month is 30 days, a year 365.  0
 * where there is none, or where it depends on more than the limit, as for a
 * rate with a burst.
 */
static int64
window_seconds(const UlLimit *limit)
{
	const Interval *interval = limit == NULL ? NULL : limit->interval;
	int64		days;

	if (interval == NULL || (limit->kind == UL_KIND_RATE && limit->burst > 0))
		return 0;
	days = interval->day + (int64) (interval->month / MONTHS_PER_YEAR) * 365 +
		(int64) (interval->month % MONTHS_PER_YEAR) * DAYS_PER_MONTH;
	return days * SECS_PER_DAY + (interval->time + USECS_PER_SEC - 1) / USECS_PER_SEC;
}

/* Seconds until more is to be had, or -1. */
static int64
reset_seconds(const Answer *answer)
{
	TimestampTz now = ul_now();

	if (answer->retry_after >= 0)
		return answer->retry_after;
	if (TIMESTAMP_NOT_FINITE(answer->reset_at))
		return -1;
	if (answer->reset_at <= now)
		return 0;
	return (answer->reset_at - now - 1) / USECS_PER_SEC + 1;
}

static void
put_header(ReturnSetInfo *rsinfo, const char *name, const char *value)
{
	Datum		values[2] = {CStringGetTextDatum(name), CStringGetTextDatum(value)};
	bool		nulls[2] = {false, false};

	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static void
put_limit_headers(ReturnSetInfo *rsinfo, const Answer *answer)
{
	const UlLimit *limit = ul_find_limit(answer->limit_type);
	int64		window = window_seconds(limit);
	int64		reset = reset_seconds(answer);
	StringInfoData field;

	initStringInfo(&field);
	append_string(&field, answer->limit_type);
	append_parameter(&field, "q", answer->limit);
	if (limit != NULL && limit->kind == UL_KIND_CONCURRENCY)
		appendStringInfoString(&field, ";qu=\"concurrent-requests\"");
	if (window > 0)
		append_parameter(&field, "w", window);
	put_header(rsinfo, "ratelimit-policy", field.data);

	resetStringInfo(&field);
	append_string(&field, answer->limit_type);
	append_parameter(&field, "r", Max(answer->remaining, 0));
	if (reset >= 0)
		append_parameter(&field, "t", reset);
	put_header(rsinfo, "ratelimit", field.data);
}

Datum
usage_headers(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Answer		answer = arg_decision(fcinfo, 0);

	InitMaterializedSRF(fcinfo, 0);
	if (answer.limit_type != NULL && answer.limit >= 0)
		put_limit_headers(rsinfo, &answer);
	if (!answer.allowed && answer.retry_after >= 0)
		put_header(rsinfo, "retry-after", psprintf("%d", answer.retry_after));
	return (Datum) 0;
}

Datum
usage_problem(PG_FUNCTION_ARGS)
{
	Answer		answer = arg_decision(fcinfo, 0);
	StringInfoData json;
	char	   *detail;

	if (answer.allowed)
		PG_RETURN_NULL();
	if (answer.limit_type == NULL)	/* a balance of credits */
		detail = psprintf("Needed " INT64_FORMAT ", left " INT64_FORMAT ".",
						  answer.requested, answer.remaining);
	else
		detail = psprintf("Limit is " INT64_FORMAT ", used " INT64_FORMAT ", requested " INT64_FORMAT ".",
						  answer.limit, answer.current, answer.requested);

	initStringInfo(&json);
	appendStringInfoString(&json, "{\"type\":\"" QUOTA_EXCEEDED "\""
						   ",\"title\":\"Request cannot be satisfied as assigned quota has been exceeded\""
						   ",\"status\":429,\"detail\":");
	escape_json(&json, detail);
	appendStringInfoString(&json, ",\"violated-policies\":[");
	if (answer.limit_type != NULL)
		escape_json(&json, answer.limit_type);
	appendStringInfoString(&json, "]}");
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
}
