/*-------------------------------------------------------------------------
 *
 * sql_status.c
 *		SQL functions that report.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "args.h"
#include "claims.h"
#include "guc.h"

PG_FUNCTION_INFO_V1(usage_now);
PG_FUNCTION_INFO_V1(usage_status);

Datum
usage_now(PG_FUNCTION_ARGS)
{
	PG_RETURN_TIMESTAMPTZ(ul_now());
}

/* used × 100 ÷ value, to two places; a limit of 0 is used up. */
static Datum
percent_used(int64 used, int64 value)
{
	Datum		percent = NumericGetDatum(int64_to_numeric(100));

	if (value != 0)
	{
		percent = DirectFunctionCall2(numeric_mul, NumericGetDatum(int64_to_numeric(used)), percent);
		percent = DirectFunctionCall2(numeric_div, percent, NumericGetDatum(int64_to_numeric(value)));
	}
	return DirectFunctionCall2(numeric_round, percent, Int32GetDatum(2));
}

Datum
usage_status(PG_FUNCTION_ARGS)
{
	enum
	{
		LIMIT_TYPE, USAGE_TYPE, KIND, PERIOD, TIER, ALLOWED, CURRENT, LIMIT, REMAINING,
		PERCENT_USED, RESET_AT, SOURCE, NCOLUMNS
	};
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const char *user_id = ul_arg_user_id(fcinfo, 0);
	TimestampTz now = ul_now();
	int			count;
	UlLimit    *const *limits = ul_all_limits(&count);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < count; i++)
	{
		UlLimit    *limit = limits[i];
		Datum		values[NCOLUMNS] = {0};
		bool		nulls[NCOLUMNS] = {0};
		UlClaim		claims[UL_MAX_SUBJECTS];
		int			nclaims = ul_claims_of_limit(limit, user_id, now, claims);
		UlClaim    *claim;
		TimestampTz reset_at;

		ul_read_claims(claims, nclaims);
		claim = ul_tightest_claim(claims, nclaims);
		reset_at = ul_claim_resets_at(claim);

		values[LIMIT_TYPE] = CStringGetTextDatum(limit->limit_type);
		values[USAGE_TYPE] = CStringGetTextDatum(limit->usage_type);
		values[KIND] = CStringGetTextDatum(ul_kind_names[limit->kind]);
		if (limit->interval != NULL)
			values[PERIOD] = IntervalPGetDatum(limit->interval);
		else
			nulls[PERIOD] = true;
		values[TIER] = CStringGetTextDatum(ul_effective_tier(claim->user, now));
		values[ALLOWED] = BoolGetDatum(ul_claim_admits(claim));
		values[CURRENT] = Int64GetDatum(ul_claim_used(claim));
		values[LIMIT] = Int64GetDatum(claim->value);
		if (claim->value < 0)
			nulls[REMAINING] = nulls[PERCENT_USED] = true;
		else
		{
			values[REMAINING] = Int64GetDatum(ul_claim_remaining(claim, ul_claim_used(claim)));
			values[PERCENT_USED] = percent_used(ul_claim_used(claim), claim->value);
		}
		values[RESET_AT] = TimestampTzGetDatum(reset_at);
		nulls[RESET_AT] = reset_at == DT_NOEND;
		values[SOURCE] = CStringGetTextDatum(ul_claim_source(claim));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
