/*-------------------------------------------------------------------------
 *
 * xact.h
 *		What the current transaction has used and not yet written.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_XACT_H
#define UL_XACT_H

#include "datatype/timestamp.h"

#include "amounts.h"

typedef struct UlFrame UlFrame;
typedef struct UlCell UlCell;
typedef struct UlKey UlKey;

/*
 * The first and the last time of what is counted: of uses where there are
 * any, else of failed and cancelled events
 */
typedef struct UlTimes
{
	TimestampTz first_at;
	TimestampTz last_at;
	bool		of_uses;
} UlTimes;

/* What one (sub)transaction level has used of a cell */
struct UlFrame
{
	int			level;
	UlAmounts	amounts;
	UlTimes		times;
	UlCell	   *cell;
	UlFrame    *below;			/* of an outer level */
	UlFrame    *next_in_level;
};

/* A bucket and subtype of a key: what becomes a row of usage_counters */
struct UlCell
{
	UlKey	   *key;
	TimestampTz bucket_start;
	char	   *event_subtype;	/* "" for none */
	UlFrame    *top;			/* innermost level, or NULL */
	UlAmounts	written;		/* already in the table */
	UlCell	   *next_in_key;
};

/* A user and usage type that this transaction has touched */
struct UlKey
{
	char	   *user_id;
	char	   *usage_type;
	uint64		hash;			/* of gate.h */
	int			locked_level;	/* that holds the key's lock, or 0 */
	int			slot;			/* that is held without the key's lock, or 0 */
	bool		rows_read;		/* the next is known */
	TimestampTz newest_bucket;	/* of the key's committed rows when they were
								 * read */
	UlCell	   *cells;
	UlKey	   *next_locked;	/* in the level */
	UlKey	   *next;			/* in the transaction */
};

/* The transaction's entry for a key, made if there is none. */
extern UlKey *ul_xact_key(const char *user_id, const char *usage_type);

/* The same, or NULL if the transaction has not touched the key. */
extern UlKey *ul_xact_find_key(const char *user_id, const char *usage_type);

/* The first of the keys that the transaction has touched, or NULL. */
extern UlKey *ul_xact_keys(void);

/*
 * Notes the newest bucket that has a row, DT_NOBEGIN for none: what is written
 * to a newer one is most likely a new row.
 */
extern void ul_xact_rows_read(const char *user_id, const char *usage_type,
							  TimestampTz newest_bucket);

/*
 * Locks a key to the end of the transaction; true if it had to wait.  Raises
 * an error beyond a number of locked keys that is a fair share of the server's
 * lock table.
 */
extern bool ul_xact_lock(UlKey *key);

/*
 * Books amounts in a bucket of a key: they are given back when the current
 * (sub)transaction rolls back, and written as one row when the transaction
 * commits or is prepared.  Raises an error, and books nothing, when a sum
 * would be out of range.
 */
extern void ul_xact_book(UlKey *key, TimestampTz bucket_start, const char *event_subtype,
						 const UlAmounts *amounts, TimestampTz at);

#endif							/* UL_XACT_H */
