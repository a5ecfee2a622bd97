-- What time does to grants: they begin, expire, recur and roll over.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE FUNCTION pg_temp.statement(text) RETURNS TABLE (at timestamptz, written boolean, type text, amount bigint, balance bigint)
LANGUAGE sql AS $$
	SELECT created_at, transaction_id IS NOT NULL, transaction_type, amount, balance
	FROM credit_statement($1) WHERE line = 'transaction'
$$;

-- In force in [effective_at, expires_at); before it is due nothing is written.
SET usage_limits.test_clock = '2024-01-01 00:00Z';
SELECT reason, balance, transaction_id FROM credit_grant('pending', 50, reference_id => 'pi_2', effective_at => '2024-01-10Z', expires_at => '2024-01-20Z');
SELECT state, remaining FROM credit_grants('pending');
SELECT * FROM credit_spend('pending', 1, throw_on_insufficient => false);
SELECT credit_balance('pending', '2024-01-09 23:59:59.999999Z') AS before, credit_balance('pending', '2024-01-10Z') AS from_then,
	credit_balance('pending', '2024-01-19 23:59:59.999999Z') AS last, credit_balance('pending', '2024-01-20Z') AS expired;
SET usage_limits.test_clock = '2024-01-10 00:00Z';
SELECT credit_balance('pending'), state, remaining FROM credit_grants('pending');
SELECT balance FROM credit_spend('pending', 20);
SET usage_limits.test_clock = '2024-02-01 00:00Z';
SELECT credit_balance('pending'), state, remaining FROM credit_grants('pending');
SELECT * FROM pg_temp.statement('pending');
SELECT credit_balance('pending', '2024-01-05Z') AS before, credit_balance('pending', '2024-01-10Z') AS spent,
	credit_balance('pending', '2024-01-25Z') AS expired;
SELECT reason, balance, transaction_id IS NULL AS had_none FROM credit_grant('pending', 50, reference_id => 'pi_2', effective_at => '2024-01-10Z');
SELECT reason, balance, transaction_id IS NOT NULL AS has_transaction FROM credit_refill('pending');
SELECT * FROM pg_temp.statement('pending');
SELECT reason, balance, transaction_id FROM credit_refill('pending');

-- It begins and expires between two looks: both are in the ledger, in order.
SET usage_limits.test_clock = '2024-01-01 00:00Z';
SELECT balance FROM credit_grant('slept', 10, effective_at => '2024-01-02Z', expires_at => '2024-01-03Z');
SELECT balance FROM credit_grant('slept', 5, effective_at => '2024-01-03Z');
SELECT balance FROM credit_grant('slept', 7, expires_at => '2024-01-03Z');
SET usage_limits.test_clock = '2024-01-05 00:00Z';
SELECT balance FROM credit_spend('slept', 1);
SELECT * FROM pg_temp.statement('slept');

-- A recurring grant becomes its amount and what rolls over; ends of months do not drift.
SET usage_limits.test_clock = '2024-01-31 12:00Z';
SELECT balance FROM credit_grant('monthly', 100, 'plan', recurs_every => '1 month', max_rollover => 30);
SELECT balance FROM credit_spend('monthly', 80);
SET usage_limits.test_clock = '2024-02-29 11:59:59Z';
SELECT credit_balance('monthly');
SET usage_limits.test_clock = '2024-02-29 12:00Z';
SELECT balance FROM credit_spend('monthly', 10);
SET usage_limits.test_clock = '2024-03-31 12:00Z';
SELECT balance FROM credit_spend('monthly', 1);
SELECT refills_at FROM credit_grants('monthly');
-- a missed period is not paid twice
SET usage_limits.test_clock = '2024-09-15 00:00Z';
SELECT credit_balance('monthly'), remaining, refills_at FROM credit_grants('monthly');
SELECT balance FROM credit_spend('monthly', 1);
SELECT * FROM pg_temp.statement('monthly');

-- Rolling over more than the amount adds up period by period, to its most.
SET usage_limits.test_clock = '2024-01-01 00:00Z';
SELECT balance FROM credit_grant('saves', 10, 'plan', recurs_every => '1 day', max_rollover => 25, expires_at => '2024-01-08Z');
SET usage_limits.test_clock = '2024-01-07 00:00Z';
SELECT credit_balance('saves', '2024-01-04 12:00Z');
SELECT * FROM pg_temp.statement('saves');
SELECT balance FROM credit_spend('saves', 1);
SET usage_limits.test_clock = '2024-02-07 00:00Z';
SELECT balance FROM credit_refill('saves');
SELECT * FROM pg_temp.statement('saves');

-- Periods are counted from effective_at: from before now, the one that is on is given.
SET usage_limits.test_clock = '2024-03-10 00:00Z';
SELECT balance FROM credit_grant('since', 10, 'plan', effective_at => '2023-12-31Z', recurs_every => '1 month');
SELECT refills_at FROM credit_grants('since');
-- and in the future, when it begins
SELECT balance FROM credit_grant('later', 10, 'plan', effective_at => '2024-03-31Z', recurs_every => '1 month');
SET usage_limits.test_clock = '2024-06-01 00:00Z';
SELECT balance FROM credit_spend('later', 3);
SELECT balance FROM credit_spend('since', 3);
SELECT * FROM pg_temp.statement('later');
SELECT * FROM pg_temp.statement('since');

-- Any length: hours and weeks.
SET usage_limits.test_clock = '2024-03-30 00:00Z';
SELECT balance FROM credit_grant('hourly', 5, 'plan', recurs_every => '90 minutes');
SELECT balance FROM credit_grant('hourly', 50, 'plan', recurs_every => '14 days');
SELECT balance FROM credit_spend('hourly', 55);
SELECT credit_balance('hourly', '2024-03-30 01:29:59Z'), credit_balance('hourly', '2024-03-30 01:30Z'),
	credit_balance('hourly', '2024-04-12 23:59Z'), credit_balance('hourly', '2024-04-13Z');

-- The clock does not go back for a ledger.
SET usage_limits.test_clock = '2024-03-29 00:00Z';
SELECT balance FROM credit_grant('hourly', 1);
SELECT at, type, amount, balance FROM pg_temp.statement('hourly') ORDER BY balance DESC LIMIT 1;
SELECT created_at AS at FROM credit_transactions WHERE user_id = 'hourly' ORDER BY sequence_no DESC LIMIT 1;

-- The daily refill of a tier, while credits are enabled; from UTC midnight.
SET usage_limits.test_clock = '2024-05-01 15:00Z';
SET usage_limits.credit_daily_refill = 'free=100, pro=1000';
SELECT credit_balance('daily');
SET usage_limits.credits_enabled = on;
SELECT credit_balance('daily'), credit_balance('daily', '2024-05-01 15:00Z');
SELECT balance FROM credit_spend('daily', 30);
SELECT transaction_type, amount, remaining, priority, recurs_every, refills_at FROM credit_grants('daily');
SELECT balance FROM credit_grant('daily', 500);
SELECT balance FROM credit_spend('daily', 80);
SELECT transaction_type, remaining FROM credit_grants('daily');
SET usage_limits.test_clock = '2024-05-02 00:00Z';
SELECT credit_balance('daily');
SELECT balance FROM credit_spend('daily', 1);
-- another tier: from the next day on
SELECT tier FROM usage_set_tier('daily', 'pro', started_at => '2024-05-02Z');
SELECT credit_balance('daily'), credit_balance('daily', '2024-05-03Z');
SET usage_limits.test_clock = '2024-05-04 09:00Z';
SELECT balance FROM credit_refill('daily');
-- a tier without one: it runs out with the day
SELECT tier FROM usage_set_tier('daily', 'team');
SET usage_limits.test_clock = '2024-05-05 09:00Z';
SELECT balance FROM credit_refill('daily');
SELECT tier FROM usage_set_tier('daily', 'free');
SET usage_limits.test_clock = '2024-05-06 09:00Z';
SELECT balance FROM credit_spend('daily', 10);
-- not enabled it stands still
SET usage_limits.credits_enabled = off;
SET usage_limits.test_clock = '2024-05-07 09:00Z';
SELECT balance FROM credit_spend('daily', 10);
SET usage_limits.credits_enabled = on;
SELECT credit_balance('daily');
SELECT balance FROM credit_spend('daily', 10);
SELECT at, type, amount, balance FROM pg_temp.statement('daily');
SELECT user_id, balance, lifetime_earned, lifetime_spent, last_refill_at
FROM user_credits WHERE user_id = 'daily';
-- a user who is not heard of for a year
SELECT balance FROM credit_spend('absent', 100);
SET usage_limits.test_clock = '2025-05-07 09:00Z';
SELECT balance FROM credit_spend('absent', 1);
SELECT at, type, amount, balance FROM pg_temp.statement('absent');
RESET usage_limits.credits_enabled;
RESET usage_limits.credit_daily_refill;

SELECT * FROM usage_reconcile();
