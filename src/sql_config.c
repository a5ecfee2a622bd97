/*-------------------------------------------------------------------------
 *
 * sql_config.c
 *		SQL functions that set limits, overrides and tiers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "args.h"
#include "guc.h"
#include "limits.h"
#include "scan.h"
#include "store.h"

PG_FUNCTION_INFO_V1(usage_set_limit);
PG_FUNCTION_INFO_V1(usage_set_override);
PG_FUNCTION_INFO_V1(usage_set_tier);
PG_FUNCTION_INFO_V1(usage_set_member);
PG_FUNCTION_INFO_V1(usage_install_defaults);

/* Passes an argument on as it is. */
static void
pass_arg(UlArgs *args, FunctionCallInfo fcinfo, int n)
{
	ul_arg_datum(args, PG_ARGISNULL(n) ? (Datum) 0 : PG_GETARG_DATUM(n), PG_ARGISNULL(n));
}

/* Changes the limit's row or makes it; the row. */
static Datum
write_limit(const UlArgs *args)
{
	bool		isnull;
	Datum		row;

	for (;;)
	{
		row = ul_execute_value(UL_UPDATE_LIMIT, args, &isnull);
		if (!isnull)
			return row;
		row = ul_execute_value(UL_INSERT_LIMIT, args, &isnull);
		if (!isnull)
			return row;
		/* someone else has just made it */
	}
}

static void
write_tier_override(const char *limit_type, const char *tier, int64 value)
{
	UlArgs		update = {0};
	UlArgs		insert = {0};
	bool		isnull;

	ul_arg_text(&update, limit_type);
	ul_arg_text(&update, tier);
	ul_arg_int8(&update, value);
	if (ul_execute(UL_UPDATE_TIER_OVERRIDE, &update) > 0)
		return;
	ul_arg_text(&insert, limit_type);
	ul_arg_int8(&insert, value);
	ul_arg_text(&insert, NULL);
	ul_arg_text(&insert, tier);
	ul_arg_datum(&insert, (Datum) 0, true);
	ul_arg_datum(&insert, (Datum) 0, true);
	ul_arg_text(&insert, NULL);
	(void) ul_execute_value(UL_INSERT_OVERRIDE, &insert, &isnull);
}

static void
warn_if_hidden(const char *limit_type, const char *tier)
{
	int64		value;

	if (ul_setting_override(limit_type, tier, &value))
		ereport(WARNING,
				(errmsg("the setting usage_limits.overrides hides the value of \"%s\" for tier \"%s\"",
						limit_type, tier),
				 errdetail("The setting's value is " INT64_FORMAT ".", value)));
}

Datum
usage_set_limit(PG_FUNCTION_ARGS)
{
	const char *limit_type = ul_arg_name(fcinfo, 0, "limit_type");
	int64		value = ul_arg_limit_value(fcinfo, 1, "value");
	const char *tier = ul_arg_optional_name(fcinfo, 2, "tier");
	int			column = tier == NULL ? -1 : ul_name_index(ul_tier_names, UL_NTIERS, tier);
	UlArgs		args = {0};
	Datum		row;

	ul_check_usage_type(limit_type, "limit_type");
	if (!PG_ARGISNULL(3))
		(void) ul_arg_usage_type(fcinfo, 3);
	ul_prevent_read_only("usage_set_limit()");

	ul_arg_text(&args, limit_type);
	for (int i = 0; i < UL_NTIERS; i++)
		ul_arg_datum(&args, Int64GetDatum(value), tier != NULL && i != column);
	for (int n = 3; n <= 13; n++)
		pass_arg(&args, fcinfo, n);

	/* the type's limits share one durability: they change together */
	if (!PG_ARGISNULL(11))
	{
		UlArgs		durability = {0};

		ul_arg_text(&durability, limit_type);
		pass_arg(&durability, fcinfo, 11);
		ul_execute(UL_SET_TYPE_DURABILITY, &durability);
	}
	row = write_limit(&args);
	if (tier != NULL && column < 0)
		write_tier_override(limit_type, tier, value);

	/* a tier override goes before the setting */
	if (column >= 0)
		warn_if_hidden(limit_type, tier);
	for (int i = 0; tier == NULL && i < UL_NTIERS; i++)
		warn_if_hidden(limit_type, ul_tier_names[i]);
	return row;
}

Datum
usage_set_override(PG_FUNCTION_ARGS)
{
	const char *limit_type = ul_arg_name(fcinfo, 0, "limit_type");
	int64		value = ul_arg_limit_value(fcinfo, 1, "value");
	const char *user_id = ul_arg_optional_name(fcinfo, 2, "user_id");
	const char *tier = ul_arg_optional_name(fcinfo, 3, "tier");
	UlArgs		exists = {0};
	UlArgs		args = {0};
	bool		isnull;

	if ((user_id == NULL) == (tier == NULL))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("exactly one of user_id and tier must be given")));
	ul_prevent_read_only("usage_set_override()");

	ul_arg_text(&exists, limit_type);
	(void) ul_execute_value(UL_LIMIT_EXISTS, &exists, &isnull);
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("limit \"%s\" does not exist", limit_type)));

	ul_arg_text(&args, limit_type);
	ul_arg_int8(&args, value);
	ul_arg_text(&args, user_id);
	ul_arg_text(&args, tier);
	for (int n = 4; n <= 6; n++)
		pass_arg(&args, fcinfo, n);
	return ul_execute_value(UL_INSERT_OVERRIDE, &args, &isnull);
}

static bool
copy_row(TupleTableSlot *slot, void *arg)
{
	*(Datum *) arg = ExecFetchSlotHeapTupleDatum(slot);
	return false;
}

/*
 * The user's subscription, or 0: read without a statement, which under
 * SERIALIZABLE would fail for what is done to other users.
 */
static Datum
subscription(const char *user_id)
{
	Snapshot	snapshot = ul_latest_snapshot(false);
	Datum		row = (Datum) 0;
	ScanKeyData key;

	ul_key_text(&key, 1, user_id);
	ul_scan(UL_USER_SUBSCRIPTIONS, UL_USER_SUBSCRIPTIONS_USER_ID_KEY, 1, &key,
			snapshot, copy_row, &row);
	ul_release_snapshot(snapshot);
	return row;
}

Datum
usage_set_tier(PG_FUNCTION_ARGS)
{
	const char *user_id = ul_arg_user_id(fcinfo, 0);
	const char *tier = ul_arg_name(fcinfo, 1, "tier");
	UlArgs		args = {0};
	Datum		row;
	bool		isnull;

	if (!ul_tier_is_known(tier))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("tier \"%s\" does not exist", tier),
				 errhint("A tier is free, pro, team, enterprise, or named by an override or by usage_limits.overrides.")));
	ul_prevent_read_only("usage_set_tier()");

	ul_arg_text(&args, user_id);
	ul_arg_text(&args, tier);
	ul_arg_text(&args, ul_arg_name(fcinfo, 2, "status"));
	for (int n = 3; n <= 10; n++)
		pass_arg(&args, fcinfo, n);
	row = ul_execute_value(UL_SET_TIER, &args, &isnull);
	if (!isnull)
		return row;

	/* a newer event has been here before: the row stays as it is */
	row = subscription(user_id);
	if (row == (Datum) 0)
		PG_RETURN_NULL();
	return row;
}

Datum
usage_set_member(PG_FUNCTION_ARGS)
{
	UlArgs		args = {0};
	bool		isnull;

	ul_arg_text(&args, ul_arg_user_id(fcinfo, 0));
	ul_prevent_read_only("usage_set_member()");
	if (PG_ARGISNULL(1))
	{
		(void) ul_execute(UL_REMOVE_MEMBER, &args);
		PG_RETURN_NULL();
	}
	ul_arg_text(&args, ul_arg_name(fcinfo, 1, "account_id"));
	return ul_execute_value(UL_SET_MEMBER, &args, &isnull);
}

Datum
usage_install_defaults(PG_FUNCTION_ARGS)
{
	uint64		added;

	ul_prevent_read_only("usage_install_defaults()");
	added = ul_execute(UL_DEFAULT_LIMITS, NULL);
	added += ul_execute(UL_DEFAULT_ACTIONS, NULL);
	PG_RETURN_INT64(added);
}
