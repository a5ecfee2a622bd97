\set key random(1, :keys)
SELECT * FROM usage.usage_consume('user' || :key, 'call');
