/*-------------------------------------------------------------------------
 *
 * follow.c
 *		What the triggers of attached tables do.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_inherits.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/syscache.h"

#include "attachments.h"
#include "consume.h"
#include "drift.h"
#include "follow.h"
#include "gate.h"
#include "guc.h"
#include "scan.h"
#include "store.h"
#include "tally.h"

/* What rows of a table add to tallies */
typedef struct RowState
{
	ul_tallies_hash *tallies;
	const char *usage_type;
	bool		is_new;
} RowState;

/* A trigger's expressions, kept until something that they name may have changed */
typedef struct Compiled
{
	Oid			trigger;		/* hash key */
	Oid			relid;
	bool		valid;
	MemoryContext context;
	UlRowExprs	exprs;
} Compiled;

static HTAB *compiled = NULL;
static uint64 changes = 0;		/* that may have made any of them stale */

/* Users at most that a statement touches, mostly. */
#define FEW_USERS 2

/* A new row must make sense; an old one is taken back as it was counted. */
static void
see_row(const char *user_id, int64 amount, void *arg)
{
	RowState   *state = arg;
	UlTally    *tally;

	if (state->is_new)
	{
		ul_check_row_user(user_id, state->usage_type);
		if (amount < 0 || amount > UL_MAX_AMOUNT)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("amount of a row attached to usage type \"%s\" must be between 0 and " INT64_FORMAT,
							state->usage_type, UL_MAX_AMOUNT)));
	}
	tally = ul_tally(state->tallies, user_id);
	if (state->is_new)
	{
		tally->new_rows++;
		ul_tally_add(&tally->after, amount);
	}
	else
	{
		tally->old_rows++;
		ul_tally_add(&tally->before, amount);
	}
}

static void
relation_changed(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS status;
	Compiled   *entry;

	changes++;
	hash_seq_init(&status, compiled);
	while ((entry = hash_seq_search(&status)) != NULL)
		if (relid == InvalidOid || relid == entry->relid)
			entry->valid = false;
}

static void
object_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	relation_changed(arg, InvalidOid);
}

/* The trigger's expressions, in memory that lasts until the transaction ends. */
static const UlRowExprs *
compiled_exprs(const TriggerData *data)
{
	Compiled   *entry;
	bool		found;
	uint64		before;
	MemoryContext context;
	MemoryContext previous;
	UlRowText	text;
	UlRowExprs	exprs;

	if (compiled == NULL)
	{
		HASHCTL		info = {.keysize = sizeof(Oid),.entrysize = sizeof(Compiled)};

		compiled = hash_create("usage_limits attachments", 16, &info, HASH_ELEM | HASH_BLOBS);
		CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
		CacheRegisterSyscacheCallback(PROCOID, object_changed, (Datum) 0);
		CacheRegisterSyscacheCallback(TYPEOID, object_changed, (Datum) 0);
	}
	entry = hash_search(compiled, &data->tg_trigger->tgoid, HASH_FIND, NULL);
	if (entry != NULL && entry->valid)
		return &entry->exprs;

	before = changes;
	text = ul_trigger_text(data->tg_trigger);
	exprs = ul_row_parse(data->tg_relation, &text);
	context = AllocSetContextCreate(CurrentMemoryContext, "usage_limits attachment",
									ALLOCSET_SMALL_SIZES);
	previous = MemoryContextSwitchTo(context);
	exprs.user_id = copyObject(exprs.user_id);
	exprs.amount = copyObject(exprs.amount);
	exprs.predicate = copyObject(exprs.predicate);
	exprs.columns = bms_copy(exprs.columns);
	MemoryContextSwitchTo(previous);

	entry = hash_search(compiled, &data->tg_trigger->tgoid, HASH_ENTER, &found);
	/* someone further up may be evaluating what is replaced */
	if (found)
		MemoryContextSetParent(entry->context, TopTransactionContext);
	MemoryContextSetParent(context, CacheMemoryContext);
	entry->relid = RelationGetRelid(data->tg_relation);
	entry->context = context;
	entry->exprs = exprs;
	entry->valid = changes == before;
	return &entry->exprs;
}

/* Whether an UPDATE can have changed what counts: other triggers can change anything. */
static bool
may_change(const TriggerData *data, const UlRowExprs *exprs)
{
	Relation	rel = data->tg_relation;

	return rel->rd_rel->relhassubclass || rel->trigdesc->trig_update_before_row ||
		bms_overlap(data->tg_updatedcols, exprs->columns);
}

/* A partition that was detached, or a child that has been disinherited, counts no more. */
static bool
is_orphan(const TriggerData *data)
{
	return ul_trigger_is_of_child(data->tg_trigger) && !data->tg_relation->rd_rel->relispartition &&
		!has_superclass(RelationGetRelid(data->tg_relation));
}

static void
tally_rows(const TriggerData *data, RowState *state)
{
	const UlRowExprs *exprs = compiled_exprs(data);
	Tuplestorestate *old_rows = data->tg_oldtable;
	Tuplestorestate *new_rows = data->tg_newtable;

	if (TRIGGER_FIRED_BY_UPDATE(data->tg_event) && !may_change(data, exprs))
		return;
	if (old_rows != NULL && tuplestore_tuple_count(old_rows) > 0)
		ul_row_evaluate(data->tg_relation, exprs, old_rows, see_row, state);
	state->is_new = true;
	if (new_rows != NULL && tuplestore_tuple_count(new_rows) > 0)
		ul_row_evaluate(data->tg_relation, exprs, new_rows, see_row, state);
}

static void
add_truncated(const Datum *values, const bool *nulls, void *arg)
{
	RowState   *state = arg;
	UlTally    *tally = ul_tally(state->tallies, TextDatumGetCString(values[0]));

	if (!nulls[1])
		ul_tally_add(&tally->before, DatumGetInt64(values[1]));
	tally->old_rows += DatumGetInt64(values[2]);
}

/*
 * TRUNCATE takes away rows that no snapshot of ours may see but the latest;
 * the children are truncated by themselves.
 */
static void
tally_truncated(const TriggerData *data, RowState *state)
{
	Relation	rel = data->tg_relation;
	UlRowText	text = ul_trigger_text(data->tg_trigger);
	Snapshot	snapshot;

	if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		return;
	snapshot = ul_latest_snapshot(false);
	ul_query_as_owner(RelationGetRelid(rel), ul_row_query(rel, &text, true), snapshot,
					  add_truncated, state);
	ul_release_snapshot(snapshot);
}

static int
compare_locks(const void *a, const void *b)
{
	const UlTally *left = *(const UlTally *const *) a;
	const UlTally *right = *(const UlTally *const *) b;

	return left->lock < right->lock ? -1 : left->lock > right->lock ? 1 : 0;
}

/* What an event says about where it comes from. */
static const Jsonb *
describe_rows(Relation rel, const UlTally *tally)
{
	JsonbParseState *state = NULL;
	JsonbValue	key = {.type = jbvString};
	JsonbValue	table = {.type = jbvString};
	JsonbValue	rows = {.type = jbvNumeric};

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	key.val.string.val = "table";
	key.val.string.len = strlen(key.val.string.val);
	table.val.string.val = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
													  RelationGetRelationName(rel));
	table.val.string.len = strlen(table.val.string.val);
	(void) pushJsonbValue(&state, WJB_KEY, &key);
	(void) pushJsonbValue(&state, WJB_VALUE, &table);
	key.val.string.val = "rows";
	key.val.string.len = strlen(key.val.string.val);
	rows.val.numeric = int64_to_numeric(Max(tally->old_rows, tally->new_rows));
	(void) pushJsonbValue(&state, WJB_KEY, &key);
	(void) pushJsonbValue(&state, WJB_VALUE, &rows);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/*
 * Moves the users' levels.  What is given back goes first and is never
 * refused; what is asked for then locks its keys in one order.
 */
static void
move_levels(const TriggerData *data, ul_tallies_hash *tallies)
{
	const char *usage_type = data->tg_trigger->tgargs[UL_ARG_USAGE_TYPE];
	const UlType *type = ul_find_type(usage_type);
	bool		logs = ul_analytics_enabled && (type == NULL || type->log_events);
	UlTally   **rising = palloc(sizeof(UlTally *) * tallies->members);
	int			count = 0;
	UlRequest	request = {.usage_type = usage_type,.status = "success"};
	TimestampTz now = ul_now();
	ul_tallies_iterator iterator;
	UlTally    *tally;

	ul_tallies_start_iterate(tallies, &iterator);
	while ((tally = ul_tallies_iterate(tallies, &iterator)) != NULL)
	{
		if (tally->after > tally->before)
		{
			tally->lock = ul_gate_hash(tally->user_id, usage_type);
			rising[count++] = tally;
		}
		if (tally->after >= tally->before)
			continue;
		request.user_id = tally->user_id;
		request.amount = ul_tally_change(tally);
		if (logs)
			request.metadata = describe_rows(data->tg_relation, tally);
		(void) ul_record(&request, "adjust", now);
	}

	if (count > 1)
		qsort(rising, count, sizeof(UlTally *), compare_locks);
	for (int i = 0; i < count; i++)
	{
		UlDecision	decision;

		tally = rising[i];
		request.user_id = tally->user_id;
		request.amount = ul_tally_change(tally);
		if (logs)
			request.metadata = describe_rows(data->tg_relation, tally);
		ul_consume(&request, 1, &decision);
		if (!decision.allowed)
			ul_raise_denial_of_rows(&decision, tally->new_rows);
	}
}

bool
ul_is_follower(const TriggerData *data)
{
	TriggerEvent event = data->tg_event;
	bool		old_rows = data->tg_trigger->tgoldtable != NULL;
	bool		new_rows = data->tg_trigger->tgnewtable != NULL;

	if (data->tg_trigger->tgnargs <= UL_ARG_PREDICATE || !TRIGGER_FIRED_FOR_STATEMENT(event))
		return false;
	if (TRIGGER_FIRED_BY_TRUNCATE(event))
		return TRIGGER_FIRED_BEFORE(event);
	return TRIGGER_FIRED_AFTER(event) &&
		old_rows == !TRIGGER_FIRED_BY_INSERT(event) && new_rows == !TRIGGER_FIRED_BY_DELETE(event);
}

void
ul_follow(const TriggerData *data)
{
	RowState	state = {
		.usage_type = data->tg_trigger->tgargs[UL_ARG_USAGE_TYPE],
	};

	if (!ul_tracking_enabled || is_orphan(data))
		return;
	state.tallies = ul_tallies_create(CurrentMemoryContext, FEW_USERS, NULL);
	if (TRIGGER_FIRED_BY_TRUNCATE(data->tg_event))
		tally_truncated(data, &state);
	else
		tally_rows(data, &state);
	if (state.tallies->members > 0)
		move_levels(data, state.tallies);
}
