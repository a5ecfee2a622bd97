/*-------------------------------------------------------------------------
 *
 * tally.h
 *		What is counted of each user, before a change and after it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_TALLY_H
#define UL_TALLY_H

#include "common/hashfn.h"
#include "common/int.h"
#include "utils/memutils.h"

#include "amounts.h"

typedef struct UlTally
{
	char	   *user_id;
	int64		before;
	int64		after;
	int64		old_rows;
	int64		new_rows;
	uint64		lock;			/* that the user's key has */
	uint32		hash;
	char		status;			/* of the hash table */
} UlTally;

#define SH_PREFIX ul_tallies
#define SH_ELEMENT_TYPE UlTally
#define SH_KEY_TYPE char *
#define SH_KEY user_id
#define SH_HASH_KEY(table, key) hash_bytes((const unsigned char *) (key), strlen(key))
#define SH_EQUAL(table, a, b) (strcmp(a, b) == 0)
#define SH_STORE_HASH
#define SH_GET_HASH(table, tally) (tally)->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* A user's tally, made if there is none, its name in the table's memory. */
static inline UlTally *
ul_tally(ul_tallies_hash *tallies, const char *user_id)
{
	bool		found;
	UlTally    *tally = ul_tallies_insert(tallies, unconstify(char *, user_id), &found);

	if (!found)
	{
		tally->user_id = MemoryContextStrdup(tallies->ctx, user_id);
		tally->before = tally->after = 0;
		tally->old_rows = tally->new_rows = 0;
	}
	return tally;
}

static inline void
ul_tally_add(int64 *sum, int64 amount)
{
	if (pg_add_s64_overflow(*sum, amount, sum))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("usage out of range")));
}

/* What is to be added to what was counted before. */
static inline int64
ul_tally_change(const UlTally *tally)
{
	int64		change;

	if (pg_sub_s64_overflow(tally->after, tally->before, &change))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("usage out of range")));
	return change;
}

#endif							/* UL_TALLY_H */
