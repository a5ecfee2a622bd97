-- Where a limit's value comes from: the user's override, the tier's, the
-- setting, the column, in this order.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2025-03-12 10:30:00+00';
\set SHOW_CONTEXT never
INSERT INTO usage_limits_config (limit_type, free_tier_limit, pro_tier_limit) VALUES ('rides_daily', 1, 2), ('rides_weekly', 1000, 2000);
CREATE FUNCTION pg_temp.value(user_id text) RETURNS text LANGUAGE sql AS $$
	SELECT s."limit" || ' ' || s.source FROM usage_status($1) s WHERE s.limit_type = 'rides_daily'
$$;

-- One after the other, and back.
SELECT tier FROM usage_set_tier('over-1', 'pro');
SELECT pg_temp.value('over-1') AS "column";
SET usage_limits.overrides = 'rides_daily.pro=3';
SELECT pg_temp.value('over-1') AS setting;
SELECT limit_type, limit_value, tier, user_id, starts_at, expires_at, reason, created_at
FROM usage_set_override('rides_daily', 4, tier => 'pro', reason => 'it''s spring');
SELECT pg_temp.value('over-1') AS tier_override;
SELECT limit_type, limit_value, tier, user_id, starts_at, expires_at, reason, created_at
FROM usage_set_override('rides_daily', 5, user_id => 'over-1');
SELECT pg_temp.value('over-1') AS user_override;
SELECT limit_type, "limit", source FROM usage_status('over-1') WHERE limit_type = 'rides_weekly';
SELECT pg_temp.value('over-2') AS other_user;
DELETE FROM usage_limit_overrides WHERE user_id = 'over-1';
SELECT pg_temp.value('over-1') AS tier_override;
TRUNCATE usage_limit_overrides;
SELECT pg_temp.value('over-1') AS setting;
RESET usage_limits.overrides;
SELECT pg_temp.value('over-1') AS "column";

-- Every place takes -1 and 0.
SELECT limit_value FROM usage_set_override('rides_daily', -1, user_id => 'over-3');
SELECT reason, "limit", remaining FROM usage_check_limit('over-3', 'rides_daily', 500);
SELECT limit_value FROM usage_set_override('rides_daily', 0, user_id => 'over-4');
SELECT reason, "limit", remaining FROM usage_check_limit('over-4', 'rides_daily');
SET usage_limits.overrides = 'rides_daily.free=-1';
SELECT reason, "limit", remaining FROM usage_check_limit('over-5', 'rides_daily');
SET usage_limits.overrides = 'rides_daily.free=0';
SELECT reason, "limit", remaining FROM usage_check_limit('over-5', 'rides_daily');
RESET usage_limits.overrides;

-- In force from starts_at until before expires_at; the decision changes with the clock alone.
SELECT starts_at, expires_at FROM usage_set_override('rides_daily', 10, user_id => 'over-6',
	starts_at => '2025-03-12 12:00:00+00', expires_at => '2025-03-12 13:00:00+00');
SELECT starts_at, expires_at FROM usage_set_override('rides_daily', 20, tier => 'free', starts_at => '2025-03-12 14:00:00+00');
SELECT starts_at, expires_at FROM usage_set_override('rides_daily', 30, tier => 'free', expires_at => '2025-03-12 11:00:00+00');
SELECT pg_temp.value('over-6');
SET usage_limits.test_clock = '2025-03-12 10:59:59.999999+00';
SELECT pg_temp.value('over-6');
SET usage_limits.test_clock = '2025-03-12 11:00:00+00';
SELECT pg_temp.value('over-6');
SET usage_limits.test_clock = '2025-03-12 11:59:59.999999+00';
SELECT pg_temp.value('over-6');
SET usage_limits.test_clock = '2025-03-12 12:00:00+00';
SELECT pg_temp.value('over-6');
SET usage_limits.test_clock = '2025-03-12 12:59:59.999999+00';
SELECT pg_temp.value('over-6');
SET usage_limits.test_clock = '2025-03-12 13:00:00+00';
SELECT pg_temp.value('over-6');
SET usage_limits.test_clock = '2025-03-12 14:00:00+00';
SELECT pg_temp.value('over-6');
TRUNCATE usage_limit_overrides;

-- Of several in force the one that started last counts, then the higher id; no start is the earliest.
INSERT INTO usage_limit_overrides (id, limit_type, user_id, limit_value, starts_at) VALUES
	(101, 'rides_daily', 'over-7', 11, '2025-03-12 09:00:00+00'),
	(105, 'rides_daily', 'over-7', 12, '2025-03-12 08:00:00+00'),
	(104, 'rides_daily', 'over-7', 13, NULL),
	(103, 'rides_daily', 'over-7', 14, '2025-03-12 09:00:00+00'),
	(102, 'rides_daily', 'over-7', 15, '2025-03-12 20:00:00+00'),
	(106, 'rides_weekly', 'over-7', 16, '2025-03-12 10:00:00+00');
SET usage_limits.test_clock = '2025-03-12 10:30:00+00';
SELECT pg_temp.value('over-7') AS last_start_then_id;
DELETE FROM usage_limit_overrides WHERE id = 103;
SELECT pg_temp.value('over-7') AS last_start;
DELETE FROM usage_limit_overrides WHERE id = 101;
SELECT pg_temp.value('over-7') AS last_start;
UPDATE usage_limit_overrides SET expires_at = '2025-03-12 10:30:00+00' WHERE id = 105;
SELECT pg_temp.value('over-7') AS no_start;
DELETE FROM usage_limit_overrides WHERE id = 104;
SELECT pg_temp.value('over-7') AS "column";
UPDATE usage_limit_overrides SET user_id = NULL, tier = 'free' WHERE id = 105;
UPDATE usage_limit_overrides SET expires_at = NULL WHERE id = 105;
SELECT pg_temp.value('over-7') AS tier_override;
UPDATE usage_limit_overrides SET user_id = 'over-7', tier = NULL WHERE id = 105;
SELECT pg_temp.value('over-7') AS user_override, pg_temp.value('over-8') AS "column";
INSERT INTO usage_limit_overrides (id, limit_type, tier, limit_value, starts_at)
SELECT 200 + n, 'rides_daily', (ARRAY['pro', 'free'])[1 + n % 2], 1000 + n, timestamptz '2025-03-12 00:00:00+00' + n % 7 * interval '1 minute'
FROM generate_series(1, 41) AS n;
SELECT pg_temp.value('over-8') AS the_41st;
TRUNCATE usage_limit_overrides;

-- The setting: the last entry for a limit and tier wins, a name may hold dots.
INSERT INTO usage_limits_config (limit_type, usage_type, free_tier_limit) VALUES ('v1.rides_daily', 'v1_ride', 1);
SET usage_limits.overrides = 'rides_daily.free=8,rides_daily.pro = 9 , rides_daily.free =10, v1.rides_daily.free=11,nothing.free=1';
SELECT pg_temp.value('over-9') AS free, pg_temp.value('over-1') AS pro;
SELECT "limit" FROM usage_check_limit('over-9', 'v1.rides_daily');
RESET usage_limits.overrides;

-- Mistakes.
SELECT usage_set_override('rides_daily', 1);
SELECT usage_set_override('rides_daily', 1, user_id => 'over-10', tier => 'free');
SELECT usage_set_override('rides_daily', -2, user_id => 'over-10');
SELECT usage_set_override('rides_daily', NULL, user_id => 'over-10');
SELECT usage_set_override(NULL, 1, user_id => 'over-10');
SELECT usage_set_override('rides_daily', 1, user_id => '');
SELECT usage_set_override('rides_daily', 1, tier => '');
SELECT usage_set_override('no_such_limit', 1, user_id => 'over-10');
SELECT usage_set_override('rides_daily', 1, user_id => 'over-10', starts_at => '2025-03-13', expires_at => '2025-03-13');
INSERT INTO usage_limit_overrides (limit_type, limit_value) VALUES ('rides_daily', 1);
INSERT INTO usage_limit_overrides (limit_type, limit_value, tier, user_id) VALUES ('rides_daily', 1, 'free', 'over-10');
INSERT INTO usage_limit_overrides (limit_type, limit_value, tier) VALUES ('rides_daily', -2, 'free');
INSERT INTO usage_limit_overrides (limit_type, limit_value, tier, starts_at, expires_at)
VALUES ('rides_daily', 1, 'free', '2025-03-14', '2025-03-13');
SELECT count(*) FROM usage_limit_overrides;

DELETE FROM usage_limits_config WHERE limit_type LIKE '%rides_%';
