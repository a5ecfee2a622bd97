/*-------------------------------------------------------------------------
 *
 * import.h
 *		Taking over what an application has in tables of its own.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_IMPORT_H
#define UL_IMPORT_H

typedef struct UlImported
{
	int64		limits;
	int64		limits_skipped;
	int64		subscriptions;
	int64		subscriptions_skipped;
	int64		usage_rows;
	int64		usage_rows_skipped;
	int64		events;
	int64		events_skipped;
} UlImported;

/*
 * Imports the tables usage_limits_config, user_subscriptions, user_usage and
 * usage_events of a schema, those that are there, read as the caller; counts
 * what was taken and what could not be.  A schema is imported once.
 */
extern void ul_import(const char *from_schema, UlImported *imported);

#endif							/* UL_IMPORT_H */
