-- Recording what was used: usage_track, the event rows, the counters and the
-- view user_usage.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET usage_limits.test_clock = '2025-03-12 10:30:00+00';
\set SHOW_CONTEXT never
\set counter 'usage_type, bucket_start, event_subtype, amount, tokens_used, credits_used, duration_ms, events, failed_events AS failed, cancelled_events AS cancelled, first_at, last_at'

-- The least, and every parameter.
SELECT usage_track('track-1', 'prompt') > 0 AS tracked;
SELECT usage_track('track-1', 'prompt', 3, 'gpt-4o', '11111111-2222-3333-4444-555555555555',
	'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee', 1200, 7, 350, 'success', 'slow', '{"a": [1, "x''y"]}',
	'2025-03-12 10:29:59+00', 'track-key-1') > 0 AS tracked;
SELECT user_id, event_type, event_subtype, project_id, scene_id, tokens_used, credits_used, duration_ms,
	status, error_message, metadata, created_at, amount, operation, bucket_start, refund_of
FROM usage_events WHERE user_id = 'track-1' ORDER BY id;
SELECT :counter FROM usage_counters WHERE user_id = 'track-1' ORDER BY event_subtype;
SELECT * FROM user_usage WHERE user_id = 'track-1';

-- Named arguments, and the id of the event.
SELECT usage_track(user_id => 'track-2', usage_type => 'export', status => 'success', duration_ms => 10) AS event_id \gset
SELECT user_id, duration_ms FROM usage_events WHERE id = :event_id;

-- Failed and cancelled events are logged and counted apart, and count towards nothing.
SELECT usage_track('track-3', 'export', 2, 'mp4', tokens_used => 5, credits_used => 6, duration_ms => 7,
	status => 'failed', error_message => 'no "space" left') > 0 AS tracked;
SELECT usage_track('track-3', 'export', 2, 'mp4', status => 'cancelled') > 0 AS tracked;
SELECT :counter FROM usage_counters WHERE user_id = 'track-3';
SELECT status, amount, error_message, bucket_start FROM usage_events WHERE user_id = 'track-3' ORDER BY id;
SELECT count(*) FROM user_usage WHERE user_id = 'track-3';
SELECT limit_type, allowed, current, remaining FROM usage_check('track-3', 'export');
SELECT usage_track('track-3', 'export', 2, 'mp4') > 0 AS tracked;
SELECT count, metadata FROM user_usage WHERE user_id = 'track-3';

-- Tracking does not enforce.
SELECT usage_track('track-4', 'export', 1000) > 0 AS tracked;
SELECT allowed, limit_type, current, "limit", remaining FROM usage_check('track-4', 'export');

-- Amount 0 leaves an event and counts it.
SELECT usage_track('track-5', 'export', 0, tokens_used => 9) > 0 AS tracked;
SELECT amount, tokens_used, events FROM usage_counters WHERE user_id = 'track-5';
SELECT count FROM user_usage WHERE user_id = 'track-5';

-- A subtype of any content is stored as given, in the log, the counters and the view.
CREATE TEMP TABLE subtypes (n serial, subtype text);
INSERT INTO subtypes (subtype) VALUES ('gpt-4o'), ('it''s'), ('"x''y'), ('"quoted"'), ('{"json": ["a", null]}'),
	('back\slash \n'), (E'line\nbreak\ttab'), ('; DROP TABLE usage_events; --'), ('${eventSubtype}'), ('$1 %s %n'),
	('日本語 ☃'), (' spaces '), (repeat('x', 255)), ('null'), ('NULL');
SELECT count(usage_track('track-6', 'prompt', n, subtype)) FROM subtypes;
SELECT count(*) FROM subtypes s
JOIN usage_events e ON e.user_id = 'track-6' AND e.event_subtype = s.subtype AND e.amount = s.n
JOIN usage_counters c ON c.user_id = 'track-6' AND c.event_subtype = s.subtype AND c.amount = s.n;
SELECT bool_and(usage_track('track-6-' || n, 'prompt', 1, subtype) > 0) AS tracked FROM subtypes;
SELECT count(*) FROM subtypes s
JOIN user_usage u ON u.user_id = 'track-6-' || n AND u.metadata = jsonb_build_object('lastEventSubtype', s.subtype);
SELECT usage_track('track-7', 'prompt', 1, '') > 0 AS empty_is_none;
SELECT event_subtype IS NULL AS none FROM usage_events WHERE user_id = 'track-7';
SELECT metadata FROM user_usage WHERE user_id = 'track-7';

-- So are a user's id and a type's name.
SELECT usage_track(u, t) > 0 AS tracked FROM unnest(ARRAY['u''"\1;', repeat('é', 127)]) u, unnest(ARRAY['t''"\1;', repeat('é', 50)]) t;
SELECT user_id, usage_type, count FROM user_usage WHERE usage_type IN ('t''"\1;', repeat('é', 50)) ORDER BY user_id, usage_type;

-- occurred_at books into the bucket and the day of that instant; the future is a minute long.
SELECT usage_track('track-8', 'export', 1, 'a', occurred_at => '2025-03-12 00:00:00+00') > 0 AS tracked;
SELECT usage_track('track-8', 'export', 2, 'b', occurred_at => '2025-03-11 23:59:59.999999+00') > 0 AS tracked;
SELECT usage_track('track-8', 'export', 4, 'c', occurred_at => '2025-02-28 12:00:00+00') > 0 AS tracked;
SELECT usage_track('track-8', 'export', 8, 'd', occurred_at => '1999-12-31 23:59:59+00') > 0 AS tracked;
SELECT usage_track('track-8', 'export', 16, 'e', occurred_at => '2025-03-12 10:31:00+00') > 0 AS tracked;
SELECT usage_track('track-8', 'export', 1, occurred_at => '2025-03-12 10:31:00.000001+00');
SELECT usage_track('track-8', 'export', 1, occurred_at => 'infinity');
SELECT usage_track('track-8', 'export', 1, occurred_at => '-infinity');
SELECT event_subtype, created_at, bucket_start FROM usage_events WHERE user_id = 'track-8' ORDER BY amount;
SELECT usage_date, count, metadata, created_at, updated_at FROM user_usage WHERE user_id = 'track-8' ORDER BY usage_date;
SELECT limit_type, current FROM usage_status('track-8') WHERE usage_type = 'export' ORDER BY limit_type;

-- The event that happened last gives the subtype, not the one that was tracked last.
SELECT usage_track('track-9', 'export', 1, 'later', occurred_at => '2025-03-12 09:00:00+00') > 0 AS tracked;
SELECT usage_track('track-9', 'export', 1, 'earlier', occurred_at => '2025-03-12 08:00:00+00') > 0 AS tracked;
SELECT metadata, created_at, updated_at FROM user_usage WHERE user_id = 'track-9';

-- A type that does not log has counters only; with analytics off none logs.
INSERT INTO usage_types (usage_type, log_events) VALUES ('quiet', false);
SELECT usage_track('track-10', 'quiet', 5) AS event_id;
SET usage_limits.analytics_enabled = off;
SELECT usage_track('track-10', 'loud', 6) AS event_id;
RESET usage_limits.analytics_enabled;
SELECT usage_track('track-10', 'loud', 7) > 0 AS event;
SELECT usage_type, count FROM user_usage WHERE user_id = 'track-10' ORDER BY usage_type;
SELECT event_type, amount FROM usage_events WHERE user_id = 'track-10';
DELETE FROM usage_types;

-- With tracking off nothing is written, and the arguments are not looked at.
SET usage_limits.tracking_enabled = off;
SELECT usage_track('track-11', 'prompt') AS event_id;
SELECT usage_track('track-11', 'prompt', -1);
RESET usage_limits.tracking_enabled;
SELECT count(*) FROM usage_counters WHERE user_id = 'track-11';
SELECT count(*) FROM usage_events WHERE user_id = 'track-11';

-- Many uses of one transaction are one row a bucket and subtype.
SELECT count(usage_track('track-12', 'prompt', n, 's' || n % 2)) FROM generate_series(1, 1000) AS n;
SELECT event_subtype, amount, events FROM usage_counters WHERE user_id = 'track-12' ORDER BY event_subtype;
SELECT count(*) FROM usage_events WHERE user_id = 'track-12';

-- on_track_error = warning: a failing track costs its caller nothing but a warning.
SET usage_limits.on_track_error = 'warning';
BEGIN;
SELECT usage_track('track-13', 'prompt', 1) > 0 AS tracked;
SELECT usage_track('track-13', 'prompts_daily', 2) AS event_id;
SELECT usage_track('track-13', 'prompt', 4, occurred_at => 'infinity') AS event_id;
SELECT usage_track('track-13', 'prompt', 8, idempotency_key => 'k') > 0 AS tracked;
SELECT usage_track('track-13', 'prompt', 16, idempotency_key => 'k') AS event_id;
COMMIT;
SELECT count FROM user_usage WHERE user_id = 'track-13';
-- also when writing the event fails after the use was counted
ALTER TABLE usage_events_default ADD CONSTRAINT no_blue CHECK (event_subtype <> 'blue');
SELECT usage_track('track-13', 'prompt', 32, 'blue') AS event_id;
SELECT count FROM user_usage WHERE user_id = 'track-13';
RESET usage_limits.on_track_error;
\set VERBOSITY terse
SELECT usage_track('track-13', 'prompt', 64, 'blue');
\set VERBOSITY default
ALTER TABLE usage_events_default DROP CONSTRAINT no_blue;
SELECT count FROM user_usage WHERE user_id = 'track-13';
-- and when the call itself is wrong
SET usage_limits.on_track_error = 'warning';
SELECT usage_track('track-13', 'prompt', -1);
RESET usage_limits.on_track_error;

-- What was refused before something failed says nothing of when that was.
SELECT usage_set_limit('few_daily', 1, usage_type => 'few', kind => 'counter', period => '1 day') IS NULL AS without;
BEGIN;
SELECT allowed FROM usage_consume('track-14', 'few', 2);
SAVEPOINT a;
SELECT usage_track('track-14', 'few', status => 'failed') > 0 AS tracked;
RELEASE a;
COMMIT;
SELECT failed_events, first_at, last_at FROM usage_counters WHERE user_id = 'track-14';
DELETE FROM usage_limits_config WHERE limit_type = 'few_daily';

-- The view is read only.
INSERT INTO user_usage (user_id, usage_type, usage_date, count) VALUES ('track-1', 'prompt', '2025-03-12', 1);
UPDATE user_usage SET count = 0 WHERE user_id = 'track-1';
UPDATE user_usage SET count = 0 WHERE user_id = 'nobody';
DELETE FROM user_usage WHERE user_id = 'nobody';
TRUNCATE user_usage;
INSERT INTO user_usage SELECT * FROM user_usage WHERE false;
SELECT count FROM user_usage WHERE user_id = 'track-1';
