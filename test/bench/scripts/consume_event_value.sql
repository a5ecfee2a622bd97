\set key random(1, :keys)
SELECT (usage.usage_consume('user' || :key, 'prompt', event_subtype => 'gpt-4o')).allowed;
