-- Taking over an application's own tables: usage_import.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2048-03-15 12:00:00+00';
\set SHOW_CONTEXT never

-- The tables as applications have them.
CREATE SCHEMA "The ""app""";
SET search_path = "The ""app""";
CREATE TABLE users (id VARCHAR(255) PRIMARY KEY);
CREATE TABLE projects (id UUID PRIMARY KEY);

-- Configuration table for all limit types
CREATE TABLE usage_limits_config (
  id SERIAL PRIMARY KEY,
  limit_type VARCHAR(50) NOT NULL UNIQUE, -- 'prompts_daily', 'exports_daily', 'projects_total', etc.
  free_tier_limit INTEGER NOT NULL DEFAULT 0,
  pro_tier_limit INTEGER NOT NULL DEFAULT -1, -- -1 means unlimited
  team_tier_limit INTEGER NOT NULL DEFAULT -1,
  description TEXT,
  is_active BOOLEAN DEFAULT true,
  created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
  updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

-- Master usage tracking table
CREATE TABLE user_usage (
  id SERIAL PRIMARY KEY,
  user_id VARCHAR(255) NOT NULL REFERENCES users(id),
  usage_type VARCHAR(50) NOT NULL, -- 'prompt', 'export', 'project_create', etc.
  usage_date DATE NOT NULL DEFAULT CURRENT_DATE,
  count INTEGER NOT NULL DEFAULT 1,
  metadata JSONB, -- Store additional context (model used, export format, etc.)
  created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
  UNIQUE(user_id, usage_type, usage_date)
);

-- Detailed action log for analytics
CREATE TABLE usage_events (
  id SERIAL PRIMARY KEY,
  user_id VARCHAR(255) NOT NULL REFERENCES users(id),
  event_type VARCHAR(50) NOT NULL,
  event_subtype VARCHAR(50), -- 'gpt-4', 'mp4-export', etc.
  project_id UUID REFERENCES projects(id),
  scene_id UUID,
  tokens_used INTEGER,
  credits_used INTEGER,
  duration_ms INTEGER, -- How long the operation took
  status VARCHAR(20) DEFAULT 'success', -- 'success', 'failed', 'cancelled'
  error_message TEXT,
  metadata JSONB,
  created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

-- User subscription tiers
CREATE TABLE user_subscriptions (
  id SERIAL PRIMARY KEY,
  user_id VARCHAR(255) NOT NULL REFERENCES users(id) UNIQUE,
  tier VARCHAR(20) NOT NULL DEFAULT 'free', -- 'free', 'pro', 'team', 'enterprise'
  stripe_customer_id VARCHAR(255),
  stripe_subscription_id VARCHAR(255),
  status VARCHAR(20) DEFAULT 'active',
  started_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
  expires_at TIMESTAMP,
  metadata JSONB,
  created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
  updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

-- Credits system for future flexibility
CREATE TABLE user_credits (
  id SERIAL PRIMARY KEY,
  user_id VARCHAR(255) NOT NULL REFERENCES users(id),
  balance INTEGER NOT NULL DEFAULT 0,
  lifetime_earned INTEGER NOT NULL DEFAULT 0,
  lifetime_spent INTEGER NOT NULL DEFAULT 0,
  last_refill_at TIMESTAMP,
  created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
  updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

-- Credit transactions log
CREATE TABLE credit_transactions (
  id SERIAL PRIMARY KEY,
  user_id VARCHAR(255) NOT NULL REFERENCES users(id),
  amount INTEGER NOT NULL, -- positive for credits, negative for debits
  balance_after INTEGER NOT NULL,
  transaction_type VARCHAR(50) NOT NULL, -- 'purchase', 'daily_refill', 'usage', 'refund'
  description TEXT,
  reference_id VARCHAR(255), -- stripe payment id, usage event id, etc.
  metadata JSONB,
  created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

-- Indexes for performance
CREATE INDEX idx_user_usage_lookup ON user_usage(user_id, usage_type, usage_date);
CREATE INDEX idx_usage_events_user_date ON usage_events(user_id, created_at);
CREATE INDEX idx_usage_events_type ON usage_events(event_type, event_subtype);
CREATE INDEX idx_credit_transactions_user ON credit_transactions(user_id, created_at);
-- Their rows, odd ones among them.
INSERT INTO users SELECT 'import-' || n FROM generate_series(1, 9) n;
INSERT INTO users VALUES (repeat('é', 200));
INSERT INTO projects VALUES ('11111111-2222-3333-4444-555555555555');

INSERT INTO usage_limits_config (limit_type, free_tier_limit, pro_tier_limit, description) VALUES
  ('prompts_daily', 77, 770, 'AI generation prompts per day'),
  ('imports_daily', 4, 20, 'it''s "imports"'),
  ('imports_monthly', 10, 200, NULL),
  ('import_projects_total', 5, -1, 'Total projects allowed'),
  ('import_below_daily', -7, 1, 'a value that makes no sense'),
  ('import_below_pro_daily', 1, -2, 'another');
INSERT INTO usage_limits_config (limit_type, is_active) VALUES ('import_inactive_daily', false), ('import_unknown_daily', NULL);
UPDATE usage_limits_config SET created_at = '2047-01-02 03:04:05', updated_at = '2047-06-07 08:09:10';
UPDATE usage_limits_config SET created_at = NULL, updated_at = NULL WHERE limit_type = 'imports_monthly';

INSERT INTO user_subscriptions (user_id, tier, status, started_at, expires_at, stripe_customer_id, stripe_subscription_id, metadata, created_at, updated_at) VALUES
  ('import-1', 'pro', 'active', '2048-01-01', NULL, 'cus_1', 'sub_1', '{"a": "x''y"}', '2047-01-02 03:04:05', '2047-06-07 08:09:10'),
  ('import-2', 'pro', 'canceled', '2048-01-01', NULL, NULL, NULL, NULL, NULL, NULL),
  ('import-3', 'team', 'active', '2048-01-01', '2048-03-15 12:00:00', NULL, NULL, NULL, '2048-01-01', '2048-01-01'),
  ('import-4', 'enterprise', 'trialing', NULL, '2048-03-15 12:00:01', NULL, NULL, NULL, '2048-01-01', '2048-01-01'),
  ('import-5', 'gold', 'active', '2048-01-01', NULL, NULL, NULL, NULL, '2048-01-01', '2048-01-01'),
  ('import-6', 'pro', NULL, '2048-01-01', NULL, NULL, NULL, NULL, '2048-01-01', '2048-01-01'),
  ('import-7', 'pro', 'active', '2048-01-01', NULL, NULL, NULL, NULL, '2048-01-01', '2048-01-01'),
  (repeat('é', 200), 'pro', 'active', '2048-01-01', NULL, NULL, NULL, NULL, '2048-01-01', '2048-01-01');

INSERT INTO user_usage (user_id, usage_type, usage_date, count, metadata) VALUES
  ('import-1', 'import', '2048-03-15', 5, '{"lastEventSubtype": "gpt-4"}'),
  ('import-1', 'import', '2048-03-14', 2, NULL),
  ('import-1', 'import', '2048-03-01', 3, NULL),
  ('import-1', 'import', '2048-02-29', 1000000000, NULL),
  ('import-2', 'import', '2048-03-10', 3, NULL),
  ('import-2', 'import_project', '2048-03-10', 0, NULL),
  ('import-8', 'prompt', '2048-03-15', 6, NULL),
  ('import-9', 'prompt', 'infinity', 6, NULL),
  (repeat('é', 200), 'prompt', '2048-03-15', 6, NULL);

INSERT INTO usage_events (user_id, event_type, event_subtype, tokens_used, credits_used, duration_ms, status, created_at) VALUES
  -- three of the five of this day, with a failed, a cancelled and an unknown one
  ('import-1', 'import', 'gpt-4', 100, 1, 1000, 'success', '2048-03-15 08:00:00'),
  ('import-1', 'import', 'gpt-4', 200, NULL, 2000, NULL, '2048-03-15 09:00:00.5'),
  ('import-1', 'import', 'it''s "x"', NULL, 3, NULL, 'success', '2048-03-15 07:00:00'),
  ('import-1', 'import', 'gpt-4', 1000, 10, 10000, 'failed', '2048-03-15 10:00:00'),
  ('import-1', 'import', 'gpt-4', 1000, 10, 10000, 'cancelled', '2048-03-15 06:00:00'),
  ('import-1', 'import', 'gpt-4', 1000, 10, 10000, 'pending', '2048-03-15 05:00:00'),
  -- four of a day that counted two
  ('import-1', 'import', NULL, NULL, NULL, NULL, 'success', '2048-03-14 00:00:00'),
  ('import-1', 'import', NULL, NULL, NULL, NULL, 'success', '2048-03-14 23:59:59.999999'),
  ('import-1', 'import', '', NULL, NULL, NULL, 'success', '2048-03-14 12:00:00'),
  ('import-1', 'import', 'mp4', NULL, NULL, NULL, 'success', '2048-03-14 12:00:00'),
  -- only failed ones of a day that counted three
  ('import-1', 'import', NULL, NULL, NULL, NULL, 'failed', '2048-03-01 10:00:00'),
  -- days that were not counted at all
  ('import-3', 'import', 'mp4', 10, NULL, NULL, 'success', '2048-03-02 10:00:00'),
  ('import-3', 'import', NULL, 10, NULL, NULL, 'success', '2048-03-02 11:00:00'),
  ('import-3', 'import', NULL, 10, NULL, NULL, 'failed', '2048-03-03 11:00:00'),
  -- no time to book them at, and an id that is too long
  ('import-3', 'import', NULL, 10, NULL, NULL, 'success', NULL),
  ('import-3', 'import', NULL, 10, NULL, NULL, 'success', 'infinity'),
  (repeat('é', 200), 'import', NULL, 10, NULL, NULL, 'success', '2048-03-02 11:00:00');
UPDATE usage_events SET project_id = '11111111-2222-3333-4444-555555555555', scene_id = 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
  error_message = 'no "space"', metadata = '{"a": [1, "x''y"]}' WHERE status = 'failed';
RESET search_path;

-- What is here already stays: a limit, a subscription, and usage, to which the imported is added.
SELECT tier FROM usage_set_tier('import-7', 'team', started_at => '2048-01-01 00:00+00');
SELECT usage_track('import-8', 'prompt', 1) > 0 AS tracked;

-- What was taken and what could not be.
SELECT * FROM usage_import('The "app"');

-- Limits: those that make sense and were not here, with what their names say; null is as false as it was to the application.
SELECT limit_type, usage_type, kind, period, alignment, free_tier_limit AS free, pro_tier_limit AS pro, team_tier_limit AS team, enterprise_tier_limit AS enterprise, is_active, description, created_at, updated_at
FROM usage_limits_config WHERE limit_type LIKE 'import%' ORDER BY limit_type;
SELECT free_tier_limit FROM usage_limits_config WHERE limit_type = 'prompts_daily';

-- Subscriptions, and the tiers that follow from them.
SELECT user_id, tier, status, started_at, expires_at, stripe_customer_id, stripe_subscription_id, metadata, created_at, updated_at
FROM user_subscriptions WHERE user_id LIKE 'import-%' ORDER BY user_id;
SELECT user_id, tier FROM usage_users('import-');

-- Usage: a day's number is what was counted, its parts are what the events say.
SELECT user_id, usage_type, bucket_start, event_subtype, amount, tokens_used AS tokens, credits_used AS credits, duration_ms AS ms, events, failed_events AS failed, cancelled_events AS cancelled, first_at, last_at
FROM usage_counters WHERE user_id LIKE 'import-%' AND slot = 0 ORDER BY user_id COLLATE "C", usage_type, bucket_start, event_subtype COLLATE "C";
SELECT amount, slot > 0 AS other_slot FROM usage_counters WHERE user_id = 'import-8' ORDER BY amount;
SELECT user_id, usage_type, usage_date, count, metadata, created_at, updated_at FROM user_usage WHERE user_id LIKE 'import-%' ORDER BY user_id COLLATE "C", usage_type, usage_date;
-- day by day as the application had it, but for what it had not counted, or not in this world
SELECT user_id, usage_type, usage_date, count::bigint FROM "The ""app""".user_usage WHERE count <> 0 AND user_id NOT IN ('import-8')
EXCEPT ALL SELECT user_id, usage_type, usage_date, count FROM user_usage WHERE user_id LIKE 'import-%';
SELECT user_id, usage_type, usage_date, count FROM user_usage WHERE user_id LIKE 'import-%'
EXCEPT ALL SELECT user_id, usage_type, usage_date, count::bigint FROM "The ""app""".user_usage;

-- Events: each as it was, in order, but for those without a place.
CREATE TEMP VIEW imported AS
SELECT user_id, event_type, event_subtype, project_id, scene_id, tokens_used, credits_used, duration_ms, status, error_message, metadata, created_at, amount, operation
FROM usage_events WHERE user_id LIKE 'import-%' AND event_type = 'import';
CREATE TEMP VIEW original AS
SELECT user_id::text, event_type::text, nullif(event_subtype, '')::text, project_id, scene_id, tokens_used::bigint, credits_used::bigint, duration_ms::bigint,
	coalesce(status, 'success')::text, error_message, metadata, created_at::timestamptz, 1::bigint, 'use'
FROM "The ""app""".usage_events;
SELECT * FROM imported EXCEPT ALL SELECT * FROM original;
SELECT user_id LIKE 'import-%' AS short, status, created_at FROM (SELECT * FROM original AS o (user_id, event_type, event_subtype, project_id, scene_id, tokens_used, credits_used, duration_ms, status, error_message, metadata, created_at)
	EXCEPT ALL SELECT * FROM imported) o ORDER BY 1, 2, 3;
SELECT count(*) AS events, count(*) FILTER (WHERE id < before) AS out_of_order
FROM (SELECT id, lag(id) OVER (ORDER BY created_at, id) AS before FROM usage_events WHERE user_id LIKE 'import-%' AND event_type = 'import') e;

-- The answers that follow.
SELECT limit_type, tier, current, "limit", remaining, allowed, source FROM usage_status('import-1') WHERE usage_type LIKE 'import%';
SELECT limit_type, tier, current, "limit", remaining, allowed, source FROM usage_status('import-2') WHERE usage_type LIKE 'import%';
SELECT limit_type, tier, current, "limit", remaining, allowed, source FROM usage_status('import-5') WHERE usage_type LIKE 'import%';
SELECT current, remaining FROM usage_check_limit('import-8', 'prompts_daily');
SELECT * FROM usage_top_users('import');
SELECT * FROM usage_trends(15) WHERE total_count > 0;
SELECT * FROM usage_error_rates(15, 1);
SELECT * FROM usage_distribution('import', 15);
SELECT usage_stats('import-1', 15) - 'recentEvents' AS stats, jsonb_array_length(usage_stats('import-1', 15)->'recentEvents') AS events;

-- An imported event can be refunded, and what follows gets new ids.
SELECT id AS event_id FROM usage_events WHERE user_id = 'import-1' AND event_subtype = 'it''s "x"' \gset
SELECT allowed, current FROM usage_refund(:event_id);
SELECT (SELECT max(id) FROM usage_events) AS last_id \gset
SELECT usage_track('import-1', 'import') > :last_id AS next_id;
SELECT id > (SELECT max(id) FROM usage_limits_config WHERE limit_type LIKE 'import%') AS next_id FROM usage_set_limit('imported_after_daily', 1);
SELECT id > (SELECT max(id) FROM user_subscriptions WHERE user_id LIKE 'import-%') AS next_id FROM usage_set_tier('imported-after', 'pro');
DELETE FROM usage_limits_config WHERE limit_type = 'imported_after_daily';

-- Once: another time would count everything twice.
SELECT * FROM usage_import('The "app"');
CREATE FUNCTION pg_temp.code(query text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE query;
	RETURN 'none';
EXCEPTION WHEN others THEN
	RETURN sqlstate;
END $$;
SELECT pg_temp.code('SELECT * FROM usage_import(''The "app"'')');
SELECT table_name, operation, changed_at, old_row, new_row FROM usage_config_log WHERE operation = 'IMPORT';
-- an import that is rolled back was none
CREATE SCHEMA app_undone;
CREATE TABLE app_undone.user_usage (LIKE "The ""app""".user_usage INCLUDING ALL);
INSERT INTO app_undone.user_usage (user_id, usage_type, usage_date, count) VALUES ('imported-undone', 'import', '2048-03-15', 3);
BEGIN;
SELECT count FROM usage_import('app_undone') WHERE what = 'usage rows';
ROLLBACK;
SELECT count(*) FROM user_usage WHERE user_id = 'imported-undone';
SELECT count FROM usage_import('app_undone') WHERE what = 'usage rows';
SELECT count FROM user_usage WHERE user_id = 'imported-undone';

-- Some of the tables are enough: events without daily usage count by themselves.
CREATE SCHEMA app_events;
CREATE TABLE app_events.usage_events (LIKE "The ""app""".usage_events INCLUDING ALL);
INSERT INTO app_events.usage_events (user_id, event_type, status, created_at) VALUES ('imported-events', 'import', 'success', '2048-03-15 01:00'), ('imported-events', 'import', 'success', '2048-03-15 02:00'), ('imported-events', 'import', 'failed', '2048-03-15 02:00');
-- a timestamp without a zone is of the session's, and its date is that of UTC
SET timezone = 'America/New_York';
INSERT INTO app_events.usage_events (user_id, event_type, created_at) VALUES ('imported-events', 'import', '2048-03-14 19:59:59'), ('imported-events', 'import', '2048-03-14 20:00:00');
SELECT * FROM usage_import('app_events');
SET timezone = 'UTC';
SELECT usage_date, count, created_at, updated_at FROM user_usage WHERE user_id = 'imported-events' ORDER BY usage_date;
SELECT status, created_at, bucket_start FROM usage_events WHERE user_id = 'imported-events' ORDER BY id;

-- What cannot be imported.
SELECT * FROM usage_import(NULL);
SELECT * FROM usage_import('');
SELECT * FROM usage_import('no such schema');
SELECT * FROM usage_import('pg_catalog');
SELECT extnamespace::regnamespace AS quoted_schema, nspname AS schema FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'usage_limits' \gset
SELECT pg_temp.code(format('SELECT * FROM usage_import(%L)', :'schema')) AS own_schema;
CREATE SCHEMA app_other;
CREATE TABLE app_other.user_usage (user_id text, usage_date date);
\set VERBOSITY sqlstate
SELECT * FROM usage_import('app_other');
BEGIN READ ONLY;
SELECT * FROM usage_import('app_other');
ROLLBACK;

-- The tables are read under the caller's rights: who may import may not read for it.
CREATE ROLE regress_import_admin;
CREATE ROLE regress_import_app;
SELECT usage_grant('regress_import_admin', 'admin');
GRANT CREATE ON DATABASE :"DBNAME" TO regress_import_app;
SET ROLE regress_import_app;
CREATE SCHEMA app_guarded;
CREATE TABLE app_guarded.user_usage (user_id text, usage_type text, usage_date date, count integer);
INSERT INTO app_guarded.user_usage VALUES ('imported-guarded-1', 'import', '2048-03-15', 3), ('imported-guarded-2', 'import', '2048-03-15', 4);
SET ROLE regress_import_admin;
SELECT * FROM usage_import('app_guarded');
SET ROLE regress_import_app;
GRANT USAGE ON SCHEMA app_guarded TO regress_import_admin;
SET ROLE regress_import_admin;
SELECT * FROM usage_import('app_guarded');
-- nor more rows than the caller sees
SET ROLE regress_import_app;
GRANT SELECT ON app_guarded.user_usage TO regress_import_admin;
ALTER TABLE app_guarded.user_usage ENABLE ROW LEVEL SECURITY;
CREATE POLICY first ON app_guarded.user_usage USING (user_id = 'imported-guarded-1');
SET ROLE regress_import_admin;
SELECT count FROM usage_import('app_guarded') WHERE what = 'usage rows';
RESET ROLE;
SELECT user_id, count FROM user_usage WHERE user_id LIKE 'imported-guarded-%';
SELECT changed_by FROM usage_config_log WHERE operation = 'IMPORT' AND table_name = 'app_guarded';
-- and an application's role may not import at all
SELECT usage_grant('regress_import_app', 'app');
SET ROLE regress_import_app;
SELECT * FROM usage_import('app_guarded');
RESET ROLE;

\set VERBOSITY default

-- Code behind what is imported runs as the caller, restricted, and never as our owner; what it sets is set back.
SET ROLE regress_import_app;
CREATE SCHEMA app_hostile;
CREATE TABLE app_hostile.log (who text);
CREATE FUNCTION app_hostile.try(query text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE query;
	RETURN 'done';
EXCEPTION WHEN others THEN
	RETURN sqlstate;
END $$;
CREATE TABLE app_hostile.tries (query text, result text);
CREATE FUNCTION app_hostile.act() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO app_hostile.log VALUES (current_user);
	INSERT INTO app_hostile.tries SELECT q, app_hostile.try(q) FROM unnest(ARRAY['RESET ROLE', 'SET SESSION AUTHORIZATION DEFAULT', 'ALTER ROLE regress_import_app SUPERUSER',
		'CREATE TEMP TABLE trap ()', 'SET usage_limits.enforcement = off']) q;
	PERFORM set_config('search_path', 'app_hostile', false);
	RETURN 'hostile-1';
END $$;
CREATE FUNCTION app_hostile.equal(text, text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	PERFORM app_hostile.act();
	RETURN true;
END $$;
CREATE OPERATOR app_hostile.= (LEFTARG = text, RIGHTARG = text, FUNCTION = app_hostile.equal);
CREATE VIEW app_hostile.user_usage AS SELECT app_hostile.act() AS user_id, 'import' AS usage_type, date '2048-03-15' AS usage_date, 3 AS count;
CREATE VIEW app_hostile.usage_events AS SELECT 1 AS id, app_hostile.act() AS user_id, 'import' AS event_type, NULL AS event_subtype, NULL AS project_id, NULL AS scene_id, 1 AS tokens_used, 1 AS credits_used,
	1 AS duration_ms, 'success' AS status, NULL AS error_message, NULL AS metadata, timestamp '2048-03-15 10:00' AS created_at;
CREATE VIEW app_hostile.usage_limits_config AS SELECT app_hostile.act() AS limit_type, 1 AS free_tier_limit, 1 AS pro_tier_limit, 1 AS team_tier_limit, 'x' AS description, true AS is_active, now()::timestamp AS created_at, now()::timestamp AS updated_at;
CREATE VIEW app_hostile.user_subscriptions AS SELECT app_hostile.act() AS user_id, 'pro' AS tier, 'x' AS stripe_customer_id, 'x' AS stripe_subscription_id, 'active' AS status, NULL::timestamp AS started_at, NULL::timestamp AS expires_at,
	NULL AS metadata, now()::timestamp AS created_at, now()::timestamp AS updated_at;
GRANT USAGE ON SCHEMA app_hostile TO regress_import_admin;
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA app_hostile TO regress_import_admin;
SET ROLE regress_import_admin;
SELECT current_setting('search_path') AS path \gset
SET search_path = :path;
SELECT * FROM usage_import('app_hostile');
SELECT current_setting('search_path') = :'path' AS path_unchanged, current_setting('usage_limits.enforcement') AS enforcement, current_user;
RESET search_path;
RESET ROLE;
SELECT DISTINCT who FROM app_hostile.log;
SELECT query, array_agg(DISTINCT result) AS results FROM app_hostile.tries GROUP BY query ORDER BY query;
SELECT rolname, rolsuper FROM pg_roles WHERE rolname LIKE 'regress_import%' ORDER BY 1;
-- what it answered is data
SELECT user_id, usage_type, count FROM user_usage WHERE user_id LIKE 'hostile%';
SELECT limit_type, usage_type FROM usage_limits_config WHERE limit_type LIKE 'hostile%';

SET client_min_messages = warning;
DROP SCHEMA "The ""app""", app_undone, app_events, app_other, app_guarded, app_hostile CASCADE;
RESET client_min_messages;
SELECT usage_revoke('regress_import_admin'), usage_revoke('regress_import_app');
REVOKE CREATE ON DATABASE :"DBNAME" FROM regress_import_app;
DROP ROLE regress_import_admin, regress_import_app;
DELETE FROM usage_limits_config WHERE limit_type LIKE 'import%' OR limit_type LIKE 'hostile%';
