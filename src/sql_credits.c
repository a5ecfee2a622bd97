/*-------------------------------------------------------------------------
 *
 * sql_credits.c
 *		SQL functions about credits.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "args.h"
#include "credits.h"
#include "guc.h"
#include "holds.h"
#include "schema.h"
#include "store.h"

PG_FUNCTION_INFO_V1(credit_grant);
PG_FUNCTION_INFO_V1(credit_spend);
PG_FUNCTION_INFO_V1(credit_hold);
PG_FUNCTION_INFO_V1(credit_refund);
PG_FUNCTION_INFO_V1(credit_void);
PG_FUNCTION_INFO_V1(credit_balance);
PG_FUNCTION_INFO_V1(credit_available);
PG_FUNCTION_INFO_V1(credit_grants);
PG_FUNCTION_INFO_V1(credit_statement);
PG_FUNCTION_INFO_V1(credit_refill);
PG_FUNCTION_INFO_V1(usage_reconcile);

static Datum
decision_datum(const UlCreditDecision *decision)
{
	enum
	{
		ALLOWED, REASON, BALANCE, TRANSACTION_ID, GRANT_ID, NCOLUMNS
	};
	TupleDesc	tupdesc = lookup_rowtype_tupdesc(ul_schema()->credit_decision_type, -1);
	Datum		values[NCOLUMNS] = {0};
	bool		nulls[NCOLUMNS] = {0};
	HeapTuple	tuple;

	values[ALLOWED] = BoolGetDatum(decision->allowed);
	values[REASON] = CStringGetTextDatum(decision->reason);
	values[BALANCE] = Int64GetDatum(decision->balance);
	values[TRANSACTION_ID] = Int64GetDatum(decision->transaction_id);
	nulls[TRANSACTION_ID] = decision->transaction_id == 0;
	values[GRANT_ID] = Int64GetDatum(decision->grant_id);
	nulls[GRANT_ID] = decision->grant_id == 0;
	tuple = heap_form_tuple(tupdesc, values, nulls);
	ReleaseTupleDesc(tupdesc);
	return HeapTupleGetDatum(tuple);
}

static void
refuse_null(FunctionCallInfo fcinfo, int n, const char *name)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
}

static int64
arg_id(FunctionCallInfo fcinfo, int n, const char *name)
{
	refuse_null(fcinfo, n, name);
	return PG_GETARG_INT64(n);
}

/* An instant that must not be infinite; null is "missing". */
static TimestampTz
arg_finite_time(FunctionCallInfo fcinfo, int n, const char *name, TimestampTz missing)
{
	TimestampTz value;

	if (PG_ARGISNULL(n))
		return missing;
	value = PG_GETARG_TIMESTAMPTZ(n);
	if (TIMESTAMP_NOT_FINITE(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be finite", name)));
	return value;
}

/* The type of a grant: none that says what only the ledger itself does. */
static const char *
arg_transaction_type(FunctionCallInfo fcinfo, int n)
{
	static const char *const reserved[] = {
		UL_TYPE_USAGE, UL_TYPE_HOLD, UL_TYPE_REFUND, UL_TYPE_REFILL, UL_TYPE_EXPIRY, UL_TYPE_VOID
	};
	const char *value;

	refuse_null(fcinfo, n, "transaction_type");
	value = text_to_cstring(PG_GETARG_TEXT_PP(n));
	ul_check_usage_type(value, "transaction_type");
	for (size_t i = 0; i < lengthof(reserved); i++)
		if (strcmp(value, reserved[i]) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("transaction_type \"%s\" is not one of grants", value),
					 errhint("Use purchase, bonus, or any other name that says why the credits are given.")));
	return value;
}

static const Interval *
arg_recurrence(FunctionCallInfo fcinfo, int n)
{
	const Interval *value;
	UlPeriod	unused;

	if (PG_ARGISNULL(n))
		return NULL;
	value = PG_GETARG_INTERVAL_P(n);
	if (ul_period_init(&unused, UL_ALIGN_ANNIVERSARY, value) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("recurs_every must be a number of months, of days, or a time of a minute or more, and at most 100 years long")));
	return value;
}

Datum
credit_grant(PG_FUNCTION_ARGS)
{
	const char *user_id = ul_arg_user_id(fcinfo, 0);
	UlGrant		grant = {
		.amount = ul_arg_amount(fcinfo, 1, "amount"),
		.transaction_type = arg_transaction_type(fcinfo, 2),
		.reference_id = ul_arg_optional_name(fcinfo, 3, "reference_id"),
		.description = ul_arg_string(fcinfo, 4),
		.effective_at = arg_finite_time(fcinfo, 6, "effective_at", DT_NOBEGIN),
		.expires_at = PG_ARGISNULL(7) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(7),
		.recurs_every = arg_recurrence(fcinfo, 8),
		.max_rollover = ul_arg_amount(fcinfo, 9, "max_rollover"),
		.metadata = ul_arg_jsonb(fcinfo, 10),
	};
	UlCreditDecision decision;

	refuse_null(fcinfo, 5, "priority");
	grant.priority = PG_GETARG_INT64(5);
	if (grant.max_rollover > 0 && grant.recurs_every == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_rollover is for a grant that recurs")));
	ul_prevent_read_only("credit_grant()");
	ul_credit_grant(user_id, &grant, &decision);
	return decision_datum(&decision);
}

Datum
credit_spend(PG_FUNCTION_ARGS)
{
	UlSpend		spend = {
		.user_id = ul_arg_user_id(fcinfo, 0),
		.amount = ul_arg_amount(fcinfo, 1, "amount"),
		.description = ul_arg_string(fcinfo, 2),
		.reference_id = ul_arg_optional_name(fcinfo, 3, "reference_id"),
		.metadata = ul_arg_jsonb(fcinfo, 4),
	};
	UlCreditDecision decision;

	refuse_null(fcinfo, 5, "throw_on_insufficient");
	ul_prevent_read_only("credit_spend()");
	ul_credit_spend(&spend, &decision);
	if (!decision.allowed && PG_GETARG_BOOL(5))
		ul_raise_no_credits(&decision, spend.amount);
	return decision_datum(&decision);
}

Datum
credit_hold(PG_FUNCTION_ARGS)
{
	const char *user_id = ul_arg_user_id(fcinfo, 0);
	int64		amount = ul_arg_amount(fcinfo, 1, "amount");
	int64		ttl = ul_arg_ttl(fcinfo, 2);
	const char *hold_id = ul_arg_name(fcinfo, 3, "hold_id");
	UlCreditDecision decision;

	ul_prevent_read_only("credit_hold()");
	ul_hold_credits(user_id, amount, ttl, hold_id, &decision);
	return decision_datum(&decision);
}

Datum
credit_refund(PG_FUNCTION_ARGS)
{
	int64		transaction_id = arg_id(fcinfo, 0, "transaction_id");
	const int64 *amount = ul_arg_optional_amount(fcinfo, 1, "amount");
	const char *user_id = ul_arg_optional_name(fcinfo, 2, "user_id");
	UlCreditDecision decision;

	ul_prevent_read_only("credit_refund()");
	ul_credit_refund(transaction_id, amount, user_id, &decision);
	return decision_datum(&decision);
}

Datum
credit_void(PG_FUNCTION_ARGS)
{
	int64		grant_id = arg_id(fcinfo, 0, "grant_id");
	const char *user_id = ul_arg_optional_name(fcinfo, 1, "user_id");
	UlCreditDecision decision;

	ul_prevent_read_only("credit_void()");
	ul_credit_void(grant_id, user_id, &decision);
	return decision_datum(&decision);
}

Datum
credit_refill(PG_FUNCTION_ARGS)
{
	const char *user_id = ul_arg_user_id(fcinfo, 0);
	UlCreditDecision decision;

	ul_prevent_read_only("credit_refill()");
	ul_credit_refill(user_id, &decision);
	return decision_datum(&decision);
}

Datum
credit_balance(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(ul_credit_balance(ul_arg_user_id(fcinfo, 0),
									  arg_finite_time(fcinfo, 1, "at", DT_NOEND)));
}

Datum
credit_available(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(ul_ledger_read_available(ul_arg_user_id(fcinfo, 0)));
}

static Datum
text_or_null(const char *value, bool *isnull)
{
	*isnull = value == NULL;
	return value == NULL ? (Datum) 0 : CStringGetTextDatum(value);
}

static Datum
time_or_null(TimestampTz value, TimestampTz null_value, bool *isnull)
{
	*isnull = value == null_value;
	return TimestampTzGetDatum(value);
}

Datum
credit_grants(PG_FUNCTION_ARGS)
{
	enum
	{
		GRANT_ID, TRANSACTION_TYPE, STATE, AMOUNT, REMAINING, PRIORITY, EFFECTIVE_AT, EXPIRES_AT,
		RECURS_EVERY, MAX_ROLLOVER, REFILLS_AT, VOIDED_AT, REFERENCE_ID, DESCRIPTION, CREATED_AT,
		NCOLUMNS
	};
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const char *user_id = ul_arg_user_id(fcinfo, 0);
	TimestampTz now;
	List	   *grants;
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	grants = ul_credit_grants(user_id, &now);
	foreach(cell, grants)
	{
		const UlGrant *grant = lfirst(cell);
		Datum		values[NCOLUMNS] = {0};
		bool		nulls[NCOLUMNS] = {0};

		values[GRANT_ID] = Int64GetDatum(grant->id);
		nulls[GRANT_ID] = grant->id == 0;
		values[TRANSACTION_TYPE] = CStringGetTextDatum(grant->transaction_type);
		values[STATE] = CStringGetTextDatum(ul_grant_state(grant, now));
		values[AMOUNT] = Int64GetDatum(grant->amount);
		values[REMAINING] = Int64GetDatum(grant->remaining);
		values[PRIORITY] = Int64GetDatum(grant->priority);
		values[EFFECTIVE_AT] = TimestampTzGetDatum(grant->effective_at);
		values[EXPIRES_AT] = time_or_null(grant->expires_at, DT_NOEND, &nulls[EXPIRES_AT]);
		values[RECURS_EVERY] = IntervalPGetDatum(grant->recurs_every);
		nulls[RECURS_EVERY] = grant->recurs_every == NULL;
		values[MAX_ROLLOVER] = Int64GetDatum(grant->max_rollover);
		values[REFILLS_AT] = time_or_null(grant->is_open ? grant->period_end : DT_NOEND, DT_NOEND,
										  &nulls[REFILLS_AT]);
		values[VOIDED_AT] = time_or_null(grant->voided_at, DT_NOEND, &nulls[VOIDED_AT]);
		values[REFERENCE_ID] = text_or_null(grant->reference_id, &nulls[REFERENCE_ID]);
		values[DESCRIPTION] = text_or_null(grant->description, &nulls[DESCRIPTION]);
		values[CREATED_AT] = TimestampTzGetDatum(grant->created_at);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* A line of a statement: the opening, the closing, or an entry. */
static void
put_line(ReturnSetInfo *rsinfo, const char *line, TimestampTz at, int64 balance, const UlCreditEntry *entry)
{
	enum
	{
		LINE, CREATED_AT, TRANSACTION_ID, TRANSACTION_TYPE, AMOUNT, BALANCE, GRANT_ID, REFERENCE_ID,
		DESCRIPTION, NCOLUMNS
	};
	Datum		values[NCOLUMNS] = {0};
	bool		nulls[NCOLUMNS];

	memset(nulls, true, sizeof(nulls));
	nulls[LINE] = nulls[BALANCE] = false;
	values[LINE] = CStringGetTextDatum(line);
	values[CREATED_AT] = time_or_null(at, DT_NOBEGIN, &nulls[CREATED_AT]);
	values[BALANCE] = Int64GetDatum(balance);
	if (entry != NULL)
	{
		int64		grant_id = entry->grant != NULL ? entry->grant->id : entry->grant_id;

		values[TRANSACTION_ID] = Int64GetDatum(entry->id);
		nulls[TRANSACTION_ID] = entry->id == 0;
		values[TRANSACTION_TYPE] = text_or_null(entry->transaction_type, &nulls[TRANSACTION_TYPE]);
		values[AMOUNT] = Int64GetDatum(entry->amount);
		nulls[AMOUNT] = false;
		values[GRANT_ID] = Int64GetDatum(grant_id);
		nulls[GRANT_ID] = grant_id == 0;
		values[REFERENCE_ID] = text_or_null(entry->reference_id, &nulls[REFERENCE_ID]);
		values[DESCRIPTION] = text_or_null(entry->description, &nulls[DESCRIPTION]);
	}
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

Datum
credit_statement(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const char *user_id = ul_arg_user_id(fcinfo, 0);
	TimestampTz starts_at = PG_ARGISNULL(1) ? DT_NOBEGIN : PG_GETARG_TIMESTAMPTZ(1);
	TimestampTz ends_at = PG_ARGISNULL(2) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(2);
	UlStatementLines lines;
	ListCell   *cell;

	if (starts_at > ends_at)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("starts_at must not be after ends_at")));
	InitMaterializedSRF(fcinfo, 0);
	ul_credit_statement(user_id, starts_at, ends_at, &lines);
	put_line(rsinfo, "opening", starts_at, lines.opening, NULL);
	foreach(cell, lines.entries)
	{
		const UlCreditEntry *entry = lfirst(cell);

		put_line(rsinfo, "transaction", entry->created_at, entry->balance_after, entry);
	}
	put_line(rsinfo, "closing", lines.ends_at, lines.closing, NULL);
	return (Datum) 0;
}

static void
put_disagreement(const Datum *values, const bool *nulls, void *arg)
{
	ReturnSetInfo *rsinfo = arg;

	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, unconstify(Datum *, values),
						 unconstify(bool *, nulls));
}

Datum
usage_reconcile(PG_FUNCTION_ARGS)
{
	InitMaterializedSRF(fcinfo, 0);
	ul_execute_rows(UL_RECONCILE_CREDITS, NULL, put_disagreement, fcinfo->resultinfo);
	return (Datum) 0;
}
