-- Credits that are held: nobody else can have them, settled they are spent, and
-- what is not is there again.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2025-06-02 10:00Z';
\set SHOW_CONTEXT never
\set decision 'allowed, reason, balance, transaction_id IS NOT NULL AS written'
\set settled 'allowed, reason, usage_type, limit_type, requested, current, "limit", remaining, reset_at, retry_after, event_id, hold_id'
\set account 'credit_balance(u) AS balance, credit_available(u) AS available'

-- What is held stays in the balance, and is not there for others.
SELECT :decision FROM credit_hold('ch1', 1, '1 hour', 'ch1-none');
SELECT credit_available('ch1'), credit_balance('ch1');
SELECT balance FROM credit_grant('ch1', 100);
SELECT :decision FROM credit_hold('ch1', 60, '1 hour', 'ch1-a');
SELECT :account FROM (VALUES ('ch1')) v (u);
SELECT :decision FROM credit_hold('ch1', 41, '1 hour', 'ch1-b');
SELECT :decision FROM credit_spend('ch1', 41, throw_on_insufficient => false);
SELECT credit_spend('ch1', 41);
SELECT :decision FROM credit_hold('ch1', 30, '2 hours', 'ch1-b');
SELECT :decision FROM credit_spend('ch1', 10, throw_on_insufficient => false);
SELECT :decision FROM credit_spend('ch1', 1, throw_on_insufficient => false);
SELECT :decision FROM credit_hold('ch1', 1, '1 hour', 'ch1-c');
SELECT :account FROM (VALUES ('ch1')) v (u);
SELECT balance, lifetime_spent, held FROM user_credits WHERE user_id = 'ch1';
SELECT hold_id, user_id, usage_type, amount, credits, expires_at, metadata FROM usage_open_holds WHERE user_id = 'ch1' ORDER BY hold_id;
-- it leaves no row in the ledger
SELECT transaction_type, amount, balance_after FROM credit_transactions WHERE user_id = 'ch1' ORDER BY sequence_no;
-- amount 0 asks only
SELECT :decision FROM credit_hold('ch1', 0, '1 hour', 'ch1-zero');
SELECT count(*) FROM usage_holds WHERE hold_id = 'ch1-zero';

-- The same id and request again is the same hold, with the first answer.
SELECT :decision FROM credit_hold('ch1', 60, '5 hours', 'ch1-a');
SELECT credit_hold('ch1', 59, '1 hour', 'ch1-a');
SELECT credit_hold('ch2', 60, '1 hour', 'ch1-a');
SELECT usage_hold('ch1', 'export', 1, hold_id => 'ch1-a');
SELECT :account FROM (VALUES ('ch1')) v (u);

-- Settled with less, it spends that and gives the rest back.
SELECT :settled FROM usage_settle('ch1-a', 45, metadata => '{"job": 7}');
SELECT :account FROM (VALUES ('ch1')) v (u);
SELECT transaction_type, amount, balance_after, reference_id, metadata, created_at FROM credit_transactions WHERE user_id = 'ch1' ORDER BY sequence_no DESC LIMIT 1;
SELECT balance, lifetime_spent, held FROM user_credits WHERE user_id = 'ch1';
-- once: the same again is the same answer
SELECT :settled FROM usage_settle('ch1-a', 45);
SELECT usage_settle('ch1-a');
SELECT usage_settle('ch1-a', 44);
SELECT usage_release('ch1-a');
SELECT usage_renew('ch1-a', '1 hour');
SELECT credit_hold('ch1', 60, '1 hour', 'ch1-a');
-- no usage is booked, and no event written
SELECT count(*) FROM usage_events WHERE user_id = 'ch1';
SELECT count(*) FROM usage_counters WHERE user_id = 'ch1';
-- as held; with more, what is left over; with still more, a denial that leaves the hold
SELECT :decision FROM credit_hold('ch1', 10, '1 hour', 'ch1-d');
SELECT :settled FROM usage_settle('ch1-d', 16);
SELECT :settled FROM usage_settle('ch1-d', 15);
SELECT :settled FROM usage_settle('ch1-b');
SELECT :account FROM (VALUES ('ch1')) v (u);
-- with 0 it is given back
SELECT balance FROM credit_grant('ch1', 10);
SELECT :decision FROM credit_hold('ch1', 10, '1 hour', 'ch1-e');
SELECT :settled FROM usage_settle('ch1-e', 0);
SELECT :settled FROM usage_settle('ch1-e', 0);
SELECT :account FROM (VALUES ('ch1')) v (u);
SELECT transaction_type, amount, reference_id FROM credit_transactions WHERE user_id = 'ch1' ORDER BY sequence_no;
-- what a hold spent can be refunded
SELECT id AS spent FROM credit_transactions WHERE user_id = 'ch1' AND reference_id = 'ch1-d' \gset
SELECT allowed, reason, balance FROM credit_refund(:spent, 5);
SELECT allowed, reason, balance FROM credit_refund(:spent);
SELECT * FROM usage_reconcile();

-- Released, expired, renewed.
SELECT balance FROM credit_grant('ch3', 100);
SELECT :decision FROM credit_hold('ch3', 60, '1 hour', 'ch3-a');
SELECT usage_release('ch3-a', 'failed');
SELECT usage_release('ch3-a');
SELECT usage_settle('ch3-a');
SELECT usage_renew('ch3-a', '1 hour');
SELECT count(*) FROM usage_events WHERE user_id = 'ch3';
SELECT :account FROM (VALUES ('ch3')) v (u);
SELECT :decision FROM credit_hold('ch3', 60, '1 hour', 'ch3-b');
SET usage_limits.test_clock = '2025-06-02 10:30Z';
SELECT usage_renew('ch3-b', '45 minutes', user_id => 'ch1');
SELECT usage_renew('ch3-b', '45 minutes', user_id => 'ch3');
SET usage_limits.test_clock = '2025-06-02 11:14:59.999999Z';
SELECT :account FROM (VALUES ('ch3')) v (u);
SELECT :decision FROM credit_spend('ch3', 41, throw_on_insufficient => false);
SET usage_limits.test_clock = '2025-06-02 11:15Z';
SELECT :account FROM (VALUES ('ch3')) v (u);
SELECT usage_settle('ch3-b');
SELECT usage_renew('ch3-b', '1 hour');
SELECT usage_release('ch3-b');
SELECT credit_hold('ch3', 60, '1 hour', 'ch3-b');
-- what has expired is in the row until somebody needs it
SELECT :decision FROM credit_spend('ch3', 10, throw_on_insufficient => false);
SELECT balance, held FROM user_credits WHERE user_id = 'ch3';
SELECT :decision FROM credit_hold('ch3', 90, '1 hour', 'ch3-c');
SELECT balance, held FROM user_credits WHERE user_id = 'ch3';
SELECT * FROM usage_reconcile();
-- a clock that goes back does not open it again
SET usage_limits.test_clock = '2025-06-02 10:31Z';
SELECT usage_settle('ch3-b');
SELECT :settled FROM usage_settle('ch3-c', 1);
SELECT * FROM usage_reconcile();
SET usage_limits.test_clock = '2025-06-02 11:15Z';
-- all at once
SELECT :decision FROM credit_hold('ch3', 10, '1 hour', 'ch3-d');
SELECT :decision FROM credit_hold('ch3', 20, '1 hour', 'ch3-e');
SELECT allowed FROM usage_hold('ch3', 'export', hold_id => 'ch3-f');
SELECT usage_release_all('ch3', 'export');
SELECT :account FROM (VALUES ('ch3')) v (u);
SELECT usage_release_all('ch3', status => 'cancelled');
SELECT :account FROM (VALUES ('ch3')) v (u);
SELECT usage_settle('ch3-nowhere'), usage_release('ch3-nowhere');
SELECT usage_settle('ch3-d', user_id => 'ch1');
SELECT usage_release('ch3-d', user_id => 'ch1');

-- A hold chooses no grant: when it is settled they burn in their order.  What
-- expires or is voided meanwhile is gone, held or not, and who settles first
-- has what is left; a balance is never below 0.
SELECT balance FROM credit_grant('ch4', 50, expires_at => '2025-06-02 12:00Z');
SELECT grant_id AS last_grant, balance FROM credit_grant('ch4', 50) \gset
SELECT :decision FROM credit_hold('ch4', 60, '1 day', 'ch4-a');
SELECT :decision FROM credit_hold('ch4', 40, '1 day', 'ch4-b');
SELECT :account FROM (VALUES ('ch4')) v (u);
SET usage_limits.test_clock = '2025-06-02 12:00Z';
SELECT :account FROM (VALUES ('ch4')) v (u);
SELECT :decision FROM credit_spend('ch4', 1, throw_on_insufficient => false);
SELECT :decision FROM credit_hold('ch4', 1, '1 day', 'ch4-c');
SELECT :settled FROM usage_settle('ch4-a');
SELECT :settled FROM usage_settle('ch4-b', 41);
SELECT :settled FROM usage_settle('ch4-b', 40);
SELECT :account FROM (VALUES ('ch4')) v (u);
SELECT balance, held FROM user_credits WHERE user_id = 'ch4';
SELECT :settled FROM usage_settle('ch4-a', 11);
SELECT allowed, reason, balance FROM credit_void(:last_grant);
SELECT :settled FROM usage_settle('ch4-a', 10);
SELECT balance FROM credit_grant('ch4', 100);
SELECT :settled FROM usage_settle('ch4-a');
SELECT transaction_type, amount, balance_after, left(reference_id, 6) AS reference FROM credit_transactions WHERE user_id = 'ch4' AND amount < 0 ORDER BY sequence_no;
SELECT * FROM usage_reconcile();

-- To the savepoint; and what is not committed holds nothing.
SELECT balance FROM credit_grant('ch5', 10);
BEGIN;
SELECT :decision FROM credit_hold('ch5', 4, '1 hour', 'ch5-a');
SAVEPOINT a;
SELECT :decision FROM credit_hold('ch5', 6, '1 hour', 'ch5-b');
SELECT :decision FROM credit_hold('ch5', 1, '1 hour', 'ch5-c');
ROLLBACK TO a;
SELECT :decision FROM credit_hold('ch5', 5, '1 hour', 'ch5-c');
SAVEPOINT b;
SELECT :settled FROM usage_settle('ch5-a');
SELECT :account FROM (VALUES ('ch5')) v (u);
ROLLBACK TO b;
SELECT :account FROM (VALUES ('ch5')) v (u);
SELECT usage_release('ch5-c');
COMMIT;
SELECT :account FROM (VALUES ('ch5')) v (u);
BEGIN;
SELECT :decision FROM credit_hold('ch5', 6, '1 hour', 'ch5-d');
ROLLBACK;
SELECT :settled FROM usage_settle('ch5-a');
SELECT :account FROM (VALUES ('ch5')) v (u);
-- a prepared transaction
BEGIN;
SELECT :decision FROM credit_hold('ch5', 2, '1 hour', 'ch5-e');
PREPARE TRANSACTION 'credit_hold';
COMMIT PREPARED 'credit_hold';
BEGIN;
SELECT :settled FROM usage_settle('ch5-e', 1);
PREPARE TRANSACTION 'credit_hold';
SELECT :account FROM (VALUES ('ch5')) v (u);
ROLLBACK PREPARED 'credit_hold';
SELECT :settled FROM usage_settle('ch5-e', 2);
SELECT * FROM usage_reconcile();

-- An id that usage_holds has forgotten is in the ledger.
DELETE FROM usage_holds WHERE hold_id = 'ch5-e';
SELECT credit_hold('ch5', 2, '1 hour', 'ch5-e');

-- The daily refill is held like anything else.
SET usage_limits.credits_enabled = on;
SET usage_limits.credit_daily_refill = 'free=10';
SELECT :account FROM (VALUES ('ch6')) v (u);
SELECT :decision FROM credit_hold('ch6', 8, '1 day', 'ch6-a');
SELECT :decision FROM credit_hold('ch6', 3, '1 day', 'ch6-b');
SELECT :settled FROM usage_settle('ch6-a', 11);
SET usage_limits.test_clock = '2025-06-03 00:00Z';
SELECT :account FROM (VALUES ('ch6')) v (u);
SELECT :settled FROM usage_settle('ch6-a', 10);
SELECT transaction_type, amount, balance_after FROM credit_transactions WHERE user_id = 'ch6' ORDER BY sequence_no;
RESET usage_limits.credit_daily_refill;
RESET usage_limits.credits_enabled;

-- Where nothing is tracked, credits go on.
SET usage_limits.tracking_enabled = off;
SELECT balance FROM credit_grant('ch7', 10);
SELECT :decision FROM credit_hold('ch7', 8, '1 hour', 'ch7-a');
SELECT usage_renew('ch7-a', '2 hours');
SELECT :settled FROM usage_settle('ch7-a', 3);
SELECT :decision FROM credit_hold('ch7', 7, hold_id => 'ch7-b');
SELECT usage_release('ch7-b');
SELECT :account FROM (VALUES ('ch7')) v (u);
RESET usage_limits.tracking_enabled;

-- What makes no sense.
SELECT credit_hold(NULL, 1, '1 hour', 'x');
SELECT credit_hold('ch7', NULL, '1 hour', 'x');
SELECT credit_hold('ch7', 1, NULL, 'x');
SELECT credit_hold('ch7', 1);
SELECT credit_hold('ch7', -1, '1 hour', 'x');
SELECT credit_hold('ch7', 1, '0', 'x');
SELECT credit_hold('ch7', 1, '1 hour', '');
SELECT credit_available(NULL);
BEGIN READ ONLY;
SELECT credit_available('ch7');
SELECT credit_hold('ch7', 1, '1 hour', 'x');
ROLLBACK;

-- What fell due before a hold ends is written with it, dated with its own instant.
SELECT balance FROM credit_grant('ch9', 5, 'plan', recurs_every => '1 day');
SELECT balance FROM credit_spend('ch9', 2);
SELECT :decision FROM unnest(ARRAY['ch9-a', 'ch9-b']) h, credit_hold('ch9', 1, '10 days', h);
SET usage_limits.test_clock = '2025-06-05 00:00Z';
SELECT usage_release('ch9-a');
SELECT created_at, transaction_type, amount, balance_after FROM credit_transactions WHERE user_id = 'ch9' ORDER BY sequence_no;
SELECT :settled FROM usage_settle('ch9-b', 1);
SET usage_limits.test_clock = '2025-06-07 00:00Z';
SELECT created_at, transaction_type, amount, balance FROM credit_statement('ch9', '2025-06-05Z') WHERE line = 'transaction';
-- what has expired by then is available again
SELECT balance FROM credit_grant('ch11', 10);
SELECT :decision FROM credit_hold('ch11', 1, '1 hour', 'ch11-a');
SELECT :decision FROM credit_hold('ch11', 2, '2 hours', 'ch11-b');
SET usage_limits.test_clock = '2025-06-07 01:00Z';
SELECT :settled FROM usage_settle('ch11-b');
-- to ask for nothing makes no user
SELECT :decision FROM credit_hold('ch10', 0, '1 hour', 'ch10-a');
SELECT count(*) FROM user_credits WHERE user_id = 'ch10';

-- usage_reconcile sees what disagrees.
BEGIN;
SELECT allowed FROM credit_hold('ch7', 2, '1 hour', 'ch7-c');
UPDATE user_credits SET held = 1 WHERE user_id = 'ch7';
UPDATE usage_holds SET settled_amount = 4 WHERE hold_id = 'ch7-a';
SELECT * FROM usage_reconcile();
ROLLBACK;
SELECT * FROM usage_reconcile();
