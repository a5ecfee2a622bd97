/*-------------------------------------------------------------------------
 *
 * schema.c
 *		Where the extension's tables are in this database.
 *
 * Changes travel as relcache invalidations of three of our tables, one a
 * signal: they are WAL-logged, survive PREPARE, and reach standbys.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"
#include "utils/syscache.h"

#include "schema.h"

static const char *const table_names[UL_NTABLES] = {
	[UL_USAGE_LIMITS_CONFIG] = "usage_limits_config",
	[UL_USAGE_LIMIT_OVERRIDES] = "usage_limit_overrides",
	[UL_USAGE_TYPES] = "usage_types",
	[UL_USAGE_ACTIONS] = "usage_actions",
	[UL_USAGE_ALERTS] = "usage_alerts",
	[UL_USAGE_ALERT_LOG] = "usage_alert_log",
	[UL_USAGE_COUNTERS] = "usage_counters",
	[UL_USAGE_EVENTS] = "usage_events",
	[UL_USAGE_EVENTS_DEFAULT] = "usage_events_default",
	[UL_USAGE_EVENTS_ID_SEQ] = "usage_events_id_seq",
	[UL_USAGE_RESETS] = "usage_resets",
	[UL_USAGE_IDEMPOTENCY] = "usage_idempotency",
	[UL_USAGE_HOLDS] = "usage_holds",
	[UL_USAGE_RATES] = "usage_rates",
	[UL_USER_SUBSCRIPTIONS] = "user_subscriptions",
	[UL_USAGE_MEMBERS] = "usage_members",
	[UL_USER_CREDITS] = "user_credits",
	[UL_CREDIT_GRANTS] = "credit_grants",
	[UL_CREDIT_GRANTS_ID_SEQ] = "credit_grants_id_seq",
	[UL_CREDIT_TRANSACTIONS] = "credit_transactions",
	[UL_CREDIT_TRANSACTIONS_ID_SEQ] = "credit_transactions_id_seq",
	[UL_CREDIT_DRAWS] = "credit_draws",
	[UL_CREDIT_COSTS] = "credit_costs",
	[UL_USAGE_DAYS] = "usage_days",
	[UL_USAGE_COUNTERS_PKEY] = "usage_counters_pkey",
	[UL_USAGE_LIMIT_OVERRIDES_USER_ID_IDX] = "usage_limit_overrides_user_id_idx",
	[UL_USAGE_ALERT_LOG_USER_ID_IDX] = "usage_alert_log_user_id_idx",
	[UL_USAGE_RESETS_PKEY] = "usage_resets_pkey",
	[UL_USAGE_IDEMPOTENCY_PKEY] = "usage_idempotency_pkey",
	[UL_USAGE_HOLDS_PKEY] = "usage_holds_pkey",
	[UL_USAGE_HOLDS_OPEN_IDX] = "usage_holds_open_idx",
	[UL_USAGE_HOLDS_ACCOUNT_IDX] = "usage_holds_account_idx",
	[UL_USAGE_HOLDS_CREDITS_IDX] = "usage_holds_credits_idx",
	[UL_USAGE_RATES_PKEY] = "usage_rates_pkey",
	[UL_USER_SUBSCRIPTIONS_USER_ID_KEY] = "user_subscriptions_user_id_key",
	[UL_USAGE_MEMBERS_PKEY] = "usage_members_pkey",
	[UL_USAGE_MEMBERS_ACCOUNT_ID_IDX] = "usage_members_account_id_idx",
	[UL_USER_CREDITS_PKEY] = "user_credits_pkey",
	[UL_CREDIT_GRANTS_PKEY] = "credit_grants_pkey",
	[UL_CREDIT_GRANTS_ID_IDX] = "credit_grants_id_idx",
	[UL_CREDIT_GRANTS_OPEN_IDX] = "credit_grants_open_idx",
	[UL_CREDIT_GRANTS_REFERENCE_IDX] = "credit_grants_reference_idx",
	[UL_CREDIT_TRANSACTIONS_PKEY] = "credit_transactions_pkey",
	[UL_CREDIT_TRANSACTIONS_ID_IDX] = "credit_transactions_id_idx",
	[UL_CREDIT_TRANSACTIONS_REFERENCE_IDX] = "credit_transactions_reference_idx",
	[UL_CREDIT_DRAWS_PKEY] = "credit_draws_pkey",
	[UL_CREDIT_DRAWS_REFUND_IDX] = "credit_draws_refund_idx",
	[UL_USAGE_DAYS_PKEY] = "usage_days_pkey",
};

/* the table whose invalidation carries a signal */
static const UlTable signal_table[UL_NSIGNALS] = {
	[UL_SIGNAL_SCHEMA] = UL_USAGE_COUNTERS,
	[UL_SIGNAL_CONFIG] = UL_USAGE_LIMITS_CONFIG,
	[UL_SIGNAL_USERS] = UL_USER_SUBSCRIPTIONS,
};

static UlSchema schema;
static bool schema_known = false;	/* the OIDs are right, or were */
static uint64 schema_generation = 0;	/* when they were read */
static uint64 generations[UL_NSIGNALS] = {1, 1, 1};

static void
relation_changed(Datum arg, Oid relid)
{
	for (int i = 0; i < UL_NSIGNALS; i++)
		if (relid == InvalidOid || !schema_known ||
			relid == schema.oid[signal_table[i]])
			generations[i]++;
	/* its triggers are part of what we know of the schema */
	if (schema_known && relid == schema.oid[UL_USAGE_HOLDS])
		generations[UL_SIGNAL_SCHEMA]++;
}

static void
namespace_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	generations[UL_SIGNAL_SCHEMA]++;
}

/* The extension's namespace, from its catalog row. */
static Oid
extension_namespace(Oid extension)
{
	Relation	catalog = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			result = InvalidOid;

	ScanKeyInit(&key, Anum_pg_extension_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(extension));
	scan = systable_beginscan(catalog, ExtensionOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		result = ((Form_pg_extension) GETSTRUCT(tuple))->extnamespace;
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return result;
}

Oid
ul_relation_owner(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/* A type of ours, in the schema that is being read. */
static Oid
find_type(const char *name)
{
	Oid			type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum(name),
									   ObjectIdGetDatum(schema.namespace));

	if (!OidIsValid(type))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("type \"%s\" of extension \"usage_limits\" does not exist", name)));
	return type;
}

/* Whether so many triggers of ours on a table fire whatever session_replication_role is. */
static bool
is_watched(Oid relid, int count)
{
	Relation	relation = table_open(relid, AccessShareLock);
	TriggerDesc *triggers = relation->trigdesc;
	int			always = 0;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
		if ((strcmp(triggers->triggers[i].tgname, "counted") == 0 ||
			 strcmp(triggers->triggers[i].tgname, "truncated") == 0) &&
			triggers->triggers[i].tgenabled == TRIGGER_FIRES_ALWAYS)
			always++;
	table_close(relation, AccessShareLock);
	return always == count;
}

/*
 * What was written while the triggers were switched off was not heard of, also
 * where nobody was there to see them switched off: the rows of the catalog tell.
 */
static uint32
triggers_version(Oid relid)
{
	Relation	catalog = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	uint32		version = 0;

	ScanKeyInit(&key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(catalog, TriggerRelidNameIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		version = hash_combine(version, HeapTupleHeaderGetRawXmin(tuple->t_data));
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return version;
}

static void
read_schema(void)
{
	char	   *name;

	schema_known = false;
	schema.extension = get_extension_oid("usage_limits", true);
	if (OidIsValid(schema.extension))
		schema.namespace = extension_namespace(schema.extension);
	if (!OidIsValid(schema.extension) || !OidIsValid(schema.namespace))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("extension \"usage_limits\" is not installed in this database")));

	for (int i = 0; i < UL_NTABLES; i++)
	{
		schema.oid[i] = get_relname_relid(table_names[i], schema.namespace);
		if (!OidIsValid(schema.oid[i]))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_TABLE),
					 errmsg("relation \"%s\" of extension \"usage_limits\" does not exist",
							table_names[i])));
	}
	schema.decision_type = find_type("usage_decision");
	schema.credit_decision_type = find_type("credit_decision");
	schema.owner = ul_relation_owner(schema.oid[UL_USAGE_COUNTERS]);

	schema.counters_watched = is_watched(schema.oid[UL_USAGE_COUNTERS], 2);
	schema.holds_watched = is_watched(schema.oid[UL_USAGE_HOLDS], 1);
	schema.triggers_version = hash_combine(triggers_version(schema.oid[UL_USAGE_COUNTERS]),
										   triggers_version(schema.oid[UL_USAGE_HOLDS]));

	name = get_namespace_name(schema.namespace);
	if (name == NULL)
		elog(ERROR, "cache lookup failed for namespace %u", schema.namespace);
	if (schema.quoted_name != NULL)
		pfree(schema.quoted_name);
	schema.quoted_name = MemoryContextStrdup(TopMemoryContext, quote_identifier(name));
	schema_known = true;
}

const UlSchema *
ul_schema(void)
{
	static bool registered = false;

	if (!registered)
	{
		CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
		CacheRegisterSyscacheCallback(NAMESPACEOID, namespace_changed, (Datum) 0);
		registered = true;
	}
	if (!schema_known || schema_generation != generations[UL_SIGNAL_SCHEMA])
	{
		uint64		generation = generations[UL_SIGNAL_SCHEMA];

		read_schema();
		schema_generation = generation;
	}
	return &schema;
}

uint32
ul_triggers_version(void)
{
	return schema.triggers_version;
}

uint64
ul_generation(UlSignal signal)
{
	return generations[signal];
}

void
ul_send_signal(UlSignal signal)
{
	CacheInvalidateRelcacheByRelid(ul_schema()->oid[signal_table[signal]]);
}
