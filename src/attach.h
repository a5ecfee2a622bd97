/*-------------------------------------------------------------------------
 *
 * attach.h
 *		Making, removing and repairing attachments.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_ATTACH_H
#define UL_ATTACH_H

#include "rowexpr.h"

/*
 * Attaches a table to a usage type and sets every user's level to what the
 * type's tables count; returns how many users' levels changed.  Writers of the
 * table wait meanwhile.
 */
extern int64 ul_attach(Oid relid, const char *usage_type, const UlRowText *text);

/* Removes the triggers; levels stay. */
extern void ul_detach(Oid relid, const char *usage_type);

/*
 * Makes triggers that a table's partitions and children lack, and adds the
 * difference to each level of its types that has one; returns how many.
 */
extern int64 ul_repair(Oid relid);

#endif							/* UL_ATTACH_H */
