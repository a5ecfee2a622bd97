\set key random(1, :keys)
WITH spent AS (
	UPDATE bare.credits SET balance = balance - 1, lifetime_spent = lifetime_spent + 1, updated_at = now()
	WHERE user_id = 'user' || :key AND balance >= 1 RETURNING user_id, balance)
INSERT INTO bare.credit_transactions (user_id, amount, balance_after, transaction_type)
SELECT user_id, -1, balance, 'usage' FROM spent RETURNING true AS allowed, balance_after, id;
