/*-------------------------------------------------------------------------
 *
 * store.h
 *		Writing our tables, and everything else that goes through SQL.
 *
 * All of it runs as the owner of usage_counters with pg_catalog alone in the
 * search path.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_STORE_H
#define UL_STORE_H

#include "datatype/timestamp.h"
#include "storage/itemptr.h"
#include "utils/jsonb.h"
#include "utils/snapshot.h"
#include "utils/uuid.h"

#include "amounts.h"

/* A statement's number of parameters at most */
#define UL_MAX_ARGS 20

typedef struct UlArgs
{
	int			count;
	Datum		value[UL_MAX_ARGS];
	char		null[UL_MAX_ARGS];	/* 'n' or ' ', as SPI wants it */
} UlArgs;

typedef struct UlStatementText
{
	const char *text;			/* "@." stands for our schema */
	int			nargs;
	Oid			types[UL_MAX_ARGS];
} UlStatementText;

/* in a list of parameter types: our usage_decision, whose OID is not constant */
#define UL_DECISION_TYPE InvalidOid

typedef enum UlStatement
{
	UL_ADD_TO_COUNTER,
	UL_ADD_CLAMPED,
	UL_INSERT_COUNTER,
	UL_INSERT_EVENT,
	UL_INSERT_RESET,
	UL_REMEMBER_KEY,
	UL_STORE_RATE,
	UL_LIMIT_EXISTS,
	UL_UPDATE_LIMIT,
	UL_INSERT_LIMIT,
	UL_CHECK_DURABILITY,
	UL_SET_TYPE_DURABILITY,
	UL_UPDATE_TIER_OVERRIDE,
	UL_INSERT_OVERRIDE,
	UL_SET_TIER,
	UL_SET_MEMBER,
	UL_REMOVE_MEMBER,
	UL_DEFAULT_LIMITS,
	UL_DEFAULT_ACTIONS,
	UL_LOG_CHANGE,
	UL_DEFAULT_MONTHS,
	UL_SLOTS_TO_FOLD,
	UL_FOLD_SLOTS,
	UL_FORGET_KEYS,
	UL_FORGET_RATES,
	UL_EXTENSION_VERSION,
	UL_COUNT_SUBSCRIPTIONS,
	UL_IMPORT_DONE,
	UL_IMPORT_MARK,
	UL_IMPORT_LIMIT,
	UL_IMPORT_SUBSCRIPTION,
	UL_IMPORT_COUNTER,
	UL_DELETE_OLD_EVENTS,
	UL_ADD_DENIALS,
	UL_LOCK_CREDITS,
	UL_BEGIN_CREDITS,
	UL_SPEND_FAST,
	UL_WRITE_CREDITS,
	UL_WRITE_CREDITS_UNREAD,
	UL_SPEND_PLAIN,
	UL_INSERT_TRANSACTION,
	UL_INSERT_DRAW,
	UL_INSERT_GRANT,
	UL_UPDATE_GRANT,
	UL_UPDATE_GRANT_UNREAD,
	UL_RECONCILE_CREDITS,
	UL_INSERT_ALERT,
	UL_FORGET_ALERTS,
	UL_KEYS_WITH_ALERTS,
	UL_TABLES_OF_TRIGGER,
	UL_LEVELS_OF_TYPE,
	UL_INSERT_HOLD,
	UL_END_HOLD,
	UL_RENEW_HOLD,
	UL_FORGET_HOLDS,
	UL_MARK_DAY,
	UL_REOPEN_DAYS,
	UL_FORGET_DAYS,
	UL_CLOSE_DAYS,
	UL_SET_CLOSED_XID,
	UL_FORGET_DAY_SUMS,
	UL_SUM_DAYS,
	UL_NSTATEMENTS
} UlStatement;

/* The statements of topics that have a file of their own; no text: not one of them. */
extern const UlStatementText ul_alert_statements[UL_NSTATEMENTS];
extern const UlStatementText ul_attach_statements[UL_NSTATEMENTS];
extern const UlStatementText ul_config_statements[UL_NSTATEMENTS];
extern const UlStatementText ul_hold_statements[UL_NSTATEMENTS];
extern const UlStatementText ul_credit_statements[UL_NSTATEMENTS];
extern const UlStatementText ul_day_statements[UL_NSTATEMENTS];
extern const UlStatementText ul_import_statements[UL_NSTATEMENTS];

/* Of usage_counters, in a statement's text */
#define UL_COUNTER_COLUMNS \
	"user_id, usage_type, bucket_start, event_subtype, slot," \
	" amount, tokens_used, credits_used, duration_ms," \
	" events, failed_events, cancelled_events, first_at, last_at, member_amount"
#define UL_COUNTER_VALUES \
	"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
#define UL_COUNTER_TYPES 15, {TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID, INT8OID, \
	INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID}

/* Append a parameter; a NULL pointer is null. */
extern void ul_arg_text(UlArgs *args, const char *value);
extern void ul_arg_int8(UlArgs *args, int64 value);
extern void ul_arg_time(UlArgs *args, TimestampTz value);
extern void ul_arg_datum(UlArgs *args, Datum value, bool isnull);

/* Runs a statement; returns how many rows it processed. */
extern uint64 ul_execute(UlStatement statement, const UlArgs *args);

/* Runs a statement; its first row's first column, copied, or null for no row. */
extern Datum ul_execute_value(UlStatement statement, const UlArgs *args, bool *isnull);

/* Runs a statement; calls "row" for each row's columns. */
typedef void (*UlStoreRow) (const Datum *values, const bool *nulls, void *arg);
extern void ul_execute_rows(UlStatement statement, const UlArgs *args, UlStoreRow row, void *arg);

/* The same for a statement that only reads, as of a snapshot. */
extern void ul_execute_rows_at(UlStatement statement, const UlArgs *args, Snapshot snapshot,
							   UlStoreRow row, void *arg);

/*
 * Runs a statement that is put together; "@." stands before a name of ours.
 * Returns how many rows it processed.
 */
extern uint64 ul_execute_text(const char *text);

/*
 * Runs a query as the current user, not as our owner, and as a
 * security-restricted operation; calls "row" for each row's columns.  For
 * tables, and functions behind them, that are not ours.
 */
extern void ul_query_as_caller(const char *query, UlStoreRow row, void *arg);

/* The same as the owner of a table that is not ours, as of a snapshot. */
extern void ul_query_as_owner(Oid relid, const char *query, Snapshot snapshot,
							  UlStoreRow row, void *arg);

/* Rows of the table that usage_limits.users_table names, counted as its owner. */
extern int64 ul_count_users(void);

/* The version of the extension's SQL objects. */
extern char *ul_extension_version(void);

/* Writes usage_config_log for a change of a row of the given row type. */
extern void ul_log_change(const char *table, const char *operation, Oid rowtype,
						  Datum old_row, Datum new_row, bool has_new_row);

/* A row of usage_counters that is to be added to, or with another slot than 0, made. */
typedef struct UlCounterRow
{
	const char *user_id;
	const char *usage_type;
	TimestampTz bucket_start;
	const char *event_subtype;	/* "" for none */
	int64		slot;
	bool		add;			/* to the row, if there is one */
	bool		likely_new;		/* the row is probably not there yet */
	bool		of_members;		/* an account's share: its amount is
								 * member_amount */
	bool		clamp;			/* a sum out of range is the last in it, and
								 * no error */
	ItemPointer place;			/* where it may be, or NULL; set to where it
								 * is */
	UlAmounts	amounts;
	TimestampTz first_at;
	TimestampTz last_at;
} UlCounterRow;

/*
 * Adds to the row, or makes it.  A slot that is added to must not be written
 * by anyone else meanwhile; any other is new and waits for nobody.
 */
extern void ul_write_counter(const UlCounterRow *row);

/* A row of usage_events; pointers may be NULL. */
typedef struct UlEventRow
{
	const char *user_id;
	const char *event_type;
	const char *event_subtype;
	const pg_uuid_t *project_id;
	const pg_uuid_t *scene_id;
	const int64 *tokens_used;
	const int64 *credits_used;
	const int64 *duration_ms;
	const char *status;
	const char *error_message;
	const Jsonb *metadata;
	TimestampTz created_at;
	int64		amount;
	const char *operation;
	const TimestampTz *bucket_start;
	const int64 *refund_of;
	const char *account_id;
	const TimestampTz *account_bucket_start;
} UlEventRow;

/* Inserts an event; returns its id. */
extern int64 ul_write_event(const UlEventRow *row);

#endif							/* UL_STORE_H */
