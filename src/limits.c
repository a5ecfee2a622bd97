/*-------------------------------------------------------------------------
 *
 * limits.c
 *		Which limits there are and what they allow a user: the session's
 *		cache of the configuration.
 *
 * Two caches, each with the generation at which it was begun: the
 * configuration (limits, tier overrides, types, actions), read whole, and the
 * users, read one by one.  Both are read by the latest snapshot with the
 * transaction's own changes, so that a change counts for its own transaction
 * at once and for the others from its commit.  A change, and the end of a
 * transaction that made one, raises the generation; the next call builds anew.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "guc.h"
#include "limits.h"
#include "scan.h"
#include "tables.h"

/* Users kept at most; beyond it the cache starts anew. */
#define MAX_CACHED_USERS	16384

typedef struct UlConfig
{
	MemoryContext context;
	uint64		generation;
	HTAB	   *types;			/* UlType */
	HTAB	   *actions;		/* UlAction */
	int			nlimits;
	UlLimit   **limits;			/* by limit_type */
	int			noverrides;
	UlOverride *overrides;
	int			nalerts;
	UlAlert    *alerts;
} UlConfig;

typedef struct UlUsers
{
	MemoryContext context;
	uint64		generation;
	bool		any_overrides;	/* any user has one */
	bool		any_resets;
	bool		any_members;
	HTAB	   *users;			/* UlUser */
} UlUsers;

static const char *const enforcement_names[] = {"hard", "soft", "shadow"};
static const char *const alignment_names[] = {"none", "calendar", "sliding", "anniversary"};
static UlConfig *config = NULL;
static UlUsers *users = NULL;

/* A cache's memory lives on until the transaction ends: callers may hold it. */
static void
retire(MemoryContext context)
{
	MemoryContextSetParent(context, TopTransactionContext);
}

static HTAB *
name_table(const char *name, Size entrysize, MemoryContext context)
{
	HASHCTL		info = {.keysize = 256,.entrysize = entrysize,.hcxt = context};

	return hash_create(name, 64, &info, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
}

/* The users' entries begin with a pointer to the name. */
static uint32
hash_user(const void *key, Size size)
{
	const char *user_id = *(const char *const *) key;

	return DatumGetUInt32(hash_any((const unsigned char *) user_id, strlen(user_id)));
}

static int
match_user(const void *a, const void *b, Size size)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* The entry of that name, made with defaults if new; callers' names fit. */
static UlType *
enter_type(UlConfig *into, const char *usage_type)
{
	bool		found;
	UlType	   *type = hash_search(into->types, usage_type, HASH_ENTER, &found);

	if (!found)
	{
		MemSet((char *) type + sizeof(type->usage_type), 0, sizeof(*type) - sizeof(type->usage_type));
		type->log_events = true;
	}
	return type;
}

/* The table's trigger has checked the names; what it did not is not active. */
static bool
read_limit(TupleTableSlot *slot, void *arg)
{
	UlConfig   *into = arg;
	UlLimit    *limit;
	char	   *text;
	bool		isnull;
	Datum		period;
	int			index;
	UlAlignment alignment;

	if (!ul_slot_bool(slot, Anum_config_is_active))
		return true;

	limit = palloc0(sizeof(UlLimit));
	limit->id = ul_slot_int8(slot, Anum_config_id, 0);
	limit->limit_type = ul_slot_text(slot, Anum_config_limit_type);
	limit->usage_type = ul_slot_text(slot, Anum_config_usage_type);
	limit->event_subtype = ul_slot_text(slot, Anum_config_event_subtype);
	limit->description = ul_slot_text(slot, Anum_config_description);

	text = ul_slot_text(slot, Anum_config_measure);
	if ((index = ul_name_index(ul_measure_names, UL_NMEASURES, text)) < 0)
		elog(ERROR, "limit \"%s\" has unknown measure \"%s\"", limit->limit_type, text);
	limit->measure = index;
	text = ul_slot_text(slot, Anum_config_kind);
	if ((index = ul_name_index(ul_kind_names, lengthof(ul_kind_names), text)) < 0)
		elog(ERROR, "limit \"%s\" has unknown kind \"%s\"", limit->limit_type, text);
	limit->kind = index;
	text = ul_slot_text(slot, Anum_config_enforcement);
	if ((index = ul_name_index(enforcement_names, lengthof(enforcement_names), text)) < 0)
		elog(ERROR, "limit \"%s\" has unknown enforcement \"%s\"", limit->limit_type, text);
	limit->enforcement = index;
	text = ul_slot_text(slot, Anum_config_alignment);
	if ((index = ul_name_index(alignment_names, lengthof(alignment_names), text)) < 0)
		elog(ERROR, "limit \"%s\" has unknown alignment \"%s\"", limit->limit_type, text);
	alignment = index;
	text = ul_slot_text(slot, Anum_config_time_zone);
	if ((limit->zone = pg_tzset(text)) == NULL)
		elog(ERROR, "limit \"%s\" has unknown time zone \"%s\"", limit->limit_type, text);

	period = slot_getattr(slot, Anum_config_period, &isnull);
	if (!isnull)
	{
		limit->interval = palloc(sizeof(Interval));
		*limit->interval = *DatumGetIntervalP(period);
	}
	if (limit->kind == UL_KIND_RATE ?
		ul_rate_period(limit->interval, &limit->rate_period) != NULL :
		ul_period_init(&limit->period, alignment, limit->interval) != NULL)
		elog(ERROR, "limit \"%s\" has an impossible period", limit->limit_type);

	limit->burst = ul_slot_int8(slot, Anum_config_burst, 0);
	text = ul_slot_text(slot, Anum_config_durability);
	limit->relaxed = strcmp(text, "relaxed") == 0;
	limit->tier_value[UL_TIER_FREE] = ul_slot_int8(slot, Anum_config_free_tier_limit, 0);
	limit->tier_value[UL_TIER_PRO] = ul_slot_int8(slot, Anum_config_pro_tier_limit, -1);
	limit->tier_value[UL_TIER_TEAM] = ul_slot_int8(slot, Anum_config_team_tier_limit, -1);
	limit->tier_value[UL_TIER_ENTERPRISE] = ul_slot_int8(slot, Anum_config_enterprise_tier_limit, -1);

	if (into->limits == NULL)
		into->limits = palloc(sizeof(UlLimit *) * 64);
	else if (into->nlimits >= 64 && (into->nlimits & (into->nlimits - 1)) == 0)
		into->limits = repalloc(into->limits, sizeof(UlLimit *) * into->nlimits * 2);
	into->limits[into->nlimits++] = limit;
	return true;
}

static bool
read_type(TupleTableSlot *slot, void *arg)
{
	UlType	   *type = enter_type(arg, ul_slot_text(slot, Anum_type_usage_type));

	type->log_events = ul_slot_bool(slot, Anum_type_log_events);
	return true;
}

static bool
read_action(TupleTableSlot *slot, void *arg)
{
	UlConfig   *into = arg;
	char	   *name = ul_slot_text(slot, Anum_action_action);
	UlAction   *action;

	if (strlen(name) >= sizeof(action->action))
		return true;			/* usage_check_action refuses such names */
	action = hash_search(into->actions, name, HASH_ENTER, NULL);
	action->usage_type = ul_slot_text(slot, Anum_action_usage_type);
	action->amount = ul_slot_int8(slot, Anum_action_amount, 1);
	return true;
}

/* Arrays of overrides and of resets grow by doubling. */
static void *
grow(void *array, int count, Size size)
{
	if (array == NULL)
		return palloc(size * 4);
	if (count >= 4 && (count & (count - 1)) == 0)
		return repalloc(array, size * count * 2);
	return array;
}

static UlOverride
override_of_slot(TupleTableSlot *slot)
{
	UlOverride	override = {
		.limit_type = ul_slot_text(slot, Anum_override_limit_type),
		.tier = ul_slot_text(slot, Anum_override_tier),
		.id = ul_slot_int8(slot, Anum_override_id, 0),
		.value = ul_slot_int8(slot, Anum_override_limit_value, -1),
		.starts_at = ul_slot_time(slot, Anum_override_starts_at, DT_NOBEGIN),
		.expires_at = ul_slot_time(slot, Anum_override_expires_at, DT_NOEND),
	};

	return override;
}

static bool
read_tier_override(TupleTableSlot *slot, void *arg)
{
	UlConfig   *into = arg;

	into->overrides = grow(into->overrides, into->noverrides, sizeof(UlOverride));
	into->overrides[into->noverrides++] = override_of_slot(slot);
	return true;
}

static bool
read_alert(TupleTableSlot *slot, void *arg)
{
	UlConfig   *into = arg;
	UlAlert    *alert;
	bool		isnull;
	Datum		percent = slot_getattr(slot, Anum_alert_percent, &isnull);

	into->alerts = grow(into->alerts, into->nalerts, sizeof(UlAlert));
	alert = &into->alerts[into->nalerts++];
	memset(alert, 0, sizeof(*alert));
	alert->id = ul_slot_int8(slot, Anum_alert_id, 0);
	alert->limit_type = ul_slot_text(slot, Anum_alert_limit_type);
	alert->of_credits = alert->limit_type != NULL && strcmp(alert->limit_type, UL_CREDITS_ALERT) == 0;
	alert->value = ul_slot_int8(slot, Anum_alert_value, 0);
	alert->created_at = ul_slot_time(slot, Anum_alert_created_at, DT_NOBEGIN);
	if (!isnull)
	{
		Datum		million = NumericGetDatum(int64_to_numeric(1000000));

		alert->percent = DatumGetCString(DirectFunctionCall1(numeric_out, percent));
		alert->millionths = DatumGetInt64(DirectFunctionCall1(numeric_int8,
															  DirectFunctionCall2(numeric_mul, percent, million)));
	}
	return true;
}

static int
compare_alerts(const void *a, const void *b)
{
	int64		left = ((const UlAlert *) a)->id;
	int64		right = ((const UlAlert *) b)->id;

	return left < right ? -1 : left > right ? 1 : 0;
}

/* By limit, then the one that started last, then the higher id. */
static int
compare_overrides(const void *a, const void *b)
{
	const UlOverride *left = a;
	const UlOverride *right = b;
	int			by_limit = strcmp(left->limit_type, right->limit_type);

	if (by_limit != 0)
		return by_limit;
	if (left->starts_at != right->starts_at)
		return left->starts_at > right->starts_at ? -1 : 1;
	return left->id > right->id ? -1 : 1;
}

static int
compare_limits(const void *a, const void *b)
{
	return strcmp((*(UlLimit *const *) a)->limit_type, (*(UlLimit *const *) b)->limit_type);
}

/*
 * Counters and gauges of a type share one durability.  Where there are only
 * rates, uses are relaxed if that is what all of them say.
 */
static void
join_durability(UlType *type, const UlLimit *limit)
{
	if (limit->kind == UL_KIND_COUNTER || limit->kind == UL_KIND_GAUGE)
	{
		type->relaxed = limit->relaxed;
		type->has_sums = true;
	}
	else if (limit->kind == UL_KIND_RATE && !type->has_sums)
		type->relaxed = limit->relaxed && (type->relaxed || !type->has_rate);
}

/* Joins the rows that were read: limits to types, overrides to limits. */
static void
link_config(UlConfig *into)
{
	int			next_override = 0;

	if (into->nlimits > 1)
		qsort(into->limits, into->nlimits, sizeof(UlLimit *), compare_limits);
	if (into->noverrides > 1)
		qsort(into->overrides, into->noverrides, sizeof(UlOverride), compare_overrides);
	if (into->nalerts > 1)
		qsort(into->alerts, into->nalerts, sizeof(UlAlert), compare_alerts);

	for (int i = 0; i < into->nlimits; i++)
	{
		UlLimit    *limit = into->limits[i];
		UlType	   *type = enter_type(into, limit->usage_type);

		type->limits = grow(type->limits, type->nlimits, sizeof(UlLimit *));
		type->limits[type->nlimits++] = limit;
		if (limit->kind == UL_KIND_CONCURRENCY)
			type->has_concurrency = true;
		join_durability(type, limit);
		if (limit->kind == UL_KIND_GAUGE)
			type->has_gauge = true;
		if (limit->kind == UL_KIND_RATE)
			type->has_rate = true;

		while (next_override < into->noverrides &&
			   strcmp(into->overrides[next_override].limit_type, limit->limit_type) < 0)
			next_override++;
		limit->overrides = into->overrides + next_override;
		while (next_override < into->noverrides &&
			   strcmp(into->overrides[next_override].limit_type, limit->limit_type) == 0)
		{
			next_override++;
			limit->noverrides++;
		}

		for (int j = 0; j < into->nalerts; j++)
		{
			UlAlert    *alert = &into->alerts[j];

			if (alert->of_credits ||
				(alert->limit_type != NULL && strcmp(alert->limit_type, limit->limit_type) != 0))
				continue;
			limit->alerts = grow(limit->alerts, limit->nalerts, sizeof(UlAlert *));
			limit->alerts[limit->nalerts++] = alert;
			type->has_alerts = true;
		}
	}
}

static UlConfig *
get_config(void)
{
	MemoryContext context;
	MemoryContext previous;
	UlConfig   *fresh;
	Snapshot	snapshot;
	ScanKeyData no_user;

	ul_schema();
	AcceptInvalidationMessages();
	if (config != NULL && config->generation == ul_generation(UL_SIGNAL_CONFIG))
		return config;

	/* built in this transaction's memory until it is whole */
	context = AllocSetContextCreate(CurrentMemoryContext, "usage_limits configuration",
									ALLOCSET_SMALL_SIZES);
	previous = MemoryContextSwitchTo(context);
	fresh = palloc0(sizeof(UlConfig));
	fresh->context = context;
	fresh->generation = ul_generation(UL_SIGNAL_CONFIG);
	fresh->types = name_table("usage_limits types", sizeof(UlType), context);
	fresh->actions = name_table("usage_limits actions", sizeof(UlAction), context);

	snapshot = ul_latest_snapshot(false);
	ul_key_null(&no_user, 1);
	ul_scan(UL_USAGE_LIMITS_CONFIG, UL_NTABLES, 0, NULL, snapshot, read_limit, fresh);
	ul_scan(UL_USAGE_TYPES, UL_NTABLES, 0, NULL, snapshot, read_type, fresh);
	ul_scan(UL_USAGE_ACTIONS, UL_NTABLES, 0, NULL, snapshot, read_action, fresh);
	ul_scan(UL_USAGE_LIMIT_OVERRIDES, UL_USAGE_LIMIT_OVERRIDES_USER_ID_IDX, 1, &no_user,
			snapshot, read_tier_override, fresh);
	ul_scan(UL_USAGE_ALERTS, UL_NTABLES, 0, NULL, snapshot, read_alert, fresh);
	ul_release_snapshot(snapshot);
	link_config(fresh);
	MemoryContextSwitchTo(previous);

	if (config != NULL)
		retire(config->context);
	MemoryContextSetParent(context, TopMemoryContext);
	config = fresh;
	return config;
}

int
ul_all_alerts(const UlAlert **alerts)
{
	const UlConfig *all = get_config();

	*alerts = all->alerts;
	return all->nalerts;
}

static bool
read_subscription(TupleTableSlot *slot, void *arg)
{
	UlUser	   *user = arg;
	char	   *zone = ul_slot_text(slot, Anum_subscription_time_zone);
	TimestampTz anchor_at = ul_slot_time(slot, Anum_subscription_anchor_at, DT_NOBEGIN);

	user->tier = ul_slot_text(slot, Anum_subscription_tier);
	user->status = ul_slot_text(slot, Anum_subscription_status);
	user->status_since = ul_slot_time(slot, Anum_subscription_status_since, DT_NOBEGIN);
	user->started_at = ul_slot_time(slot, Anum_subscription_started_at, DT_NOBEGIN);
	user->expires_at = ul_slot_time(slot, Anum_subscription_expires_at, DT_NOEND);
	user->zone = zone == NULL ? NULL : pg_tzset(zone);
	if (TIMESTAMP_NOT_FINITE(anchor_at))
		anchor_at = user->started_at;
	user->anchor_at = TIMESTAMP_NOT_FINITE(anchor_at) ? DT_NOBEGIN : anchor_at;
	return true;
}

static bool
read_user_override(TupleTableSlot *slot, void *arg)
{
	UlUser	   *user = arg;

	user->overrides = grow(user->overrides, user->noverrides, sizeof(UlOverride));
	user->overrides[user->noverrides++] = override_of_slot(slot);
	return true;
}

static bool
read_reset(TupleTableSlot *slot, void *arg)
{
	UlUser	   *user = arg;

	user->resets = grow(user->resets, user->nresets, sizeof(UlReset));
	user->resets[user->nresets].usage_type = ul_slot_text(slot, Anum_reset_usage_type);
	user->resets[user->nresets].reset_at = ul_slot_time(slot, Anum_reset_reset_at, DT_NOBEGIN);
	user->nresets++;
	return true;
}

static bool
read_member(TupleTableSlot *slot, void *arg)
{
	((UlUser *) arg)->account_id = ul_slot_text(slot, Anum_member_account_id);
	return true;
}

static bool
found_row(TupleTableSlot *slot, void *arg)
{
	*(bool *) arg = true;
	return false;
}

/*
 * Starts the cache anew.  In most databases no user has an override or a
 * reset, or belongs to an account: then they need not be looked for user by
 * user.
 */
static void
begin_users(uint64 generation)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "usage_limits users",
												  ALLOCSET_DEFAULT_SIZES);
	UlUsers    *fresh = MemoryContextAllocZero(context, sizeof(UlUsers));
	HASHCTL		info = {
		.keysize = sizeof(char *),.entrysize = sizeof(UlUser),
		.hash = hash_user,.match = match_user,.hcxt = context,
	};
	Snapshot	snapshot = ul_latest_snapshot(false);
	ScanKeyData any_user;

	fresh->context = context;
	fresh->generation = generation;
	fresh->users = hash_create("usage_limits users", 64, &info,
							   HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	ul_key_not_null(&any_user, 1);
	ul_scan(UL_USAGE_LIMIT_OVERRIDES, UL_USAGE_LIMIT_OVERRIDES_USER_ID_IDX, 1, &any_user,
			snapshot, found_row, &fresh->any_overrides);
	ul_scan(UL_USAGE_RESETS, UL_NTABLES, 0, NULL, snapshot, found_row, &fresh->any_resets);
	ul_scan(UL_USAGE_MEMBERS, UL_USAGE_MEMBERS_PKEY, 0, NULL, snapshot, found_row, &fresh->any_members);
	ul_release_snapshot(snapshot);

	if (users != NULL)
		retire(users->context);
	MemoryContextSetParent(context, TopMemoryContext);
	users = fresh;
}

const UlUser *
ul_find_user(const char *user_id)
{
	UlUser	   *user;
	UlUser		read;
	MemoryContext previous;
	Snapshot	snapshot;
	ScanKeyData key;
	uint64		generation;

	ul_schema();
	AcceptInvalidationMessages();
	generation = ul_generation(UL_SIGNAL_USERS);

	if (users != NULL && users->generation == generation)
	{
		user = hash_search(users->users, &user_id, HASH_FIND, NULL);
		if (user != NULL)
			return user;
	}
	if (users == NULL || users->generation != generation ||
		hash_get_num_entries(users->users) >= MAX_CACHED_USERS)
		begin_users(generation);

	/* entered when it is whole, so that an error leaves no half user */
	memset(&read, 0, sizeof(read));
	previous = MemoryContextSwitchTo(users->context);
	read.user_id = pstrdup(user_id);
	read.anchor_at = DT_NOBEGIN;
	snapshot = ul_latest_snapshot(false);
	ul_key_text(&key, 1, user_id);
	ul_scan(UL_USER_SUBSCRIPTIONS, UL_USER_SUBSCRIPTIONS_USER_ID_KEY, 1, &key,
			snapshot, read_subscription, &read);
	if (users->any_overrides)
		ul_scan(UL_USAGE_LIMIT_OVERRIDES, UL_USAGE_LIMIT_OVERRIDES_USER_ID_IDX, 1, &key,
				snapshot, read_user_override, &read);
	if (users->any_resets)
		ul_scan(UL_USAGE_RESETS, UL_USAGE_RESETS_PKEY, 1, &key,
				snapshot, read_reset, &read);
	if (users->any_members)
		ul_scan(UL_USAGE_MEMBERS, UL_USAGE_MEMBERS_PKEY, 1, &key, snapshot, read_member, &read);
	ul_release_snapshot(snapshot);
	if (read.noverrides > 1)
		qsort(read.overrides, read.noverrides, sizeof(UlOverride), compare_overrides);
	user = hash_search(users->users, &read.user_id, HASH_ENTER, NULL);
	*user = read;
	MemoryContextSwitchTo(previous);
	return user;
}

uint64
ul_limits_generation(void)
{
	AcceptInvalidationMessages();
	return ul_generation(UL_SIGNAL_CONFIG) + ul_generation(UL_SIGNAL_USERS);
}

UlLimit    *const *
ul_all_limits(int *count)
{
	UlConfig   *current = get_config();

	*count = current->nlimits;
	return current->limits;
}

const UlLimit *
ul_find_limit(const char *limit_type)
{
	UlConfig   *current = get_config();
	UlLimit		sought = {.limit_type = unconstify(char *, limit_type)};
	UlLimit    *key = &sought;
	UlLimit   **found;

	if (current->nlimits == 0)
		return NULL;
	found = bsearch(&key, current->limits, current->nlimits, sizeof(UlLimit *), compare_limits);
	return found == NULL ? NULL : *found;
}

typedef struct InactiveState
{
	const char *usage_type;
	void		(*inactive) (const char *limit_type, void *arg);
	void	   *arg;
} InactiveState;

static bool
read_inactive(TupleTableSlot *slot, void *arg)
{
	InactiveState *state = arg;

	if (!ul_slot_bool(slot, Anum_config_is_active) &&
		strcmp(ul_slot_text(slot, Anum_config_usage_type), state->usage_type) == 0)
		state->inactive(ul_slot_text(slot, Anum_config_limit_type), state->arg);
	return true;
}

void
ul_inactive_limits(const char *usage_type,
				   void (*inactive) (const char *limit_type, void *arg), void *arg)
{
	InactiveState state = {.usage_type = usage_type,.inactive = inactive,.arg = arg};
	Snapshot	snapshot = ul_latest_snapshot(false);

	ul_scan(UL_USAGE_LIMITS_CONFIG, UL_NTABLES, 0, NULL, snapshot, read_inactive, &state);
	ul_release_snapshot(snapshot);
}

const UlType *
ul_find_type(const char *usage_type)
{
	return hash_search(get_config()->types, usage_type, HASH_FIND, NULL);
}

const UlAction *
ul_find_action(const char *action)
{
	return hash_search(get_config()->actions, action, HASH_FIND, NULL);
}

const UlLimit *
ul_find_misnamed(const char *usage_type)
{
	UlConfig   *current = get_config();
	size_t		length = strlen(usage_type);

	for (int i = 0; i < current->nlimits; i++)
	{
		UlLimit    *limit = current->limits[i];
		int			suffix;

		if (strcmp(limit->limit_type, usage_type) == 0 ||
			((size_t) ul_base_name_length(limit->limit_type, &suffix) == length &&
			 strncmp(limit->limit_type, usage_type, length) == 0))
			return limit;
	}
	return NULL;
}

const char *
ul_subscription_tier(const char *tier, const char *status, TimestampTz status_since,
					 TimestampTz started_at, TimestampTz expires_at, TimestampTz at)
{
	if (status == NULL || at < started_at || at >= expires_at)
		return ul_default_tier;
	if (strcmp(status, "active") == 0 || strcmp(status, "trialing") == 0)
		return tier;
	if (strcmp(status, "past_due") == 0 && status_since != DT_NOBEGIN &&
		at < status_since + ul_grace_period * USECS_PER_SEC)
		return tier;
	return ul_default_tier;
}

const char *
ul_effective_tier(const UlUser *user, TimestampTz at)
{
	return ul_subscription_tier(user->tier, user->status, user->status_since,
								user->started_at, user->expires_at, at);
}

/* The override that counts for a limit among sorted ones, or NULL. */
static const UlOverride *
override_in_force(const UlOverride *overrides, int count, const char *limit_type,
				  const char *tier, TimestampTz at)
{
	for (int i = 0; i < count; i++)
	{
		const UlOverride *override = &overrides[i];

		if (override->starts_at <= at && at < override->expires_at &&
			strcmp(override->limit_type, limit_type) == 0 &&
			(tier == NULL || strcmp(override->tier, tier) == 0))
			return override;
	}
	return NULL;
}

/* What overrides, setting and column say for a tier; false if nothing. */
static bool
tier_value(const UlLimit *limit, const char *tier, TimestampTz at,
		   int64 *value, UlSource *source)
{
	const UlOverride *override;
	int			column;

	override = override_in_force(limit->overrides, limit->noverrides, limit->limit_type, tier, at);
	if (override != NULL)
	{
		*value = override->value;
		*source = UL_SOURCE_TIER_OVERRIDE;
		return true;
	}
	if (ul_setting_override(limit->limit_type, tier, value))
	{
		*source = UL_SOURCE_SETTING;
		return true;
	}
	column = ul_name_index(ul_tier_names, UL_NTIERS, tier);
	if (column < 0)
		return false;
	*value = limit->tier_value[column];
	*source = UL_SOURCE_CONFIG;
	return true;
}

int64
ul_limit_value(const UlLimit *limit, const UlUser *user, TimestampTz at, UlSource *source)
{
	const UlOverride *override;
	int64		value;

	override = override_in_force(user->overrides, user->noverrides, limit->limit_type, NULL, at);
	if (override != NULL)
	{
		*source = UL_SOURCE_USER_OVERRIDE;
		return override->value;
	}
	if (tier_value(limit, ul_effective_tier(user, at), at, &value, source) ||
		tier_value(limit, ul_default_tier, at, &value, source))
		return value;

	/* the default tier itself has no value anywhere */
	*source = UL_SOURCE_CONFIG;
	return limit->tier_value[UL_TIER_FREE];
}

/* The user's zone goes before the limit's. */
static pg_tz *
limit_zone(const UlLimit *limit, const UlUser *user)
{
	return user->zone != NULL ? user->zone : limit->zone;
}

UlWindow
ul_limit_window(const UlLimit *limit, const UlUser *user, TimestampTz at)
{
	return ul_window_at(&limit->period, limit_zone(limit, user), user->anchor_at, at);
}

TimestampTz
ul_limit_bucket_floor(const UlLimit *limit, const UlUser *user, TimestampTz at)
{
	return ul_bucket_floor(&limit->period, limit_zone(limit, user), user->anchor_at, at);
}

TimestampTz
ul_last_reset(const UlUser *user, const char *usage_type, TimestampTz at)
{
	TimestampTz last = DT_NOBEGIN;

	for (int i = 0; i < user->nresets; i++)
		if (user->resets[i].reset_at <= at && user->resets[i].reset_at > last &&
			strcmp(user->resets[i].usage_type, usage_type) == 0)
			last = user->resets[i].reset_at;
	return last;
}

bool
ul_tier_is_known(const char *tier)
{
	UlConfig   *current = get_config();

	if (ul_name_index(ul_tier_names, UL_NTIERS, tier) >= 0 || ul_setting_names_tier(tier))
		return true;
	for (int i = 0; i < current->noverrides; i++)
		if (strcmp(current->overrides[i].tier, tier) == 0)
			return true;
	return false;
}
