/*-------------------------------------------------------------------------
 *
 * gate_shared.h
 *		The gate of a server that preloads the library: reservations in shared
 *		memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_GATE_SHARED_H
#define UL_GATE_SHARED_H

#include "amounts.h"
#include "gate.h"
#include "shmem.h"
#include "sums.h"

/* A key, and what a transaction has of its entry */
typedef struct UlPin
{
	const char *user_id;
	const char *usage_type;
	uint64		hash;
	UlEntryKey	key;			/* where there is a shared gate */
	UlRef		entry;			/* pinned; 0: none */
	bool		watched;		/* the next question is for these sums only: */
	uint64		marks;			/* of the entry; 0: they were not known */
	bool		unheld;			/* nothing was held when the last was answered */
	bool		writing;		/* its records have the transaction's xid */
	int			slot;			/* taken to write; -1: none */
	ItemPointerData row;		/* where a row of slot 0 may be; or invalid */
	bool		all_slots;		/* taken to fold */
	uint64		taken_xid;		/* of what was taken to be flushed; 0: nothing */
} UlPin;

/* What is reserved if the tests say yes */
typedef struct UlBooking
{
	TimestampTz bucket_start;
	const char *event_subtype;	/* "" for none */
	int64		up[UL_NMEASURES];	/* added */
	int64		down[UL_NMEASURES]; /* taken back */
	UlRef	   *record;			/* of the transaction; made if 0 */
} UlBooking;

/* What a use of a relaxed type adds, at once and for good */
typedef struct UlRelaxedUse
{
	TimestampTz bucket_start;
	const char *event_subtype;	/* "" for none */
	bool		of_members;		/* an account's share */
	UlAmounts	amounts;
	TimestampTz first_at;
	TimestampTz last_at;
	bool		of_uses;		/* the times are of uses */
} UlRelaxedUse;

/*
 * How the reservations of others count.  Others' increases are assumed to
 * commit, and their decreases to roll back, where something is added; the
 * other way round where something is taken back.
 */
typedef enum UlAsk
{
	UL_ASK_READ,				/* nothing is booked, nobody is waited for */
	UL_ASK_ADD,
	UL_ASK_ADD_UNHELD,			/* the same, if nothing is held of the key */
	UL_ASK_TAKE,				/* "requested" is what is taken back */
	UL_ASK_LEVEL,				/* only what is committed, and one's own */
	UL_ASK_REACHED				/* the same, and nobody is waited for */
} UlAsk;

typedef enum UlOutcome
{
	UL_ADMITTED,
	UL_REFUSED,
	UL_AGAIN,					/* time has gone by: ask anew, with sums anew */
	UL_MAYBE_HELD,				/* to UL_ASK_ADD_UNHELD: something may be held */
	UL_UNAVAILABLE				/* the key's lock must be used instead */
} UlOutcome;

/* Whether keys of this database are guarded by shared memory. */
extern bool ul_shared_gate(void);

/* Begins a pin that has nothing yet. */
extern void ul_init_pin(UlPin *pin, const char *user_id, const char *usage_type);

/*
 * Has the next question about the key answered by UL_AGAIN if its sums are not
 * those of now any more, or if anybody was about to change what is held.
 */
extern void ul_shared_watch(UlPin *pin);

/*
 * Notes, for whoever asks from now on, that nothing is held of the key: it was
 * looked up after the pin began to watch, or got an answer.  False, and nothing is
 * noted, if the key was marked meanwhile.
 */
extern bool ul_shared_note_unheld(const UlPin *pin);

/*
 * Adds to each test's sum, which the caller has begun with what the
 * transaction has that is in no record, all else that counts; and, if every
 * test is met, makes the bookings.  Without tests they are made in any case,
 * and nobody is waited for.  An outcome that books pins the entry.
 */
extern UlOutcome ul_shared_ask(UlPin *pin, UlAsk ask, UlTest *tests, int ntests,
							   UlBooking *bookings, int nbookings, TimestampTz now);

/*
 * The same for a relaxed type: what is admitted is counted at once, whatever
 * becomes of the transaction.
 */
extern UlOutcome ul_shared_use(UlPin *pin, UlAsk ask, UlTest *tests, int ntests,
							   const UlRelaxedUse *uses, int nuses, TimestampTz now);

/* Counts that a limit has denied; nothing else happens if there is no room. */
extern void ul_shared_deny(const UlPin *pin, int64 limit_id, TimestampTz day, TimestampTz at);

/*
 * What is to be flushed of an entry of that place, if it still has anything: the
 * pin, with names that are allocated, and the relaxed uses and denials, and if
 * wanted the states of rates, which are taken by the transaction.  They are gone when it commits, and there again
 * if not.  False if there is nothing.
 */
typedef struct UlDenials
{
	int64		limit_id;
	TimestampTz day;
	int64		count;
	TimestampTz last_at;
} UlDenials;

typedef struct UlTaken
{
	bool		more;			/* there was more than is taken at once */
	int			nuses;
	UlRelaxedUse *uses;
	int			ndenials;
	UlDenials  *denials;
	int			nrates;
	UlRateTaken *rates;
} UlTaken;

extern bool ul_shared_name(UlRef ref, char **user_id, char **usage_type);
extern bool ul_shared_take(UlPin *pin, uint64 xid, bool rates, UlTaken *taken);

/*
 * Forgets what is in no table yet of any other extension that this database had:
 * one that was dropped can not be flushed, nor evicted.
 */
extern void ul_shared_forget_others(Oid relid);

/* Gives back what the transaction has taken: for a subtransaction that rolls back. */
extern void ul_shared_give_back(const UlPin *pin);

/*
 * Adds to the sums what the table and the records say, and books nothing: with
 * "locked" for whoever holds the key's lock to the end of its transaction, who
 * may be made to wait; else for whoever only looks.
 */
extern void ul_shared_read(const UlPin *pin, UlAsk ask, UlTest *tests, int ntests, bool locked);

/* The newest bucket of any reservation of the key, or DT_NOBEGIN. */
extern TimestampTz ul_shared_newest_bucket(const UlPin *pin);

/* Takes back a part of a record: for a subtransaction that rolls back. */
extern void ul_shared_withdraw(const UlPin *pin, UlRef record, const int64 *up, const int64 *down);

/*
 * Takes the slot whose rows the transaction will write, and gives its records
 * the transaction's xid.  The slot is -1 where none is free, or none is wanted.
 */
extern void ul_shared_begin_write(UlPin *pin, bool want_slot, uint64 xid);

/* Takes all slots of a key, so that its rows can be folded; false if one is in use. */
extern bool ul_shared_take_all_slots(UlPin *pin);

/*
 * What happens to the pinned entry when the transaction ends, or is prepared.
 * Neither allocates nor fails.
 */
extern void ul_shared_end(UlPin *pin, bool committed);
extern void ul_shared_prepare(UlPin *pin);

/*
 * Ends a load that an error has interrupted; for the end of every transaction
 * and subtransaction that rolls back.  Neither allocates nor fails.
 */
extern void ul_abandon_load(void);

/* Makes the key's sums cold: rows were changed without a record. */
extern void ul_shared_mark(const UlPin *pin);

/*
 * The same before the transaction that changed them is prepared: they are not
 * read again before it has ended.
 */
extern void ul_shared_mark_prepared(const UlPin *pin);

#endif							/* UL_GATE_SHARED_H */
