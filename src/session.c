/*-------------------------------------------------------------------------
 *
 * session.c
 *		Whether a session still lives.
 *
 * The operating system gives a process number again, and soon after a restart,
 * so that a session is its process and the instant at which that started.  The
 * server's shared memory is asked, and not the snapshot of it that
 * pg_stat_activity keeps to the end of the transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "storage/procarray.h"

#include "compat.h"
#include "session.h"

void
ul_this_session(int *pid, TimestampTz *start)
{
	*pid = MyProcPid;
	*start = MyBEEntry->st_proc_start_timestamp;
}

bool
ul_session_lives(int pid, TimestampTz start)
{
	PGPROC	   *proc;
	volatile PgBackendStatus *entry;

	if (RecoveryInProgress())
		return true;
	proc = BackendPidGetProc(pid);
	entry = proc == NULL ? NULL : ul_status_entry(proc);
	if (entry == NULL)
		return false;
	for (;;)
	{
		int			before;
		int			after;
		bool		same;

		pgstat_begin_read_activity(entry, before);
		same = entry->st_procpid == pid && entry->st_proc_start_timestamp == start;
		pgstat_end_read_activity(entry, after);
		if (pgstat_read_activity_complete(before, after))
			return same;
		CHECK_FOR_INTERRUPTS();
	}
}
