/*-------------------------------------------------------------------------
 *
 * charge.c
 *		Paying for usage with credits.
 *
 * Keys of limits are locked first, then the user's credits.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "charge.h"
#include "costs.h"
#include "grants.h"
#include "guc.h"

/* Whether usage is charged and any of the requests costs credits. */
static bool
is_charged(const UlRequest *requests, int count)
{
	bool		charged = false;

	if (!ul_credits_enabled)
		return false;
	for (int i = 0; i < count; i++)
	{
		const UlCost *costs;
		const UlType *type;

		if (ul_find_costs(requests[i].usage_type, requests[i].event_subtype, &costs) == 0)
			continue;
		charged = true;
		type = ul_find_type(requests[i].usage_type);
		if (type != NULL && type->relaxed)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("usage of \"%s\" cannot cost credits", requests[i].usage_type),
					 errdetail("A limit of that type has durability relaxed.")));
	}
	return charged;
}

static int64
add_prices(int64 a, int64 b)
{
	if (b > UL_MAX_AMOUNT - a)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("price is out of range")));
	return a + b;
}

/* Amount 0 asks only; but of what settles a hold all that was used is paid. */
static bool
asks_only(const UlRequest *request)
{
	return request->amount == 0 && request->bucket_start == NULL;
}

/* What a request that asks for something costs, whatever limits say. */
static int64
fixed_price(const UlRequest *request)
{
	const UlCost *costs;
	int			ncosts;
	int64		measures[UL_NMEASURES];
	int64		price = 0;

	if (asks_only(request))
		return 0;
	ncosts = ul_find_costs(request->usage_type, request->event_subtype, &costs);
	ul_request_measures(request, measures);
	for (int i = 0; i < ncosts; i++)
		if (!costs[i].overage)
			price = add_prices(price, ul_cost_price(&costs[i], measures[costs[i].measure]));
	return price;
}

UlCharge *
ul_charge_begin(const UlRequest **requests, int count)
{
	UlCharge   *charge;
	UlRequest  *copies;

	if (!is_charged(*requests, count))
		return NULL;
	charge = palloc0(sizeof(UlCharge));
	copies = palloc(sizeof(UlRequest) * count);
	memcpy(copies, *requests, sizeof(UlRequest) * count);
	charge->count = count;
	charge->given = *requests;
	charge->requests = copies;
	charge->prices = palloc0(sizeof(int64) * count);
	charge->over = palloc0(sizeof(*charge->over) * count);
	for (int i = 0; i < count; i++)
	{
		int64	   *credits = palloc(sizeof(int64));

		*credits = fixed_price(&copies[i]);
		if (copies[i].credits_used == NULL && *credits > 0)
			copies[i].credits_used = credits;
	}
	*requests = copies;
	return charge;
}

void
ul_charge_settles(UlCharge *charge, const UlHold *hold, const UlLedger *ledger)
{
	charge->settles = hold;
	if (hold->credits == 0)
		return;
	charge->ledger = *ledger;
	charge->ledger.settling = hold->credits;
	charge->is_open = true;
}

/*
 * Adds what was over limits when the hold was taken.  Where it is settled with
 * less, that is what was not used.
 */
static void
add_held_overage(UlCharge *charge)
{
	const UlHold *hold = charge->settles;
	int64		measures[UL_NMEASURES];

	ul_request_measures(charge->requests, measures);
	for (int i = 0; i < UL_NMEASURES; i++)
	{
		int64		less = Max(0, hold->measures[i] - measures[i]);

		charge->over[0][i] += Max(0, hold->overage[i] - less);
	}
}

/* The cost of what a request uses beyond a limit of a measure, or NULL. */
static const UlCost *
overage_cost(const UlRequest *request, const UlLimit *limit)
{
	const UlCost *costs;
	int			ncosts;

	if (asks_only(request) || !ul_limit_sums(limit) ||
		strcmp(request->usage_type, limit->usage_type) != 0 ||
		!ul_limit_counts(limit, request->event_subtype))
		return NULL;
	ncosts = ul_find_costs(request->usage_type, request->event_subtype, &costs);
	for (int i = 0; i < ncosts; i++)
		if (costs[i].overage && costs[i].measure == limit->measure)
			return &costs[i];
	return NULL;
}

/*
 * Notes what a claim denies, of the requests that came last, as units over the
 * limit; of several limits the one with the most counts.  False, and nothing is
 * noted, where not all of that can be paid for.
 */
static bool
note_overage(UlCharge *charge, const UlClaim *claim)
{
	UlMeasure	measure = claim->limit->measure;
	int64		excess = ul_claim_excess(claim);

	for (int pass = 0; pass < 2; pass++)
	{
		int64		left = excess;

		for (int i = charge->count - 1; i >= 0 && left > 0; i--)
		{
			int64		measures[UL_NMEASURES];
			int64		part;

			if (overage_cost(&charge->requests[i], claim->limit) == NULL)
				continue;
			ul_request_measures(&charge->requests[i], measures);
			part = Min(left, measures[measure]);
			left -= part;
			if (pass == 1)
				charge->over[i][measure] = Max(charge->over[i][measure], part);
		}
		if (left > 0)
			return false;
	}
	return true;
}

void
ul_charge_make_room(const UlCharge *charge, UlClaim *claims, int nclaims)
{
	ListCell   *cell;

	foreach(cell, charge->overages)
	{
		const UlOverage *overage = lfirst(cell);

		for (int i = 0; i < nclaims; i++)
			if (claims[i].of_account == overage->of_account &&
				strcmp(claims[i].limit->limit_type, overage->limit_type) == 0)
				claims[i].room = overage->units;
	}
}

/* Pays for what claims deny, where all that one denies can be paid for; true if the gate is to be asked. */
static bool
pay_overage(UlCharge *charge, UlClaim *claims, int nclaims)
{
	bool		denied = false;
	bool		ask = false;

	memset(charge->over, 0, sizeof(*charge->over) * charge->count);
	charge->overages = NIL;
	charge->fits_at = DT_NOBEGIN;
	for (int i = 0; i < nclaims; i++)
	{
		UlClaim    *claim = &claims[i];
		UlOverage  *overage;

		if (!claim->exceeded || !ul_claim_denies(claim))
			continue;
		if (!note_overage(charge, claim))
		{
			denied = true;
			continue;
		}
		claim->paid = ul_claim_excess(claim);
		ask = ask || claim->paid > claim->room;
		charge->fits_at = Max(charge->fits_at, claim->fits_at);
		overage = palloc(sizeof(UlOverage));
		overage->limit_type = claim->limit->limit_type;
		overage->of_account = claim->of_account;
		overage->units = claim->paid;
		charge->overages = lappend(charge->overages, overage);
	}
	if (charge->fits_at == DT_NOBEGIN)
		charge->fits_at = DT_NOEND;
	return ask && !denied;
}

bool
ul_charge_price(UlCharge *charge, UlClaim *claims, int nclaims)
{
	bool		ask = pay_overage(charge, claims, nclaims);

	if (charge->settles != NULL)
		add_held_overage(charge);
	charge->price = 0;
	for (int i = 0; i < charge->count; i++)
	{
		const UlRequest *request = &charge->requests[i];
		const UlCost *costs;
		int			ncosts = ul_find_costs(request->usage_type, request->event_subtype, &costs);

		charge->prices[i] = fixed_price(request);
		for (int j = 0; j < ncosts; j++)
			if (costs[j].overage)
				charge->prices[i] = add_prices(charge->prices[i],
											   ul_cost_price(&costs[j], charge->over[i][costs[j].measure]));
		charge->price = add_prices(charge->price, charge->prices[i]);
	}
	return ask;
}

const int64 *
ul_charge_price_of(const UlCharge *charge, int request)
{
	if (!charge->is_had || charge->prices[request] == 0 ||
		charge->given[request].credits_used != NULL)
		return NULL;
	return &charge->prices[request];
}

void
ul_decide_no_credits(const UlLedger *ledger, int64 price, TimestampTz refill_at, TimestampTz now,
					 UlDecision *decision)
{
	memset(decision, 0, sizeof(*decision));
	decision->reason = "insufficient_credits";
	decision->current = ledger->balance;
	decision->remaining = ul_ledger_available(ledger);
	decision->limit = price;
	decision->reset_at = refill_at;
	decision->retry_after = refill_at == DT_NOEND ? -1 :
		Min((refill_at - now + USECS_PER_SEC - 1) / USECS_PER_SEC, PG_INT32_MAX);
}

/* The answer where the price is not had. */
static void
deny(UlCharge *charge, UlLedger *ledger, TimestampTz now, UlDecision *decision)
{
	const char *usage_type = charge->requests[0].usage_type;
	TimestampTz refill_at = Min(ul_grants_next_refill(ledger), charge->fits_at);

	/* of what denies, what does so longest is named */
	if (!decision->allowed && (decision->retry_after < 0 || decision->reset_at >= refill_at))
		return;
	ul_decide_no_credits(ledger, charge->price, refill_at, now, decision);
	decision->usage_type = usage_type;
	for (int i = 0; i < charge->count; i++)
		if (strcmp(charge->requests[i].usage_type, usage_type) == 0)
			decision->requested += charge->requests[i].amount;
}

void
ul_charge_decide(UlCharge *charge, bool dry_run, TimestampTz now, UlDecision *decision)
{
	UlLedger   *ledger = &charge->ledger;
	const char *user_id = charge->requests[0].user_id;

	charge->is_had = false;
	if (charge->price == 0)
		return;

	/* who is denied waits for nobody */
	charge->is_had = charge->is_open || ul_ledger_look(ledger, user_id, charge->price);
	if (charge->is_had && !charge->is_open && decision->allowed && !dry_run)
	{
		ul_ledger_open(ledger, user_id);
		charge->is_open = true;
	}
	if (charge->is_open)
		charge->is_had = ul_ledger_has(ledger, charge->price);
	if (charge->is_had)
		return;
	if (ul_enforcement == UL_ENFORCEMENT_ON)
		deny(charge, ledger, now, decision);
	else if (ul_enforcement == UL_ENFORCEMENT_SHADOW)
		decision->reason = "shadow";
}

void
ul_charge_hold(UlCharge *charge, UlDecision *decision)
{
	memcpy(decision->overage, charge->over[0], sizeof(decision->overage));
	if (!charge->is_had)
		return;
	ul_ledger_hold(&charge->ledger, charge->price);
	ul_ledger_write(&charge->ledger);
	decision->credits = charge->price;
}

void
ul_charge_let_go(UlLedger *ledger, const UlHold *hold)
{
	if (hold->credits == 0)
		return;
	ul_ledger_end_hold(ledger, hold->credits);
	ul_ledger_write(ledger);
}

void
ul_charge_pay(UlCharge *charge, const int64 *events)
{
	if (charge->settles != NULL && charge->settles->credits > 0)
		ul_ledger_end_hold(&charge->ledger, charge->settles->credits);
	for (int i = 0; charge->is_had && i < charge->count; i++)
	{
		const UlRequest *request = &charge->requests[i];
		UlCreditEntry *entry;

		if (charge->prices[i] == 0)
			continue;
		entry = ul_ledger_spend(&charge->ledger, charge->prices[i], UL_TYPE_USAGE);
		entry->description = request->event_subtype == NULL ? request->usage_type :
			psprintf("%s %s", request->usage_type, request->event_subtype);
		if (events[i] != 0)
			entry->reference_id = ul_event_reference(events[i]);
	}
	if (charge->is_open)
		ul_ledger_write(&charge->ledger);
}
