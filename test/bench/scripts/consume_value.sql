\set key random(1, :keys)
SELECT (usage.usage_consume('user' || :key, 'ping')).allowed;
