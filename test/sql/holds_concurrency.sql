-- Concurrency limits: how many holds are open.  Batch release; holds that are
-- bound to a session; the view of open holds.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2025-06-11 10:30:00+00';
\set SHOW_CONTEXT never
\set decision 'allowed, reason, limit_type, requested, current, "limit", remaining, reset_at, retry_after, event_id IS NOT NULL AS event, hold_id'

-- One render at a time; a free user's second one could start when the first expires.
SELECT :decision FROM usage_check('many-1', 'concurrent_renders');
SELECT :decision FROM usage_hold('many-1', 'concurrent_renders', hold_id => 'many-1-a');
SELECT :decision FROM usage_check('many-1', 'concurrent_renders');
SELECT :decision FROM usage_hold('many-1', 'concurrent_renders');
SELECT limit_type, kind, allowed, current, "limit", remaining, reset_at FROM usage_status('many-1') WHERE limit_type = 'concurrent_renders';
SELECT usage_summary('many-1') -> 'concurrent_renders' AS renders;
SELECT :decision FROM usage_settle('many-1-a', duration_ms => 1000);
SELECT :decision FROM usage_hold('many-1', 'concurrent_renders', hold_id => 'many-1-b');
SELECT usage_release('many-1-b', 'failed', 'no such font');
SELECT status, amount, operation FROM usage_events WHERE user_id = 'many-1' ORDER BY id;
-- what is open at once cannot be consumed
SELECT usage_consume('many-1', 'concurrent_renders');
SELECT usage_track('many-1', 'concurrent_renders');

-- A hold is one, whatever its amount.  More would fit when enough have expired.
SELECT tier FROM usage_set_tier('many-2', 'pro');
SELECT :decision FROM usage_hold('many-2', 'concurrent_renders', 128, '30 minutes', 'many-2-a');
SELECT :decision FROM usage_hold('many-2', 'concurrent_renders', 1, '10 minutes', 'many-2-b');
SELECT :decision FROM usage_hold('many-2', 'concurrent_renders', 1, '20 minutes', 'many-2-c');
SELECT :decision FROM usage_hold('many-2', 'concurrent_renders', 5);
SELECT :decision FROM usage_check_limit('many-2', 'concurrent_renders', 2);
SELECT :decision FROM usage_check_limit('many-2', 'concurrent_renders', 3);
SELECT :decision FROM usage_check_limit('many-2', 'concurrent_renders', 4);
SELECT limit_type, current, allowed, reason FROM usage_explain('many-2', 'concurrent_renders', 5);
SELECT usage_renew('many-2-b', '40 minutes');
SELECT :decision FROM usage_check('many-2', 'concurrent_renders');
SET usage_limits.test_clock = '2025-06-11 10:50:00+00';
SELECT :decision FROM usage_check('many-2', 'concurrent_renders');
-- settling more than was held asks a concurrency limit nothing
SELECT :decision FROM usage_settle('many-2-a', 1000);

-- Together with limits on the amount, all hold: all or nothing, and the one that lasts longest is named.
INSERT INTO usage_limits_config (limit_type, usage_type, kind, free_tier_limit) VALUES
	('cuts_at_once', 'cut', 'concurrency', 2), ('cuts_daily', 'cut', 'counter', 10);
SELECT :decision FROM usage_hold('many-3', 'cut', 6, hold_id => 'many-3-a');
SELECT :decision FROM usage_hold('many-3', 'cut', 6);
SELECT :decision FROM usage_hold('many-3', 'cut', 4, hold_id => 'many-3-b');
SELECT :decision FROM usage_hold('many-3', 'cut', 1);
SELECT :decision FROM usage_settle('many-3-b', 0);
SELECT :decision FROM usage_hold('many-3', 'cut', 1, hold_id => 'many-3-c');
SELECT :decision FROM usage_hold('many-3', 'cut', 1);
SELECT limit_type, current FROM usage_status('many-3') WHERE usage_type = 'cut';
-- a limit on a subtype counts holds of that subtype
INSERT INTO usage_limits_config (limit_type, usage_type, kind, event_subtype, free_tier_limit) VALUES
	('cuts_4k_at_once', 'cut', 'concurrency', '4k', 1);
SELECT usage_release_all('many-3');
SELECT :decision FROM usage_hold('many-3', 'cut', 1, event_subtype => '4k', hold_id => 'many-3-d');
SELECT :decision FROM usage_hold('many-3', 'cut', 1, event_subtype => '4k');
SELECT :decision FROM usage_hold('many-3', 'cut', 1, event_subtype => 'hd', hold_id => 'many-3-e');
-- counted by amount, another user's holds are not
SELECT :decision FROM usage_hold('many-3-other', 'cut', 1, event_subtype => '4k', hold_id => 'many-3-f');

-- All of a user's holds at once, of one type or of all, and nobody else's.
SELECT allowed FROM usage_hold('many-3', 'export', hold_id => 'many-3-g');
SELECT allowed FROM usage_hold('many-3', 'export', 1, '1 second', 'many-3-h');
SET usage_limits.test_clock = '2025-06-11 10:50:01+00';
SELECT usage_release_all('many-3', 'prompt');
SELECT usage_release_all('many-3', 'cut', 'cancelled', 'logged out');
SELECT usage_release_all('many-3');
SELECT usage_release_all('many-3');
SELECT usage_release_all('many-3', status => 'success');
SELECT event_type, event_subtype, status, error_message FROM usage_events WHERE user_id = 'many-3' AND status <> 'success' ORDER BY id;
SELECT hold_id, state FROM usage_holds WHERE user_id ~ '^many-3' ORDER BY 1;
DELETE FROM usage_limits_config WHERE usage_type = 'cut';
SELECT usage_release('many-3-f');

-- Transactions: a hold is given back with a savepoint, and is this transaction's own at once.
BEGIN;
SELECT allowed FROM usage_hold('many-4', 'concurrent_renders', hold_id => 'many-4-a');
SAVEPOINT s;
SELECT :decision FROM usage_settle('many-4-a');
SELECT allowed FROM usage_hold('many-4', 'concurrent_renders', hold_id => 'many-4-b');
ROLLBACK TO s;
SELECT hold_id FROM usage_open_holds WHERE user_id = 'many-4';
SELECT allowed, current FROM usage_hold('many-4', 'concurrent_renders', hold_id => 'many-4-b');
SELECT usage_release('many-4-a');
SELECT allowed, current FROM usage_hold('many-4', 'concurrent_renders', hold_id => 'many-4-b');
ROLLBACK;
SELECT count(*) FROM usage_holds WHERE user_id = 'many-4';
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT allowed FROM usage_hold('many-4', 'export', 3, hold_id => 'many-4-c');
SAVEPOINT s;
SELECT allowed FROM usage_hold('many-4', 'export', 1, hold_id => 'many-4-d');
SELECT current FROM usage_settle('many-4-c', 1);
SELECT allowed FROM usage_hold('many-4', 'export', 1, hold_id => 'many-4-d');
SELECT usage_renew('many-4-d', '1 hour');
SELECT usage_release('many-4-d');
RELEASE s;
COMMIT;
SELECT hold_id, state, amount, settled_amount FROM usage_holds WHERE user_id = 'many-4' ORDER BY 1;
SELECT count FROM user_usage WHERE user_id = 'many-4';
BEGIN;
SELECT allowed FROM usage_hold('many-4', 'export', 2, hold_id => 'many-4-e');
PREPARE TRANSACTION 'many-4';
SELECT hold_id FROM usage_open_holds WHERE user_id = 'many-4';
COMMIT PREPARED 'many-4';
BEGIN;
SELECT current FROM usage_settle('many-4-e');
PREPARE TRANSACTION 'many-4';
ROLLBACK PREPARED 'many-4';
SELECT allowed, current FROM usage_check('many-4', 'export');
SELECT hold_id FROM usage_open_holds WHERE user_id = 'many-4';

-- Bound to a session: it is open while that lives.
SELECT allowed, hold_id FROM usage_hold('many-5', 'concurrent_renders', session_bound => true, hold_id => 'many-5-a');
SELECT hold_id, backend_pid = pg_backend_pid() AS mine FROM usage_open_holds WHERE user_id = 'many-5';
SELECT h.backend_start = a.backend_start AS mine FROM usage_holds h JOIN pg_stat_activity a ON a.pid = h.backend_pid WHERE h.hold_id = 'many-5-a';
SELECT allowed, current FROM usage_check('many-5', 'concurrent_renders');
\c -
SET timezone = 'UTC';
SET usage_limits.test_clock = '2025-06-11 10:50:01+00';
\set SHOW_CONTEXT never
-- the server may take a moment to end the session
DO $$ BEGIN WHILE EXISTS (SELECT FROM usage_open_holds WHERE user_id = 'many-5') LOOP PERFORM pg_sleep(0.01); END LOOP; END $$;
SELECT allowed, current FROM usage_check('many-5', 'concurrent_renders');
\set VERBOSITY terse
SELECT usage_settle('many-5-a');
SELECT usage_renew('many-5-a', '1 hour');
SELECT usage_hold('many-5', 'concurrent_renders', session_bound => true, hold_id => 'many-5-a');
\set VERBOSITY default
SELECT usage_release('many-5-a');
SELECT allowed FROM usage_hold('many-5', 'concurrent_renders', session_bound => true, hold_id => 'many-5-b');
-- a process number is not enough: another process may have had it
UPDATE usage_holds SET backend_start = backend_start - interval '1 microsecond' WHERE hold_id = 'many-5-b';
SELECT hold_id FROM usage_open_holds WHERE user_id = 'many-5';
SELECT allowed, current FROM usage_check('many-5', 'concurrent_renders');
SELECT usage_limits_session_lives(NULL, NULL), usage_limits_session_lives(pg_backend_pid(), now()), usage_limits_session_lives(-1, now()),
	usage_limits_session_lives(a.pid, a.backend_start) FROM pg_stat_activity a WHERE a.pid = pg_backend_pid();

-- Nothing here needs a right on a table, and only whoever administers sees the view.
CREATE ROLE regress_usage_hold_app;
CREATE ROLE regress_usage_hold_admin;
SELECT usage_grant('regress_usage_hold_app', 'app'), usage_grant('regress_usage_hold_admin', 'admin');
SET ROLE regress_usage_hold_app;
SELECT allowed FROM usage_hold('many-6', 'export', 1, hold_id => 'many-6-a');
SELECT allowed FROM usage_settle('many-6-a');
SELECT usage_renew(hold_id, '1 hour') IS NOT NULL AS renewed, usage_release(hold_id) FROM usage_hold('many-6', 'export');
SELECT usage_release_all('many-6');
SELECT * FROM usage_open_holds;
RESET ROLE;
SET ROLE regress_usage_hold_admin;
SELECT count(*) FROM usage_open_holds WHERE user_id = 'many-6';
SELECT count(*) FROM usage_holds;
RESET ROLE;
SELECT usage_revoke('regress_usage_hold_app'), usage_revoke('regress_usage_hold_admin');
DROP ROLE regress_usage_hold_app, regress_usage_hold_admin;
