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
#include "gate_shared.h"

typedef struct UlFrame UlFrame;
typedef struct UlCell UlCell;
typedef struct UlKey UlKey;

/*
 * Work on a key before what it has used is written; a transaction that is
 * prepared says so.
 */
typedef void (*UlCommitWork) (UlKey *key, bool prepared);

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
	int64		up[UL_NMEASURES];	/* of the amounts: what was added */
	UlTimes		times;			/* DT_NOEND, DT_NOBEGIN: nothing was booked */
	UlCell	   *cell;
	UlFrame    *below;			/* of an outer level */
	UlFrame    *next_in_level;
};

/*
 * A bucket and subtype of a key, used by itself or by an account's members: what
 * becomes a row of usage_counters
 */
struct UlCell
{
	UlKey	   *key;
	TimestampTz bucket_start;
	char	   *event_subtype;	/* "" for none */
	bool		of_members;
	UlFrame    *top;			/* innermost level, or NULL */
	UlAmounts	written;		/* already in the table */
	UlRef		record;			/* of the shared gate; 0: none */
	UlCell	   *next_in_key;
};

/* A user and usage type that this transaction has touched */
struct UlKey
{
	char	   *user_id;
	char	   *usage_type;
	uint64		hash;			/* of gate.h */
	UlPin		pin;			/* of the shared gate */
	bool		marked;			/* its rows were changed by hand */
	bool		rates_marked;	/* or those of its rates */
	bool		rates_closed;	/* decided by the table: see xact_rate.c */
	int			locked_level;	/* that holds the key's lock, or 0 */
	int			slot;			/* that is held without the key's lock, or 0 */
	bool		rows_read;		/* the next is known */
	TimestampTz newest_bucket;	/* of the key's committed rows when they were
								 * read */
	UlCell	   *cells;
	UlCommitWork commit_work;	/* to be done when the transaction ends */
	void	   *commit_state;	/* its own, in the transaction's memory */
	UlKey	   *next_locked;	/* in the level */
	UlKey	   *next_taken;		/* in the level: taken to be flushed */
	UlKey	   *next_closed;	/* in the level: its rates are closed */
	UlKey	   *next;			/* in the transaction */
};

/* The transaction's entry for a key, made if there is none. */
extern UlKey *ul_xact_key(const char *user_id, const char *usage_type);

/* The same, or NULL if the transaction has not touched the key. */
extern UlKey *ul_xact_find_key(const char *user_id, const char *usage_type);

/* The first of the keys that the transaction has touched, or NULL. */
extern UlKey *ul_xact_keys(void);

/*
 * Locks a key to the end of the transaction; true if it had to wait.  At the
 * shared gate it also waits for transactions that have prepared what the gate
 * does not know, so that reading the sums later need not.  Raises
 * an error beyond a number of locked keys that is a fair share of the server's
 * lock table.
 */
extern bool ul_xact_lock(UlKey *key);

/*
 * Locks keys, in the order in which everybody locks several, and has whoever
 * asks the shared gate about them wait for their locks, as those do who lock
 * them.  True if it had to wait.
 */
extern bool ul_xact_close(UlKey **keys, int count);

/* Keeps other setters of the key out, to the end of the transaction. */
extern void ul_xact_lock_setter(UlKey *key);

/* Amounts of one bucket and subtype */
typedef struct UlUse
{
	TimestampTz bucket_start;
	const char *event_subtype;	/* NULL or "": none */
	bool		of_members;		/* an account's share of a member's use */
	UlAmounts	amounts;
	TimestampTz at;
} UlUse;

/* Whether amounts are of a use, and not of one that failed or of an account's members. */
extern bool ul_is_use(const UlUse *use);


/*
 * Asks the shared gate, and books the uses if it admits: see ul_shared_ask.
 * UL_UNAVAILABLE, and nothing is done, where the key's lock must be had.
 */
extern UlOutcome ul_xact_ask(UlKey *key, UlAsk ask, UlTest *tests, int ntests,
							 const UlUse *uses, int nuses, TimestampTz now);

/* The same for uses of a relaxed type, which stay whatever the transaction does. */
extern UlOutcome ul_xact_use(UlKey *key, UlAsk ask, UlTest *tests, int ntests,
							 const UlRelaxedUse *uses, int nuses, TimestampTz now);

/*
 * Adds to the tests' sums whatever counts: as ul_shared_read says, or from the
 * table where there is no shared gate.  Unless the transaction has the key's
 * lock, nobody is waited for.  The pin that got the sums from shared memory, NULL
 * where they are from the table.
 */
extern UlPin *ul_xact_read(const char *user_id, const char *usage_type, UlAsk ask,
						   UlTest *tests, int ntests, TimestampTz now);

/*
 * Has work done on a key, once, when the transaction commits or is prepared; at
 * once where that is going on already.
 */
extern void ul_xact_at_commit(UlKey *key, UlCommitWork work);

/* Takes uses back that were booked in the current subtransaction. */
extern void ul_xact_unbook(UlKey *key, const UlUse *uses, int nuses);

/*
 * Books a use: it is given back when the current (sub)transaction rolls back,
 * and written as one row with others of its bucket and subtype when the
 * transaction commits or is prepared.  Raises an error, and books nothing, when
 * a sum would be out of range.
 */
extern void ul_xact_book(UlKey *key, const UlUse *use);

/*
 * Keeps others from writing rows of a key other than ones of their own, to the
 * end of the transaction, so that they can be folded; false if somebody does.
 */
extern bool ul_xact_begin_fold(const char *user_id, const char *usage_type);

/*
 * Writes the rows of what an entry's key has used relaxed; "denials" gets what
 * was denied, and with "rates" their states, to be written by the caller.  All of
 * it is taken back where the (sub)transaction rolls back.  Returns the rows
 * written, or -1 if the entry has nothing that this transaction can take.  Where
 * "taken" says that there is more, it is to be called again.
 */
extern int	ul_xact_flush(UlRef entry, bool rates, char **user_id, UlTaken *taken);

/* Notes that rows of a key, or of all keys, were changed other than by us. */
extern void ul_xact_mark(const char *user_id, const char *usage_type);
extern void ul_xact_mark_all(void);

/* The same of rows of usage_rates. */
extern void ul_xact_mark_rates(const char *user_id, const char *usage_type);
extern void ul_xact_mark_all_rates(void);

/* Notes that the transaction has changed limits, or what is known of a user. */
extern void ul_xact_mark_config(void);

/* Whether it has changed states of a key's rates by hand (NULL: of one it has not touched). */
extern bool ul_xact_rates_marked(const UlKey *key);

/* Whether it may think otherwise of a key's rates than those who do not see its changes. */
extern bool ul_xact_rates_changed(const UlKey *key);

/*
 * Notes that the table was truncated.  Until the transaction ends, only others
 * see the rows that were there, if it rolls back: it asks and reads by the keys'
 * locks, and leaves nothing that it read in shared memory.
 */
extern void ul_xact_mark_emptied(void);
extern bool ul_xact_emptied(void);

/* For xact_ask.c: the key's cell, made if there is none; and adding to it. */
extern UlCell *ul_xact_cell(UlKey *key, const UlUse *use);
extern void ul_xact_prepare_frame(UlCell *cell, const UlUse *use);
extern void ul_xact_add(UlCell *cell, const UlUse *use);
extern int	ul_xact_count_records(int more);

/* Whether the key has anything that no record says. */
extern bool ul_xact_has_unrecorded(const UlKey *key);

/* Shared by xact.c and xact_write.c: sums; whether one more lock may be asked for, which then counts. */
extern void ul_add_amounts(UlAmounts *sum, const UlAmounts *amounts);
extern void ul_subtract_amounts(UlAmounts *sum, const UlAmounts *amounts);
extern void ul_add_times(UlTimes *to, const UlTimes *times);
extern UlAmounts ul_cell_total(const UlCell *cell);

/*
 * What a frame has taken back; and what a cell has in all its levels, what was
 * added and what was taken back apart, as its record has it.
 */
extern void ul_frame_down(const UlFrame *frame, int64 *down);
extern void ul_cell_up_down(const UlCell *cell, int64 *up, int64 *down);
extern bool ul_xact_count_lock(void);

/* The keys whose counts the current level has taken to flush. */
extern UlKey **ul_xact_taken(void);

/* The keys whose rates the current level has closed. */
extern UlKey **ul_xact_closed(void);

/*
 * Writes what a cell has and the table does not; without a slot, as a row of its
 * own.  Whether there was any.
 */
extern bool ul_xact_write(UlCell *cell);

/* Forgets what was being written when an error came. */
extern void ul_xact_abandon_writing(void);

/* The counter row that is being written by us, or NULL; whether rows are being folded. */
extern const struct UlCounterRow *ul_xact_writing(void);
extern bool ul_xact_folding(void);
extern void ul_xact_set_folding(bool value);

/* Has the end of transactions told to us from now on. */
extern void ul_xact_register(void);

#endif							/* UL_XACT_H */
