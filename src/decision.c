/*-------------------------------------------------------------------------
 *
 * decision.c
 *		The answer to "may this happen", as a row and as an error.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "decision.h"
#include "errors.h"
#include "schema.h"

Datum
ul_decision_datum(const UlDecision *decision)
{
	enum
	{
		ALLOWED, REASON, USAGE_TYPE, LIMIT_TYPE, REQUESTED, CURRENT, LIMIT, REMAINING,
		RESET_AT, RETRY_AFTER, EVENT_ID, HOLD_ID, NCOLUMNS
	};
	TupleDesc	tupdesc = lookup_rowtype_tupdesc(ul_schema()->decision_type, -1);
	Datum		values[NCOLUMNS] = {0};
	bool		nulls[NCOLUMNS] = {0};
	HeapTuple	tuple;

	values[ALLOWED] = BoolGetDatum(decision->allowed);
	values[REASON] = CStringGetTextDatum(decision->reason);
	if (decision->usage_type != NULL)
		values[USAGE_TYPE] = CStringGetTextDatum(decision->usage_type);
	else
		nulls[USAGE_TYPE] = true;
	if (decision->limit_type != NULL)
		values[LIMIT_TYPE] = CStringGetTextDatum(decision->limit_type);
	else
		nulls[LIMIT_TYPE] = true;
	values[REQUESTED] = Int64GetDatum(decision->requested);
	values[CURRENT] = Int64GetDatum(decision->current);
	values[LIMIT] = Int64GetDatum(decision->limit);
	values[REMAINING] = Int64GetDatum(decision->remaining);
	nulls[REMAINING] = decision->limit < 0;
	values[RESET_AT] = TimestampTzGetDatum(decision->reset_at);
	nulls[RESET_AT] = decision->reset_at == DT_NOEND;
	values[RETRY_AFTER] = Int32GetDatum(decision->retry_after);
	nulls[RETRY_AFTER] = decision->retry_after < 0;
	values[EVENT_ID] = Int64GetDatum(decision->event_id);
	nulls[EVENT_ID] = decision->event_id == 0;
	if (decision->hold_id != NULL)
		values[HOLD_ID] = CStringGetTextDatum(decision->hold_id);
	else
		nulls[HOLD_ID] = true;

	tuple = heap_form_tuple(tupdesc, values, nulls);
	ReleaseTupleDesc(tupdesc);
	return HeapTupleGetDatum(tuple);
}

int64
ul_decision_current(Datum decision)
{
	bool		isnull;
	Datum		value = GetAttributeByName(DatumGetHeapTupleHeader(decision), "current", &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

/* Appends "name":value, the value quoted, or null. */
static void
append_string(StringInfo json, const char *name, const char *value)
{
	appendStringInfo(json, "%s\"%s\":", json->len > 1 ? "," : "", name);
	if (value == NULL)
		appendStringInfoString(json, "null");
	else
		escape_json(json, value);
}

static void
append_int8(StringInfo json, const char *name, int64 value)
{
	appendStringInfo(json, "%s\"%s\":" INT64_FORMAT, json->len > 1 ? "," : "", name, value);
}

/* Rows that are negative are none. */
pg_noreturn static void
raise_denial(const UlDecision *decision, int64 rows)
{
	StringInfoData json;
	char		reset_at[MAXDATELEN + 1];
	bool		resets = decision->reset_at != DT_NOEND;
	bool		lacks_credits = strcmp(decision->reason, "insufficient_credits") == 0;

	if (resets)
		JsonEncodeDateTime(reset_at, TimestampTzGetDatum(decision->reset_at), TIMESTAMPTZOID, NULL);

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	append_string(&json, "limitType", decision->limit_type);
	append_string(&json, "usageType", decision->usage_type);
	append_string(&json, "title", decision->title);
	append_int8(&json, "current", decision->current);
	append_int8(&json, "limit", decision->limit);
	append_int8(&json, "requested", decision->requested);
	if (lacks_credits)
		append_int8(&json, "available", decision->remaining);
	if (rows >= 0)
		append_int8(&json, "rows", rows);
	append_string(&json, "resetAt", resets ? reset_at : NULL);
	if (decision->retry_after >= 0)
		append_int8(&json, "retryAfter", decision->retry_after);
	else
		append_string(&json, "retryAfter", NULL);
	appendStringInfoChar(&json, '}');

	if (lacks_credits)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_CREDITS),
				 errmsg("insufficient credits for \"%s\"", decision->usage_type),
				 errdetail_internal("%s", json.data),
				 decision->limit <= decision->current ? errhint("Credits are held until their holds end.") :
				 resets ? errhint("The next refill is at %s.", reset_at) :
				 errhint("Credits must be bought or given first.")));
	ereport(ERROR,
			(errcode(ERRCODE_USAGE_LIMIT_EXCEEDED),
			 errmsg("usage limit exceeded for \"%s\"", decision->limit_type),
			 errdetail_internal("%s", json.data),
			 decision->retry_after >= 0 ?
			 errhint("It would be admitted at %s.", reset_at) :
			 decision->requested > decision->limit ?
			 errhint("The request is larger than the limit.") :
			 errhint("Something must be given back first, or the limit raised.")));
}

void
ul_raise_denial(const UlDecision *decision)
{
	raise_denial(decision, -1);
}

void
ul_raise_denial_of_rows(const UlDecision *decision, int64 rows)
{
	raise_denial(decision, rows);
}
