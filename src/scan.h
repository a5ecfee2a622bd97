/*-------------------------------------------------------------------------
 *
 * scan.h
 *		Reading our tables for a decision.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_SCAN_H
#define UL_SCAN_H

#include "access/skey.h"
#include "executor/tuptable.h"
#include "utils/date.h"
#include "utils/snapshot.h"

#include "schema.h"

/* Called for each row; false ends the scan.  The slot is only valid inside. */
typedef bool (*UlScanRow) (TupleTableSlot *slot, void *arg);

/*
 * The latest snapshot, registered: whatever has committed by now is visible,
 * at every isolation level.  With hide_own, all that the current transaction
 * did itself is invisible, also what it deleted is still there.
 */
extern Snapshot ul_latest_snapshot(bool hide_own);
extern void ul_release_snapshot(Snapshot snapshot);

/* Whether a table has never had a row, or has none and was vacuumed. */
extern bool ul_table_is_blank(UlTable table);

/*
 * Calls "row" for each row that the snapshot sees, by an index, or all rows
 * in no order when index is UL_NTABLES.  Takes no SIREAD locks.
 */
extern void ul_scan(UlTable table, UlTable index, int nkeys, ScanKey keys,
					Snapshot snapshot, UlScanRow row, void *arg);

/*
 * Calls "row" for each row of usage_events whose column, which has an index
 * in every partition (id or refund_of), has the value.
 */
extern void ul_scan_events(AttrNumber column, int64 value, Snapshot snapshot,
						   UlScanRow row, void *arg);

/* Scan keys on text columns, which are all COLLATE "C". */
extern void ul_key_text(ScanKey key, AttrNumber index_column, const char *value);
extern void ul_key_int8(ScanKey key, AttrNumber index_column, int64 value);
extern void ul_key_from_int8(ScanKey key, AttrNumber index_column, int64 from);
extern void ul_key_date(ScanKey key, AttrNumber index_column, DateADT value);
extern void ul_key_null(ScanKey key, AttrNumber index_column);
extern void ul_key_not_null(ScanKey key, AttrNumber index_column);
extern void ul_key_after_time(ScanKey key, AttrNumber index_column, TimestampTz after);
extern void ul_key_from_time(ScanKey key, AttrNumber index_column, TimestampTz from);
extern void ul_key_before_time(ScanKey key, AttrNumber index_column, TimestampTz before);

/* Whether a text is the same as a string. */
extern bool ul_text_is(Datum text_value, const char *value);

/* Column values of a row; for null: NULL, or the value given. */
extern char *ul_slot_text(TupleTableSlot *slot, AttrNumber column);
extern int64 ul_slot_int8(TupleTableSlot *slot, AttrNumber column, int64 null_value);
extern TimestampTz ul_slot_time(TupleTableSlot *slot, AttrNumber column, TimestampTz null_value);
extern bool ul_slot_bool(TupleTableSlot *slot, AttrNumber column);

#endif							/* UL_SCAN_H */
