/*-------------------------------------------------------------------------
 *
 * compat.h
 *		What differs between PostgreSQL 15, 16, 17 and 18.
 *
 * This is the only file that tests PG_VERSION_NUM.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_COMPAT_H
#define UL_COMPAT_H

#include "access/genam.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/backend_status.h"
#include "utils/datetime.h"
#include "utils/guc.h"

/* Before 16 it has declarations that are no prototypes. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#include "nodes/nodeFuncs.h"
#pragma GCC diagnostic pop

#if PG_VERSION_NUM < 150000
#error "usage_limits needs PostgreSQL 15 or later"
#endif

#if PG_VERSION_NUM >= 180000
#define UL_MODULE_MAGIC PG_MODULE_MAGIC_EXT(.name = "usage_limits", .version = USAGE_LIMITS_VERSION)
#else
#define UL_MODULE_MAGIC PG_MODULE_MAGIC
#endif

/* Before the declaration of a function that does not return; as 18 has it. */
#ifndef pg_noreturn
#define pg_noreturn pg_attribute_noreturn()
#endif

/*
 * Runs the code between push and pop with pg_catalog alone in the search
 * path.  An error in between undoes it with the (sub)transaction.
 */
static inline int
ul_push_search_path(void)
{
#if PG_VERSION_NUM >= 170000
	int			level = NewGUCNestLevel();

	RestrictSearchPath();
	return level;
#else
	OverrideSearchPath path = {.schemas = NIL,.addCatalog = true,.addTemp = false};

	PushOverrideSearchPath(&path);
	return 0;
#endif
}

static inline void
ul_pop_search_path(int level)
{
#if PG_VERSION_NUM >= 170000
	AtEOXact_GUC(false, level);
#else
	(void) level;
	PopOverrideSearchPath();
#endif
}

/* DecodeDateTime, which got an argument in 16. */
static inline int
ul_decode_datetime(char **field, int *ftype, int nf, int *dtype,
				   struct pg_tm *tm, fsec_t *fsec, int *tz)
{
#if PG_VERSION_NUM >= 160000
	DateTimeErrorExtra extra;

	return DecodeDateTime(field, ftype, nf, dtype, tm, fsec, tz, &extra);
#else
	return DecodeDateTime(field, ftype, nf, dtype, tm, fsec, tz);
#endif
}

/* Whether the transaction has given the relation another file, as TRUNCATE does. */
static inline bool
ul_relation_has_new_file(Relation relation)
{
#if PG_VERSION_NUM >= 160000
	return relation->rd_firstRelfilelocatorSubid != InvalidSubTransactionId;
#else
	return relation->rd_firstRelfilenodeSubid != InvalidSubTransactionId;
#endif
}

/* index_beginscan, which got an argument in 18. */
static inline IndexScanDesc
ul_index_beginscan(Relation heap, Relation index, Snapshot snapshot, int nkeys)
{
#if PG_VERSION_NUM >= 180000
	return index_beginscan(heap, index, snapshot, NULL, nkeys, 0);
#else
	return index_beginscan(heap, index, snapshot, nkeys, 0);
#endif
}

/* Which indexes a new version of a row needs entries in: before 16, all or none. */
#if PG_VERSION_NUM >= 160000
typedef TU_UpdateIndexes UlUpdateIndexes;
#define UL_UPDATE_NO_INDEX TU_None
#define UL_UPDATE_ALL_INDEXES TU_All
#else
typedef bool UlUpdateIndexes;
#define UL_UPDATE_NO_INDEX false
#define UL_UPDATE_ALL_INDEXES true
#endif

/* Puts a new version of a row in the place of the one that a snapshot shows. */
static inline TM_Result
ul_table_tuple_update(Relation heap, ItemPointer tid, TupleTableSlot *slot, Snapshot snapshot,
					  UlUpdateIndexes *indexes)
{
	TM_FailureData failure;
	LockTupleMode mode;

	return table_tuple_update(heap, tid, slot, GetCurrentCommandId(true), snapshot,
							  InvalidSnapshot, true, &failure, &mode, indexes);
}

/* Enters a new row, or with "update" a new version of one, into the indexes. */
static inline void
ul_insert_index_tuples(ResultRelInfo *result, TupleTableSlot *slot, EState *estate, bool update,
					   UlUpdateIndexes indexes)
{
#if PG_VERSION_NUM >= 160000
	(void) ExecInsertIndexTuples(result, slot, estate, update, false, NULL, NIL,
								 update && indexes == TU_Summarizing);
#else
	(void) indexes;
	(void) ExecInsertIndexTuples(result, slot, estate, update, false, NULL, NIL);
#endif
}

/* Whether a role may use a schema. */
static inline bool
ul_has_schema_usage(Oid namespace, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(NamespaceRelationId, namespace, role, ACL_USAGE) == ACLCHECK_OK;
#else
	return pg_namespace_aclcheck(namespace, role, ACL_USAGE) == ACLCHECK_OK;
#endif
}

/* The status entry of a process, or NULL while it starts or ends. */
static inline PgBackendStatus *
ul_status_entry(PGPROC *proc)
{
#if PG_VERSION_NUM >= 170000
	return MyBEEntry - MyProcNumber + GetNumberFromPGProc(proc);
#else
	int			id = proc->backendId;

	return id == InvalidBackendId ? NULL : MyBEEntry - MyBackendId + id;
#endif
}

/* The current transaction's number in this session. */
static inline LocalTransactionId
ul_local_transaction_id(void)
{
#if PG_VERSION_NUM >= 170000
	return MyProc->vxid.lxid;
#else
	return MyProc->lxid;
#endif
}

/* Whether a role owns a relation, or is a member of the role that does. */
static inline bool
ul_owns_relation(Oid relid, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(RelationRelationId, relid, role);
#else
	return pg_class_ownercheck(relid, role);
#endif
}

/* This process's place among all that use shared memory, from 0, or -1. */
static inline int
ul_backend_index(void)
{
#if PG_VERSION_NUM >= 170000
	return MyProc == NULL ? -1 : MyProcNumber;
#else
	return MyProc == NULL ? -1 : MyProc->pgprocno;
#endif
}

/* Places that there are: known once MaxBackends is. */
static inline int
ul_backend_count(void)
{
	return MaxBackends + NUM_AUXILIARY_PROCS;
}

/* Memory for the "extra" of a setting's check hook: malloc before 16. */
static inline void *
ul_guc_malloc(size_t size)
{
#if PG_VERSION_NUM >= 160000
	return guc_malloc(LOG, size);
#else
	return malloc(size);
#endif
}

static inline void
ul_guc_free(void *ptr)
{
#if PG_VERSION_NUM >= 160000
	guc_free(ptr);
#else
	free(ptr);
#endif
}

#endif							/* UL_COMPAT_H */
