/*-------------------------------------------------------------------------
 *
 * gate_lock.c
 *		The gate that works on any server: a lock a key, to commit.
 *
 * Whoever may deny takes the key's lock, reads the committed rows by the
 * latest snapshot, adds what its own transaction has pending, and decides.
 * The lock is held until the rows that it will write are committed, so that
 * the next one sees them.  It belongs to the transaction, not to the session
 * (DISCARD ALL would drop that), and a prepared transaction keeps it.
 *
 * Whoever can not be denied does not wait: it writes a row of its own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "gate.h"
#include "scan.h"
#include "schema.h"
#include "tables.h"

/*
 * Lock tags are advisory ones of classes of our own: 1 and 2 are the user's,
 * 4 to 15 are in use by other extensions.
 */
#define LOCK_CLASS_KEY			0x7501
#define LOCK_CLASS_SLOT			0x7502
#define LOCK_CLASS_FOLD			0x7503
#define LOCK_CLASS_REQUEST		0x7504
#define LOCK_CLASS_REQUESTS		0x7505
#define LOCK_CLASS_SETTER		0x7506
#define LOCK_CLASS_PREPARED		0x7507
#define LOCK_CLASS_HOLD			0x7508
#define LOCK_CLASS_ATTACHMENTS	0x7510
#define LOCK_CLASS_ALERT		0x7511
#define LOCK_CLASS_DAYS			0x7520
#define LOCK_CLASS_CREDITS		0x7522
#define LOCK_CLASS_MEMBERSHIP	0x7523
#define LOCK_CLASS_RATES		0x7524

/* Users share this many locks of credits, and of memberships. */
#define CREDIT_LOCKS 1024
#define MEMBERSHIP_LOCKS 1024

/* Separates the two strings, so that ("ab", "c") and ("a", "bc") differ. */
static uint64
hash_pair(const char *first, const char *second)
{
	uint64		seed = ul_schema()->oid[UL_USAGE_COUNTERS];

	seed = hash_bytes_extended((const unsigned char *) first, strlen(first) + 1, seed);
	return hash_bytes_extended((const unsigned char *) second, strlen(second) + 1, seed);
}

static LOCKTAG
lock_tag(uint64 hash, uint16 class)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (hash >> 32), (uint32) hash, class);
	return tag;
}

/*
 * Takes a lock that guards a row which is written again and again.  A rollback
 * to a savepoint gives back what was taken since, but not the SIREAD locks of a
 * SERIALIZABLE transaction that wrote where others had rolled back: those make
 * nobody fail only if nobody writes the row until the transaction ends.  So there
 * the lock stays.
 */
static void
lock_to_end(const LOCKTAG *tag, LOCKMODE mode)
{
	ResourceOwner owner = CurrentResourceOwner;

	if (IsolationIsSerializable())
		CurrentResourceOwner = TopTransactionResourceOwner;
	(void) LockAcquire(tag, mode, false, false);
	CurrentResourceOwner = owner;
}

uint64
ul_gate_hash(const char *user_id, const char *usage_type)
{
	return hash_pair(usage_type, user_id);
}

bool
ul_gate_try_lock(uint64 hash)
{
	LOCKTAG		tag = lock_tag(hash, LOCK_CLASS_KEY);

	return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

bool
ul_gate_lock(uint64 hash)
{
	LOCKTAG		tag = lock_tag(hash, LOCK_CLASS_KEY);

	if (ul_gate_try_lock(hash))
		return false;
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
	return true;
}

void
ul_gate_keep(uint64 hash)
{
	LOCKTAG		tag = lock_tag(hash, LOCK_CLASS_KEY);

	if (IsolationIsSerializable())
		lock_to_end(&tag, ExclusiveLock);
}

void
ul_gate_unlock(uint64 hash)
{
	LOCKTAG		tag = lock_tag(hash, LOCK_CLASS_KEY);

	(void) LockRelease(&tag, ExclusiveLock, false);
}

void
ul_gate_wait(uint64 hash)
{
	LOCKTAG		tag = lock_tag(hash, LOCK_CLASS_KEY);

	(void) LockAcquire(&tag, ShareLock, false, false);
	(void) LockRelease(&tag, ShareLock, false);
}

void
ul_gate_lock_setter(uint64 hash)
{
	LOCKTAG		tag = lock_tag(hash, LOCK_CLASS_SETTER);

	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

void
ul_gate_lock_taker(uint64 hash)
{
	LOCKTAG		tag = lock_tag(hash, LOCK_CLASS_SETTER);

	(void) LockAcquire(&tag, ShareLock, false, false);
}

void
ul_gate_hold_prepared(uint64 hash)
{
	LOCKTAG		tag = lock_tag(hash, LOCK_CLASS_PREPARED);

	(void) LockAcquire(&tag, ShareLock, false, false);
}

/*
 * Nobody ever asks for this lock in a mode that those who prepare would have to
 * wait for: it is looked at who has it.
 */
bool
ul_gate_await_prepared(uint64 hash, bool wait)
{
	uint64		hashes[] = {hash, 0};

	for (size_t i = 0; i < lengthof(hashes); i++)
	{
		LOCKTAG		tag = lock_tag(hashes[i], LOCK_CLASS_PREPARED);

		if (wait)
			WaitForLockers(tag, ExclusiveLock, false);
		else
		{
			int			count;
			VirtualTransactionId *holders = GetLockConflicts(&tag, ExclusiveLock, &count);

			pfree(holders);
			if (count > 0)
				return false;
		}
	}
	return true;
}

/* Slots that are asked for before a writer makes a row of its own. */
#define SLOT_TRIES 8

int
ul_gate_try_slot(uint64 hash)
{
	LOCKTAG		fold = lock_tag(hash, LOCK_CLASS_FOLD);

	/* whoever has a slot keeps those who fold out */
	if (LockAcquire(&fold, ShareLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
		return 0;
	for (int i = 0; i < SLOT_TRIES; i++)
	{
		int			slot = 1 + pg_prng_uint64(&pg_global_prng_state) % UL_SHARED_SLOTS;
		LOCKTAG		tag = lock_tag(hash_combine64(hash, slot), LOCK_CLASS_SLOT);

		if (LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL)
			return slot;
	}
	return 0;
}

bool
ul_gate_try_fold(uint64 hash)
{
	LOCKTAG		tag = lock_tag(hash, LOCK_CLASS_FOLD);

	return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

void
ul_gate_lock_request(const char *user_id, const char *key)
{
	LOCKTAG		tag = lock_tag(hash_pair(user_id, key), LOCK_CLASS_REQUEST);

	lock_to_end(&tag, ExclusiveLock);
}

bool
ul_gate_try_lock_alert(const char *user_id, int64 alert_id, const char *limit_type)
{
	uint64		hash = hash_combine64(hash_pair(limit_type, user_id), alert_id);
	LOCKTAG		tag = lock_tag(hash, LOCK_CLASS_ALERT);

	return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

void
ul_gate_lock_hold(const char *hold_id)
{
	LOCKTAG		tag = lock_tag(hash_pair("", hold_id), LOCK_CLASS_HOLD);

	lock_to_end(&tag, ExclusiveLock);
}

void
ul_gate_lock_attachments(const char *usage_type)
{
	LOCKTAG		tag = lock_tag(hash_pair(usage_type, ""), LOCK_CLASS_ATTACHMENTS);

	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

/* One lock for the idempotency keys of everybody. */
static LOCKTAG
requests_tag(void)
{
	return lock_tag(ul_schema()->oid[UL_USAGE_IDEMPOTENCY], LOCK_CLASS_REQUESTS);
}

void
ul_gate_keep_requests(void)
{
	LOCKTAG		tag = requests_tag();

	(void) LockAcquire(&tag, ShareLock, false, false);
}

bool
ul_gate_try_forget_requests(void)
{
	LOCKTAG		tag = requests_tag();

	return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

bool
ul_gate_try_sum_days(void)
{
	LOCKTAG		tag = lock_tag(ul_schema()->oid[UL_USAGE_DAYS], LOCK_CLASS_DAYS);

	return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

void
ul_gate_lock_credits(const char *user_id, bool alone)
{
	LOCKTAG		tag = lock_tag(hash_pair(user_id, "") % CREDIT_LOCKS, LOCK_CLASS_CREDITS);

	lock_to_end(&tag, alone ? ExclusiveLock : ShareLock);
}

/*
 * Members of any accounts do not wait for one another, and neither do accounts
 * that get members: but who is to be the one keeps out who is to be the other.
 */
void
ul_gate_lock_membership(const char *user_id, const char *account_id)
{
	uint32		member = hash_bytes((const unsigned char *) user_id, strlen(user_id)) % MEMBERSHIP_LOCKS;
	uint32		account = hash_bytes((const unsigned char *) account_id, strlen(account_id)) % MEMBERSHIP_LOCKS;

	for (int i = 0; i < 2; i++)
	{
		bool		as_member = (i == 0) == (member < account);
		LOCKTAG		tag = lock_tag(as_member ? member : account, LOCK_CLASS_MEMBERSHIP);

		if (member == account)
			(void) LockAcquire(&tag, ShareRowExclusiveLock, false, false);
		else
			(void) LockAcquire(&tag, as_member ? RowExclusiveLock : ShareLock, false, false);
	}
}

static LOCKTAG
rates_tag(void)
{
	return lock_tag(ul_schema()->oid[UL_USAGE_RATES], LOCK_CLASS_RATES);
}

void
ul_gate_lock_rates(void)
{
	LOCKTAG		tag = rates_tag();

	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

/* Whoever truncates the table has that lock first, and would wait for this one. */
bool
ul_gate_try_flush_rates(void)
{
	LOCKTAG		tag = rates_tag();

	return ConditionalLockRelationOid(ul_schema()->oid[UL_USAGE_RATES], RowExclusiveLock) &&
		LockAcquire(&tag, ShareLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

typedef struct ReadState
{
	UlCounterSeen seen;
	void	   *arg;
} ReadState;

static bool
read_row(TupleTableSlot *slot, void *arg)
{
	ReadState  *state = arg;
	int64		measures[UL_NMEASURES];
	char	   *subtype = ul_slot_text(slot, Anum_counter_event_subtype);

	for (int i = 0; i < UL_NMEASURES; i++)
		measures[i] = ul_slot_int8(slot, Anum_counter_amount + i, 0);
	measures[UL_MEASURE_AMOUNT] += ul_slot_int8(slot, Anum_counter_member_amount, 0);
	state->seen(ul_slot_time(slot, Anum_counter_bucket_start, DT_NOBEGIN), subtype,
				measures, state->arg);
	pfree(subtype);
	return true;
}

void
ul_gate_scan(const char *user_id, const char *usage_type, TimestampTz from,
			 Snapshot snapshot, UlCounterSeen seen, void *arg)
{
	ReadState	state = {.seen = seen,.arg = arg};
	ScanKeyData keys[3];

	ul_key_text(&keys[0], 1, user_id);
	ul_key_text(&keys[1], 2, usage_type);
	ul_key_from_time(&keys[2], 3, from);
	ul_scan(UL_USAGE_COUNTERS, UL_USAGE_COUNTERS_PKEY, 3, keys, snapshot, read_row, &state);
}

typedef struct SumState
{
	UlTest	   *tests;
	int			ntests;
	TimestampTz newest;
} SumState;

static void
sum_row(TimestampTz bucket_start, const char *event_subtype, const int64 *measures, void *arg)
{
	SumState   *state = arg;

	state->newest = Max(state->newest, bucket_start);
	for (int i = 0; i < state->ntests; i++)
	{
		UlSum	   *sum = state->tests[i].sum;

		if (!ul_sum_counts(sum, event_subtype))
			continue;
		ul_sum_make_room(sum, 1);
		(void) ul_sum_add(sum, bucket_start, measures[sum->measure]);
	}
}

TimestampTz
ul_gate_read(const char *user_id, const char *usage_type, UlTest *tests, int ntests)
{
	SumState	state = {.tests = tests,.ntests = ntests,.newest = DT_NOBEGIN};
	Snapshot	snapshot = ul_latest_snapshot(true);
	TimestampTz from = DT_NOEND;

	for (int i = 0; i < ntests; i++)
		from = Min(from, tests[i].sum->start);
	ul_gate_scan(user_id, usage_type, from, snapshot, sum_row, &state);
	ul_release_snapshot(snapshot);
	return state.newest;
}
