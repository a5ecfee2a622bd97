/*-------------------------------------------------------------------------
 *
 * worker.c
 *		Background workers: a launcher, and a worker for a database exactly
 *		while there is something to do in it.
 *
 * A worker holds its database open, which DROP DATABASE, RENAME and CREATE
 * DATABASE ... TEMPLATE must not find: so it ends as soon as shared memory has
 * nothing that is in no table, and the launcher, which is in no database, starts
 * it again.  Nothing that is decided depends on either.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "replication/walsender.h"
#include "replication/walsender_private.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/pidfile.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "gate_shared.h"
#include "guc.h"
#include "maintain.h"
#include "shmem.h"
#include "worker.h"

PGDLLEXPORT void usage_limits_launcher_main(Datum arg);
PGDLLEXPORT void usage_limits_worker_main(Datum arg);

/* Keys that are flushed in one transaction. */
#define KEYS_AT_ONCE	500

/* How often the tables of a database in use are tidied. */
#define MAINTENANCE_INTERVAL	(10 * USECS_PER_MINUTE)

/* Until a worker that could not be started, or failed, is tried again. */
#define RETRY_INTERVAL	(5 * USECS_PER_SEC)

/* Milliseconds that nobody sleeps longer than, or stays where nothing is used any more. */
#define MAX_NAP			1000

/* How long a row's lock is waited for before the worker fails, and another tries. */
#define LOCK_TIMEOUT	"10s"

/* Workers that run at once at most. */
#define MAX_WORKERS 4

/* A database that the launcher has a worker for, or has had */
typedef struct Served
{
	Oid			database;
	BackgroundWorkerHandle *handle; /* NULL: none runs */
	TimestampTz started_at;		/* or tried */
	bool		failed;			/* none could be started */
	bool		leaving;		/* has been told to make room */
} Served;

void
ul_worker_init(void)
{
	BackgroundWorker worker = {
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		.bgw_restart_time = 10,
	};

	strlcpy(worker.bgw_name, "usage_limits launcher", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "usage_limits launcher", BGW_MAXLEN);
	strlcpy(worker.bgw_library_name, "usage_limits", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "usage_limits_launcher_main", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}

static BackgroundWorkerHandle *
start_worker(Oid database)
{
	BackgroundWorker worker = {
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		.bgw_restart_time = BGW_NEVER_RESTART,
		.bgw_main_arg = ObjectIdGetDatum(database),
		.bgw_notify_pid = MyProcPid,
	};
	BackgroundWorkerHandle *handle;

	snprintf(worker.bgw_name, BGW_MAXLEN, "usage_limits worker of database %u", database);
	strlcpy(worker.bgw_type, "usage_limits worker", BGW_MAXLEN);
	strlcpy(worker.bgw_library_name, "usage_limits", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "usage_limits_worker_main", BGW_MAXLEN);
	return RegisterDynamicBackgroundWorker(&worker, &handle) ? handle : NULL;
}

static bool
maintenance_is_due(const UlDatabase *place, TimestampTz now)
{
	return now - place->maintained_at > MAINTENANCE_INTERVAL;
}

static TimestampTz
flush_due_at(const UlDatabase *place)
{
	return place->flushed_at + ul_flush_interval * INT64CONST(1000);
}

/*
 * A database that is dirty has a worker at once, which waits until it is time:
 * at a shutdown none could be started any more.
 */
static bool
has_work(const UlDatabase *place, TimestampTz now)
{
	if (place->worker != 0 || now - place->failed_at < RETRY_INTERVAL)
		return false;
	return place->dirty ||
		(place->used_at > place->maintained_at && maintenance_is_due(place, now));
}

static Served *
find_served(Served *served, Oid database)
{
	Served	   *unused = NULL;

	for (int i = 0; i < UL_MAX_DATABASES; i++)
	{
		if (served[i].database == database)
			return &served[i];
		if (unused == NULL && served[i].handle == NULL)
			unused = &served[i];
	}
	if (unused != NULL)
		*unused = (Served)
	{
		.database = database
	};
	return unused;
}

static int
compare_flushed_at(const void *a, const void *b)
{
	TimestampTz first = ((const UlDatabase *) a)->flushed_at;
	TimestampTz second = ((const UlDatabase *) b)->flushed_at;

	return first < second ? -1 : first > second;
}

/* Forgets whose worker has ended; the number of those that run. */
static int
count_workers(Served *served)
{
	int			running = 0;

	for (int i = 0; i < UL_MAX_DATABASES; i++)
	{
		pid_t		pid;

		if (served[i].handle != NULL &&
			GetBackgroundWorkerPid(served[i].handle, &pid) == BGWH_STOPPED)
		{
			pfree(served[i].handle);
			served[i].handle = NULL;
			served[i].leaving = false;
		}
		if (served[i].handle != NULL)
			running++;
	}
	return running;
}

/*
 * Tells the workers that were started first to flush and go: as many as there are
 * databases that wait.
 */
static void
make_room(Served *served, int waiting)
{
	for (int i = 0; i < UL_MAX_DATABASES; i++)
		if (served[i].handle != NULL && served[i].leaving)
			waiting--;
	while (waiting-- > 0)
	{
		Served	   *first = NULL;

		for (int i = 0; i < UL_MAX_DATABASES; i++)
			if (served[i].handle != NULL && !served[i].leaving &&
				(first == NULL || served[i].started_at < first->started_at))
				first = &served[i];
		if (first == NULL)
			return;
		first->leaving = true;
		TerminateBackgroundWorker(first->handle);
	}
}

/*
 * Starts what is to be started, what was flushed longest ago first.  Where it is
 * time to flush a database that there is no room for, others make room.
 */
static void
serve_databases(Served *served)
{
	UlDatabase	databases[UL_MAX_DATABASES];
	int			count = ul_list_databases(databases);
	TimestampTz now = GetCurrentTimestamp();
	int			running = count_workers(served);
	int			waiting = 0;

	qsort(databases, count, sizeof(UlDatabase), compare_flushed_at);
	for (int i = 0; i < count && ul_worker_enabled; i++)
	{
		Served	   *one = find_served(served, databases[i].database);

		if (one == NULL || one->handle != NULL || !has_work(&databases[i], now))
			continue;
		if (running >= MAX_WORKERS)
		{
			waiting += flush_due_at(&databases[i]) <= now;
			continue;
		}
		if (one->started_at > now - RETRY_INTERVAL && one->failed)
			continue;
		one->started_at = now;
		one->handle = start_worker(databases[i].database);
		one->failed = one->handle == NULL;
		running += !one->failed;
	}
	make_room(served, waiting);
}

static void
end(void)
{
	PopActiveSnapshot();
	CommitTransactionCommand();
	pgstat_report_stat(true);
	pgstat_report_activity(STATE_IDLE, NULL);
}

/*
 * Begins a transaction; false, and it has ended, if the extension is not there.
 * Whoever drops it waits for the transaction's end, before he has a lock on any
 * of our tables, and we wait for him likewise.
 */
static bool
begin(const char *activity)
{
	Oid			extension;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	pgstat_report_activity(STATE_RUNNING, activity);
	extension = get_extension_oid("usage_limits", true);
	if (OidIsValid(extension))
	{
		LockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);
		PopActiveSnapshot();
		PushActiveSnapshot(GetTransactionSnapshot());
		if (get_extension_oid("usage_limits", true) == extension)
			return true;
	}
	end();
	return false;
}

/* Flushes all there is; false if the extension is not there. */
static bool
flush_all(void)
{
	uint32		from = 0;
	TimestampTz now = GetCurrentTimestamp();
	UlMaintenance done = {0};

	ul_database_flushing();
	do
	{
		if (!begin("usage_limits: flushing"))
			return false;
		from = ul_flush(from, KEYS_AT_ONCE, &done);
		end();
	} while (from != 0);
	ul_database_flushed(now);
	return true;
}

/* False if the extension is not there. */
static bool
maintain(void)
{
	UlMaintenance done;

	ul_database_maintained(GetCurrentTimestamp());
	if (!begin("usage_limits: maintenance"))
		return false;
	ul_maintain(&done);
	end();
	return true;
}

/* A worker that an error has ended leaves its work to the next. */
static bool finished = false;

static void
detach(int code, Datum arg)
{
	ul_database_detach(DatumGetObjectId(arg), !finished);
}

/* A database that was dropped has nothing to be done any more. */
static void
forget_missing(void *arg)
{
	if (geterrcode() == ERRCODE_UNDEFINED_DATABASE)
		ul_forget_database(*(Oid *) arg);
}

static void
connect_to(Oid database)
{
	ErrorContextCallback context = {
		.previous = error_context_stack,
		.callback = forget_missing,
		.arg = &database,
	};

	error_context_stack = &context;
	BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
	error_context_stack = context.previous;

	/*
	 * who has locked a row that is written must not keep the server from
	 * ending
	 */
	SetConfigOption("lock_timeout", LOCK_TIMEOUT, PGC_SUSET, PGC_S_OVERRIDE);
}

/* Copies this database's place; false if there is none. */
static bool
find_mine(UlDatabase *mine)
{
	UlDatabase	databases[UL_MAX_DATABASES];
	int			count = ul_list_databases(databases);

	for (int i = 0; i < count; i++)
		if (databases[i].database == MyDatabaseId)
		{
			*mine = databases[i];
			return true;
		}
	return false;
}

/*
 * Whether the server, and not the worker alone, is told to end.  The postmaster
 * says so in its lock file before it signals anybody.
 */
static bool
server_is_stopping(void)
{
	FILE	   *file = AllocateFile("postmaster.pid", "r");
	char		line[MAXPGPATH];
	int			number = 0;

	if (file == NULL)
		return false;
	while (number < LOCK_FILE_LINE_PM_STATUS && fgets(line, sizeof(line), file) != NULL)
		number++;
	FreeFile(file);
	return number == LOCK_FILE_LINE_PM_STATUS &&
		strncmp(line, PM_STATUS_STOPPING, strlen(PM_STATUS_STOPPING)) == 0;
}

/* Senders of WAL of this database: they outlive the worker, and use nothing. */
static int
count_senders(void)
{
	int			count = 0;

	for (int i = 0; i < max_wal_senders; i++)
	{
		pid_t		pid = WalSndCtl->walsnds[i].pid;
		PGPROC	   *proc = pid == 0 ? NULL : BackendPidGetProc(pid);

		if (proc != NULL && proc->databaseId == MyDatabaseId)
			count++;
	}
	return count;
}

/*
 * At the server's shutdown, others of the database may still count: what they do
 * is flushed when they are gone, and meanwhile, since a smart shutdown waits for
 * them.  Nobody is kept waiting who waits for every process, as DROP DATABASE
 * does.
 */
static bool
flush_last(void)
{
	UlDatabase	mine;

	while (server_is_stopping() && CountDBBackends(MyDatabaseId) - count_senders() > 1)
	{
		if (find_mine(&mine) && mine.dirty && flush_due_at(&mine) <= GetCurrentTimestamp() &&
			!flush_all())
			return false;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 10,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	return flush_all();
}

static void
nap(long timeout)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 timeout, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}

/*
 * Whether somebody is about to drop, rename or copy the database, which he does
 * with a lock on it, and waits for all who have it open.
 */
static bool
database_is_wanted(void)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, MyDatabaseId, 0);
	if (LockAcquire(&tag, RowExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
		return true;
	(void) LockRelease(&tag, RowExclusiveLock, true);
	return false;
}

/*
 * Works until nothing is dirty, and has not been for a while, or the worker is
 * told to end or in somebody's way; false if the extension is not there.
 */
static bool
work(void)
{
	UlDatabase	mine;

	while (!ShutdownRequestPending && ul_worker_enabled && !database_is_wanted() && find_mine(&mine))
	{
		TimestampTz now = GetCurrentTimestamp();
		long		timeout = Min(ul_flush_interval, MAX_NAP);

		if (mine.dirty && flush_due_at(&mine) > now)
			timeout = Min(timeout, TimestampDifferenceMilliseconds(now, flush_due_at(&mine)));
		else if (mine.dirty && !flush_all())
			return false;
		if (ShutdownRequestPending)
			break;
		if (maintenance_is_due(&mine, now))
		{
			if (!maintain())
				return false;
		}
		else if (!mine.dirty && now - mine.flushed_at >= timeout * INT64CONST(1000))
			return true;
		else
			nap(timeout);
	}
	return flush_last();
}

void
usage_limits_worker_main(Datum arg)
{
	Oid			database = DatumGetObjectId(arg);

	/* told to end it still has something to do, which die() would prevent */
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	/* two would wait for each other at a shutdown */
	if (!ul_database_attach(database))
		proc_exit(0);
	before_shmem_exit(detach, arg);
	connect_to(database);
	if (!work())
	{
		ul_shared_forget_others(InvalidOid);
		ul_forget_database(database);
	}
	finished = true;
	proc_exit(0);
}

/*
 * At a shutdown no worker can be started any more.  For a database that has
 * none, the launcher does the last flush itself: for one, since a process is in
 * one database at most.
 */
static void
flush_unserved(Served *served)
{
	UlDatabase	databases[UL_MAX_DATABASES];
	int			count = ul_list_databases(databases);

	for (int i = 0; i < count; i++)
	{
		Served	   *one = find_served(served, databases[i].database);
		pid_t		pid;

		if (!databases[i].dirty || databases[i].worker != 0 ||
			(one != NULL && one->handle != NULL &&
			 GetBackgroundWorkerPid(one->handle, &pid) == BGWH_STARTED))
			continue;
		connect_to(databases[i].database);
		(void) flush_last();
		return;
	}
}

void
usage_limits_launcher_main(Datum arg)
{
	Served	   *served;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	served = MemoryContextAllocZero(TopMemoryContext, sizeof(Served) * UL_MAX_DATABASES);
	ul_set_launcher(MyLatch);

	while (!ShutdownRequestPending)
	{
		nap(Min(ul_flush_interval, MAX_NAP));
		serve_databases(served);
	}
	ul_set_launcher(NULL);
	/* one that is told to end alone is started again */
	if (!server_is_stopping())
		proc_exit(1);
	flush_unserved(served);
	proc_exit(0);
}
