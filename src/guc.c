/*-------------------------------------------------------------------------
 *
 * guc.c
 *		The settings, usage_limits.*.
 *
 * None is PGC_USERSET: whoever is limited must not lift the limit.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "amounts.h"
#include "compat.h"
#include "env.h"
#include "guc.h"

/* What the check hook of a setting of the form "name=number, ..." keeps */
typedef struct UlListEntry
{
	int			name;			/* offset into names */
	int			tier;			/* of usage_limits.overrides: another */
	int64		value;
} UlListEntry;

typedef struct UlListSetting
{
	int			count;
	char	   *names;			/* NUL-terminated strings, in this chunk */
	UlListEntry entries[FLEXIBLE_ARRAY_MEMBER];
} UlListSetting;

/*
 * Parses one entry in place; returns an error detail, or NULL.  Offsets are of
 * "names", which the entry is in.
 */
typedef const char *(*UlParseEntry) (char *item, const char *names, UlListEntry *entry);

bool		ul_analytics_enabled = true;
bool		ul_credits_enabled = false;
char	   *ul_default_tier = NULL;
int			ul_enforcement = UL_ENFORCEMENT_ON;
int			ul_event_retention = 0;
int			ul_grace_period = 0;
int			ul_idempotency_retention = 0;
int			ul_max_counters = 0;
int			ul_flush_interval = 1000;
bool		ul_worker_enabled = true;
int			ul_on_track_error = UL_TRACK_ERROR;
bool		ul_strict_names = false;
bool		ul_tracking_enabled = true;
char	   *ul_users_table = NULL;

static char *credit_costs_string = NULL;
static UlListSetting *credit_costs = NULL;
static char *credit_daily_refill_string = NULL;
static UlListSetting *credit_daily_refill = NULL;
static char *overrides_string = NULL;
static UlListSetting *overrides = NULL;
static char *test_clock_string = NULL;
static TimestampTz test_clock = DT_NOBEGIN; /* DT_NOBEGIN: the real clock */

static const struct config_enum_entry enforcement_options[] = {
	{"on", UL_ENFORCEMENT_ON, false},
	{"shadow", UL_ENFORCEMENT_SHADOW, false},
	{"off", UL_ENFORCEMENT_OFF, false},
	{"true", UL_ENFORCEMENT_ON, true},
	{"false", UL_ENFORCEMENT_OFF, true},
	{"yes", UL_ENFORCEMENT_ON, true},
	{"no", UL_ENFORCEMENT_OFF, true},
	{"1", UL_ENFORCEMENT_ON, true},
	{"0", UL_ENFORCEMENT_OFF, true},
	{NULL, 0, false}
};

static const struct config_enum_entry on_track_error_options[] = {
	{"error", UL_TRACK_ERROR, false},
	{"warning", UL_TRACK_WARNING, false},
	{NULL, 0, false}
};

static bool
check_default_tier(char **newval, void **extra, GucSource source)
{
	if (**newval == '\0')
	{
		GUC_check_errdetail("The default tier needs a name.");
		return false;
	}
	return true;
}

/* Ends a text before the spaces that are before a position in it. */
static void
end_before(char *text, char *position)
{
	while (position > text && isspace((unsigned char) position[-1]))
		position--;
	*position = '\0';
}

/* Reads a whole number with nothing but spaces after it; false if it is none. */
static bool
read_number(const char *text, int64 *value)
{
	char	   *end;

	errno = 0;
	*value = strtoi64(text, &end, 10);
	if (end == text || errno == ERANGE)
		return false;
	while (isspace((unsigned char) *end))
		end++;
	return *end == '\0';
}

/*
 * One "limit_type.tier=value".  The last dot separates, since a limit's name may
 * hold dots.
 */
static const char *
parse_override(char *item, const char *names, UlListEntry *entry)
{
	char	   *equals = strchr(item, '=');
	char	   *dot;

	if (equals == NULL)
		return "An entry has the form limit_type.tier=value.";
	*equals = '\0';
	end_before(item, equals);
	dot = strrchr(item, '.');
	if (dot == NULL || dot == item || dot[1] == '\0')
		return "An entry has the form limit_type.tier=value.";
	*dot = '\0';
	entry->name = item - names;
	entry->tier = dot + 1 - names;
	if (!read_number(equals + 1, &entry->value))
		return "The value is a whole number.";
	if (entry->value < -1)
		return "The value is -1 (unlimited), 0 (blocks) or more.";
	return NULL;
}

/* One "name=credits". */
static const char *
parse_credits(char *item, const char *names, UlListEntry *entry)
{
	char	   *equals = strrchr(item, '=');

	if (equals == NULL || equals == item)
		return "An entry has the form name=credits.";
	end_before(item, equals);
	entry->name = item - names;
	if (!read_number(equals + 1, &entry->value))
		return "The number of credits is a whole number.";
	if (entry->value < 0 || entry->value > UL_MAX_AMOUNT)
		return "The number of credits is between 0 and 1000000000000000.";
	return NULL;
}

/* Parses a list of entries that commas separate. */
static bool
check_list(const char *input, void **extra, UlParseEntry parse)
{
	int			count = 1;
	Size		names_offset;
	UlListSetting *setting;
	char	   *next;

	for (const char *p = input; *p; p++)
		if (*p == ',')
			count++;

	names_offset = offsetof(UlListSetting, entries) + count * sizeof(UlListEntry);
	setting = ul_guc_malloc(names_offset + strlen(input) + 1);
	if (setting == NULL)
		return false;
	setting->count = 0;
	setting->names = (char *) setting + names_offset;
	strcpy(setting->names, input);

	for (char *item = setting->names; item != NULL; item = next)
	{
		const char *problem;
		char	   *shown;

		next = strchr(item, ',');
		if (next != NULL)
			*next++ = '\0';
		while (isspace((unsigned char) *item))
			item++;
		if (*item == '\0')
			continue;			/* an empty list, or a trailing comma */
		shown = pstrdup(item);
		problem = parse(item, setting->names, &setting->entries[setting->count]);
		if (problem != NULL)
		{
			GUC_check_errdetail("Entry \"%s\": %s", shown, problem);
			ul_guc_free(setting);
			return false;
		}
		setting->count++;
	}
	*extra = setting;
	return true;
}

static bool
check_overrides(char **newval, void **extra, GucSource source)
{
	return check_list(*newval, extra, parse_override);
}

static bool
check_credits(char **newval, void **extra, GucSource source)
{
	return check_list(*newval, extra, parse_credits);
}

static void
assign_overrides(const char *newval, void *extra)
{
	overrides = extra;
}

static void
assign_credit_costs(const char *newval, void *extra)
{
	credit_costs = extra;
}

static void
assign_credit_daily_refill(const char *newval, void *extra)
{
	credit_daily_refill = extra;
}

/*
 * The value is decoded without timestamptz_in, which would throw: a check
 * hook answers false instead.
 */
static bool
check_test_clock(char **newval, void **extra, GucSource source)
{
	TimestampTz value = DT_NOBEGIN;
	TimestampTz *result;

	if (**newval != '\0')
	{
		char		work[MAXDATELEN + 1];
		char	   *field[MAXDATEFIELDS];
		int			ftype[MAXDATEFIELDS];
		int			nf;
		int			dtype;
		int			tz;
		struct pg_tm tm;
		fsec_t		fsec;

		if (ParseDateTime(*newval, work, sizeof(work), field, ftype, MAXDATEFIELDS, &nf) != 0 ||
			ul_decode_datetime(field, ftype, nf, &dtype, &tm, &fsec, &tz) != 0 ||
			dtype != DTK_DATE ||
			tm2timestamp(&tm, fsec, &tz, &value) != 0)
		{
			GUC_check_errdetail("The test clock is a timestamp with time zone, or empty for the server's clock.");
			return false;
		}
	}
	result = ul_guc_malloc(sizeof(*result));
	if (result == NULL)
		return false;
	*result = value;
	*extra = result;
	return true;
}

static void
assign_test_clock(const char *newval, void *extra)
{
	test_clock = *(TimestampTz *) extra;
}

TimestampTz
ul_now(void)
{
	return test_clock == DT_NOBEGIN ? GetCurrentTimestamp() : test_clock;
}

/*
 * The number that a setting has for a name and, unless that is NULL, a tier; of
 * several the last, as in a configuration file.
 */
static bool
list_value(const UlListSetting *setting, const char *name, const char *tier, int64 *value)
{
	for (int i = setting == NULL ? -1 : setting->count - 1; i >= 0; i--)
	{
		const UlListEntry *entry = &setting->entries[i];

		if (strcmp(setting->names + entry->name, name) == 0 &&
			(tier == NULL || strcmp(setting->names + entry->tier, tier) == 0))
		{
			*value = entry->value;
			return true;
		}
	}
	return false;
}

bool
ul_setting_override(const char *limit_type, const char *tier, int64 *value)
{
	return list_value(overrides, limit_type, tier, value);
}

bool
ul_setting_names_tier(const char *tier)
{
	if (overrides == NULL)
		return false;
	for (int i = 0; i < overrides->count; i++)
		if (strcmp(overrides->names + overrides->entries[i].tier, tier) == 0)
			return true;
	return false;
}

bool
ul_setting_credit_cost(const char *usage_type, int64 *credits)
{
	return list_value(credit_costs, usage_type, NULL, credits);
}

bool
ul_setting_has_daily_refills(void)
{
	return credit_daily_refill != NULL && credit_daily_refill->count > 0;
}

int64
ul_setting_daily_refill(const char *tier)
{
	int64		credits;

	return list_value(credit_daily_refill, tier, NULL, &credits) ? credits : 0;
}

/* In alphabetical order. */
void
ul_guc_init(void)
{
	UlEnvironment environment;

	ul_read_environment(&environment);

	DefineCustomBoolVariable("usage_limits.analytics_enabled",
							 "Writes a row of usage_events for every event.",
							 "When off, counters go on, no event rows are written, and analytics raise an error.",
							 &ul_analytics_enabled, environment.analytics_enabled,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("usage_limits.credit_costs",
							   "Sets what a unit of a usage type costs, in credits.",
							   "A list of usage_type=credits, separated by commas; a row of credit_costs for the type goes before.",
							   &credit_costs_string, environment.credit_costs,
							   PGC_SUSET, 0, check_credits, assign_credit_costs, NULL);
	DefineCustomStringVariable("usage_limits.credit_daily_refill",
							   "Sets how many credits users of a tier have at the start of each day.",
							   "A list of tier=credits, separated by commas.",
							   &credit_daily_refill_string, environment.credit_daily_refill,
							   PGC_SUSET, 0, check_credits, assign_credit_daily_refill, NULL);
	DefineCustomBoolVariable("usage_limits.credits_enabled",
							 "Charges usage with credits, and refills credits daily.",
							 "The functions credit_* work in any case.",
							 &ul_credits_enabled, environment.credits_enabled,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("usage_limits.default_tier",
							   "Sets the tier of users without a subscription in force.",
							   NULL,
							   &ul_default_tier, "free",
							   PGC_SUSET, 0, check_default_tier, NULL, NULL);
	DefineCustomEnumVariable("usage_limits.enforcement",
							 "Sets whether limits deny.",
							 "With shadow, what would be denied is allowed and reported as shadow; with off, usage is counted and nothing is refused.",
							 &ul_enforcement,
							 environment.limits_enforced ? UL_ENFORCEMENT_ON : UL_ENFORCEMENT_OFF,
							 enforcement_options,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("usage_limits.event_retention",
							"Sets how long rows of usage_events are kept.",
							"Counters are kept in any case. A type's own retention goes before. 0: for good.",
							&ul_event_retention, 0, 0, INT_MAX,
							PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("usage_limits.flush_interval",
							"Sets how long counts of relaxed limits, of denials and of rates stay in shared memory alone.",
							"A crash of the server forgets at most that.",
							&ul_flush_interval, 1000, 10, 3600000,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("usage_limits.grace_period",
							"Sets how long a subscription that is past_due keeps its tier.",
							"Counted from status_since.",
							&ul_grace_period, 0, 0, INT_MAX,
							PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("usage_limits.idempotency_retention",
							"Sets how long an idempotency key is remembered.",
							NULL,
							&ul_idempotency_retention, 7 * SECS_PER_DAY, 1, INT_MAX,
							PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
	if (process_shared_preload_libraries_in_progress)
		DefineCustomIntVariable("usage_limits.max_counters",
								"Sets how many users and usage types shared memory has room for at once.",
								"Each takes about 260 bytes. Those that are not in use make room for others; where there is none, locks are used instead.",
								&ul_max_counters, 100000, 16, 100000000,
								PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("usage_limits.on_track_error",
							 "Sets what a failing usage_track does.",
							 "error aborts as usual; warning reports the error as a warning and returns null, so that tracking cannot break its caller.",
							 &ul_on_track_error, UL_TRACK_ERROR, on_track_error_options,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("usage_limits.overrides",
							   "Sets limit values that replace those of usage_limits_config.",
							   "A list of limit_type.tier=value, separated by commas; -1 is unlimited, 0 blocks.",
							   &overrides_string, environment.overrides,
							   PGC_SUSET, 0, check_overrides, assign_overrides, NULL);
	DefineCustomBoolVariable("usage_limits.strict_names",
							 "Refuses usage types and limits that are not configured.",
							 NULL,
							 &ul_strict_names, false,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("usage_limits.test_clock",
							   "Sets a fixed instant that is taken as now, for tests.",
							   "Empty: the server's clock.",
							   &test_clock_string, "",
							   PGC_SUSET, GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE,
							   check_test_clock, assign_test_clock, NULL);
	DefineCustomBoolVariable("usage_limits.tracking_enabled",
							 "Records usage.",
							 "When off, nothing is written: usage_track returns null and usage_consume answers not_enforced.",
							 &ul_tracking_enabled, environment.tracking_enabled,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("usage_limits.users_table",
							   "Sets the table of the application's users, which usage_funnel counts.",
							   "A name without a schema is one of schema public. Empty: user_subscriptions.",
							   &ul_users_table, "",
							   PGC_SUSET, 0, NULL, NULL, NULL);

	DefineCustomBoolVariable("usage_limits.worker_enabled",
							 "Starts background workers that flush counts and keep the tables tidy.",
							 "When off, usage_maintain() must be called instead, and denials are not counted. Only where the library is preloaded.",
							 &ul_worker_enabled, true,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);

	MarkGUCPrefixReserved("usage_limits");
}
