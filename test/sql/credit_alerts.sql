-- Thresholds of credits: a row of usage_alert_log and a notification each time
-- that a balance falls below one, whatever has made it fall.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2025-08-04 10:00Z';
\set SHOW_CONTEXT never
\set VERBOSITY terse
-- what is new in the log since the last time
CREATE TEMP TABLE seen (id bigint);
CREATE FUNCTION pg_temp.reported() RETURNS TABLE (user_id text, limit_type text, threshold bigint, current bigint, "limit" bigint, window_start timestamptz, window_end timestamptz, created_at timestamptz) LANGUAGE sql AS $$
	WITH fresh AS (INSERT INTO seen SELECT l.id FROM usage_alert_log l WHERE l.id NOT IN (SELECT s.id FROM seen s) RETURNING id)
	SELECT l.user_id, l.limit_type, l.threshold, l.current, l."limit", l.window_start, l.window_end, l.created_at
	FROM fresh f JOIN usage_alert_log l ON l.id = f.id ORDER BY l.id
$$;
SELECT count(*) AS before FROM pg_temp.reported() \gset

INSERT INTO usage_alerts (limit_type, percent) VALUES ('credits', 20);
INSERT INTO usage_alerts (limit_type, value) VALUES ('credits', 0);
INSERT INTO usage_alerts (limit_type, value) VALUES ('credits', 20), ('credits', 1), (NULL, 5);
SELECT count(*) FROM usage_doctor() WHERE what ~ 'usage_alerts';

-- A spend: below it, and not at it; a jump over several reports each.
SELECT balance FROM credit_grant('ca1', 30);
SELECT balance FROM credit_spend('ca1', 10);
SELECT * FROM pg_temp.reported();
SELECT balance FROM credit_spend('ca1', 1);
SELECT * FROM pg_temp.reported();
SELECT balance FROM credit_spend('ca1', 5);
SELECT * FROM pg_temp.reported();
SELECT balance FROM credit_spend('ca1', 14);
SELECT * FROM pg_temp.reported();
SET usage_limits.test_clock = '2025-08-04 10:01Z';
SELECT balance FROM credit_grant('ca1', 100);
SELECT balance FROM credit_spend('ca1', 100, reference_id => 'all');
SELECT * FROM pg_temp.reported();
-- a denial reports nothing
SELECT allowed FROM credit_spend('ca1', 1, throw_on_insufficient => false);
SELECT * FROM pg_temp.reported();
-- who has never had any is not told
SELECT allowed FROM credit_spend('ca2', 1, throw_on_insufficient => false);
SELECT balance FROM credit_grant('ca2', 19);
SELECT balance FROM credit_spend('ca2', 9);
SELECT * FROM pg_temp.reported();

-- A chargeback; and what is held is still in the balance until it is settled.
SET usage_limits.test_clock = '2025-08-04 10:02Z';
SELECT grant_id AS bought FROM credit_grant('ca3', 50) \gset
SELECT balance FROM credit_grant('ca3', 10);
SELECT allowed FROM credit_hold('ca3', 55, hold_id => 'ca3-a');
SELECT * FROM pg_temp.reported();
SELECT allowed FROM usage_settle('ca3-a', 30);
SELECT * FROM pg_temp.reported();
SELECT balance FROM credit_void(:bought);
SELECT * FROM pg_temp.reported();
-- from several grants
SET usage_limits.test_clock = '2025-08-04 10:03Z';
SELECT balance FROM credit_grant('ca3', 20);
SELECT balance FROM credit_spend('ca3', 25);
SELECT * FROM pg_temp.reported();

-- An expiry, at the next write.
SELECT balance FROM credit_grant('ca4', 30, expires_at => '2025-08-04 11:00Z');
SELECT balance FROM credit_grant('ca4', 15);
SET usage_limits.test_clock = '2025-08-04 12:00Z';
SELECT credit_balance('ca4');
SELECT * FROM pg_temp.reported();
SELECT allowed FROM credit_refill('ca4');
SELECT * FROM pg_temp.reported();
-- what has fallen and risen again meanwhile is not low any more
SELECT balance FROM credit_grant('ca5', 30, expires_at => '2025-08-04 13:00Z');
SELECT allowed FROM credit_grant('ca5', 40, effective_at => '2025-08-04 14:00Z');
SET usage_limits.test_clock = '2025-08-04 15:00Z';
SELECT balance FROM credit_spend('ca5', 1);
SELECT * FROM pg_temp.reported();
-- what has risen and falls again by one write is
SELECT balance FROM credit_grant('ca6', 25, recurs_every => '1 day');
SELECT balance FROM credit_spend('ca6', 24);
SELECT * FROM pg_temp.reported();
SET usage_limits.test_clock = '2025-08-05 15:00Z';
SELECT balance FROM credit_spend('ca6', 24);
SELECT * FROM pg_temp.reported();

-- Usage that costs credits.
SET usage_limits.credits_enabled = on;
INSERT INTO credit_costs (usage_type, credits) VALUES ('ca_chat', 6);
SELECT balance FROM credit_grant('ca7', 25);
SELECT allowed FROM usage_consume('ca7', 'ca_chat');
SELECT * FROM pg_temp.reported();
SELECT allowed FROM usage_hold('ca7', 'ca_chat', 3, hold_id => 'ca7-a');
SELECT * FROM pg_temp.reported();
SELECT allowed FROM usage_settle('ca7-a');
SELECT * FROM pg_temp.reported();
RESET usage_limits.credits_enabled;
DELETE FROM credit_costs;

-- To the savepoint, in a prepared transaction, at every level.
SELECT balance FROM credit_grant('ca8', 30);
BEGIN;
SAVEPOINT a;
SELECT balance FROM credit_spend('ca8', 20);
ROLLBACK TO a;
COMMIT;
SELECT * FROM pg_temp.reported();
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT balance FROM credit_spend('ca8', 20);
PREPARE TRANSACTION 'credit_alerts';
COMMIT PREPARED 'credit_alerts';
SELECT * FROM pg_temp.reported();

-- A threshold that is new is for the next fall; a limit of that name has those of all limits.
SELECT balance FROM credit_grant('ca9', 50);
INSERT INTO usage_alerts (limit_type, value) VALUES ('credits', 60);
SELECT balance FROM credit_spend('ca9', 1);
SELECT * FROM pg_temp.reported();
SELECT limit_type FROM usage_set_limit('credits', 100, usage_type => 'ca_credit');
SELECT allowed FROM usage_consume('ca9', 'ca_credit', 30);
SELECT * FROM pg_temp.reported();

DELETE FROM usage_limits_config WHERE limit_type = 'credits';
DELETE FROM usage_alerts;
SELECT * FROM usage_reconcile();
