-- Every limit of a user: usage_status.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET intervalstyle = 'postgres';
SET usage_limits.test_clock = '2025-03-12 10:30:00+00';
\set SHOW_CONTEXT never

-- Of a user that nobody knows, of one that has used something, and of an unlimited one.
SELECT * FROM usage_status('status-0');
SELECT reason FROM usage_consume_many('status-1', '{"prompt": 3, "export": 1, "project_create": 5, "storage_mb": 123, "api_call": 60}');
SELECT usage_track('status-1', 'export', 6, occurred_at => '2025-03-01 00:00:00+00') > 0 AS tracked;
SELECT usage_track('status-1', 'web_agent', 7) > 0 AS tracked;
SELECT * FROM usage_status('status-1');
SELECT tier FROM usage_set_tier('status-1', 'enterprise');
SELECT * FROM usage_status('status-1');

-- A limit of 0 is used up, a soft one is told of like a hard one, an override is said to be one.
SELECT limit_value FROM usage_set_override('prompts_daily', 0, user_id => 'status-2');
SELECT limit_value FROM usage_set_override('exports_daily', 2, tier => 'free');
INSERT INTO usage_limits_config (limit_type, usage_type, enforcement, free_tier_limit) VALUES ('exports_soft_daily', 'export', 'soft', 1);
SET usage_limits.overrides = 'storage_mb.free=1';
SELECT reason FROM usage_consume('status-2', 'export', 2);
SELECT limit_type, tier, allowed, current, "limit", remaining, percent_used, source FROM usage_status('status-2')
WHERE limit_type IN ('prompts_daily', 'exports_daily', 'exports_soft_daily', 'storage_mb', 'projects_total');
RESET usage_limits.overrides;
DELETE FROM usage_limit_overrides;
DELETE FROM usage_limits_config WHERE limit_type = 'exports_soft_daily';

-- The caller's own transaction counts.
BEGIN;
SELECT reason FROM usage_consume('status-3', 'prompt', 4);
SELECT limit_type, current, remaining FROM usage_status('status-3') WHERE current > 0;
UPDATE usage_limits_config SET is_active = false WHERE limit_type <> 'prompts_daily';
SELECT limit_type, current, remaining FROM usage_status('status-3');
ROLLBACK;
SELECT limit_type, current FROM usage_status('status-3') WHERE current > 0;

-- Without limits there is nothing to tell.
BEGIN;
DELETE FROM usage_limits_config;
SELECT * FROM usage_status('status-1');
SELECT reason FROM usage_check_limit('status-1', 'prompts_daily');
SELECT reason FROM usage_consume('status-1', 'prompts_daily');
ROLLBACK;

-- As many limits as one likes.
BEGIN;
INSERT INTO usage_limits_config (limit_type, free_tier_limit) SELECT 'many_' || n || '_daily', n FROM generate_series(1, 300) AS n;
SELECT count(*), sum("limit") FROM usage_status('status-4') WHERE limit_type LIKE 'many%';
SELECT "limit" FROM usage_check_limit('status-4', 'many_257_daily');
INSERT INTO usage_limits_config (limit_type, usage_type, free_tier_limit) SELECT 'same_' || n || '_daily', 'same', n + 10 FROM generate_series(1, 300) AS n;
SELECT reason, limit_type, remaining FROM usage_consume('status-4', 'same', 5);
SELECT reason, limit_type, remaining FROM usage_consume('status-4', 'same', 7);
ROLLBACK;

-- As many users as there are: what is known of them is not kept without end.
SELECT count(*) FILTER (WHERE d.allowed) FROM generate_series(1, 5000) AS n, usage_check('status-many-' || n, 'prompt') d;
SELECT limit_value FROM usage_set_override('prompts_daily', 1, user_id => 'status-many-7');
SELECT "limit" FROM usage_check_limit('status-many-7', 'prompts_daily');
DELETE FROM usage_limit_overrides;
