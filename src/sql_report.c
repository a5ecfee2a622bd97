/*-------------------------------------------------------------------------
 *
 * sql_report.c
 *		SQL functions for statistics: what plain SQL cannot do by itself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "args.h"
#include "claims.h"
#include "consume.h"
#include "guc.h"
#include "store.h"

PG_FUNCTION_INFO_V1(usage_limits_first_day);
PG_FUNCTION_INFO_V1(usage_limits_given);
PG_FUNCTION_INFO_V1(usage_limits_max_rows);
PG_FUNCTION_INFO_V1(usage_limits_tier);
PG_FUNCTION_INFO_V1(usage_limits_count_users);
PG_FUNCTION_INFO_V1(usage_summary);
PG_FUNCTION_INFO_V1(usage_explain);

#define MAX_DAYS 3650

Datum
usage_limits_first_day(PG_FUNCTION_ARGS)
{
	int32		days;
	DateADT		today;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("days must not be null")));
	days = PG_GETARG_INT32(0);
	if (days < 1 || days > MAX_DAYS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("days must be between 1 and %d", MAX_DAYS)));
	if (PG_GETARG_BOOL(1) && !ul_analytics_enabled)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("analytics are turned off"),
				 errhint("Turn usage_limits.analytics_enabled on.")));
	today = ul_utc_day(ul_now()) / USECS_PER_DAY;
	PG_RETURN_DATEADT(today - (days - 1));
}

Datum
usage_limits_given(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", text_to_cstring(PG_GETARG_TEXT_PP(0)))));
	PG_RETURN_BOOL(true);
}

Datum
usage_limits_max_rows(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("max_rows must not be null")));
	if (PG_GETARG_INT32(0) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_rows must be 0 or more")));
	PG_RETURN_INT32(PG_GETARG_INT32(0));
}

Datum
usage_limits_tier(PG_FUNCTION_ARGS)
{
	const char *tier = ul_subscription_tier(ul_arg_string(fcinfo, 0), ul_arg_string(fcinfo, 1),
											PG_ARGISNULL(2) ? DT_NOBEGIN : PG_GETARG_TIMESTAMPTZ(2),
											PG_ARGISNULL(3) ? DT_NOBEGIN : PG_GETARG_TIMESTAMPTZ(3),
											PG_ARGISNULL(4) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(4),
											ul_now());

	PG_RETURN_TEXT_P(cstring_to_text(tier));
}

Datum
usage_limits_count_users(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(ul_count_users());
}

/* Every limit's claim on a user, or on his account where that has less left, read. */
static UlClaim *
claims_of_user(const char *user_id, TimestampTz now, int *count)
{
	UlLimit    *const *limits = ul_all_limits(count);
	UlClaim    *claims = palloc(sizeof(UlClaim) * Max(*count, 1));

	for (int i = 0; i < *count; i++)
	{
		UlClaim		both[UL_MAX_SUBJECTS];
		int			nclaims = ul_claims_of_limit(limits[i], user_id, now, both);

		ul_read_claims(both, nclaims);
		claims[i] = *ul_tightest_claim(both, nclaims);
	}
	return claims;
}

static void
append_claim(StringInfo json, const UlClaim *claim, bool with_details)
{
	TimestampTz reset_at = ul_claim_resets_at(claim);

	appendStringInfo(json, "{\"allowed\":%s,\"current\":" INT64_FORMAT ",\"limit\":" INT64_FORMAT,
					 ul_claim_admits(claim) ? "true" : "false",
					 ul_claim_used(claim), claim->value);
	if (claim->value < 0)
		appendStringInfoString(json, ",\"remaining\":null");
	else
		appendStringInfo(json, ",\"remaining\":" INT64_FORMAT, ul_claim_remaining(claim, ul_claim_used(claim)));
	if (reset_at == DT_NOEND)
		appendStringInfoString(json, ",\"resetAt\":null");
	else
	{
		char		text[MAXDATELEN + 1];

		JsonEncodeDateTime(text, TimestampTzGetDatum(reset_at), TIMESTAMPTZOID, NULL);
		appendStringInfo(json, ",\"resetAt\":\"%s\"", text);
	}
	appendStringInfoString(json, ",\"limitType\":");
	escape_json(json, claim->limit->limit_type);
	if (with_details)
	{
		appendStringInfoString(json, ",\"usageType\":");
		escape_json(json, claim->limit->usage_type);
		appendStringInfo(json, ",\"kind\":\"%s\",\"source\":\"%s\",\"title\":",
						 ul_kind_names[claim->limit->kind], ul_claim_source(claim));
		if (claim->limit->description == NULL)
			appendStringInfoString(json, "null");
		else
			escape_json(json, claim->limit->description);
	}
	appendStringInfoChar(json, '}');
}

Datum
usage_summary(PG_FUNCTION_ARGS)
{
	const char *user_id = ul_arg_user_id(fcinfo, 0);
	TimestampTz now = ul_now();
	int			count;
	UlClaim    *claims = claims_of_user(user_id, now, &count);
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoString(&json, "{\"tier\":");
	escape_json(&json, ul_effective_tier(ul_find_user(user_id), now));

	for (int i = 0; i < count; i++)
	{
		const char *name = claims[i].limit->limit_type;
		int			suffix;
		char	   *base = pnstrdup(name, ul_base_name_length(name, &suffix));
		bool		most_binding = true;

		/* names of our own come first */
		if (strcmp(base, "tier") == 0 || strcmp(base, "limits") == 0)
			continue;
		for (int j = 0; j < count && most_binding; j++)
		{
			const char *other = claims[j].limit->limit_type;
			int64		mine = ul_claim_remaining(&claims[i], ul_claim_used(&claims[i]));
			int64		others = ul_claim_remaining(&claims[j], ul_claim_used(&claims[j]));

			if (j != i && strncmp(other, base, strlen(base)) == 0 &&
				(size_t) ul_base_name_length(other, &suffix) == strlen(base) &&
				(others < mine || (others == mine && j < i)))
				most_binding = false;
		}
		if (!most_binding)
			continue;
		appendStringInfoChar(&json, ',');
		escape_json(&json, base);
		appendStringInfoChar(&json, ':');
		append_claim(&json, &claims[i], false);
	}

	appendStringInfoString(&json, ",\"limits\":{");
	for (int i = 0; i < count; i++)
	{
		if (i > 0)
			appendStringInfoChar(&json, ',');
		escape_json(&json, claims[i].limit->limit_type);
		appendStringInfoChar(&json, ':');
		append_claim(&json, &claims[i], true);
	}
	appendStringInfoString(&json, "}}");
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
}

/* Columns of usage_explain */
enum
{
	LIMIT_TYPE, APPLIES, VALUE, SOURCE, WINDOW_START, WINDOW_END, CURRENT, REMAINING,
	ALLOWED, REASON, NCOLUMNS
};

static void
explain_inactive(const char *limit_type, void *arg)
{
	ReturnSetInfo *rsinfo = arg;
	Datum		values[NCOLUMNS] = {0};
	bool		nulls[NCOLUMNS];

	memset(nulls, true, sizeof(nulls));
	values[LIMIT_TYPE] = CStringGetTextDatum(limit_type);
	values[APPLIES] = BoolGetDatum(false);
	values[ALLOWED] = BoolGetDatum(true);
	values[REASON] = CStringGetTextDatum("inactive");
	nulls[LIMIT_TYPE] = nulls[APPLIES] = nulls[ALLOWED] = nulls[REASON] = false;
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

Datum
usage_explain(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const char *user_id = ul_arg_user_id(fcinfo, 0);
	const char *usage_type = ul_arg_usage_type(fcinfo, 1);
	int64		amount = ul_arg_amount(fcinfo, 2, "amount");
	const UlType *type = ul_type_for_check(usage_type);
	TimestampTz now = ul_now();
	const UlUser *subjects[UL_MAX_SUBJECTS];
	int			nsubjects = ul_subjects(user_id, subjects);
	UlClaim    *claims;
	int			count = ul_claims_of_type(type, subjects, nsubjects, now, &claims);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < count; i++)
		claims[i].requested = claims[i].limit->kind == UL_KIND_CONCURRENCY ? Min(amount, 1) :
			claims[i].limit->measure == UL_MEASURE_AMOUNT ? amount : 0;
	ul_read_claims(claims, count);
	for (int i = 0; i < count; i++)
	{
		UlClaim    *claim = &claims[i];
		bool		applies = claim->limit->event_subtype == NULL;
		Datum		values[NCOLUMNS] = {0};
		bool		nulls[NCOLUMNS] = {0};

		ul_judge_claim(claim);
		values[LIMIT_TYPE] = CStringGetTextDatum(claim->limit->limit_type);
		values[APPLIES] = BoolGetDatum(applies);
		values[VALUE] = Int64GetDatum(claim->value);
		values[SOURCE] = CStringGetTextDatum(ul_claim_source(claim));
		values[WINDOW_START] = TimestampTzGetDatum(claim->sum.start);
		nulls[WINDOW_START] = claim->sum.start == DT_NOBEGIN;
		values[WINDOW_END] = TimestampTzGetDatum(claim->sum.end);
		nulls[WINDOW_END] = claim->sum.end == DT_NOEND;
		values[CURRENT] = Int64GetDatum(ul_claim_used(claim));
		values[REMAINING] = Int64GetDatum(ul_claim_remaining(claim, ul_claim_used(claim)));
		nulls[REMAINING] = claim->value < 0;
		values[ALLOWED] = BoolGetDatum(!applies || !claim->exceeded || !ul_claim_denies(claim));
		values[REASON] = CStringGetTextDatum(applies ? ul_claim_reason(claim) : "other_subtype");
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	ul_inactive_limits(usage_type, explain_inactive, rsinfo);
	return (Datum) 0;
}
