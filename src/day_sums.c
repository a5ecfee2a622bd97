/*-------------------------------------------------------------------------
 *
 * day_sums.c
 *		UTC days that are over, summed once.
 *
 * usage_trends reads the sums of a day instead of its counters if its snapshot
 * sees no mark of the day.  That is exact, although a day's counters may change
 * long after it, by these rules:
 *
 *	- Whoever writes a counter row of a day that is over by the server's clock
 *	  looks for the day's row in usage_days, also an uncommitted one.  If it is
 *	  there, the writer adds a mark in the same transaction.
 *	- A day is closed when it has been over for a while: its row is put into
 *	  usage_days, and then a transaction id is taken.  Whoever wrote without a
 *	  mark did so before the day was over, or looked before the row was there;
 *	  either way his transaction's id is smaller.
 *	- A day is summed by a snapshot that shows none of the transactions with
 *	  smaller ids as running.  Prepared ones run.
 *	- Marks are removed before their days are summed anew, in one transaction.
 *	  So whoever does not see a mark any more sees sums that have its row.
 *
 * A clock that is set back by less than CLOSE_DELAY breaks none of these.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "utils/date.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#include "compat.h"
#include "day_sums.h"
#include "gate.h"
#include "guc.h"
#include "scan.h"
#include "schema.h"
#include "store.h"
#include "window.h"

/* How long a day must be over before it is closed. */
#define CLOSE_DELAY		USECS_PER_HOUR

/* As many days as usage_trends can be asked for */
#define MAX_DAYS		3650

/*
 * What the transaction need not look for again.  A mark counts as long as the
 * subtransaction does that made it; that there was no row to be seen counts
 * for the whole transaction.
 */
typedef struct DaySeen
{
	DateADT		day;
	LocalTransactionId lxid;
	SubTransactionId subid;		/* invalid: the day was not in usage_days */
} DaySeen;

#define DAYS_SEEN 512

static DaySeen days_seen[DAYS_SEEN];

static DateADT
day_of(TimestampTz at)
{
	return (DateADT) (ul_utc_day(at) / USECS_PER_DAY);
}

static bool
found_row(TupleTableSlot *slot, void *arg)
{
	*(bool *) arg = true;
	return false;
}

/* Whether the day has a row in usage_days, committed or not. */
static bool
day_is_known(DateADT day)
{
	bool		found = false;
	ScanKeyData key;

	ul_key_date(&key, 1, day);
	ul_scan(UL_USAGE_DAYS, UL_USAGE_DAYS_PKEY, 1, &key, SnapshotAny, found_row, &found);
	return found;
}

static void
mark(DateADT day)
{
	UlArgs		args = {0};

	ul_arg_datum(&args, DateADTGetDatum(day), false);
	ul_arg_int8(&args, (int64) (pg_prng_uint64(&pg_global_prng_state) >> 2));
	ul_execute(UL_MARK_DAY, &args);
}

void
ul_day_written(TimestampTz bucket_start)
{
	DateADT		day;
	DaySeen    *seen;
	LocalTransactionId lxid = ul_local_transaction_id();
	SubTransactionId subid = GetCurrentSubTransactionId();

	if (TIMESTAMP_NOT_FINITE(bucket_start))
		return;
	day = day_of(bucket_start);
	seen = &days_seen[(uint32) day % DAYS_SEEN];
	if (seen->lxid == lxid && seen->day == day &&
		(seen->subid == InvalidSubTransactionId || seen->subid == subid))
		return;

	if (!day_is_known(day))
		subid = InvalidSubTransactionId;
	else
		mark(day);
	seen->day = day;
	seen->lxid = lxid;
	seen->subid = subid;
}

void
ul_days_emptied(void)
{
	mark(DATEVAL_NOBEGIN);
}

/*
 * A transaction id greater than that of every transaction that has one by now.
 * It has ended as well, so that the next snapshot tells which of those run.
 */
static FullTransactionId
take_transaction_id(void)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	FullTransactionId xid;

	BeginInternalSubTransaction(NULL);
	xid = GetCurrentFullTransactionId();
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return xid;
}

/* Puts the days that have come to be over into usage_days. */
static void
close_days(void)
{
	TimestampTz now = Min(ul_now(), GetCurrentTimestamp());
	DateADT		last = day_of(now - CLOSE_DELAY) - 1;
	UlArgs		days = {0};
	UlArgs		xid = {0};

	ul_arg_datum(&days, DateADTGetDatum(last - MAX_DAYS + 1), false);
	ul_arg_datum(&days, DateADTGetDatum(last), false);
	(void) ul_execute(UL_FORGET_DAYS, &days);
	if (ul_execute(UL_CLOSE_DAYS, &days) == 0)
		return;
	ul_arg_datum(&xid, FullTransactionIdGetDatum(take_transaction_id()), false);
	(void) ul_execute(UL_SET_CLOSED_XID, &xid);
}

int64
ul_sum_days(void)
{
	UlArgs		watched = {0};
	char	   *memory = psprintf("%dkB", maintenance_work_mem);
	int64		summed;
	bool		isnull;
	int			level;

	if (!ul_gate_try_sum_days())
		return 0;
	/* our own marks go, too, and our own row is not yet in the sum */
	memset(days_seen, 0, sizeof(days_seen));
	ul_arg_datum(&watched, BoolGetDatum(ul_schema()->counters_watched), false);
	(void) ul_execute(UL_REOPEN_DAYS, &watched);
	close_days();
	(void) ul_execute(UL_FORGET_DAY_SUMS, NULL);

	/* a sum by user needs memory as building an index does */
	level = NewGUCNestLevel();
	(void) set_config_option("work_mem", memory, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	summed = DatumGetInt64(ul_execute_value(UL_SUM_DAYS, &watched, &isnull));
	AtEOXact_GUC(true, level);
	return summed;
}
