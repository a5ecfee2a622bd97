/*-------------------------------------------------------------------------
 *
 * grants.c
 *		What happens to a user's grants, in memory: they begin, burn, recur
 *		and expire.
 *
 * Time does what nobody does at its instant.  What has fallen due is done in
 * the order of the instants at which it did; each change of the balance leaves
 * an entry that is dated with its own.  A period that changes nothing leaves
 * none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/int.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/timestamp.h"

#include "grants.h"
#include "guc.h"
#include "limits.h"

/* Before the application's own grants */
#define DAILY_REFILL_PRIORITY (-1)

static int64
add_checked(int64 a, int64 b)
{
	int64		sum;

	if (pg_add_s64_overflow(a, b, &sum))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("credits out of range")));
	return sum;
}

void
ul_grant_init_period(UlGrant *grant)
{
	const char *problem;

	if (grant->recurs_every == NULL)
		return;
	problem = ul_period_init(&grant->period, UL_ALIGN_ANNIVERSARY, grant->recurs_every);
	if (problem != NULL)
		elog(ERROR, "grant " INT64_FORMAT " has an impossible period", grant->id);
}

static int
compare_burning(const ListCell *a, const ListCell *b)
{
	const UlGrant *left = lfirst(a);
	const UlGrant *right = lfirst(b);

	if (left->priority != right->priority)
		return left->priority < right->priority ? -1 : 1;
	if (left->expires_at != right->expires_at)
		return left->expires_at < right->expires_at ? -1 : 1;
	if (left->created_at != right->created_at)
		return left->created_at < right->created_at ? -1 : 1;

	/* one that is not written yet is the newest */
	if (left->id != right->id)
		return right->id == 0 || (left->id != 0 && left->id < right->id) ? -1 : 1;
	return 0;
}

void
ul_grants_sort(UlLedger *ledger)
{
	list_sort(ledger->grants, compare_burning);
}

static pg_tz *
utc(void)
{
	static pg_tz *zone = NULL;

	if (zone == NULL)
		zone = pg_tzset("UTC");
	return zone;
}

/* The end of the grant's period that holds an instant. */
static TimestampTz
period_end_at(const UlGrant *grant, TimestampTz at)
{
	if (grant->recurs_every == NULL)
		return DT_NOEND;
	return ul_window_at(&grant->period, utc(), grant->effective_at, at).end;
}

/* Adds an entry, dated with an instant, or with the newest one's where that is later. */
UlCreditEntry *
ul_grants_add_entry(UlLedger *ledger, int64 amount, const char *transaction_type, UlGrant *grant,
					TimestampTz at)
{
	UlCreditEntry *entry = palloc0(sizeof(UlCreditEntry));

	ledger->balance = add_checked(ledger->balance, amount);
	Assert(ledger->balance >= 0);
	ledger->sequence_no++;
	ledger->updated_at = Max(at, ledger->updated_at);

	entry->amount = amount;
	entry->balance_after = ledger->balance;
	entry->transaction_type = transaction_type;
	entry->created_at = ledger->updated_at;
	entry->sequence_no = ledger->sequence_no;
	entry->grant = grant;
	ledger->entries = lappend(ledger->entries, entry);
	return entry;
}

/* The first credits of a grant. */
static UlCreditEntry *
start_grant(UlLedger *ledger, UlGrant *grant, TimestampTz at)
{
	UlCreditEntry *entry;

	grant->has_started = true;
	grant->changed = true;
	grant->remaining = grant->amount;
	grant->granted = grant->amount;
	grant->period_end = period_end_at(grant, Max(at, grant->effective_at));
	grant->is_open = grant->remaining > 0 || grant->recurs_every != NULL;
	ledger->lifetime_earned = add_checked(ledger->lifetime_earned, grant->amount);
	if (grant->is_daily_refill)
		ledger->last_refill_at = at;
	entry = ul_grants_add_entry(ledger, grant->amount, grant->transaction_type, grant, at);
	entry->description = grant->description;
	entry->reference_id = grant->reference_id;
	entry->metadata = grant->metadata;
	return entry;
}

static void
expire_grant(UlLedger *ledger, UlGrant *grant, TimestampTz at)
{
	grant->is_open = false;
	grant->changed = true;
	if (grant->remaining > 0)
		(void) ul_grants_add_entry(ledger, -grant->remaining, UL_TYPE_EXPIRY, grant, at);
	grant->lost = add_checked(grant->lost, grant->remaining);
	grant->remaining = 0;
}

/* What the tier's daily refill gives a user at an instant. */
int64
ul_daily_refill(const char *user_id, TimestampTz at)
{
	/* most have none, and need no look at the user */
	if (!ul_setting_has_daily_refills())
		return 0;
	return ul_setting_daily_refill(ul_effective_tier(ul_find_user(user_id), at));
}

/* What a recurring grant is refilled with at an instant. */
static int64
refill_amount(const UlLedger *ledger, const UlGrant *grant, TimestampTz at)
{
	return grant->is_daily_refill ? ul_daily_refill(ledger->user_id, at) : grant->amount;
}

/*
 * A period ends: the grant becomes its amount and what rolls over.  Where that
 * is what it was, it will be so at the end of all periods until something is
 * spent, and those are skipped.
 */
static void
refill_grant(UlLedger *ledger, UlGrant *grant, TimestampTz at, TimestampTz until)
{
	int64		amount = refill_amount(ledger, grant, at);
	int64		change = amount + Min(grant->max_rollover, grant->remaining) - grant->remaining;

	grant->changed = true;
	grant->amount = amount;
	grant->period_end = period_end_at(grant, at);
	if (change > 0)
	{
		grant->granted = add_checked(grant->granted, change);
		ledger->lifetime_earned = add_checked(ledger->lifetime_earned, change);
		ledger->last_refill_at = at;
		(void) ul_grants_add_entry(ledger, change,
								   grant->is_daily_refill ? UL_TYPE_DAILY_REFILL : UL_TYPE_REFILL, grant, at);
	}
	else if (change < 0)
	{
		grant->lost = add_checked(grant->lost, -change);
		(void) ul_grants_add_entry(ledger, change, UL_TYPE_EXPIRY, grant, at);
	}
	else if (!grant->is_daily_refill)
		grant->period_end = Max(grant->period_end,
								period_end_at(grant, Min(until, grant->expires_at - 1)));
	grant->remaining += change;
}

/* When something next happens to a grant by itself, or DT_NOEND. */
TimestampTz
ul_grant_due_at(const UlGrant *grant)
{
	if (!grant->is_open)
		return DT_NOEND;
	if (!grant->has_started)
		return grant->effective_at;
	return Min(grant->expires_at, grant->period_end);
}

/* The tier's refill stands still while credits are not enabled. */
static bool
is_dormant(const UlGrant *grant)
{
	return grant->is_daily_refill && !ul_credits_enabled;
}

/* Of what falls due at one instant: expiries first, beginnings last. */
static int
due_rank(const UlGrant *grant)
{
	if (!grant->has_started)
		return 2;
	return grant->expires_at <= grant->period_end ? 0 : 1;
}

static UlGrant *
next_due(const UlLedger *ledger, TimestampTz until)
{
	UlGrant    *next = NULL;
	TimestampTz next_at = DT_NOEND;
	ListCell   *cell;

	foreach(cell, ledger->grants)
	{
		UlGrant    *grant = lfirst(cell);
		TimestampTz at = ul_grant_due_at(grant);

		if (at > until || is_dormant(grant))
			continue;
		if (next == NULL || at < next_at ||
			(at == next_at && (due_rank(grant) < due_rank(next) ||
							   (due_rank(grant) == due_rank(next) && grant->id < next->id))))
		{
			next = grant;
			next_at = at;
		}
	}
	return next;
}

/* Gives a user of a tier with a daily refill that grant, if he has none. */
static void
ensure_daily_refill(UlLedger *ledger, TimestampTz until)
{
	static const Interval one_day = {0, 1, 0};
	UlGrant    *grant;
	ListCell   *cell;
	int64		amount;

	if (!ul_credits_enabled)
		return;
	foreach(cell, ledger->grants)
		if (((UlGrant *) lfirst(cell))->is_daily_refill)
		return;
	amount = ul_daily_refill(ledger->user_id, until);
	if (amount == 0)
		return;

	grant = palloc0(sizeof(UlGrant));
	grant->transaction_type = UL_TYPE_DAILY_REFILL;
	grant->amount = amount;
	grant->priority = DAILY_REFILL_PRIORITY;
	grant->effective_at = ul_utc_day(until);
	grant->expires_at = DT_NOEND;
	grant->recurs_every = &one_day;
	grant->voided_at = DT_NOEND;
	grant->created_at = until;
	grant->is_daily_refill = true;
	ul_grant_init_period(grant);
	ledger->grants = lappend(ledger->grants, grant);
	ul_grants_sort(ledger);
	(void) start_grant(ledger, grant, until);
}

/* Does, in its order, what has fallen due until an instant. */
void
ul_grants_do_due(UlLedger *ledger, TimestampTz until)
{
	UlGrant    *grant;

	while ((grant = next_due(ledger, until)) != NULL)
	{
		TimestampTz at = ul_grant_due_at(grant);

		CHECK_FOR_INTERRUPTS();
		if (!grant->has_started)
			(void) start_grant(ledger, grant, at);
		else if (grant->expires_at <= grant->period_end)
			expire_grant(ledger, grant, at);
		else
			refill_grant(ledger, grant, at, until);
	}
	ensure_daily_refill(ledger, until);
	ledger->loaded = true;
}

/* No sum of what all grants can be at once is out of range. */
static void
check_range(const UlLedger *ledger, const UlGrant *added)
{
	int64		sum = add_checked(added->amount, added->max_rollover);
	ListCell   *cell;

	foreach(cell, ledger->grants)
	{
		UlGrant    *grant = lfirst(cell);

		sum = add_checked(sum, Max(add_checked(grant->amount, grant->max_rollover), grant->remaining));
	}
}

UlCreditEntry *
ul_grants_add(UlLedger *ledger, UlGrant *grant)
{
	Assert(ledger->loaded);
	check_range(ledger, grant);
	ul_grant_init_period(grant);
	grant->created_at = ledger->now;
	grant->period_end = DT_NOEND;
	grant->voided_at = DT_NOEND;
	grant->is_open = true;
	grant->changed = true;
	ledger->grants = lappend(ledger->grants, grant);
	ul_grants_sort(ledger);
	if (grant->effective_at > ledger->now)
		return NULL;
	return start_grant(ledger, grant, ledger->now);
}

UlCreditEntry *
ul_grants_void(UlLedger *ledger, UlGrant *grant)
{
	UlCreditEntry *entry;
	int64		spent = grant->granted - grant->lost - grant->remaining;

	/* of a recurring grant what was paid last is what is charged back */
	if (grant->recurs_every != NULL)
		spent = Min(spent, Max(0, grant->amount - grant->remaining));
	grant->voided_at = ledger->now;
	grant->is_open = false;
	grant->changed = true;
	entry = ul_grants_add_entry(ledger, -grant->remaining, UL_TYPE_VOID, grant, ledger->now);
	entry->shortfall = spent;
	grant->lost = add_checked(grant->lost, grant->remaining);
	grant->remaining = 0;
	return entry;
}

bool
ul_grant_in_force(const UlLedger *ledger, const UlGrant *grant)
{
	return grant->has_started && grant->voided_at == DT_NOEND && grant->expires_at > ledger->now;
}

UlCreditEntry *
ul_grants_give_back(UlLedger *ledger, const UlCreditEntry *from, List *draws, int64 amount)
{
	UlCreditEntry *entry;
	List	   *given = NIL;
	int64		sum = 0;
	int64		shortfall = 0;

	Assert(ledger->loaded);
	for (int i = list_length(draws) - 1; i >= 0 && amount > 0; i--)
	{
		const UlDraw *drawn = list_nth(draws, i);
		UlGrant    *grant = drawn->grant;
		UlDraw	   *draw;
		int64		part = Min(amount, drawn->amount);

		if (part == 0)
			continue;
		draw = palloc0(sizeof(UlDraw));
		draw->grant = grant;
		if (ul_grant_in_force(ledger, grant))
		{
			draw->amount = part;
			grant->remaining = add_checked(grant->remaining, part);
			grant->is_open = true;
			grant->changed = true;
		}
		else
			draw->shortfall = part;
		given = lappend(given, draw);
		sum += draw->amount;
		shortfall += draw->shortfall;
		amount -= part;
	}
	Assert(amount == 0);

	ledger->lifetime_spent -= sum;
	entry = ul_grants_add_entry(ledger, sum, UL_TYPE_REFUND, NULL, ledger->now);
	entry->refund_of = from->id;
	entry->shortfall = shortfall;
	entry->draws = given;
	return entry;
}

TimestampTz
ul_grants_next_refill(const UlLedger *ledger)
{
	TimestampTz next = DT_NOEND;
	ListCell   *cell;

	Assert(ledger->loaded);
	foreach(cell, ledger->grants)
	{
		UlGrant    *grant = lfirst(cell);
		TimestampTz at = grant->has_started ? grant->period_end : grant->effective_at;

		if (grant->is_open && !is_dormant(grant) && at < grant->expires_at &&
			refill_amount(ledger, grant, at) > 0)
			next = Min(next, at);
	}
	return next;
}

UlCreditEntry *
ul_grants_draw(UlLedger *ledger, int64 amount, const char *transaction_type)
{
	UlCreditEntry *entry;
	ListCell   *cell;
	int64		left = amount;
	List	   *draws = NIL;

	foreach(cell, ledger->grants)
	{
		UlGrant    *grant = lfirst(cell);
		UlDraw	   *draw;

		if (left == 0)
			break;
		if (!grant->is_open || grant->remaining == 0)
			continue;
		draw = palloc0(sizeof(UlDraw));
		draw->grant = grant;
		draw->amount = -Min(left, grant->remaining);
		draws = lappend(draws, draw);
		left += draw->amount;
		grant->remaining += draw->amount;
		if (grant->remaining == 0 && grant->recurs_every == NULL)
		{
			grant->is_open = false;
			grant->changed = true;
		}
	}
	if (left > 0)
		elog(ERROR, "balance of user \"%s\" is more than his grants", ledger->user_id);

	entry = ul_grants_add_entry(ledger, -amount, transaction_type, NULL, ledger->now);
	if (list_length(draws) == 1)
		entry->grant = ((UlDraw *) linitial(draws))->grant;
	else
		entry->draws = draws;
	return entry;
}
