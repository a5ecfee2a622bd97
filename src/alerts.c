/*-------------------------------------------------------------------------
 *
 * alerts.c
 *		Reporting that usage has reached a threshold of a limit, or that a
 *		balance of credits has fallen below one.
 *
 * A threshold is reported by whoever finds usage at or beyond it, and no report
 * in the window.  Usage is what is committed and one's own: what others have
 * not committed may be rolled back.  So two who reach a threshold together,
 * neither by itself, leave it to the one that commits last; who looks again
 * when it commits.  Commits at the same instant leave it to the next use, or to
 * usage_maintain.
 *
 * Of credits nothing is missed: whoever changes a balance has it for himself,
 * and what the balance was is in the ledger.
 *
 * The lock of a threshold keeps others from reporting it too; they do not wait
 * for it, as trackers never wait, since whoever has it reports.  Nor do they wait
 * for who has the key's lock: usage is read from the table then.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/async.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "alerts.h"
#include "claims.h"
#include "gate.h"
#include "guc.h"
#include "scan.h"
#include "store.h"
#include "tables.h"
#include "xact.h"

#define CHANNEL "usage_limits"

/* How far back usage is looked at that may have been missed */
#define MISSED_FOR (2 * USECS_PER_DAY)

/* What is to be notified of if the transaction commits */
typedef struct Notice
{
	TransactionId xid;			/* of the subtransaction that reported it */
	char	   *payload;
	struct Notice *next;
} Notice;

/* The notices of a key, in order */
typedef struct Notices
{
	Notice	   *first;
	Notice	  **end;
} Notices;

/* The usage from which on an alert is due; 0 where it has no meaning. */
static int64
threshold_of(const UlAlert *alert, const UlClaim *claim)
{
	int128		hundredths;

	if (alert->percent == NULL)
		return alert->value;
	if (claim->value < 0)
		return 0;
	hundredths = (int128) claim->value * alert->millionths;
	hundredths = (hundredths + 99999999) / 100000000;
	return hundredths > PG_INT64_MAX ? 0 : Max((int64) hundredths, 1);
}

/* What is reported of a limit: what is open at once, or what is booked. */
static int64
level_of(const UlClaim *claim)
{
	return claim->limit->kind == UL_KIND_CONCURRENCY ? claim->held : claim->sum.used;
}

/* Looking for a report */
typedef struct LogState
{
	bool		sliding;
	TimestampTz window_start;	/* of a sliding window: what was reported
								 * before is over */
	bool		found;
} LogState;

static bool
see_report(TupleTableSlot *slot, void *arg)
{
	LogState   *state = arg;

	if (state->sliding)
		state->found = ul_slot_time(slot, Anum_alert_log_created_at, DT_NOBEGIN) >= state->window_start;
	else
		state->found = ul_slot_time(slot, Anum_alert_log_window_start, DT_NOBEGIN) == state->window_start;
	return !state->found;
}

static bool
is_reported(const UlClaim *claim, const UlAlert *alert, TimestampTz window_start)
{
	LogState	state = {
		.sliding = claim->limit->period.alignment == UL_ALIGN_SLIDING,
		.window_start = window_start,
	};
	ScanKeyData keys[3];
	Snapshot	snapshot = ul_latest_snapshot(false);

	ul_key_text(&keys[0], 1, claim->user->user_id);
	ul_key_text(&keys[1], 2, claim->limit->limit_type);
	ul_key_int8(&keys[2], 3, alert->id);
	ul_scan(UL_USAGE_ALERT_LOG, UL_USAGE_ALERT_LOG_USER_ID_IDX, 3, keys, snapshot,
			see_report, &state);
	ul_release_snapshot(snapshot);
	return state.found;
}

static void
append_name(StringInfo json, const char *name)
{
	appendStringInfo(json, "%s\"%s\":", json->len > 1 ? "," : "", name);
}

static void
append_text(StringInfo json, const char *name, const char *value)
{
	append_name(json, name);
	if (value == NULL)
		appendStringInfoString(json, "null");
	else
		escape_json(json, value);
}

static void
append_int8(StringInfo json, const char *name, int64 value)
{
	append_name(json, name);
	appendStringInfo(json, INT64_FORMAT, value);
}

static void
append_time(StringInfo json, const char *name, TimestampTz value)
{
	char		text[MAXDATELEN + 1];

	append_name(json, name);
	if (TIMESTAMP_NOT_FINITE(value))
		appendStringInfoString(json, "null");
	else
	{
		JsonEncodeDateTime(text, TimestampTzGetDatum(value), TIMESTAMPTZOID, NULL);
		appendStringInfo(json, "\"%s\"", text);
	}
}

/* A row of usage_alert_log, and what its notification says besides */
typedef struct Report
{
	const char *user_id;
	const char *limit_type;
	const char *usage_type;		/* NULL: about credits */
	const UlAlert *alert;
	int64		threshold;
	int64		current;
	int64		limit;
	TimestampTz window_start;	/* DT_NOBEGIN: null */
	TimestampTz window_end;		/* DT_NOEND: null */
	TimestampTz created_at;
} Report;

static char *
payload_of(const Report *report)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	append_int8(&json, "alertId", report->alert->id);
	append_text(&json, "userId", report->user_id);
	append_text(&json, "limitType", report->limit_type);
	append_text(&json, "usageType", report->usage_type);
	append_name(&json, "percent");
	appendStringInfoString(&json, report->alert->percent == NULL ? "null" : report->alert->percent);
	append_int8(&json, "threshold", report->threshold);
	append_int8(&json, "current", report->current);
	append_int8(&json, "limit", report->limit);
	append_time(&json, "windowStart", report->window_start);
	append_time(&json, "createdAt", report->created_at);
	appendStringInfoChar(&json, '}');
	return json.data;
}

/* The key that a report goes with; no usage type has the name of that of credits. */
static UlKey *
key_of(const Report *report)
{
	return ul_xact_key(report->user_id, report->usage_type == NULL ? "" : report->usage_type);
}

/* Keeps what is to be notified of with the key, in the transaction's memory. */
static void
add_notice(const Report *report)
{
	UlKey	   *key = key_of(report);
	Notices    *notices = key->commit_state;
	Notice	   *notice = MemoryContextAlloc(TopTransactionContext, sizeof(Notice));

	if (notices == NULL)
	{
		notices = MemoryContextAlloc(TopTransactionContext, sizeof(Notices));
		notices->first = NULL;
		notices->end = &notices->first;
		key->commit_state = notices;
	}
	notice->xid = GetCurrentTransactionId();
	notice->payload = MemoryContextStrdup(TopTransactionContext, payload_of(report));
	notice->next = NULL;
	*notices->end = notice;
	notices->end = &notice->next;
}

/* Writes a report down; false if it is there. */
static bool
write_report(const Report *report)
{
	UlArgs		args = {0};

	ul_arg_text(&args, report->user_id);
	ul_arg_text(&args, report->limit_type);
	ul_arg_int8(&args, report->alert->id);
	ul_arg_datum(&args, TimestampTzGetDatum(report->window_start), report->window_start == DT_NOBEGIN);
	ul_arg_int8(&args, report->current);
	ul_arg_int8(&args, report->limit);
	ul_arg_time(&args, report->created_at);
	ul_arg_datum(&args, TimestampTzGetDatum(report->window_end), report->window_end == DT_NOEND);
	ul_arg_int8(&args, report->threshold);
	return ul_execute(UL_INSERT_ALERT, &args) > 0;
}

/* Writes down that a threshold is reached, unless somebody else does or has. */
static bool
report_reached(const UlClaim *claim, const UlAlert *alert, int64 threshold, TimestampTz now)
{
	const UlLimit *limit = claim->limit;
	UlWindow	window = ul_limit_window(limit, claim->user, now);
	Report		report = {
		.user_id = claim->user->user_id,
		.limit_type = limit->limit_type,
		.usage_type = limit->usage_type,
		.alert = alert,
		.threshold = threshold,
		.current = level_of(claim),
		.limit = claim->value,
		.window_start = window.start,
		.window_end = limit->period.alignment == UL_ALIGN_SLIDING ? DT_NOEND : window.end,
		.created_at = now,
	};

	if (is_reported(claim, alert, window.start) ||
		!ul_gate_try_lock_alert(report.user_id, alert->id, limit->limit_type) ||
		is_reported(claim, alert, window.start) ||
		!write_report(&report))
		return false;
	add_notice(&report);
	return true;
}

/*
 * Reports what a key has reached whose last use is known; returns how many
 * thresholds.  One that was set later is for the next use.
 */
static int64
report_key(const char *user_id, const UlType *type, TimestampTz last_use, TimestampTz now)
{
	const UlUser *user = ul_find_user(user_id);
	UlClaim    *claims = palloc(sizeof(UlClaim) * type->nlimits);
	UlTest	   *tests = palloc(sizeof(UlTest) * type->nlimits);
	int			count = 0;
	int64		reported = 0;

	for (int i = 0; i < type->nlimits; i++)
		if (type->limits[i]->nalerts > 0 && type->limits[i]->kind != UL_KIND_RATE)
			ul_init_claim(&claims[count++], type->limits[i], user, now);
	ul_xact_read(user_id, type->usage_type, UL_ASK_REACHED, tests,
				 ul_claim_tests(claims, count, tests), now);
	if (type->has_concurrency)
		ul_read_held(claims, count, NULL);
	for (int i = 0; i < count; i++)
		for (int j = 0; j < claims[i].limit->nalerts; j++)
		{
			const UlAlert *alert = claims[i].limit->alerts[j];
			int64		threshold = threshold_of(alert, &claims[i]);

			if (threshold > 0 && level_of(&claims[i]) >= threshold &&
				alert->created_at <= last_use &&
				report_reached(&claims[i], alert, threshold, now))
				reported++;
		}
	pfree(tests);
	pfree(claims);
	return reported;
}

/* PREPARE TRANSACTION refuses notifications: what it reports is in the table only. */
static void
work_at_commit(UlKey *key, bool prepared)
{
	const UlType *type = ul_find_type(key->usage_type);
	Notices    *notices;

	if (type != NULL && type->has_alerts)
		(void) report_key(key->user_id, type, DT_NOEND, ul_now());
	notices = key->commit_state;
	for (Notice *notice = notices == NULL || prepared ? NULL : notices->first;
		 notice != NULL; notice = notice->next)
		if (TransactionIdIsCurrentTransactionId(notice->xid))
			Async_Notify(CHANNEL, notice->payload);
	key->commit_state = NULL;
}

void
ul_alert(const char *user_id, const char *usage_type, TimestampTz now)
{
	const UlType *type = ul_find_type(usage_type);

	if (type == NULL || !type->has_alerts)
		return;
	(void) report_key(user_id, type, DT_NOEND, now);
	ul_xact_at_commit(ul_xact_key(user_id, usage_type), work_at_commit);
}

void
ul_alert_balance(const char *user_id, int64 highest, int64 balance, TimestampTz at)
{
	const UlAlert *alerts;
	int			count = ul_all_alerts(&alerts);

	for (int i = 0; i < count; i++)
	{
		Report		report = {
			.user_id = user_id,
			.limit_type = UL_CREDITS_ALERT,
			.alert = &alerts[i],
			.threshold = alerts[i].value,
			.current = balance,
			.limit = alerts[i].value,
			.window_start = at,
			.window_end = DT_NOEND,
			.created_at = at,
		};

		if (!alerts[i].of_credits || highest < report.threshold || balance >= report.threshold)
			continue;
		/* where the clock stands still, the first row is that of all */
		(void) write_report(&report);
		add_notice(&report);
		ul_xact_at_commit(key_of(&report), work_at_commit);
	}
}

/* A key, and when it was last used */
typedef struct LastUse
{
	char	   *user_id;
	char	   *usage_type;
	TimestampTz at;
} LastUse;

static void
collect_use(const Datum *values, const bool *nulls, void *arg)
{
	List	  **uses = arg;
	LastUse    *use = palloc(sizeof(LastUse));

	use->user_id = TextDatumGetCString(values[0]);
	use->usage_type = TextDatumGetCString(values[1]);
	use->at = DatumGetTimestampTz(values[2]);
	*uses = lappend(*uses, use);
}

int64
ul_alert_missed(void)
{
	TimestampTz now = ul_now();
	UlArgs		args = {0};
	List	   *uses = NIL;
	ListCell   *cell;
	int64		reported = 0;

	ul_arg_time(&args, now - MISSED_FOR);
	ul_execute_rows(UL_KEYS_WITH_ALERTS, &args, collect_use, &uses);
	foreach(cell, uses)
	{
		const LastUse *use = lfirst(cell);
		const UlType *type = ul_find_type(use->usage_type);
		int64		count;

		CHECK_FOR_INTERRUPTS();
		if (type == NULL || !type->has_alerts)
			continue;
		count = report_key(use->user_id, type, use->at, now);
		if (count > 0)
			ul_xact_at_commit(ul_xact_key(use->user_id, use->usage_type), work_at_commit);
		reported += count;
	}
	return reported;
}
