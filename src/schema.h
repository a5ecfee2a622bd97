/*-------------------------------------------------------------------------
 *
 * schema.h
 *		Where the extension's tables are in this database.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_SCHEMA_H
#define UL_SCHEMA_H

typedef enum UlTable
{
	UL_USAGE_LIMITS_CONFIG,
	UL_USAGE_LIMIT_OVERRIDES,
	UL_USAGE_TYPES,
	UL_USAGE_ACTIONS,
	UL_USAGE_ALERTS,
	UL_USAGE_ALERT_LOG,
	UL_USAGE_COUNTERS,
	UL_USAGE_EVENTS,
	UL_USAGE_EVENTS_DEFAULT,
	UL_USAGE_EVENTS_ID_SEQ,
	UL_USAGE_RESETS,
	UL_USAGE_IDEMPOTENCY,
	UL_USAGE_HOLDS,
	UL_USAGE_RATES,
	UL_USER_SUBSCRIPTIONS,
	UL_USAGE_MEMBERS,
	UL_USER_CREDITS,
	UL_CREDIT_GRANTS,
	UL_CREDIT_GRANTS_ID_SEQ,
	UL_CREDIT_TRANSACTIONS,
	UL_CREDIT_TRANSACTIONS_ID_SEQ,
	UL_CREDIT_DRAWS,
	UL_CREDIT_COSTS,
	UL_USAGE_DAYS,
	/* indexes */
	UL_USAGE_COUNTERS_PKEY,
	UL_USAGE_LIMIT_OVERRIDES_USER_ID_IDX,
	UL_USAGE_ALERT_LOG_USER_ID_IDX,
	UL_USAGE_RESETS_PKEY,
	UL_USAGE_IDEMPOTENCY_PKEY,
	UL_USAGE_HOLDS_PKEY,
	UL_USAGE_HOLDS_OPEN_IDX,
	UL_USAGE_HOLDS_ACCOUNT_IDX,
	UL_USAGE_HOLDS_CREDITS_IDX,
	UL_USAGE_RATES_PKEY,
	UL_USER_SUBSCRIPTIONS_USER_ID_KEY,
	UL_USAGE_MEMBERS_PKEY,
	UL_USAGE_MEMBERS_ACCOUNT_ID_IDX,
	UL_USER_CREDITS_PKEY,
	UL_CREDIT_GRANTS_PKEY,
	UL_CREDIT_GRANTS_ID_IDX,
	UL_CREDIT_GRANTS_OPEN_IDX,
	UL_CREDIT_GRANTS_REFERENCE_IDX,
	UL_CREDIT_TRANSACTIONS_PKEY,
	UL_CREDIT_TRANSACTIONS_ID_IDX,
	UL_CREDIT_TRANSACTIONS_REFERENCE_IDX,
	UL_CREDIT_DRAWS_PKEY,
	UL_CREDIT_DRAWS_REFUND_IDX,
	UL_USAGE_DAYS_PKEY,
	UL_NTABLES
} UlTable;

typedef struct UlSchema
{
	Oid			extension;
	Oid			namespace;
	Oid			owner;			/* of usage_counters: whom our SQL runs as */
	Oid			decision_type;	/* usage_decision */
	Oid			credit_decision_type;
	bool		counters_watched;	/* our trigger on usage_counters always
									 * fires */
	bool		holds_watched;	/* the same of usage_holds */
	uint32		triggers_version;	/* of both: another after every change of
									 * them */
	char	   *quoted_name;	/* the namespace, quoted where needed */
	Oid			oid[UL_NTABLES];
} UlSchema;

/* What a change makes stale; each has a generation that counts changes. */
typedef enum UlSignal
{
	UL_SIGNAL_SCHEMA,			/* the schema itself: saved plans */
	UL_SIGNAL_CONFIG,			/* limits, tier overrides, types, actions */
	UL_SIGNAL_USERS,			/* subscriptions, user overrides, resets,
								 * members */
	UL_NSIGNALS
} UlSignal;

/*
 * The schema, from the extension's catalog row and never from search_path.
 * Valid until the transaction ends.  Raises an error where the extension is
 * not installed.
 */
extern const UlSchema *ul_schema(void);

/* The owner of any relation. */
extern Oid	ul_relation_owner(Oid relid);

/* The generation of what a signal covers; it rises with every change. */
extern uint64 ul_generation(UlSignal signal);

/* The version of those triggers as it was last read: reads nothing. */
extern uint32 ul_triggers_version(void);

/*
 * Tells every session, this one at its next command and the others when this
 * transaction commits, that what a signal covers has changed.
 */
extern void ul_send_signal(UlSignal signal);

#endif							/* UL_SCHEMA_H */
