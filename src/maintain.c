/*-------------------------------------------------------------------------
 *
 * maintain.c
 *		Work that keeps the tables tidy; no answer depends on it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "day_sums.h"
#include "gate.h"
#include "guc.h"
#include "maintain.h"
#include "rate.h"
#include "schema.h"
#include "store.h"
#include "xact.h"

#define KEEP_ALERTS		(90 * USECS_PER_DAY)

#define MONTHS_AHEAD	12
#define MONTHS_AT_ONCE	60
#define MOVE_BATCH		10000
#define HOLDS_KEPT		(30 * USECS_PER_DAY)	/* after their end */

/* Each key stays locked to the end of the transaction: a fair share of the lock table. */
#define KEYS_AT_ONCE	200

/* A month of usage_events that has no partition */
typedef struct Month
{
	char		name[NAMEDATALEN];
	char	   *start;			/* as text, in UTC */
	char	   *end;
} Month;

typedef struct Months
{
	int			count;
	Month		months[MONTHS_AT_ONCE];
} Months;

static char *
month_start(int year, int month)
{
	return psprintf("%04d-%02d-01 00:00:00+00", year, month);
}

static void
add_month(Months *months, int number)
{
	int			year = number / MONTHS_PER_YEAR;
	int			month = number % MONTHS_PER_YEAR + 1;
	Month	   *entry;

	/* what no name can hold stays in the default partition */
	if (months->count == MONTHS_AT_ONCE || year < 1 || year > 9998)
		return;
	entry = &months->months[months->count];
	snprintf(entry->name, sizeof(entry->name), "usage_events_%04d_%02d", year, month);
	for (int i = 0; i < months->count; i++)
		if (strcmp(months->months[i].name, entry->name) == 0)
			return;
	/* a partition, or one that was: detached, it keeps its name */
	if (OidIsValid(get_relname_relid(entry->name, ul_schema()->namespace)))
		return;
	entry->start = month_start(year, month);
	entry->end = month == MONTHS_PER_YEAR ? month_start(year + 1, 1) : month_start(year, month + 1);
	months->count++;
}

/* Months are counted from the year 0, in UTC. */
static int
month_number(TimestampTz at)
{
	struct pg_tm tm;
	fsec_t		fsec;

	if (timestamp2tm(at, NULL, &tm, &fsec, NULL, NULL) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	return tm.tm_year * MONTHS_PER_YEAR + tm.tm_mon - 1;
}

static void
collect_month(const Datum *values, const bool *nulls, void *arg)
{
	List	  **numbers = arg;

	*numbers = lappend_int(*numbers, month_number(DatumGetTimestampTz(values[0])));
}

/* The months to come, and those of rows in the default partition. */
static void
find_months(Months *months)
{
	List	   *numbers = NIL;
	ListCell   *cell;
	int			now = month_number(ul_now());

	months->count = 0;
	ul_execute_rows(UL_DEFAULT_MONTHS, NULL, collect_month, &numbers);
	for (int i = 0; i <= MONTHS_AHEAD; i++)
		add_month(months, now + i);
	foreach(cell, numbers)
		add_month(months, lfirst_int(cell));
}

/* Moves the month's rows out of the default partition. */
static int64
move_events(const Month *month)
{
	int64		total = 0;
	uint64		moved;

	do
	{
		moved = ul_execute_text(psprintf("WITH moved AS (DELETE FROM ONLY @.usage_events_default e"
										 " WHERE e.ctid = ANY (ARRAY(SELECT d.ctid FROM ONLY @.usage_events_default d"
										 " WHERE d.created_at >= '%s' AND d.created_at < '%s' LIMIT %d)) RETURNING e.*)"
										 " INSERT INTO @.%s SELECT * FROM moved",
										 month->start, month->end, MOVE_BATCH, month->name));
		total += moved;
	} while (moved > 0);
	return total;
}

/*
 * Makes the months' partitions.  A partition is made as a table of its own,
 * filled, and attached: unlike CREATE TABLE … PARTITION OF that does not lock
 * the parent against everybody, and the matching CHECK spares a scan.  Only
 * the last step locks the default partition.
 */
static void
create_partitions(UlMaintenance *done)
{
	Months	   *months = palloc(sizeof(Months));
	int64		moved = 0;

	find_months(months);
	if (months->count == 0)
		return;
	ul_execute_text("LOCK TABLE ONLY @.usage_events IN SHARE UPDATE EXCLUSIVE MODE");
	/* somebody else may have been at it */
	find_months(months);
	if (months->count == 0)
		return;
	for (int i = 0; i < months->count; i++)
	{
		const Month *month = &months->months[i];

		ul_execute_text(psprintf("CREATE TABLE @.%s (LIKE @.usage_events_default INCLUDING ALL,"
								 " CONSTRAINT %s_created_at_check"
								 " CHECK (created_at >= '%s' AND created_at < '%s'))",
								 month->name, month->name, month->start, month->end));
		moved += move_events(month);
	}

	ul_execute_text("LOCK TABLE ONLY @.usage_events_default IN ACCESS EXCLUSIVE MODE");
	for (int i = 0; i < months->count; i++)
	{
		const Month *month = &months->months[i];

		moved += move_events(month);
		ul_execute_text(psprintf("ALTER TABLE @.usage_events ATTACH PARTITION @.%s"
								 " FOR VALUES FROM ('%s') TO ('%s')",
								 month->name, month->start, month->end));
		/* it has done its work, and every INSERT would check it */
		ul_execute_text(psprintf("ALTER TABLE @.%s DROP CONSTRAINT %s_created_at_check",
								 month->name, month->name));
	}
	done->partitions_created += months->count;
	done->events_moved += moved;
}

/*
 * Does some work on the events' partitions, waiting for no lock longer than a
 * second, since tracking queues behind us meanwhile.  What can't be had in
 * time is undone as a whole.
 */
static void
with_patience(void (*work) (UlMaintenance *done), const char *what, UlMaintenance *done)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		int			level = NewGUCNestLevel();

		(void) set_config_option("lock_timeout", "1s", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
		/* an autovacuum in the way is cancelled by then, and has time to go */
		(void) set_config_option("deadlock_timeout", "100ms", PGC_SUSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
		work(done);
		AtEOXact_GUC(true, level);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE &&
			error->sqlerrcode != ERRCODE_T_R_DEADLOCK_DETECTED)
			ReThrowError(error);
		FreeErrorData(error);
		ereport(NOTICE,
				(errmsg("usage_events is in use: %s left for the next run", what)));
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
}

static void
collect_key(const Datum *values, const bool *nulls, void *arg)
{
	List	  **keys = arg;

	*keys = lappend(*keys, list_make2(TextDatumGetCString(values[0]),
									  TextDatumGetCString(values[1])));
}

/*
 * Adds rows of other slots to slot 0.  Two locks keep the writers of slot 0
 * and of the shared slots out; a key that is in use is left.
 */
static void
fold_slots(UlMaintenance *done)
{
	UlArgs		limit = {0};
	List	   *keys = NIL;
	ListCell   *cell;

	ul_arg_int8(&limit, KEYS_AT_ONCE);
	ul_execute_rows(UL_SLOTS_TO_FOLD, &limit, collect_key, &keys);
	foreach(cell, keys)
	{
		List	   *key = lfirst(cell);
		UlArgs		args = {0};
		bool		isnull;

		if (!ul_xact_begin_fold(linitial(key), lsecond(key)))
			continue;
		ul_arg_text(&args, linitial(key));
		ul_arg_text(&args, lsecond(key));
		ul_xact_set_folding(true);
		done->rows_folded += DatumGetInt64(ul_execute_value(UL_FOLD_SLOTS, &args, &isnull));
		ul_xact_set_folding(false);
	}
}

static void
forget_keys(UlMaintenance *done)
{
	UlArgs		args = {0};

	if (!ul_gate_try_forget_requests())
		return;
	ul_arg_time(&args, ul_now() - ul_idempotency_retention * USECS_PER_SEC);
	done->keys_forgotten += ul_execute(UL_FORGET_KEYS, &args);
}

/* A hold that is over can still be asked how it ended. */
static void
forget_holds(UlMaintenance *done)
{
	UlArgs		args = {0};

	ul_arg_time(&args, ul_now() - HOLDS_KEPT);
	done->holds_forgotten += ul_execute(UL_FORGET_HOLDS, &args);
}

/* What has left for a day is not needed: no row says the same. */
static void
forget_rates(UlMaintenance *done)
{
	UlArgs		args = {0};

	ul_arg_time(&args, ul_now() - USECS_PER_DAY);
	ul_rate_set_writing(true);
	done->rates_forgotten += ul_execute(UL_FORGET_RATES, &args);
	ul_rate_set_writing(false);
}

/* Reports of thresholds are kept for a while after their window. */
static void
forget_alerts(UlMaintenance *done)
{
	TimestampTz now = ul_now();
	UlArgs		args = {0};

	ul_arg_time(&args, now - KEEP_ALERTS);
	ul_arg_time(&args, now);
	done->alerts_forgotten += ul_execute(UL_FORGET_ALERTS, &args);
}

static void
delete_old_events(UlMaintenance *done)
{
	UlArgs		args = {0};
	Interval	retention = {.time = ul_event_retention * USECS_PER_SEC};

	ul_arg_time(&args, ul_now());
	ul_arg_datum(&args, IntervalPGetDatum(&retention), ul_event_retention == 0);
	done->events_deleted += ul_execute(UL_DELETE_OLD_EVENTS, &args);
}

static void
write_denials(const char *user_id, const UlTaken *taken, UlMaintenance *done)
{
	for (int i = 0; i < taken->ndenials; i++)
	{
		const UlDenials *denials = &taken->denials[i];
		UlArgs		args = {0};

		ul_arg_text(&args, user_id);
		ul_arg_int8(&args, denials->limit_id);
		ul_arg_time(&args, denials->day);
		ul_arg_int8(&args, denials->count);
		ul_arg_time(&args, denials->last_at);
		done->denials_flushed += ul_execute(UL_ADD_DENIALS, &args);
	}
}

static void
write_rates(const char *user_id, const UlTaken *taken, UlMaintenance *done)
{
	for (int i = 0; i < taken->nrates; i++)
		ul_rate_store(user_id, taken->rates[i].limit_type, &taken->rates[i].state);
	done->rates_flushed += taken->nrates;
}

/* Flushes what is taken of an entry at once; whether there is more. */
static bool
flush_some(UlRef ref, bool rates, UlMaintenance *done)
{
	UlTaken		taken;
	char	   *user_id;
	int			rows = ul_xact_flush(ref, rates, &user_id, &taken);

	if (rows < 0)
		return false;
	write_denials(user_id, &taken, done);
	write_rates(user_id, &taken, done);
	done->counters_flushed += rows;
	ul_count_by(UL_STAT_FLUSHED, rows + taken.ndenials + taken.nrates);
	return taken.more;
}

uint32
ul_flush(uint32 from, int most, UlMaintenance *done)
{
	UlRef		ref = from;
	MemoryContext context;
	MemoryContext outer;
	bool		rates;

	if (!ul_shared_gate())
		return 0;
	rates = ul_gate_try_flush_rates();
	if (!rates)
		ul_note_database(true, ul_now());	/* later */
	context = AllocSetContextCreate(CurrentMemoryContext, "usage_limits flush",
									ALLOCSET_DEFAULT_SIZES);
	outer = MemoryContextSwitchTo(context);
	while (most-- > 0 && (ref = ul_next_dirty(ref, ul_schema()->oid[UL_USAGE_COUNTERS])) != 0)
	{
		while (flush_some(ref, rates, done))
			MemoryContextReset(context);
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(context);
	return ref;
}

void
ul_maintain(UlMaintenance *done)
{
	memset(done, 0, sizeof(*done));
	if (ul_shared_gate())
		ul_shared_forget_others(ul_schema()->oid[UL_USAGE_COUNTERS]);
	(void) ul_flush(0, PG_INT32_MAX, done);

	/*
	 * What can take long comes before what holds locks that others wait for.
	 * Those who reuse an old key wait for us once we forget keys: from there
	 * on we wait for nobody, who may be them.
	 */
	done->days_summed = ul_sum_days();
	with_patience(delete_old_events, "old events are", done);
	with_patience(create_partitions, "new partitions are", done);
	forget_keys(done);
	forget_holds(done);
	forget_rates(done);
	forget_alerts(done);
	fold_slots(done);
}
