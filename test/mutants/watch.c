/*-------------------------------------------------------------------------
 *
 * watch.c
 *		Rules of the locking protocol that no query can see broken.
 *
 * Linked by test/mutants/run between the library and the server: whatever of
 * the server's functions is named below is called through here, and a call that
 * breaks a rule ends the process, so that any test fails that comes across it.
 *
 * - With a lock of shared memory held nothing is allocated, reported, looked up
 *	 in a table or a snapshot, or waited for, and no second such lock is taken.
 * - Nor is any of that done when a transaction or subtransaction has ended.
 *
 * Spinlocks are macros, and what the server's own functions call is not seen.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <unistd.h>

#include "access/table.h"
#include "access/xact.h"
#include "executor/spi.h"
#include "storage/lock.h"
#include "storage/lwlock.h"
#include "storage/procarray.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"

static int	locks_held = 0;
static bool ended = false;
static XactCallback xact_callback = NULL;
static SubXactCallback subxact_callback = NULL;

static void
broken(const char *what)
{
	static const char rule[] = " with a lock of shared memory held, or after the transaction's end\n";

	(void) !write(STDERR_FILENO, what, strlen(what));
	(void) !write(STDERR_FILENO, rule, sizeof(rule) - 1);
	abort();
}

static void
watch(const char *what)
{
	if (locks_held > 0 || ended)
		broken(what);
}

#define WATCHED(result, name, parameters, arguments) \
	extern result __real_##name parameters; \
	extern result __wrap_##name parameters; \
	result \
	__wrap_##name parameters \
	{ \
		watch(#name); \
		return __real_##name arguments; \
	}

WATCHED(void *, palloc, (Size size), (size))
WATCHED(void *, palloc0, (Size size), (size))
WATCHED(void *, repalloc, (void *pointer, Size size), (pointer, size))
WATCHED(char *, pstrdup, (const char *string), (string))
WATCHED(void *, MemoryContextAlloc, (MemoryContext context, Size size), (context, size))
WATCHED(void *, MemoryContextAllocZero, (MemoryContext context, Size size), (context, size))
WATCHED(char *, MemoryContextStrdup, (MemoryContext context, const char *string), (context, string))
WATCHED(bool, errstart, (int level, const char *domain), (level, domain))
WATCHED(bool, errstart_cold, (int level, const char *domain), (level, domain))
WATCHED(Relation, table_open, (Oid relation, LOCKMODE mode), (relation, mode))
WATCHED(int, SPI_connect, (void), ())
WATCHED(Snapshot, GetLatestSnapshot, (void), ())
WATCHED(bool, TransactionIdIsInProgress, (TransactionId xid), (xid))
WATCHED(LockAcquireResult, LockAcquire, (const LOCKTAG *tag, LOCKMODE mode, bool session, bool no_wait),
		(tag, mode, session, no_wait))

extern bool __real_LWLockAcquire(LWLock *lock, LWLockMode mode);
extern bool __wrap_LWLockAcquire(LWLock *lock, LWLockMode mode);
extern void __real_LWLockRelease(LWLock *lock);
extern void __wrap_LWLockRelease(LWLock *lock);

bool
__wrap_LWLockAcquire(LWLock *lock, LWLockMode mode)
{
	if (locks_held > 0)
		broken("LWLockAcquire");
	locks_held++;
	return __real_LWLockAcquire(lock, mode);
}

void
__wrap_LWLockRelease(LWLock *lock)
{
	locks_held--;
	__real_LWLockRelease(lock);
}

/* For records.pl: a commit is seen by all, and its callback does not come yet. */
static void
wait_while_paused(void)
{
	while (strcmp(application_name, "slow") == 0 && access("pause", F_OK) == 0)
		pg_usleep(1000);
}

static void
at_xact_end(XactEvent event, void *arg)
{
	ended = event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE;
	if (event == XACT_EVENT_COMMIT)
		wait_while_paused();
	xact_callback(event, arg);
	ended = false;
}

static void
at_subxact_end(SubXactEvent event, SubTransactionId me, SubTransactionId parent, void *arg)
{
	ended = event == SUBXACT_EVENT_COMMIT_SUB || event == SUBXACT_EVENT_ABORT_SUB;
	subxact_callback(event, me, parent, arg);
	ended = false;
}

extern void __real_RegisterXactCallback(XactCallback callback, void *arg);
extern void __wrap_RegisterXactCallback(XactCallback callback, void *arg);
extern void __real_RegisterSubXactCallback(SubXactCallback callback, void *arg);
extern void __wrap_RegisterSubXactCallback(SubXactCallback callback, void *arg);

void
__wrap_RegisterXactCallback(XactCallback callback, void *arg)
{
	if (xact_callback != NULL)
		broken("a second transaction callback");
	xact_callback = callback;
	__real_RegisterXactCallback(at_xact_end, arg);
}

void
__wrap_RegisterSubXactCallback(SubXactCallback callback, void *arg)
{
	if (subxact_callback != NULL)
		broken("a second subtransaction callback");
	subxact_callback = callback;
	__real_RegisterSubXactCallback(at_subxact_end, arg);
}
