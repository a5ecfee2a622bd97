/*-------------------------------------------------------------------------
 *
 * credits.c
 *		Granting, spending and giving back credits.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "credits.h"
#include "errors.h"
#include "grants.h"
#include "guc.h"
#include "scan.h"
#include "tables.h"

/* A row of the ledger that is looked for */
typedef struct FoundEntry
{
	bool		found;
	char	   *user_id;
	UlCreditEntry entry;
} FoundEntry;

static void
entry_of_slot(TupleTableSlot *slot, UlCreditEntry *entry)
{
	memset(entry, 0, sizeof(*entry));
	entry->id = ul_slot_int8(slot, Anum_transaction_id, 0);
	entry->amount = ul_slot_int8(slot, Anum_transaction_amount, 0);
	entry->balance_after = ul_slot_int8(slot, Anum_transaction_balance_after, 0);
	entry->transaction_type = ul_slot_text(slot, Anum_transaction_transaction_type);
	entry->description = ul_slot_text(slot, Anum_transaction_description);
	entry->reference_id = ul_slot_text(slot, Anum_transaction_reference_id);
	entry->created_at = ul_slot_time(slot, Anum_transaction_created_at, DT_NOBEGIN);
	entry->sequence_no = ul_slot_int8(slot, Anum_transaction_sequence_no, 0);
	entry->grant_id = ul_slot_int8(slot, Anum_transaction_grant_id, 0);
	entry->refund_of = ul_slot_int8(slot, Anum_transaction_refund_of, 0);
	entry->shortfall = ul_slot_int8(slot, Anum_transaction_shortfall, 0);
}

static bool
read_entry(TupleTableSlot *slot, void *arg)
{
	FoundEntry *found = arg;

	found->found = true;
	found->user_id = ul_slot_text(slot, Anum_transaction_user_id);
	entry_of_slot(slot, &found->entry);
	return false;
}

static bool
find_entry(UlTable index, int nkeys, ScanKey keys, FoundEntry *found)
{
	Snapshot	snapshot = ul_latest_snapshot(false);

	found->found = false;
	ul_scan(UL_CREDIT_TRANSACTIONS, index, nkeys, keys, snapshot, read_entry, found);
	ul_release_snapshot(snapshot);
	return found->found;
}

static bool
find_entry_by_id(int64 id, FoundEntry *found)
{
	ScanKeyData key;

	ul_key_int8(&key, 1, id);
	return find_entry(UL_CREDIT_TRANSACTIONS_ID_IDX, 1, &key, found);
}

static bool
find_entry_by_number(const char *user_id, int64 sequence_no, FoundEntry *found)
{
	ScanKeyData keys[2];

	ul_key_text(&keys[0], 1, user_id);
	ul_key_int8(&keys[1], 2, sequence_no);
	return find_entry(UL_CREDIT_TRANSACTIONS_PKEY, 2, keys, found);
}

static bool
find_entry_by_reference(const char *user_id, const char *transaction_type, const char *reference_id,
						FoundEntry *found)
{
	ScanKeyData keys[3];

	ul_key_text(&keys[0], 1, user_id);
	ul_key_text(&keys[1], 2, transaction_type);
	ul_key_text(&keys[2], 3, reference_id);
	return find_entry(UL_CREDIT_TRANSACTIONS_REFERENCE_IDX, 3, keys, found);
}

/* A grant that is looked for, with what UlGrant has no room for */
typedef struct FoundGrant
{
	bool		found;
	char	   *user_id;
	int64		id;
	int64		amount;
	int64		sequence_no;
} FoundGrant;

static bool
read_found_grant(TupleTableSlot *slot, void *arg)
{
	FoundGrant *found = arg;

	found->found = true;
	found->user_id = ul_slot_text(slot, Anum_grant_user_id);
	found->id = ul_slot_int8(slot, Anum_grant_id, 0);
	found->amount = ul_slot_int8(slot, Anum_grant_amount, 0);
	found->sequence_no = ul_slot_int8(slot, Anum_grant_sequence_no, 0);
	return false;
}

static bool
find_grant(UlTable index, int nkeys, ScanKey keys, FoundGrant *found)
{
	Snapshot	snapshot = ul_latest_snapshot(false);

	found->found = false;
	ul_scan(UL_CREDIT_GRANTS, index, nkeys, keys, snapshot, read_found_grant, found);
	ul_release_snapshot(snapshot);
	return found->found;
}

static void
decide(UlCreditDecision *decision, int64 balance, const UlCreditEntry *entry)
{
	memset(decision, 0, sizeof(*decision));
	decision->allowed = true;
	decision->reason = "ok";
	decision->balance = balance;
	decision->refill_at = DT_NOEND;
	if (entry != NULL)
	{
		decision->transaction_id = entry->id;
		decision->grant_id = entry->grant_id;
		if (entry->shortfall > 0)
			decision->reason = "shortfall";
	}
}

static void
refuse_reference(const char *reference_id, int64 amount)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("reference_id \"%s\" was used with another amount", reference_id),
			 errdetail("It was used with " INT64_FORMAT ".", amount)));
}

/* The answer that the reference got before; false if it is new. */
static bool
answered_grant(const char *user_id, const UlGrant *grant, UlCreditDecision *decision)
{
	FoundGrant	known;
	FoundEntry	found;
	ScanKeyData keys[3];

	if (grant->reference_id == NULL)
		return false;
	ul_key_text(&keys[0], 1, user_id);
	ul_key_text(&keys[1], 2, grant->transaction_type);
	ul_key_text(&keys[2], 3, grant->reference_id);
	if (!find_grant(UL_CREDIT_GRANTS_REFERENCE_IDX, 3, keys, &known))
		return false;
	if (known.amount != grant->amount)
		refuse_reference(grant->reference_id, known.amount);

	decide(decision, 0, NULL);
	decision->grant_id = known.id;
	if (known.sequence_no > 0 && find_entry_by_number(user_id, known.sequence_no, &found))
	{
		decision->balance = found.entry.balance_after;
		if (found.entry.grant_id == known.id)
			decision->transaction_id = found.entry.id;
	}
	return true;
}

void
ul_credit_grant(const char *user_id, UlGrant *grant, UlCreditDecision *decision)
{
	UlLedger	ledger;
	UlCreditEntry *entry;

	ul_ledger_open(&ledger, user_id);
	if (answered_grant(user_id, grant, decision))
		return;
	if (grant->effective_at == DT_NOBEGIN)
		grant->effective_at = ledger.now;
	if (grant->expires_at <= Max(ledger.now, grant->effective_at))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 grant->expires_at <= grant->effective_at ?
				 errmsg("expires_at must be after effective_at") :
				 errmsg("expires_at must be in the future")));
	ul_ledger_load(&ledger);
	entry = ul_grants_add(&ledger, grant);
	ul_ledger_write(&ledger);
	decide(decision, ledger.balance, entry);
	decision->grant_id = grant->id;
}

/* Too few credits: when there will be some more. */
static void
deny(UlLedger *ledger, UlCreditDecision *decision)
{
	memset(decision, 0, sizeof(*decision));
	decision->reason = "insufficient_credits";
	decision->refill_at = ul_grants_next_refill(ledger);
	decision->balance = ledger->balance;
	decision->available = ul_ledger_available(ledger);
}

static bool
find_spend(const UlSpend *spend, FoundEntry *found)
{
	return spend->reference_id != NULL &&
		find_entry_by_reference(spend->user_id, UL_TYPE_USAGE, spend->reference_id, found);
}

/*
 * Denies what a user does not have, waits for nobody and leaves nothing; false
 * if he may have it.
 */
static bool
deny_at_once(const UlSpend *spend, UlCreditDecision *decision)
{
	UlLedger	ledger;
	FoundEntry	unused;

	/* looked for last: where the same spend lowered the balance, it is found */
	if (ul_ledger_look(&ledger, spend->user_id, spend->amount) || find_spend(spend, &unused))
		return false;
	deny(&ledger, decision);
	return true;
}

static void
spend_of_ledger(const UlSpend *spend, UlCreditDecision *decision)
{
	UlLedger	ledger;
	UlCreditEntry *entry;
	FoundEntry	found;

	ul_ledger_open(&ledger, spend->user_id);
	if (find_spend(spend, &found))
	{
		if (found.entry.amount != -spend->amount)
			refuse_reference(spend->reference_id, -found.entry.amount);
		decide(decision, found.entry.balance_after, &found.entry);
		return;
	}
	if (!ul_ledger_has(&ledger, spend->amount))
	{
		deny(&ledger, decision);
		return;
	}
	entry = ul_ledger_spend(&ledger, spend->amount, UL_TYPE_USAGE);
	entry->description = spend->description;
	entry->reference_id = spend->reference_id;
	entry->metadata = spend->metadata;
	ul_ledger_write(&ledger);
	decide(decision, ledger.balance, entry);
}

void
ul_credit_spend(const UlSpend *spend, UlCreditDecision *decision)
{
	UlCreditEntry entry = {
		.transaction_type = UL_TYPE_USAGE,
		.description = spend->description,
		.metadata = spend->metadata,
	};

	if (spend->amount == 0)
		decide(decision, ul_credit_balance(spend->user_id, DT_NOEND), NULL);
	else if (spend->reference_id == NULL && ul_ledger_spend_fast(spend->user_id, spend->amount, &entry))
		decide(decision, entry.balance_after, &entry);
	else if (!deny_at_once(spend, decision))
		spend_of_ledger(spend, decision);
}

bool
ul_credit_reserve(const char *user_id, int64 amount, UlLedger *ledger, UlCreditDecision *decision)
{
	const UlSpend asked = {.user_id = user_id,.amount = amount};

	if (amount == 0)
	{
		decide(decision, ul_credit_balance(user_id, DT_NOEND), NULL);
		return true;
	}
	if (deny_at_once(&asked, decision))
		return false;
	ul_ledger_open(ledger, user_id);
	if (!ul_ledger_has(ledger, amount))
	{
		deny(ledger, decision);
		return false;
	}
	ul_ledger_hold(ledger, amount);
	ul_ledger_write(ledger);
	decide(decision, ledger->balance, NULL);
	return true;
}

TimestampTz
ul_credit_settled_at(const char *user_id, const char *hold_id)
{
	FoundEntry	found;

	return find_entry_by_reference(user_id, UL_TYPE_HOLD, hold_id, &found) ?
		found.entry.created_at : DT_NOEND;
}

void
ul_raise_no_credits(const UlCreditDecision *decision, int64 requested)
{
	StringInfoData json;
	char		refill_at[MAXDATELEN + 1];
	bool		refills = decision->refill_at != DT_NOEND;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"balance\":" INT64_FORMAT ",\"available\":" INT64_FORMAT
					 ",\"requested\":" INT64_FORMAT ",\"resetAt\":",
					 decision->balance, decision->available, requested);
	if (refills)
	{
		JsonEncodeDateTime(refill_at, TimestampTzGetDatum(decision->refill_at), TIMESTAMPTZOID, NULL);
		escape_json(&json, refill_at);
	}
	else
		appendStringInfoString(&json, "null");
	appendStringInfoChar(&json, '}');
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_CREDITS),
			 errmsg("insufficient credits"),
			 errdetail_internal("%s", json.data),
			 requested <= decision->balance ? errhint("Credits are held until their holds end.") :
			 refills ? errhint("The next refill is at %s.", refill_at) :
			 errhint("Credits must be bought or given first.")));
}

/* What of a spend's draws is not given back yet */
typedef struct DrawState
{
	UlLedger   *ledger;
	List	   *draws;			/* of UlDraw */
	int			count;			/* of rows read */
	int64		last_refund;	/* id of the newest transaction that gave back */
} DrawState;

static void
add_draw(DrawState *state, int64 grant_id, int64 amount)
{
	UlDraw	   *draw = palloc0(sizeof(UlDraw));

	draw->grant = ul_ledger_grant(state->ledger, grant_id);
	if (draw->grant == NULL)
		elog(ERROR, "grant " INT64_FORMAT " does not exist", grant_id);
	draw->amount = amount;
	state->draws = lappend(state->draws, draw);
}

static bool
read_draw(TupleTableSlot *slot, void *arg)
{
	add_draw(arg, ul_slot_int8(slot, Anum_draw_grant_id, 0), -ul_slot_int8(slot, Anum_draw_amount, 0));
	return true;
}

/* A refund takes from what is left of the draw on the same grant. */
static bool
read_refunded(TupleTableSlot *slot, void *arg)
{
	DrawState  *state = arg;
	int64		grant_id = ul_slot_int8(slot, Anum_draw_grant_id, 0);
	int64		refunded = ul_slot_int8(slot, Anum_draw_amount, 0) + ul_slot_int8(slot, Anum_draw_shortfall, 0);
	ListCell   *cell;

	state->last_refund = Max(state->last_refund, ul_slot_int8(slot, Anum_draw_transaction_id, 0));
	foreach(cell, state->draws)
	{
		UlDraw	   *draw = lfirst(cell);

		if (draw->grant->id == grant_id)
			draw->amount -= refunded;
	}
	return true;
}

/* The draws of an entry, less what was given back. */
static void
read_draws(UlLedger *ledger, const UlCreditEntry *entry, DrawState *state)
{
	ScanKeyData keys[2];
	Snapshot	snapshot = ul_latest_snapshot(false);

	memset(state, 0, sizeof(*state));
	state->ledger = ledger;
	ul_key_text(&keys[0], 1, ledger->user_id);
	ul_key_int8(&keys[1], 2, entry->id);
	if (entry->grant_id != 0)
		add_draw(state, entry->grant_id, -entry->amount);
	else
		ul_scan(UL_CREDIT_DRAWS, UL_CREDIT_DRAWS_PKEY, 2, keys, snapshot, read_draw, state);
	ul_scan(UL_CREDIT_DRAWS, UL_CREDIT_DRAWS_REFUND_IDX, 2, keys, snapshot, read_refunded, state);
	ul_release_snapshot(snapshot);
}

static int64
sum_of_draws(const List *draws)
{
	int64		sum = 0;
	const ListCell *cell;

	foreach(cell, draws)
		sum += ((UlDraw *) lfirst(cell))->amount;
	return sum;
}

void
ul_credit_refund(int64 transaction_id, const int64 *amount, const char *user_id,
				 UlCreditDecision *decision)
{
	FoundEntry	spent;
	FoundEntry	last;
	UlLedger	ledger;
	DrawState	state;
	UlCreditEntry *entry;
	int64		left;

	if (!find_entry_by_id(transaction_id, &spent) ||
		(user_id != NULL && strcmp(user_id, spent.user_id) != 0))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("credit transaction " INT64_FORMAT " does not exist", transaction_id)));
	if (strcmp(spent.entry.transaction_type, UL_TYPE_USAGE) != 0 &&
		strcmp(spent.entry.transaction_type, UL_TYPE_HOLD) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("credit transaction " INT64_FORMAT " spent nothing", transaction_id),
				 errdetail("It is of type \"%s\".", spent.entry.transaction_type),
				 errhint("credit_void takes back a grant.")));

	ul_ledger_open(&ledger, spent.user_id);
	ul_ledger_load(&ledger);
	read_draws(&ledger, &spent.entry, &state);
	left = sum_of_draws(state.draws);
	if (amount != NULL && *amount > left)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("refund is larger than what is left of credit transaction " INT64_FORMAT,
						transaction_id),
				 errdetail("Requested is " INT64_FORMAT ", left is " INT64_FORMAT ".", *amount, left)));
	if (amount != NULL && *amount == 0)
	{
		decide(decision, ledger.balance, NULL);
		return;
	}
	if (left == 0)
	{
		if (!find_entry_by_id(state.last_refund, &last))
			elog(ERROR, "refund " INT64_FORMAT " does not exist", state.last_refund);
		decide(decision, last.entry.balance_after, &last.entry);
		return;
	}
	entry = ul_grants_give_back(&ledger, &spent.entry, state.draws, amount == NULL ? left : *amount);
	ul_ledger_write(&ledger);
	decide(decision, ledger.balance, entry);
}

void
ul_credit_refund_event(const char *user_id, int64 event_id, int64 refunded, int64 amount)
{
	char	   *reference = ul_event_reference(event_id);
	FoundEntry	charged;
	UlLedger	ledger;
	DrawState	state;
	int64		price;
	int64		back;

	if (!find_entry_by_reference(user_id, UL_TYPE_USAGE, reference, &charged))
		return;
	ul_ledger_open(&ledger, user_id);
	ul_ledger_load(&ledger);
	read_draws(&ledger, &charged.entry, &state);
	price = -charged.entry.amount;
	back = refunded >= amount ? price : (int64) ((int128) price * refunded / amount);
	/* some of it may have been given back by credit_refund */
	back -= price - sum_of_draws(state.draws);
	if (back <= 0)
		return;
	(void) ul_grants_give_back(&ledger, &charged.entry, state.draws, back);
	ul_ledger_write(&ledger);
}

void
ul_credit_void(int64 grant_id, const char *user_id, UlCreditDecision *decision)
{
	FoundGrant	known;
	FoundEntry	found;
	UlLedger	ledger;
	UlGrant    *grant;
	UlCreditEntry *entry;
	ScanKeyData key;
	char	   *reference;

	ul_key_int8(&key, 1, grant_id);
	if (!find_grant(UL_CREDIT_GRANTS_ID_IDX, 1, &key, &known) ||
		(user_id != NULL && strcmp(user_id, known.user_id) != 0))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("grant " INT64_FORMAT " does not exist", grant_id)));

	ul_ledger_open(&ledger, known.user_id);
	reference = psprintf("grant:" INT64_FORMAT, grant_id);
	if (find_entry_by_reference(known.user_id, UL_TYPE_VOID, reference, &found))
	{
		decide(decision, found.entry.balance_after, &found.entry);
		return;
	}
	ul_ledger_load(&ledger);
	grant = ul_ledger_grant(&ledger, grant_id);
	if (grant == NULL)
		elog(ERROR, "grant " INT64_FORMAT " does not exist", grant_id);
	if (grant->is_daily_refill)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("grant " INT64_FORMAT " is the daily refill of a tier", grant_id),
				 errhint("usage_limits.credit_daily_refill says what a tier is given.")));
	entry = ul_grants_void(&ledger, grant);
	entry->reference_id = reference;
	ul_ledger_write(&ledger);
	decide(decision, ledger.balance, entry);
}

void
ul_credit_refill(const char *user_id, UlCreditDecision *decision)
{
	UlLedger	ledger;

	ul_ledger_read(&ledger, user_id, DT_NOEND, false);
	if (ledger.entries != NIL)
	{
		ul_ledger_open(&ledger, user_id);
		ul_ledger_load(&ledger);
		ul_ledger_write(&ledger);
	}
	decide(decision, ledger.balance, ledger.entries == NIL ? NULL : llast(ledger.entries));
}

/* The number of a user's last transaction dated before an instant, of those up to "last". */
static int64
last_number_before(const char *user_id, int64 last, TimestampTz at)
{
	int64		low = 0;

	/* numbers have no gaps, and times do not go back from one to the next */
	while (low < last)
	{
		int64		middle = low + (last - low + 1) / 2;
		FoundEntry	found;

		if (find_entry_by_number(user_id, middle, &found) && found.entry.created_at < at)
			low = middle;
		else
			last = middle - 1;
	}
	return low;
}

static int64
balance_after(const char *user_id, int64 sequence_no)
{
	FoundEntry	found;

	if (sequence_no == 0 || !find_entry_by_number(user_id, sequence_no, &found))
		return 0;
	return found.entry.balance_after;
}

/* How many of a ledger's transactions are written. */
static int64
written_count(const UlLedger *ledger)
{
	return ledger->sequence_no - list_length(ledger->entries);
}

int64
ul_credit_balance(const char *user_id, TimestampTz at)
{
	UlLedger	ledger;
	ListCell   *cell;
	int64		balance;
	TimestampTz now = ul_now();

	if (at == DT_NOEND || at >= now)
	{
		ul_ledger_read(&ledger, user_id, at, false);
		return ledger.balance;
	}
	ul_ledger_read(&ledger, user_id, DT_NOEND, false);
	balance = balance_after(user_id, last_number_before(user_id, written_count(&ledger), at + 1));
	foreach(cell, ledger.entries)
	{
		UlCreditEntry *entry = lfirst(cell);

		if (entry->created_at <= at)
			balance = entry->balance_after;
	}
	return balance;
}

typedef struct StatementState
{
	TimestampTz ends_at;
	int64		last;			/* number of the last written transaction */
	UlStatementLines *lines;
} StatementState;

static bool
read_line(TupleTableSlot *slot, void *arg)
{
	StatementState *state = arg;
	UlCreditEntry *entry = palloc(sizeof(UlCreditEntry));

	entry_of_slot(slot, entry);
	if (entry->created_at >= state->ends_at || entry->sequence_no > state->last)
		return false;
	state->lines->entries = lappend(state->lines->entries, entry);
	return true;
}

void
ul_credit_statement(const char *user_id, TimestampTz starts_at, TimestampTz ends_at,
					UlStatementLines *lines)
{
	UlLedger	ledger;
	StatementState state = {.lines = lines};
	int64		before;
	ScanKeyData keys[2];
	Snapshot	snapshot;
	ListCell   *cell;

	ul_ledger_read(&ledger, user_id, DT_NOEND, false);
	/* what happens at this very instant is in it */
	lines->ends_at = ends_at == DT_NOEND ? ledger.now : ends_at;
	state.ends_at = ends_at == DT_NOEND ? ledger.now + 1 : ends_at;
	state.last = written_count(&ledger);

	before = starts_at == DT_NOBEGIN ? 0 : last_number_before(user_id, state.last, starts_at);
	lines->entries = NIL;
	lines->opening = balance_after(user_id, before);
	ul_key_text(&keys[0], 1, user_id);
	ul_key_from_int8(&keys[1], 2, before + 1);
	snapshot = ul_latest_snapshot(false);
	ul_scan(UL_CREDIT_TRANSACTIONS, UL_CREDIT_TRANSACTIONS_PKEY, 2, keys, snapshot, read_line, &state);
	ul_release_snapshot(snapshot);

	foreach(cell, ledger.entries)
	{
		UlCreditEntry *entry = lfirst(cell);

		if (entry->created_at < starts_at)
			lines->opening = entry->balance_after;
		else if (entry->created_at < state.ends_at)
			lines->entries = lappend(lines->entries, entry);
	}
	lines->closing = lines->entries == NIL ? lines->opening :
		((UlCreditEntry *) llast(lines->entries))->balance_after;
}

List *
ul_credit_grants(const char *user_id, TimestampTz *now)
{
	UlLedger	ledger;

	ul_ledger_read(&ledger, user_id, DT_NOEND, true);
	*now = ledger.now;
	return ledger.grants;
}

const char *
ul_grant_state(const UlGrant *grant, TimestampTz now)
{
	if (grant->voided_at != DT_NOEND)
		return "voided";
	if (grant->expires_at <= now)
		return "expired";
	if (!grant->has_started)
		return "pending";
	return grant->remaining > 0 || grant->recurs_every != NULL ? "live" : "spent";
}
