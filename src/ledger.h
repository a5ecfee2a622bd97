/*-------------------------------------------------------------------------
 *
 * ledger.h
 *		The credits of one user: what is left of each grant, and what is to
 *		be added to the ledger.
 *
 * Whoever changes credits opens the user's ledger, takes or gives, and writes.
 * Whoever only asks reads, and writes nothing.
 *
 * An open hold keeps a part of the balance from others, and takes it from no
 * grant: what it is settled with is spent then.  So the grants can come to have
 * less than is held, when one expires or is voided; who settles first has it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_LEDGER_H
#define UL_LEDGER_H

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#include "window.h"

#define UL_TYPE_USAGE	"usage"
#define UL_TYPE_HOLD	"hold"
#define UL_TYPE_REFUND	"refund"
#define UL_TYPE_REFILL	"refill"
#define UL_TYPE_DAILY_REFILL "daily_refill"
#define UL_TYPE_EXPIRY	"expiry"
#define UL_TYPE_VOID	"void"

/* A row of credit_grants; what it says of the columns holds here too */
typedef struct UlGrant
{
	int64		id;				/* 0: not written yet */
	const char *transaction_type;
	int64		amount;
	int64		remaining;
	int64		priority;
	TimestampTz effective_at;
	TimestampTz expires_at;		/* DT_NOEND: never */
	const Interval *recurs_every;	/* NULL: given once */
	int64		max_rollover;
	TimestampTz period_end;		/* DT_NOEND: none */
	TimestampTz voided_at;		/* DT_NOEND: not */
	const char *reference_id;	/* may be NULL, as the next two */
	const char *description;
	const Jsonb *metadata;
	TimestampTz created_at;
	bool		is_open;
	bool		has_started;
	bool		is_daily_refill;
	int64		granted;
	int64		lost;
	int64		sequence_no;

	UlPeriod	period;			/* of recurs_every */
	bool		changed;		/* its row is to be written */
	int64		written_remaining;	/* what the row has */
} UlGrant;

/* What an entry did to one grant */
typedef struct UlDraw
{
	UlGrant    *grant;
	int64		amount;
	int64		shortfall;
} UlDraw;

/* A row of credit_transactions */
typedef struct UlCreditEntry
{
	int64		id;				/* 0: not written yet */
	int64		amount;
	int64		balance_after;
	const char *transaction_type;
	const char *description;	/* may be NULL, as the next two */
	const char *reference_id;
	const Jsonb *metadata;
	TimestampTz created_at;
	int64		sequence_no;
	UlGrant    *grant;			/* of a new entry that concerns one only */
	int64		grant_id;		/* the same, also of one that was read; 0:
								 * none */
	int64		refund_of;		/* 0: none */
	int64		shortfall;
	List	   *draws;			/* of UlDraw, where "grant" does not say it */
} UlCreditEntry;

typedef struct UlLedger
{
	const char *user_id;
	TimestampTz now;			/* never before the newest transaction */
	bool		exists;			/* the user has a row in user_credits */
	bool		loaded;			/* the open grants are known, and nothing is
								 * due */

	/* the row */
	int64		balance;
	int64		lifetime_earned;
	int64		lifetime_spent;
	TimestampTz last_refill_at; /* DT_NOBEGIN: never */
	TimestampTz updated_at;
	int64		sequence_no;
	int64		burning_grant_id;	/* 0: none */
	int64		burning_left;
	TimestampTz due_at;
	TimestampTz refill_due_at;	/* DT_NOBEGIN: no daily refill */
	int64		held;			/* by open holds, and maybe by some that have
								 * expired */

	int64		settling;		/* of that, by the hold that is being settled */
	bool		holds_changed;	/* "held" is to be written */
	List	   *grants;			/* of UlGrant *, in the order in which they
								 * burn */
	List	   *entries;		/* of UlCreditEntry *, to be written */
} UlLedger;

/*
 * Opens a user's ledger, to change it: nobody else does until the transaction
 * ends.  A call that also locks keys of limits locks those first.
 */
extern void ul_ledger_open(UlLedger *ledger, const char *user_id);

/*
 * Takes an amount at once, if the grant that burns has more than that and
 * nothing is due; the entry's id, grant and balance are filled in.  False, and
 * nothing is done, where the ledger must be opened for it.
 */
extern bool ul_ledger_spend_fast(const char *user_id, int64 amount, UlCreditEntry *entry);

/* Reads the grants of an opened ledger, and does what is due. */
extern void ul_ledger_load(UlLedger *ledger);

/*
 * Reads a ledger as it is at an instant, with what is due until then, to look
 * at it only; DT_NOEND: now.  "all": with the grants that are over, too.
 * Waits for nobody.
 */
extern void ul_ledger_read(UlLedger *ledger, const char *user_id, TimestampTz at, bool all);

/* What a user can spend or hold now.  Waits for nobody. */
extern int64 ul_ledger_read_available(const char *user_id);

/*
 * Whether a user has an amount now beside what is held; if not, the ledger is read to look at it.
 * Waits for nobody.
 */
extern bool ul_ledger_look(UlLedger *ledger, const char *user_id, int64 amount);

/*
 * Takes an amount that the balance has, out of the grants in their order; the
 * entry, for what else is to be said in it.
 */
extern UlCreditEntry *ul_ledger_spend(UlLedger *ledger, int64 amount, const char *transaction_type);

/*
 * Whether the balance, with what is due, has an amount beside what is held; what
 * "settling" says is there for it, and more than that needs what is left over.
 * If not, the grants are loaded, and "held" is exact.
 */
extern bool ul_ledger_has(UlLedger *ledger, int64 amount);

/* What can be spent or held, by the "held" that is known. */
extern int64 ul_ledger_available(const UlLedger *ledger);

/* Keeps an amount that the ledger has from others; and lets go of it. */
extern void ul_ledger_hold(UlLedger *ledger, int64 amount);
extern void ul_ledger_end_hold(UlLedger *ledger, int64 amount);

/* A grant of a loaded ledger, whatever its state; NULL if there is none. */
extern UlGrant *ul_ledger_grant(UlLedger *ledger, int64 grant_id);

/* What the charge for an event has as its reference_id. */
extern char *ul_event_reference(int64 event_id);

/* Writes what was changed; entries and grants get their ids. */
extern void ul_ledger_write(UlLedger *ledger);

#endif							/* UL_LEDGER_H */
