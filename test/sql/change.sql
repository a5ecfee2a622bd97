-- Change without surprise: what was used is kept when a limit or a tier
-- changes, remaining is never negative, and what is scheduled acts on time.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
\set SHOW_CONTEXT never
\set decision 'allowed, reason, current, "limit", remaining, reset_at'
CREATE FUNCTION pg_temp.clock(at timestamptz) RETURNS void LANGUAGE sql AS
	$$ SELECT set_config('usage_limits.test_clock', at::text, false) $$;

-- One limit of each kind of window.
INSERT INTO usage_limits_config (limit_type, usage_type, kind, period, alignment, free_tier_limit, pro_tier_limit) VALUES
	('move_daily', 'move', 'counter', '1 day', 'calendar', 10, 100), ('slide', 'slide', 'counter', '1 day', 'sliding', 10, 100),
	('bill', 'bill', 'counter', '1 month', 'anniversary', 10, 100), ('ever', 'ever', 'counter', NULL, 'none', 10, 100),
	('level', 'level', 'gauge', NULL, 'none', 10, 100), ('pace', 'pace', 'rate', '1 day', 'none', 10, 100);
CREATE TEMP TABLE kinds AS SELECT limit_type, usage_type FROM usage_limits_config WHERE limit_type IN ('move_daily', 'slide', 'bill', 'ever', 'level', 'pace');
SELECT pg_temp.clock('2025-03-12 10:00:00+00');
SELECT k.limit_type, d.allowed, d.current, d.limit, d.remaining FROM kinds k, usage_consume('change-1', k.usage_type, 8) d ORDER BY 1;

-- A better tier has what is left of its own; a worse one, nothing.
SELECT tier FROM usage_set_tier('change-1', 'pro', anchor_at => '2025-01-05 00:00:00+00');
SELECT k.limit_type, d.allowed, d.current, d.limit, d.remaining FROM kinds k, usage_consume('change-1', k.usage_type, 40) d ORDER BY 1;
SELECT tier FROM usage_set_tier('change-1', 'free');
SELECT k.limit_type, d.allowed, d.reason, d.current, d.limit, d.remaining FROM kinds k, usage_consume('change-1', k.usage_type, 1) d ORDER BY 1;
SELECT limit_type, allowed, current, "limit", remaining, percent_used FROM usage_status('change-1') WHERE limit_type IN (SELECT limit_type FROM kinds) ORDER BY 1;
SELECT k.limit_type, usage_summary('change-1') #>> ARRAY['limits', k.limit_type, 'remaining'] AS remaining FROM kinds k ORDER BY 1;
SELECT k.limit_type, e.current, e.remaining, e.allowed FROM kinds k, usage_explain('change-1', k.usage_type) e ORDER BY 1;
-- a lowered limit, and one that blocks
UPDATE usage_limits_config SET free_tier_limit = 3 WHERE limit_type IN (SELECT limit_type FROM kinds);
SELECT k.limit_type, d.allowed, d.reason, d.current, d.limit, d.remaining FROM kinds k, usage_check_limit('change-1', k.limit_type) d ORDER BY 1;
UPDATE usage_limits_config SET free_tier_limit = 0 WHERE limit_type IN (SELECT limit_type FROM kinds);
SELECT k.limit_type, d.allowed, d.reason, d.current, d.limit, d.remaining FROM kinds k, usage_check_limit('change-1', k.limit_type) d ORDER BY 1;
UPDATE usage_limits_config SET free_tier_limit = 10 WHERE limit_type IN (SELECT limit_type FROM kinds);
SELECT k.limit_type, d.allowed, d.reason, d.current, d.limit, d.remaining FROM kinds k, usage_check_limit('change-1', k.limit_type) d ORDER BY 1;

-- What is scheduled begins and ends at its instant, without a job, also in a session that has it all cached.
SELECT limit_value FROM usage_set_override('move_daily', 20, user_id => 'change-2', starts_at => '2025-03-12 12:00:00+00', expires_at => '2025-03-12 13:00:00+00');
SELECT limit_value FROM usage_set_override('move_daily', 15, tier => 'free', starts_at => '2025-03-12 12:30:00+00');
SELECT limit_value FROM usage_set_override('move_daily', 5, tier => 'free', starts_at => '2025-03-12 14:00:00+00');
SELECT tier FROM usage_set_tier('change-3', 'pro', started_at => '2025-03-12 12:30:00+00', expires_at => '2025-03-12 12:45:00+00');
CREATE TABLE instants (at timestamptz);
INSERT INTO instants VALUES ('2025-03-12 11:59:59.999999+00'), ('2025-03-12 12:00:00+00'), ('2025-03-12 12:29:59.999999+00'), ('2025-03-12 12:30:00+00'), ('2025-03-12 12:44:59.999999+00'),
	('2025-03-12 12:45:00+00'), ('2025-03-12 12:59:59.999999+00'), ('2025-03-12 13:00:00+00'), ('2025-03-12 13:59:59.999999+00'), ('2025-03-12 14:00:00+00');
CREATE FUNCTION pg_temp.limits_at(at timestamptz, OUT two text, OUT three text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_temp.clock(at);
	SELECT concat_ws(' ', s."limit", s.source) INTO two FROM usage_status('change-2') s WHERE s.limit_type = 'move_daily';
	SELECT concat_ws(' ', s."limit", s.source, s.tier) INTO three FROM usage_status('change-3') s WHERE s.limit_type = 'move_daily';
END $$;
SELECT i.at, l.* FROM instants i, pg_temp.limits_at(i.at) l ORDER BY i.at;
-- consuming over such an instant: what was used counts on
SELECT pg_temp.clock('2025-03-12 12:59:59.999999+00');
SELECT :decision FROM usage_consume('change-2', 'move', 18);
SELECT pg_temp.clock('2025-03-12 13:00:00+00');
SELECT :decision FROM usage_consume('change-2', 'move', 1);
SELECT pg_temp.clock('2025-03-13 00:00:00+00');
SELECT :decision FROM usage_consume('change-2', 'move', 5);
DROP TABLE instants;

RESET usage_limits.test_clock;
DELETE FROM usage_limit_overrides WHERE limit_type IN (SELECT limit_type FROM kinds);
DELETE FROM usage_limits_config WHERE limit_type IN (SELECT limit_type FROM kinds);
DELETE FROM usage_rates;
