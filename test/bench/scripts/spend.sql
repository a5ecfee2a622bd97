\set key random(1, :keys)
SELECT * FROM usage.credit_spend('user' || :key, 1);
