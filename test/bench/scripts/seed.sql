\set key random(1, :keys)
SELECT * FROM seed.user_subscriptions WHERE user_id = 'user' || :key LIMIT 1;
SELECT * FROM seed.usage_limits_config WHERE limit_type = 'prompts_daily' AND is_active = true LIMIT 1;
SELECT coalesce(sum(count), 0) FROM seed.user_usage WHERE user_id = 'user' || :key AND usage_type = 'prompt' AND usage_date >= current_date;
BEGIN;
INSERT INTO seed.usage_events (user_id, event_type, event_subtype, status) VALUES ('user' || :key, 'prompt', 'gpt-4o', 'success');
INSERT INTO seed.user_usage AS u (user_id, usage_type, usage_date, count, metadata)
VALUES ('user' || :key, 'prompt', current_date, 1, '{"lastEventSubtype": "gpt-4o"}')
ON CONFLICT (user_id, usage_type, usage_date) DO UPDATE SET count = u.count + 1,
	metadata = jsonb_set(coalesce(u.metadata, '{}'), '{lastEventSubtype}', '"gpt-4o"');
COMMIT;
