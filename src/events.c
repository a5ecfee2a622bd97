/*-------------------------------------------------------------------------
 *
 * events.c
 *		Adding an event to usage_events without a statement.
 *
 * See plain.c for why, and for what is left to a statement.  So are events of
 * months that have no partition yet.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_trigger.h"
#include "executor/tuptable.h"
#include "partitioning/partbounds.h"
#include "partitioning/partdesc.h"
#include "storage/lmgr.h"
#include "utils/inval.h"
#include "utils/partcache.h"
#include "utils/rel.h"

#include "events.h"
#include "plain.h"
#include "schema.h"
#include "tables.h"

/*
 * The partition of an instant.  InvalidOid if it has none yet: then the default
 * partition is locked, so that whoever is attaching one has been waited for.
 * INSERT itself would choose the default partition first, wait there, and then
 * find that the row does not belong there any more.
 */
static Oid
partition_of(Relation parent, TimestampTz created_at)
{
	PartitionKey key = RelationGetPartitionKey(parent);
	PartitionDesc partitions;
	PartitionBoundInfo bounds;
	Datum		value = TimestampTzGetDatum(created_at);
	bool		is_equal;
	int			bound = -1;

	AcceptInvalidationMessages();
	partitions = RelationGetPartitionDesc(parent, !IsolationUsesXactSnapshot());
	bounds = partitions->boundinfo;
	if (bounds != NULL && bounds->ndatums > 0)
		bound = partition_range_datum_bsearch(key->partsupfunc, key->partcollation, bounds,
											  1, &value, &is_equal);
	if (bounds == NULL || bounds->indexes[bound + 1] < 0)
	{
		LockRelationOid(ul_schema()->oid[UL_USAGE_EVENTS_DEFAULT], RowExclusiveLock);
		return InvalidOid;
	}
	return partitions->oids[bounds->indexes[bound + 1]];
}

/* Whether a partition has the columns of usage_events, and no others, as we know them. */
static bool
has_our_columns(TupleDesc partition, TupleDesc parent, const Oid *types, int count)
{
	if (partition->natts != count || parent->natts != count)
		return false;
	for (int i = 0; i < count; i++)
	{
		Form_pg_attribute column = TupleDescAttr(partition, i);

		if (column->attisdropped || column->atttypid != types[i] ||
			strcmp(NameStr(column->attname), NameStr(TupleDescAttr(parent, i)->attname)) != 0)
			return false;
	}
	return true;
}

static bool
insert(Relation partition, const UlArgs *columns)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(partition), &TTSOpsVirtual);
	bool		inserted;

	for (int i = 0; i < columns->count; i++)
	{
		slot->tts_values[i] = columns->value[i];
		slot->tts_isnull[i] = columns->null[i] == 'n';
	}
	ExecStoreVirtualTuple(slot);
	inserted = ul_insert_row(partition, slot);
	ExecDropSingleTupleTableSlot(slot);
	return inserted;
}

bool
ul_add_event(const UlArgs *columns, const Oid *types)
{
	Relation	parent = table_open(ul_schema()->oid[UL_USAGE_EVENTS], RowExclusiveLock);
	Oid			relid = partition_of(parent, DatumGetTimestampTz(columns->value[Anum_event_created_at - 1]));
	bool		added = false;

	if (OidIsValid(relid) && !XactReadOnly && ul_is_plain(parent, TRIGGER_TYPE_INSERT, NULL))
	{
		Relation	partition = table_open(relid, RowExclusiveLock);

		if (partition->rd_rel->relkind == RELKIND_RELATION &&
			ul_is_plain(partition, TRIGGER_TYPE_INSERT, NULL) &&
			has_our_columns(RelationGetDescr(partition), RelationGetDescr(parent), types, columns->count))
			added = insert(partition, columns);
		table_close(partition, NoLock);
	}
	table_close(parent, NoLock);
	if (added)
		CommandCounterIncrement();
	return added;
}
