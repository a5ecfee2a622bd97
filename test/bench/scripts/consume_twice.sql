\set key random(1, :keys)
SELECT * FROM usage.usage_consume('user' || :key, 'lease');
SELECT * FROM usage.usage_consume('user' || :key, 'lease');
