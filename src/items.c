/*-------------------------------------------------------------------------
 *
 * items.c
 *		The items of usage_consume_many.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "args.h"
#include "items.h"

static void
refuse(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("items are not valid"),
			 errdetail_internal("%s", detail),
			 errhint("Give an object of amounts, or an array of objects whose keys are parameters of usage_consume.")));
}

static char *
string_of(const JsonbValue *value, const char *name)
{
	if (value->type != jbvString)
		refuse(psprintf("The value of \"%s\" must be a string.", name));
	return pnstrdup(value->val.string.val, value->val.string.len);
}

static int64
amount_of(const JsonbValue *value, const char *name)
{
	Datum		number;
	Datum		whole;
	int64		amount;

	if (value->type != jbvNumeric)
		refuse(psprintf("The value of \"%s\" must be a number.", name));
	number = NumericGetDatum(value->val.numeric);
	whole = DirectFunctionCall2(numeric_trunc, number, Int32GetDatum(0));
	if (!DatumGetBool(DirectFunctionCall2(numeric_eq, number, whole)))
		refuse(psprintf("The value of \"%s\" must be a whole number.", name));

	/* what does not fit in a bigint is out of range all the same */
	if (DatumGetBool(DirectFunctionCall2(numeric_gt, whole,
										 DirectFunctionCall1(int8_numeric, Int64GetDatum(UL_MAX_AMOUNT)))) ||
		DatumGetBool(DirectFunctionCall2(numeric_lt, whole,
										 DirectFunctionCall1(int8_numeric, Int64GetDatum(0)))))
		amount = -1;
	else
		amount = DatumGetInt64(DirectFunctionCall1(numeric_int8, whole));
	ul_check_amount(amount, name);
	return amount;
}

static const int64 *
optional_amount_of(const JsonbValue *value, const char *name)
{
	int64	   *amount = palloc(sizeof(int64));

	*amount = amount_of(value, name);
	return amount;
}

static const pg_uuid_t *
uuid_of(const JsonbValue *value, const char *name)
{
	return DatumGetUUIDP(DirectFunctionCall1(uuid_in, CStringGetDatum(string_of(value, name))));
}

static void
set_parameter(UlRequest *request, const char *name, JsonbValue *value)
{
	if (value->type == jbvNull && strcmp(name, "usage_type") != 0 && strcmp(name, "amount") != 0)
		return;
	if (strcmp(name, "usage_type") == 0)
		request->usage_type = string_of(value, name);
	else if (strcmp(name, "amount") == 0)
		request->amount = amount_of(value, name);
	else if (strcmp(name, "event_subtype") == 0)
	{
		request->event_subtype = string_of(value, name);
		if (*request->event_subtype == '\0')
			request->event_subtype = NULL;
		else
			ul_check_user_id(request->event_subtype, name);
	}
	else if (strcmp(name, "project_id") == 0)
		request->project_id = uuid_of(value, name);
	else if (strcmp(name, "scene_id") == 0)
		request->scene_id = uuid_of(value, name);
	else if (strcmp(name, "tokens_used") == 0)
		request->tokens_used = optional_amount_of(value, name);
	else if (strcmp(name, "credits_used") == 0)
		request->credits_used = optional_amount_of(value, name);
	else if (strcmp(name, "duration_ms") == 0)
		request->duration_ms = optional_amount_of(value, name);
	else if (strcmp(name, "metadata") == 0)
		request->metadata = JsonbValueToJsonb(value);
	else
		refuse(psprintf("\"%s\" is not a parameter of an item.", name));
}

static void
parse_item(UlRequest *request, JsonbContainer *item)
{
	JsonbIterator *iterator = JsonbIteratorInit(item);
	JsonbIteratorToken token;
	JsonbValue	name;
	JsonbValue	value;

	(void) JsonbIteratorNext(&iterator, &name, true);
	while ((token = JsonbIteratorNext(&iterator, &name, true)) == WJB_KEY)
	{
		char	   *parameter = pnstrdup(name.val.string.val, name.val.string.len);

		(void) JsonbIteratorNext(&iterator, &value, true);
		set_parameter(request, parameter, &value);
	}
	if (request->usage_type == NULL)
		refuse("An item has no \"usage_type\".");
}

UlRequest *
ul_parse_items(const char *user_id, Jsonb *items, int *count)
{
	JsonbContainer *root = &items->root;
	int			size = JB_ROOT_COUNT(items);
	UlRequest  *requests;
	JsonbIterator *iterator = JsonbIteratorInit(root);
	JsonbIteratorToken token;
	JsonbValue	value;

	if (JB_ROOT_IS_SCALAR(items))
		refuse("A single value is neither an object nor an array.");
	if (size == 0)
		refuse("There are none.");

	requests = palloc0(sizeof(UlRequest) * size);
	*count = 0;
	(void) JsonbIteratorNext(&iterator, &value, true);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) == WJB_KEY || token == WJB_ELEM)
	{
		UlRequest  *request = &requests[(*count)++];

		request->user_id = user_id;
		request->status = "success";
		request->amount = 1;
		if (token == WJB_KEY)
		{
			request->usage_type = pnstrdup(value.val.string.val, value.val.string.len);
			(void) JsonbIteratorNext(&iterator, &value, true);
			request->amount = amount_of(&value, request->usage_type);
		}
		else if (value.type == jbvBinary && JsonContainerIsObject(value.val.binary.data))
			parse_item(request, value.val.binary.data);
		else
			refuse("An element of the array is not an object.");
		ul_check_usage_type(request->usage_type, "usage_type");
	}
	return requests;
}
