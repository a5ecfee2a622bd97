-- Asking: usage_check_limit, usage_check, usage_check_action.  None of them
-- consumes or writes anything.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2025-03-12 10:30:00+00';
\set SHOW_CONTEXT never
\set decision 'allowed, reason, usage_type, limit_type, requested, current, "limit", remaining, reset_at, retry_after'
CREATE TEMP TABLE before AS SELECT (SELECT count(*) FROM usage_events) AS events, (SELECT sum(amount) FROM usage_counters) AS amount;

-- One limit.
SELECT * FROM usage_check_limit('check-1', 'exports_daily');
SELECT :decision FROM usage_check_limit('check-1', 'exports_daily', 3);
SELECT :decision FROM usage_check_limit('check-1', 'exports_daily', 4);
SELECT :decision FROM usage_check_limit('check-1', 'exports_daily', 0);
SELECT :decision FROM usage_check_limit('check-1', 'exports_monthly');
SELECT :decision FROM usage_check_limit('check-1', 'projects_total');
SELECT :decision FROM usage_check_limit('check-1', 'api_calls_hourly');
SELECT :decision FROM usage_check_limit('check-1', 'concurrent_renders');
SELECT :decision FROM usage_check_limit('check-1', 'concurrent_renders', 2);
-- what the caller's transaction has used counts
BEGIN;
SELECT usage_track('check-1', 'export', 2) > 0 AS tracked;
SELECT :decision FROM usage_check_limit('check-1', 'exports_daily');
SELECT :decision FROM usage_check_limit('check-1', 'exports_daily', 2);
SELECT :decision FROM usage_check_limit('check-1', 'exports_daily', 4);
ROLLBACK;
SELECT :decision FROM usage_check_limit('check-1', 'exports_daily');

-- Unlimited users see their true usage; what remains has no number.
SELECT tier FROM usage_set_tier('check-2', 'team');
SELECT usage_track('check-2', 'export', 40) > 0 AS tracked;
SELECT :decision FROM usage_check_limit('check-2', 'exports_daily');
SELECT :decision FROM usage_check('check-2', 'export', 1000000);

-- An unknown limit allows, unless names are strict.
SELECT * FROM usage_check_limit('check-1', 'no_such_limit', 7);
SET usage_limits.strict_names = on;
SELECT usage_check_limit('check-1', 'no_such_limit', 7);
SELECT :decision FROM usage_check_limit('check-1', 'exports_daily');
RESET usage_limits.strict_names;

-- Every limit of a type: a denial names the one that keeps the caller waiting longest, an admission the tightest.
SELECT * FROM usage_check('check-3', 'export', 1);
SELECT :decision FROM usage_check('check-3', 'export', 4);
SELECT :decision FROM usage_check('check-3', 'export', 11);
SELECT usage_track('check-3', 'export', 8, occurred_at => '2025-03-11 12:00:00+00') > 0 AS tracked;
SELECT :decision FROM usage_check('check-3', 'export', 1);
SELECT :decision FROM usage_check('check-3', 'export', 2);
SELECT :decision FROM usage_check('check-3', 'export', 3);
SELECT usage_track('check-3', 'export', 3) > 0 AS tracked;
SELECT :decision FROM usage_check('check-3', 'export', 1);
SELECT :decision FROM usage_check('check-3', 'export', 0);

-- A type without limits, and what asking it says.
SELECT usage_track('check-4', 'free_text', 5) > 0 AS tracked;
SELECT * FROM usage_check('check-4', 'free_text', 2);
SELECT usage_track('check-4', 'free_text', 6, occurred_at => '2025-03-11 23:59:59+00') > 0 AS tracked;
SELECT :decision FROM usage_check('check-4', 'free_text', 2);
SET usage_limits.strict_names = on;
SELECT usage_check('check-4', 'free_text');
SELECT usage_track('check-4', 'free_text');
SELECT usage_consume('check-4', 'free_text');
SELECT usage_adjust('check-4', 'free_text', 1);
SELECT usage_consume_many('check-4', '{"prompt": 1, "free_text": 1}');
INSERT INTO usage_types (usage_type) VALUES ('free_text');
SELECT reason, current FROM usage_check('check-4', 'free_text');
SELECT usage_track('check-4', 'free_text') > 0 AS tracked;
DELETE FROM usage_types;
RESET usage_limits.strict_names;

-- Tokens and subtypes are part of the question.
INSERT INTO usage_limits_config (limit_type, usage_type, event_subtype, measure, free_tier_limit) VALUES
	('check_tokens_daily', 'check', NULL, 'tokens', 1000), ('check_mp4_daily', 'check', 'mp4', 'amount', 2);
SELECT :decision FROM usage_check('check-5', 'check', 1, tokens_used => 1001);
SELECT :decision FROM usage_check('check-5', 'check', 3, tokens_used => 1000);
SELECT :decision FROM usage_check('check-5', 'check', 3, 'mp4', tokens_used => 1000);
SELECT :decision FROM usage_check('check-5', 'check', 3, 'gif', tokens_used => 1000);
SELECT :decision FROM usage_check('check-5', 'check', 0, tokens_used => 1001);
DELETE FROM usage_limits_config WHERE usage_type = 'check';

-- Whether another hold would be admitted.
SELECT :decision FROM usage_check('check-6', 'concurrent_renders');
SELECT :decision FROM usage_check('check-6', 'concurrent_renders', 2);

-- Actions: their type and amount are a table; an unknown one is allowed.
SELECT usage_check_action('check-7', 'export_video'), usage_check_action('check-7', 'do_a_handstand');
SELECT usage_track('check-7', 'export', 2) > 0 AS tracked;
SELECT usage_check_action('check-7', 'export_video');
UPDATE usage_actions SET amount = 2 WHERE action = 'export_video';
SELECT usage_check_action('check-7', 'export_video', false);
SELECT usage_check_action('check-7', 'export_video');
UPDATE usage_actions SET amount = 1 WHERE action = 'export_video';
SELECT usage_track('check-7', 'export') > 0 AS tracked;
SELECT usage_check_action('check-7', 'export_video', throw_on_exceed => false);
SELECT usage_check_action(user_id => 'check-7', action => 'export_video', throw_on_exceed => true);
SELECT bool_and(usage_check_action('check-8', action)) AS all_of_them FROM usage_actions;
INSERT INTO usage_actions (action, usage_type) VALUES ('by_mistake', 'exports_daily'), (repeat('long ', 60), 'export');
SELECT usage_check_action('check-7', 'by_mistake');
SELECT usage_check_action('check-7', repeat('long ', 60));
DELETE FROM usage_actions WHERE action = 'by_mistake' OR action LIKE 'long%';

-- With tracking off everything is allowed.
SET usage_limits.tracking_enabled = off;
SELECT :decision FROM usage_check('check-7', 'export');
SELECT usage_check_action('check-7', 'export_video');
RESET usage_limits.tracking_enabled;

-- Asking wrote nothing; what was tracked is 40 + 8 + 3 + 5 + 6 + 1 + 2 + 1.
SELECT (SELECT count(*) FROM usage_events) - events AS events, (SELECT sum(amount) FROM usage_counters) - amount AS amount FROM before;
BEGIN READ ONLY;
SELECT reason FROM usage_check('check-9', 'prompt');
SELECT reason FROM usage_check_limit('check-9', 'prompts_daily');
SELECT usage_check_action('check-9', 'generate_scene');
COMMIT;
