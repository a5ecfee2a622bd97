-- What a limit sums (amount, tokens, credits, duration), of which subtype, and
-- whether it denies.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2025-03-12 10:30:00+00';
\set SHOW_CONTEXT never
\set decision 'allowed, reason, limit_type, requested, current, "limit", remaining, retry_after, event_id IS NOT NULL AS event'

-- One type, a limit on each measure: all of them hold.
INSERT INTO usage_limits_config (limit_type, usage_type, measure, free_tier_limit) VALUES
	('chat_calls_daily', 'chat', 'amount', 5),
	('chat_tokens_daily', 'chat', 'tokens', 1000),
	('chat_credits_daily', 'chat', 'credits', 100),
	('chat_ms_daily', 'chat', 'duration_ms', 60000);
SELECT :decision FROM usage_consume('measure-1', 'chat', 1, tokens_used => 600, credits_used => 10, duration_ms => 100);
SELECT :decision FROM usage_consume('measure-1', 'chat', 1, tokens_used => 401, credits_used => 10, duration_ms => 100);
SELECT :decision FROM usage_consume('measure-1', 'chat', 1, tokens_used => 400, credits_used => 91, duration_ms => 100);
SELECT :decision FROM usage_consume('measure-1', 'chat', 1, tokens_used => 400, credits_used => 90, duration_ms => 59901);
SELECT :decision FROM usage_consume('measure-1', 'chat', 5, tokens_used => 400, credits_used => 90, duration_ms => 59900);
SELECT limit_type, current, "limit", remaining, percent_used FROM usage_status('measure-1') WHERE usage_type = 'chat';
SELECT :decision FROM usage_consume('measure-1', 'chat', 4, tokens_used => 400, credits_used => 90, duration_ms => 59900);
SELECT limit_type, current, "limit", remaining, percent_used FROM usage_status('measure-1') WHERE usage_type = 'chat';
-- a measure that is not given is 0 and fits
SELECT :decision FROM usage_consume('measure-2', 'chat', 1, tokens_used => 1000);
SELECT :decision FROM usage_consume('measure-2', 'chat', 1);
SELECT :decision FROM usage_check('measure-2', 'chat', 1, tokens_used => 1);
SELECT :decision FROM usage_check_limit('measure-2', 'chat_tokens_daily', 0);
SELECT :decision FROM usage_check_limit('measure-2', 'chat_tokens_daily', 1);
-- amount 0 asks about the others as well, and takes nothing
SELECT :decision FROM usage_consume('measure-3', 'chat', 0, tokens_used => 1001);
SELECT :decision FROM usage_consume('measure-3', 'chat', 0, tokens_used => 1000);
SELECT :decision FROM usage_consume('measure-3', 'chat', 1, tokens_used => 1000);
-- of several at once
SELECT :decision FROM usage_consume_many('measure-4', '[
	{"usage_type": "chat", "tokens_used": 600}, {"usage_type": "chat", "tokens_used": 401}]');
SELECT :decision FROM usage_consume_many('measure-4', '[
	{"usage_type": "chat", "tokens_used": 600}, {"usage_type": "chat", "tokens_used": 400}]');
DELETE FROM usage_limits_config WHERE usage_type = 'chat';

-- A limit on one subtype counts that subtype only, beside the one on all.
INSERT INTO usage_limits_config (limit_type, usage_type, event_subtype, measure, free_tier_limit) VALUES
	('draws_daily', 'draw', NULL, 'amount', 10),
	('draws_4k_daily', 'draw', '4k "ultra"', 'amount', 2),
	('draws_4k_tokens_daily', 'draw', '4k "ultra"', 'tokens', 50);
SELECT :decision FROM usage_consume('measure-5', 'draw', 3);
SELECT :decision FROM usage_consume('measure-5', 'draw', 3, '4k');
SELECT :decision FROM usage_consume('measure-5', 'draw', 3, '4k "ultra"');
SELECT :decision FROM usage_consume('measure-5', 'draw', 2, '4k "ultra"', tokens_used => 20);
SELECT :decision FROM usage_consume('measure-5', 'draw', 1, '4k "ultra"', tokens_used => 20);
SELECT :decision FROM usage_consume('measure-5', 'draw', 2, '8k', tokens_used => 2000);
SELECT :decision FROM usage_consume('measure-5', 'draw', 1, '8k');
SELECT limit_type, current, "limit" FROM usage_status('measure-5') WHERE usage_type = 'draw';
SELECT :decision FROM usage_check('measure-6', 'draw', 3, '4k "ultra"');
SELECT :decision FROM usage_check('measure-6', 'draw', 3);
-- a limit on another subtype has no say, not even one that is used up and lowered
UPDATE usage_limits_config SET free_tier_limit = 1 WHERE limit_type = 'draws_4k_daily';
UPDATE usage_limits_config SET free_tier_limit = 11 WHERE limit_type = 'draws_daily';
SELECT :decision FROM usage_consume('measure-5', 'draw', 1, '8k');
UPDATE usage_limits_config SET is_active = false WHERE limit_type = 'draws_daily';
SELECT :decision FROM usage_consume('measure-5', 'draw', 1, '8k');
-- what was used before the limit was made counts as well
INSERT INTO usage_limits_config (limit_type, usage_type, event_subtype, free_tier_limit) VALUES ('draws_8k_weekly', 'draw', '8k', 2);
SELECT :decision FROM usage_check_limit('measure-5', 'draws_8k_weekly');
DELETE FROM usage_limits_config WHERE usage_type = 'draw';

-- soft counts, allows beyond and says so; shadow says what would have been.
INSERT INTO usage_limits_config (limit_type, usage_type, enforcement, free_tier_limit) VALUES
	('mails_soft_daily', 'mail', 'soft', 2), ('mails_shadow_daily', 'mail', 'shadow', 3), ('mails_daily', 'mail', 'hard', 5);
SELECT :decision FROM usage_consume('measure-7', 'mail', 2);
SELECT :decision FROM usage_consume('measure-7', 'mail', 1);
SELECT :decision FROM usage_consume('measure-7', 'mail', 1);
SELECT :decision FROM usage_check('measure-7', 'mail', 1);
SELECT :decision FROM usage_check('measure-7', 'mail', 2);
SELECT :decision FROM usage_consume('measure-7', 'mail', 2);
SELECT :decision FROM usage_consume('measure-7', 'mail', 1);
SELECT :decision FROM usage_consume('measure-7', 'mail', 1);
SELECT limit_type, allowed, current, "limit", remaining FROM usage_status('measure-7') WHERE usage_type = 'mail';
SELECT :decision FROM usage_check_limit('measure-7', 'mails_soft_daily');
SELECT :decision FROM usage_check_limit('measure-7', 'mails_shadow_daily');
SELECT :decision FROM usage_check_limit('measure-7', 'mails_daily');
-- the change of one counts at once
SELECT enforcement FROM usage_set_limit('mails_daily', 5, enforcement => 'shadow');
SELECT :decision FROM usage_consume('measure-7', 'mail', 1);
SELECT enforcement FROM usage_set_limit('mails_daily', 5, enforcement => 'hard');
SELECT :decision FROM usage_consume('measure-7', 'mail', 1);
DELETE FROM usage_limits_config WHERE usage_type = 'mail';

-- The setting for all of them: shadow denies nothing and tells, off tells nothing; both count.
SET usage_limits.enforcement = 'shadow';
SELECT :decision FROM usage_consume('measure-8', 'export', 3);
SELECT :decision FROM usage_consume('measure-8', 'export', 1);
SELECT :decision FROM usage_check('measure-8', 'export', 1);
SELECT :decision FROM usage_check_limit('measure-8', 'exports_daily', 1);
SELECT usage_check_action('measure-8', 'export_video');
SET usage_limits.enforcement = 'off';
SELECT :decision FROM usage_consume('measure-8', 'export', 1);
SELECT :decision FROM usage_consume('measure-9', 'export', 1);
SELECT :decision FROM usage_consume('measure-9', 'free_text', 1);
SELECT :decision FROM usage_check_limit('measure-8', 'exports_daily', 1);
SET usage_limits.enforcement = 'on';
SELECT :decision FROM usage_consume('measure-8', 'export', 1);
SELECT count FROM user_usage WHERE user_id = 'measure-8';
-- an environment's spellings of on and off
SET usage_limits.enforcement = 'false';
SHOW usage_limits.enforcement;
SET usage_limits.enforcement = 'true';
SHOW usage_limits.enforcement;
RESET usage_limits.enforcement;

-- With tracking off nothing is recorded and nothing denied.
SET usage_limits.tracking_enabled = off;
SELECT * FROM usage_consume('measure-8', 'export', 1);
SELECT * FROM usage_consume_many('measure-8', '{"export": 7, "prompt": 1}');
SELECT usage_consume('measure-8', 'export', -1);
RESET usage_limits.tracking_enabled;
SELECT count FROM user_usage WHERE user_id = 'measure-8';

-- With analytics off the counters go on.
SET usage_limits.analytics_enabled = off;
SELECT :decision FROM usage_consume('measure-10', 'export', 3);
SELECT :decision FROM usage_consume('measure-10', 'export', 1);
RESET usage_limits.analytics_enabled;
SELECT (SELECT count(*) FROM usage_events WHERE user_id = 'measure-10') AS events,
	(SELECT count FROM user_usage WHERE user_id = 'measure-10') AS used;
