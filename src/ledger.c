/*-------------------------------------------------------------------------
 *
 * ledger.c
 *		The credits of one user: what is left of each grant, and what is to
 *		be added to the ledger.
 *
 * Everything is in tables, so that a rollback, to a savepoint too, takes it
 * back.  Who changes a user's credits has them for himself to the end of his
 * transaction.  A READ COMMITTED transaction locks the user's row, as any UPDATE
 * would: nothing passes a hot row from one transaction to the next faster, and
 * a transaction can lock any number of rows.  To a REPEATABLE READ or
 * SERIALIZABLE one a row that others have locked and changed is an error,
 * 40001: it waits until it is alone with the user, by a lock that the others
 * share, and what it reads then is what the last change has left.  As a
 * transaction keeps its level, none shares that lock first and then wants it for
 * itself.
 *
 * Reads neither wait nor take SIREAD locks, and neither do writes in a
 * SERIALIZABLE transaction (the statements named UNREAD).
 *
 * What has fallen due (grants.c) becomes entries at the next write; who only
 * looks does the same in memory.
 *
 * user_credits repeats what most calls need: how much is left of the grant that
 * burns, when something falls due, and how much is held.  Where that says
 * enough, a spend reads and writes this one row and adds an entry, and looks at
 * no grant and no hold.  A hold that expires is not taken out of what is held
 * before somebody needs it: then the holds themselves are asked.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/sequence.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "alerts.h"
#include "gate.h"
#include "grants.h"
#include "guc.h"
#include "ledger.h"
#include "pending.h"
#include "scan.h"
#include "store.h"
#include "tables.h"


/* A column of time; null: the value given. */
static TimestampTz
time_of_datum(Datum value, bool isnull, TimestampTz null_value)
{
	return isnull ? null_value : DatumGetTimestampTz(value);
}

/* The columns of UL_LOCK_CREDITS. */
static void
read_locked_row(const Datum *values, const bool *nulls, void *arg)
{
	UlLedger   *ledger = arg;

	ledger->exists = true;
	ledger->balance = DatumGetInt64(values[0]);
	ledger->lifetime_earned = DatumGetInt64(values[1]);
	ledger->lifetime_spent = DatumGetInt64(values[2]);
	ledger->last_refill_at = time_of_datum(values[3], nulls[3], DT_NOBEGIN);
	ledger->updated_at = DatumGetTimestampTz(values[4]);
	ledger->sequence_no = DatumGetInt64(values[5]);
	ledger->burning_grant_id = nulls[6] ? 0 : DatumGetInt64(values[6]);
	ledger->burning_left = DatumGetInt64(values[7]);
	ledger->due_at = DatumGetTimestampTz(values[8]);
	ledger->refill_due_at = time_of_datum(values[9], nulls[9], DT_NOBEGIN);
	ledger->held = DatumGetInt64(values[10]);
}

static bool
read_row(TupleTableSlot *slot, void *arg)
{
	UlLedger   *ledger = arg;

	ledger->exists = true;
	ledger->balance = ul_slot_int8(slot, Anum_credits_balance, 0);
	ledger->lifetime_earned = ul_slot_int8(slot, Anum_credits_lifetime_earned, 0);
	ledger->lifetime_spent = ul_slot_int8(slot, Anum_credits_lifetime_spent, 0);
	ledger->last_refill_at = ul_slot_time(slot, Anum_credits_last_refill_at, DT_NOBEGIN);
	ledger->updated_at = ul_slot_time(slot, Anum_credits_updated_at, DT_NOBEGIN);
	ledger->sequence_no = ul_slot_int8(slot, Anum_credits_sequence_no, 0);
	ledger->burning_grant_id = ul_slot_int8(slot, Anum_credits_burning_grant_id, 0);
	ledger->burning_left = ul_slot_int8(slot, Anum_credits_burning_left, 0);
	ledger->due_at = ul_slot_time(slot, Anum_credits_due_at, DT_NOEND);
	ledger->refill_due_at = ul_slot_time(slot, Anum_credits_refill_due_at, DT_NOBEGIN);
	ledger->held = ul_slot_int8(slot, Anum_credits_held, 0);
	return false;
}

static void
init_ledger(UlLedger *ledger, const char *user_id)
{
	memset(ledger, 0, sizeof(*ledger));
	ledger->user_id = user_id;
	ledger->last_refill_at = DT_NOBEGIN;
	ledger->updated_at = DT_NOBEGIN;
	ledger->due_at = DT_NOEND;
	ledger->refill_due_at = DT_NOBEGIN;
}

static void
scan_row(UlLedger *ledger, Snapshot snapshot)
{
	ScanKeyData key;

	ul_key_text(&key, 1, ledger->user_id);
	ul_scan(UL_USER_CREDITS, UL_USER_CREDITS_PKEY, 1, &key, snapshot, read_row, ledger);
}

/* Locks the row, and makes it if there is none. */
static void
lock_row(UlLedger *ledger)
{
	UlArgs		args = {0};

	ul_arg_text(&args, ledger->user_id);
	for (;;)
	{
		UlArgs		begin = {0};

		ul_execute_rows(UL_LOCK_CREDITS, &args, read_locked_row, ledger);
		if (ledger->exists)
			return;
		ul_arg_text(&begin, ledger->user_id);
		ul_arg_time(&begin, ul_now());
		ul_execute(UL_BEGIN_CREDITS, &begin);
	}
}

static UlGrant *
grant_of_slot(TupleTableSlot *slot)
{
	UlGrant    *grant = palloc0(sizeof(UlGrant));
	bool		isnull;
	Datum		value;

	grant->id = ul_slot_int8(slot, Anum_grant_id, 0);
	grant->transaction_type = ul_slot_text(slot, Anum_grant_transaction_type);
	grant->amount = ul_slot_int8(slot, Anum_grant_amount, 0);
	grant->remaining = ul_slot_int8(slot, Anum_grant_remaining, 0);
	grant->written_remaining = grant->remaining;
	grant->priority = ul_slot_int8(slot, Anum_grant_priority, 0);
	grant->effective_at = ul_slot_time(slot, Anum_grant_effective_at, DT_NOBEGIN);
	grant->expires_at = ul_slot_time(slot, Anum_grant_expires_at, DT_NOEND);
	value = slot_getattr(slot, Anum_grant_recurs_every, &isnull);
	if (!isnull)
	{
		Interval   *interval = palloc(sizeof(Interval));

		*interval = *DatumGetIntervalP(value);
		grant->recurs_every = interval;
	}
	grant->max_rollover = ul_slot_int8(slot, Anum_grant_max_rollover, 0);
	grant->period_end = ul_slot_time(slot, Anum_grant_period_end, DT_NOEND);
	grant->voided_at = ul_slot_time(slot, Anum_grant_voided_at, DT_NOEND);
	grant->reference_id = ul_slot_text(slot, Anum_grant_reference_id);
	grant->description = ul_slot_text(slot, Anum_grant_description);
	value = slot_getattr(slot, Anum_grant_metadata, &isnull);
	if (!isnull)
		grant->metadata = DatumGetJsonbPCopy(value);
	grant->created_at = ul_slot_time(slot, Anum_grant_created_at, DT_NOBEGIN);
	grant->is_open = ul_slot_bool(slot, Anum_grant_is_open);
	grant->has_started = ul_slot_bool(slot, Anum_grant_has_started);
	grant->is_daily_refill = ul_slot_bool(slot, Anum_grant_is_daily_refill);
	grant->granted = ul_slot_int8(slot, Anum_grant_granted, 0);
	grant->lost = ul_slot_int8(slot, Anum_grant_lost, 0);
	grant->sequence_no = ul_slot_int8(slot, Anum_grant_sequence_no, 0);
	ul_grant_init_period(grant);
	return grant;
}

static bool
read_grant(TupleTableSlot *slot, void *arg)
{
	UlLedger   *ledger = arg;
	UlGrant    *grant = grant_of_slot(slot);

	if (grant->id == ledger->burning_grant_id)
		grant->remaining = ledger->burning_left;
	ledger->grants = lappend(ledger->grants, grant);
	return true;
}

static void
read_grants(UlLedger *ledger, Snapshot snapshot, bool all)
{
	ScanKeyData key;

	ul_key_text(&key, 1, ledger->user_id);
	ul_scan(UL_CREDIT_GRANTS, all ? UL_CREDIT_GRANTS_PKEY : UL_CREDIT_GRANTS_OPEN_IDX, 1, &key,
			snapshot, read_grant, ledger);
	ul_grants_sort(ledger);
}

void
ul_ledger_open(UlLedger *ledger, const char *user_id)
{
	init_ledger(ledger, user_id);
	ul_gate_lock_credits(user_id, IsolationUsesXactSnapshot());
	if (IsolationUsesXactSnapshot())
	{
		Snapshot	snapshot = ul_latest_snapshot(false);

		scan_row(ledger, snapshot);
		ul_release_snapshot(snapshot);
	}
	else
		lock_row(ledger);
	ledger->now = Max(ul_now(), ledger->updated_at);
}

static void
read_fast_spend(const Datum *values, const bool *nulls, void *arg)
{
	UlCreditEntry *entry = arg;

	entry->id = DatumGetInt64(values[0]);
	entry->balance_after = DatumGetInt64(values[1]);
	entry->grant_id = DatumGetInt64(values[2]);
}

bool
ul_ledger_spend_fast(const char *user_id, int64 amount, UlCreditEntry *entry)
{
	TimestampTz now = ul_now();
	UlArgs		args = {0};

	if (IsolationUsesXactSnapshot())
		return false;
	ul_gate_lock_credits(user_id, false);
	entry->id = 0;
	ul_arg_text(&args, user_id);
	ul_arg_time(&args, now);
	ul_arg_int8(&args, amount);
	ul_arg_time(&args, ul_credits_enabled ? now : DT_NOBEGIN);
	ul_arg_time(&args, ul_credits_enabled && ul_daily_refill(user_id, now) > 0 ? DT_NOBEGIN : DT_NOEND);
	ul_arg_text(&args, entry->transaction_type);
	ul_arg_text(&args, entry->description);
	ul_arg_datum(&args, JsonbPGetDatum(entry->metadata), entry->metadata == NULL);
	ul_execute_rows(UL_SPEND_FAST, &args, read_fast_spend, entry);
	if (entry->id == 0)
		return false;
	ul_alert_balance(user_id, entry->balance_after + amount, entry->balance_after, now);
	return true;
}

void
ul_ledger_load(UlLedger *ledger)
{
	Snapshot	snapshot;

	if (ledger->loaded)
		return;
	snapshot = ul_latest_snapshot(false);
	read_grants(ledger, snapshot, false);
	ul_release_snapshot(snapshot);
	ul_grants_do_due(ledger, ledger->now);
}

void
ul_ledger_read(UlLedger *ledger, const char *user_id, TimestampTz at, bool all)
{
	Snapshot	snapshot = ul_latest_snapshot(false);

	init_ledger(ledger, user_id);
	scan_row(ledger, snapshot);
	read_grants(ledger, snapshot, all);
	ul_release_snapshot(snapshot);
	ledger->now = Max(at == DT_NOEND ? ul_now() : at, ledger->updated_at);
	ul_grants_do_due(ledger, ledger->now);
}

/* Whether nothing has fallen due since the row was written. */
static bool
nothing_is_due(const UlLedger *ledger)
{
	if (!ledger->exists || ledger->due_at <= ledger->now)
		return false;
	if (!ul_credits_enabled)
		return true;
	if (ledger->refill_due_at != DT_NOBEGIN)
		return ledger->refill_due_at > ledger->now;
	return ul_daily_refill(ledger->user_id, ledger->now) == 0;
}

/* Whether the balance, as it is known, has an amount beside what is held. */
static bool
has_beside_holds(const UlLedger *ledger, int64 amount)
{
	if (amount <= ledger->settling)
		return amount <= ledger->balance;
	return amount - ledger->settling <= ledger->balance - ledger->held;
}

/* The same by the row alone, where that says enough. */
static bool
row_has(const UlLedger *ledger, int64 amount)
{
	return (ledger->loaded || nothing_is_due(ledger)) && has_beside_holds(ledger, amount);
}

static void
read_held(UlLedger *ledger, Snapshot snapshot)
{
	if (ledger->held > 0)
		ledger->held = ul_held_credits(ledger->user_id, ledger->now, snapshot);
}

/* The same by the grants and holds, as a snapshot shows them. */
static bool
all_has(UlLedger *ledger, int64 amount, Snapshot snapshot)
{
	if (!ledger->loaded)
	{
		read_grants(ledger, snapshot, false);
		ul_grants_do_due(ledger, ledger->now);
	}
	if (has_beside_holds(ledger, amount))
		return true;
	read_held(ledger, snapshot);
	return has_beside_holds(ledger, amount);
}

bool
ul_ledger_look(UlLedger *ledger, const char *user_id, int64 amount)
{
	Snapshot	snapshot = ul_latest_snapshot(false);
	bool		has;

	init_ledger(ledger, user_id);
	scan_row(ledger, snapshot);
	ledger->now = Max(ul_now(), ledger->updated_at);
	has = row_has(ledger, amount) || all_has(ledger, amount, snapshot);
	ul_release_snapshot(snapshot);
	return has;
}

int64
ul_ledger_read_available(const char *user_id)
{
	Snapshot	snapshot = ul_latest_snapshot(false);
	UlLedger	ledger;

	init_ledger(&ledger, user_id);
	scan_row(&ledger, snapshot);
	ledger.now = Max(ul_now(), ledger.updated_at);
	read_grants(&ledger, snapshot, false);
	ul_grants_do_due(&ledger, ledger.now);
	read_held(&ledger, snapshot);
	ul_release_snapshot(snapshot);
	return ul_ledger_available(&ledger);
}

bool
ul_ledger_has(UlLedger *ledger, int64 amount)
{
	Snapshot	snapshot;
	bool		has;

	if (row_has(ledger, amount))
		return true;
	snapshot = ul_latest_snapshot(false);
	has = all_has(ledger, amount, snapshot);
	ul_release_snapshot(snapshot);
	return has;
}

int64
ul_ledger_available(const UlLedger *ledger)
{
	return Max(0, ledger->balance - ledger->held);
}

void
ul_ledger_hold(UlLedger *ledger, int64 amount)
{
	ledger->held += amount;
	ledger->holds_changed = true;
}

void
ul_ledger_end_hold(UlLedger *ledger, int64 amount)
{
	Snapshot	snapshot = ul_latest_snapshot(false);

	/* the row is written: what fell due before is dated with its instant */
	if (!nothing_is_due(ledger))
		ul_ledger_load(ledger);
	/* and what holds had that have expired is held no more */
	read_held(ledger, snapshot);
	ul_release_snapshot(snapshot);
	ledger->held = Max(0, ledger->held - amount);
	ledger->holds_changed = true;
}

UlCreditEntry *
ul_ledger_spend(UlLedger *ledger, int64 amount, const char *transaction_type)
{
	UlCreditEntry *entry;

	ledger->lifetime_spent += amount;
	if (!ledger->loaded && nothing_is_due(ledger) && amount < ledger->burning_left)
	{
		/* the grant that burns goes on burning */
		ledger->burning_left -= amount;
		entry = ul_grants_add_entry(ledger, -amount, transaction_type, NULL, ledger->now);
		entry->grant_id = ledger->burning_grant_id;
		return entry;
	}

	ul_ledger_load(ledger);
	return ul_grants_draw(ledger, amount, transaction_type);
}

char *
ul_event_reference(int64 event_id)
{
	return psprintf("event:" INT64_FORMAT, event_id);
}

static bool
read_any_grant(TupleTableSlot *slot, void *arg)
{
	*(UlGrant **) arg = grant_of_slot(slot);
	return false;
}

UlGrant *
ul_ledger_grant(UlLedger *ledger, int64 grant_id)
{
	UlGrant    *grant = NULL;
	ListCell   *cell;
	ScanKeyData keys[2];
	Snapshot	snapshot;

	foreach(cell, ledger->grants)
		if (((UlGrant *) lfirst(cell))->id == grant_id)
		return lfirst(cell);

	ul_key_text(&keys[0], 1, ledger->user_id);
	ul_key_int8(&keys[1], 2, grant_id);
	snapshot = ul_latest_snapshot(false);
	ul_scan(UL_CREDIT_GRANTS, UL_CREDIT_GRANTS_PKEY, 2, keys, snapshot, read_any_grant, &grant);
	ul_release_snapshot(snapshot);
	if (grant == NULL)
		return NULL;
	ledger->grants = lappend(ledger->grants, grant);
	ul_grants_sort(ledger);
	return grant;
}

static void
arg_int8_or_null(UlArgs *args, int64 value, int64 null_value)
{
	ul_arg_datum(args, Int64GetDatum(value), value == null_value);
}

static void
arg_time_or_null(UlArgs *args, TimestampTz value, TimestampTz null_value)
{
	ul_arg_datum(args, TimestampTzGetDatum(value), value == null_value);
}

static void
insert_grant(UlLedger *ledger, UlGrant *grant)
{
	UlArgs		args = {0};

	grant->id = nextval_internal(ul_schema()->oid[UL_CREDIT_GRANTS_ID_SEQ], false);
	ul_arg_int8(&args, grant->id);
	ul_arg_text(&args, ledger->user_id);
	ul_arg_text(&args, grant->transaction_type);
	ul_arg_int8(&args, grant->amount);
	ul_arg_int8(&args, grant->remaining);
	ul_arg_int8(&args, grant->priority);
	ul_arg_time(&args, grant->effective_at);
	arg_time_or_null(&args, grant->expires_at, DT_NOEND);
	ul_arg_datum(&args, IntervalPGetDatum(grant->recurs_every), grant->recurs_every == NULL);
	ul_arg_int8(&args, grant->max_rollover);
	arg_time_or_null(&args, grant->period_end, DT_NOEND);
	ul_arg_text(&args, grant->reference_id);
	ul_arg_text(&args, grant->description);
	ul_arg_datum(&args, JsonbPGetDatum(grant->metadata), grant->metadata == NULL);
	ul_arg_time(&args, grant->created_at);
	ul_arg_datum(&args, BoolGetDatum(grant->is_open), false);
	ul_arg_datum(&args, BoolGetDatum(grant->has_started), false);
	ul_arg_datum(&args, BoolGetDatum(grant->is_daily_refill), false);
	ul_arg_int8(&args, grant->granted);
	ul_arg_int8(&args, ledger->sequence_no);
	ul_execute(UL_INSERT_GRANT, &args);
}

static void
update_grant(UlLedger *ledger, const UlGrant *grant)
{
	UlArgs		args = {0};

	ul_arg_text(&args, ledger->user_id);
	ul_arg_int8(&args, grant->id);
	ul_arg_int8(&args, grant->amount);
	ul_arg_int8(&args, grant->remaining);
	arg_time_or_null(&args, grant->period_end, DT_NOEND);
	arg_time_or_null(&args, grant->voided_at, DT_NOEND);
	ul_arg_datum(&args, BoolGetDatum(grant->is_open), false);
	ul_arg_datum(&args, BoolGetDatum(grant->has_started), false);
	ul_arg_int8(&args, grant->granted);
	ul_arg_int8(&args, grant->lost);
	ul_execute(IsolationIsSerializable() ? UL_UPDATE_GRANT_UNREAD : UL_UPDATE_GRANT, &args);
}

/*
 * Says in the row which grant burns and when something falls due, and writes
 * the grants' rows; that of the one that burns only if more has changed than
 * what is left of it.
 */
static void
write_grants(UlLedger *ledger)
{
	ListCell   *cell;
	UlGrant    *burning = NULL;

	ledger->due_at = DT_NOEND;
	ledger->refill_due_at = DT_NOBEGIN;
	foreach(cell, ledger->grants)
	{
		UlGrant    *grant = lfirst(cell);

		if (burning == NULL && grant->is_open && grant->remaining > 0)
			burning = grant;
		if (grant->is_daily_refill)
			ledger->refill_due_at = grant->period_end;
		else
			ledger->due_at = Min(ledger->due_at, ul_grant_due_at(grant));
	}
	foreach(cell, ledger->grants)
	{
		UlGrant    *grant = lfirst(cell);

		if (grant->id == 0)
			insert_grant(ledger, grant);
		else if (grant->changed ||
				 (grant != burning && grant->remaining != grant->written_remaining))
			update_grant(ledger, grant);
	}
	ledger->burning_grant_id = burning == NULL ? 0 : burning->id;
	ledger->burning_left = burning == NULL ? 0 : burning->remaining;
}

static void
write_draws(const UlLedger *ledger, const UlCreditEntry *entry)
{
	ListCell   *cell;
	int64		draw_no = 0;

	foreach(cell, entry->draws)
	{
		const UlDraw *draw = lfirst(cell);
		UlArgs		args = {0};

		ul_arg_text(&args, ledger->user_id);
		ul_arg_int8(&args, entry->id);
		ul_arg_int8(&args, draw->grant->id);
		ul_arg_int8(&args, draw->amount);
		ul_arg_int8(&args, draw->shortfall);
		arg_int8_or_null(&args, entry->refund_of, 0);
		ul_arg_int8(&args, ++draw_no);
		ul_execute(UL_INSERT_DRAW, &args);
	}
}

static void
prepare_entry(UlCreditEntry *entry)
{
	entry->id = nextval_internal(ul_schema()->oid[UL_CREDIT_TRANSACTIONS_ID_SEQ], false);
	if (entry->grant != NULL)
		entry->grant_id = entry->grant->id;
}

static void
write_entry(const UlLedger *ledger, const UlCreditEntry *entry)
{
	UlArgs		args = {0};

	ul_arg_int8(&args, entry->id);
	ul_arg_text(&args, ledger->user_id);
	ul_arg_int8(&args, entry->amount);
	ul_arg_int8(&args, entry->balance_after);
	ul_arg_text(&args, entry->transaction_type);
	ul_arg_text(&args, entry->description);
	ul_arg_text(&args, entry->reference_id);
	ul_arg_datum(&args, JsonbPGetDatum(entry->metadata), entry->metadata == NULL);
	ul_arg_time(&args, entry->created_at);
	ul_arg_int8(&args, entry->sequence_no);
	arg_int8_or_null(&args, entry->grant_id, 0);
	arg_int8_or_null(&args, entry->refund_of, 0);
	ul_arg_int8(&args, entry->shortfall);
	ul_execute(UL_INSERT_TRANSACTION, &args);
	write_draws(ledger, entry);
}

/* The row and the one entry of a spend that looked at no grant. */
static void
write_plain_spend(const UlLedger *ledger, const UlCreditEntry *entry)
{
	UlArgs		args = {0};

	ul_arg_text(&args, ledger->user_id);
	ul_arg_int8(&args, entry->balance_after);
	ul_arg_int8(&args, ledger->lifetime_spent);
	ul_arg_time(&args, entry->created_at);
	ul_arg_int8(&args, entry->sequence_no);
	ul_arg_int8(&args, ledger->burning_left);
	ul_arg_int8(&args, entry->id);
	ul_arg_int8(&args, entry->amount);
	ul_arg_text(&args, entry->transaction_type);
	ul_arg_text(&args, entry->description);
	ul_arg_text(&args, entry->reference_id);
	ul_arg_datum(&args, JsonbPGetDatum(entry->metadata), entry->metadata == NULL);
	ul_arg_int8(&args, entry->grant_id);
	ul_arg_int8(&args, ledger->held);
	ul_execute(UL_SPEND_PLAIN, &args);
}

static void
write_row(const UlLedger *ledger)
{
	UlArgs		args = {0};

	ul_arg_text(&args, ledger->user_id);
	ul_arg_int8(&args, ledger->balance);
	ul_arg_int8(&args, ledger->lifetime_earned);
	ul_arg_int8(&args, ledger->lifetime_spent);
	arg_time_or_null(&args, ledger->last_refill_at, DT_NOBEGIN);
	ul_arg_time(&args, Max(ledger->updated_at, ledger->now));
	ul_arg_int8(&args, ledger->sequence_no);
	arg_int8_or_null(&args, ledger->burning_grant_id, 0);
	ul_arg_int8(&args, ledger->burning_left);
	ul_arg_time(&args, ledger->due_at);
	arg_time_or_null(&args, ledger->refill_due_at, DT_NOBEGIN);
	ul_arg_int8(&args, ledger->held);
	ul_execute(!ledger->exists || IsolationIsSerializable() ?
			   UL_WRITE_CREDITS_UNREAD : UL_WRITE_CREDITS, &args);
}

/* Whether there is anything to write. */
static bool
is_changed(const UlLedger *ledger)
{
	ListCell   *cell;

	if (ledger->entries != NIL || ledger->holds_changed)
		return true;
	foreach(cell, ledger->grants)
		if (((UlGrant *) lfirst(cell))->changed)
		return true;
	return false;
}

/* The highest of the balances that a ledger's entries began with and came to. */
static int64
highest_balance(const UlLedger *ledger)
{
	const UlCreditEntry *first = linitial(ledger->entries);
	int64		highest = first->balance_after - first->amount;
	ListCell   *cell;

	foreach(cell, ledger->entries)
		highest = Max(highest, ((UlCreditEntry *) lfirst(cell))->balance_after);
	return highest;
}

static void
write_changes(UlLedger *ledger)
{
	ListCell   *cell;

	if (ledger->loaded)
		write_grants(ledger);
	foreach(cell, ledger->entries)
		prepare_entry(lfirst(cell));
	if (!ledger->loaded && list_length(ledger->entries) == 1 && !IsolationIsSerializable())
	{
		write_plain_spend(ledger, linitial(ledger->entries));
		return;
	}
	write_row(ledger);
	foreach(cell, ledger->entries)
		write_entry(ledger, lfirst(cell));
}

void
ul_ledger_write(UlLedger *ledger)
{
	if (!is_changed(ledger))
		return;
	write_changes(ledger);
	if (ledger->entries != NIL)
		ul_alert_balance(ledger->user_id, highest_balance(ledger), ledger->balance, ledger->updated_at);
}
