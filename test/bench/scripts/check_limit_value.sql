\set key random(1, :keys)
SELECT (usage.usage_check_limit('user' || :key, 'prompts_daily')).allowed;
