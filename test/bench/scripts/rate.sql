\set key random(1, :keys)
SELECT allowed FROM usage.usage_consume('user' || :key, 'dial');
