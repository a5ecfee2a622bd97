/*-------------------------------------------------------------------------
 *
 * pending.h
 *		What is held: the rows of usage_holds.
 *
 * A hold is open until it is settled or released, until its time is over, or,
 * when it is bound to a session, until that ends.  The last two are found when
 * the row is read: nothing writes them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_PENDING_H
#define UL_PENDING_H

#include "datatype/timestamp.h"
#include "utils/jsonb.h"
#include "utils/snapshot.h"

#include "amounts.h"

typedef enum UlHoldState
{
	UL_HOLD_OPEN,
	UL_HOLD_SETTLED,
	UL_HOLD_RELEASED,
	UL_HOLD_EXPIRED,			/* its time is over */
	UL_HOLD_ORPHANED			/* its session is gone */
} UlHoldState;

/* A row of usage_holds */
typedef struct UlHold
{
	char	   *hold_id;
	char	   *user_id;
	char	   *usage_type;		/* NULL: credits only */
	char	   *event_subtype;	/* NULL: none */
	int64		measures[UL_NMEASURES];
	bool		has_tokens;
	int64		credits;		/* what it has of the user's balance */
	int64		overage[UL_NMEASURES];	/* what of it they pay for because it
										 * is over a limit */
	TimestampTz bucket_start;	/* where what settles it is booked */
	char	   *account_id;		/* that it counts for too; NULL: none */
	TimestampTz account_bucket_start;
	TimestampTz created_at;
	TimestampTz expires_at;
	int			backend_pid;	/* 0: bound to no session */
	TimestampTz backend_start;
	Jsonb	   *metadata;		/* may be NULL */
	UlHoldState state;			/* at the instant it was asked for */
	TimestampTz ended_at;		/* of one that is settled or released */
	int64		settled_amount;
	int64		settled_tokens;
	Datum		answer;			/* a row of usage_decision: how it was taken
								 * or, when it is settled, settled */
} UlHold;

/* False where there is no hold, open or not. */
extern bool ul_holds_exist(void);

/* The hold of that id, its state as of an instant; NULL if there is none. */
extern UlHold *ul_find_hold(const char *hold_id, TimestampTz now);

/*
 * Calls "seen" for each hold of a user and type, or of all types where that is
 * NULL, that is open at an instant: committed ones and this transaction's own.
 * The hold has neither metadata nor answer, and may be gone after the call.
 */
typedef void (*UlHoldSeen) (const UlHold *hold, void *arg);
extern void ul_read_open_holds(const char *user_id, const char *usage_type, TimestampTz now,
							   UlHoldSeen seen, void *arg);

/*
 * The same for each hold that counts for a user and type: his own, and those of
 * the members of an account; bucket_start is where it counts for him.
 */
extern void ul_read_counting_holds(const char *user_id, const char *usage_type, TimestampTz now,
								   UlHoldSeen seen, void *arg);

/*
 * What the holds of a user that are open at an instant have of his balance, as
 * a snapshot shows them.
 */
extern int64 ul_held_credits(const char *user_id, TimestampTz now, Snapshot snapshot);

#endif							/* UL_PENDING_H */
