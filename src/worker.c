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
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
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

/* Workers that run at once at most. */
#define MAX_WORKERS 4

/* A database that the launcher has a worker for, or has had */
typedef struct Served
{
	Oid			database;
	BackgroundWorkerHandle *handle; /* NULL: none runs */
	TimestampTz not_before;
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
has_work(const UlDatabase *place, TimestampTz now)
{
	return place->dirty || (place->used_at > place->maintained_at &&
							now - place->maintained_at > MAINTENANCE_INTERVAL);
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

/* Starts what is to be started, and forgets whose worker has ended. */
static void
serve_databases(Served *served)
{
	UlDatabase	databases[UL_MAX_DATABASES];
	int			count = ul_list_databases(databases);
	TimestampTz now = GetCurrentTimestamp();
	int			running = 0;

	for (int i = 0; i < UL_MAX_DATABASES; i++)
	{
		pid_t		pid;

		if (served[i].handle != NULL &&
			GetBackgroundWorkerPid(served[i].handle, &pid) == BGWH_STOPPED)
		{
			pfree(served[i].handle);
			served[i].handle = NULL;
			served[i].not_before = now + ul_flush_interval * INT64CONST(1000);
		}
		if (served[i].handle != NULL)
			running++;
	}
	for (int i = 0; i < count && running < MAX_WORKERS && ul_worker_enabled; i++)
	{
		Served	   *one = find_served(served, databases[i].database);

		if (one == NULL || one->handle != NULL || now < one->not_before ||
			!has_work(&databases[i], now))
			continue;
		one->handle = start_worker(databases[i].database);
		if (one->handle == NULL)
			one->not_before = now + RETRY_INTERVAL;
		else
			running++;
	}
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

	/* what comes from now on is for the next time */
	ul_database_clean(now);
	do
	{
		if (!begin("usage_limits: flushing"))
			return false;
		from = ul_flush(from, KEYS_AT_ONCE, &done);
		end();
	} while (from != 0);
	return true;
}

/* Whether shared memory has counts of a database that are in no table. */
static bool
is_dirty(Oid database)
{
	UlDatabase	databases[UL_MAX_DATABASES];
	int			count = ul_list_databases(databases);

	for (int i = 0; i < count; i++)
		if (databases[i].database == database)
			return databases[i].dirty;
	return false;
}

/* A worker that an error has ended leaves its work to the next. */
static bool finished = false;

static void
note_unfinished(int code, Datum arg)
{
	if (!finished)
		ul_note_database(true, GetCurrentTimestamp());
}

static bool
maintenance_is_due(void)
{
	UlDatabase	databases[UL_MAX_DATABASES];
	int			count = ul_list_databases(databases);

	for (int i = 0; i < count; i++)
		if (databases[i].database == MyDatabaseId)
			return GetCurrentTimestamp() - databases[i].maintained_at > MAINTENANCE_INTERVAL;
	return false;
}

/*
 * At a shutdown, others of the database may still count: what they do is
 * flushed when they are gone.
 */
static void
flush_last(void)
{
	while (CountDBBackends(MyDatabaseId) > 1)
	{
		(void) WaitLatch(MyLatch, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 10, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
	(void) flush_all();
}

void
usage_limits_worker_main(Datum arg)
{
	Oid			database = DatumGetObjectId(arg);

	/* at a shutdown it still has something to do, which die() would prevent */
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);

	before_shmem_exit(note_unfinished, (Datum) 0);
	do
	{
		if (!flush_all())
		{
			ul_shared_forget_others(InvalidOid);
			ul_forget_database(database);
			finished = true;
			proc_exit(0);
		}
		if (!ShutdownRequestPending && maintenance_is_due())
		{
			UlMaintenance done;

			ul_database_maintained(GetCurrentTimestamp());
			if (begin("usage_limits: maintenance"))
			{
				ul_maintain(&done);
				end();
			}
		}
		if (!ShutdownRequestPending)
			(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
							 ul_flush_interval, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
	} while (!ShutdownRequestPending && is_dirty(MyDatabaseId));
	if (ShutdownRequestPending)
		flush_last();
	finished = true;
	proc_exit(0);
}

/*
 * At a shutdown no worker can be started any more.  For a database that has
 * become dirty only now, the launcher does the last flush itself.
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

		if (!databases[i].dirty ||
			(one != NULL && one->handle != NULL &&
			 GetBackgroundWorkerPid(one->handle, &pid) != BGWH_STOPPED))
			continue;
		BackgroundWorkerInitializeConnectionByOid(databases[i].database, InvalidOid, 0);
		flush_last();
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
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 ul_flush_interval, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		serve_databases(served);
	}
	ul_set_launcher(NULL);
	flush_unserved(served);
	proc_exit(0);
}
