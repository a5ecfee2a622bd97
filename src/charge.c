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

/* A wait for the ledger after which windows may be others. */
#define LONG_WAIT 1000

bool
ul_is_charged(const UlRequest *requests, int count)
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

/* What a request that asks for something costs, whatever limits say. */
static int64
fixed_price(const UlRequest *request)
{
	const UlCost *costs;
	int			ncosts;
	int64		measures[UL_NMEASURES];
	int64		price = 0;

	if (request->amount == 0)
		return 0;
	ncosts = ul_find_costs(request->usage_type, request->event_subtype, &costs);
	ul_request_measures(request, measures);
	for (int i = 0; i < ncosts; i++)
		if (!costs[i].overage)
			price = add_prices(price, ul_cost_price(&costs[i], measures[costs[i].measure]));
	return price;
}

const UlRequest *
ul_charge_begin(UlCharge *charge, const UlRequest *requests, int count)
{
	UlRequest  *copies = palloc(sizeof(UlRequest) * count);

	memset(charge, 0, sizeof(*charge));
	charge->count = count;
	charge->given = requests;
	charge->requests = copies;
	charge->prices = palloc0(sizeof(int64) * count);
	memcpy(copies, requests, sizeof(UlRequest) * count);
	for (int i = 0; i < count; i++)
	{
		charge->prices[i] = fixed_price(&requests[i]);
		if (copies[i].credits_used == NULL && charge->prices[i] > 0)
		{
			int64	   *credits = palloc(sizeof(int64));

			*credits = charge->prices[i];
			copies[i].credits_used = credits;
		}
	}
	return copies;
}

/* The cost of what a request uses beyond a limit of a measure, or NULL. */
static const UlCost *
overage_cost(const UlRequest *request, const UlLimit *limit)
{
	const UlCost *costs;
	int			ncosts;

	if (request->amount == 0 || strcmp(request->usage_type, limit->usage_type) != 0 ||
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
note_overage(UlCharge *charge, const UlClaim *claim, int64 (*over)[UL_NMEASURES])
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
				over[i][measure] = Max(over[i][measure], part);
		}
		if (left > 0)
			return false;
	}
	return true;
}

void
ul_charge_price(UlCharge *charge, UlClaim *claims, int nclaims)
{
	int64		(*over)[UL_NMEASURES] = palloc0(sizeof(*over) * charge->count);

	charge->price = 0;
	charge->fits_at = DT_NOBEGIN;
	for (int i = 0; i < nclaims; i++)
	{
		if (!claims[i].exceeded || !ul_claim_denies(&claims[i]) || !note_overage(charge, &claims[i], over))
			continue;
		claims[i].paid = true;
		charge->fits_at = Max(charge->fits_at, claims[i].fits_at);
	}
	for (int i = 0; i < charge->count; i++)
	{
		const UlRequest *request = &charge->requests[i];
		const UlCost *costs;
		int			ncosts = ul_find_costs(request->usage_type, request->event_subtype, &costs);

		charge->prices[i] = fixed_price(request);
		for (int j = 0; j < ncosts; j++)
			if (costs[j].overage)
				charge->prices[i] = add_prices(charge->prices[i],
											   ul_cost_price(&costs[j], over[i][costs[j].measure]));
		charge->price = add_prices(charge->price, charge->prices[i]);
	}
	if (charge->fits_at == DT_NOBEGIN)
		charge->fits_at = DT_NOEND;
	pfree(over);
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
	memset(decision, 0, sizeof(*decision));
	decision->reason = "insufficient_credits";
	decision->usage_type = usage_type;
	for (int i = 0; i < charge->count; i++)
		if (strcmp(charge->requests[i].usage_type, usage_type) == 0)
			decision->requested += charge->requests[i].amount;
	decision->current = ledger->balance;
	decision->remaining = ledger->balance;
	decision->limit = charge->price;
	decision->reset_at = refill_at;
	decision->retry_after = refill_at == DT_NOEND ? -1 :
		Min((refill_at - now + USECS_PER_SEC - 1) / USECS_PER_SEC, PG_INT32_MAX);
}

bool
ul_charge_decide(UlCharge *charge, bool dry_run, TimestampTz now, UlDecision *decision)
{
	UlLedger   *ledger = &charge->ledger;
	const char *user_id = charge->requests[0].user_id;

	charge->is_had = false;
	if (charge->price == 0)
		return false;

	/* who is denied waits for nobody */
	charge->is_had = ul_ledger_look(ledger, user_id, charge->price);
	if (charge->is_had && decision->allowed && !dry_run)
	{
		ul_ledger_open(ledger, user_id);
		charge->is_had = ul_ledger_has(ledger, charge->price);
		if (ul_now() - now > LONG_WAIT)
			return true;
	}
	if (charge->is_had)
		return false;
	if (ul_enforcement == UL_ENFORCEMENT_ON)
		deny(charge, ledger, now, decision);
	else if (ul_enforcement == UL_ENFORCEMENT_SHADOW)
		decision->reason = "shadow";
	return false;
}

void
ul_charge_pay(UlCharge *charge, const int64 *events)
{
	if (!charge->is_had)
		return;
	for (int i = 0; i < charge->count; i++)
	{
		const UlRequest *request = &charge->requests[i];
		UlEntry    *entry;

		if (charge->prices[i] == 0)
			continue;
		entry = ul_ledger_spend(&charge->ledger, charge->prices[i], UL_TYPE_USAGE);
		entry->description = request->event_subtype == NULL ? request->usage_type :
			psprintf("%s %s", request->usage_type, request->event_subtype);
		if (events[i] != 0)
			entry->reference_id = ul_event_reference(events[i]);
	}
	ul_ledger_write(&charge->ledger);
}
