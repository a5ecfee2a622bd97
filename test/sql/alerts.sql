-- Thresholds: a row of usage_alert_log and a notification, once a window.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2025-12-01 10:30:00+00';
\set SHOW_CONTEXT never
\set VERBOSITY terse
-- what is new in the log since the last time
CREATE TEMP TABLE seen (id bigint);
CREATE FUNCTION pg_temp.reported() RETURNS TABLE (user_id text, limit_type text, alert text, current bigint, "limit" bigint, threshold bigint, window_start timestamptz, window_end timestamptz, created_at timestamptz) LANGUAGE sql AS $$
	WITH fresh AS (INSERT INTO seen SELECT l.id FROM usage_alert_log l WHERE l.id NOT IN (SELECT s.id FROM seen s) RETURNING id)
	SELECT l.user_id, l.limit_type, coalesce(a.percent || '%', a.value::text), l.current, l."limit", l.threshold, l.window_start, l.window_end, l.created_at
	FROM fresh f JOIN usage_alert_log l ON l.id = f.id LEFT JOIN usage_alerts a ON a.id = l.alert_id ORDER BY l.user_id, l.limit_type, l.alert_id, l.id
$$;

-- Without alerts nothing is reported.
SELECT limit_type FROM usage_set_limit('alerts_daily', 10);
SELECT allowed FROM usage_consume('al-0', 'alert', 10);
SELECT count(*) FROM usage_alert_log;

-- Thresholds that make no sense.
INSERT INTO usage_alerts (limit_type) VALUES ('alerts_daily');
INSERT INTO usage_alerts (limit_type, percent, value) VALUES ('alerts_daily', 80, 8);
INSERT INTO usage_alerts (limit_type, percent) VALUES ('alerts_daily', 0);
INSERT INTO usage_alerts (limit_type, percent) VALUES ('alerts_daily', -1);
INSERT INTO usage_alerts (limit_type, percent) VALUES ('alerts_daily', 10001);
INSERT INTO usage_alerts (limit_type, percent) VALUES ('alerts_daily', 'NaN');
INSERT INTO usage_alerts (limit_type, value) VALUES ('alerts_daily', 0);
INSERT INTO usage_alerts (limit_type, percent) VALUES ('alert_daily', 50);
SELECT severity, what FROM usage_doctor() WHERE what ~ 'usage_alerts';
DELETE FROM usage_alerts;

-- Up to a threshold, to it, beyond it: reported once, when it is reached.
INSERT INTO usage_alerts (limit_type, percent) VALUES ('alerts_daily', 50), ('alerts_daily', 80), ('alerts_daily', 100);
SELECT allowed FROM usage_consume('al-1', 'alert', 4);
SELECT * FROM pg_temp.reported();
SELECT allowed FROM usage_consume('al-1', 'alert', 1);
SELECT * FROM pg_temp.reported();
SELECT allowed FROM usage_consume('al-1', 'alert', 2);
SELECT * FROM pg_temp.reported();
-- a jump over two
SELECT allowed FROM usage_consume('al-1', 'alert', 3);
SELECT * FROM pg_temp.reported();
-- a denial reports nothing; nor does what comes after
SELECT allowed FROM usage_consume('al-1', 'alert', 1);
SELECT usage_track('al-1', 'alert', 5) > 0 AS tracked;
SELECT * FROM pg_temp.reported();
-- all three at once
SELECT allowed FROM usage_consume('al-2', 'alert', 10);
SELECT * FROM pg_temp.reported();
-- what goes down and up again in the window is reported once
SELECT current FROM usage_adjust('al-2', 'alert', -9);
SELECT allowed FROM usage_consume('al-2', 'alert', 9);
SELECT current FROM usage_reset('al-2', 'alert');
SELECT allowed FROM usage_consume('al-2', 'alert', 10);
SELECT * FROM pg_temp.reported();
-- another window is another
SET usage_limits.test_clock = '2025-12-02 00:00:00+00';
SELECT allowed FROM usage_consume('al-2', 'alert', 6);
SELECT * FROM pg_temp.reported();
SET usage_limits.test_clock = '2025-12-02 10:30:00+00';

-- Whatever raises usage: tracking, adjusting, several at once, a check action's
-- consume, an enforced one; not what lowers it, fails or asks.
SELECT usage_track('al-3', 'alert', 5) > 0 AS tracked;
SELECT * FROM pg_temp.reported();
SELECT current FROM usage_adjust('al-4', 'alert', 12);
SELECT * FROM pg_temp.reported();
SELECT allowed FROM usage_consume_many('al-5', '{"alert": 5, "other": 1}');
SELECT * FROM pg_temp.reported();
SELECT allowed FROM usage_enforce('al-6', 'alert', 9);
SELECT * FROM pg_temp.reported();
SELECT allowed FROM usage_check('al-7', 'alert', 9);
SELECT usage_track('al-7', 'alert', 9, status => 'failed') > 0 AS tracked;
SELECT allowed FROM usage_consume('al-7', 'alert', 0);
SELECT usage_track('al-7', 'alert', 9, occurred_at => '2025-12-01 10:00:00+00') > 0 AS tracked;
SELECT * FROM pg_temp.reported();
-- with tracking off nothing
SET usage_limits.tracking_enabled = off;
SELECT allowed FROM usage_consume('al-7', 'alert', 9);
RESET usage_limits.tracking_enabled;
SELECT * FROM pg_temp.reported();
-- without enforcement, or events, all the same
SET usage_limits.enforcement = off;
SET usage_limits.analytics_enabled = off;
SELECT allowed FROM usage_consume('al-7', 'alert', 11);
RESET usage_limits.enforcement;
RESET usage_limits.analytics_enabled;
SELECT * FROM pg_temp.reported();

-- Transactions: what rolls back is not reported, and comes again.
BEGIN;
SELECT allowed FROM usage_consume('al-8', 'alert', 5);
SELECT count(*) FROM usage_alert_log WHERE user_id = 'al-8';
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT allowed FROM usage_consume('al-8', 'alert', 8);
ROLLBACK TO s;
SELECT allowed FROM usage_consume('al-8', 'alert', 5);
COMMIT;
SELECT * FROM pg_temp.reported();
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT allowed FROM usage_consume('al-8', 'alert', 3);
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT usage_track('al-8', 'alert', 2) > 0 AS tracked;
SET TRANSACTION READ ONLY;
COMMIT;
SELECT * FROM pg_temp.reported();

-- Soft limits, beyond 100 percent too, and shadows.
SELECT enforcement FROM usage_set_limit('alerts_daily', 10, enforcement => 'soft');
INSERT INTO usage_alerts (limit_type, percent) VALUES ('alerts_daily', 150.5);
SELECT allowed, reason FROM usage_consume('al-9', 'alert', 15);
SELECT * FROM pg_temp.reported();
SELECT allowed, reason FROM usage_consume('al-9', 'alert', 1);
SELECT * FROM pg_temp.reported();
SELECT enforcement FROM usage_set_limit('alerts_daily', 10, enforcement => 'hard');

-- Percentages round up, and follow the user's limit; a value is a value, for
-- unlimited users too; without a limit_type it is for all.
DELETE FROM usage_alerts;
INSERT INTO usage_alerts (limit_type, percent) VALUES (NULL, 33.3333334);
INSERT INTO usage_alerts (limit_type, value) VALUES (NULL, 7);
SELECT free_tier_limit FROM usage_set_limit('alerts_daily', 9);
SELECT allowed FROM usage_consume('al-10', 'alert', 3);
SELECT * FROM pg_temp.reported();
SELECT allowed FROM usage_consume('al-10', 'alert', 1);
SELECT * FROM pg_temp.reported();
SELECT limit_value FROM usage_set_override('alerts_daily', -1, 'al-11');
SELECT allowed FROM usage_consume('al-11', 'alert', 7);
SELECT * FROM pg_temp.reported();
SELECT limit_value FROM usage_set_override('alerts_daily', 0, 'al-12');
SELECT usage_track('al-12', 'alert', 0) > 0 AS tracked;
SELECT * FROM pg_temp.reported();
SELECT usage_track('al-12', 'alert', 1) > 0 AS tracked;
SELECT * FROM pg_temp.reported();
-- as large as they get
SELECT limit_value FROM usage_set_override('alerts_daily', 9223372036854775807, 'al-13');
SELECT allowed FROM usage_consume('al-13', 'alert', 1000000000000000);
SELECT * FROM pg_temp.reported();
-- several limits on a type; other measures and subtypes
SELECT limit_type FROM usage_set_limit('alert_tokens_daily', 1000, usage_type => 'alert', measure => 'tokens');
SELECT limit_type FROM usage_set_limit('alert_big_monthly', 2, usage_type => 'alert', event_subtype => 'big');
SELECT allowed FROM usage_consume('al-14', 'alert', 1, 'big', tokens_used => 400);
SELECT usage_track('al-14', 'alert', 0, tokens_used => 1) > 0 AS tracked;
SELECT * FROM pg_temp.reported();
-- an inactive limit is as if it were not there
UPDATE usage_limits_config SET is_active = false WHERE limit_type = 'alerts_daily';
SELECT allowed FROM usage_consume('al-15', 'alert', 9);
SELECT * FROM pg_temp.reported();
UPDATE usage_limits_config SET is_active = true WHERE limit_type = 'alerts_daily';
-- usage that is there when a threshold is set is reported with the next use
SELECT allowed FROM usage_consume('al-15', 'alert', 0);
SELECT * FROM pg_temp.reported();
SELECT usage_track('al-15', 'alert', 1) > 0 AS tracked;
SELECT * FROM pg_temp.reported();
DELETE FROM usage_limits_config WHERE limit_type IN ('alert_tokens_daily', 'alert_big_monthly', 'alerts_daily');
DELETE FROM usage_limit_overrides WHERE limit_type = 'alerts_daily';

-- Gauges: once in their lifetime.
SELECT limit_type FROM usage_set_limit('alerts_mb', 10);
SELECT current FROM usage_set_gauge('al-20', 'alerts_mb', 8);
SELECT * FROM pg_temp.reported();
SELECT current FROM usage_set_gauge('al-20', 'alerts_mb', 1);
SELECT current FROM usage_set_gauge('al-20', 'alerts_mb', 9);
SELECT * FROM pg_temp.reported();
-- an attached table's rows
CREATE TABLE alert_files (owner text, mb int);
INSERT INTO alert_files VALUES ('al-21', 4);
SELECT usage_attach('alert_files', 'alerts_mb', 'owner', 'mb');
SELECT * FROM pg_temp.reported();
INSERT INTO alert_files VALUES ('al-21', 3), ('al-22', 7);
SELECT * FROM pg_temp.reported();
DROP TABLE alert_files;
DELETE FROM usage_limits_config WHERE limit_type = 'alerts_mb';

-- Sliding windows: once a period.
SELECT limit_type, alignment FROM usage_set_limit('alerts_hourly', 10);
SELECT allowed FROM usage_consume('al-30', 'alert', 7);
SELECT * FROM pg_temp.reported();
SET usage_limits.test_clock = '2025-12-02 11:00:00+00';
SELECT current FROM usage_adjust('al-30', 'alert', -6);
SELECT allowed FROM usage_consume('al-30', 'alert', 6);
SELECT * FROM pg_temp.reported();
SET usage_limits.test_clock = '2025-12-02 12:10:00+00';
SELECT allowed FROM usage_consume('al-30', 'alert', 7);
SELECT * FROM pg_temp.reported();
DELETE FROM usage_limits_config WHERE limit_type = 'alerts_hourly';
-- rates have none
SELECT kind FROM usage_set_limit('alerts_rate', 10, usage_type => 'alert', kind => 'rate', period => '1 minute');
SELECT allowed FROM usage_consume('al-31', 'alert', 10);
SELECT * FROM pg_temp.reported();
DELETE FROM usage_limits_config WHERE limit_type = 'alerts_rate';

-- What was missed, usage_maintain reports: here, usage that came in by hand, but not what an alert is too new for.
DELETE FROM usage_alerts;
SELECT limit_type FROM usage_set_limit('alerts_daily', 10);
SET usage_limits.test_clock = '2025-12-02 13:00:00+00';
INSERT INTO usage_alerts (limit_type, percent) VALUES ('alerts_daily', 50);
SELECT * FROM usage_maintain() WHERE what ~ 'alerts';
INSERT INTO usage_counters (user_id, usage_type, bucket_start, amount, events) VALUES ('al-50', 'alert', '2025-12-02 00:00:00+00', 6, 1);
SELECT * FROM pg_temp.reported();
SELECT * FROM usage_maintain() WHERE what ~ 'alerts';
SELECT * FROM pg_temp.reported();
SELECT * FROM usage_maintain() WHERE what ~ 'alerts';
-- and forgets what is old, but not before its window is over
INSERT INTO usage_alert_log (user_id, limit_type, alert_id, window_start, current, "limit", created_at, window_end) VALUES
	('al-51', 'x_daily', 1, '2025-01-01', 1, 1, '2025-01-01', '2025-01-02'),
	('al-51', 'x_total', 1, NULL, 1, 1, '2025-01-01', NULL),
	('al-51', 'x_yearly', 1, '2025-01-01', 1, 1, '2025-01-01', '2026-01-01');
SELECT * FROM usage_maintain() WHERE what ~ 'alerts';
SELECT limit_type FROM usage_alert_log WHERE user_id = 'al-51';

-- What is open at once: a hold that reaches a threshold is reported, and what is
-- settled, released or denied is not.
INSERT INTO usage_alerts (limit_type, percent) VALUES ('concurrent_alerts', 60), ('concurrent_alerts', 100);
SELECT limit_type, kind FROM usage_set_limit('concurrent_alerts', 3);
SELECT allowed, current FROM usage_hold('al-60', 'concurrent_alerts', hold_id => 'al-1');
SELECT * FROM pg_temp.reported();
SELECT allowed, current FROM usage_hold('al-60', 'concurrent_alerts', hold_id => 'al-2');
SELECT user_id, limit_type, alert, current, "limit", threshold, window_start, window_end FROM pg_temp.reported();
SELECT usage_release('al-2');
BEGIN;
SELECT allowed, current FROM usage_hold('al-60', 'concurrent_alerts', hold_id => 'al-3');
SELECT allowed, current FROM usage_hold('al-60', 'concurrent_alerts', hold_id => 'al-4');
SELECT user_id, limit_type, alert, current, "limit", threshold FROM pg_temp.reported();
ROLLBACK;
SELECT count(*) FROM usage_alert_log WHERE user_id = 'al-60';
SELECT allowed, current FROM usage_hold('al-60', 'concurrent_alerts', hold_id => 'al-3');
SELECT allowed, current FROM usage_hold('al-60', 'concurrent_alerts', hold_id => 'al-4');
SELECT allowed, current FROM usage_hold('al-60', 'concurrent_alerts', hold_id => 'al-5');
SELECT user_id, limit_type, alert, current, "limit", threshold FROM pg_temp.reported();
SELECT allowed FROM usage_settle('al-1');
SELECT * FROM pg_temp.reported();
DELETE FROM usage_holds WHERE user_id = 'al-60';
DELETE FROM usage_limits_config WHERE limit_type = 'concurrent_alerts';

-- Once a window, whoever tries: the table itself sees to it.
INSERT INTO usage_alert_log (user_id, limit_type, alert_id, window_start, current, "limit") SELECT user_id, limit_type, alert_id, window_start, 1, 1 FROM usage_alert_log WHERE user_id = 'al-50' LIMIT 1;
INSERT INTO usage_alert_log (user_id, limit_type, alert_id, current, "limit") VALUES ('al-52', 'x_total', 1, 1, 1), ('al-52', 'x_total', 1, 1, 1);

-- Cleaning up.
DELETE FROM usage_alerts;
DELETE FROM usage_alert_log;
DELETE FROM usage_limits_config WHERE limit_type = 'alerts_daily';
