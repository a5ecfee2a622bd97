/*-------------------------------------------------------------------------
 *
 * usage_limits.c
 *		Loading the library.
 *
 * No hook is installed, and a session that never calls us registers nothing
 * but the settings.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#include "compat.h"
#include "guc.h"
#include "shmem.h"
#include "worker.h"

UL_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	ul_guc_init();
	if (process_shared_preload_libraries_in_progress)
	{
		ul_shmem_init();
		ul_worker_init();
	}
}
