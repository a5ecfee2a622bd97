-- Giving back and charging back, and what the ledger says of it.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2024-01-01Z';
-- the ids that messages name
SELECT setval('credit_transactions_id_seq', 1000000), setval('credit_grants_id_seq', 1000000);
CREATE FUNCTION pg_temp.grants(text) RETURNS TABLE (description text, state text, remaining bigint)
LANGUAGE sql AS 'SELECT description, state, remaining FROM credit_grants($1)';

-- To the grants it came from, the one that burned last first.
SELECT balance FROM credit_grant('cr', 50, description => 'a', expires_at => '2024-02-01Z');
SELECT balance FROM credit_grant('cr', 50, description => 'b');
SELECT transaction_id AS spent FROM credit_spend('cr', 70) \gset
SELECT * FROM pg_temp.grants('cr');
SELECT reason, balance, transaction_id IS NOT NULL AS written FROM credit_refund(:spent, 30);
SELECT * FROM pg_temp.grants('cr');
SELECT reason, balance FROM credit_refund(:spent, 41);
SELECT reason, balance FROM credit_refund(:spent, 0);
SELECT reason, balance, transaction_id AS last FROM credit_refund(:spent) \gset
SELECT :'reason' AS reason, :balance AS balance;
SELECT * FROM pg_temp.grants('cr');
-- once: the rest is nothing, and without an amount the last answer comes again
SELECT balance FROM credit_spend('cr', 1);
SELECT reason, balance, transaction_id = :last AS same FROM credit_refund(:spent);
SELECT credit_refund(:spent, 1);
SELECT amount, balance_after, transaction_type, refund_of = :spent AS of_it, shortfall
FROM credit_transactions WHERE user_id = 'cr' ORDER BY sequence_no;
SELECT balance, lifetime_earned, lifetime_spent FROM user_credits WHERE user_id = 'cr';

-- A grant that is over is not revived, and the row says so.
SELECT transaction_id AS spent FROM credit_spend('cr', 60) \gset
SET usage_limits.test_clock = '2024-02-01Z';
SELECT reason, balance FROM credit_refund(:spent);
SELECT * FROM pg_temp.grants('cr');
SELECT amount, balance_after, transaction_type, shortfall FROM credit_transactions WHERE user_id = 'cr' ORDER BY sequence_no DESC LIMIT 1;
SELECT amount, shortfall FROM credit_draws WHERE user_id = 'cr' ORDER BY transaction_id DESC, draw_no LIMIT 2;
SELECT reason, balance FROM credit_refund(:spent);
SELECT balance, lifetime_earned, lifetime_spent FROM user_credits WHERE user_id = 'cr';

-- What cannot be refunded.
SELECT credit_refund(NULL);
SELECT credit_refund(0);
SELECT credit_refund(:spent, -1);
SELECT credit_refund(:spent, user_id => 'another');
SELECT transaction_id AS bought FROM credit_grant('cr', 5) \gset
SELECT credit_refund(:bought);

-- A chargeback takes what is left, says what had been spent, and comes once.
SELECT grant_id, balance FROM credit_grant('cv', 100) \gset
SELECT balance FROM credit_grant('cv', 10);
SELECT transaction_id AS spent FROM credit_spend('cv', 60) \gset
SELECT reason, balance, transaction_id AS voided FROM credit_void(:grant_id) \gset
SELECT :'reason' AS reason, :balance AS balance;
SELECT state, amount, remaining, voided_at IS NOT NULL AS voided FROM credit_grants('cv');
SELECT amount, balance_after, transaction_type, shortfall FROM credit_transactions WHERE id = :voided;
SELECT balance FROM credit_spend('cv', 10);
SELECT reason, balance, transaction_id = :voided AS same FROM credit_void(:grant_id);
-- what was spent of it does not come back
SELECT reason, balance FROM credit_refund(:spent);
SELECT credit_balance('cv');
-- of one that is spent, the shortfall is all of it; untouched, nothing
SELECT grant_id FROM credit_grant('cv', 20) \gset
SELECT balance FROM credit_spend('cv', 20);
SELECT reason, balance FROM credit_void(:grant_id, 'cv');
SELECT grant_id FROM credit_grant('cv', 20) \gset
SELECT reason, balance FROM credit_void(:grant_id);
-- one that has not begun never does
SELECT grant_id FROM credit_grant('cv', 20, effective_at => '2024-03-01Z') \gset
SELECT reason, balance FROM credit_void(:grant_id);
-- one that recurs stops
SELECT grant_id FROM credit_grant('cv', 20, recurs_every => '1 month') \gset
SELECT balance FROM credit_spend('cv', 5);
SET usage_limits.test_clock = '2024-03-15Z';
SELECT balance FROM credit_spend('cv', 3);
SELECT reason, balance FROM credit_void(:grant_id);
SET usage_limits.test_clock = '2024-06-15Z';
SELECT credit_balance('cv');
SELECT shortfall FROM credit_transactions WHERE user_id = 'cv' AND transaction_type = 'void' ORDER BY sequence_no;
SELECT credit_void(NULL);
SELECT credit_void(0);
SELECT credit_void(:grant_id, 'another');
SET usage_limits.credits_enabled = on;
SET usage_limits.credit_daily_refill = 'free=1';
SELECT balance FROM credit_refill('cv');
SELECT grant_id FROM credit_grants('cv') WHERE transaction_type = 'daily_refill' \gset
SELECT credit_void(:grant_id);
RESET usage_limits.credits_enabled;
RESET usage_limits.credit_daily_refill;

-- A statement: opening, lines, closing; half-open.
SELECT line, created_at AS at, transaction_type, amount, balance FROM credit_statement('cr', '2024-01-01Z', '2024-02-01Z');
SELECT line, created_at AS at, transaction_type, amount, balance FROM credit_statement('cr', '2024-02-01Z', '2024-03-01Z');
SELECT line, created_at AS at, transaction_type, amount, balance FROM credit_statement('cr', '2024-02-01Z', '2024-02-01Z');
SELECT line, created_at, balance FROM credit_statement('nobody');

-- The ledger only grows.
UPDATE credit_transactions SET amount = 0;
DELETE FROM credit_transactions WHERE user_id = 'no one at all';
TRUNCATE credit_transactions;
UPDATE credit_draws SET amount = 0;
DELETE FROM credit_draws;
TRUNCATE credit_draws;
SET session_replication_role = replica;
DELETE FROM credit_transactions;
RESET session_replication_role;
INSERT INTO credit_transactions (user_id, amount, balance_after, transaction_type, sequence_no)
	VALUES ('cr', 1, 1, 'purchase', 1) ON CONFLICT (user_id, sequence_no) DO UPDATE SET amount = 7;
SELECT * FROM usage_reconcile();

-- What disagrees is found.
BEGIN;
UPDATE user_credits SET balance = balance + 1 WHERE user_id = 'cr';
SELECT * FROM usage_reconcile();
ROLLBACK;
BEGIN;
UPDATE user_credits SET burning_left = burning_left - 1, lifetime_spent = 0 WHERE user_id = 'cr';
SELECT user_id, regexp_replace(what, '[0-9]+', 'N'), expected, found FROM usage_reconcile();
ROLLBACK;
BEGIN;
INSERT INTO credit_transactions (user_id, amount, balance_after, transaction_type, sequence_no, created_at)
	VALUES ('cr', 5, 7, 'purchase', 20, '2020-01-01Z');
SELECT user_id, regexp_replace(what, '[0-9]+', 'N'), expected, found FROM usage_reconcile();
ROLLBACK;
BEGIN;
DELETE FROM credit_grants WHERE user_id = 'cr';
SELECT user_id, regexp_replace(what, '[0-9]+', 'N'), expected, found FROM usage_reconcile() ORDER BY found;
ROLLBACK;
BEGIN;
DELETE FROM user_credits WHERE user_id = 'cv';
SELECT count(*) > 0 AS found FROM usage_reconcile() WHERE user_id = 'cv';
ROLLBACK;
BEGIN;
INSERT INTO credit_draws (user_id, transaction_id, grant_id, amount, draw_no) SELECT user_id, id, grant_id, -1, 9
FROM credit_transactions WHERE user_id = 'cv' AND transaction_type = 'usage' LIMIT 1;
SELECT user_id, regexp_replace(what, '[0-9]+', 'N'), expected, found FROM usage_reconcile();
ROLLBACK;
SELECT * FROM usage_reconcile();
