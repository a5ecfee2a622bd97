/*-------------------------------------------------------------------------
 *
 * drift.h
 *		What counters say against what rows of attached tables add up to.
 *
 * What all tables of a usage type count, together, is its users' level; a
 * difference is drift.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_DRIFT_H
#define UL_DRIFT_H

#include "compat.h"
#include "attachments.h"

/* A user whose level is not what the rows add up to */
typedef struct UlDrift
{
	const char *user_id;
	const char *usage_type;
	int64		counted;
	int64		actual;
	int64		change;			/* from counted to actual */
} UlDrift;

/*
 * Calls "seen" for each user with drift: of all attached types, or of those of
 * one table.  Levels and rows are read in one snapshot.
 */
typedef void (*UlDriftSeen) (const UlDrift *drift, void *arg);
extern void ul_drift(Oid relid, UlDriftSeen seen, void *arg);

/*
 * Adds the difference to each level of a type that has one; returns how many
 * there were.  The caller has locked the type's attachments.
 */
extern int64 ul_repair_type(const char *usage_type, const List *attachments, const char *reason);

/* Raises an error for a user's id that no row may have. */
extern void ul_check_row_user(const char *user_id, const char *usage_type);

/* Raises 42704 for a table that is not attached. */
pg_noreturn extern void ul_refuse_unattached(Oid relid);

#endif							/* UL_DRIFT_H */
