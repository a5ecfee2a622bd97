/*-------------------------------------------------------------------------
 *
 * limit_names.c
 *		The words that limits are described with.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "limits.h"

const char *const ul_measure_names[UL_NMEASURES] = {"amount", "tokens", "credits", "duration_ms"};
const char *const ul_kind_names[UL_KIND_RATE + 1] = {"counter", "gauge", "concurrency", "rate"};
const char *const ul_source_names[] = {"config", "setting", "tier_override", "user_override"};
const char *const ul_tier_names[UL_NTIERS] = {"free", "pro", "team", "enterprise"};

static const char *const suffixes[] = {
	"_minutely", "_hourly", "_daily", "_weekly", "_monthly", "_yearly", "_total"
};

int
ul_name_index(const char *const *names, int count, const char *name)
{
	for (int i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

int
ul_base_name_length(const char *limit_type, int *suffix)
{
	int			length = strlen(limit_type);

	*suffix = -1;
	for (size_t i = 0; i < lengthof(suffixes); i++)
	{
		int			tail = strlen(suffixes[i]);

		if (length > tail && strcmp(limit_type + length - tail, suffixes[i]) == 0)
		{
			*suffix = i;
			return length - tail;
		}
	}
	return length;
}
