/*-------------------------------------------------------------------------
 *
 * scan.c
 *		Reading our tables for a decision: the only direct table access.
 *
 * A decision is based on what has committed by now, also in a REPEATABLE READ
 * or SERIALIZABLE transaction.  An MVCC scan would take SIREAD locks there and
 * make strangers' calls fail with 40001, so that rows are scanned with
 * SnapshotAny and tested for visibility one by one.
 *
 * Locks on tables and indexes are given back after a scan, unlike a query's: a
 * transaction that has consumed and is idle must hold up no ALTER EXTENSION.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/tupconvert.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "scan.h"

Snapshot
ul_latest_snapshot(bool hide_own)
{
	Snapshot	snapshot;

	/* the transaction's first snapshot is kept as it is, any other is copied */
	if (!FirstSnapshotSet)
		(void) GetTransactionSnapshot();
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	if (hide_own)
		snapshot->curcid = 0;
	return snapshot;
}

void
ul_release_snapshot(Snapshot snapshot)
{
	UnregisterSnapshot(snapshot);
}

/*
 * Whoever inserts has made the file longer long before the row is committed.  A
 * file that this transaction has made may go again, and another be there then.
 */
bool
ul_table_is_blank(UlTable table)
{
	Relation	heap = table_open(ul_schema()->oid[table], AccessShareLock);
	bool		blank = !ul_relation_has_new_file(heap) && RelationGetNumberOfBlocks(heap) == 0;

	table_close(heap, AccessShareLock);
	return blank;
}

static void
scan_index(Relation heap, Oid index_oid, int nkeys, ScanKey keys,
		   Snapshot snapshot, UlScanRow row, void *arg)
{
	Relation	index = index_open(index_oid, AccessShareLock);
	TupleTableSlot *slot = table_slot_create(heap, NULL);
	IndexScanDesc scan;

	scan = ul_index_beginscan(heap, index, SnapshotAny, nkeys);
	index_rescan(scan, keys, nkeys, NULL, 0);
	while (index_getnext_slot(scan, ForwardScanDirection, slot))
		if (table_tuple_satisfies_snapshot(heap, slot, snapshot) && !row(slot, arg))
			break;
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, AccessShareLock);
}

static void
scan_table(Relation heap, Snapshot snapshot, UlScanRow row, void *arg)
{
	TupleTableSlot *slot = table_slot_create(heap, NULL);
	TableScanDesc scan = table_beginscan(heap, SnapshotAny, 0, NULL);

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
		if (table_tuple_satisfies_snapshot(heap, slot, snapshot) && !row(slot, arg))
			break;
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
}

void
ul_scan(UlTable table, UlTable index, int nkeys, ScanKey keys,
		Snapshot snapshot, UlScanRow row, void *arg)
{
	const UlSchema *schema = ul_schema();
	Relation	heap = table_open(schema->oid[table], AccessShareLock);

	if (index == UL_NTABLES)
		scan_table(heap, snapshot, row, arg);
	else
		scan_index(heap, schema->oid[index], nkeys, keys, snapshot, row, arg);
	table_close(heap, AccessShareLock);
}

/* The partition's index whose first column is the given column of the table. */
static Oid
index_on(Relation heap, AttrNumber column)
{
	List	   *indexes = RelationGetIndexList(heap);
	ListCell   *cell;
	Oid			result = InvalidOid;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (index->rd_index->indisvalid && index->rd_index->indkey.values[0] == column)
			result = RelationGetRelid(index);
		index_close(index, NoLock);
		if (OidIsValid(result))
			break;
	}
	list_free(indexes);
	return result;
}

/* A row of a partition whose columns are in other places than the parent's */
typedef struct MappedRow
{
	AttrMap    *map;
	TupleTableSlot *slot;		/* of the parent's shape */
	UlScanRow	row;
	void	   *arg;
} MappedRow;

static bool
map_row(TupleTableSlot *slot, void *arg)
{
	MappedRow  *mapped = arg;

	return mapped->row(execute_attr_map_slot(mapped->map, slot, mapped->slot), mapped->arg);
}

void
ul_scan_events(AttrNumber column, int64 value, Snapshot snapshot,
			   UlScanRow row, void *arg)
{
	Relation	parent = table_open(ul_schema()->oid[UL_USAGE_EVENTS], AccessShareLock);
	List	   *partitions = find_all_inheritors(RelationGetRelid(parent), AccessShareLock, NULL);
	ListCell   *cell;
	const char *name = NameStr(TupleDescAttr(RelationGetDescr(parent), column - 1)->attname);

	foreach(cell, partitions)
	{
		Relation	heap = table_open(lfirst_oid(cell), NoLock);
		Oid			index;
		ScanKeyData key;
		TupleConversionMap *map;

		/* the parent, and partitions that are partitioned themselves */
		if (heap->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		{
			table_close(heap, NoLock);
			continue;
		}
		index = index_on(heap, get_attnum(RelationGetRelid(heap), name));
		if (!OidIsValid(index))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("partition \"%s\" has no index on column \"%s\"",
							RelationGetRelationName(heap), name)));
		ul_key_int8(&key, 1, value);
		map = convert_tuples_by_name(RelationGetDescr(heap), RelationGetDescr(parent));
		if (map == NULL)
			scan_index(heap, index, 1, &key, snapshot, row, arg);
		else
		{
			MappedRow	mapped = {.map = map->attrMap,.row = row,.arg = arg};

			mapped.slot = MakeSingleTupleTableSlot(RelationGetDescr(parent), &TTSOpsVirtual);
			scan_index(heap, index, 1, &key, snapshot, map_row, &mapped);
			ExecDropSingleTupleTableSlot(mapped.slot);
			free_conversion_map(map);
		}
		table_close(heap, NoLock);
	}
	list_free(partitions);
	table_close(parent, AccessShareLock);
}

void
ul_key_text(ScanKey key, AttrNumber index_column, const char *value)
{
	ScanKeyEntryInitialize(key, 0, index_column, BTEqualStrategyNumber, TEXTOID,
						   C_COLLATION_OID, F_TEXTEQ, CStringGetTextDatum(value));
}

void
ul_key_int8(ScanKey key, AttrNumber index_column, int64 value)
{
	ScanKeyInit(key, index_column, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(value));
}

void
ul_key_from_int8(ScanKey key, AttrNumber index_column, int64 from)
{
	ScanKeyInit(key, index_column, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(from));
}

void
ul_key_date(ScanKey key, AttrNumber index_column, DateADT value)
{
	ScanKeyInit(key, index_column, BTEqualStrategyNumber, F_DATE_EQ, DateADTGetDatum(value));
}

void
ul_key_null(ScanKey key, AttrNumber index_column)
{
	ScanKeyEntryInitialize(key, SK_ISNULL | SK_SEARCHNULL, index_column,
						   InvalidStrategy, InvalidOid, InvalidOid, InvalidOid, (Datum) 0);
}

void
ul_key_not_null(ScanKey key, AttrNumber index_column)
{
	ScanKeyEntryInitialize(key, SK_ISNULL | SK_SEARCHNOTNULL, index_column,
						   InvalidStrategy, InvalidOid, InvalidOid, InvalidOid, (Datum) 0);
}

void
ul_key_after_time(ScanKey key, AttrNumber index_column, TimestampTz after)
{
	ScanKeyInit(key, index_column, BTGreaterStrategyNumber, F_TIMESTAMPTZ_GT,
				TimestampTzGetDatum(after));
}

void
ul_key_from_time(ScanKey key, AttrNumber index_column, TimestampTz from)
{
	ScanKeyInit(key, index_column, BTGreaterEqualStrategyNumber, F_TIMESTAMPTZ_GE,
				TimestampTzGetDatum(from));
}

void
ul_key_before_time(ScanKey key, AttrNumber index_column, TimestampTz before)
{
	ScanKeyInit(key, index_column, BTLessStrategyNumber, F_TIMESTAMPTZ_LT,
				TimestampTzGetDatum(before));
}

bool
ul_text_is(Datum text_value, const char *value)
{
	text	   *found = DatumGetTextPP(text_value);
	size_t		length = strlen(value);

	return VARSIZE_ANY_EXHDR(found) == length && memcmp(VARDATA_ANY(found), value, length) == 0;
}

char *
ul_slot_text(TupleTableSlot *slot, AttrNumber column)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

int64
ul_slot_int8(TupleTableSlot *slot, AttrNumber column, int64 null_value)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, column, &isnull);

	return isnull ? null_value : DatumGetInt64(value);
}

TimestampTz
ul_slot_time(TupleTableSlot *slot, AttrNumber column, TimestampTz null_value)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, column, &isnull);

	return isnull ? null_value : DatumGetTimestampTz(value);
}

bool
ul_slot_bool(TupleTableSlot *slot, AttrNumber column)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, column, &isnull);

	return !isnull && DatumGetBool(value);
}
