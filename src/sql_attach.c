/*-------------------------------------------------------------------------
 *
 * sql_attach.c
 *		SQL functions that attach an application's tables.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "args.h"
#include "attach.h"
#include "attachments.h"
#include "drift.h"
#include "follow.h"

PG_FUNCTION_INFO_V1(usage_attach);
PG_FUNCTION_INFO_V1(usage_detach);
PG_FUNCTION_INFO_V1(usage_attachments);
PG_FUNCTION_INFO_V1(usage_drift);
PG_FUNCTION_INFO_V1(usage_repair);
PG_FUNCTION_INFO_V1(usage_limits_follow);

static Oid
arg_table(FunctionCallInfo fcinfo, int n)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("target must not be null")));
	return PG_GETARG_OID(n);
}

Datum
usage_attach(PG_FUNCTION_ARGS)
{
	Oid			target = arg_table(fcinfo, 0);
	const char *usage_type = ul_arg_usage_type(fcinfo, 1);
	UlRowText	text = {
		.user_column = ul_arg_name(fcinfo, 2, "user_column"),
		.amount = ul_arg_string(fcinfo, 3),
		.predicate = ul_arg_string(fcinfo, 4),
	};

	ul_prevent_read_only("usage_attach()");
	PG_RETURN_INT64(ul_attach(target, usage_type, &text));
}

Datum
usage_detach(PG_FUNCTION_ARGS)
{
	Oid			target = arg_table(fcinfo, 0);
	const char *usage_type = ul_arg_usage_type(fcinfo, 1);

	ul_prevent_read_only("usage_detach()");
	ul_detach(target, usage_type);
	PG_RETURN_VOID();
}

static void
put_text(Datum *values, bool *nulls, int column, const char *value)
{
	nulls[column] = value == NULL;
	if (value != NULL)
		values[column] = CStringGetTextDatum(value);
}

static void
put_attachment(ReturnSetInfo *rsinfo, const UlAttachment *attachment)
{
	static const char *const states[] = {
		[UL_ATTACHMENT_ENABLED] = "enabled",
		[UL_ATTACHMENT_DISABLED] = "disabled",
		[UL_ATTACHMENT_INCOMPLETE] = "incomplete",
	};
	Datum		values[6];
	bool		nulls[6] = {false};

	values[0] = ObjectIdGetDatum(attachment->relid);
	put_text(values, nulls, 1, attachment->usage_type);
	put_text(values, nulls, 2, attachment->text.user_column);
	put_text(values, nulls, 3, attachment->text.amount);
	put_text(values, nulls, 4, attachment->text.predicate);
	put_text(values, nulls, 5, states[ul_attachment_state(attachment)]);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

Datum
usage_attachments(PG_FUNCTION_ARGS)
{
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, ul_all_attachments())
		put_attachment((ReturnSetInfo *) fcinfo->resultinfo, lfirst(cell));
	return (Datum) 0;
}

static void
put_drift(const UlDrift *drift, void *arg)
{
	ReturnSetInfo *rsinfo = arg;
	Datum		values[5];
	bool		nulls[5] = {false};

	values[0] = CStringGetTextDatum(drift->user_id);
	values[1] = CStringGetTextDatum(drift->usage_type);
	values[2] = Int64GetDatum(drift->counted);
	values[3] = Int64GetDatum(drift->actual);
	values[4] = DirectFunctionCall2(int8mi, values[2], values[3]);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

Datum
usage_drift(PG_FUNCTION_ARGS)
{
	Oid			target = PG_ARGISNULL(0) ? InvalidOid : PG_GETARG_OID(0);

	InitMaterializedSRF(fcinfo, 0);
	ul_drift(target, put_drift, fcinfo->resultinfo);
	return (Datum) 0;
}

Datum
usage_repair(PG_FUNCTION_ARGS)
{
	Oid			target = arg_table(fcinfo, 0);

	ul_prevent_read_only("usage_repair()");
	PG_RETURN_INT64(ul_repair(target));
}

/* The trigger of attached tables, which usage_attach makes. */
Datum
usage_limits_follow(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function was not called by the trigger manager")));
	if (!ul_is_follower(data))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" was not made by usage_attach", data->tg_trigger->tgname)));
	ul_follow(data);
	return PointerGetDatum(NULL);
}
