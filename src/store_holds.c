/*-------------------------------------------------------------------------
 *
 * store_holds.c
 *		The SQL texts about holds.
 *
 * A row is ended or renewed under its key's lock, so that nobody else changes
 * it meanwhile.  That is said by an INSERT that finds the row: an UPDATE would
 * read it first, for which a SERIALIZABLE transaction takes SIREAD locks on the
 * index, and those can make strangers' calls fail with 40001; and a plan that
 * was made while the table was small would read the whole table for good.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "store.h"

/* The columns without which there is no row, and the row that is there. */
#define FIND_HOLD \
	"INSERT INTO @.usage_holds AS h (hold_id, user_id, amount, created_at, expires_at, state)" \
	" VALUES ($1, $2, 0, $3, $3, 'open') ON CONFLICT (hold_id) DO UPDATE SET"

const UlStatementText ul_hold_statements[UL_NSTATEMENTS] = {
	[UL_INSERT_HOLD] = {
		"INSERT INTO @.usage_holds (hold_id, user_id, usage_type, event_subtype, amount, tokens_used, credits,"
		" bucket_start, created_at, expires_at, backend_pid, backend_start, metadata, state, answer,"
		" overage, overage_tokens, account_id, account_bucket_start)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 'open', $14, $15, $16, $17, $18)",
		18, {TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT8OID, INT8OID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID,
			TIMESTAMPTZOID, INT8OID, TIMESTAMPTZOID, JSONBOID, UL_DECISION_TYPE, INT8OID, INT8OID,
		TEXTOID, TIMESTAMPTZOID}
	},
	[UL_END_HOLD] = {
		FIND_HOLD " state = $4, ended_at = $3, settled_amount = $5, settled_tokens = $6,"
		" answer = coalesce($7, h.answer)",
		7, {TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID, INT8OID, INT8OID, UL_DECISION_TYPE}
	},
	[UL_RENEW_HOLD] = {
		FIND_HOLD " expires_at = $3",
		3, {TEXTOID, TEXTOID, TIMESTAMPTZOID}
	},
	/* settled or released, or left to expire */
	[UL_FORGET_HOLDS] = {
		"DELETE FROM @.usage_holds h WHERE coalesce(h.ended_at, h.expires_at) < $1",
		1, {TIMESTAMPTZOID}
	},
};
