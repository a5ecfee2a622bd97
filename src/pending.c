/*-------------------------------------------------------------------------
 *
 * pending.c
 *		What is held: the rows of usage_holds.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/datum.h"

#include "pending.h"
#include "scan.h"
#include "session.h"
#include "tables.h"

typedef struct ReadState
{
	TimestampTz now;
	UlHoldSeen	seen;
	void	   *arg;
} ReadState;

typedef struct FindState
{
	TimestampTz now;
	UlHold	   *hold;
} FindState;

static UlHoldState
state_of(TupleTableSlot *slot, const UlHold *hold, TimestampTz now)
{
	if (hold->ended_at != DT_NOEND)
		return strcmp(ul_slot_text(slot, Anum_hold_state), "settled") == 0 ?
			UL_HOLD_SETTLED : UL_HOLD_RELEASED;
	if (hold->expires_at <= now)
		return UL_HOLD_EXPIRED;
	if (hold->backend_pid != 0 && !ul_session_lives(hold->backend_pid, hold->backend_start))
		return UL_HOLD_ORPHANED;
	return UL_HOLD_OPEN;
}

static void
hold_of_slot(UlHold *hold, TupleTableSlot *slot, TimestampTz now)
{
	memset(hold, 0, sizeof(*hold));
	hold->hold_id = ul_slot_text(slot, Anum_hold_hold_id);
	hold->user_id = ul_slot_text(slot, Anum_hold_user_id);
	hold->usage_type = ul_slot_text(slot, Anum_hold_usage_type);
	hold->event_subtype = ul_slot_text(slot, Anum_hold_event_subtype);
	hold->measures[UL_MEASURE_AMOUNT] = ul_slot_int8(slot, Anum_hold_amount, 0);
	hold->measures[UL_MEASURE_TOKENS] = ul_slot_int8(slot, Anum_hold_tokens_used, 0);
	hold->has_tokens = !slot_attisnull(slot, Anum_hold_tokens_used);
	hold->credits = ul_slot_int8(slot, Anum_hold_credits, 0);
	hold->measures[UL_MEASURE_CREDITS] = hold->credits;
	hold->overage[UL_MEASURE_AMOUNT] = ul_slot_int8(slot, Anum_hold_overage, 0);
	hold->overage[UL_MEASURE_TOKENS] = ul_slot_int8(slot, Anum_hold_overage_tokens, 0);
	hold->bucket_start = ul_slot_time(slot, Anum_hold_bucket_start, DT_NOBEGIN);
	hold->account_id = ul_slot_text(slot, Anum_hold_account_id);
	hold->account_bucket_start = ul_slot_time(slot, Anum_hold_account_bucket_start, DT_NOBEGIN);
	hold->created_at = ul_slot_time(slot, Anum_hold_created_at, DT_NOBEGIN);
	hold->expires_at = ul_slot_time(slot, Anum_hold_expires_at, DT_NOEND);
	hold->backend_pid = (int) ul_slot_int8(slot, Anum_hold_backend_pid, 0);
	hold->backend_start = ul_slot_time(slot, Anum_hold_backend_start, 0);
	hold->ended_at = ul_slot_time(slot, Anum_hold_ended_at, DT_NOEND);
	hold->settled_amount = ul_slot_int8(slot, Anum_hold_settled_amount, 0);
	hold->settled_tokens = ul_slot_int8(slot, Anum_hold_settled_tokens, 0);
	hold->state = state_of(slot, hold, now);
}

static bool
read_hold(TupleTableSlot *slot, void *arg)
{
	FindState  *state = arg;
	bool		isnull;
	Datum		value;

	state->hold = palloc(sizeof(UlHold));
	hold_of_slot(state->hold, slot, state->now);
	value = slot_getattr(slot, Anum_hold_metadata, &isnull);
	if (!isnull)
		state->hold->metadata = DatumGetJsonbPCopy(value);
	value = slot_getattr(slot, Anum_hold_answer, &isnull);
	if (!isnull)
		state->hold->answer = PointerGetDatum(PG_DETOAST_DATUM_COPY(value));
	return false;
}

bool
ul_holds_exist(void)
{
	return !ul_table_is_blank(UL_USAGE_HOLDS);
}

UlHold *
ul_find_hold(const char *hold_id, TimestampTz now)
{
	FindState	state = {.now = now};
	Snapshot	snapshot = ul_latest_snapshot(false);
	ScanKeyData key;

	ul_key_text(&key, 1, hold_id);
	ul_scan(UL_USAGE_HOLDS, UL_USAGE_HOLDS_PKEY, 1, &key, snapshot, read_hold, &state);
	ul_release_snapshot(snapshot);
	return state.hold;
}

static bool
read_open(TupleTableSlot *slot, void *arg)
{
	ReadState  *state = arg;
	UlHold		hold;

	hold_of_slot(&hold, slot, state->now);
	if (hold.state == UL_HOLD_OPEN)
		state->seen(&hold, state->arg);
	return true;
}

static bool
read_open_of_member(TupleTableSlot *slot, void *arg)
{
	ReadState  *state = arg;
	UlHold		hold;

	hold_of_slot(&hold, slot, state->now);
	hold.bucket_start = hold.account_bucket_start;
	if (hold.state == UL_HOLD_OPEN)
		state->seen(&hold, state->arg);
	return true;
}

/*
 * Reads the holds of somebody, by an index that he leads.  It holds no hold that
 * is settled or released, and is read from now on, so that of those that nobody
 * ended only the ones that count are read.
 */
static void
read_open_by(UlTable index, const char *user_id, const char *usage_type, UlScanRow read,
			 ReadState *state)
{
	Snapshot	snapshot = ul_latest_snapshot(false);
	ScanKeyData keys[3];

	ul_key_text(&keys[0], 1, user_id);
	if (usage_type != NULL)
	{
		ul_key_text(&keys[1], 2, usage_type);
		ul_key_after_time(&keys[2], 3, state->now);
	}
	ul_scan(UL_USAGE_HOLDS, index, usage_type == NULL ? 1 : 3, keys, snapshot, read, state);
	ul_release_snapshot(snapshot);
}

void
ul_read_open_holds(const char *user_id, const char *usage_type, TimestampTz now,
				   UlHoldSeen seen, void *arg)
{
	ReadState	state = {.now = now,.seen = seen,.arg = arg};

	if (ul_holds_exist())
		read_open_by(UL_USAGE_HOLDS_OPEN_IDX, user_id, usage_type, read_open, &state);
}

void
ul_read_counting_holds(const char *user_id, const char *usage_type, TimestampTz now,
					   UlHoldSeen seen, void *arg)
{
	ReadState	state = {.now = now,.seen = seen,.arg = arg};

	if (!ul_holds_exist())
		return;
	read_open_by(UL_USAGE_HOLDS_OPEN_IDX, user_id, usage_type, read_open, &state);
	read_open_by(UL_USAGE_HOLDS_ACCOUNT_IDX, user_id, usage_type, read_open_of_member, &state);
}

static void
add_credits(const UlHold *hold, void *arg)
{
	*(int64 *) arg += hold->credits;
}

int64
ul_held_credits(const char *user_id, TimestampTz now, Snapshot snapshot)
{
	int64		credits = 0;
	ReadState	state = {.now = now,.seen = add_credits,.arg = &credits};
	ScanKeyData keys[2];

	ul_key_text(&keys[0], 1, user_id);
	ul_key_after_time(&keys[1], 2, now);
	ul_scan(UL_USAGE_HOLDS, UL_USAGE_HOLDS_CREDITS_IDX, 2, keys, snapshot, read_open, &state);
	return credits;
}
