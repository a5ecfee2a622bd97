/*-------------------------------------------------------------------------
 *
 * store_credits.c
 *		The SQL texts about credits.
 *
 * Rows are written by who has the user's credits for himself, so that nobody
 * else changes them meanwhile.  An UPDATE reads its row, which in a SERIALIZABLE
 * transaction takes SIREAD locks on the index, and those can make strangers'
 * calls fail with 40001.  There the same is said by an INSERT that finds the
 * row (UNREAD).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "store.h"

#define CREDITS_TYPES 12, {TEXTOID, INT8OID, INT8OID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, \
	INT8OID, INT8OID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID}
#define SET_CREDITS \
	" balance = $2, lifetime_earned = $3, lifetime_spent = $4, last_refill_at = $5, updated_at = $6," \
	" sequence_no = $7, burning_grant_id = $8, burning_left = $9, due_at = $10, refill_due_at = $11," \
	" held = $12"

#define GRANT_TYPES 10, {TEXTOID, INT8OID, INT8OID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, \
	BOOLOID, BOOLOID, INT8OID, INT8OID}
#define SET_GRANT \
	" amount = $3, remaining = $4, period_end = $5, voided_at = $6, is_open = $7, has_started = $8," \
	" granted = $9, lost = $10"

const UlStatementText ul_credit_statements[UL_NSTATEMENTS] = {
	[UL_LOCK_CREDITS] = {
		"SELECT c.balance, c.lifetime_earned, c.lifetime_spent, c.last_refill_at, c.updated_at,"
		" c.sequence_no, c.burning_grant_id, c.burning_left, c.due_at, c.refill_due_at, c.held"
		" FROM @.user_credits c WHERE c.user_id = $1 FOR NO KEY UPDATE",
		1, {TEXTOID}
	},
	[UL_BEGIN_CREDITS] = {
		"INSERT INTO @.user_credits (user_id, created_at, updated_at) VALUES ($1, $2, $2)"
		" ON CONFLICT (user_id) DO NOTHING",
		2, {TEXTOID, TIMESTAMPTZOID}
	},

	/*
	 * $2: now; $3: what to take; $4: until when the daily refill must not be
	 * due; $5: when it is due for a user who has had none
	 */
	[UL_SPEND_FAST] = {
		"WITH c AS (UPDATE @.user_credits AS c SET balance = c.balance - $3,"
		" lifetime_spent = c.lifetime_spent + $3, updated_at = greatest(c.updated_at, $2),"
		" sequence_no = c.sequence_no + 1, burning_left = c.burning_left - $3"
		" WHERE c.user_id = $1 AND c.burning_left > $3 AND c.balance - c.held >= $3 AND c.due_at > $2"
		" AND coalesce(c.refill_due_at, $5) > $4"
		" RETURNING c.balance, c.updated_at, c.sequence_no, c.burning_grant_id)"
		" INSERT INTO @.credit_transactions AS t (user_id, amount, balance_after, transaction_type,"
		" description, metadata, created_at, sequence_no, grant_id)"
		" SELECT $1, - $3, c.balance, $6, $7, $8, c.updated_at, c.sequence_no, c.burning_grant_id FROM c"
		" RETURNING t.id, t.balance_after, t.grant_id",
		8, {TEXTOID, TIMESTAMPTZOID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, JSONBOID}
	},
	[UL_WRITE_CREDITS] = {
		"UPDATE @.user_credits AS c SET" SET_CREDITS " WHERE c.user_id = $1",
		CREDITS_TYPES
	},
	[UL_WRITE_CREDITS_UNREAD] = {
		"INSERT INTO @.user_credits AS c (user_id, balance, lifetime_earned, lifetime_spent, last_refill_at,"
		" created_at, updated_at, sequence_no, burning_grant_id, burning_left, due_at, refill_due_at,"
		" held) VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $10, $11, $12)"
		" ON CONFLICT (user_id) DO UPDATE SET" SET_CREDITS,
		CREDITS_TYPES
	},
	[UL_SPEND_PLAIN] = {
		"WITH c AS (UPDATE @.user_credits AS c SET balance = $2, lifetime_spent = $3, updated_at = $4,"
		" sequence_no = $5, burning_left = $6, held = $14 WHERE c.user_id = $1)"
		" INSERT INTO @.credit_transactions (user_id, balance_after, created_at, sequence_no, id, amount,"
		" transaction_type, description, reference_id, metadata, grant_id)"
		" VALUES ($1, $2, $4, $5, $7, $8, $9, $10, $11, $12, $13)",
		14, {TEXTOID, INT8OID, INT8OID, TIMESTAMPTZOID, INT8OID, INT8OID, INT8OID, INT8OID,
		TEXTOID, TEXTOID, TEXTOID, JSONBOID, INT8OID, INT8OID}
	},
	[UL_INSERT_TRANSACTION] = {
		"INSERT INTO @.credit_transactions (id, user_id, amount, balance_after, transaction_type, description,"
		" reference_id, metadata, created_at, sequence_no, grant_id, refund_of, shortfall)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
		13, {INT8OID, TEXTOID, INT8OID, INT8OID, TEXTOID, TEXTOID, TEXTOID, JSONBOID,
		TIMESTAMPTZOID, INT8OID, INT8OID, INT8OID, INT8OID}
	},
	[UL_INSERT_DRAW] = {
		"INSERT INTO @.credit_draws (user_id, transaction_id, grant_id, amount, shortfall, refund_of, draw_no)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7)",
		7, {TEXTOID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID}
	},
	[UL_INSERT_GRANT] = {
		"INSERT INTO @.credit_grants (id, user_id, transaction_type, amount, remaining, priority, effective_at,"
		" expires_at, recurs_every, max_rollover, period_end, reference_id, description, metadata, created_at,"
		" is_open, has_started, is_daily_refill, granted, sequence_no)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
		20, {INT8OID, TEXTOID, TEXTOID, INT8OID, INT8OID, INT8OID, TIMESTAMPTZOID,
			TIMESTAMPTZOID, INTERVALOID, INT8OID, TIMESTAMPTZOID, TEXTOID, TEXTOID, JSONBOID, TIMESTAMPTZOID,
		BOOLOID, BOOLOID, BOOLOID, INT8OID, INT8OID}
	},
	[UL_UPDATE_GRANT] = {
		"UPDATE @.credit_grants AS g SET" SET_GRANT " WHERE g.user_id = $1 AND g.id = $2",
		GRANT_TYPES
	},
	/* the columns without which there is no row, for an INSERT that finds one */
	[UL_UPDATE_GRANT_UNREAD] = {
		"INSERT INTO @.credit_grants AS g (user_id, id, transaction_type, amount, effective_at, created_at)"
		" VALUES ($1, $2, '', $3, 'infinity', 'infinity')"
		" ON CONFLICT (user_id, id) DO UPDATE SET" SET_GRANT,
		GRANT_TYPES
	},

	/*
	 * A grant's movements are the entries that name it and the draws; what is
	 * left of the one that burns is said by the user's row.
	 */
	[UL_RECONCILE_CREDITS] = {
		"WITH entries AS (SELECT t.*,"
		" lag(t.balance_after, 1, 0::int8) OVER w AS balance_before,"
		" lag(t.created_at) OVER w AS previous_at,"
		" row_number() OVER w AS expected_no"
		" FROM @.credit_transactions t WINDOW w AS (PARTITION BY t.user_id ORDER BY t.sequence_no)),"
		" sums AS (SELECT e.user_id, sum(e.amount) AS amount, max(e.sequence_no) AS sequence_no,"
		" sum(e.amount) FILTER (WHERE e.transaction_type = ANY ('{usage,hold,refund}'::text[])) AS spent,"
		" sum(e.amount) FILTER (WHERE e.transaction_type <> ALL ('{usage,hold,refund,expiry,void}'::text[])) AS earned"
		" FROM entries e GROUP BY e.user_id),"
		" movements AS (SELECT t.user_id, t.grant_id, t.amount FROM @.credit_transactions t WHERE t.grant_id IS NOT NULL"
		" UNION ALL SELECT d.user_id, d.grant_id, d.amount FROM @.credit_draws d),"
		" moved AS (SELECT m.user_id, m.grant_id, sum(m.amount) AS amount FROM movements m GROUP BY m.user_id, m.grant_id),"
		" grants AS (SELECT g.user_id, g.id, g.granted, g.lost, g.is_open, g.has_started,"
		" CASE WHEN c.burning_grant_id = g.id THEN c.burning_left ELSE g.remaining END AS remaining"
		" FROM @.credit_grants g LEFT JOIN @.user_credits c ON c.user_id = g.user_id),"
		" remains AS (SELECT g.user_id, sum(g.remaining) AS remaining FROM grants g GROUP BY g.user_id),"
		" drawn AS (SELECT d.user_id, d.transaction_id, sum(d.amount) AS amount, sum(d.shortfall) AS shortfall"
		" FROM @.credit_draws d GROUP BY d.user_id, d.transaction_id),"
		" open_holds AS (SELECT h.user_id, sum(h.credits) AS credits FROM @.usage_holds h"
		" LEFT JOIN @.user_credits c ON c.user_id = h.user_id WHERE h.ended_at IS NULL AND h.credits > 0"
		" AND h.expires_at > greatest(@.usage_now(), c.updated_at)"
		" AND @.usage_limits_session_lives(h.backend_pid, h.backend_start) GROUP BY h.user_id),"
		" users AS (SELECT coalesce(c.user_id, s.user_id, r.user_id) AS user_id, coalesce(c.balance, 0) AS balance,"
		" coalesce(c.sequence_no, 0) AS sequence_no, coalesce(c.lifetime_earned, 0) AS earned,"
		" coalesce(c.lifetime_spent, 0) AS spent, coalesce(s.amount, 0) AS ledger,"
		" coalesce(s.sequence_no, 0) AS last_no, coalesce(s.earned, 0) AS ledger_earned,"
		" coalesce(-s.spent, 0) AS ledger_spent, coalesce(r.remaining, 0) AS remaining"
		" FROM @.user_credits c FULL JOIN sums s ON s.user_id = c.user_id"
		" FULL JOIN remains r ON r.user_id = coalesce(c.user_id, s.user_id)),"
		" found AS ("
		"SELECT u.user_id, 'balance: sum of the ledger' AS what, u.ledger AS expected, u.balance AS found"
		" FROM users u WHERE u.ledger <> u.balance"
		" UNION ALL SELECT u.user_id, 'balance: what is left of the grants', u.remaining, u.balance"
		" FROM users u WHERE u.remaining <> u.balance"
		" UNION ALL SELECT u.user_id, 'balance is below 0', 0, u.balance FROM users u WHERE u.balance < 0"
		/* a hold that has expired may still be in it */
		" UNION ALL SELECT c.user_id, 'held: credits of open holds', coalesce(o.credits, 0), c.held"
		" FROM @.user_credits c LEFT JOIN open_holds o ON o.user_id = c.user_id"
		" WHERE c.held < coalesce(o.credits, 0)"
		" UNION ALL SELECT h.user_id, 'hold ' || h.hold_id || ': what it was settled with', h.settled_amount, coalesce(-e.amount, 0)"
		" FROM @.usage_holds h LEFT JOIN entries e ON e.user_id = h.user_id AND e.transaction_type = 'hold'"
		" AND e.reference_id = h.hold_id WHERE h.usage_type IS NULL AND h.state = 'settled'"
		" AND h.settled_amount <> coalesce(-e.amount, 0)"
		" UNION ALL SELECT u.user_id, 'sequence_no: number of the newest transaction', u.last_no, u.sequence_no"
		" FROM users u WHERE u.last_no <> u.sequence_no"
		" UNION ALL SELECT u.user_id, 'lifetime_earned: sum of grants and refills', u.ledger_earned, u.earned"
		" FROM users u WHERE u.ledger_earned <> u.earned"
		" UNION ALL SELECT u.user_id, 'lifetime_spent: sum of usage and refunds', u.ledger_spent, u.spent"
		" FROM users u WHERE u.ledger_spent <> u.spent"
		" UNION ALL SELECT e.user_id, 'transaction ' || e.id || ': sequence_no', e.expected_no, e.sequence_no"
		" FROM entries e WHERE e.expected_no <> e.sequence_no"
		" UNION ALL SELECT e.user_id, 'transaction ' || e.id || ': balance_after', e.balance_before::numeric + e.amount, e.balance_after"
		" FROM entries e WHERE e.balance_before::numeric + e.amount <> e.balance_after OR e.balance_after < 0"
		" UNION ALL SELECT e.user_id, 'transaction ' || e.id || ': is dated before the one before', NULL, NULL"
		" FROM entries e WHERE e.created_at < e.previous_at"
		" UNION ALL SELECT e.user_id, 'transaction ' || e.id || ': sum of its draws', d.amount, e.amount"
		" FROM entries e JOIN drawn d ON d.user_id = e.user_id AND d.transaction_id = e.id"
		" WHERE d.amount <> e.amount OR d.shortfall <> e.shortfall"
		" UNION ALL SELECT e.user_id, 'transaction ' || e.id || ': names no grant', e.amount, 0"
		" FROM entries e LEFT JOIN drawn d ON d.user_id = e.user_id AND d.transaction_id = e.id"
		" WHERE e.grant_id IS NULL AND d.transaction_id IS NULL AND e.amount <> 0"
		" UNION ALL SELECT d.user_id, 'transaction ' || d.transaction_id || ': is missing, but has draws', d.amount, 0"
		" FROM drawn d LEFT JOIN entries e ON e.user_id = d.user_id AND e.id = d.transaction_id WHERE e.id IS NULL"
		" UNION ALL SELECT m.user_id, 'grant ' || m.grant_id || ': is missing, but has transactions', m.amount, 0"
		" FROM moved m LEFT JOIN grants g ON g.user_id = m.user_id AND g.id = m.grant_id WHERE g.id IS NULL"
		" UNION ALL SELECT g.user_id, 'grant ' || g.id || ': remaining', coalesce(m.amount, 0), g.remaining"
		" FROM grants g LEFT JOIN moved m ON m.user_id = g.user_id AND m.grant_id = g.id"
		" WHERE coalesce(m.amount, 0) <> g.remaining OR g.remaining < 0"
		" OR (g.remaining > 0 AND NOT (g.is_open AND g.has_started))"
		" UNION ALL SELECT f.user_id, 'transaction ' || f.id || ': more was refunded than spent', -f.amount, r.refunded"
		" FROM (SELECT d.user_id, d.refund_of, sum(d.amount + d.shortfall) AS refunded FROM @.credit_draws d"
		" WHERE d.refund_of IS NOT NULL GROUP BY d.user_id, d.refund_of) r"
		" JOIN entries f ON f.user_id = r.user_id AND f.id = r.refund_of WHERE r.refunded > -f.amount)"
		" SELECT f.user_id, f.what, f.expected::int8, f.found::int8 FROM found f ORDER BY 1, 2",
		0, {0}
	},
};
