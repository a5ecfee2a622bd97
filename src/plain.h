/*-------------------------------------------------------------------------
 *
 * plain.h
 *		Putting rows into tables without a statement.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_PLAIN_H
#define UL_PLAIN_H

#include "executor/tuptable.h"
#include "utils/rel.h"

#include "compat.h"

/*
 * Whether all that a statement would do with a table beyond its rows and indexes
 * is to fire triggers of one name, which the caller can do without.  "event" is
 * TRIGGER_TYPE_INSERT or TRIGGER_TYPE_UPDATE.
 */
extern bool ul_is_plain(Relation table, int16 event, const char *ours);

/* Enters a row's new version into the indexes that need it. */
extern void ul_index_new_version(Relation heap, TupleTableSlot *slot, UlUpdateIndexes indexes);

/*
 * Puts a row in, as an INSERT would.  False, and nothing is done, if it needs a
 * statement to evaluate what hangs on an index, or to refuse a null.
 */
extern bool ul_insert_row(Relation heap, TupleTableSlot *slot);

#endif							/* UL_PLAIN_H */
