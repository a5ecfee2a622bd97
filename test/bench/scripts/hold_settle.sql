\set key random(1, :keys)
SELECT hold_id FROM usage.usage_hold('user' || :key, 'lease') \gset
SELECT * FROM usage.usage_settle(:hold_id);
