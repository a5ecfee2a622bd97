/*-------------------------------------------------------------------------
 *
 * rowexpr.h
 *		Whose a row of an application's table is, and how much it counts.
 *
 * A user's names and expressions are parsed, planned and evaluated as the
 * owner of the table that they are about, as a security-restricted operation,
 * whoever writes the table.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_ROWEXPR_H
#define UL_ROWEXPR_H

#include "nodes/primnodes.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

/* What counts of a table's rows, as text */
typedef struct UlRowText
{
	const char *user_column;	/* a column's name */
	const char *amount;			/* an expression; NULL: 1 */
	const char *predicate;		/* an expression; NULL: all rows */
} UlRowText;

/* The same, to be evaluated */
typedef struct UlRowExprs
{
	Expr	   *user_id;		/* text */
	Expr	   *amount;			/* int8; NULL: 1 */
	Expr	   *predicate;		/* boolean; NULL: true */
	Bitmapset  *columns;		/* that they name, as TriggerData has columns */
} UlRowExprs;

/*
 * Checks a text whose names are to be found in the current search path, and
 * returns it with names that need none; amount and predicate may also be a
 * column's name as it is, unquoted.  Raises an error for what is no expression
 * over one row alone that gives the same at any time.
 */
extern UlRowText ul_row_check(Relation rel, const UlRowText *text);

/* The expressions of a text that was checked, in the current memory. */
extern UlRowExprs ul_row_parse(Relation rel, const UlRowText *text);

/*
 * Calls "seen" with user and amount of each row that counts.  A row whose
 * user is null counts for nobody, an amount that is null is 0.  The user's
 * text is only valid inside.
 */
typedef void (*UlRowSeen) (const char *user_id, int64 amount, void *arg);
extern void ul_row_evaluate(Relation rel, const UlRowExprs *exprs, Tuplestorestate *rows,
							UlRowSeen seen, void *arg);

/*
 * A query for user, sum of amounts and number of the table's rows that count,
 * for a text that was checked; "only": not of its children's.
 */
extern char *ul_row_query(Relation rel, const UlRowText *text, bool only);

#endif							/* UL_ROWEXPR_H */
