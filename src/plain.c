/*-------------------------------------------------------------------------
 *
 * plain.c
 *		Putting rows into tables without a statement.
 *
 * Nearly every transaction that uses something ends with one row or two, and to
 * set a statement up takes longer than its rows.  It is what logical replication
 * does to apply an INSERT or UPDATE.  Whatever a statement would do beyond that
 * must not be there, or is left to one, which runs as our owner.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "executor/executor.h"
#include "nodes/primnodes.h"
#include "utils/reltrigger.h"

#include "plain.h"

bool
ul_is_plain(Relation table, int16 event, const char *ours)
{
	const TupleConstr *constraints = RelationGetDescr(table)->constr;
	const TriggerDesc *triggers = table->trigdesc;

	if ((table->rd_rel->relkind != RELKIND_RELATION &&
		 table->rd_rel->relkind != RELKIND_PARTITIONED_TABLE) ||
		table->rd_rules != NULL || table->rd_rel->relrowsecurity ||
		(constraints != NULL && (constraints->num_check > 0 || constraints->has_generated_stored)))
		return false;
	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
		if ((triggers->triggers[i].tgtype & event) != 0 &&
			(ours == NULL || strcmp(triggers->triggers[i].tgname, ours) != 0))
			return false;
	return true;
}

/* The table and its indexes, as the executor wants them; of no range table. */
static ResultRelInfo *
open_result(EState *estate, Relation heap)
{
	MemoryContext caller = MemoryContextSwitchTo(estate->es_query_cxt);
	ResultRelInfo *result = makeNode(ResultRelInfo);

	InitResultRelInfo(result, heap, 0, NULL, 0);
	ExecOpenIndices(result, false);
	MemoryContextSwitchTo(caller);
	return result;
}

void
ul_index_new_version(Relation heap, TupleTableSlot *slot, UlUpdateIndexes indexes)
{
	EState	   *estate = CreateExecutorState();
	ResultRelInfo *result = open_result(estate, heap);

	ul_insert_index_tuples(result, slot, estate, true, indexes);
	ExecCloseIndices(result);
	FreeExecutorState(estate);
}

/* Whether no index has an expression, nor a condition but that a column is null or not. */
static bool
indexes_columns_only(const ResultRelInfo *result)
{
	for (int i = 0; i < result->ri_NumIndices; i++)
	{
		const IndexInfo *index = result->ri_IndexRelationInfo[i];
		ListCell   *cell;

		if (index->ii_Expressions != NIL)
			return false;
		foreach(cell, index->ii_Predicate)
		{
			if (!IsA(lfirst(cell), NullTest) || !IsA(((NullTest *) lfirst(cell))->arg, Var))
				return false;
		}
	}
	return true;
}

static bool
has_no_missing_value(TupleTableSlot *slot)
{
	const TupleDesc tupdesc = slot->tts_tupleDescriptor;

	for (int i = 0; i < tupdesc->natts; i++)
		if (slot->tts_isnull[i] && TupleDescAttr(tupdesc, i)->attnotnull)
			return false;
	return true;
}

bool
ul_insert_row(Relation heap, TupleTableSlot *slot)
{
	EState	   *estate;
	ResultRelInfo *result;
	bool		inserted = false;

	if (!has_no_missing_value(slot))
		return false;
	estate = CreateExecutorState();
	result = open_result(estate, heap);
	if (indexes_columns_only(result))
	{
		table_tuple_insert(heap, slot, GetCurrentCommandId(true), 0, NULL);
		ul_insert_index_tuples(result, slot, estate, false, UL_UPDATE_ALL_INDEXES);
		inserted = true;
	}
	ExecCloseIndices(result);
	FreeExecutorState(estate);
	return inserted;
}
