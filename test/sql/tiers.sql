-- Which tier a user has: the subscription's while it is in force, the default
-- tier otherwise.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2025-03-12 10:30:00+00';
\set SHOW_CONTEXT never

-- The limit's value tells the tier.
INSERT INTO usage_limits_config (limit_type, free_tier_limit, pro_tier_limit, team_tier_limit, enterprise_tier_limit)
VALUES ('tiers_daily', 1, 2, 3, 4);
CREATE FUNCTION pg_temp.tier(user_id text) RETURNS text LANGUAGE sql AS $$
	SELECT s.tier || ' ' || s."limit" FROM usage_status($1) s WHERE s.limit_type = 'tiers_daily'
$$;

SELECT pg_temp.tier('plan-0');
SELECT tier, (usage_set_tier('plan-1', tier)).tier AS set, pg_temp.tier('plan-1')
FROM unnest(ARRAY['pro', 'team', 'enterprise', 'free']) WITH ORDINALITY AS t(tier, n) ORDER BY n;

-- Enterprise is a tier of its own: unlimited by default, with its true usage, and limited where it is set so.
SELECT tier FROM usage_set_tier('plan-2', 'enterprise');
SELECT allowed, reason, limit_type, current, "limit", remaining FROM usage_consume('plan-2', 'prompt', 50);
SELECT allowed, reason, limit_type, current, "limit", remaining FROM usage_consume('plan-2', 'tier', 4);
SELECT allowed, reason, limit_type, current, "limit", remaining FROM usage_consume('plan-2', 'tier', 1);

-- The status decides, and only as it is spelt here.
SELECT status, (usage_set_tier('plan-1', 'pro', status)).status AS set, pg_temp.tier('plan-1')
FROM unnest(ARRAY['active', 'trialing', 'past_due', 'canceled', 'unpaid', 'incomplete', 'paused', 'ACTIVE', 'x'])
	WITH ORDINALITY AS t(status, n) ORDER BY n;
UPDATE user_subscriptions SET status = NULL WHERE user_id = 'plan-1';
SELECT pg_temp.tier('plan-1');
UPDATE user_subscriptions SET status = 'active' WHERE user_id = 'plan-1';
SELECT pg_temp.tier('plan-1');

-- past_due keeps the tier for the grace period: [status_since, status_since + grace).
SELECT status, status_since FROM usage_set_tier('plan-3', 'team', 'past_due');
SELECT pg_temp.tier('plan-3') AS no_grace;
SET usage_limits.grace_period = '3d';
SELECT pg_temp.tier('plan-3') AS in_grace;
SET usage_limits.test_clock = '2025-03-15 10:29:59.999999+00';
SELECT pg_temp.tier('plan-3') AS last_instant;
SELECT status_since FROM usage_set_tier('plan-3', 'team', 'past_due');
SET usage_limits.test_clock = '2025-03-15 10:30:00+00';
SELECT pg_temp.tier('plan-3') AS over;
SELECT status_since FROM usage_set_tier('plan-3', 'team', 'active');
SELECT pg_temp.tier('plan-3') AS paid;
UPDATE user_subscriptions SET status = 'past_due', status_since = '2025-03-12 10:30:00.000001+00' WHERE user_id = 'plan-3';
SELECT pg_temp.tier('plan-3') AS set_by_hand;
RESET usage_limits.grace_period;
SET usage_limits.test_clock = '2025-03-12 10:30:00+00';

-- In force from started_at until before expires_at.
SELECT started_at, expires_at FROM usage_set_tier('plan-4', 'pro',
	started_at => '2025-03-12 10:30:00.000001+00', expires_at => '2025-03-13 00:00:00+00');
SELECT pg_temp.tier('plan-4') AS before;
SET usage_limits.test_clock = '2025-03-12 10:30:00.000001+00';
SELECT pg_temp.tier('plan-4') AS first_instant;
SET usage_limits.test_clock = '2025-03-12 23:59:59.999999+00';
SELECT pg_temp.tier('plan-4') AS last_instant;
SET usage_limits.test_clock = '2025-03-13 00:00:00+00';
SELECT pg_temp.tier('plan-4') AS expired;
SELECT expires_at FROM usage_set_tier('plan-4', 'pro', expires_at => 'infinity');
SELECT pg_temp.tier('plan-4') AS expiry_taken_away;
INSERT INTO user_subscriptions (user_id, tier, started_at, expires_at) VALUES
	('plan-5', 'team', '2025-03-01 00:00:00+00', '2025-02-01 00:00:00+00'),
	('plan-6', 'team', NULL, NULL),
	('plan-7', 'team', '-infinity', 'infinity');
SELECT pg_temp.tier('plan-5') AS expired_before_it_started, pg_temp.tier('plan-6') AS no_bounds, pg_temp.tier('plan-7') AS infinite;
SET usage_limits.test_clock = '2025-03-12 10:30:00+00';

-- The statement of those who had the table before the extension.
INSERT INTO user_subscriptions (user_id, tier, stripe_customer_id) VALUES ('plan-8', 'pro', 'cus_8');
SELECT tier, status, started_at, expires_at, created_at, updated_at, status_since, event_at
FROM user_subscriptions WHERE user_id = 'plan-8';
SELECT pg_temp.tier('plan-8');
DELETE FROM user_subscriptions WHERE user_id = 'plan-8';
SELECT pg_temp.tier('plan-8');

-- What is not given stays, but for the status, which is active again.
SELECT tier FROM usage_set_tier('plan-9', 'pro', 'trialing', '2025-03-01 00:00:00+00', '2025-04-01 00:00:00+00',
	'Asia/Kathmandu', '2025-03-05 00:00:00+00', 'cus_9', 'sub_9', '{"plan": "x''y"}');
SET usage_limits.test_clock = '2025-03-12 11:30:00+00';
SELECT tier FROM usage_set_tier('plan-9', 'team');
SELECT to_jsonb(s) - 'id' AS row FROM user_subscriptions s WHERE user_id = 'plan-9';
SET usage_limits.test_clock = '2025-03-12 10:30:00+00';

-- Payment events out of order: an older one changes nothing, one of the same instant does.
SELECT tier, event_at FROM usage_set_tier('plan-10', 'pro', event_at => '2025-03-12 10:00:00+00');
SELECT tier, status, event_at FROM usage_set_tier('plan-10', 'free', 'canceled', event_at => '2025-03-12 09:59:59+00');
SELECT tier, event_at FROM usage_set_tier('plan-10', 'team', event_at => '2025-03-12 10:00:00+00');
SELECT tier, event_at FROM usage_set_tier('plan-10', 'enterprise', event_at => '2025-03-12 10:00:01+00');
SELECT tier, event_at FROM usage_set_tier('plan-10', 'pro');
SELECT tier, event_at FROM usage_set_tier('plan-10', 'free', event_at => '2025-03-12 10:00:00.5+00');

-- The default tier is a setting; one without a value anywhere is free.
SET usage_limits.default_tier = 'team';
SELECT pg_temp.tier('plan-0');
SET usage_limits.default_tier = 'trial';
SELECT pg_temp.tier('plan-0');
SET usage_limits.overrides = 'tiers_daily.trial=9';
SELECT pg_temp.tier('plan-0');
RESET usage_limits.overrides;
RESET usage_limits.default_tier;

-- Other tiers are those that an override or a setting names; what has no value for one has the default tier's.
SELECT usage_set_tier('plan-11', 'vip');
SELECT limit_value FROM usage_set_override('tiers_daily', 50, tier => 'vip');
SELECT tier FROM usage_set_tier('plan-11', 'vip');
SELECT limit_type, tier, "limit", source FROM usage_status('plan-11')
WHERE limit_type IN ('tiers_daily', 'prompts_daily') ORDER BY limit_type;
SET usage_limits.default_tier = 'pro';
SELECT limit_type, tier, "limit", source FROM usage_status('plan-11')
WHERE limit_type IN ('tiers_daily', 'prompts_daily') ORDER BY limit_type;
RESET usage_limits.default_tier;
SET usage_limits.overrides = 'prompts_daily.gold=77';
SELECT tier FROM usage_set_tier('plan-12', 'gold');
SELECT limit_type, tier, "limit", source FROM usage_status('plan-12')
WHERE limit_type IN ('tiers_daily', 'prompts_daily') ORDER BY limit_type;
RESET usage_limits.overrides;
SELECT usage_set_tier('plan-12', 'gold');
SELECT limit_type, tier, "limit", source FROM usage_status('plan-12')
WHERE limit_type IN ('tiers_daily', 'prompts_daily') ORDER BY limit_type;
DELETE FROM usage_limit_overrides WHERE tier = 'vip';
SELECT limit_type, tier, "limit", source FROM usage_status('plan-11') WHERE limit_type = 'tiers_daily';

-- Downgraded in the middle of a window: used stays used, what remains is never negative.
SELECT tier FROM usage_set_tier('plan-13', 'enterprise');
SELECT allowed, current, remaining FROM usage_consume('plan-13', 'tier', 4);
SELECT tier FROM usage_set_tier('plan-13', 'enterprise', 'canceled');
SELECT allowed, reason, current, "limit", remaining FROM usage_consume('plan-13', 'tier');

-- Mistakes.
SELECT usage_set_tier(NULL, 'pro');
SELECT usage_set_tier('', 'pro');
SELECT usage_set_tier(repeat('x', 256), 'pro');
SELECT usage_set_tier('plan-14', NULL);
SELECT usage_set_tier('plan-14', '');
SELECT usage_set_tier('plan-14', 'pro', NULL);
SELECT usage_set_tier('plan-14', 'pro', time_zone => 'Mars/Olympus');
SELECT usage_set_tier('plan-14', 'Pro');
SELECT count(*) FROM user_subscriptions WHERE user_id = 'plan-14';

DELETE FROM usage_limits_config WHERE limit_type = 'tiers_daily';
