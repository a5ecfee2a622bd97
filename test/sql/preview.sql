-- usage_preview: who would have been denied by another value.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
\set SHOW_CONTEXT never
CREATE FUNCTION pg_temp.clock(at timestamptz) RETURNS void LANGUAGE sql AS
	$$ SELECT set_config('usage_limits.test_clock', at::text, false) $$;
CREATE FUNCTION pg_temp.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ': ' || SQLERRM;
END $$;
INSERT INTO usage_limits_config (limit_type, free_tier_limit) VALUES ('views_daily', -1);

-- Ten a day, of which a limit of 4 would have let through the first ones that fit.
DO $$
BEGIN
	FOR n IN 1..5 LOOP
		PERFORM pg_temp.clock('2025-03-10 08:00:00+00'::timestamptz + n * interval '1 hour');
		PERFORM usage_consume('preview-1', 'view', 2);
		PERFORM usage_consume('preview-2', 'view', 1);
	END LOOP;
END $$;
SELECT pg_temp.clock('2025-03-11 08:00:00+00');
SELECT current FROM usage_consume('preview-1', 'view', 3);
SELECT current FROM usage_consume('preview-1', 'view', 2);
SELECT current FROM usage_consume('preview-1', 'view', 1);
SELECT * FROM usage_preview('views_daily', 4);
SELECT * FROM usage_preview('views_daily', 5);
SELECT * FROM usage_preview('views_daily', 10);
SELECT * FROM usage_preview('views_daily', 0);
SELECT * FROM usage_preview('views_daily', -1);
-- the dates that are asked for
SELECT * FROM usage_preview('views_daily', 0, days => 1);
SELECT pg_temp.clock('2025-03-17 08:00:00+00');
SELECT * FROM usage_preview('views_daily', 4, days => 7);
SELECT * FROM usage_preview('views_daily', 4, days => 6);
SELECT pg_temp.clock('2025-03-11 09:00:00+00');

-- Who has a limit of his own, or another tier, is not concerned.
SELECT tier FROM usage_set_tier('preview-1', 'pro');
SELECT user_id, would_deny FROM usage_preview('views_daily', 4);
SELECT user_id, would_deny FROM usage_preview('views_daily', 4, 'pro');
SELECT user_id, would_deny FROM usage_preview('views_daily', 4, 'free');
SELECT limit_value FROM usage_set_override('views_daily', 100, user_id => 'preview-1', expires_at => '2025-03-11 10:00:00+00');
SELECT user_id, would_deny FROM usage_preview('views_daily', 4);
SELECT pg_temp.clock('2025-03-11 10:00:00+00');
SELECT user_id, would_deny FROM usage_preview('views_daily', 4);

-- What was given back or corrected; what failed; what is counted only for its tokens.
INSERT INTO usage_limits_config (limit_type, usage_type, measure, period, alignment, free_tier_limit) VALUES ('views_tokens', 'view', 'tokens', '1 day', 'calendar', -1);
SELECT pg_temp.clock('2025-03-12 08:00:00+00');
SELECT event_id AS event FROM usage_consume('preview-3', 'view', 3, tokens_used => 10) \gset
SELECT current FROM usage_refund(:event, 2);
SELECT usage_track('preview-3', 'view', status => 'failed') > 0 AS tracked;
SELECT usage_track('preview-3', 'view', 0, tokens_used => 100) > 0 AS tracked;
SELECT current FROM usage_consume('preview-3', 'view', 3, tokens_used => 1);
SELECT current FROM usage_adjust('preview-3', 'view', -4);
SELECT current FROM usage_consume('preview-3', 'view', 4, tokens_used => 1);
SELECT v, p.* FROM unnest(ARRAY[3, 4]) AS v, usage_preview('views_daily', v, days => 1) p;
SELECT v, p.* FROM unnest(ARRAY[105, 106, 112]) AS v, usage_preview('views_tokens', v, days => 1) p;
DELETE FROM usage_limits_config WHERE limit_type = 'views_tokens';
-- a refund of another day does not count today
SELECT pg_temp.clock('2025-03-13 08:00:00+00');
SELECT allowed FROM usage_consume('preview-4', 'view', 3);
SELECT current FROM usage_refund(:event);
SELECT allowed FROM usage_consume('preview-4', 'view', 3);
SELECT user_id, would_deny FROM usage_preview('views_daily', 5, days => 1);
-- one subtype
INSERT INTO usage_limits_config (limit_type, usage_type, event_subtype, period, alignment, free_tier_limit) VALUES ('views_large', 'view', 'large', '1 day', 'calendar', -1);
SELECT allowed FROM usage_consume('preview-5', 'view', 2, event_subtype => 'large');
SELECT allowed FROM usage_consume('preview-5', 'view', 5, event_subtype => 'small');
SELECT allowed FROM usage_consume('preview-5', 'view', 2, event_subtype => 'large');
SELECT user_id, would_deny FROM usage_preview('views_large', 3, days => 1);
DELETE FROM usage_limits_config WHERE limit_type = 'views_large';

-- Counters, where a type logs no events: requests are taken as of one size.
INSERT INTO usage_types (usage_type, log_events) VALUES ('glance', false);
INSERT INTO usage_limits_config (limit_type, free_tier_limit) VALUES ('glances_daily', -1), ('glances_monthly', -1);
SELECT allowed FROM usage_consume('preview-6', 'glance', 2);
SELECT allowed FROM usage_consume('preview-6', 'glance', 2);
SELECT allowed FROM usage_consume('preview-6', 'glance', 5);
SELECT pg_temp.clock('2025-03-14 08:00:00+00');
SELECT allowed FROM usage_consume('preview-6', 'glance', 4);
SELECT v, p.* FROM unnest(ARRAY[0, 2, 3, 4, 6, 8, 9]) AS v, usage_preview('glances_daily', v) p;
SELECT v, p.* FROM unnest(ARRAY[9, 12, 13]) AS v, usage_preview('glances_monthly', v) p;
-- the month's usage from before the dates is there
SELECT v, p.* FROM unnest(ARRAY[9, 12, 13]) AS v, usage_preview('glances_monthly', v, days => 1) p;

-- Of every kind: the same as what happens when the value is really set.
CREATE TEMP TABLE requests (n bigint GENERATED ALWAYS AS IDENTITY, user_id text, at timestamptz, amount bigint);
SELECT setseed(0.5);
INSERT INTO requests (user_id, at, amount)
SELECT 'preview-r' || u, '2025-03-01 00:00:00+00'::timestamptz + trunc(random() * 20 * 86400) * interval '1 second', 1 + trunc(random() ^ 4 * 9)
FROM generate_series(1, 5) AS u, generate_series(1, 60) ORDER BY 2;
INSERT INTO user_subscriptions (user_id, tier, anchor_at, time_zone) VALUES ('preview-r1', 'free', '2025-01-31 10:00:00+00', 'America/New_York'), ('preview-r2', 'free', '2025-03-14 20:00:00+00', NULL);
CREATE TEMP TABLE kinds (n int GENERATED ALWAYS AS IDENTITY, kind text, period interval, alignment text, value bigint, burst bigint);
INSERT INTO kinds (kind, period, alignment, value, burst) VALUES
	('counter', '1 day', 'calendar', 8, NULL), ('counter', '7 days', 'calendar', 20, NULL), ('counter', '1 month', 'calendar', 80, NULL), ('counter', '1 hour', 'calendar', 4, NULL),
	('counter', '1 month', 'anniversary', 60, NULL), ('counter', '5 days', 'anniversary', 25, NULL), ('counter', '7 hours', 'anniversary', 5, NULL),
	('counter', '1 day', 'sliding', 9, NULL), ('counter', '3 hours', 'sliding', 5, NULL), ('counter', '7 days', 'sliding', 30, NULL), ('counter', NULL, 'none', 70, NULL), ('gauge', NULL, 'none', 70, NULL),
	('rate', '1 day', 'none', 9, NULL), ('rate', '3 hours', 'none', 1, 4), ('rate', '7 hours', 'none', 3, 6), ('counter', '1 day', 'calendar', 0, NULL), ('rate', '1 day', 'none', 0, 3);
-- replay_n is as it was, real_n has the value
INSERT INTO usage_limits_config (limit_type, usage_type, kind, period, alignment, free_tier_limit, burst)
SELECT 'replay_' || n, 'replay_' || n, kind, period, alignment, -1, burst FROM kinds UNION ALL SELECT 'real_' || n, 'real_' || n, kind, period, alignment, value, burst FROM kinds;
CREATE TEMP TABLE denied (n int, user_id text, at timestamptz);
DO $$
DECLARE
	r record;
	d usage_decision;
BEGIN
	FOR r IN SELECT k.n, q.user_id, q.at, q.amount FROM requests q, kinds k ORDER BY q.n LOOP
		PERFORM pg_temp.clock(r.at);
		PERFORM usage_consume(r.user_id, 'replay_' || r.n, r.amount);
		-- those before the dates are as they were
		IF r.at < '2025-03-11 00:00:00+00' THEN
			PERFORM usage_track(r.user_id, 'real_' || r.n, r.amount);
			CONTINUE;
		END IF;
		d := usage_consume(r.user_id, 'real_' || r.n, r.amount);
		IF NOT d.allowed THEN
			INSERT INTO denied VALUES (r.n, r.user_id, r.at);
		END IF;
	END LOOP;
END $$;
SELECT pg_temp.clock('2025-03-20 23:59:59+00');
WITH previews AS (SELECT k.n, p.user_id, p.would_deny, p.first_at FROM kinds k, usage_preview('replay_' || k.n, k.value, days => 10) p),
	truth AS (SELECT n, user_id, count(*) AS denied, min(at) AS first_at FROM denied GROUP BY n, user_id)
SELECT k.kind, k.period, k.alignment, k.value, k.burst, sum(x.would_deny) > 10 AS many, count(*) FILTER (WHERE (x.would_deny, x.first_at) IS DISTINCT FROM (x.denied, x.truly_first)) AS wrong
FROM kinds k LEFT JOIN (SELECT n, user_id, p.would_deny, p.first_at, t.denied, t.first_at AS truly_first FROM previews p FULL JOIN truth t USING (n, user_id)) x USING (n)
GROUP BY k.n, k.kind, k.period, k.alignment, k.value, k.burst ORDER BY k.n;

-- What it does not do.
INSERT INTO usage_limits_config (limit_type, free_tier_limit) VALUES ('concurrent_views', 1);
INSERT INTO usage_limits_config (limit_type, is_active) VALUES ('idle_views_daily', false);
SELECT c, pg_temp.try('SELECT usage_preview(' || c || ')') FROM unnest(ARRAY[$$'nothing', 1$$, $$'idle_views_daily', 1$$, $$'concurrent_views', 1$$, $$'views_daily', -2$$, $$'views_daily', NULL$$, $$NULL, 1$$,
	$$'views_daily', 1, days => 0$$, $$'views_daily', 1, days => 3651$$, $$'views_daily', 1, days => NULL$$, $$'views_daily', 1, 'gold'$$, $$'views_daily', 1, ''$$, $$'views_daily', 9223372036854775807$$]) AS c;
BEGIN READ ONLY;
SELECT count(*) FROM usage_preview('views_daily', 4, days => 30);
ROLLBACK;

RESET usage_limits.test_clock;
DELETE FROM usage_limits_config WHERE usage_type IN ('view', 'glance', 'concurrent_views', 'idle_view') OR usage_type ~ '^(replay|real)_';
DELETE FROM usage_limit_overrides WHERE limit_type = 'views_daily';
DELETE FROM usage_types WHERE usage_type = 'glance';
DELETE FROM user_subscriptions WHERE user_id LIKE 'preview-%';
DELETE FROM usage_rates;
