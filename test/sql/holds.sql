-- Holds: usage_hold, usage_settle, usage_release, usage_renew.  What is held
-- counts as used; each hold ends once, and each step that cannot be taken has
-- an answer of its own.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2025-04-09 10:30:00+00';
\set SHOW_CONTEXT never
\set decision 'allowed, reason, limit_type, requested, current, "limit", remaining, reset_at, retry_after, event_id IS NOT NULL AS event, hold_id'
\set event 'operation, status, event_subtype, amount, tokens_used, duration_ms, scene_id, error_message, metadata, created_at, bucket_start'

-- A counter: what is held is used, and leaves no event before it is settled.
SELECT :decision FROM usage_hold('hold-1', 'export', 2, hold_id => 'hold-1-a', metadata => '{"job": 1}');
SELECT count(*) FROM usage_events WHERE user_id = 'hold-1';
SELECT count(*) FROM usage_counters WHERE user_id = 'hold-1';
SELECT :decision FROM usage_consume('hold-1', 'export', 2);
SELECT :decision FROM usage_check('hold-1', 'export', 2);
SELECT :decision FROM usage_check_limit('hold-1', 'exports_monthly', 9);
SELECT limit_type, allowed, current, remaining, percent_used FROM usage_status('hold-1') WHERE usage_type = 'export';
SELECT limit_type, current, remaining, allowed FROM usage_explain('hold-1', 'export', 2);
SELECT usage_summary('hold-1') -> 'exports' AS exports;
-- a made-up id is a new one each time
SELECT allowed, current, hold_id ~ '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$' AS made_up FROM usage_hold('hold-1', 'export');
SELECT :decision FROM usage_hold('hold-1', 'export', hold_id => 'hold-1-b');
SELECT count(*), count(DISTINCT hold_id) FROM usage_holds WHERE user_id = 'hold-1';
-- settled as held
SELECT :decision FROM usage_settle('hold-1-a', duration_ms => 1500, scene_id => '7f2c0000-0000-4000-8000-000000000001');
SELECT :event FROM usage_events WHERE user_id = 'hold-1';
SELECT amount, duration_ms, events FROM usage_counters WHERE user_id = 'hold-1';
-- settling again with the same amount is the same answer, with another an error
SELECT :decision FROM usage_settle('hold-1-a');
SELECT :decision FROM usage_settle('hold-1-a', 2, user_id => 'hold-1');
SELECT usage_settle('hold-1-a', 1);
SELECT usage_settle('hold-1-a', 2, tokens_used => 1);
SELECT usage_release('hold-1-a');
SELECT usage_renew('hold-1-a', '1 hour');
SELECT usage_hold('hold-1', 'export', 2, hold_id => 'hold-1-a');
SELECT count(*) FROM usage_events WHERE user_id = 'hold-1';

-- Less gives the rest back, 0 all of it.
SELECT :decision FROM usage_hold('hold-2', 'prompt', 6, hold_id => 'hold-2-a', tokens_used => 500);
SELECT :decision FROM usage_hold('hold-2', 'prompt', 4, hold_id => 'hold-2-b', metadata => '{"kept": true}');
SELECT :decision FROM usage_settle('hold-2-a', 5);
SELECT :decision FROM usage_settle('hold-2-b', 0, metadata => '{"kept": false}');
SELECT :event FROM usage_events WHERE user_id = 'hold-2' ORDER BY id;
SELECT amount, tokens_used, events FROM usage_counters WHERE user_id = 'hold-2';
SELECT hold_id, state, amount, settled_amount, tokens_used, settled_tokens, ended_at FROM usage_holds WHERE user_id = 'hold-2' ORDER BY hold_id;
-- more is a decision: 9 of 10 would be used by others
SELECT :decision FROM usage_consume('hold-2', 'prompt', 3);
SELECT :decision FROM usage_hold('hold-2', 'prompt', 1, hold_id => 'hold-2-c');
SELECT :decision FROM usage_settle('hold-2-c', 3);
SELECT :decision FROM usage_settle('hold-2-c', 11);
SELECT hold_id, amount FROM usage_open_holds WHERE user_id = 'hold-2';
SELECT :decision FROM usage_settle('hold-2-c', 2);
SELECT :decision FROM usage_settle('hold-2-c', 2);
SELECT usage_settle('hold-2-c', 3);

-- What is due to other measures: tokens beyond what was held, and durations, of which nothing is held.
INSERT INTO usage_limits_config (limit_type, usage_type, measure, free_tier_limit) VALUES
	('scribes_daily', 'scribe', 'amount', 10), ('scribe_tokens_daily', 'scribe', 'tokens', 1000),
	('scribe_ms_daily', 'scribe', 'duration_ms', 5000);
SELECT :decision FROM usage_hold('hold-3', 'scribe', tokens_used => 900, hold_id => 'hold-3-a');
SELECT :decision FROM usage_hold('hold-3', 'scribe', tokens_used => 200);
SELECT :decision FROM usage_settle('hold-3-a', tokens_used => 1100);
SELECT :decision FROM usage_settle('hold-3-a', duration_ms => 6000);
SELECT :decision FROM usage_settle('hold-3-a', tokens_used => 1000, duration_ms => 5000);
SELECT amount, tokens_used, duration_ms FROM usage_counters WHERE user_id = 'hold-3';
-- what is unlimited is not said of the limit that is named
UPDATE usage_limits_config SET free_tier_limit = -1 WHERE limit_type = 'scribe_tokens_daily';
SELECT allowed FROM usage_hold('hold-3', 'scribe', tokens_used => 1, hold_id => 'hold-3-b');
SELECT :decision FROM usage_settle('hold-3-b', tokens_used => 2);
DELETE FROM usage_limits_config WHERE usage_type = 'scribe';

-- A soft limit admits more, and says so.
INSERT INTO usage_limits_config (limit_type, usage_type, free_tier_limit, enforcement) VALUES ('drafts_daily', 'draft', 2, 'soft');
SELECT :decision FROM usage_hold('hold-4', 'draft', 3, hold_id => 'hold-4-a');
SELECT :decision FROM usage_settle('hold-4-a', 4);
DELETE FROM usage_limits_config WHERE usage_type = 'draft';
-- a limit that was lowered meanwhile does not keep what is held from being settled
SELECT :decision FROM usage_hold('hold-4', 'export', 3, hold_id => 'hold-4-b');
BEGIN;
UPDATE usage_limits_config SET free_tier_limit = 1 WHERE limit_type = 'exports_daily';
SELECT :decision FROM usage_settle('hold-4-b');
ROLLBACK;
SELECT :decision FROM usage_settle('hold-4-b', 3);

-- Released: nothing was used.  True for the call that ended it, false for any other.
SELECT :decision FROM usage_hold('hold-5', 'export', 3, hold_id => 'hold-5-a', metadata => '{"by": "hold"}');
SELECT usage_release('hold-5-a', user_id => 'hold-5');
SELECT usage_release('hold-5-a');
SELECT usage_release('hold-5-unknown');
SELECT usage_release('hold-5-unknown', user_id => 'hold-5');
SELECT usage_settle('hold-5-a');
SELECT usage_settle('hold-5-a', 7);
SELECT usage_renew('hold-5-a', '1 hour');
SELECT usage_hold('hold-5', 'export', 3, hold_id => 'hold-5-a', metadata => '{"by": "hold"}');
SELECT usage_settle('hold-5-unknown');
SELECT usage_renew('hold-5-unknown', '1 hour');
SELECT count(*) FROM usage_events WHERE user_id = 'hold-5';
-- with an event that says why
SELECT allowed FROM usage_hold('hold-5', 'export', 3, hold_id => 'hold-5-b', event_subtype => 'mp4', metadata => '{"by": "hold"}');
SELECT usage_release('hold-5-b', 'failed', 'out of disk', 700);
SELECT allowed FROM usage_hold('hold-5', 'export', 2, hold_id => 'hold-5-c');
SELECT usage_release('hold-5-c', 'cancelled', metadata => '{"by": "release"}');
SELECT :event FROM usage_events WHERE user_id = 'hold-5' ORDER BY id;
SELECT event_subtype, amount, events, failed_events, cancelled_events FROM usage_counters WHERE user_id = 'hold-5' ORDER BY 1;
SELECT usage_release('hold-5-c', 'success');
SELECT :decision FROM usage_check('hold-5', 'export', 3);

-- The same id and request is the same hold, another request is an error that says nothing of the other.
SELECT :decision FROM usage_hold('hold-6', 'export', 1, hold_id => 'hold-6-a', event_subtype => 'mp4', tokens_used => 5);
SELECT :decision FROM usage_hold('hold-6', 'export', 1, '1 hour', 'hold-6-a', true, 'mp4', 5, '{"other": "metadata"}');
SELECT usage_hold('hold-6', 'export', 2, hold_id => 'hold-6-a', event_subtype => 'mp4', tokens_used => 5);
SELECT usage_hold('hold-6', 'export', 1, hold_id => 'hold-6-a', event_subtype => 'gif', tokens_used => 5);
SELECT usage_hold('hold-6', 'export', 1, hold_id => 'hold-6-a', tokens_used => 5);
SELECT usage_hold('hold-6', 'export', 1, hold_id => 'hold-6-a', event_subtype => 'mp4');
SELECT usage_hold('hold-6', 'prompt', 1, hold_id => 'hold-6-a', event_subtype => 'mp4', tokens_used => 5);
SELECT usage_hold('hold-6-other', 'export', 1, hold_id => 'hold-6-a', event_subtype => 'mp4', tokens_used => 5);
SELECT count(*) FROM usage_open_holds WHERE user_id ~ '^hold-6';
-- a denied one leaves nothing, and is decided anew
SELECT :decision FROM usage_hold('hold-6', 'export', 3, hold_id => 'hold-6-b');
SELECT usage_release('hold-6-a');
SELECT :decision FROM usage_hold('hold-6', 'export', 3, hold_id => 'hold-6-b');

-- A user_id that is given must be the hold's.
SELECT usage_settle('hold-6-b', user_id => 'hold-6-other');
SELECT usage_release('hold-6-b', user_id => 'hold-6-other');
SELECT usage_renew('hold-6-b', '1 hour', 'hold-6-other');
SELECT :decision FROM usage_settle('hold-6-b', user_id => 'hold-6');

-- Amount 0 asks and takes nothing, also where nothing is left.
SELECT :decision FROM usage_hold('hold-7', 'export', 0, hold_id => 'hold-7-a');
SELECT :decision FROM usage_hold('hold-6', 'export', 0);
SELECT count(*) FROM usage_holds WHERE hold_id = 'hold-7-a';

-- A type without limits, and an unlimited one.
SELECT :decision FROM usage_hold('hold-8', 'hold_free', 5, hold_id => 'hold-8-a');
SELECT :decision FROM usage_hold('hold-8', 'hold_free', 2, hold_id => 'hold-8-b');
SELECT :decision FROM usage_settle('hold-8-a', 7);
SELECT :decision FROM usage_check('hold-8', 'hold_free');
SELECT usage_release('hold-8-b');
SELECT tier FROM usage_set_tier('hold-8', 'pro');
SELECT :decision FROM usage_hold('hold-8', 'project_create', 1000, hold_id => 'hold-8-c');
SELECT :decision FROM usage_settle('hold-8-c', 2000);

-- A gauge: a refused hold could succeed when others expire.
SELECT :decision FROM usage_set_gauge('hold-9', 'storage_mb', 300);
SELECT :decision FROM usage_hold('hold-9', 'storage_mb', 100, '10 minutes', 'hold-9-a');
SELECT :decision FROM usage_hold('hold-9', 'storage_mb', 80, '20 minutes', 'hold-9-b');
SELECT :decision FROM usage_hold('hold-9', 'storage_mb', 110);
SELECT :decision FROM usage_hold('hold-9', 'storage_mb', 150);
SELECT :decision FROM usage_hold('hold-9', 'storage_mb', 250);
SELECT :decision FROM usage_hold('hold-9', 'storage_mb', 501);
SELECT :decision FROM usage_settle('hold-9-a', 150);
SELECT :decision FROM usage_settle('hold-9-b', 150);
SELECT :decision FROM usage_settle('hold-9-a', 120);
-- corrections are about what is booked, and holds come on top
SELECT :decision FROM usage_set_gauge('hold-9', 'storage_mb', 50);
SELECT usage_adjust('hold-9', 'storage_mb', -51);
SELECT :decision FROM usage_adjust('hold-9', 'storage_mb', -50);
SELECT :decision FROM usage_settle('hold-9-b');
-- what is below 0 will not have left when a hold does
SELECT allowed FROM usage_hold('hold-9', 'storage_mb', 5, hold_id => 'hold-9-c');
UPDATE usage_counters SET amount = amount - 200 WHERE user_id = 'hold-9';
SELECT :decision FROM usage_check('hold-9', 'storage_mb');

-- Several limits: the tighter is named, and none takes anything of a denied hold.
SELECT :decision FROM usage_adjust('hold-10', 'export', 3);
SELECT :decision FROM usage_hold('hold-10', 'export');
SET usage_limits.test_clock = '2025-04-10 10:30:00+00';
SELECT :decision FROM usage_hold('hold-10', 'export', 3, '3 days', 'hold-10-a');

-- A hold counts in the windows in which it was taken, and so does what settles it.
SET usage_limits.test_clock = '2025-04-11 00:00:00+00';
SELECT :decision FROM usage_hold('hold-10', 'export', 2, hold_id => 'hold-10-b');
SELECT :decision FROM usage_settle('hold-10-a', 4);
SELECT :decision FROM usage_settle('hold-10-a', 2);
SELECT usage_date, count FROM user_usage WHERE user_id = 'hold-10' ORDER BY 1;
SELECT created_at, bucket_start FROM usage_events WHERE user_id = 'hold-10' AND operation = 'settle';
-- in the next month it counts nowhere any more, and more of it is up to the limits of then
SET usage_limits.test_clock = '2025-04-30 23:59:59.999999+00';
SELECT :decision FROM usage_hold('hold-10', 'export', 3, hold_id => 'hold-10-c');
SET usage_limits.test_clock = '2025-05-01 00:00:00+00';
SELECT :decision FROM usage_check('hold-10', 'export', 3);
SELECT :decision FROM usage_settle('hold-10-c', 4);
SELECT :decision FROM usage_settle('hold-10-c', 3);
SELECT :decision FROM usage_check('hold-10', 'export', 3);
-- after a reset it counts nowhere either, nor what settles it
SELECT :decision FROM usage_hold('hold-11', 'export', 3, hold_id => 'hold-11-a');
SELECT current FROM usage_reset('hold-11', 'export');
SELECT :decision FROM usage_hold('hold-11', 'export', 3, hold_id => 'hold-11-b');
SELECT current FROM usage_reset('hold-11', 'export');
SELECT :decision FROM usage_check('hold-11', 'export', 3);
SELECT :decision FROM usage_settle('hold-11-a', 30);
SELECT :decision FROM usage_check('hold-11', 'export', 3);

-- A sliding window.
SELECT limit_type FROM usage_set_limit('scans_hourly', 10);
SET usage_limits.test_clock = '2025-05-02 10:00:00+00';
SELECT :decision FROM usage_hold('hold-12', 'scan', 4, '10 minutes', 'hold-12-a');
SELECT :decision FROM usage_hold('hold-12', 'scan', 4, '3 hours', 'hold-12-b');
-- 8 are held: some would fit once the first expires, more when the second leaves the window
SELECT :decision FROM usage_hold('hold-12', 'scan', 6);
SELECT :decision FROM usage_hold('hold-12', 'scan', 7);
SET usage_limits.test_clock = '2025-05-02 10:10:00+00';
SELECT :decision FROM usage_consume('hold-12', 'scan', 6);
SELECT :decision FROM usage_consume('hold-12', 'scan');
-- out of the window it does not count, but no hour has more than 10, also when it is settled later
SET usage_limits.test_clock = '2025-05-02 11:30:00+00';
SELECT :decision FROM usage_check('hold-12', 'scan', 10);
SELECT :decision FROM usage_settle('hold-12-b', 5);
SELECT :decision FROM usage_settle('hold-12-b', 3);
SELECT bucket_start, amount FROM usage_counters WHERE user_id = 'hold-12' ORDER BY 1;
-- nor has one that begins within the hour before
SET usage_limits.test_clock = '2025-05-02 07:30:00+00';
SELECT allowed FROM usage_consume('hold-12b', 'scan', 6);
SET usage_limits.test_clock = '2025-05-02 08:20:00+00';
SELECT allowed FROM usage_hold('hold-12b', 'scan', 1, '9 hours', 'hold-12b-a');
SET usage_limits.test_clock = '2025-05-02 09:20:00+00';
SELECT allowed FROM usage_consume('hold-12b', 'scan', 5);
SET usage_limits.test_clock = '2025-05-02 11:30:00+00';
SELECT :decision FROM usage_settle('hold-12b-a', 5);
SELECT :decision FROM usage_settle('hold-12b-a', 4);
-- after a reset that lies ahead, since something was booked there, it leaves with that
SELECT usage_track('hold-12c', 'scan', occurred_at => '2025-05-02 11:31:00+00') > 0 AS tracked;
SELECT allowed FROM usage_reset('hold-12c', 'scan');
SELECT :decision FROM usage_hold('hold-12c', 'scan', 10, '3 hours', 'hold-12c-a');
SELECT reset_at FROM usage_check('hold-12c', 'scan');
DELETE FROM usage_limits_config WHERE usage_type = 'scan';

-- Expiry is effective when it is read: the boundary instant is after it.
SET usage_limits.test_clock = '2025-05-05 10:00:00+00';
SELECT :decision FROM usage_hold('hold-13', 'export', 3, '10 minutes', 'hold-13-a');
SET usage_limits.test_clock = '2025-05-05 10:09:59.999999+00';
SELECT allowed, current FROM usage_check('hold-13', 'export');
SELECT hold_id, created_at, expires_at, age FROM usage_open_holds WHERE user_id = 'hold-13';
SET usage_limits.test_clock = '2025-05-05 10:10:00+00';
SELECT allowed, current FROM usage_check('hold-13', 'export');
SELECT hold_id FROM usage_open_holds WHERE user_id = 'hold-13';
SELECT usage_settle('hold-13-a');
SELECT usage_renew('hold-13-a', '1 hour');
SELECT usage_release('hold-13-a', 'failed');
SELECT usage_hold('hold-13', 'export', 3, hold_id => 'hold-13-a');
SELECT count(*) FROM usage_events WHERE user_id = 'hold-13';

-- Renewed, from now on, for more or less time.
SELECT usage_renew(hold_id, '20 minutes') FROM usage_hold('hold-14', 'export', 3, '10 minutes', 'hold-14-a');
SET usage_limits.test_clock = '2025-05-05 10:29:59+00';
SELECT allowed, current FROM usage_check('hold-14', 'export');
SELECT usage_renew('hold-14-a', '1 second', 'hold-14');
SET usage_limits.test_clock = '2025-05-05 10:30:00+00';
SELECT usage_settle('hold-14-a');
-- ttl is a fixed length of time
SELECT usage_renew(hold_id, '1 month 1 day') FROM usage_hold('hold-14', 'export', 1, '100 years', 'hold-14-b');
SELECT usage_renew('hold-14-b', '1 day -23 hours');
SELECT usage_renew('hold-14-b', '100 years 1 day');
SELECT usage_renew('hold-14-b', '1 hour -60 minutes');
SELECT usage_renew('hold-14-b', '-1 second');
SELECT usage_renew('hold-14-b', '178000000 years');
SELECT usage_renew('hold-14-b', NULL);
SET timezone = 'America/New_York';
SET usage_limits.test_clock = '2025-11-01 12:00:00+00';
SELECT allowed FROM usage_hold('hold-14', 'export', 1, '1 day', 'hold-14-c');
SELECT extract(epoch FROM expires_at - created_at) / 3600 AS hours FROM usage_holds WHERE hold_id = 'hold-14-c';
SET timezone = 'UTC';

-- Arguments.
SELECT usage_hold(NULL, 'export');
SELECT usage_hold('hold-15', NULL);
SELECT usage_hold('hold-15', 'export', NULL);
SELECT usage_hold('hold-15', 'export', -1);
SELECT usage_hold('hold-15', 'export', 1000000000000001);
SELECT usage_hold('hold-15', 'export', ttl => NULL);
SELECT usage_hold('hold-15', 'export', ttl => '0');
SELECT usage_hold('hold-15', 'export', hold_id => '');
SELECT usage_hold('hold-15', 'export', hold_id => repeat('x', 256));
SELECT usage_hold('hold-15', 'export', session_bound => NULL);
SELECT usage_hold('hold-15', 'export', tokens_used => -1);
SELECT usage_hold('hold-15', 'exports_daily');
SELECT usage_settle(NULL);
SELECT usage_settle('hold-15', -1);
SELECT usage_settle('hold-15', tokens_used => -1);
SELECT usage_settle('hold-15', duration_ms => -1);
SELECT usage_release(NULL);
SELECT usage_release('hold-15', 'done');
SELECT usage_renew(NULL, '1 hour');
SELECT usage_release_all(NULL);
SELECT usage_release_all('hold-15', '');
SELECT length(hold_id), current FROM usage_hold(repeat('u', 255), 'export', hold_id => repeat('h', 255));
SELECT usage_release(repeat('h', 255));
SELECT current FROM usage_hold('hold-15', 'big', 1000000000000000, hold_id => 'hold-15-a');
SELECT current FROM usage_settle('hold-15-a');

-- Nothing is written where nothing can be.
BEGIN READ ONLY;
SELECT usage_hold('hold-16', 'export');
ROLLBACK;
BEGIN READ ONLY;
SELECT usage_settle('hold-16');
ROLLBACK;
BEGIN READ ONLY;
SELECT usage_release('hold-16');
ROLLBACK;
BEGIN READ ONLY;
SELECT usage_release_all('hold-16');
ROLLBACK;
BEGIN READ ONLY;
SELECT usage_renew('hold-16', '1 hour');
ROLLBACK;
-- nor while tracking is off
SET usage_limits.tracking_enabled = off;
SELECT :decision FROM usage_hold('hold-16', 'export', 100, hold_id => 'hold-16-a');
SELECT hold_id IS NOT NULL AS made_up FROM usage_hold('hold-16', 'export');
SELECT :decision FROM usage_settle('hold-16-a', 50);
SELECT usage_release('hold-16-a'), usage_release_all('hold-16'), usage_renew('hold-16-a', '1 hour');
RESET usage_limits.tracking_enabled;
SELECT count(*) FROM usage_holds WHERE user_id = 'hold-16';
-- enforcement off counts and refuses nothing
SET usage_limits.enforcement = off;
SELECT :decision FROM usage_hold('hold-16', 'export', 100, hold_id => 'hold-16-b');
SELECT :decision FROM usage_settle('hold-16-b', 200);
RESET usage_limits.enforcement;
-- without event rows the counters go on
SET usage_limits.analytics_enabled = off;
SELECT :decision FROM usage_hold('hold-16', 'prompt', hold_id => 'hold-16-c');
SELECT :decision FROM usage_settle('hold-16-c');
SELECT allowed FROM usage_hold('hold-16', 'prompt', hold_id => 'hold-16-d');
SELECT usage_release('hold-16-d', 'failed');
RESET usage_limits.analytics_enabled;
SELECT amount, events, failed_events FROM usage_counters WHERE user_id = 'hold-16' AND usage_type = 'prompt';

-- What was settled can be refunded, in the hold's bucket.
SELECT s.event_id AS settled FROM usage_hold('hold-17', 'export', 3, hold_id => 'hold-17-a') h, usage_settle(h.hold_id) s \gset
SELECT current FROM usage_refund(:settled, 1);
SELECT current FROM usage_refund(:settled);

-- Holds that are over are forgotten after 30 days; those that are not stay.
SET usage_limits.test_clock = '2026-01-10 10:00:00+00';
SELECT allowed FROM usage_hold('hold-18', 'export', 1, '1 year', 'hold-18-open');
SELECT allowed FROM usage_hold('hold-18', 'export', 1, '1 hour', 'hold-18-expired');
SELECT usage_release(hold_id) FROM usage_hold('hold-18', 'export', 1, '1 year', 'hold-18-released');
SELECT count(*) > 0 AS old FROM usage_holds WHERE user_id <> 'hold-18';
SET usage_limits.test_clock = '2026-02-09 10:00:00+00';
SELECT count > 0 AS some FROM usage_maintain() WHERE what = 'holds forgotten';
SELECT hold_id FROM usage_holds WHERE created_at > '2025-12-01' ORDER BY 1;
SET usage_limits.test_clock = '2026-02-09 11:00:00.000001+00';
SELECT what, count FROM usage_maintain() WHERE what = 'holds forgotten';
SELECT hold_id FROM usage_holds WHERE created_at > '2025-12-01' ORDER BY 1;
