/*-------------------------------------------------------------------------
 *
 * costs.c
 *		What usage costs, in credits: the session's cache of credit_costs.
 *
 * The table is read whole, by the latest snapshot with the transaction's own
 * changes, and anew after a change of the configuration.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"

#include "costs.h"
#include "guc.h"
#include "limits.h"
#include "scan.h"
#include "tables.h"

typedef struct UlCosts
{
	MemoryContext context;
	uint64		generation;
	int			count;
	UlCost	   *costs;			/* by type, then subtype, NULL first */
} UlCosts;

static UlCosts *cache = NULL;

static bool
read_cost(TupleTableSlot *slot, void *arg)
{
	UlCosts    *into = arg;
	UlCost	   *cost;
	char	   *measure = ul_slot_text(slot, Anum_cost_measure);
	int			index = ul_name_index(ul_measure_names, UL_NMEASURES, measure);

	if (index < 0)
		elog(ERROR, "cost has unknown measure \"%s\"", measure);
	if (into->costs == NULL)
		into->costs = palloc(sizeof(UlCost) * 16);
	else if (into->count >= 16 && (into->count & (into->count - 1)) == 0)
		into->costs = repalloc(into->costs, sizeof(UlCost) * into->count * 2);
	cost = &into->costs[into->count++];
	cost->usage_type = ul_slot_text(slot, Anum_cost_usage_type);
	cost->event_subtype = ul_slot_text(slot, Anum_cost_event_subtype);
	cost->measure = index;
	cost->credits = ul_slot_int8(slot, Anum_cost_credits, 0);
	cost->per = ul_slot_int8(slot, Anum_cost_per, 1);
	cost->overage = strcmp(ul_slot_text(slot, Anum_cost_charge), "overage") == 0;
	return true;
}

static int
compare_names(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b ? 0 : a == NULL ? -1 : 1;
	return strcmp(a, b);
}

static int
compare_costs(const void *a, const void *b)
{
	const UlCost *left = a;
	const UlCost *right = b;
	int			by_type = strcmp(left->usage_type, right->usage_type);
	int			by_subtype = compare_names(left->event_subtype, right->event_subtype);

	return by_type != 0 ? by_type : by_subtype != 0 ? by_subtype : (int) left->measure - (int) right->measure;
}

static const UlCosts *
get_costs(void)
{
	MemoryContext context;
	MemoryContext previous;
	UlCosts    *fresh;
	Snapshot	snapshot;

	ul_schema();
	AcceptInvalidationMessages();
	if (cache != NULL && cache->generation == ul_generation(UL_SIGNAL_CONFIG))
		return cache;

	/* built in this transaction's memory until it is whole */
	context = AllocSetContextCreate(CurrentMemoryContext, "usage_limits costs", ALLOCSET_SMALL_SIZES);
	previous = MemoryContextSwitchTo(context);
	fresh = palloc0(sizeof(UlCosts));
	fresh->context = context;
	fresh->generation = ul_generation(UL_SIGNAL_CONFIG);
	snapshot = ul_latest_snapshot(false);
	ul_scan(UL_CREDIT_COSTS, UL_NTABLES, 0, NULL, snapshot, read_cost, fresh);
	ul_release_snapshot(snapshot);
	if (fresh->count > 1)
		qsort(fresh->costs, fresh->count, sizeof(UlCost), compare_costs);
	MemoryContextSwitchTo(previous);

	/* callers may hold the old one until the transaction ends */
	if (cache != NULL)
		MemoryContextSetParent(cache->context, TopTransactionContext);
	MemoryContextSetParent(context, TopMemoryContext);
	cache = fresh;
	return cache;
}

/* The rows of a type and subtype, which stand together. */
static int
find_rows(const UlCosts *all, const char *usage_type, const char *event_subtype, const UlCost **costs)
{
	int			count = 0;

	for (int i = 0; i < all->count; i++)
	{
		const UlCost *cost = &all->costs[i];

		if (strcmp(cost->usage_type, usage_type) != 0 ||
			compare_names(cost->event_subtype, event_subtype) != 0)
			continue;
		if (count++ == 0)
			*costs = cost;
	}
	return count;
}

int
ul_find_costs(const char *usage_type, const char *event_subtype, const UlCost **costs)
{
	const UlCosts *all = get_costs();
	UlCost	   *setting;
	int64		credits;
	int			count = 0;

	if (event_subtype != NULL)
		count = find_rows(all, usage_type, event_subtype, costs);
	if (count == 0)
		count = find_rows(all, usage_type, NULL, costs);
	if (count > 0 || !ul_setting_credit_cost(usage_type, &credits))
		return count;

	setting = palloc0(sizeof(UlCost));
	setting->usage_type = usage_type;
	setting->measure = UL_MEASURE_AMOUNT;
	setting->credits = credits;
	setting->per = 1;
	*costs = setting;
	return 1;
}

bool
ul_type_has_costs(const char *usage_type)
{
	const UlCosts *all = get_costs();
	int64		credits;

	for (int i = 0; i < all->count; i++)
		if (strcmp(all->costs[i].usage_type, usage_type) == 0)
			return true;
	return ul_setting_credit_cost(usage_type, &credits);
}

int64
ul_cost_price(const UlCost *cost, int64 units)
{
	int128		price = ((int128) units * cost->credits + cost->per - 1) / cost->per;

	if (price > UL_MAX_AMOUNT)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("price of \"%s\" is out of range", cost->usage_type)));
	return (int64) price;
}
