/*-------------------------------------------------------------------------
 *
 * store_texts.h
 *		SQL texts, which store.c runs; for the storage files that have them.
 *
 * In a text, "@." stands for our schema.  Other names need no qualification:
 * while a statement is analysed and run, pg_catalog is the whole search path.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_STORE_TEXTS_H
#define UL_STORE_TEXTS_H

#include "store.h"

typedef struct UlStatementText
{
	const char *text;
	int			nargs;
	Oid			types[UL_MAX_ARGS];
} UlStatementText;

/* in a list of parameter types: our usage_decision, whose OID is not constant */
#define DECISION_TYPE InvalidOid

/* store_days.c: statements from UL_FIRST_DAY_STATEMENT on */
extern const UlStatementText ul_day_statements[];

#endif							/* UL_STORE_TEXTS_H */
