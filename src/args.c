/*-------------------------------------------------------------------------
 *
 * args.c
 *		Checking the arguments of SQL-callable functions.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "args.h"

#define MAX_TYPE_CHARACTERS	50
#define MAX_TTL_DAYS	(100 * DAYS_PER_YEAR)

static void
refuse_null(FunctionCallInfo fcinfo, int n, const char *name)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
}

void
ul_check_user_id(const char *value, const char *name)
{
	size_t		length = strlen(value);

	if (length == 0 || length > UL_MAX_NAME_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be 1 to %d bytes long", name, UL_MAX_NAME_BYTES)));
}

void
ul_check_usage_type(const char *usage_type, const char *name)
{
	int			length = pg_mbstrlen(usage_type);

	if (length == 0 || length > MAX_TYPE_CHARACTERS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be 1 to %d characters long", name, MAX_TYPE_CHARACTERS)));
}

void
ul_check_amount(int64 amount, const char *name)
{
	if (amount < 0 || amount > UL_MAX_AMOUNT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be between 0 and " INT64_FORMAT, name, UL_MAX_AMOUNT)));
}

const char *
ul_arg_name(FunctionCallInfo fcinfo, int n, const char *name)
{
	const char *value;

	refuse_null(fcinfo, n, name);
	value = text_to_cstring(PG_GETARG_TEXT_PP(n));
	ul_check_user_id(value, name);
	return value;
}

const char *
ul_arg_optional_name(FunctionCallInfo fcinfo, int n, const char *name)
{
	return PG_ARGISNULL(n) ? NULL : ul_arg_name(fcinfo, n, name);
}

const char *
ul_arg_user_id(FunctionCallInfo fcinfo, int n)
{
	return ul_arg_name(fcinfo, n, "user_id");
}

const char *
ul_arg_usage_type(FunctionCallInfo fcinfo, int n)
{
	const char *value;

	refuse_null(fcinfo, n, "usage_type");
	value = text_to_cstring(PG_GETARG_TEXT_PP(n));
	ul_check_usage_type(value, "usage_type");
	return value;
}

const char *
ul_arg_string(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

const char *
ul_arg_subtype(FunctionCallInfo fcinfo, int n)
{
	const char *value = ul_arg_string(fcinfo, n);

	if (value == NULL || *value == '\0')
		return NULL;
	ul_check_user_id(value, "event_subtype");
	return value;
}

int64
ul_arg_amount(FunctionCallInfo fcinfo, int n, const char *name)
{
	int64		value;

	refuse_null(fcinfo, n, name);
	value = PG_GETARG_INT64(n);
	ul_check_amount(value, name);
	return value;
}

const int64 *
ul_arg_optional_amount(FunctionCallInfo fcinfo, int n, const char *name)
{
	int64	   *value;

	if (PG_ARGISNULL(n))
		return NULL;
	value = palloc(sizeof(int64));
	*value = ul_arg_amount(fcinfo, n, name);
	return value;
}

int64
ul_arg_limit_value(FunctionCallInfo fcinfo, int n, const char *name)
{
	int64		value;

	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
	value = PG_GETARG_INT64(n);
	if (value < -1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a limit's value must be -1 (unlimited), 0 (blocks) or more")));
	return value;
}

const pg_uuid_t *
ul_arg_uuid(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : PG_GETARG_UUID_P(n);
}

const Jsonb *
ul_arg_jsonb(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : PG_GETARG_JSONB_P(n);
}

const TimestampTz *
ul_arg_timestamptz(FunctionCallInfo fcinfo, int n)
{
	TimestampTz *value;

	if (PG_ARGISNULL(n))
		return NULL;
	value = palloc(sizeof(TimestampTz));
	*value = PG_GETARG_TIMESTAMPTZ(n);
	return value;
}

/* A month is 30 days and a day 24 hours: it must not depend on the session's time zone. */
int64
ul_arg_ttl(FunctionCallInfo fcinfo, int n)
{
	const Interval *ttl;
	int64		length = 0;
	bool		in_range;

	refuse_null(fcinfo, n, "ttl");
	ttl = PG_GETARG_INTERVAL_P(n);

	/* each field alone, so that their sum does not overflow */
	in_range = fabs((double) ttl->month) * DAYS_PER_MONTH <= MAX_TTL_DAYS &&
		fabs((double) ttl->day) <= MAX_TTL_DAYS &&
		fabs((double) ttl->time) / USECS_PER_DAY <= MAX_TTL_DAYS;
	if (in_range)
		length = ttl->time + (ttl->day + (int64) ttl->month * DAYS_PER_MONTH) * USECS_PER_DAY;
	if (!in_range || length <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("ttl must be more than 0 and at most 100 years")));
	return length;
}

void
ul_prevent_read_only(const char *function)
{
	PreventCommandIfReadOnly(function);
	PreventCommandIfParallelMode(function);
}
