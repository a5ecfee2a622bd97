-- Granting and spending: what burns first, denials, references, amounts.
SET timezone = 'UTC';
SET usage_limits.test_clock = '2024-01-31 12:00Z';
\set SHOW_CONTEXT never

-- A user who has never been heard of has nothing.
SELECT credit_balance('cs');
SELECT * FROM credit_spend('cs', 1, throw_on_insufficient => false);
SELECT count(*) FROM user_credits WHERE user_id = 'cs';
SELECT * FROM credit_spend('cs', 1);

-- All or nothing, to the last credit.
SELECT allowed, reason, balance, transaction_id IS NOT NULL AS has_transaction, grant_id IS NOT NULL AS has_grant
FROM credit_grant('cs', 100);
SELECT allowed, reason, balance, transaction_id IS NOT NULL AS has_transaction, grant_id IS NOT NULL AS has_grant
FROM credit_spend('cs', 30, 'a picture', metadata => '{"size": "large"}');
SELECT * FROM credit_spend('cs', 71, throw_on_insufficient => false);
SELECT allowed, balance FROM credit_spend('cs', 70);
SELECT credit_balance('cs');
SELECT sequence_no, amount, balance_after, transaction_type, description, metadata, shortfall
FROM credit_transactions WHERE user_id = 'cs' ORDER BY sequence_no;

-- The order in which grants burn: priority, expiry, creation, id.
CREATE FUNCTION pg_temp.grants(text) RETURNS TABLE (description text, state text, amount bigint, remaining bigint)
LANGUAGE sql AS 'SELECT description, state, amount, remaining FROM credit_grants($1)';
SET usage_limits.test_clock = '2024-02-01Z';
SELECT count(*) FROM (
	SELECT credit_grant('burn', 10, description => 'sixth: same instant, higher id') UNION ALL
	SELECT credit_grant('burn', 10, description => 'seventh: same instant, higher id')) AS granted;
SELECT balance FROM credit_grant('burn', 10, description => 'fourth: expires in April', expires_at => '2024-04-01Z');
SELECT balance FROM credit_grant('burn', 10, description => 'third: expires in March', expires_at => '2024-03-01Z');
SELECT balance FROM credit_grant('burn', 10, description => 'last: priority 1', priority => 1, expires_at => '2024-02-02Z');
SELECT balance FROM credit_grant('burn', 10, description => 'first: priority -5', priority => -5);
SET usage_limits.test_clock = '2024-01-31 13:00Z';
SELECT balance FROM credit_grant('burn', 10, description => 'second: priority -1', priority => -1);
SET usage_limits.test_clock = '2024-02-01 01:00Z';
SELECT balance FROM credit_grant('burn', 10, description => 'eighth: created later');
SELECT * FROM pg_temp.grants('burn');
SELECT balance FROM credit_spend('burn', 25);
SELECT * FROM pg_temp.grants('burn');
SELECT amount, balance_after, grant_id FROM credit_transactions WHERE user_id = 'burn' ORDER BY sequence_no DESC LIMIT 1;
SELECT g.description, d.amount FROM credit_draws d JOIN credit_grants g ON g.user_id = d.user_id AND g.id = d.grant_id
WHERE d.user_id = 'burn' ORDER BY d.draw_no;
SELECT balance FROM credit_spend('burn', 5);
SELECT balance FROM credit_spend('burn', 49);
SELECT * FROM pg_temp.grants('burn') WHERE state = 'live';
SELECT * FROM credit_spend('burn', 2, throw_on_insufficient => false);

-- A reference counts once for its type, and the repeat gets the first answer.
SELECT balance AS first_balance, transaction_id AS first_transaction, grant_id AS first_grant
FROM credit_grant('ref', 100, reference_id => 'pi_1') \gset
SELECT balance FROM credit_spend('ref', 60);
SELECT allowed, reason, balance = :first_balance AS same_balance, transaction_id = :first_transaction AS same_transaction,
	grant_id = :first_grant AS same_grant
FROM credit_grant('ref', 100, reference_id => 'pi_1');
SELECT credit_balance('ref');
SELECT credit_grant('ref', 101, reference_id => 'pi_1');
SELECT balance FROM credit_grant('ref', 5, 'bonus', 'pi_1');
SELECT balance FROM credit_grant('ref2', 100, reference_id => 'pi_1');
SELECT transaction_id AS first_transaction FROM credit_spend('ref', 10, reference_id => 'job 1') \gset
SELECT balance FROM credit_spend('ref', 10, reference_id => 'job 2');
SELECT allowed, balance, transaction_id = :first_transaction AS same FROM credit_spend('ref', 10, reference_id => 'job 1');
SELECT credit_spend('ref', 11, reference_id => 'job 1');
-- a denial leaves nothing; the repeat of what was spent is none
SELECT allowed, reason, balance FROM credit_spend('ref3', 10, reference_id => 'job 1', throw_on_insufficient => false);
SELECT count(*) FROM user_credits WHERE user_id = 'ref3';
SELECT balance FROM credit_grant('ref3', 15);
SELECT allowed, balance FROM credit_spend('ref3', 10, reference_id => 'job 1');
SELECT allowed, balance FROM credit_spend('ref3', 10, reference_id => 'job 1');
SELECT allowed, reason, balance FROM credit_spend('ref3', 10, reference_id => 'job 2', throw_on_insufficient => false);
SELECT credit_balance('ref');
-- what was denied is not remembered
SELECT * FROM credit_spend('ref', 1000, reference_id => 'job 3', throw_on_insufficient => false);
SELECT balance FROM credit_spend('ref', 1, reference_id => 'job 3');

-- Amounts of 0: asked for, nothing done; a grant of 0 is one.
SELECT * FROM credit_spend('ref', 0);
SELECT * FROM credit_spend('nobody', 0);
SELECT balance FROM credit_grant('zero', 0);
SELECT * FROM pg_temp.grants('zero');

-- The largest amounts: sums are checked.
SELECT balance FROM credit_grant('big', 1000000000000000);
SELECT balance FROM credit_spend('big', 1000000000000000);
SELECT credit_grant('big', 1000000000000001);
SELECT credit_spend('big', -1);
BEGIN;
SELECT grant_id FROM credit_grant('huge', 7) \gset
UPDATE user_credits SET balance = 9223372036854775800, burning_left = 9223372036854775800 WHERE user_id = 'huge';
SELECT balance FROM credit_grant('huge', 7);
SAVEPOINT a;
SELECT credit_grant('huge', 1);
ROLLBACK TO a;
SELECT credit_grant('huge', 0, recurs_every => '1 day', max_rollover => 1);
ROLLBACK;

-- What makes no sense.
SELECT credit_grant(NULL, 1);
SELECT credit_grant('', 1);
SELECT credit_grant('e', NULL);
SELECT credit_grant('e', 1, NULL);
SELECT credit_grant('e', 1, '');
SELECT credit_grant('e', 1, 'usage');
SELECT credit_grant('e', 1, 'refund');
SELECT credit_grant('e', 1, reference_id => '');
SELECT credit_grant('e', 1, priority => NULL);
SELECT credit_grant('e', 1, effective_at => 'infinity');
SELECT credit_grant('e', 1, effective_at => '2024-03-01Z', expires_at => '2024-03-01Z');
SELECT credit_grant('e', 1, effective_at => '2023-01-01Z', expires_at => '2024-01-01Z');
SELECT credit_grant('e', 1, recurs_every => '0 days');
SELECT credit_grant('e', 1, recurs_every => '-1 day');
SELECT credit_grant('e', 1, recurs_every => '1 month 1 day');
SELECT credit_grant('e', 1, max_rollover => 1);
SELECT credit_grant('e', 1, recurs_every => '1 day', max_rollover => -1);
SELECT credit_spend(NULL, 1);
SELECT credit_spend('e', NULL);
SELECT credit_spend('e', 1, throw_on_insufficient => NULL);
SELECT credit_balance(NULL);
SELECT credit_balance('e', 'infinity');
SELECT credit_statement('e', '2024-02-02Z', '2024-02-01Z');
BEGIN READ ONLY;
SELECT credit_grant('e', 1);
ROLLBACK;
BEGIN READ ONLY;
SELECT credit_spend('burn', 1);
ROLLBACK;
BEGIN READ ONLY;
SELECT credit_balance('burn');
SELECT count(*) FROM usage_reconcile();
ROLLBACK;

SELECT * FROM usage_reconcile();
