-- Usage that is held and costs credits: they are held with it, in one decision,
-- and paid when it is settled, for what was used.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2025-06-02 10:00Z';
SET usage_limits.credits_enabled = on;
\set SHOW_CONTEXT never
\set decision 'allowed, reason, limit_type, requested, current, "limit", remaining, reset_at, retry_after, event_id IS NOT NULL AS event, hold_id'
\set account 'credit_balance(u) AS balance, credit_available(u) AS available'
\set ledger 'transaction_type, amount, balance_after, description, left(reference_id, 6) AS reference'

INSERT INTO credit_costs (usage_type, event_subtype, measure, credits, per) VALUES
	('chu_chat', NULL, 'amount', 10, 1),
	('chu_chat', 'big', 'amount', 20, 1),
	('chu_chat', 'big', 'tokens', 3, 1000),
	('chu_render', NULL, 'duration_ms', 1, 1000);

-- All or nothing; the price is that of the subtype, over all measures.
SELECT limit_type FROM usage_set_limit('chu_chats_daily', 5);
SELECT balance FROM credit_grant('chu1', 100);
SELECT :decision FROM usage_hold('chu1', 'chu_chat', 11, hold_id => 'chu1-a');
SELECT :decision FROM usage_hold('chu1', 'chu_chat', 2, hold_id => 'chu1-a', event_subtype => 'big', tokens_used => 20000);
SELECT :account FROM (VALUES ('chu1')) v (u);
SELECT hold_id, amount, tokens_used, credits FROM usage_open_holds WHERE user_id = 'chu1';
SELECT :decision FROM usage_check('chu1', 'chu_chat');
SELECT :decision FROM usage_hold('chu1', 'chu_chat', hold_id => 'chu1-b');
SELECT :decision FROM usage_consume('chu1', 'chu_chat');
SELECT usage_enforce('chu1', 'chu_chat', event_subtype => 'big');
SELECT current FROM usage_check_limit('chu1', 'chu_chats_daily');
-- the same again is the same hold, and is held once
SELECT :decision FROM usage_hold('chu1', 'chu_chat', 2, hold_id => 'chu1-a', event_subtype => 'big', tokens_used => 20000);
SELECT :account FROM (VALUES ('chu1')) v (u);
-- 0 asks only
SELECT :decision FROM usage_hold('chu1', 'chu_chat', 0);

-- What was used is paid: 1 and 4,001 tokens.  The event says what it cost.
SELECT :decision FROM usage_settle('chu1-a', 1, tokens_used => 4001);
SELECT :account FROM (VALUES ('chu1')) v (u);
SELECT :ledger FROM credit_transactions WHERE user_id = 'chu1' ORDER BY sequence_no;
SELECT operation, amount, tokens_used, credits_used FROM usage_events WHERE user_id = 'chu1';
SELECT amount, tokens_used, credits_used FROM usage_counters WHERE user_id = 'chu1';
SELECT :decision FROM usage_settle('chu1-a', 1, tokens_used => 4001);
SELECT usage_settle('chu1-a', 1);
SELECT balance, held FROM user_credits WHERE user_id = 'chu1';
-- a refund of the event gives it back
SELECT event_id AS settled FROM usage_settle('chu1-a', 1, tokens_used => 4001) \gset
SELECT allowed FROM usage_refund(:settled);
SELECT :account FROM (VALUES ('chu1')) v (u);

-- As held; nothing; more, if it can be paid; released; expired.
SELECT :decision FROM usage_hold('chu1', 'chu_chat', 3, hold_id => 'chu1-c');
SELECT :decision FROM usage_settle('chu1-c');
SELECT :account FROM (VALUES ('chu1')) v (u);
SELECT allowed FROM usage_hold('chu1', 'chu_chat', 1, hold_id => 'chu1-d', event_subtype => 'big', tokens_used => 10000);
SELECT :account FROM (VALUES ('chu1')) v (u);
SELECT allowed, reason FROM usage_settle('chu1-d', 0);
SELECT amount, tokens_used, credits_used FROM usage_events WHERE user_id = 'chu1' ORDER BY id DESC LIMIT 1;
SELECT :account FROM (VALUES ('chu1')) v (u);
SELECT allowed FROM usage_hold('chu1', 'chu_chat', 1, hold_id => 'chu1-e');
SELECT allowed FROM credit_hold('chu1', 55, hold_id => 'chu1-f');
SELECT :decision FROM usage_settle('chu1-e', 2);
SELECT :decision FROM usage_settle('chu1-e', 3);
SELECT usage_release('chu1-f');
SELECT :decision FROM usage_settle('chu1-e', 2);
SELECT :account FROM (VALUES ('chu1')) v (u);
DELETE FROM usage_limits_config WHERE limit_type = 'chu_chats_daily';
SELECT allowed FROM usage_hold('chu1', 'chu_chat', 2, hold_id => 'chu1-g');
SELECT allowed FROM usage_hold('chu1', 'chu_chat', 1, '5 minutes', hold_id => 'chu1-h');
SELECT :account FROM (VALUES ('chu1')) v (u);
SELECT usage_release('chu1-g', 'failed');
SELECT status, amount, credits_used FROM usage_events WHERE user_id = 'chu1' ORDER BY id DESC LIMIT 1;
SELECT :account FROM (VALUES ('chu1')) v (u);
SET usage_limits.test_clock = '2025-06-02 10:05Z';
SELECT :account FROM (VALUES ('chu1')) v (u);
SELECT usage_settle('chu1-h');
-- all that a user holds
SELECT allowed FROM usage_hold('chu1', 'chu_chat', 1, hold_id => 'chu1-i');
SELECT allowed FROM usage_hold('chu1', 'chu_render', 1, hold_id => 'chu1-j');
SELECT allowed FROM credit_hold('chu1', 5, hold_id => 'chu1-k');
SELECT usage_release_all('chu1', 'chu_chat');
SELECT :account FROM (VALUES ('chu1')) v (u);
SELECT usage_release_all('chu1');
SELECT :account FROM (VALUES ('chu1')) v (u);
SELECT * FROM usage_reconcile();

-- A duration is known at the end: nothing is held for it, and it is paid if it can be.
SELECT balance FROM credit_grant('chu2', 10);
SELECT allowed FROM usage_hold('chu2', 'chu_render', hold_id => 'chu2-a');
SELECT :account FROM (VALUES ('chu2')) v (u);
SELECT :decision FROM usage_settle('chu2-a', duration_ms => 10001);
SELECT :decision FROM usage_settle('chu2-a', duration_ms => 8001);
SELECT :ledger FROM credit_transactions WHERE user_id = 'chu2' ORDER BY sequence_no;

-- Overage: credits are held for what is over the limit, and no more.
SELECT limit_type FROM usage_set_limit('chu_scans_daily', 10);
INSERT INTO credit_costs (usage_type, credits, charge) VALUES ('chu_scan', 2, 'overage');
SELECT balance FROM credit_grant('chu3', 20);
SELECT :decision FROM usage_hold('chu3', 'chu_scan', 8, hold_id => 'chu3-a');
SELECT :account FROM (VALUES ('chu3')) v (u);
SELECT :decision FROM usage_hold('chu3', 'chu_scan', 5, hold_id => 'chu3-b');
SELECT :account FROM (VALUES ('chu3')) v (u);
SELECT hold_id, amount, credits, overage, overage_tokens FROM usage_holds WHERE user_id = 'chu3' ORDER BY hold_id;
SELECT :decision FROM usage_hold('chu3', 'chu_scan', 8);
SELECT :decision FROM usage_consume('chu3', 'chu_scan', 1);
SELECT :account FROM (VALUES ('chu3')) v (u);
-- what was free stays free, whatever others use meanwhile
SELECT :decision FROM usage_settle('chu3-a');
SELECT :account FROM (VALUES ('chu3')) v (u);
-- of less than was held, what was over the limit is not used
SELECT :decision FROM usage_settle('chu3-b', 3);
SELECT :account FROM (VALUES ('chu3')) v (u);
SELECT amount, credits_used FROM usage_events WHERE user_id = 'chu3' ORDER BY id;
-- of more, only what is over it is paid besides
SELECT :decision FROM usage_hold('chu3', 'chu_scan', 2, hold_id => 'chu3-c');
SELECT :account FROM (VALUES ('chu3')) v (u);
SELECT :decision FROM usage_settle('chu3-c', 9);
SELECT :decision FROM usage_settle('chu3-c', 8);
SELECT :account FROM (VALUES ('chu3')) v (u);
SELECT amount, credits_used FROM usage_events WHERE user_id = 'chu3' ORDER BY id;
-- more than was held, still within the limit, is free
SELECT balance FROM credit_grant('chu4', 2);
SELECT allowed FROM usage_hold('chu4', 'chu_scan', 2, hold_id => 'chu4-a');
SELECT :decision FROM usage_settle('chu4-a', 11);
SELECT :account FROM (VALUES ('chu4')) v (u);
-- a limit of another measure goes on denying, and then nothing is held
SELECT limit_type FROM usage_set_limit('chu_scan_tokens_daily', 100, usage_type => 'chu_scan', measure => 'tokens');
SELECT balance FROM credit_grant('chu4', 100);
SELECT :decision FROM usage_hold('chu4', 'chu_scan', 1, tokens_used => 101);
SELECT :account FROM (VALUES ('chu4')) v (u);
SELECT :decision FROM usage_hold('chu4', 'chu_scan', 1, tokens_used => 60, hold_id => 'chu4-b');
SELECT :decision FROM usage_settle('chu4-b', tokens_used => 101);
SELECT :decision FROM usage_settle('chu4-b', tokens_used => 100);
-- and one of credits counts what is held
SELECT limit_type FROM usage_set_limit('chu_chat_credits_daily', 25, usage_type => 'chu_chat', measure => 'credits');
SELECT :decision FROM usage_hold('chu4', 'chu_chat', 2, hold_id => 'chu4-c');
SELECT :decision FROM usage_consume('chu4', 'chu_chat');
SELECT :decision FROM usage_settle('chu4-c', 3);
SELECT :decision FROM usage_settle('chu4-c', 1);
SELECT :decision FROM usage_consume('chu4', 'chu_chat');

-- So many at once, each for a price.
INSERT INTO credit_costs (usage_type, credits) VALUES ('concurrent_chu', 30);
SELECT limit_type FROM usage_set_limit('concurrent_chu', 2);
SELECT balance FROM credit_grant('chu5', 50);
SELECT :decision FROM usage_hold('chu5', 'concurrent_chu', hold_id => 'chu5-a');
SELECT :decision FROM usage_hold('chu5', 'concurrent_chu', hold_id => 'chu5-b');
SELECT usage_release('chu5-a');
SELECT :decision FROM usage_hold('chu5', 'concurrent_chu', hold_id => 'chu5-b', session_bound => true);
SELECT :account FROM (VALUES ('chu5')) v (u);

-- Costs that change: what is paid is what is asked at the end.
UPDATE credit_costs SET credits = 40 WHERE usage_type = 'concurrent_chu';
SELECT :decision FROM usage_settle('chu5-b');
SELECT :ledger FROM credit_transactions WHERE user_id = 'chu5' ORDER BY sequence_no;
SELECT balance FROM credit_grant('chu5', 50);
SELECT allowed FROM usage_hold('chu5', 'concurrent_chu', hold_id => 'chu5-c');
DELETE FROM credit_costs WHERE usage_type = 'concurrent_chu';
SELECT :account FROM (VALUES ('chu5')) v (u);
SELECT allowed, reason FROM usage_settle('chu5-c');
SELECT :account FROM (VALUES ('chu5')) v (u);

-- Grants that go away while they are held.
SELECT grant_id AS bought FROM credit_grant('chu6', 20) \gset
SELECT allowed FROM usage_hold('chu6', 'chu_chat', 2, hold_id => 'chu6-a');
SELECT balance FROM credit_grant('chu6', 10);
SELECT reason, balance FROM credit_void(:bought);
SELECT :decision FROM usage_settle('chu6-a');
SELECT :decision FROM usage_settle('chu6-a', 1);
SELECT :account FROM (VALUES ('chu6')) v (u);

-- Where nothing is enforced, what can be paid is.
SELECT balance FROM credit_grant('chu7', 15);
SET usage_limits.enforcement = off;
SELECT :decision FROM usage_hold('chu7', 'chu_chat', 1, hold_id => 'chu7-a');
SELECT :decision FROM usage_hold('chu7', 'chu_chat', 1, hold_id => 'chu7-b');
SELECT :account FROM (VALUES ('chu7')) v (u);
SELECT :decision FROM usage_settle('chu7-b');
SELECT :decision FROM usage_settle('chu7-a');
SELECT :account FROM (VALUES ('chu7')) v (u);
RESET usage_limits.enforcement;

-- To the savepoint.
SELECT balance FROM credit_grant('chu8', 20);
BEGIN;
SELECT allowed FROM usage_hold('chu8', 'chu_chat', 1, hold_id => 'chu8-a');
SAVEPOINT a;
SELECT allowed FROM usage_hold('chu8', 'chu_chat', 1, hold_id => 'chu8-b');
SELECT allowed, reason FROM usage_hold('chu8', 'chu_chat', 1);
ROLLBACK TO a;
SELECT allowed FROM usage_settle('chu8-a');
SELECT :account FROM (VALUES ('chu8')) v (u);
ROLLBACK TO a;
COMMIT;
SELECT :account FROM (VALUES ('chu8')) v (u);
SELECT * FROM usage_reconcile();

DELETE FROM credit_costs;
DELETE FROM usage_limits_config WHERE limit_type ~ 'chu';
