/*-------------------------------------------------------------------------
 *
 * xact_prepare.c
 *		PREPARE TRANSACTION of a transaction that has used something.
 *
 * Another session ends it, which knows nothing of it: what it has reserved is in
 * shared memory, and what it changes without a reservation is told by locks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "gate.h"
#include "gate_rate.h"
#include "xact_prepare.h"

/* Keys that say one by one that they are prepared. */
#define MAX_PREPARED_KEYS 64

/*
 * Whoever commits what was prepared tells nobody that it is flushed, nor that
 * usage_rates was changed; and whoever rolls it back opens no rates, whose states
 * would be nowhere then.
 */
void
ul_xact_refuse_prepare(const UlKey *keys, bool all_rates_marked)
{
	bool		rates_marked = all_rates_marked;

	for (const UlKey *key = keys; key != NULL; key = key->next)
	{
		rates_marked = rates_marked || key->rates_marked;
		if (key->pin.taken_xid != 0)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot PREPARE a transaction that has called usage_maintain"),
					 errdetail("It has flushed counts of relaxed limits.")));
		if (key->rates_closed && ul_shared_rates_closed(&key->pin))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot PREPARE a transaction that has changed rates in shared memory"),
					 errdetail("It has reset a rate limit, or used one after a change of limits.")));
	}
	if (ul_shmem_exists() && rates_marked)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot PREPARE a transaction that has changed usage_rates")));
}

/* Whether the transaction's end changes rows of the key. */
static bool
changes_rows(const UlKey *key)
{
	static const UlAmounts nothing = {0};

	if (key->marked)
		return true;
	for (const UlCell *cell = key->cells; cell != NULL; cell = cell->next_in_key)
		if (memcmp(&cell->written, &nothing, sizeof(nothing)) != 0)
			return true;
	return false;
}

/*
 * A prepared transaction's keys that have records are known by these; those of
 * others are not read again until it has ended.  After a restart, none is.  A key
 * whose rows it does not change, since all was given back, makes nobody wait.
 */
void
ul_xact_hold_prepared(const UlKey *keys, Oid marked_relation)
{
	int			nkeys = 0;
	bool		each;

	for (const UlKey *key = keys; key != NULL; key = key->next)
		if (changes_rows(key))
			nkeys++;
	each = nkeys <= MAX_PREPARED_KEYS && marked_relation == InvalidOid;
	if (!each)
		ul_gate_hold_prepared(0);
	for (const UlKey *key = keys; key != NULL; key = key->next)
	{
		if (!changes_rows(key))
			continue;
		if (each)
			ul_gate_hold_prepared(key->hash);
		if (ul_shmem_exists() && (key->marked || ul_xact_has_unrecorded(key)))
			ul_shared_mark_prepared(&key->pin);
	}
	if (ul_shmem_exists() && marked_relation != InvalidOid)
		ul_mark_relation(marked_relation);
}
