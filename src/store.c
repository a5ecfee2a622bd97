/*-------------------------------------------------------------------------
 *
 * store.c
 *		SQL texts, saved plans, and the switch to the owner.
 *
 * In a text, "@." stands for our schema.  Other names need no qualification:
 * while a statement is analysed and run, pg_catalog is the whole search path.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"
#include "utils/varlena.h"

#include "compat.h"
#include "counters.h"
#include "events.h"
#include "guc.h"
#include "scan.h"
#include "schema.h"
#include "store.h"

/*
 * first_at and last_at are those of uses, where there are any: failed and
 * cancelled events count apart.
 */
#define HAS_USES(events, amount) "(" events " <> 0 OR " amount " <> 0)"
#define HAD_USES HAS_USES("c.events", "c.amount")
#define TIME_OF_USE(function, time) \
	time " = CASE WHEN " HAD_USES " = " HAS_USES("excluded.events", "excluded.amount") \
	" THEN " function "(c." time ", excluded." time ")" \
	" WHEN " HAD_USES " THEN c." time " ELSE excluded." time " END"
#define ADD(column) column " = c." column " + excluded." column ", "
#define CLAMPED(column) \
	column " = greatest(least(c." column "::numeric + excluded." column ", 9223372036854775807), " \
	"-9223372036854775808)::bigint, "
#define ADD_TO_EXISTING(ADD) \
	" ON CONFLICT (user_id, usage_type, bucket_start, event_subtype, slot) DO UPDATE SET " \
	ADD("amount") ADD("tokens_used") ADD("credits_used") ADD("duration_ms") \
	ADD("events") ADD("failed_events") ADD("cancelled_events") ADD("member_amount") \
	TIME_OF_USE("least", "first_at") ", " TIME_OF_USE("greatest", "last_at")

static const UlStatementText statements[UL_NSTATEMENTS] = {
	[UL_ADD_TO_COUNTER] = {
		"INSERT INTO @.usage_counters AS c (" UL_COUNTER_COLUMNS ") " UL_COUNTER_VALUES
		ADD_TO_EXISTING(ADD),
		UL_COUNTER_TYPES
	},
	[UL_ADD_CLAMPED] = {
		"INSERT INTO @.usage_counters AS c (" UL_COUNTER_COLUMNS ") " UL_COUNTER_VALUES
		ADD_TO_EXISTING(CLAMPED),
		UL_COUNTER_TYPES
	},
	[UL_INSERT_COUNTER] = {
		"INSERT INTO @.usage_counters (" UL_COUNTER_COLUMNS ") " UL_COUNTER_VALUES,
		UL_COUNTER_TYPES
	},
	[UL_INSERT_EVENT] = {
		"INSERT INTO @.usage_events (id, user_id, event_type, event_subtype, project_id, scene_id,"
		" tokens_used, credits_used, duration_ms, status, error_message, metadata,"
		" created_at, amount, operation, bucket_start, refund_of, account_id, account_bucket_start)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
		19, {INT8OID, TEXTOID, TEXTOID, TEXTOID, UUIDOID, UUIDOID,
			INT8OID, INT8OID, INT8OID, TEXTOID, TEXTOID, JSONBOID,
		TIMESTAMPTZOID, INT8OID, TEXTOID, TIMESTAMPTZOID, INT8OID, TEXTOID, TIMESTAMPTZOID}
	},
	[UL_INSERT_RESET] = {
		"INSERT INTO @.usage_resets (user_id, usage_type, reset_at) VALUES ($1, $2, $3)",
		3, {TEXTOID, TEXTOID, TIMESTAMPTZOID}
	},
	/* what is there is past its time: see ul_idempotency_begin */
	[UL_REMEMBER_KEY] = {
		"INSERT INTO @.usage_idempotency (user_id, key, request_digest, answer, created_at)"
		" VALUES ($1, $2, $3, $4, $5)"
		" ON CONFLICT (user_id, key) DO UPDATE SET request_digest = excluded.request_digest,"
		" answer = excluded.answer, created_at = excluded.created_at",
		5, {TEXTOID, TEXTOID, BYTEAOID, UL_DECISION_TYPE, TIMESTAMPTZOID}
	},
	[UL_STORE_RATE] = {
		"INSERT INTO @.usage_rates (user_id, limit_type, arrival_at, fraction, units, period, updated_at)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7)"
		" ON CONFLICT (user_id, limit_type) DO UPDATE SET arrival_at = excluded.arrival_at,"
		" fraction = excluded.fraction, units = excluded.units, period = excluded.period,"
		" updated_at = excluded.updated_at",
		7, {TEXTOID, TEXTOID, TIMESTAMPTZOID, INT8OID, INT8OID, INTERVALOID, TIMESTAMPTZOID}
	},
	/* the row types of $4 and $5 are the table's: see ul_log_change */
	[UL_LOG_CHANGE] = {
		"INSERT INTO @.usage_config_log (changed_by, table_name, operation, old_row, new_row)"
		" VALUES ($1, $2, $3, to_jsonb($4), CASE WHEN $6 THEN to_jsonb($5) END)",
		6, {TEXTOID, TEXTOID, TEXTOID, RECORDOID, RECORDOID, BOOLOID}
	},
	/* first instants of the months that have rows in the default partition */
	[UL_DEFAULT_MONTHS] = {
		"SELECT DISTINCT date_trunc('month', e.created_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'"
		" FROM ONLY @.usage_events_default e WHERE isfinite(e.created_at) ORDER BY 1",
		0, {0}
	},
	[UL_SLOTS_TO_FOLD] = {
		"SELECT c.user_id, c.usage_type FROM @.usage_counters c"
		" WHERE c.slot NOT IN (-1, 0) GROUP BY c.user_id, c.usage_type ORDER BY count(*) DESC, 1, 2 LIMIT $1",
		1, {INT8OID}
	},
	[UL_FOLD_SLOTS] = {
		"WITH gone AS (DELETE FROM @.usage_counters c WHERE c.user_id = $1 AND c.usage_type = $2"
		" AND c.slot NOT IN (-1, 0) RETURNING c.*),"
		" sums AS (SELECT g.user_id, g.usage_type, g.bucket_start, g.event_subtype,"
		" least(sign(g.slot)::int8, 0) AS slot, sum(g.member_amount)::int8 AS member_amount,"
		" sum(g.amount)::int8 AS amount, sum(g.tokens_used)::int8 AS tokens_used,"
		" sum(g.credits_used)::int8 AS credits_used, sum(g.duration_ms)::int8 AS duration_ms,"
		" sum(g.events)::int8 AS events, sum(g.failed_events)::int8 AS failed_events,"
		" sum(g.cancelled_events)::int8 AS cancelled_events,"
		" coalesce(min(g.first_at) FILTER (WHERE " HAS_USES("g.events", "g.amount") "), min(g.first_at)) AS first_at,"
		" coalesce(max(g.last_at) FILTER (WHERE " HAS_USES("g.events", "g.amount") "), max(g.last_at)) AS last_at"
		" FROM gone g GROUP BY g.user_id, g.usage_type, g.bucket_start, g.event_subtype, sign(g.slot)),"
		" kept AS (INSERT INTO @.usage_counters AS c (" UL_COUNTER_COLUMNS ") SELECT " UL_COUNTER_COLUMNS " FROM sums"
		ADD_TO_EXISTING(ADD) ")"
		" SELECT count(*) FROM gone",
		2, {TEXTOID, TEXTOID}
	},
	[UL_FORGET_KEYS] = {
		"DELETE FROM @.usage_idempotency i WHERE i.created_at < $1",
		1, {TIMESTAMPTZOID}
	},
	/* whoever writes a row just now has it */
	[UL_FORGET_RATES] = {
		"DELETE FROM @.usage_rates r WHERE r.ctid = ANY (ARRAY(SELECT o.ctid FROM @.usage_rates o"
		" WHERE o.arrival_at < $1 FOR UPDATE SKIP LOCKED))",
		1, {TIMESTAMPTZOID}
	},
	[UL_EXTENSION_VERSION] = {
		"SELECT e.extversion FROM pg_extension e WHERE e.extname = 'usage_limits'",
		0, {0}
	},
	[UL_COUNT_SUBSCRIPTIONS] = {
		"SELECT count(*) FROM @.user_subscriptions s",
		0, {0}
	},

	/*
	 * $1: now; $2: the retention of types without one of their own, null for
	 * good
	 */
	[UL_DELETE_OLD_EVENTS] = {
		"DELETE FROM @.usage_events e"
		" WHERE e.created_at < $1 - coalesce((SELECT t.retention FROM @.usage_types t WHERE t.usage_type = e.event_type), $2)"
		/* which partitions can have any */
		" AND e.created_at < $1 - (SELECT min(r.retention) FROM"
		" (SELECT t.retention FROM @.usage_types t UNION ALL SELECT $2) r)",
		2, {TIMESTAMPTZOID, INTERVALOID}
	},
	/* $2: the limit's id, which may be gone */
	[UL_ADD_DENIALS] = {
		"INSERT INTO @.usage_denials AS d (user_id, limit_type, usage_date, count, last_at)"
		" SELECT $1, c.limit_type, ($3 AT TIME ZONE 'UTC')::date, $4, $5"
		" FROM @.usage_limits_config c WHERE c.id = $2"
		" ON CONFLICT (user_id, limit_type, usage_date) DO UPDATE SET"
		" count = d.count + excluded.count, last_at = greatest(d.last_at, excluded.last_at)",
		5, {TEXTOID, INT8OID, TIMESTAMPTZOID, INT8OID, TIMESTAMPTZOID}
	},
};

/* A statement, wherever its topic's are. */
static const UlStatementText *
statement_text(UlStatement statement)
{
	static const UlStatementText *const topics[] = {
		statements, ul_alert_statements, ul_attach_statements, ul_config_statements,
		ul_credit_statements,
		ul_day_statements, ul_hold_statements, ul_import_statements
	};

	for (size_t i = 0; i < lengthof(topics); i++)
		if (topics[i][statement].text != NULL)
			return &topics[i][statement];
	elog(ERROR, "statement %d has no text", statement);
}

static SPIPlanPtr plans[UL_NSTATEMENTS];
static uint64 plans_generation = 0; /* of the schema that they name */

/*
 * Plans that are no longer asked for, and the last transaction that had them: a
 * statement of it may still be running one, with another inside, from a trigger.
 */
static List *retired_plans = NIL;
static LocalTransactionId retired_in = InvalidLocalTransactionId;

/* What is to be put back after a statement */
typedef struct UlStoreState
{
	Oid			user;
	int			security_context;
	int			path_level;
	int			guc_level;		/* 0: none of its own */
	bool		snapshot_pushed;
} UlStoreState;

/* From here to store_end we are "user", in pg_catalog, with SPI connected. */
static void
store_begin_as(UlStoreState *state, Oid user, int restriction)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	GetUserIdAndSecContext(&state->user, &state->security_context);
	SetUserIdAndSecContext(user, state->security_context | SECURITY_LOCAL_USERID_CHANGE | restriction);
	/* what code that is not ours sets is set back */
	state->guc_level = restriction != 0 ? NewGUCNestLevel() : 0;
	state->path_level = ul_push_search_path();

	/* there is none any more when a transaction commits */
	state->snapshot_pushed = !ActiveSnapshotSet();
	if (state->snapshot_pushed)
		PushActiveSnapshot(GetTransactionSnapshot());
}

/* The same as our owner. */
static void
store_begin(UlStoreState *state)
{
	store_begin_as(state, ul_schema()->owner, 0);
}

static void
store_end(const UlStoreState *state)
{
	if (state->snapshot_pushed)
		PopActiveSnapshot();
	/* what was written is seen by what follows, also in the same statement */
	CommandCounterIncrement();
	ul_pop_search_path(state->path_level);
	if (state->guc_level > 0)
		AtEOXact_GUC(false, state->guc_level);
	SetUserIdAndSecContext(state->user, state->security_context);
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
}

/* The text with our schema's name in place of each "@". */
static char *
expand(const char *text)
{
	const char *name = ul_schema()->quoted_name;
	StringInfoData result;

	initStringInfo(&result);
	for (const char *p = text; *p; p++)
	{
		if (p[0] == '@' && p[1] == '.')
			appendStringInfoString(&result, name);
		else
			appendStringInfoChar(&result, *p);
	}
	return result.data;
}

static SPIPlanPtr
prepare(const char *text, int nargs, const Oid *types)
{
	SPIPlanPtr	plan = SPI_prepare(expand(text), nargs, unconstify(Oid *, types));

	if (plan == NULL)
		elog(ERROR, "SPI_prepare returned %s for \"%s\"",
			 SPI_result_code_string(SPI_result), text);
	return plan;
}

static void
retire_plans(void)
{
	MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);

	for (int i = 0; i < UL_NSTATEMENTS; i++)
	{
		if (plans[i] != NULL)
			retired_plans = lappend(retired_plans, plans[i]);
		plans[i] = NULL;
	}
	retired_in = ul_local_transaction_id();
	MemoryContextSwitchTo(caller);
}

/* Frees what earlier transactions have retired. */
static void
free_retired_plans(void)
{
	if (retired_plans == NIL || retired_in == ul_local_transaction_id())
		return;
	while (retired_plans != NIL)
	{
		SPIPlanPtr	plan = llast(retired_plans);

		retired_plans = list_delete_last(retired_plans);
		SPI_freeplan(plan);
	}
}

static SPIPlanPtr
saved_plan(UlStatement statement)
{
	const UlStatementText *text = statement_text(statement);
	Oid			types[UL_MAX_ARGS];
	SPIPlanPtr	plan;

	free_retired_plans();
	if (plans_generation != ul_generation(UL_SIGNAL_SCHEMA))
	{
		retire_plans();
		plans_generation = ul_generation(UL_SIGNAL_SCHEMA);
	}
	if (plans[statement] != NULL)
		return plans[statement];

	for (int i = 0; i < text->nargs; i++)
		types[i] = text->types[i] == UL_DECISION_TYPE ? ul_schema()->decision_type : text->types[i];
	plan = prepare(text->text, text->nargs, types);
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "SPI_keepplan failed");
	plans[statement] = plan;
	return plan;
}

/*
 * Statements see what has committed by now, also in a REPEATABLE READ
 * transaction, where rows that its snapshot does not show would be errors.
 */
static void
run_plan(SPIPlanPtr plan, const UlArgs *args)
{
	Datum	   *values = args == NULL ? NULL : ((UlArgs *) args)->value;
	const char *nulls = args == NULL ? NULL : args->null;
	int			result;

	if (IsolationUsesXactSnapshot())
	{
		Snapshot	snapshot = ul_latest_snapshot(false);

		result = SPI_execute_snapshot(plan, values, nulls, snapshot, InvalidSnapshot,
									  false, true, 0);
		ul_release_snapshot(snapshot);
	}
	else
		result = SPI_execute_plan(plan, values, nulls, false, 0);
	if (result < 0)
		elog(ERROR, "running a plan returned %s", SPI_result_code_string(result));
}

void
ul_arg_datum(UlArgs *args, Datum value, bool isnull)
{
	Assert(args->count < UL_MAX_ARGS);
	args->value[args->count] = value;
	args->null[args->count] = isnull ? 'n' : ' ';
	args->count++;
}

void
ul_arg_text(UlArgs *args, const char *value)
{
	ul_arg_datum(args, value == NULL ? (Datum) 0 : CStringGetTextDatum(value), value == NULL);
}

void
ul_arg_int8(UlArgs *args, int64 value)
{
	ul_arg_datum(args, Int64GetDatum(value), false);
}

void
ul_arg_time(UlArgs *args, TimestampTz value)
{
	ul_arg_datum(args, TimestampTzGetDatum(value), false);
}

uint64
ul_execute(UlStatement statement, const UlArgs *args)
{
	UlStoreState state;
	uint64		processed;

	Assert((args == NULL ? 0 : args->count) == statement_text(statement)->nargs);
	store_begin(&state);
	run_plan(saved_plan(statement), args);
	processed = SPI_processed;
	store_end(&state);
	return processed;
}

Datum
ul_execute_value(UlStatement statement, const UlArgs *args, bool *isnull)
{
	MemoryContext caller = CurrentMemoryContext;
	UlStoreState state;
	Datum		value = (Datum) 0;

	Assert((args == NULL ? 0 : args->count) == statement_text(statement)->nargs);
	*isnull = true;
	store_begin(&state);
	run_plan(saved_plan(statement), args);
	if (SPI_processed > 0)
	{
		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, isnull);
		if (!*isnull)
		{
			Oid			type = SPI_gettypeid(SPI_tuptable->tupdesc, 1);
			MemoryContext inner = MemoryContextSwitchTo(caller);

			value = datumCopy(value, get_typbyval(type), get_typlen(type));
			MemoryContextSwitchTo(inner);
		}
	}
	store_end(&state);
	return value;
}

/* Calls "row" in the caller's memory for each row that SPI has got. */
static void
see_rows(MemoryContext caller, UlStoreRow row, void *arg)
{
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		TupleDesc	tupdesc = SPI_tuptable->tupdesc;
		Datum	   *values = palloc(tupdesc->natts * sizeof(Datum));
		bool	   *nulls = palloc(tupdesc->natts * sizeof(bool));
		MemoryContext inner;

		heap_deform_tuple(SPI_tuptable->vals[i], tupdesc, values, nulls);
		inner = MemoryContextSwitchTo(caller);
		row(values, nulls, arg);
		MemoryContextSwitchTo(inner);
	}
}

void
ul_execute_rows(UlStatement statement, const UlArgs *args, UlStoreRow row, void *arg)
{
	MemoryContext caller = CurrentMemoryContext;
	UlStoreState state;

	Assert((args == NULL ? 0 : args->count) == statement_text(statement)->nargs);
	store_begin(&state);
	run_plan(saved_plan(statement), args);
	see_rows(caller, row, arg);
	store_end(&state);
}

void
ul_execute_rows_at(UlStatement statement, const UlArgs *args, Snapshot snapshot,
				   UlStoreRow row, void *arg)
{
	MemoryContext caller = CurrentMemoryContext;
	UlStoreState state;
	int			result;

	store_begin(&state);
	result = SPI_execute_snapshot(saved_plan(statement), ((UlArgs *) args)->value, args->null,
								  snapshot, InvalidSnapshot, true, false, 0);
	if (result < 0)
		elog(ERROR, "running a plan returned %s", SPI_result_code_string(result));
	see_rows(caller, row, arg);
	store_end(&state);
}

/* Rows that a cursor fetches at once. */
#define FETCH_COUNT 1000

/* Runs a query in the state that was begun; the rows' memory is reset one by one. */
static void
run_query(const char *query, UlStoreRow row, void *arg)
{
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext, "usage_limits rows",
												ALLOCSET_DEFAULT_SIZES);
	Portal		portal = SPI_cursor_open_with_args(NULL, query, 0, NULL, NULL, NULL, true, 0);

	for (;;)
	{
		SPITupleTable *table;
		uint64		count;

		SPI_cursor_fetch(portal, true, FETCH_COUNT);
		table = SPI_tuptable;
		count = SPI_processed;
		if (count == 0)
			break;
		for (uint64 i = 0; i < count; i++)
		{
			MemoryContext outer = MemoryContextSwitchTo(batch);
			Datum	   *values = palloc(table->tupdesc->natts * sizeof(Datum));
			bool	   *nulls = palloc(table->tupdesc->natts * sizeof(bool));

			heap_deform_tuple(table->vals[i], table->tupdesc, values, nulls);
			row(values, nulls, arg);
			MemoryContextSwitchTo(outer);
			MemoryContextReset(batch);
		}
		SPI_freetuptable(table);
	}
	SPI_cursor_close(portal);
	MemoryContextDelete(batch);
}

void
ul_query_as_caller(const char *query, UlStoreRow row, void *arg)
{
	UlStoreState state;

	store_begin_as(&state, GetUserId(), SECURITY_RESTRICTED_OPERATION);
	run_query(query, row, arg);
	store_end(&state);
}

/* Policies that the owner has forced upon itself do not hide rows that count. */
void
ul_query_as_owner(Oid relid, const char *query, Snapshot snapshot, UlStoreRow row, void *arg)
{
	UlStoreState state;

	store_begin_as(&state, ul_relation_owner(relid),
				   SECURITY_RESTRICTED_OPERATION | SECURITY_NOFORCE_RLS);
	PushActiveSnapshot(snapshot);
	run_query(query, row, arg);
	PopActiveSnapshot();
	store_end(&state);
}

int64
ul_count_users(void)
{
	UlStoreState state;
	bool		isnull;
	List	   *names;
	Oid			relid;
	char	   *query;
	int64		count;

	if (ul_users_table[0] == '\0')
		return DatumGetInt64(ul_execute_value(UL_COUNT_SUBSCRIPTIONS, NULL, &isnull));

	names = textToQualifiedNameList(cstring_to_text(ul_users_table));
	if (list_length(names) == 1)
		names = lcons(makeString("public"), names);
	relid = RangeVarGetRelid(makeRangeVarFromNameList(names), AccessShareLock, false);
	query = psprintf("SELECT count(*) FROM %s",
					 quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
												get_rel_name(relid)));

	/* rules and policies of the table are its owner's to run */
	store_begin_as(&state, ul_relation_owner(relid), SECURITY_RESTRICTED_OPERATION);
	if (SPI_execute(query, true, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not count the rows of \"%s\"", ul_users_table);
	count = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	store_end(&state);
	return count;
}

uint64
ul_execute_text(const char *text)
{
	UlStoreState state;
	uint64		processed;

	store_begin(&state);
	run_plan(prepare(text, 0, NULL), NULL);
	processed = SPI_processed;
	store_end(&state);
	return processed;
}

char *
ul_extension_version(void)
{
	bool		isnull;
	Datum		version = ul_execute_value(UL_EXTENSION_VERSION, NULL, &isnull);

	return isnull ? NULL : TextDatumGetCString(version);
}

void
ul_log_change(const char *table, const char *operation, Oid rowtype,
			  Datum old_row, Datum new_row, bool has_new_row)
{
	UlStoreState state;
	UlArgs		args = {0};
	Oid			types[6];

	memcpy(types, statements[UL_LOG_CHANGE].types, sizeof(types));
	types[3] = types[4] = rowtype;
	ul_arg_text(&args, GetUserNameFromId(GetOuterUserId(), true));
	ul_arg_text(&args, table);
	ul_arg_text(&args, operation);
	ul_arg_datum(&args, old_row, false);
	ul_arg_datum(&args, new_row, !has_new_row);
	ul_arg_datum(&args, BoolGetDatum(has_new_row), false);

	store_begin(&state);
	run_plan(prepare(statements[UL_LOG_CHANGE].text, 6, types), &args);
	store_end(&state);
}

void
ul_write_counter(const UlCounterRow *row)
{
	UlArgs		args = {0};
	UlAmounts	own = row->amounts;
	const int64 *amounts = (const int64 *) &own;

	/* the row is there for all but the first use of a bucket */
	if (row->add && !row->likely_new && ul_add_to_counter(row))
		return;
	if (row->of_members)
		own.measure[UL_MEASURE_AMOUNT] = 0;
	ul_arg_text(&args, row->user_id);
	ul_arg_text(&args, row->usage_type);
	ul_arg_time(&args, row->bucket_start);
	ul_arg_text(&args, row->event_subtype);
	ul_arg_int8(&args, row->slot);
	for (size_t i = 0; i < UL_NAMOUNTS; i++)
		ul_arg_int8(&args, amounts[i]);
	ul_arg_time(&args, row->first_at);
	ul_arg_time(&args, row->last_at);
	ul_arg_int8(&args, row->amounts.measure[UL_MEASURE_AMOUNT] - own.measure[UL_MEASURE_AMOUNT]);
	if (!row->add)
		ul_execute(UL_INSERT_COUNTER, &args);
	else
		ul_execute(row->clamp ? UL_ADD_CLAMPED : UL_ADD_TO_COUNTER, &args);
}

static void
arg_int8_or_null(UlArgs *args, const int64 *value)
{
	ul_arg_datum(args, value == NULL ? (Datum) 0 : Int64GetDatum(*value), value == NULL);
}

static void
arg_pointer(UlArgs *args, const void *value)
{
	ul_arg_datum(args, PointerGetDatum(value), value == NULL);
}

int64
ul_write_event(const UlEventRow *row)
{
	UlArgs		args = {0};
	int64		id = nextval_internal(ul_schema()->oid[UL_USAGE_EVENTS_ID_SEQ], false);

	ul_arg_int8(&args, id);
	ul_arg_text(&args, row->user_id);
	ul_arg_text(&args, row->event_type);
	ul_arg_text(&args, row->event_subtype);
	arg_pointer(&args, row->project_id);
	arg_pointer(&args, row->scene_id);
	arg_int8_or_null(&args, row->tokens_used);
	arg_int8_or_null(&args, row->credits_used);
	arg_int8_or_null(&args, row->duration_ms);
	ul_arg_text(&args, row->status);
	ul_arg_text(&args, row->error_message);
	arg_pointer(&args, row->metadata);
	ul_arg_time(&args, row->created_at);
	ul_arg_int8(&args, row->amount);
	ul_arg_text(&args, row->operation);
	arg_int8_or_null(&args, row->bucket_start);
	arg_int8_or_null(&args, row->refund_of);
	ul_arg_text(&args, row->account_id);
	arg_int8_or_null(&args, row->account_bucket_start);
	if (!ul_add_event(&args, statement_text(UL_INSERT_EVENT)->types))
		ul_execute(UL_INSERT_EVENT, &args);
	return id;
}
