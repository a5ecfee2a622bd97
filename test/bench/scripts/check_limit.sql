\set key random(1, :keys)
SELECT allowed FROM usage.usage_check_limit('user' || :key, 'prompts_daily');
