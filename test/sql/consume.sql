-- Deciding and recording in one step: usage_consume and usage_consume_many.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2025-03-12 10:30:00+00';
\set SHOW_CONTEXT never
\set decision 'allowed, reason, usage_type, limit_type, requested, current, "limit", remaining, reset_at, retry_after, event_id IS NOT NULL AS event'

-- Three a day, and the fourth is denied.
SELECT :decision FROM usage_consume('consume-1', 'export');
SELECT :decision FROM usage_consume('consume-1', 'export');
SELECT :decision FROM usage_consume('consume-1', 'export');
SELECT * FROM usage_consume('consume-1', 'export');
SELECT count FROM user_usage WHERE user_id = 'consume-1';
SELECT count(*) FROM usage_events WHERE user_id = 'consume-1';

-- Every parameter goes into the event.
SELECT event_id FROM usage_consume('consume-2', 'prompt', 2, 'it''s "x''y"', '11111111-2222-3333-4444-555555555555',
	'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee', 1200, 7, 350, '{"a": "x''y"}', 'key') \gset
SELECT user_id, event_type, event_subtype, project_id, scene_id, tokens_used, credits_used, duration_ms,
	status, error_message, metadata, created_at, amount, operation, bucket_start
FROM usage_events WHERE id = :event_id;
SELECT bucket_start, event_subtype, amount, tokens_used, credits_used, duration_ms, events, failed_events, cancelled_events
FROM usage_counters WHERE user_id = 'consume-2';

-- An amount over 1 is admitted whole or not at all.
SELECT :decision FROM usage_consume('consume-3', 'prompt', 7);
SELECT :decision FROM usage_consume('consume-3', 'prompt', 4);
SELECT :decision FROM usage_consume('consume-3', 'prompt', 11);
SELECT :decision FROM usage_consume('consume-3', 'prompt', 3);
SELECT :decision FROM usage_consume('consume-3', 'prompt', 1);

-- Amount 0 asks, leaves no event and consumes nothing.
SELECT :decision FROM usage_consume('consume-4', 'prompt', 0, tokens_used => 5);
SELECT :decision FROM usage_consume('consume-3', 'prompt', 0);
SELECT count(*) FROM usage_events WHERE user_id = 'consume-4';
SELECT count(*) FROM usage_counters WHERE user_id = 'consume-4';

-- All limits of a type hold.  A denial leaves nothing in any of them, and names the one that lasts longest.
SELECT count(usage_track('consume-5', 'export', 4, occurred_at => d))
FROM generate_series(timestamptz '2025-03-10 12:00+00', '2025-03-11 12:00+00', '1 day') d;
SELECT :decision FROM usage_consume('consume-5', 'export', 3);
SELECT :decision FROM usage_consume('consume-5', 'export', 1);
SELECT :decision FROM usage_consume('consume-5', 'export', 1);
SELECT :decision FROM usage_consume('consume-5', 'export', 1);
SET usage_limits.test_clock = '2025-03-13 00:00:00+00';
SELECT :decision FROM usage_consume('consume-5', 'export', 1);
SET usage_limits.test_clock = '2025-04-01 00:00:00+00';
SELECT :decision FROM usage_consume('consume-5', 'export', 3);
SELECT :decision FROM usage_consume('consume-5', 'export', 1);
SET usage_limits.test_clock = '2025-03-12 10:30:00+00';
-- of two that wait equally long, the one with less left
INSERT INTO usage_limits_config (limit_type, usage_type, free_tier_limit) VALUES ('ties_a_daily', 'tie', 5), ('ties_b_daily', 'tie', 4);
SELECT :decision FROM usage_consume('consume-6', 'tie', 3);
SELECT :decision FROM usage_consume('consume-6', 'tie', 3);
-- what can never fit lasts longest
SELECT :decision FROM usage_consume('consume-6', 'tie', 5);
DELETE FROM usage_limits_config WHERE usage_type = 'tie';

-- 0 blocks, -1 is unlimited and shows the true usage.
SELECT limit_value FROM usage_set_override('prompts_daily', 0, user_id => 'consume-7');
SELECT :decision FROM usage_consume('consume-7', 'prompt');
SELECT :decision FROM usage_consume('consume-7', 'prompt', 0);
SELECT limit_value FROM usage_set_override('prompts_daily', -1, user_id => 'consume-8');
SELECT :decision FROM usage_consume('consume-8', 'prompt', 1000);
SELECT :decision FROM usage_consume('consume-8', 'prompt', 1);
SELECT count FROM user_usage WHERE user_id = 'consume-8';

-- A limit lowered below what is used: nothing more, and what remains is not negative.
SELECT limit_value FROM usage_set_override('prompts_daily', 4, user_id => 'consume-3', starts_at => '2025-03-12');
SELECT :decision FROM usage_consume('consume-3', 'prompt');
SELECT :decision FROM usage_check('consume-3', 'prompt');
SELECT limit_type, allowed, current, "limit", remaining, percent_used FROM usage_status('consume-3') WHERE limit_type = 'prompts_daily';
-- raised again, it admits what is left
SELECT limit_value FROM usage_set_override('prompts_daily', 12, user_id => 'consume-3', starts_at => '2025-03-12 01:00+00');
SELECT :decision FROM usage_consume('consume-3', 'prompt', 2);
SELECT :decision FROM usage_consume('consume-3', 'prompt', 1);
DELETE FROM usage_limit_overrides;

-- Without limits everything is admitted and counted.
SELECT :decision FROM usage_consume('consume-9', 'unlimited_thing', 5);
SELECT :decision FROM usage_consume('consume-9', 'unlimited_thing', 6);
SELECT count FROM user_usage WHERE user_id = 'consume-9';

-- Users and types do not meet, not even where their names put together are the same.
SELECT allowed, current FROM usage_consume('consume-10', 'prompt', 10);
SELECT allowed, current FROM usage_consume('consume-11', 'prompt', 10);
SELECT allowed, current FROM usage_consume('consume-10', 'web_agent', 5);
SELECT allowed, current FROM usage_consume('consume-1', 'xprompt', 5);
SELECT allowed, current FROM usage_consume('consume-1x', 'prompt', 5);

-- A type that does not log consumes all the same.
INSERT INTO usage_types (usage_type, log_events) VALUES ('web_agent', false);
SELECT :decision FROM usage_consume('consume-12', 'web_agent', 5);
SELECT :decision FROM usage_consume('consume-12', 'web_agent');
DELETE FROM usage_types;
SET usage_limits.analytics_enabled = off;
SELECT :decision FROM usage_consume('consume-12', 'prompt');
RESET usage_limits.analytics_enabled;
SELECT count(*) FROM usage_events WHERE user_id = 'consume-12';

-- Several types at once, as amounts.
SELECT :decision FROM usage_consume_many('consume-13', '{"prompt": 2, "export": 1}');
SELECT usage_type, count FROM user_usage WHERE user_id = 'consume-13' ORDER BY usage_type;
SELECT event_type, amount FROM usage_events WHERE user_id = 'consume-13' ORDER BY event_type;
-- all or nothing
SELECT :decision FROM usage_consume_many('consume-13', '{"prompt": 8, "export": 3}');
SELECT :decision FROM usage_consume_many('consume-13', '{"prompt": 9, "export": 3}');
SELECT usage_type, count FROM user_usage WHERE user_id = 'consume-13' ORDER BY usage_type;
SELECT :decision FROM usage_consume_many('consume-13', '{"prompt": 8, "export": 2, "free_text": 100}');
SELECT usage_type, count FROM user_usage WHERE user_id = 'consume-13' ORDER BY usage_type;

-- The same as an array, with the parameters of usage_consume.
SELECT :decision FROM usage_consume_many('consume-14', '[
	{"usage_type": "prompt", "amount": 2, "event_subtype": "it''s \"x''y\"", "tokens_used": 1200, "credits_used": 7,
	 "duration_ms": 350, "project_id": "11111111-2222-3333-4444-555555555555",
	 "scene_id": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "metadata": {"a": ["x", null]}},
	{"usage_type": "export"},
	{"usage_type": "export", "amount": 1.0, "event_subtype": "", "tokens_used": null, "metadata": null},
	{"usage_type": "prompt", "amount": 0, "event_subtype": null}]');
SELECT event_type, event_subtype, project_id, scene_id, tokens_used, credits_used, duration_ms, status, metadata, amount
FROM usage_events WHERE user_id = 'consume-14' ORDER BY event_type, event_subtype;
SELECT usage_type, count FROM user_usage WHERE user_id = 'consume-14' ORDER BY usage_type;
-- one type twice is one request
SELECT :decision FROM usage_consume_many('consume-15', '[{"usage_type": "export", "amount": 2}, {"usage_type": "export", "amount": 2}]');
SELECT :decision FROM usage_consume_many('consume-15', '[{"usage_type": "export", "amount": 2}, {"usage_type": "export", "amount": 1}]');
SELECT count FROM user_usage WHERE user_id = 'consume-15';
SELECT :decision FROM usage_consume_many('consume-16', '[{"usage_type": "free_text", "amount": 2}, {"usage_type": "free_text", "amount": 3}]');
SELECT count FROM user_usage WHERE user_id = 'consume-16';
-- of one item the event is known
SELECT :decision FROM usage_consume_many('consume-17', '{"prompt": 1}');
SELECT :decision FROM usage_consume_many('consume-17', '{"prompt": 0, "export": 0}');

-- Items that make no sense, none of which leaves a trace.
CREATE FUNCTION pg_temp.outcome(items jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	RETURN (SELECT reason FROM usage_consume_many('consume-18', items));
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(' / ', SQLSTATE || ': ' || SQLERRM, nullif(detail, ''));
END $$;
SELECT items, pg_temp.outcome(items::jsonb) FROM unnest(ARRAY[
	'null', '1', '"prompt"', 'true', '{}', '[]', '[1]', '["prompt"]', '[[]]', '[{}]', '[null]',
	'[{"amount": 1}]', '[{"usage_type": 1}]', '[{"usage_type": null}]', '[{"usage_type": ""}]',
	'[{"usage_type": "prompt", "amount": null}]', '[{"usage_type": "prompt", "amount": "1"}]',
	'[{"usage_type": "prompt", "amount": -1}]', '[{"usage_type": "prompt", "amount": 1.5}]',
	'[{"usage_type": "prompt", "amount": 1e15}]', '[{"usage_type": "prompt", "amount": 1000000000000001}]',
	'[{"usage_type": "prompt", "amount": 1e400}]', '[{"usage_type": "prompt", "amount": -1e400}]',
	'[{"usage_type": "prompt", "amount": 1}, 1]', '[{"usage_type": "prompt", "amount": 1}, {"usage_type": "export", "amount": -1}]',
	'[{"usage_type": "prompt", "tokens_used": -1}]', '[{"usage_type": "prompt", "credits_used": 1.5}]',
	'[{"usage_type": "prompt", "duration_ms": "1"}]', '[{"usage_type": "prompt", "event_subtype": 1}]',
	'[{"usage_type": "prompt", "project_id": "x"}]', '[{"usage_type": "prompt", "scene_id": 1}]',
	'[{"usage_type": "prompt", "status": "failed"}]', '[{"usage_type": "prompt", "userId": "x"}]',
	'[{"usage_type": "concurrent_renders"}]', '[{"usage_type": "prompts"}]',
	'{"": 1}', '{"prompt": -1}', '{"prompt": null}', '{"prompt": "1"}', '{"prompt": 0.5}', '{"prompt": {}}', '{"prompt": [1]}',
	'{"prompt": 1, "exports_daily": 1}', '{"prompt": 1, "concurrent_renders": 1}'
]) WITH ORDINALITY AS t(items, n) ORDER BY n;
SELECT pg_temp.outcome(jsonb_build_object(repeat('x', 51), 1)),
	pg_temp.outcome(jsonb_build_array(jsonb_build_object('usage_type', 'prompt', 'event_subtype', repeat('x', 256))));
SELECT pg_temp.outcome((SELECT jsonb_agg('{"usage_type": "prompt", "amount": 600000000000000}'::jsonb) FROM generate_series(1, 2)));
SELECT usage_type, count FROM user_usage WHERE user_id = 'consume-18';

-- Many items.
SELECT reason, requested, current FROM usage_consume_many('consume-19',
	(SELECT jsonb_agg(jsonb_build_object('usage_type', 'bulk', 'amount', n, 'event_subtype', 's' || n)) FROM generate_series(1, 500) n));
SELECT count(*), sum(amount) FROM usage_counters WHERE user_id = 'consume-19';
