/*-------------------------------------------------------------------------
 *
 * env.c
 *		The server's environment variables, as defaults of settings.
 *
 * USAGE_LIMIT_PROMPTS_DAILY_FREE=10 is the entry prompts_daily.free=10 of
 * usage_limits.overrides: the last word is the tier.  CREDITS_COST_PROMPT=10 is
 * prompt=10 of usage_limits.credit_costs, and CREDITS_DAILY_REFILL_FREE=100 is
 * free=100 of usage_limits.credit_daily_refill.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "amounts.h"
#include "env.h"

#define LIMIT_PREFIX "USAGE_LIMIT_"
#define COST_PREFIX "CREDITS_COST_"
#define REFILL_PREFIX "CREDITS_DAILY_REFILL_"

extern char **environ;

static void
ignore(const char *name, const char *value, const char *why)
{
	ereport(LOG,
			(errmsg("environment variable %s=\"%s\" is ignored", name, value),
			 errdetail_internal("%s", why)));
}

static void
read_switch(const char *name, const char *value, bool *result)
{
	bool		parsed;

	if (parse_bool(value, &parsed))
		*result = parsed;
	else
		ignore(name, value, "The value is true or false.");
}

/* What has another form, or would not be one entry of usage_limits.overrides. */
static bool
is_limit_name(const char *limit_type)
{
	for (const char *p = limit_type; *p; p++)
		if (*p == ',' || *p == '.' || isspace((unsigned char) *p))
			return false;
	return *limit_type != '\0';
}

static void
read_limit_value(const char *name, const char *value, StringInfo overrides)
{
	char	   *limit_type = pstrdup(name + strlen(LIMIT_PREFIX));
	char	   *tier = strrchr(limit_type, '_');
	char	   *end;
	int64		number;

	if (tier != NULL)
		*tier++ = '\0';
	if (tier == NULL || !is_limit_name(limit_type) || !is_limit_name(tier))
	{
		ignore(name, value, "The name has the form " LIMIT_PREFIX "<limit>_<tier>.");
		return;
	}
	errno = 0;
	number = strtoi64(value, &end, 10);
	if (end == value || *end != '\0' || errno == ERANGE || number < -1)
	{
		ignore(name, value, "The value is a whole number: -1 (unlimited), 0 (blocks) or more.");
		return;
	}
	for (char *p = limit_type; *p; p++)
		*p = pg_ascii_tolower((unsigned char) *p);
	for (char *p = tier; *p; p++)
		*p = pg_ascii_tolower((unsigned char) *p);
	appendStringInfo(overrides, "%s%s.%s=" INT64_FORMAT,
					 overrides->len > 0 ? ", " : "", limit_type, tier, number);
}

/* An entry of a list of "name=credits", whose name is what follows the prefix. */
static void
read_credits(const char *name, const char *value, const char *prefix, StringInfo list)
{
	char	   *key = pstrdup(name + strlen(prefix));
	char	   *end;
	int64		number;

	if (!is_limit_name(key) || strchr(key, '=') != NULL)
	{
		ignore(name, value, psprintf("The name has the form %s<name>.", prefix));
		return;
	}
	errno = 0;
	number = strtoi64(value, &end, 10);
	if (end == value || *end != '\0' || errno == ERANGE || number < 0 || number > UL_MAX_AMOUNT)
	{
		ignore(name, value, "The value is a whole number of credits, 0 or more.");
		return;
	}
	for (char *p = key; *p; p++)
		*p = pg_ascii_tolower((unsigned char) *p);
	appendStringInfo(list, "%s%s=" INT64_FORMAT, list->len > 0 ? ", " : "", key, number);
}

void
ul_read_environment(UlEnvironment *environment)
{
	MemoryContext previous = MemoryContextSwitchTo(TopMemoryContext);
	StringInfoData overrides;
	StringInfoData costs;
	StringInfoData refills;

	environment->tracking_enabled = true;
	environment->limits_enforced = true;
	environment->analytics_enabled = true;
	environment->credits_enabled = false;
	initStringInfo(&overrides);
	initStringInfo(&costs);
	initStringInfo(&refills);
	for (char **entry = environ; *entry != NULL; entry++)
	{
		const char *equals = strchr(*entry, '=');
		char	   *name;

		if (equals == NULL ||
			(strncmp(*entry, "USAGE_", strlen("USAGE_")) != 0 &&
			 strncmp(*entry, "CREDITS_", strlen("CREDITS_")) != 0))
			continue;
		name = pnstrdup(*entry, equals - *entry);
		if (strcmp(name, "USAGE_TRACKING_ENABLED") == 0)
			read_switch(name, equals + 1, &environment->tracking_enabled);
		else if (strcmp(name, "USAGE_LIMITS_ENFORCED") == 0)
			read_switch(name, equals + 1, &environment->limits_enforced);
		else if (strcmp(name, "USAGE_ANALYTICS_ENABLED") == 0)
			read_switch(name, equals + 1, &environment->analytics_enabled);
		else if (strncmp(name, LIMIT_PREFIX, strlen(LIMIT_PREFIX)) == 0)
			read_limit_value(name, equals + 1, &overrides);
		else if (strcmp(name, "CREDITS_ENABLED") == 0)
			read_switch(name, equals + 1, &environment->credits_enabled);
		else if (strncmp(name, COST_PREFIX, strlen(COST_PREFIX)) == 0)
			read_credits(name, equals + 1, COST_PREFIX, &costs);
		else if (strncmp(name, REFILL_PREFIX, strlen(REFILL_PREFIX)) == 0)
			read_credits(name, equals + 1, REFILL_PREFIX, &refills);
		pfree(name);
	}
	environment->overrides = overrides.data;
	environment->credit_costs = costs.data;
	environment->credit_daily_refill = refills.data;
	MemoryContextSwitchTo(previous);
}
